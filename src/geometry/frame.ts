/** @file  The scanner frame and the patient's world (RAS+).
 *  The scanner's axes are left-handed. For a patient head first, supine, they run towards left, posterior and inferior, so that the world
 *  is reached by reversing all three; the other positions follow by turning the patient. */
import { array, type Point, type Volume } from '../core/array.js';
import { type Grid, type PetImage, petImage, type Unit } from '../core/image.js';

/** Head or feet first; supine or prone. */
export type PatientPosition = 'HFS' | 'HFP' | 'FFS' | 'FFP';

/** Signs of the scanner's z, y, x in terms of superior, anterior, right. */
const signs: Record<PatientPosition, Point> = { HFS: [-1, -1, -1], HFP: [-1, 1, 1], FFS: [1, -1, 1], FFP: [1, 1, -1] };

/** An image of the scanner frame as an image in the world. */
export function toWorld(
  values: Volume,
  grid: Grid,
  position: PatientPosition,
  unit: Unit,
  meta: Readonly<Record<string, unknown>> = {},
): PetImage {
  return petImage(flippedGrid(grid, position), flipped(values, position), unit, meta);
}

/** The same the other way; the image's axes must be the world's. */
export function fromWorld(
  { grid, values }: PetImage,
  position: PatientPosition,
): { readonly grid: Grid; readonly values: Volume } {
  return { grid: flippedGrid(grid, position), values: flipped(values, position) };
}

function flippedGrid({ shape, voxelSize, origin }: Grid, position: PatientPosition): Grid {
  const sign = signs[position];
  const at = (axis: number): number =>
    sign[axis]! > 0 ? origin[axis]! : -(origin[axis]! + (shape[axis]! - 1) * voxelSize[axis]!);
  return { shape, voxelSize, origin: [at(0), at(1), at(2)] };
}

/** A volume with its axes turned from the scanner's to the world's, or back: the flips are their own inverse. */
export function flipped(values: Volume, position: PatientPosition): Volume {
  const [nz, ny, nx] = values.shape as [number, number, number];
  const [sz, sy, sx] = signs[position];
  const out = array(values.shape);
  for (let z = 0, at = 0; z < nz; z++) {
    for (let y = 0; y < ny; y++) {
      const row = ((sz > 0 ? z : nz - 1 - z) * ny + (sy > 0 ? y : ny - 1 - y)) * nx;
      for (let x = 0; x < nx; x++) out.data[at++] = values.data[row + (sx > 0 ? x : nx - 1 - x)]!;
    }
  }
  return out;
}
