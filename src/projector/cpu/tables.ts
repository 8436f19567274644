/** @file  The tables that the kernels read: rows of doubles. Their places are those in assembly/*.ts. */
import type { Grid } from '../../core/image.js';
import { axialLines } from '../../geometry/lines.js';
import type { SinogramLayout } from '../../geometry/sinogram.js';

const roundUp = (n: number, unit: number): number => Math.ceil(n / unit) * unit;

/** Length of a column of the kernels' image: one voxel of border at least. */
export function columnLength({ shape: [nz] }: Grid): number {
  return roundUp(nz + 1, 16);
}

/** Bytes of the kernels' image. */
export function columnsBytes(grid: Grid): number {
  return 4 * columnLength(grid) * (grid.shape[1] + 2) * (grid.shape[2] + 2);
}

/** Grid, and address of the image of columns. */
export function gridTable(grid: Grid, columns: number): Float64Array {
  return Float64Array.of(...grid.shape, columnLength(grid), ...grid.voxelSize, ...grid.origin, columns);
}

/** Segments as the kernels see them, and the lengths (floats) of the scratch rows that hold them. */
export interface SegmentTable {
  readonly rows: Float64Array;
  readonly count: number;
  /** A row of T, and where z = 0 is in it. */
  readonly tLength: number;
  readonly tLead: number;
  /** All planes of one bin, each segment rounded up to 16. */
  readonly accLength: number;
  /** All planes of one bin with zeros before and after each segment. */
  readonly rowsLength: number;
}

/**
 * Rows: first plane, planes n, position A of plane 0 in voxels at the start of the lines, its change S to their end, kind (p = 1, 2, or
 * 0: any), place among accumulators, squared axial length (mm²), p, place among padded rows, lowest and highest shift k, 0.
 * Shifts at which a whole segment misses the image are set to the nearest such shift, so that padding stays short.
 */
export function segmentTable(layout: SinogramLayout, grid: Grid): SegmentTable {
  const axial = axialLines(layout);
  const [nz] = grid.shape;
  const dz = grid.voxelSize[0];
  const length = columnLength(grid);
  let plane = 0;
  const segments = layout.segments.map(({ axialPositions: n }) => {
    const first = plane;
    plane += n;
    const [z1, z2] = [axial[2 * first]!, axial[2 * first + 1]!];
    const spacing = n > 1 ? (axial[2 * first + 2]! - z1) / dz : 1;
    const whole = Math.round(spacing);
    const kind = (whole === 1 || whole === 2) && Math.abs(spacing - whole) * n < 1e-6 ? whole : 0;
    return { first, n, offset: (z1 - grid.origin[0]) / dz, slope: (z2 - z1) / dz, kind, spacing, length2: (z2 - z1) ** 2 };
  });
  segments.sort((a, b) => (a.kind || 3) - (b.kind || 3));
  let tLead = 16;
  let tEnd = length + 16;
  let accLength = 0;
  let rowsLength = 0;
  const rows = segments.flatMap(({ first, n, offset, slope, kind, spacing, length2 }) => {
    const padded = roundUp(n, 16);
    const clamp = (k: number): number => Math.min(Math.max(k, -kind * n - 2), nz);
    const low = kind === 0 ? -1 : clamp(Math.floor(Math.min(offset, offset + slope)) - 1);
    const high = kind === 0 ? nz : clamp(Math.floor(Math.max(offset, offset + slope)) + 1);
    const acc = accLength;
    accLength += padded;
    let place = rowsLength;
    if (kind === 0) {
      rowsLength += roundUp(n + 1, 16);
    } else {
      tLead = Math.max(tLead, roundUp(8 - low, 16));
      tEnd = Math.max(tEnd, high + kind * padded + 16);
      place += Math.max(0, Math.ceil(high / kind)) + 8;
      rowsLength = roundUp(place + Math.max(n, Math.ceil((length - low) / kind)) + 8, 16);
    }
    return [first, n, offset, slope, kind, acc, length2, spacing, place, low, high, 0];
  });
  return {
    rows: Float64Array.from(rows),
    count: segments.length,
    tLength: roundUp(tLead + tEnd, 16),
    tLead,
    accLength,
    rowsLength,
  };
}
