/** @file  The image grid that fits a scan. */
import type { Point } from '../core/array.js';
import { centredGrid, type Grid } from '../core/image.js';
import { fieldOfViewRadius } from './lines.js';
import type { SinogramLayout } from './sinogram.js';

export interface GridOptions {
  /** Transaxial voxel size, mm. @default the scanner's bin size */
  readonly voxel?: number | undefined;
  /** Voxels along x and y. @default enough for the field of view */
  readonly size?: number | undefined;
}

/** Planes half a ring apart, 2 · rings − 1 of them; square voxels across; centred on the scanner. */
export function defaultGrid(layout: SinogramLayout, { voxel = layout.scanner.binSize, size }: GridOptions = {}): Grid {
  const across = size ?? 2 * Math.ceil(fieldOfViewRadius(layout) / voxel) + 1;
  const voxelSize: Point = [layout.scanner.ringSpacing / 2, voxel, voxel];
  return centredGrid([2 * layout.scanner.rings - 1, across, across], voxelSize);
}
