/** @file  One thread of the kernel pool: runs the calls of a lane on the shared memory and says when it is done. */
import { parentPort, workerData } from 'node:worker_threads';
import type { KernelCall } from '../projector/cpu/pool.js';

export interface WorkerData {
  readonly module: WebAssembly.Module;
  readonly memory: WebAssembly.Memory;
}
/** `stop[0]` is set to 1 by the pool when the rest of the lane is not wanted any more. */
export interface Lane {
  readonly calls: readonly KernelCall[];
  readonly stop: Int32Array;
}

const { module, memory } = workerData as WorkerData;
const abort = (): never => {
  throw new Error('kernel aborted');
};
const kernels = new WebAssembly.Instance(module, { env: { memory, abort } }).exports as Record<
  string,
  (...args: number[]) => void
>;

parentPort!.on('message', ({ calls, stop }: Lane) => {
  for (const [kernel, ...args] of calls) {
    if (Atomics.load(stop, 0) === 1) break;
    kernels[kernel]!(...args);
  }
  parentPort!.postMessage('done');
});
parentPort!.postMessage('ready');
