/** @file  An image on another grid of the world: trilinear interpolation through its affine, 0 outside. For guides (MR, CT, μ), whose voxels
 *  need not be the reconstruction's, nor their axes. A guide with much finer voxels should be smoothed first: nothing is averaged here. */
import { array, type Volume } from '../core/array.js';
import { GeometryError } from '../core/errors.js';
import type { Grid, PetImage } from '../core/image.js';
import { flipped, type PatientPosition, toWorld } from './frame.js';

/**
 * @returns the image's values on a grid of the scanner frame, shape grid.shape.
 * @throws GeometryError when the affine has no inverse, or nothing of the image lies on the grid.
 */
export function regrid(image: PetImage, grid: Grid, position: PatientPosition): Volume {
  return flipped(regridLike(image, toWorld(array(grid.shape), grid, position, image.unit)), position);
}

/**
 * @returns the image's values at the voxels of another image.
 * @throws GeometryError when the affine has no inverse, or nothing of the image lies on the other.
 */
export function regridLike(image: PetImage, like: PetImage): Volume {
  const { shape } = like.grid;
  const [nz, ny, nx] = shape;
  const m = product(inverse(image.affine), like.affine);
  const out = array(shape);
  let inside = 0;
  for (let k = 0, at = 0; k < nz; k++) {
    for (let j = 0; j < ny; j++) {
      for (let i = 0; i < nx; i++, at++) {
        const [x, y, z] = [0, 4, 8].map((row) => m[row]! * i + m[row + 1]! * j + m[row + 2]! * k + m[row + 3]!) as [
          number,
          number,
          number,
        ];
        const value = trilinear(image.values, x, y, z);
        if (value === undefined) continue;
        out.data[at] = value;
        inside++;
      }
    }
  }
  if (inside === 0) {
    const hint = 'Do both come from the same examination, and are both in the patient’s world (mm, RAS+)?';
    throw new GeometryError('The image lies wholly outside the grid', {
      expected: `centre near ${centre(like).join(', ')} mm`,
      found: centre(image),
      hint,
    });
  }
  return out;
}

/** undefined farther than half a voxel outside. */
function trilinear({ data, shape }: Volume, x: number, y: number, z: number): number | undefined {
  const [nz, ny, nx] = shape as [number, number, number];
  const edge = 0.5 + 1e-6;
  if (!(x >= -edge && y >= -edge && z >= -edge && x <= nx - 1 + edge && y <= ny - 1 + edge && z <= nz - 1 + edge))
    return undefined;
  const [k, wz] = split(z, nz);
  const [j, wy] = split(y, ny);
  const [i, wx] = split(x, nx);
  const [dx, dy, dz] = [nx > 1 ? 1 : 0, ny > 1 ? nx : 0, nz > 1 ? ny * nx : 0];
  const at = (k * ny + j) * nx + i;
  const row = (from: number): number => (1 - wx) * data[from]! + wx * data[from + dx]!;
  const plane = (from: number): number => (1 - wy) * row(from) + wy * row(from + dy);
  return (1 - wz) * plane(at) + wz * plane(at + dz);
}

/** Lower neighbour and weight of the upper one, held inside. */
function split(u: number, n: number): readonly [number, number] {
  const held = Math.min(Math.max(u, 0), n - 1);
  const low = Math.min(Math.floor(held), Math.max(0, n - 2));
  return [low, held - low];
}

/** Of the middle of an image, world mm. */
function centre({ affine, grid: { shape } }: PetImage): readonly number[] {
  const middle = [(shape[2] - 1) / 2, (shape[1] - 1) / 2, (shape[0] - 1) / 2, 1];
  return [0, 4, 8].map((row) => Math.round(middle.reduce((sum, c, column) => sum + affine[row + column]! * c, 0)));
}

/** Inverse of an affine, 4 × 4, row-major: (M⁻¹, −M⁻¹ t). @throws GeometryError when there is none. */
export function inverse(a: Float64Array): Float64Array {
  const [m00, m01, m02, tx, m10, m11, m12, ty, m20, m21, m22, tz] = a as unknown as number[];
  const c0 = m11! * m22! - m12! * m21!;
  const c1 = m12! * m20! - m10! * m22!;
  const c2 = m10! * m21! - m11! * m20!;
  const det = m00! * c0 + m01! * c1 + m02! * c2;
  if (!(Math.abs(det) > 0 && Number.isFinite(det))) {
    throw new GeometryError('Affine of an image', { key: 'affine', expected: 'an invertible matrix', found: [...a] });
  }
  const rows = [
    [c0, m02! * m21! - m01! * m22!, m01! * m12! - m02! * m11!],
    [c1, m00! * m22! - m02! * m20!, m02! * m10! - m00! * m12!],
    [c2, m01! * m20! - m00! * m21!, m00! * m11! - m01! * m10!],
  ].map((row) => row.map((value) => value / det));
  const shift = rows.map((row) => -(row[0]! * tx! + row[1]! * ty! + row[2]! * tz!));
  return Float64Array.from([...rows.flatMap((row, r) => [...row, shift[r]!]), 0, 0, 0, 1]);
}

/** A B of 4 × 4 matrices, row-major. */
function product(a: Float64Array, b: Float64Array): Float64Array {
  return Float64Array.from({ length: 16 }, (_, i) => {
    const row = 4 * Math.floor(i / 4);
    return [0, 1, 2, 3].reduce((sum, k) => sum + a[row + k]! * b[4 * k + (i % 4)]!, 0);
  });
}
