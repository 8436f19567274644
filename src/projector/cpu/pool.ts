/** @file  What the kernels need of a platform: threads over one shared memory. */

/** A kernel of assembly/index.ts and its arguments; pointers are byte offsets into the shared memory. */
export type KernelCall = readonly [
  kernel:
    | 'pack'
    | 'unpack'
    | 'zero'
    | 'forwardSinogram'
    | 'adjointSinogram'
    | 'forwardTof'
    | 'adjointTof'
    | 'forwardLines'
    | 'adjointLines'
    | 'forwardEvents'
    | 'adjointEvents'
    | 'blurPlanes'
    | 'blurColumns',
  ...args: number[],
];

/** Shared memory that belongs to one call for as long as it lasts. */
export interface Workspace {
  readonly buffer: ArrayBufferLike;
  /** First byte that may be used. */
  readonly base: number;
  /**
   * Runs lanes side by side, the calls of one lane in their order on one thread. When it settles nothing runs any more.
   * @throws signal.reason when aborted; DeviceError when a thread fails.
   */
  run(lanes: readonly (readonly KernelCall[])[], signal?: AbortSignal): Promise<void>;
}

export interface KernelPool {
  readonly threads: number;
  /** Which build of the kernels runs. */
  readonly kernels: 'SIMD' | 'relaxed SIMD';
  /**
   * Waits for its turn and gives `work` at least `bytes` bytes, whose contents are whatever the last call left.
   * @throws DeviceError when there is not so much memory, a thread has failed or the pool is disposed.
   */
  use<T>(bytes: number, work: (space: Workspace) => Promise<T>): Promise<T>;
  dispose(): Promise<void>;
}

/** Hands out consecutive pieces of memory, aligned to cache lines. */
export interface Pieces {
  take(bytes: number): number;
  /** Bytes handed out so far. */
  total(): number;
}

export function pieces(base: number): Pieces {
  let next = base;
  return {
    take: (bytes): number => (next += Math.ceil(bytes / 64) * 64) - Math.ceil(bytes / 64) * 64,
    total: (): number => next - base,
  };
}

/** 0 … n cut into at most `parts` ranges whose inner borders are multiples of `unit`. */
export function ranges(n: number, parts: number, unit = 1): [from: number, to: number][] {
  const length = Math.max(unit, Math.ceil(n / parts / unit) * unit);
  return Array.from({ length: Math.ceil(n / length) }, (_, i) => [i * length, Math.min(n, (i + 1) * length)]);
}
