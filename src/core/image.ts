/** @file  Image grids, and images that know where they are and in what unit. */
import { expectShape, type Point, type Shape3, type Volume } from './array.js';
import { GeometryError } from './errors.js';

/** Where the voxels are: axes z, y, x; mm. */
export interface Grid {
  readonly shape: Shape3;
  /** Pitch, mm. */
  readonly voxelSize: Point;
  /** Centre of voxel [0, 0, 0], mm. */
  readonly origin: Point;
}

/** Unit of voxel values. `counts` is emission in no absolute scale: what a scan without calibration gives. */
export type Unit = 'SUV' | 'Bq/mL' | '1/cm' | 'counts' | 'label' | 'unknown';

/** A volume in the patient's world. Voxels run towards right, anterior, superior (RAS+) as i = x, j = y, k = z grow. */
export interface PetImage {
  readonly grid: Grid;
  readonly values: Volume;
  readonly unit: Unit;
  /** 4 × 4, row-major: (i, j, k, 1) → RAS+ mm. */
  readonly affine: Float64Array;
  /** Whatever its file said beside this, kept for writing it back; keys belong to the reader. */
  readonly meta: Readonly<Record<string, unknown>>;
}

/** A grid centred on the origin. */
export function centredGrid(shape: Shape3, voxelSize: Point): Grid {
  const origin = shape.map((n, axis) => (-(n - 1) / 2) * voxelSize[axis]!) as unknown as Point;
  return checkedGrid({ shape, voxelSize, origin });
}

/**
 * The grid itself.
 * @throws GeometryError when a size is not a positive integer or a length not positive and finite.
 */
export function checkedGrid(grid: Grid): Grid {
  if (!grid.shape.every((n) => Number.isInteger(n) && n > 0)) {
    throw new GeometryError('Image shape', { expected: 'three positive integers', found: [...grid.shape] });
  }
  if (!grid.voxelSize.every((d) => d > 0 && Number.isFinite(d))) {
    throw new GeometryError('Voxel size', { expected: 'three positive lengths in mm', found: [...grid.voxelSize] });
  }
  if (!grid.origin.every(Number.isFinite)) {
    throw new GeometryError('Image origin', { expected: 'three finite positions in mm', found: [...grid.origin] });
  }
  return grid;
}

/** Affine of a grid whose axes are the world's. */
export function affineOf({ voxelSize: [dz, dy, dx], origin: [z, y, x] }: Grid): Float64Array {
  return Float64Array.of(dx, 0, 0, x, 0, dy, 0, y, 0, 0, dz, z, 0, 0, 0, 1);
}

/**
 * An image on a grid that is aligned with the world.
 * @throws ShapeError when the values do not fit the grid.
 */
export function petImage(grid: Grid, values: Volume, unit: Unit, meta: Readonly<Record<string, unknown>> = {}): PetImage {
  return { grid: checkedGrid(grid), values: expectShape(values, grid.shape, 'values'), unit, affine: affineOf(grid), meta };
}
