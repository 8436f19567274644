/** @file  Line integrals through a voxel image by Joseph's method:
 *    p = Δs Σ_i f(plane i, ũ_i, ṽ_i),   Δs = Δ_d |direction| / |direction_d|
 *  sampled where the line crosses each voxel plane of its principal axis d, bilinear within the plane, the image zero outside its
 *  voxels. Joseph 1982, doi:10.1109/TMI.1982.4307572. Here d is always transaxial: x or y, whichever component is larger (x if equal).
 *  Planes count from one end point to the other, both included. This file is the definition; the other engines are tested against it. */
import { GeometryError, ShapeError } from '../core/errors.js';
import { checkedGrid, type Grid } from '../core/image.js';
import type { LinearOperator } from '../core/interfaces.js';
import type { Lines } from '../geometry/lines.js';
import { checkedTof, type TofResponse, tofWeight } from './tof-weight.js';
import { tracedOperator } from './traced.js';

/** End points in mm: z₁, y₁, x₁, z₂, y₂, x₂. */
export type EndPoints = readonly [z1: number, y1: number, x1: number, z2: number, y2: number, x2: number];

/** Calls `visit` with every voxel (flat index) that the line sees, its weight, mm, and the share of the way from start to end there. */
export function traceLine(
  grid: Grid,
  [z1, y1, x1, z2, y2, x2]: EndPoints,
  visit: (voxel: number, weight: number, tau: number) => void,
): void {
  const [nz, ny, nx] = grid.shape;
  const [dz, dy, dx] = grid.voxelSize;
  const [oz, oy, ox] = grid.origin;
  const alongX = Math.abs(x2 - x1) >= Math.abs(y2 - y1);
  const length = Math.abs(alongX ? x2 - x1 : y2 - y1);
  if (length === 0) return;
  const [n, m, step, stride] = alongX ? [nx, ny, 1, nx] : [ny, nx, nx, 1];
  // End points in voxels: along the principal axis, across it, and axially.
  const [i1, i2] = alongX ? [(x1 - ox) / dx, (x2 - ox) / dx] : [(y1 - oy) / dy, (y2 - oy) / dy];
  const [j1, j2] = alongX ? [(y1 - oy) / dy, (y2 - oy) / dy] : [(x1 - ox) / dx, (x2 - ox) / dx];
  const [k1, k2] = [(z1 - oz) / dz, (z2 - oz) / dz];
  const weight = ((alongX ? dx : dy) * Math.hypot(x2 - x1, y2 - y1, z2 - z1)) / length;
  const lastPlane = Math.min(n - 1, Math.floor(Math.max(i1, i2)));
  for (let i = Math.max(0, Math.ceil(Math.min(i1, i2))); i <= lastPlane; i++) {
    const tau = (i - i1) / (i2 - i1);
    const u = j1 + tau * (j2 - j1);
    const v = k1 + tau * (k2 - k1);
    const j = Math.floor(u);
    const k = Math.floor(v);
    for (let z = Math.max(k, 0); z <= Math.min(k + 1, nz - 1); z++) {
      for (let c = Math.max(j, 0); c <= Math.min(j + 1, m - 1); c++) {
        const hat = (1 - Math.abs(u - c)) * (1 - Math.abs(v - z));
        visit(z * ny * nx + c * stride + i * step, weight * hat, tau);
      }
    }
  }
}

/** The time-of-flight bin of each line. */
export interface LineTof extends TofResponse {
  /** Middle of the bin, mm from the middle of the line towards its end; one for each line. */
  readonly centre: Float32Array;
}

/**
 * A with inShape = grid.shape and outShape = [n]. If the image is in U, A x is in U·mm. Accumulates in double.
 * @param tof weighs the samples of each line with its time-of-flight bin.
 * @throws ShapeError when start and end do not hold n × 3 coordinates each; GeometryError when one is not finite.
 */
export function josephProjector(lines: Lines, grid: Grid, tof?: LineTof): LinearOperator {
  const { start: a, end: b } = checkedLines(lines, tof);
  const lineAt = (i: number): EndPoints => [a[i]!, a[i + 1]!, a[i + 2]!, b[i]!, b[i + 1]!, b[i + 2]!];
  return tracedProjector(
    [a.length / 3],
    (i) => lineAt(3 * i),
    grid,
    tof,
    (i) => tof!.centre[i]!,
  );
}

/** The projector of lines that `lineAt` gives, in the order of outShape; with `tof`, of what lies in the bins with middles `centreAt`. */
export function tracedProjector(
  outShape: readonly number[],
  lineAt: (i: number) => EndPoints,
  grid: Grid,
  tof?: TofResponse,
  centreAt: (i: number) => number = () => 0,
): LinearOperator {
  const { shape } = checkedGrid(grid);
  if (!tof) return tracedOperator(shape, outShape, (i, visit) => traceLine(grid, lineAt(i), visit));
  return tracedOperator(shape, outShape, (i, visit) => {
    const line = lineAt(i);
    const length = Math.hypot(line[3] - line[0], line[4] - line[1], line[5] - line[2]);
    const centre = centreAt(i);
    traceLine(grid, line, (voxel, weight, tau) => {
      const share = tofWeight(tof, (tau - 0.5) * length - centre);
      if (share > 0) visit(voxel, share * weight);
    });
  });
}

/**
 * The lines themselves.
 * @throws ShapeError when start and end do not hold n × 3 coordinates each, or tof.centre not n; GeometryError when one is not finite.
 */
export function checkedLines(lines: Lines, tof?: LineTof): Lines {
  const { start, end } = lines;
  if (tof) {
    checkedTof(tof);
    const bad = tof.centre.findIndex((at) => !Number.isFinite(at));
    if (bad >= 0)
      throw new GeometryError(`Line ${bad} has no time of flight`, { key: 'centre', expected: 'mm', found: tof.centre[bad] });
    if (3 * tof.centre.length !== start.length) {
      throw new ShapeError('Time of flight does not fit', { expected: `${start.length / 3} lines`, found: tof.centre.length });
    }
  }
  if (start.length !== end.length || start.length % 3 !== 0) {
    throw new ShapeError('Lines do not fit', {
      expected: 'n × 3 coordinates in start and in end',
      found: `${start.length} and ${end.length}`,
    });
  }
  for (const key of ['start', 'end'] as const) {
    const bad = lines[key].findIndex((value) => !Number.isFinite(value));
    if (bad >= 0) {
      const found = lines[key][bad];
      throw new GeometryError(`Line ${Math.floor(bad / 3)} has no place`, { key, expected: 'finite coordinates in mm', found });
    }
  }
  return lines;
}
