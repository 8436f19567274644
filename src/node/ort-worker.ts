/** @file  One worker thread of an ONNX Runtime pool: opens a session per program, keeps it, and runs what it is sent.
 *  It knows nothing of networks; `shared` values (the parameters) stay here between runs. */
import { parentPort, workerData } from 'node:worker_threads';
import type { Program } from '../network/graph.js';
import type { GraphRunner, Tensors } from '../network/runner.js';
import { collector } from './collect.js';
import { openSession, type SessionOptions } from './ort-session.js';

/** What a pool sends. */
export type Request =
  | { readonly kind: 'open'; readonly program: number; readonly description: Program }
  | { readonly kind: 'share'; readonly shared: Tensors }
  | { readonly kind: 'run'; readonly program: number; readonly feeds: Tensors };
/** What comes back, once for every `run`. */
export type Reply = { readonly outputs: Tensors } | { readonly error: { readonly name: string; readonly message: string } };

const options = (workerData ?? {}) as SessionOptions;
const sessions = new Map<number, Promise<GraphRunner>>();
let shared: Tensors = {};

parentPort?.on('message', (request: Request) => {
  if (request.kind === 'open') {
    const session = openSession(request.description, options);
    session.catch(() => {}); // the run that follows reports it
    sessions.set(request.program, session);
  } else if (request.kind === 'share') {
    shared = request.shared;
  } else {
    void run(request.program, { ...shared, ...request.feeds });
  }
});

async function run(program: number, feeds: Tensors): Promise<void> {
  try {
    const session = await sessions.get(program)!;
    const outputs = await session.run(feeds);
    collect();
    reply(
      { outputs },
      Object.values(outputs).map(({ buffer }) => buffer as ArrayBuffer),
    );
  } catch (error) {
    const { name, message } = error instanceof Error ? error : new Error(String(error));
    reply({ error: { name, message } });
  }
}

function reply(message: Reply, transfer: ArrayBuffer[] = []): void {
  parentPort!.postMessage(message, transfer);
}

/** Collects the feeds of earlier runs where memory is short. */
const collect: () => void = options.frugal ? collector() : () => {};
