/** @file  Images on a graphics card: [x][y][z] with zeros around, so that kernels read neighbours without asking where they are. */
import type { Grid } from '../../core/image.js';
import { packImage, unpackImage } from './arrange.js';
import type { GpuDevice, Own } from './device.js';
import type { GpuArray } from './gpu-js.js';
import { columnLength, lead } from './tables.js';

export interface GpuImages {
  /** [nx + 2, ny + 2, column]. */
  readonly shape: readonly number[];
  /** From [z][y][x]. */
  load(image: Float32Array, own: Own): Promise<GpuArray>;
  /** To [z][y][x]. */
  read(image: GpuArray, own: Own, signal?: AbortSignal): Promise<Float32Array<ArrayBuffer>>;
  add(a: GpuArray, b: GpuArray): Promise<GpuArray>;
  dispose(): void;
}

export function gpuImages(device: GpuDevice, grid: Grid): GpuImages {
  const [nz, ny, nx] = grid.shape;
  const shape = [nx + 2, ny + 2, columnLength(grid)];
  const pack = device.kernel(packImage, { integers: { nx, ny, nz, lead } });
  const unpack = device.kernel(unpackImage, { integers: { lead } });
  const add = device.kernel('function add(a, b) { return a[this.thread.x] + b[this.thread.x]; }', { flat: true });
  return {
    shape,
    async load(image, own) {
      const raw = own(device.array(grid.shape, image));
      const packed = own(await pack(shape, raw));
      raw.delete();
      return packed;
    },
    async read(image, own, signal) {
      const raw = own(await unpack(grid.shape, image));
      const values = await device.read(raw, signal);
      raw.delete();
      return values;
    },
    add: (a, b) => add(shape, a, b),
    dispose() {
      for (const kernel of [pack, unpack, add]) kernel.destroy();
    },
  };
}
