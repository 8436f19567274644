/** @file  The kernel pool of one thread, the caller's own: for pages, and wherever threads are not wanted. */
import { DeviceError } from '../../core/errors.js';
import { turn } from '../../core/iterate.js';
import type { ProjectorEngine } from '../engine.js';
import { cpuEngine } from './engine.js';
import { growMemory, kernelMemory, memoryBase } from './memory.js';
import type { KernelCall, KernelPool } from './pool.js';

/** How long the event loop is kept waiting, ms. */
const patience = 30;

/**
 * The cpu engine without threads.
 * @param kernels the bytes of `coincide/kernel.wasm`. In a page: it must be cross-origin isolated (headers
 *   Cross-Origin-Opener-Policy: same-origin and Cross-Origin-Embedder-Policy: require-corp), since the kernels' memory is of the shared kind.
 * @throws DeviceError when the kernels do not compile or there is no memory for them.
 * @example const engine = await localCpuEngine(await (await fetch('/kernel.wasm')).arrayBuffer());
 */
export async function localCpuEngine(kernels: BufferSource): Promise<ProjectorEngine> {
  return cpuEngine(await localKernelPool(kernels));
}

async function localKernelPool(bytes: BufferSource): Promise<KernelPool> {
  let memory: WebAssembly.Memory | undefined = kernelMemory();
  const kernels = await instantiate(bytes, memory);
  const run = async (lanes: readonly (readonly KernelCall[])[], signal?: AbortSignal): Promise<void> => {
    let since = performance.now();
    for (const lane of lanes) {
      for (const [kernel, ...args] of lane) {
        kernels[kernel]!(...args);
        if (performance.now() - since < patience) continue;
        await turn(signal);
        since = performance.now();
      }
    }
    signal?.throwIfAborted();
  };
  let queue: Promise<unknown> = Promise.resolve();
  const pool: KernelPool = {
    threads: 1,
    kernels: 'SIMD',
    use(bytes, work) {
      const mine = queue.then(() => {
        if (!memory) throw new DeviceError('This engine is disposed', { hint: 'Open a new one.' });
        growMemory(memory, bytes);
        return work({ buffer: memory.buffer, base: memoryBase, run });
      });
      queue = mine.catch(() => {});
      return mine;
    },
    async dispose() {
      await queue;
      memory = undefined;
    },
  };
  return pool;
}

type Kernels = Readonly<Record<string, (...args: readonly number[]) => void>>;

async function instantiate(bytes: BufferSource, memory: WebAssembly.Memory): Promise<Kernels> {
  const abort = (): never => {
    throw new DeviceError('A kernel failed');
  };
  try {
    const { instance } = await WebAssembly.instantiate(bytes, { env: { memory, abort } });
    return instance.exports as Kernels;
  } catch (cause) {
    throw new DeviceError('The kernels do not compile', {
      found: (cause as Error).message,
      hint: 'Are these the bytes of coincide/kernel.wasm? WebAssembly with SIMD and threads is needed.',
      cause,
    });
  }
}
