/** @file  Pairs of neighbouring voxels: the 3 × 3 × 3 neighbourhood, each pair once, with weight (pitch along x)/(distance of the centres),
 *  as in STIR. Outside the grid there are no neighbours. */
import { expectShape, type Shape3, size, type Volume } from '../core/array.js';
import { OptionError, ShapeError } from '../core/errors.js';
import { checkedGrid, type Grid } from '../core/image.js';

/** One of the 13 directions from a voxel to a neighbour that comes later in memory. */
export interface Direction {
  /** Voxels along z, y, x. */
  readonly step: Shape3;
  readonly weight: number;
}

/** For each of the 13 directions and each voxel, how many of the two voxels count the other as a neighbour: 0, 1 or 2. */
export type Neighbourhood = readonly Uint8Array[];

export interface PairOptions {
  /** Strength; R is in counts if β κ² is in counts/(unit of x)². */
  readonly beta: number;
  /** κ ≥ 0 per voxel; a pair weighs κ_j κ_k, which makes the resolution even (Fessler & Rogers 1996, doi:10.1109/83.535846).
   *  See `kappa` of the reconstruction. @default 1 everywhere */
  readonly kappa?: Volume | undefined;
  /** Which pairs count, e.g. `bowsher(anatomy, grid)`. @default all */
  readonly neighbourhood?: Neighbourhood | undefined;
  /** Which steps [z, y, x] lead to a neighbour, e.g. `faceNeighbours`. @default all 13 */
  readonly steps?: ((step: Shape3) => boolean) | undefined;
}

/** What a penalty on pairs needs, checked. */
export interface Pairs {
  readonly shape: Shape3;
  /** Calls `visit` for every pair of voxels j < k that counts, with its weight β w κ_j κ_k. One call is one direction: some 10 ms for 10⁶ voxels. */
  readonly directions: readonly ((visit: (j: number, k: number, weight: number) => void) => void)[];
}

/** The 13 directions of a grid. @throws GeometryError for a grid that cannot be. */
export function directions(grid: Grid): readonly Direction[] {
  const [dz, dy, dx] = checkedGrid(grid).voxelSize;
  const all: Direction[] = [];
  for (let z = 0; z <= 1; z++)
    for (let y = -1; y <= 1; y++)
      for (let x = -1; x <= 1; x++)
        if (z > 0 || y > 0 || (y === 0 && x > 0)) all.push({ step: [z, y, x], weight: dx / Math.hypot(z * dz, y * dy, x * dx) });
  return all;
}

/** The 6-neighbourhood: voxels that share a face. */
export const faceNeighbours = (step: Shape3): boolean => step.filter((along) => along !== 0).length === 1;

/** @throws OptionError for β < 0 or κ < 0. @throws ShapeError for arrays that do not fit. */
export function pairs(grid: Grid, { beta, kappa, neighbourhood, steps = () => true }: PairOptions): Pairs {
  const { shape } = grid;
  if (!(beta >= 0 && beta < Infinity))
    throw new OptionError('Strength of the penalty', { key: 'beta', expected: 'a finite number ≥ 0', found: beta });
  const k = kappa && expectShape(kappa, shape, 'kappa').data;
  const wrong = k ? k.findIndex((value) => !(value >= 0 && value < Infinity)) : -1;
  if (wrong >= 0)
    throw new OptionError('Weights of the voxels', { key: 'kappa', expected: 'finite values ≥ 0', found: k![wrong] });
  const unfit = neighbourhood?.find(({ length }) => length !== size(shape));
  if (unfit) throw new ShapeError('neighbourhood does not fit', { expected: `${size(shape)} voxels`, found: unfit.length });
  return {
    shape,
    directions: directions(grid).flatMap(({ step, weight }, d) => {
      if (!steps(step)) return [];
      const counted = neighbourhood?.[d];
      return (visit: (j: number, k: number, w: number) => void) =>
        forEachRun(shape, step, (first, other, n) => {
          for (let i = 0; i < n; i++) {
            let w = beta * weight;
            if (k) w *= k[first + i]! * k[other + i]!;
            if (counted) w *= counted[first + i]! / 2;
            if (w > 0) visit(first + i, other + i, w);
          }
        });
    }),
  };
}

/** Runs along x of voxels whose neighbour in the direction is inside the grid: `first … first + n`, their neighbours from `other`. */
export function forEachRun(
  [nz, ny, nx]: Shape3,
  [dz, dy, dx]: Shape3,
  visit: (first: number, other: number, n: number) => void,
): void {
  const x0 = Math.max(0, -dx);
  const n = Math.min(nx, nx - dx) - x0;
  for (let z = 0; z < nz - dz; z++) {
    for (let y = Math.max(0, -dy); y < Math.min(ny, ny - dy); y++) {
      const first = (z * ny + y) * nx + x0;
      if (n > 0) visit(first, first + (dz * ny + dy) * nx + dx, n);
    }
  }
}
