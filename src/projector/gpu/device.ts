/** @file  A graphics card through WebGPU, with gpu.js on it. Who provides WebGPU (the browser, or Dawn in Node) is the caller's business. */
import { size } from '../../core/array.js';
import { DeviceError } from '../../core/errors.js';
import { turn } from '../../core/iterate.js';
import { type GpuArray, type GpuJs, type GpuJsContext, type GpuJsKernel, loadGpuJs } from './gpu-js.js';
import { acquire, type GpuProvider, withNavigator } from './gpu-js-context.js';

/** What the adapter says of itself; empty where it does not. */
export interface GpuAdapterInfo {
  readonly vendor: string;
  readonly architecture: string;
  readonly device: string;
  readonly description: string;
}

/** How a kernel in gpu.js' JavaScript is to be compiled. */
export interface KernelSettings {
  /** Constants that are whole numbers in the kernel. */
  readonly integers?: Readonly<Record<string, number>> | undefined;
  readonly floats?: Readonly<Record<string, number>> | undefined;
  /** Neighbours in the fastest direction that one thread returns. @default 1 */
  readonly rows?: 1 | 4 | undefined;
  /** Threads are numbered through by thread.x alone, whatever the shape. @default false */
  readonly flat?: boolean | undefined;
}

/** Runs on what is on the device, numbers are copied; makes an array of the shape, slowest index first. */
export interface GpuKernel {
  (shape: readonly number[], ...args: readonly (GpuArray | number)[]): Promise<GpuArray>;
  destroy(): void;
}

/** Gives an array back when the work it is made in is over, if not before. */
export type Own = (array: GpuArray) => GpuArray;

/** Owns a device. Everything on it is float32. */
export interface GpuDevice {
  readonly adapter: GpuAdapterInfo;
  readonly device: GPUDevice;
  /** Largest array, bytes. */
  readonly maxBytes: number;
  /** Arrays made, bytes uploaded, results read back: for tests and for people who look for the slow place. */
  readonly traffic: { uploads: number; uploadedBytes: number; readBacks: number; dispatches: number };
  /** Compiles on its first call. Calls of one kernel must wait for each other. */
  kernel(source: string, settings?: KernelSettings): GpuKernel;
  /** An array of the shape, slowest index first, holding `data` or zeros. @throws DeviceError when it is larger than maxBytes. */
  array(shape: readonly number[], data?: Float32Array): GpuArray;
  /** A small buffer of settings for WGSL. */
  uniform(data: ArrayBuffer, own: Own): GPUBuffer;
  /** Runs WGSL; buffers are bindings 0, 1, … of group 0. */
  dispatch(pipeline: GPUComputePipeline, buffers: readonly GPUBuffer[], groups: readonly [number, number?]): void;
  /** Puts all of `from` into `to`, from its element `at` on. */
  copy(from: GpuArray, to: GpuArray, at: number): void;
  read(array: GpuArray, signal?: AbortSignal): Promise<Float32Array<ArrayBuffer>>;
  /** Others wait until `work` has settled, so that each has the device's memory for itself. What it owns is given back then. */
  use<T>(work: (own: Own) => Promise<T>): Promise<T>;
  /**
   * Waits until everything submitted is done.
   * @throws signal.reason when aborted; DeviceError when the device is lost, or something failed since the last time.
   */
  settle(signal?: AbortSignal): Promise<void>;
  dispose(): Promise<void>;
}

/** When something is too large. */
const hintToShrink = "Use more subsets or larger voxels, or device: 'cpu' (--device cpu).";

/** GPUBufferUsage and GPUMapMode are globals of browsers only; their values are the standard's. */
const usage = { mapRead: 1, copySource: 4, copyTarget: 8, uniform: 64, storage: 128 } as const;

/** gpu.js has one device for the process: it is shared, and given back by the last who disposes of it. */
let users = 0;

/**
 * Opens the most powerful adapter with all its limits raised.
 * @throws DeviceError when there is no adapter or it gives no device.
 */
export async function openGpuDevice(provider: GpuProvider): Promise<GpuDevice> {
  const gpujs = await loadGpuJs();
  const context = await acquire(gpujs, provider);
  users++;
  return gpuDevice(gpujs, context);
}

function gpuDevice(gpujs: GpuJs, context: GpuJsContext): GpuDevice {
  const { device, adapter } = context;
  const { info, limits } = { info: adapter.info, limits: device.limits };
  const gpu = withNavigator(() => new gpujs.GPU({ mode: 'webgpu' }));
  const maxBytes = Math.min(limits.maxStorageBufferBindingSize, limits.maxBufferSize);
  const traffic = { uploads: 0, uploadedBytes: 0, readBacks: 0, dispatches: 0 };
  const kernels = new Set<GpuJsKernel>();
  let failure: DeviceError | undefined;
  /** Such a failure ends the work that met it, and not the next, which may need less. */
  let shortOfMemory = false;
  let disposed = false;
  const fail = (what: string, found: string, hint: string): void => {
    failure ??= new DeviceError(what, { found, hint });
  };
  // gpu.js would print them.
  device.onuncapturederror = null;
  const onError = (event: GPUUncapturedErrorEvent): void => {
    const { error } = event;
    event.preventDefault();
    shortOfMemory ||= error.constructor.name === 'GPUOutOfMemoryError';
    if (shortOfMemory) {
      fail('The graphics card has not enough memory', error.message, hintToShrink);
    } else fail('The graphics card refused work', error.message, 'Please report this with the output of `coincide doctor`.');
  };
  device.addEventListener('uncapturederror', onError);
  void device.lost.then(({ reason, message }) => {
    const hint = 'Open a new engine. If it happens again: another program resets the card, or its driver is old.';
    failure = undefined;
    shortOfMemory = false;
    fail('The graphics card was lost', message || reason, hint);
  });
  const check = (signal?: AbortSignal): void => {
    signal?.throwIfAborted();
    if (disposed) throw new DeviceError('This engine is disposed', { hint: 'Open a new one.' });
    if (failure) throw failure;
  };
  /** What WebGPU and gpu.js throw is the consequence; the failure that led to it tells more. */
  const refused = async (cause: unknown): Promise<never> => {
    await turn();
    check();
    throw new DeviceError('The graphics card failed', { found: cause instanceof Error ? cause.message : String(cause), cause });
  };
  const checkBytes = (shape: readonly number[]): number => {
    const bytes = 4 * size(shape);
    if (bytes <= maxBytes) return bytes;
    throw new DeviceError('An array is too large for the graphics card', {
      expected: `at most ${mebibytes(maxBytes)}`,
      found: `${mebibytes(bytes)}, [${shape.join(', ')}]`,
      hint: hintToShrink,
    });
  };
  const wrap = (buffer: GPUBuffer, shape: readonly number[]): GpuArray =>
    new gpujs.WebGPUBufferResult({ buffer, output: [...shape].reverse(), componentCount: 1, context, kernel: null });

  let queue: Promise<unknown> = Promise.resolve();
  const self: GpuDevice = {
    adapter: { vendor: info.vendor, architecture: info.architecture, device: info.device, description: info.description },
    device,
    maxBytes,
    traffic,
    kernel(source, { integers = {}, floats = {}, rows = 1, flat = false } = {}) {
      const typed = (names: object, type: string): [string, string][] => Object.keys(names).map((name) => [name, type]);
      const made = gpu.createKernel(source, {
        constants: { ...integers, ...floats },
        constantTypes: Object.fromEntries([...typed(integers, 'Integer'), ...typed(floats, 'Float')]),
        ...{ output: flat ? [1] : [1, 1, 1], dynamicOutput: true, pipeline: true, immutable: true, precision: 'single' },
        loopMaxIterations: 2 ** 30,
      });
      kernels.add(made);
      const run = async (shape: readonly number[], ...args: readonly (GpuArray | number)[]): Promise<GpuArray> => {
        check();
        checkBytes(shape);
        traffic.dispatches++;
        const [x = 1, y = 1, z = 1] = [...shape].reverse();
        made.setOutput(flat ? [size(shape)] : [x / rows, y, z]);
        // gpu.js throws before its first promise, or rejects it.
        const result = await Promise.resolve()
          .then(() => made(...args))
          .catch(refused);
        if (made.kernel.constructor.mode !== 'webgpu') {
          throw new DeviceError('A kernel did not run on the graphics card', { found: made.kernel.constructor.mode });
        }
        const shaped = wrap(result.buffer, shape);
        result.delete();
        return shaped;
      };
      const destroy = (): void => {
        kernels.delete(made);
        made.destroy();
      };
      return Object.assign(run, { destroy });
    },
    array(shape, data) {
      check();
      const bytes = checkBytes(shape);
      const buffer = device.createBuffer({
        size: Math.max(bytes, 4),
        usage: usage.storage | usage.copySource | usage.copyTarget,
      });
      if (data) {
        traffic.uploads++;
        traffic.uploadedBytes += bytes;
        device.queue.writeBuffer(buffer, 0, data as Float32Array<ArrayBuffer>);
      }
      return wrap(buffer, shape);
    },
    uniform(data, own) {
      const buffer = device.createBuffer({ size: data.byteLength, usage: usage.uniform | usage.copyTarget });
      device.queue.writeBuffer(buffer, 0, data);
      return own(wrap(buffer, [data.byteLength / 4])).buffer;
    },
    dispatch(pipeline, buffers, [x, y = 1]) {
      check();
      traffic.dispatches++;
      const bindings = buffers.map((buffer, binding) => ({ binding, resource: { buffer } }));
      const encoder = device.createCommandEncoder();
      const pass = encoder.beginComputePass();
      pass.setPipeline(pipeline);
      pass.setBindGroup(0, device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries: bindings }));
      pass.dispatchWorkgroups(x, y);
      pass.end();
      device.queue.submit([encoder.finish()]);
    },
    copy(from, to, at) {
      const encoder = device.createCommandEncoder();
      encoder.copyBufferToBuffer(from.buffer, 0, to.buffer, 4 * at, 4 * size(from.output));
      device.queue.submit([encoder.finish()]);
    },
    async read(array, signal) {
      check(signal);
      const bytes = 4 * size(array.output);
      const staging = device.createBuffer({ size: bytes, usage: usage.mapRead | usage.copyTarget });
      try {
        const encoder = device.createCommandEncoder();
        encoder.copyBufferToBuffer(array.buffer, 0, staging, 0, bytes);
        device.queue.submit([encoder.finish()]);
        traffic.readBacks++;
        await orAborted(staging.mapAsync(1).catch(refused), signal);
        const values = new Float32Array(staging.getMappedRange().slice(0));
        staging.unmap();
        check(signal);
        return values;
      } finally {
        staging.destroy();
      }
    },
    use(work) {
      const mine = queue.then(async () => {
        if (shortOfMemory) [failure, shortOfMemory] = [undefined, false];
        check();
        const owned: GpuArray[] = [];
        try {
          return await work((array) => {
            owned.push(array);
            return array;
          });
        } finally {
          for (const array of owned) array.delete();
        }
      });
      queue = mine.catch(() => {});
      return mine;
    },
    async settle(signal) {
      check(signal);
      // An abort does not wait for the work that is under way; whoever comes next does.
      await orAborted(device.queue.onSubmittedWorkDone().catch(refused), signal);
      await turn(signal);
      check(signal);
    },
    async dispose() {
      if (disposed) return;
      await queue;
      disposed = true;
      device.removeEventListener('uncapturederror', onError);
      for (const kernel of kernels) kernel.destroy();
      kernels.clear();
      if (--users === 0) await gpujs.WebGPUContext.destroy();
    },
  };
  return self;
}

/** @throws signal.reason as soon as the signal is aborted; what `done` does goes on. */
export async function orAborted<T>(done: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return done;
  let stop = (): void => {};
  const aborted = new Promise<void>((resolve) => {
    stop = resolve;
    signal.addEventListener('abort', stop, { once: true });
  });
  await Promise.race([done, aborted]);
  signal.removeEventListener('abort', stop);
  if (signal.aborted) done.catch(() => {});
  signal.throwIfAborted();
  return done;
}

const mebibytes = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(0)} MiB`;
