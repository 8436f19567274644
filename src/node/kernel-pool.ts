/** @file  The kernel pool of Node: worker threads, each with an instance of the kernels over one shared memory. */
import { readFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { DeviceError, OptionError } from '../core/errors.js';
import { cpuEngine } from '../projector/cpu/engine.js';
import { growMemory, kernelMemory, memoryBase } from '../projector/cpu/memory.js';
import type { KernelCall, KernelPool } from '../projector/cpu/pool.js';
import type { ProjectorEngine } from '../projector/engine.js';
import type { Lane, WorkerData } from './kernel-worker.js';

export interface KernelPoolOptions {
  /** Worker threads. @default one for each core the process may use */
  readonly threads?: number | undefined;
  /** Use the kernels built with relaxed SIMD where the runtime has it: faster by some percent, the last bits then depend on the
   *  processor. @default true */
  readonly relaxed?: boolean | undefined;
}

/**
 * Projectors on the processor's cores.
 * @throws OptionError when threads is not a positive integer; DeviceError when the kernels or threads cannot be had.
 */
export async function openCpuEngine(options: KernelPoolOptions = {}): Promise<ProjectorEngine> {
  return cpuEngine(await openKernelPool(options));
}

/**
 * Starts the threads. They do not keep the process alive while they have nothing to do.
 * @throws OptionError when threads is not a positive integer; DeviceError when the kernels or threads cannot be had.
 */
export async function openKernelPool(options: KernelPoolOptions = {}): Promise<KernelPool> {
  const { threads = availableParallelism(), relaxed = true } = options;
  if (!Number.isInteger(threads) || threads < 1 || threads > 256) {
    throw new OptionError('Number of threads', { expected: '1 … 256', found: threads });
  }
  const { module, kernels } = await compiledKernels(relaxed);
  // Let go when the pool is disposed, also if someone still holds the engine.
  let memory: WebAssembly.Memory | undefined = kernelMemory();
  const workers = startWorkers(threads, { module, memory });
  let failure: DeviceError | undefined;
  let reject: (failure: DeviceError) => void = () => {};
  /** Set to 1 to stop the lanes that run. */
  let stop = new Int32Array(new SharedArrayBuffer(4));
  const fail = (cause: unknown): void => {
    failure ??= new DeviceError('A projector thread failed', {
      found: cause instanceof Error ? cause.message : String(cause),
      hint: 'Open a new engine; with less memory to spare, use more subsets or larger voxels.',
      cause,
    });
    Atomics.store(stop, 0, 1);
    reject(failure);
  };
  for (const worker of workers) {
    worker.on('error', fail);
    worker.on('exit', (code) => fail(`exit code ${code}`));
  }
  // All hold the memory before it first grows: a thread that takes it over at that moment could go on with its old size.
  await new Promise<void>((resolve, rejectStart) => {
    reject = rejectStart;
    let waiting = workers.length;
    for (const worker of workers) worker.once('message', () => --waiting === 0 && resolve());
  });
  reject = (): void => {};
  for (const worker of workers) worker.unref();

  const run = async (lanes: readonly (readonly KernelCall[])[], signal?: AbortSignal): Promise<void> => {
    signal?.throwIfAborted();
    if (failure) throw failure;
    stop = new Int32Array(new SharedArrayBuffer(4));
    const onAbort = (): void => void Atomics.store(stop, 0, 1);
    signal?.addEventListener('abort', onAbort, { once: true });
    for (const worker of workers) worker.ref();
    try {
      await new Promise<void>((resolve, rejectRun) => {
        reject = rejectRun;
        let next = 0;
        let running = 0;
        const give = (worker: Worker): void => {
          if (next < lanes.length && Atomics.load(stop, 0) === 0) {
            const lane: Lane = { calls: lanes[next++]!, stop };
            running++;
            worker.once('message', () => {
              running--;
              give(worker);
            });
            worker.postMessage(lane);
          } else if (running === 0) resolve();
        };
        for (const worker of workers) give(worker);
      });
    } finally {
      reject = (): void => {};
      signal?.removeEventListener('abort', onAbort);
      for (const worker of workers) worker.unref();
    }
    signal?.throwIfAborted();
  };

  /** Settles with nothing: it would keep the last result alive. */
  let queue: Promise<void> = Promise.resolve();
  return {
    threads,
    kernels,
    use(bytes, work) {
      const turn = queue.then(() => {
        if (failure) throw failure;
        growMemory(memory!, bytes);
        return work({ buffer: memory!.buffer, base: memoryBase, run });
      });
      queue = turn.then(
        () => {},
        () => {},
      );
      return turn;
    },
    async dispose(): Promise<void> {
      await queue;
      failure ??= new DeviceError('This engine is disposed', { hint: 'Open a new one.' });
      await Promise.all(workers.map((worker) => worker.terminate()));
      workers.length = 0;
      memory = undefined;
    },
  };
}

function startWorkers(threads: number, workerData: WorkerData): Worker[] {
  return Array.from({ length: threads }, () => new Worker(built('kernel-worker.js', 'node/'), { workerData }));
}

interface Kernels {
  readonly module: WebAssembly.Module;
  readonly kernels: KernelPool['kernels'];
}
const compiled = new Map<boolean, Promise<Kernels>>();

/** Compiled once for the process; `relaxed` where it is wanted and the runtime has it. */
function compiledKernels(relaxed: boolean): Promise<Kernels> {
  const known = compiled.get(relaxed);
  if (known) return known;
  const made = (async (): Promise<Kernels> => {
    if (relaxed) {
      const bytes = await kernelBytes('kernel-relaxed.wasm');
      if (WebAssembly.validate(bytes)) return { module: await WebAssembly.compile(bytes), kernels: 'relaxed SIMD' };
    }
    return { module: await WebAssembly.compile(await kernelBytes('kernel.wasm')), kernels: 'SIMD' };
  })();
  compiled.set(relaxed, made);
  made.catch(() => compiled.delete(relaxed));
  return made;
}

async function kernelBytes(file: string): Promise<Buffer<ArrayBuffer>> {
  try {
    return (await readFile(built(file, ''))) as Buffer<ArrayBuffer>;
  } catch (cause) {
    throw new DeviceError('The kernels are missing', { file, hint: 'Run `npm run build` first.', cause });
  }
}

/** Where a built file is, also when this runs from the TypeScript sources. */
function built(name: string, folder: 'node/' | ''): URL {
  const here = import.meta.url;
  return here.endsWith('.ts') ? new URL(`../../dist/${folder}${name}`, here) : new URL(`../${folder}${name}`, here);
}
