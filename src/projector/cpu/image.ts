/** @file  Moving images in and out of the kernels' column form, in lanes. */
import { DeviceError } from '../../core/errors.js';
import type { Grid } from '../../core/image.js';
import { type KernelCall, ranges } from './pool.js';
import { columnLength, columnsBytes } from './tables.js';

const lanes = 16;
/** Memory that partial images may take, bytes. */
const partialBytes = 2 ** 29;

/**
 * How many partial images to use: `wanted`, or fewer where they are large.
 * @throws DeviceError when a single image is more than the kernels can address.
 */
export function partialImages(grid: Grid, wanted: number): number {
  const bytes = columnsBytes(grid);
  if (bytes >= 2 ** 31) {
    const expected = 'an image of less than 2 GiB';
    throw new DeviceError('The image is too large', {
      expected,
      found: `[${grid.shape.join(', ')}]`,
      hint: 'Use larger voxels.',
    });
  }
  return Math.max(1, Math.min(wanted, Math.floor(partialBytes / bytes)));
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
