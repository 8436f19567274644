/** @file  A graph run by ONNX Runtime in this thread. `run` blocks its event loop: for anything slow use `openPool`. */
import { createRequire } from 'node:module';
import type { InferenceSession, Tensor } from 'onnxruntime-node';
import { size } from '../core/array.js';
import { DeviceError, ShapeError } from '../core/errors.js';
import type { Program } from '../network/graph.js';
import type { GraphRunner, Tensors } from '../network/runner.js';

/** What may run a graph. Another than the CPU is used only after `probeProvider` has found that it runs these graphs right. */
export type Provider = 'cpu' | 'webgpu' | 'cuda' | 'coreml' | 'dml';

export interface SessionOptions {
  /** Operations that it lacks are run on the CPU. @default 'cpu' */
  readonly provider?: Provider | undefined;
  /** Threads that one operation may use. @default 1 */
  readonly threads?: number | undefined;
  /** Give memory back after every run instead of keeping it for the next: for many sessions, or large ones. @default false */
  readonly frugal?: boolean | undefined;
}

/** Spinning threads would take the cores from the other workers. Warnings (severity 2) are printed. */
const sessionOptions = ({ provider = 'cpu', threads = 1, frugal = false }: SessionOptions): InferenceSession.SessionOptions => ({
  executionProviders: provider === 'cpu' ? ['cpu'] : [provider, 'cpu'],
  intraOpNumThreads: threads,
  interOpNumThreads: 1,
  logSeverityLevel: 2,
  ...(frugal ? { enableCpuMemArena: false, enableMemPattern: false } : {}),
  extra: { session: { intra_op: { allow_spinning: '0' } } },
});

/**
 * Makes a session of the program.
 * @throws DeviceError when onnxruntime-node is not installed, or the provider refuses the program.
 */
export async function openSession({ model, inputs, outputs }: Program, options: SessionOptions = {}): Promise<GraphRunner> {
  const ort = await loadRuntime();
  const { provider = 'cpu' } = options;
  // ONNX Runtime drops some providers that a platform lacks, and runs on the CPU instead.
  if (!ort.listSupportedBackends().some(({ name }) => name === provider)) {
    throw new DeviceError('This ONNX Runtime has no such provider', {
      key: 'provider',
      expected: `one of ${ort
        .listSupportedBackends()
        .map(({ name }) => name)
        .join(', ')}`,
      found: provider,
    });
  }
  const session = await ort.InferenceSession.create(model, sessionOptions(options)).catch((cause: unknown) => {
    throw new DeviceError('ONNX Runtime refused the network', { cause, found: text(cause) });
  });
  return {
    async run(feeds: Tensors): Promise<Tensors> {
      const given: Record<string, Tensor> = {};
      for (const { name, shape } of inputs) {
        if (feeds[name]?.length !== size(shape)) {
          throw new ShapeError('Feed', {
            key: name,
            expected: `${size(shape)} values for [${shape.join(', ')}]`,
            found: feeds[name]?.length,
          });
        }
        given[name] = new ort.Tensor('float32', feeds[name], shape);
      }
      // Results go straight into arrays of ours, which can then be handed to another thread.
      const results = Object.fromEntries(outputs.map(({ name, shape }) => [name, new Float32Array(size(shape))]));
      const fetches = Object.fromEntries(
        outputs.map(({ name, shape }) => [name, new ort.Tensor('float32', results[name], shape)]),
      );
      await session.run(given, fetches).catch((cause: unknown) => {
        throw new DeviceError('ONNX Runtime failed to run the network', { cause, found: text(cause) });
      });
      return results;
    },
    dispose: () => session.release(),
  };
}

async function loadRuntime(): Promise<typeof import('onnxruntime-node')> {
  try {
    return await import('onnxruntime-node');
  } catch (cause) {
    throw absent('could not be loaded', cause);
  }
}

/**
 * Is the runtime there? Asked before long work; its binary is not loaded yet.
 * @throws DeviceError saying how to install it.
 */
export function expectRuntime(): void {
  try {
    createRequire(import.meta.url).resolve('onnxruntime-node');
  } catch (cause) {
    throw absent('is not installed', cause);
  }
}

function absent(what: string, cause: unknown): DeviceError {
  const variable = process.platform === 'linux' ? 'ONNXRUNTIME_NODE_INSTALL=skip ' : '';
  return new DeviceError(`Networks need onnxruntime-node, which ${what}`, {
    ...{ cause, found: text(cause).split('\n')[0]! },
    hint: `Install it beside coincide: ${variable}npm install onnxruntime-node. method: 'osem' (recon --method osem) needs none.`,
  });
}

function text(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
