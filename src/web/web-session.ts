/** @file  A graph run by onnxruntime-web, which is handed in: the page chooses the build and where its files lie. */
import { DeviceError } from '../core/errors.js';
import type { Program } from '../network/graph.js';
import type { GraphRunner, Tensors } from '../network/runner.js';

/** What is used of onnxruntime-web; `import * as ort from 'onnxruntime-web/wasm'` is one. */
export interface WebRuntime {
  readonly env: { readonly wasm: { wasmPaths?: unknown; numThreads?: number | undefined } };
  readonly Tensor: new (type: 'float32', data: Float32Array, dims: readonly number[]) => WebTensor;
  readonly InferenceSession: { create(model: Uint8Array, options?: { executionProviders: ['wasm'] }): Promise<WebSession> };
}
interface WebTensor {
  readonly data: unknown;
}
export interface WebSession {
  // biome-ignore lint/suspicious/noExplicitAny: the runtime's own tensors, more than is used here
  run(feeds: Readonly<Record<string, any>>): Promise<Readonly<Record<string, WebTensor>>>;
  release(): Promise<void>;
}

/** @throws DeviceError when the runtime cannot be started or refuses the program. */
export async function openWebSession({ model, inputs, outputs }: Program, ort: WebRuntime): Promise<GraphRunner> {
  const session = await ort.InferenceSession.create(model, { executionProviders: ['wasm'] }).catch((cause: unknown) => {
    throw new DeviceError('onnxruntime-web could not be started on the network', {
      cause,
      found: text(cause),
      hint: 'Its .wasm and .mjs files must lie where wasmPaths says, and be served with their types.',
    });
  });
  return {
    async run(feeds: Tensors): Promise<Tensors> {
      const given = Object.fromEntries(inputs.map(({ name, shape }) => [name, new ort.Tensor('float32', feeds[name]!, shape)]));
      const results = await session.run(given).catch((cause: unknown) => {
        throw new DeviceError('onnxruntime-web failed to run the network', { cause, found: text(cause) });
      });
      return Object.fromEntries(outputs.map(({ name }) => [name, results[name]!.data as Float32Array]));
    },
    dispose: () => session.release(),
  };
}

function text(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
