/** @file  The tables that the sinogram kernels read, made in double precision.
 *
 *  A ray of view v and bin b, seen in voxels: i counts planes of its principal axis (x or y), u across it, τ from detector 1 to 2,
 *    u_i = A i + B,   τ_i − ½ = a i + b,   i = first … last.
 *  A plane p of the data lies, in planes of voxels, at w = z_p + D (τ − ½): the same D for all planes of a segment, so that only τ couples
 *  the two. Positions are split, hi on a grid coarse enough that products with whole numbers are exact in float32, lo the small rest:
 *  both directions then find the same weights, whether or not a compiler fuses multiplications and additions.
 *
 *  Which bins a voxel at p sees: write rays as n_b · p = s_b. A ray touches p only if |s_b − n_v · p| < H_v with n_v the mean normal,
 *    H_v = max_b ( h_b + P |n_b − n_v| ),   h_b half the width of the ray's footprint,   P the farthest point.
 *  A table over cells of s gives the first bin of this bracket; its largest length is the kernels' constant `window`. The bracket is a
 *  superset, the weight decides. Bins of odd and even positions, whose rays interleave, are families with brackets of their own. */
import type { Grid } from '../../core/image.js';
import { turn } from '../../core/iterate.js';
import { axialLines, evenPlanes, transaxialLines } from '../../geometry/lines.js';
import { planeCount, type SinogramLayout } from '../../geometry/sinogram.js';

/** Zeros before and after the planes of voxels: kernels read five neighbours at once, without asking where they are. */
export const lead = 8;
const trail = 5;
/** Zeros between segments. */
const between = 5;

/** Length of a column of the image on the device: zeros, planes, zeros; a multiple of 4. */
export function columnLength({ shape: [nz] }: Grid): number {
  return 4 * Math.ceil((lead + nz + trail) / 4);
}

export interface RayTables {
  /** [view][bin][16]: A, B, a, b in hi and lo; see `rayRow`. */
  readonly ray: Float32Array;
  /** [view · families + family][4 + cells]: normal x, y, H + s₀, 0; then the first bin of each cell, counted in the family. */
  readonly bracket: Float32Array;
  readonly families: number;
  readonly cells: number;
  /** 1 / size of a cell, 1/mm. */
  readonly perCell: number;
  readonly window: number;
  /** Steps of all rays together. */
  readonly steps: number;
}

export const rayLength = 16;
/** Rays between two turns of the event loop. */
const perTurn = 2 ** 14;

interface Family {
  readonly normal: readonly [number, number];
  readonly bins: readonly number[];
  readonly s: readonly number[];
  readonly half: number;
}

/** Rays of all views; gives the event loop its turns, and takes no one's signal, as several may wait for the same tables. */
export async function rayTables(layout: SinogramLayout, grid: Grid): Promise<RayTables> {
  const { views, tangential } = layout;
  const families = layout.arcCorrected || tangential < 4 ? 1 : 2;
  const ends = transaxialLines(
    layout,
    Array.from({ length: views }, (_, view) => view),
  );
  const ray = new Float32Array(views * tangential * rayLength);
  let steps = 0;
  for (let r = 0; r < views * tangential; r++) {
    if (r % perTurn === 0) await turn();
    const row = rayRow(grid, ends[4 * r]!, ends[4 * r + 1]!, ends[4 * r + 2]!, ends[4 * r + 3]!);
    ray.set(row, r * rayLength);
    steps += Math.max(0, row[7]! - row[6]! + 1);
  }
  const all: Family[] = [];
  for (let r = 0; r < views * families; r++) {
    if (r % 32 === 0) await turn();
    all.push(family(grid, ends.subarray(4 * Math.floor(r / families) * tangential), tangential, r % families, families));
  }
  return { ray, steps, families, ...brackets(all) };
}

const coarse = (value: number, bits: number): number => Math.round(value * 2 ** bits) / 2 ** bits;

/** A hi, A lo, B hi, B lo, a hi, (b − ½) hi, first, last, axis (0: x), Δ/|d|, transaxial length² (mm²), a lo, (b − ½) lo. */
function rayRow({ shape, voxelSize, origin }: Grid, x1: number, y1: number, x2: number, y2: number): number[] {
  const alongX = Math.abs(x2 - x1) >= Math.abs(y2 - y1);
  const length = Math.abs(alongX ? x2 - x1 : y2 - y1);
  if (length === 0) return [0, 0, 0, 0, 0, 0, 0, -1, 0, 0, 0, 0, 0];
  const [main, across] = alongX ? [2, 1] : [1, 2];
  const voxels = (mm: number, axis: number): number => (mm - origin[axis]!) / voxelSize[axis]!;
  const [i1, i2] = alongX ? [voxels(x1, 2), voxels(x2, 2)] : [voxels(y1, 1), voxels(y2, 1)];
  const [j1, j2] = alongX ? [voxels(y1, 1), voxels(y2, 1)] : [voxels(x1, 2), voxels(x2, 2)];
  const slope = (j2 - j1) / (i2 - i1);
  const start = j1 - i1 * slope;
  const [a, b] = [1 / (i2 - i1), -i1 / (i2 - i1) - 0.5];
  let first = Math.max(0, Math.ceil(Math.min(i1, i2)));
  let last = Math.min(shape[main]! - 1, Math.floor(Math.max(i1, i2)));
  const misses = (i: number): boolean => slope * i + start <= -1 || slope * i + start >= shape[across]!;
  if (slope !== 0) {
    const [p, q] = [(-1 - start) / slope, (shape[across]! - start) / slope];
    first = Math.max(first, Math.floor(Math.max(-1, Math.min(p, q))));
    last = Math.min(last, Math.ceil(Math.min(shape[main]!, Math.max(p, q))));
  }
  while (first <= last && misses(first)) first++;
  while (first <= last && misses(last)) last--;
  const [slopeHigh, startHigh, aHigh, bHigh] = [coarse(slope, 12), coarse(start, 12), coarse(a, 14), coarse(b, 14)];
  return [
    ...[slopeHigh, slope - slopeHigh, startHigh, start - startHigh, aHigh, bHigh],
    ...(first <= last ? [first, last] : [0, -1]),
    ...[alongX ? 0 : 1, voxelSize[main]! / length, (x2 - x1) ** 2 + (y2 - y1) ** 2, a - aHigh, b - bHigh],
  ];
}

function family({ shape, voxelSize, origin }: Grid, ends: Float64Array, tangential: number, which: number, of: number): Family {
  const bins: number[] = [];
  const normals: [number, number][] = [];
  const s: number[] = [];
  let radius = 0;
  for (let b = which; b < tangential; b += of) {
    const [x1, y1, x2, y2] = [ends[4 * b]!, ends[4 * b + 1]!, ends[4 * b + 2]!, ends[4 * b + 3]!];
    const length = Math.hypot(x2 - x1, y2 - y1);
    if (length === 0) continue;
    const normal: [number, number] = [(y2 - y1) / length, (x1 - x2) / length];
    bins.push((b - which) / of);
    normals.push(normal);
    s.push(normal[0] * x1 + normal[1] * y1);
    radius = Math.max(radius, Math.hypot(x1, y1), Math.hypot(x2, y2));
  }
  const sum = normals.reduce(([x, y], [nx, ny]) => [x + nx, y + ny] as [number, number], [0, 0]);
  const norm = Math.hypot(...sum) || 1;
  const mean = [sum[0] / norm, sum[1] / norm] as const;
  const far = (axis: 1 | 2): number =>
    Math.max(Math.abs(origin[axis]), Math.abs(origin[axis] + (shape[axis] - 1) * voxelSize[axis]));
  const [, dy, dx] = voxelSize;
  const reach = Math.min(radius, Math.hypot(far(1), far(2))) + Math.hypot(dx, dy);
  const half = normals.reduce((largest, [nx, ny]) => {
    const footprint = Math.abs(ny) >= Math.abs(nx) ? dy * Math.abs(ny) : dx * Math.abs(nx);
    return Math.max(largest, footprint + reach * Math.hypot(nx - mean[0], ny - mean[1]));
  }, 0);
  // float32 errs by this much where the kernel finds its cell.
  return { normal: mean, bins, s, half: half + 2e-6 * (reach + radius) };
}

function brackets(all: readonly Family[]): Pick<RayTables, 'bracket' | 'cells' | 'perCell' | 'window'> {
  const spread = (s: readonly number[]): number => (s.length > 1 ? (Math.max(...s) - Math.min(...s)) / (s.length - 1) : 0);
  const spacing = all.reduce((sum, { s }) => sum + spread(s), 0) / all.length;
  const size = 0.5 * (spacing || Math.max(...all.map(({ half }) => half), 1));
  const starts = all.map(({ s, half }) => (s.length > 0 ? Math.min(...s) : 0) - 2 * half - size);
  const cells = 2 + Math.max(...all.map(({ s }, r) => Math.floor(((s.length > 0 ? Math.max(...s) : 0) - starts[r]!) / size)));
  const bracket = new Float32Array(all.length * (4 + cells));
  let window = 1;
  all.forEach(({ normal, bins, s, half }, r) => {
    // Rounding of the kernel's cell: a thousandth of a cell.
    const slack = 1e-3 * size;
    const first = new Float64Array(cells).fill(Number.POSITIVE_INFINITY);
    const last = new Float64Array(cells).fill(-1);
    s.forEach((at, k) => {
      // Cells whose brackets, from their own s to H + H beyond their end, hold this bin.
      const from = Math.max(0, Math.ceil((at - starts[r]! - 2 * (half + slack)) / size - 1));
      const to = Math.min(cells - 1, Math.floor((at - starts[r]! + slack) / size));
      for (let m = from; m <= to; m++) {
        first[m] = Math.min(first[m]!, bins[k]!);
        last[m] = Math.max(last[m]!, bins[k]!);
      }
    });
    const row = r * (4 + cells);
    bracket.set([normal[0], normal[1], half + slack + starts[r]!, 0], row);
    for (let m = 0; m < cells; m++) {
      const empty = first[m]! > last[m]!;
      bracket[row + 4 + m] = empty ? 0 : first[m]!;
      if (!empty) window = Math.max(window, last[m]! - first[m]! + 1);
    }
  });
  return { bracket, cells, perCell: 1 / size, window };
}

export interface AxialTables {
  /** Places for planes of one bin: segments with zeros before, between and after them, each beginning at a multiple of 4. */
  readonly cells: number;
  /** Cell of each plane. */
  readonly cellOf: Int32Array;
  /** [cell][8]: D, squared axial length (mm²; −1 where there is no plane), ⌊z_p⌋, the rest of z_p, number of the plane; lengths in voxels. */
  readonly plane: Float32Array;
  /** [segment][8]: D, squared axial length (mm²), first cell, planes, z of the first, distance between two, ⌊z⌋, the rest of z. */
  readonly segment: Float32Array;
  readonly segments: number;
  /** Are neighbouring planes of data everywhere one plane of voxels apart? The usual case, and the fast one. */
  readonly unit: boolean;
  /** Smallest distance between neighbouring planes, voxels. */
  readonly spacing: number;
}

export const axialLength = 8;

/** Planes by even runs, which are the segments where rings are equally spaced. */
export function axialTables(layout: SinogramLayout, { voxelSize: [dz], origin: [oz] }: Grid): AxialTables {
  const axial = axialLines(layout);
  const cellOf = new Int32Array(planeCount(layout));
  const rows: number[][] = [];
  const planes: [cell: number, row: number[]][] = [];
  let cell = 0;
  for (const { first: p, planes: n } of evenPlanes(layout)) {
    cell = 4 * Math.ceil((cell + between) / 4);
    const z = (k: number): number => (axial[2 * (p + k)]! + axial[2 * (p + k) + 1]!) / 2;
    const rise = (k: number): number => axial[2 * (p + k) + 1]! - axial[2 * (p + k)]!;
    const exact = n > 1 ? (z(n - 1) - z(0)) / (n - 1) / dz : 1;
    const spacing = Math.abs(exact - Math.round(exact)) * n < 1e-6 ? Math.round(exact) : exact;
    const start =
      Math.abs((z(0) - oz) / dz - Math.round((z(0) - oz) / dz)) < 1e-9 ? Math.round((z(0) - oz) / dz) : (z(0) - oz) / dz;
    const D = rise(0) / dz;
    rows.push([D, rise(0) ** 2, cell, n, start, spacing, Math.floor(start), start - Math.floor(start)]);
    for (let k = 0; k < n; k++, cell++) {
      const at = start + k * spacing;
      // The same floor and rest for all planes a whole number of voxels apart.
      const even = Number.isInteger(spacing);
      const whole = even ? Math.floor(start) + k * spacing : Math.floor(at);
      planes.push([cell, [D, rise(0) ** 2, whole, even ? start - Math.floor(start) : at - whole, p + k]]);
      cellOf[p + k] = cell;
    }
  }
  const cells = 4 * Math.ceil((cell + between) / 4);
  const plane = new Float32Array(cells * axialLength);
  for (let c = 0; c < cells; c++) plane[c * axialLength + 1] = -1;
  for (const [c, row] of planes) plane.set(row, c * axialLength);
  return {
    ...{ cells, cellOf, plane, segments: rows.length },
    segment: Float32Array.from(rows.flat()),
    unit: rows.every(([, , , , , spacing]) => spacing === 1),
    spacing: Math.min(...rows.map(([, , , , , spacing]) => spacing!)),
  };
}
