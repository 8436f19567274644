/** @file  Moving images in and out of the kernels' column form, in lanes. */
import { DeviceError } from '../../core/errors.js';
import type { Grid } from '../../core/image.js';
import { type KernelCall, ranges, type Workspace } from './pool.js';
import { columnLength, columnsBytes, fitsKernels } from './tables.js';

const lanes = 16;
/** Memory that partial images may take, bytes. */
const partialBytes = 2 ** 29;

/**
 * How many partial images to use: `wanted`, or fewer where they are large.
 * @throws DeviceError when a single image is more than the kernels can address.
 */
export function partialImages(grid: Grid, wanted: number): number {
  if (!fitsKernels(grid)) {
    const expected = 'an image of less than 2 GiB';
    throw new DeviceError('The image is too large', {
      expected,
      found: `[${grid.shape.join(', ')}]`,
      hint: 'Use larger voxels.',
    });
  }
  return Math.max(1, Math.min(wanted, Math.floor(partialBytes / columnsBytes(grid))));
}

/** Lanes that bring an image [z][y][x] into columns, set columns to zero, or sum columns into an image [z][y][x]. */
export const imageLanes = {
  pack({ shape: [nz, ny, nx], ...grid }: Grid, raw: number, columns: number): KernelCall[][] {
    const length = columnLength({ shape: [nz, ny, nx], ...grid });
    return ranges(ny + 2, lanes).map(([from, to]) => [['pack', raw, columns, nz, ny, nx, length, from, to]]);
  },
  zero(grid: Grid, images: readonly number[]): KernelCall[][] {
    return images.map((image) => [['zero', image - 64, columnsBytes(grid) + 64]]);
  },
  /** The images must lie at equal distances. */
  unpack(grid: Grid, raw: number, images: readonly number[]): KernelCall[][] {
    const [nz, ny, nx] = grid.shape;
    const distance = images.length > 1 ? images[1]! - images[0]! : 0;
    const length = columnLength(grid);
    return ranges(ny, lanes).map(([from, to]) => [
      ['unpack', raw, images[0]!, images.length, distance, nz, ny, nx, length, from, to],
    ]);
  },
};

/** Rows of y that are brought in or out at a time: the image as [z][y][x] takes no more room than that. */
export function stagedRows({ shape: [nz, ny, nx] }: Grid): number {
  return Math.max(1, Math.min(ny, Math.floor(2 ** 23 / (4 * nz * nx))));
}

/** Brings an image into columns through `raw`, which holds stagedRows rows. */
export async function loadImage(
  space: Workspace,
  grid: Grid,
  image: Float32Array,
  raw: number,
  columns: number,
  signal?: AbortSignal,
): Promise<void> {
  const [nz, ny, nx] = grid.shape;
  const length = columnLength(grid);
  const rowBytes = 4 * length * (nx + 2);
  await space.run([
    [
      ['zero', columns - 64, rowBytes + 64],
      ['zero', columns + (ny + 1) * rowBytes, rowBytes],
    ],
  ]);
  for (const [y0, y1] of ranges(ny, Math.ceil(ny / stagedRows(grid)))) {
    const staged = new Float32Array(space.buffer, raw, nz * (y1 - y0) * nx);
    for (let z = 0; z < nz; z++) {
      staged.set(image.subarray((z * ny + y0) * nx, (z * ny + y1) * nx), z * (y1 - y0) * nx);
    }
    const work = ranges(y1 - y0, lanes).map(([from, to]): KernelCall[] => [
      ['pack', raw, columns + y0 * rowBytes, nz, y1 - y0, nx, length, from + 1, to + 1],
    ]);
    await space.run(work, signal);
  }
}

/** Sums column images, which lie at equal distances, into an image, through `raw`. */
export async function storeImage(
  space: Workspace,
  grid: Grid,
  images: readonly number[],
  raw: number,
  image: Float32Array,
  signal?: AbortSignal,
): Promise<void> {
  const [nz, ny, nx] = grid.shape;
  const length = columnLength(grid);
  const rowBytes = 4 * length * (nx + 2);
  const distance = images.length > 1 ? images[1]! - images[0]! : 0;
  for (const [y0, y1] of ranges(ny, Math.ceil(ny / stagedRows(grid)))) {
    const work = ranges(y1 - y0, lanes).map(([from, to]): KernelCall[] => [
      ['unpack', raw, images[0]! + y0 * rowBytes, images.length, distance, nz, y1 - y0, nx, length, from, to],
    ]);
    await space.run(work, signal);
    const staged = new Float32Array(space.buffer, raw, nz * (y1 - y0) * nx);
    for (let z = 0; z < nz; z++) {
      image.set(staged.subarray(z * (y1 - y0) * nx, (z + 1) * (y1 - y0) * nx), (z * ny + y0) * nx);
    }
  }
}
