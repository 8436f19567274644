/** @file  Worker threads that run ONNX graphs: each has its own single-threaded sessions and works on one run at a time, so that
 *  results do not depend on how many there are. An idle pool does not keep the process alive. */
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { DeviceError, OptionError } from '../core/errors.js';
import type { Program } from '../network/graph.js';
import type { FeedOptions, Tensors } from '../network/runner.js';
import type { SessionOptions } from './ort-session.js';
import type { Reply, Request } from './ort-worker.js';

export interface PoolOptions extends Pick<SessionOptions, 'provider'> {
  /** Worker threads. @default the cores available to the process */
  readonly threads?: number | undefined;
  /** Threads of each worker's operations: more than one where one run is so large that there is memory for one only. @default 1 */
  readonly threadsPerWorker?: number | undefined;
  /** Workers give memory back after every run. @default false */
  readonly frugal?: boolean | undefined;
}
export interface Pool {
  readonly threads: number;
  /**
   * Values that every later run is fed with beside its own; replaces those given before. Copied at once.
   * @param options give: a pool of one worker takes the arrays themselves, which are then empty here: half the memory.
   */
  share(shared: Tensors, options?: { readonly give?: boolean }): void;
  /**
   * Runs a program on the next idle worker; feeds are copied at once, or given away and then empty. The program object is the key of the
   * session: make it once.
   * @throws DeviceError when ONNX Runtime fails or a worker is lost; signal.reason when aborted.
   */
  run(program: Program, feeds: Tensors, options?: FeedOptions): Promise<Tensors>;
  /** Ends the workers; runs not finished reject. */
  dispose(): Promise<void>;
}

interface Job {
  readonly program: Program;
  readonly feeds: Tensors;
  readonly shared: Tensors;
  readonly done: (outputs: Tensors) => void;
  readonly failed: (reason: unknown) => void;
}
interface Seat {
  readonly worker: Worker;
  readonly opened: Set<number>;
  shared: Tensors | undefined;
  job: Job | undefined;
  /** A run is under way in the worker, whether anybody still waits for it or not. */
  busy: boolean;
}

/**
 * Starts the workers.
 * @throws OptionError for a thread number that is not a positive integer.
 */
export function openPool({
  threads = availableParallelism(),
  threadsPerWorker = 1,
  frugal = false,
  provider,
}: PoolOptions = {}): Pool {
  if (!Number.isInteger(threads) || threads < 1) {
    throw new OptionError('Worker threads', { key: 'threads', expected: 'a positive integer', found: threads });
  }
  const programs = new Map<Program, number>();
  const queue: Job[] = [];
  let shared: Tensors = {};
  let given: Tensors | undefined;
  let lost: DeviceError | undefined;

  const seats = Array.from({ length: threads }, (): Seat => {
    const seat: Seat = {
      worker: new Worker(workerFile(), { execArgv: [], workerData: { threads: threadsPerWorker, frugal, provider } }),
      opened: new Set(),
      shared: undefined,
      job: undefined,
      busy: false,
    };
    seat.worker.on('message', (reply: Reply) => {
      const { job } = seat;
      seat.job = undefined;
      seat.busy = false;
      seat.worker.unref();
      if ('outputs' in reply) job?.done(reply.outputs);
      else
        job?.failed(
          new DeviceError('A network run failed in its worker', {
            hint: reply.error.name === 'DeviceError' ? reply.error.message : `${reply.error.name}: ${reply.error.message}`,
          }),
        );
      dispatch();
    });
    seat.worker.on('error', (cause) =>
      fail(new DeviceError('A worker of ONNX Runtime crashed', { cause, found: cause.message })),
    );
    seat.worker.on('exit', () => {
      seat.busy = false;
    });
    seat.worker.on('exit', (code) => fail(new DeviceError('A worker of ONNX Runtime ended', { found: `exit code ${code}` })));
    seat.worker.unref();
    return seat;
  });

  function dispatch(): void {
    for (const seat of seats) {
      if (seat.busy) continue;
      const job = queue.shift();
      if (job === undefined) return;
      start(seat, job);
    }
  }

  function start(seat: Seat, job: Job): void {
    const send = (request: Request, transfer: ArrayBuffer[] = []): void => seat.worker.postMessage(request, transfer);
    const program = programs.get(job.program)!;
    seat.job = job;
    seat.busy = true;
    seat.worker.ref();
    if (!seat.opened.has(program)) send({ kind: 'open', program, description: job.program });
    seat.opened.add(program);
    if (seat.shared !== job.shared) send({ kind: 'share', shared: job.shared }, job.shared === given ? buffersOf(given) : []);
    seat.shared = job.shared;
    send({ kind: 'run', program, feeds: job.feeds }, buffersOf(job.feeds));
  }

  function fail(reason: DeviceError): void {
    lost ??= reason;
    for (const job of [...seats.flatMap((seat) => seat.job ?? []), ...queue.splice(0)]) job.failed(lost);
    for (const seat of seats) seat.job = undefined;
  }

  return {
    threads,
    share(values, { give = false } = {}) {
      if (give && threads > 1)
        throw new OptionError('Arrays can be given to one worker only', { key: 'threads', expected: '1', found: threads });
      shared = give ? values : copied(values);
      given = give ? values : undefined;
    },
    run: (program, feeds, { signal, give = false } = {}) =>
      new Promise<Tensors>((resolve, reject) => {
        signal?.throwIfAborted();
        if (lost !== undefined) throw lost;
        if (!programs.has(program)) programs.set(program, programs.size);
        const settle =
          <T>(end: (value: T) => void) =>
          (value: T): void => {
            signal?.removeEventListener('abort', abort);
            end(value);
          };
        const job: Job = { program, feeds: give ? feeds : copied(feeds), shared, done: settle(resolve), failed: settle(reject) };
        // A run that has begun goes on to its end in its worker; nobody waits for it.
        const abort = (): void => {
          const waiting = queue.indexOf(job);
          if (waiting >= 0) queue.splice(waiting, 1);
          job.failed(signal!.reason);
        };
        signal?.addEventListener('abort', abort);
        queue.push(job);
        dispatch();
      }),
    async dispose() {
      fail(new DeviceError('The worker pool was disposed'));
      await Promise.all(seats.map(ended));
    },
  };
}

function buffersOf(values: Tensors): ArrayBuffer[] {
  return [...new Set(Object.values(values).map(({ buffer }) => buffer as ArrayBuffer))];
}

/** Copies with buffers of their own: the caller may go on writing, and views of large or shared buffers may be sent. */
function copied(values: Tensors): Tensors {
  return Object.fromEntries(Object.entries(values).map(([name, data]) => [name, data.slice()]));
}

/** Ends a worker, after its run if one is under way: a thread that is ended inside ONNX Runtime takes the process with it. */
async function ended({ busy, worker }: Seat): Promise<void> {
  if (busy) {
    await new Promise<void>((resolve) => {
      worker.once('message', () => resolve());
      worker.once('exit', () => resolve());
    });
  }
  await worker.terminate();
}

/** Workers are JavaScript: run from TypeScript sources, they are the built ones. */
function workerFile(): URL {
  return new URL(import.meta.url.endsWith('.ts') ? '../../dist/node/ort-worker.js' : './ort-worker.js', import.meta.url);
}
