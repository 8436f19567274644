/** @file  A training subject: whole in memory as simulation makes it, or read slice by slice from where it is kept, so that a cohort need
 *  not fit in memory. */
import { array, type Point, type Shape3 } from '../core/array.js';
import { normalisedAnatomy } from '../denoise/anatomy.js';
import { bodyMean } from '../denoise/denoise-volume.js';
import { noiseLevel } from '../denoise/noise-level.js';

/** One subject: truth and its low-count images, SUV, all of the same shape. */
export interface Subject {
  readonly shape: Shape3;
  /** mm. */
  readonly voxelSize: Point;
  readonly truth: Float32Array;
  readonly lowDose: readonly Float32Array[];
  /** μ in 1/cm, CT + 1000 HU, or MR in any unit, 0 in air. @default none */
  readonly anatomy?: Float32Array | undefined;
}

/** Which volume of a subject: a number is that low-count image. The anatomy comes as networks take it. */
export type SubjectVolume = 'truth' | 'anatomy' | number;

/** What training needs of a subject. */
export interface SubjectSource {
  readonly shape: Shape3;
  /** mm. */
  readonly voxelSize: Point;
  /** Mean of the truth over the body, SUV. */
  readonly bodyMean: number;
  /** Hottest voxel of the truth, SUV. */
  readonly maximum: number;
  /** `noiseLevel` of each low-count image, of which there are as many; 0 where it could not be told. */
  readonly noise: readonly number[];
  readonly anatomy: boolean;
  /** Slices [first, first + count) of a volume: to be read, not to be changed. */
  read(volume: SubjectVolume, first: number, count: number): Float32Array;
}

/** A subject in memory as a source. */
export function sourceOf({ shape, voxelSize, truth, lowDose, anatomy }: Subject): SubjectSource {
  const plane = shape[1] * shape[2];
  const network = anatomy && normalisedAnatomy(array(shape, anatomy));
  return {
    ...{
      shape,
      voxelSize,
      bodyMean: bodyMean(array(shape, truth)),
      maximum: truth.reduce((most, value) => Math.max(most, value), 0),
    },
    ...{ anatomy: anatomy !== undefined },
    noise: lowDose.map((image) => noiseLevel(array(shape, image), voxelSize)),
    read(volume, first, count) {
      const data = volume === 'truth' ? truth : volume === 'anatomy' ? network! : lowDose[volume]!;
      return data.subarray(first * plane, (first + count) * plane);
    },
  };
}
