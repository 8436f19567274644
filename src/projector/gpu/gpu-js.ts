/** @file  What we use of gpu.js, typed. Its own typings lack the half of it, and are kept out of ours. */

/** An array on the device: what a kernel in pipeline mode resolves to. */
export interface GpuArray {
  readonly buffer: GPUBuffer;
  /** Sizes, fastest index first. */
  readonly output: readonly number[];
  /** Gives the memory back once nobody holds it any more; twice is harmless. */
  delete(): void;
}

/** A kernel as gpu.js makes it. */
export interface GpuJsKernel {
  (...args: readonly unknown[]): Promise<GpuArray>;
  readonly kernel: { readonly constructor: { readonly mode: string } };
  setOutput(output: readonly number[]): unknown;
  destroy(): void;
}

export interface GpuJsContext {
  readonly adapter: GPUAdapter;
  readonly device: GPUDevice;
  readonly isLost: boolean;
}

export interface GpuJs {
  readonly GPU: new (settings: {
    readonly mode: 'webgpu';
  }) => {
    createKernel(source: string, settings: Readonly<Record<string, unknown>>): GpuJsKernel;
    destroy(): Promise<void>;
  };
  readonly WebGPUContext: { acquire(): Promise<GpuJsContext>; destroy(): Promise<void> };
  readonly WebGPUBufferResult: new (settings: {
    readonly buffer: GPUBuffer;
    readonly output: readonly number[];
    readonly componentCount: number;
    readonly context: GpuJsContext;
    readonly kernel: null;
  }) => GpuArray;
}

/** Loaded when it is first needed. */
export async function loadGpuJs(): Promise<GpuJs> {
  // Bundlers hand a CommonJS module over as the default export, or spread it.
  const loaded = (await import('gpu.js')) as unknown as GpuJs & { readonly default?: GpuJs };
  return loaded.default ?? loaded;
}
