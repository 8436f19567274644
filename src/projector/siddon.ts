/** @file  Line integrals through a voxel image by exact path lengths: p = Σ_v l_v f_v, l_v the length of the line within voxel v, found by
 *  walking from face to face. Siddon 1985, doi:10.1118/1.595715. A second definition beside joseph.ts, for tests and for steep lines;
 *  with sub-rays a bin becomes the mean over parallel rays that fill its width. */
import type { Point, Shape3 } from '../core/array.js';
import { GeometryError } from '../core/errors.js';
import { checkedGrid, type Grid } from '../core/image.js';
import type { LinearOperator } from '../core/interfaces.js';
import { axialLines, type Lines, transaxialLines } from '../geometry/lines.js';
import { effectiveRadius } from '../geometry/scanner.js';
import { firstTangential, type SinogramLayout } from '../geometry/sinogram.js';
import { projectedShape } from './engine.js';
import { checkedLines, type EndPoints } from './joseph.js';
import { tracedOperator, type Visit } from './traced.js';

/** Told of a voxel, the length of the line in it (mm) and the shares of the way from start to end at which it enters and leaves. */
export type SiddonVisit = (voxel: number, length: number, enter: number, leave: number) => void;

/**
 * Calls `visit` with every voxel that the line passes, in order. The line ends at its end points; voxels fill their whole cells.
 * A line that runs exactly in the face between two voxels is shared by both, half to each.
 */
export function traceSiddon(grid: Grid, ends: EndPoints, visit: SiddonVisit): void {
  const length = Math.hypot(ends[3] - ends[0], ends[4] - ends[1], ends[5] - ends[2]);
  // Positions in cells: voxel i fills [i, i + 1).
  const cells = (axis: 0 | 1 | 2, at: number): number => (at - grid.origin[axis]) / grid.voxelSize[axis] + 0.5;
  let from = 0;
  let to = 1;
  const starts: number[] = [];
  const slopes: number[] = [];
  for (const axis of [0, 1, 2] as const) {
    const start = cells(axis, ends[axis]);
    const slope = cells(axis, ends[axis + 3]!) - start;
    starts.push(start);
    slopes.push(slope);
    if (slope === 0) continue;
    const [a, b] = [-start / slope, (grid.shape[axis] - start) / slope];
    from = Math.max(from, Math.min(a, b));
    to = Math.min(to, Math.max(a, b));
  }
  if (!(from < to)) return;
  const [tz, ty, tx] = [0, 1, 2].map((axis) => tracksOf(starts[axis]!, slopes[axis]!, from, grid.shape[axis]!)) as Tracks;
  const share = length / (tz.length * ty.length * tx.length);
  for (const z of tz) {
    for (const y of ty) {
      for (const x of tx) walk(grid.shape, [z, y, x], starts, slopes, from, to, share, visit);
    }
  }
}

type Tracks = [z: readonly number[], y: readonly number[], x: readonly number[]];

/** The cell the line is in at `from`; both neighbours where it runs in the face between them. */
function tracksOf(start: number, slope: number, from: number, n: number): readonly number[] {
  if (slope === 0) return Number.isInteger(start) ? [start - 1, start] : [Math.floor(start)];
  const at = start + from * slope;
  const cell = slope > 0 ? Math.floor(at) : Math.ceil(at) - 1;
  return [Math.min(Math.max(cell, 0), n - 1)];
}

/** From face to face, always to the nearest one of the three axes. In scalars: this is where the time goes. */
function walk(
  [nz, ny, nx]: Shape3,
  [z, y, x]: Point,
  [startZ, startY, startX]: readonly number[],
  [slopeZ, slopeY, slopeX]: readonly number[],
  from: number,
  to: number,
  length: number,
  visit: SiddonVisit,
): void {
  if (z < 0 || z >= nz || y < 0 || y >= ny || x < 0 || x >= nx) return;
  const [stepZ, stepY, stepX] = [Math.sign(slopeZ!), Math.sign(slopeY!), Math.sign(slopeX!)];
  // The face ahead of cell c is c, or c + 1 going up.
  const [upZ, upY, upX] = [Number(stepZ > 0), Number(stepY > 0), Number(stepX > 0)];
  const nextOf = (cell: number, up: number, start: number, slope: number): number =>
    slope === 0 ? Number.POSITIVE_INFINITY : (cell + up - start) / slope;
  let nextZ = nextOf(z, upZ, startZ!, slopeZ!);
  let nextY = nextOf(y, upY, startY!, slopeY!);
  let nextX = nextOf(x, upX, startX!, slopeX!);
  let at = from;
  while (at < to && z >= 0 && z < nz && y >= 0 && y < ny && x >= 0 && x < nx) {
    const leave = Math.min(nextZ, nextY, nextX, to);
    if (leave > at) {
      visit((z * ny + y) * nx + x, (leave - at) * length, at, leave);
      at = leave;
    }
    if (nextX <= nextY && nextX <= nextZ) nextX = nextOf((x += stepX), upX, startX!, slopeX!);
    else if (nextY <= nextZ) nextY = nextOf((y += stepY), upY, startY!, slopeY!);
    else nextZ = nextOf((z += stepZ), upZ, startZ!, slopeZ!);
  }
}

/**
 * A with inShape = grid.shape and outShape = [n]. If the image is in U, A x is in U·mm. Accumulates in double.
 * @throws ShapeError, GeometryError when the lines are not n × 3 finite coordinates.
 */
export function siddonProjector(lines: Lines, grid: Grid): LinearOperator {
  const { start: a, end: b } = checkedLines(lines);
  const lineAt = (i: number): EndPoints => [a[i]!, a[i + 1]!, a[i + 2]!, b[i]!, b[i + 1]!, b[i + 2]!];
  return tracedOperator(checkedGrid(grid).shape, [a.length / 3], (i, visit) => traceSiddon(grid, lineAt(3 * i), visit));
}

export interface SubRayOptions {
  /** Parallel rays across the tangential width of a bin. @default 1 */
  readonly tangentialRays?: number | undefined;
  /** Parallel rays across its axial width. @default 1 */
  readonly axialRays?: number | undefined;
  /** Only voxels that a ray touches within this distance from the axis count, and those with their whole chord, mm: the field of view of
   *  STIR's ray tracing. @default no limit */
  readonly fieldRadius?: number | undefined;
}

/**
 * Mean over the sub-rays of every bin of the views, outShape [tof, plane, view, tangential]. Sub-rays are parallel to the bin's line and
 * equally spaced over the bin's width, the distance between its neighbours' middles.
 * @throws GeometryError for layouts with time of flight and for views the layout does not have.
 */
export function siddonSinogramProjector(
  layout: SinogramLayout,
  views: readonly number[],
  grid: Grid,
  { tangentialRays = 1, axialRays = 1, fieldRadius = Number.POSITIVE_INFINITY }: SubRayOptions = {},
): LinearOperator {
  for (const [key, rays] of Object.entries({ tangentialRays, axialRays })) {
    if (!Number.isInteger(rays) || rays < 1)
      throw new GeometryError('Number of rays', { key, expected: 'a positive integer', found: rays });
  }
  if (layout.tofBins > 1) {
    throw new GeometryError('Path lengths know no time of flight', { key: 'tofBins', expected: '1', found: layout.tofBins });
  }
  const transaxial = transaxialLines(layout, views);
  const axial = axialLines(layout);
  const axialWidth = layout.segments.flatMap((s) => {
    const width = layout.scanner.ringSpacing / (s.minRingDifference === s.maxRingDifference ? 1 : 2);
    return new Array<number>(s.axialPositions).fill(width);
  });
  const bins = views.length * layout.tangential;
  const trace = (i: number, visit: Visit): void => {
    const plane = Math.floor(i / bins);
    const bin = 4 * (i % bins);
    const [x1, y1, x2, y2] = [transaxial[bin]!, transaxial[bin + 1]!, transaxial[bin + 2]!, transaxial[bin + 3]!];
    const across = Math.hypot(x2 - x1, y2 - y1);
    if (across === 0) return;
    // Unit vector from smaller to larger tangential position.
    const [ux, uy] = [(y2 - y1) / across, (x1 - x2) / across];
    const width = tangentialWidth(layout, i % layout.tangential);
    for (let t = 0; t < tangentialRays; t++) {
      const side = ((t + 0.5) / tangentialRays - 0.5) * width;
      for (let a = 0; a < axialRays; a++) {
        const up = ((a + 0.5) / axialRays - 0.5) * axialWidth[plane]!;
        const [sx, sy] = [side * ux, side * uy];
        const ray: EndPoints = [axial[2 * plane]! + up, y1 + sy, x1 + sx, axial[2 * plane + 1]! + up, y2 + sy, x2 + sx];
        traceWithin(grid, ray, fieldRadius, 1 / (tangentialRays * axialRays), visit);
      }
    }
  };
  return tracedOperator(checkedGrid(grid).shape, projectedShape(layout, views), trace, 512);
}

/** Half the distance between the middles of the two neighbours, mm. */
function tangentialWidth(layout: SinogramLayout, index: number): number {
  if (layout.arcCorrected) return layout.binSize;
  const angle = Math.PI / layout.scanner.detectorsPerRing;
  return effectiveRadius(layout.scanner) * Math.cos((firstTangential(layout) + index) * angle) * Math.sin(angle);
}

function traceWithin(grid: Grid, ray: EndPoints, radius: number, share: number, visit: Visit): void {
  const [, y1, x1, , y2, x2] = ray;
  const [dx, dy] = [x2 - x1, y2 - y1];
  const squared = dx * dx + dy * dy;
  const middle = -(x1 * dx + y1 * dy) / squared;
  const half = Math.sqrt(radius * radius - (x1 * dy - y1 * dx) ** 2 / squared) / Math.sqrt(squared);
  if (!(half > 0)) return;
  const [from, to] = [middle - half, middle + half];
  traceSiddon(grid, ray, (voxel, length, enter, leave) => {
    if (leave > from && enter < to) visit(voxel, share * length);
  });
}
