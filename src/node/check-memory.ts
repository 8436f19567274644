/** @file  Whether this machine can hold the images of a reconstruction. Sizes tell at once; filling the arrays until one fails takes minutes. */
import { totalmem } from 'node:os';
import { size } from '../core/array.js';
import { DeviceError } from '../core/errors.js';
import type { Grid } from '../core/image.js';
import { defaultGrid } from '../geometry/grid.js';
import type { SinogramLayout } from '../geometry/sinogram.js';
import { columnsBytes, fitsKernels } from '../projector/cpu/tables.js';
import type { ProjectorEngine } from '../projector/engine.js';
import { osemImageBytes } from '../projector/plan.js';

export interface CheckMemoryOptions {
  readonly subsets: number;
  /** Images beside those of OSEM. @default 0 */
  readonly beside?: number | undefined;
  /** Bytes that there are. @default those of the machine, or what this process may have of them */
  readonly memory?: number | undefined;
}

/** @throws DeviceError when the images alone take more than there is, or one is more than the engine's kernels can address. */
export function checkMemory(
  layout: SinogramLayout,
  grid: Grid,
  { name }: Pick<ProjectorEngine, 'name'>,
  { subsets, beside = 0, memory = memoryOfProcess() }: CheckMemoryOptions,
): void {
  const count = Math.min(subsets, layout.views);
  // The kernels of the processor have a copy of one image.
  const bytes = (tried: Grid): number =>
    osemImageBytes(tried, count) + 4 * beside * size(tried.shape) + (name === 'cpu' ? columnsBytes(tried) : 0);
  const fits = (tried: Grid): boolean => bytes(tried) <= memory && (name !== 'cpu' || fitsKernels(tried));
  if (fits(grid)) return;
  const told = (tried: Grid): string => `${[...tried.shape].reverse().join(' × ')} voxels`;
  const images = (tried: Grid): string => `${gibibytes(bytes(tried))} of images for ${count} subsets`;
  const own = defaultGrid(layout);
  const hint = fits(own)
    ? `The scanner’s own, defaultGrid without voxel and size (--voxel, --size): ${told(own)} of ${+own.voxelSize[2].toPrecision(3)} mm across, ${images(own)}.`
    : 'Take larger voxels, a smaller field of view or fewer subsets.';
  if (bytes(grid) > memory) {
    throw new DeviceError('The grid is too large for the memory of this machine', {
      ...{ key: 'grid', expected: `at most ${gibibytes(memory)}`, found: `${told(grid)}, ${images(grid)}`, hint },
    });
  }
  throw new DeviceError('The grid is too large for the kernels of the processor', {
    ...{ key: 'grid', expected: 'less than 2 GiB an image', found: `${told(grid)}, ${gibibytes(columnsBytes(grid))}`, hint },
  });
}

function memoryOfProcess(): number {
  // 0 where nothing constrains it, and on some systems a number beyond all memory.
  return Math.min(totalmem(), process.constrainedMemory() || Number.POSITIVE_INFINITY);
}

const gibibytes = (bytes: number): string => `${(bytes / 2 ** 30).toFixed(bytes < 2 ** 30 ? 2 : 1)} GiB`;
