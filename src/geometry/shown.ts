/** @file  What it takes to look at an image: where its voxels are in the world, and how high its values go. */
import type { PetImage, Unit } from '../core/image.js';
import { inverse } from './regrid.js';

/** Voxel [z, y, x] nearest to a world point, held inside the image. */
export function nearestVoxel(
  { affine, grid: { shape } }: PetImage,
  [x, y, z]: readonly [x: number, y: number, z: number],
): [number, number, number] {
  const m = inverse(affine);
  const voxel = (row: number, n: number): number =>
    Math.min(n - 1, Math.max(0, Math.round(m[row]! * x + m[row + 1]! * y + m[row + 2]! * z + m[row + 3]!)));
  return [voxel(8, shape[0]), voxel(4, shape[1]), voxel(0, shape[2])];
}

/** World point of a voxel [z, y, x] (need not be whole), RAS+ mm. */
export function worldPoint({ affine }: PetImage, [z, y, x]: readonly [number, number, number]): [number, number, number] {
  const row = (r: number): number => affine[r]! * x + affine[r + 1]! * y + affine[r + 2]! * z + affine[r + 3]!;
  return [row(0), row(4), row(8)];
}

/** Are voxels the same places? */
export function sameGrid(a: PetImage, b: PetImage): boolean {
  return a.grid.shape.every((n, axis) => n === b.grid.shape[axis]) && a.affine.every((v, i) => Math.abs(v - b.affine[i]!) < 0.01);
}

/** 99.9th percentile of some images, from every 7th voxel: a top that a single voxel does not set. */
export function highest(images: readonly PetImage[], share = 0.999): number {
  const tops = images.map(({ values: { data } }) => {
    const some = Float32Array.from({ length: Math.ceil(data.length / 7) }, (_, i) => data[7 * i]!).sort();
    return some[Math.min(some.length - 1, Math.floor(share * some.length))]!;
  });
  const top = Math.max(...tops);
  return top > 0 ? Number(top.toPrecision(2)) : 1;
}

/** An image as the viewer's page knows it. */
export interface ShownImage {
  readonly name: string;
  /** Name of its bytes: a header of 352, then float32 values, x fastest. */
  readonly file: string;
  readonly unit: Unit;
  /** Voxels along z, y, x, and their size, mm. */
  readonly shape: readonly [number, number, number];
  readonly voxelSize: readonly [number, number, number];
  /** World (RAS+, mm) → voxel (i, j, k), 3 × 4 row-major. */
  readonly toVoxel: readonly number[];
  /** Value that one voxel in a thousand exceeds. */
  readonly high: number;
  /** Are its voxels those of the first image? */
  readonly onFirstGrid: boolean;
}

/** @param first image that others are compared with. */
export function shownImage(image: PetImage, name: string, file: string, first: PetImage): ShownImage {
  const [nz, ny, nx] = image.grid.shape;
  return {
    ...{ name, file, unit: image.unit, shape: [nz, ny, nx], voxelSize: image.grid.voxelSize },
    ...{ toVoxel: [...inverse(image.affine).subarray(0, 12)], high: highest([image]), onFirstGrid: sameGrid(image, first) },
  };
}
