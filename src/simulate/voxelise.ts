/** @file  Parts → voxels. The last part that holds a point wins. A voxel's activity and attenuation are means over 3³ points (partial
 *  volume), its label is that of its centre. Points are moved by a smooth map first: parts are tested where the map sends a voxel, so
 *  that an anatomy bends without its parts knowing. */
import { array, type NdArray, type Point } from '../core/array.js';
import type { Grid } from '../core/image.js';
import type { Solid } from './solids.js';
import type { Material } from './tissues.js';
import type { Field } from './waves.js';

export interface Part extends Material {
  readonly solid: Solid;
}

/** World point (z, y, x) ↦ point of the undeformed anatomy, written to out[at … at + 2]; mm. */
export type Warp = (z: number, y: number, x: number, out: Float64Array, at: number) => void;

export interface VoxeliseOptions {
  /** @default the identity */
  readonly warp?: Warp | undefined;
  /** Field of unit variance that modulates activity by each part's `texture`. @default none */
  readonly texture?: Field | undefined;
}

export interface Voxels {
  /** SUV. */
  readonly activity: NdArray;
  /** 1/cm. */
  readonly mu: NdArray;
  readonly labels: NdArray;
}

const identity: Warp = (z, y, x, out, at) => {
  out[at] = z;
  out[at + 1] = y;
  out[at + 2] = x;
};

/** Corners of the voxels on one lattice plane: where the map sends them, and the part found there. */
interface CornerPlane {
  readonly points: Float64Array;
  readonly tops: Int16Array;
}

/** Voxels along x that share one list of the parts near them. */
const blockSize = 8;

/** Samples the parts on the grid, in the time of their boundaries: a voxel that lies inside one part is told by its corners. */
export function voxelise(parts: readonly Part[], grid: Grid, { warp = identity, texture }: VoxeliseOptions = {}): Voxels {
  const [nz, ny, nx] = grid.shape;
  const out: Voxels = { activity: array(grid.shape), mu: array(grid.shape), labels: array(grid.shape) };
  // A part of few voxels could slip between corners: near it all voxels are sampled.
  const fewVoxels = 12 * Math.max(...grid.voxelSize);
  const isSmall = parts.map(({ solid: { low, high } }) => low.every((lowest, axis) => high[axis]! - lowest < fewVoxels));
  const all = Array.from(parts.keys()).reverse();
  const centre = new Float64Array(3);
  const edges = new Float64Array(9);
  let below = cornerPlane(parts, grid, 0, warp);
  for (let z = 0; z < nz; z++) {
    const above = cornerPlane(parts, grid, z + 1, warp);
    const inPlane = partsNear(parts, all, [below, above], [0], 0, (ny + 1) * (nx + 1) - 1);
    for (let y = 0; y < ny; y++) {
      const rows = [y * (nx + 1), (y + 1) * (nx + 1)];
      const inRow = partsNear(parts, inPlane, [below, above], rows, 0, nx);
      for (let block = 0; block < nx; block += blockSize) {
        const end = Math.min(nx, block + blockSize);
        const candidates = partsNear(parts, inRow, [below, above], rows, block, end);
        if (candidates.length === 0) continue;
        const small = candidates.filter((i) => isSmall[i]);
        for (let x = block; x < end; x++) {
          const corner = y * (nx + 1) + x;
          const voxel = (z * ny + y) * nx + x;
          mapVoxel(below.points, above.points, corner, nx + 1, centre, edges);
          const top = topmost(parts, candidates, centre[0]!, centre[1]!, centre[2]!);
          const even = sameTop(below.tops, corner, nx + 1, top) && sameTop(above.tops, corner, nx + 1, top);
          const pure = even && !touchesAny(parts, small, centre, edges);
          if (pure && top < 0) continue;
          if (top >= 0) out.labels.data[voxel] = parts[top]!.label;
          const n = texture === undefined ? 0 : texture(...positionOf(grid, z, y, x));
          const samples = pure ? 1 : 27;
          let activity = 0;
          let mu = 0;
          for (let k = 0; k < samples; k++) {
            const i = pure ? top : sampleTop(parts, candidates, k, centre, edges);
            if (i < 0) continue;
            const part = parts[i]!;
            activity += part.activity * Math.max(0, 1 + part.texture * n);
            mu += part.mu;
          }
          out.activity.data[voxel] = activity / samples;
          out.mu.data[voxel] = mu / samples;
        }
      }
    }
    below = above;
  }
  return out;
}

/** The part that holds a point of the undeformed anatomy, or undefined. */
export function partAt(parts: readonly Part[], [z, y, x]: Point): Part | undefined {
  return parts.findLast(({ solid }) => solid.inside(z, y, x));
}

/** Number of the part that holds the point, of the candidates (topmost first); −1 for none. */
function topmost(parts: readonly Part[], candidates: readonly number[], z: number, y: number, x: number): number {
  for (let k = 0; k < candidates.length; k++) {
    const { solid } = parts[candidates[k]!]!;
    const { low, high } = solid;
    if (z < low[0] || z > high[0] || y < low[1] || y > high[1] || x < low[2] || x > high[2]) continue;
    if (solid.inside(z, y, x)) return candidates[k]!;
  }
  return -1;
}

/** The part at point k of 3³ in a voxel: midpoints at −⅓, 0, ⅓ of its edges. */
function sampleTop(parts: readonly Part[], candidates: readonly number[], k: number, p: Float64Array, e: Float64Array): number {
  const w = (Math.floor(k / 9) - 1) / 3;
  const v = ((Math.floor(k / 3) % 3) - 1) / 3;
  const u = ((k % 3) - 1) / 3;
  return topmost(
    parts,
    candidates,
    p[0]! + w * e[0]! + v * e[3]! + u * e[6]!,
    p[1]! + w * e[1]! + v * e[4]! + u * e[7]!,
    p[2]! + w * e[2]! + v * e[5]! + u * e[8]!,
  );
}

/** Where the map sends the lattice of voxel corners at z − ½. */
function cornerPlane(parts: readonly Part[], { shape: [, ny, nx], voxelSize, origin }: Grid, z: number, warp: Warp): CornerPlane {
  const n = (ny + 1) * (nx + 1);
  const plane = { points: new Float64Array(3 * n), tops: new Int16Array(n) };
  for (let y = 0, i = 0; y <= ny; y++) {
    for (let x = 0; x <= nx; x++, i++) {
      const at = (axis: 0 | 1 | 2, index: number): number => origin[axis] + (index - 0.5) * voxelSize[axis];
      warp(at(0, z), at(1, y), at(2, x), plane.points, 3 * i);
    }
  }
  const inPlane = partsNear(parts, Array.from(parts.keys()).reverse(), [plane], [0], 0, n - 1);
  for (let y = 0; y <= ny; y++) {
    const inRow = partsNear(parts, inPlane, [plane], [y * (nx + 1)], 0, nx);
    for (let block = 0; block <= nx; block += blockSize) {
      const end = Math.min(nx, block + blockSize - 1);
      const candidates = partsNear(parts, inRow, [plane], [y * (nx + 1)], block, end);
      for (let i = y * (nx + 1) + block; i <= y * (nx + 1) + end; i++) {
        plane.tops[i] = topmost(parts, candidates, plane.points[3 * i]!, plane.points[3 * i + 1]!, plane.points[3 * i + 2]!);
      }
    }
  }
  return plane;
}

/** Those of the candidates whose boxes meet the box of the corners from … to (both included) of some rows of the planes. */
function partsNear(
  parts: readonly Part[],
  candidates: readonly number[],
  planes: readonly CornerPlane[],
  rows: readonly number[],
  from: number,
  to: number,
): number[] {
  let [lowZ, lowY, lowX] = [Infinity, Infinity, Infinity];
  let [highZ, highY, highX] = [-Infinity, -Infinity, -Infinity];
  for (const { points } of planes) {
    for (const row of rows) {
      for (let i = 3 * (row + from); i <= 3 * (row + to); i += 3) {
        lowZ = Math.min(lowZ, points[i]!);
        highZ = Math.max(highZ, points[i]!);
        lowY = Math.min(lowY, points[i + 1]!);
        highY = Math.max(highY, points[i + 1]!);
        lowX = Math.min(lowX, points[i + 2]!);
        highX = Math.max(highX, points[i + 2]!);
      }
    }
  }
  return candidates.filter((i) => {
    const { low, high } = parts[i]!.solid;
    return low[0] <= highZ && high[0] >= lowZ && low[1] <= highY && high[1] >= lowY && low[2] <= highX && high[2] >= lowX;
  });
}

/** Centre of the voxel above a corner, and its edges along z, y, x (rows of three), as mapped: the map is taken as affine in a voxel. */
function mapVoxel(
  below: Float64Array,
  above: Float64Array,
  corner: number,
  width: number,
  centre: Float64Array,
  edges: Float64Array,
): void {
  const a = 3 * corner;
  const b = a + 3 * width;
  for (let axis = 0; axis < 3; axis++) {
    const b00 = below[a + axis]!;
    const b01 = below[a + 3 + axis]!;
    const b10 = below[b + axis]!;
    const b11 = below[b + 3 + axis]!;
    const a00 = above[a + axis]!;
    const a01 = above[a + 3 + axis]!;
    const a10 = above[b + axis]!;
    const a11 = above[b + 3 + axis]!;
    const lower = b00 + b01 + b10 + b11;
    const upper = a00 + a01 + a10 + a11;
    centre[axis] = (lower + upper) / 8;
    edges[axis] = (upper - lower) / 4;
    edges[3 + axis] = (b10 + b11 + a10 + a11 - b00 - b01 - a00 - a01) / 4;
    edges[6 + axis] = (b01 + b11 + a01 + a11 - b00 - b10 - a00 - a10) / 4;
  }
}

function sameTop(tops: Int16Array, corner: number, width: number, top: number): boolean {
  return tops[corner] === top && tops[corner + 1] === top && tops[corner + width] === top && tops[corner + width + 1] === top;
}

/** Does the box of one of these parts meet that of the voxel? */
function touchesAny(parts: readonly Part[], numbers: readonly number[], centre: Float64Array, edges: Float64Array): boolean {
  if (numbers.length === 0) return false;
  const half = (axis: number): number => (Math.abs(edges[axis]!) + Math.abs(edges[3 + axis]!) + Math.abs(edges[6 + axis]!)) / 2;
  const [hz, hy, hx] = [half(0), half(1), half(2)];
  const [z, y, x] = [centre[0]!, centre[1]!, centre[2]!];
  for (const i of numbers) {
    const { low, high } = parts[i]!.solid;
    if (z + hz >= low[0] && z - hz <= high[0] && y + hy >= low[1] && y - hy <= high[1] && x + hx >= low[2] && x - hx <= high[2]) {
      return true;
    }
  }
  return false;
}

function positionOf({ voxelSize, origin }: Grid, z: number, y: number, x: number): Point {
  return [origin[0] + z * voxelSize[0], origin[1] + y * voxelSize[1], origin[2] + x * voxelSize[2]];
}
