/** @file  The image grid that fits a scan. */
import { fill, type NdArray } from '../core/array.js';
import { centredGrid, type Grid } from '../core/image.js';
import { fieldOfViewRadius } from './lines.js';
import { ringPosition } from './scanner.js';
import type { SinogramLayout } from './sinogram.js';

export interface GridOptions {
  /** Transaxial voxel size, mm. @default the scanner's bin size */
  readonly voxel?: number | undefined;
  /** Voxels along x and y. @default enough for the field of view */
  readonly size?: number | undefined;
}

/** Planes half a ring apart from the first ring to the last, square voxels across, centred on the scanner. */
export function defaultGrid(layout: SinogramLayout, { voxel = layout.scanner.binSize, size }: GridOptions = {}): Grid {
  const across = size ?? 2 * Math.ceil(fieldOfViewRadius(layout) / voxel) + 1;
  const { rings, ringSpacing } = layout.scanner;
  const length = 2 * ringPosition(layout.scanner, rings - 1);
  return centredGrid([2 * Math.ceil(length / ringSpacing - 1e-6) + 1, across, across], [ringSpacing / 2, voxel, voxel]);
}

/**
 * 1 where the voxel's centre lies in the cylinder that all views see, else 0. Outside it a voxel is seen by a few lines at the edge only:
 * it has next to no sensitivity, and EM would let it grow without bound.
 */
export function fieldOfViewMask(layout: SinogramLayout, { shape, voxelSize, origin }: Grid): NdArray {
  const [, ny, nx] = shape;
  const radius = fieldOfViewRadius(layout);
  return fill(shape, (i) => {
    const x = origin[2] + (i % nx) * voxelSize[2];
    const y = origin[1] + (Math.floor(i / nx) % ny) * voxelSize[1];
    return Math.hypot(x, y) <= radius ? 1 : 0;
  });
}
