/** @file  An anatomy as networks take it: 0.5 a / mean over the body, for anything that is 0 in air: μ, CT + 1000 HU, MR. */
import type { Volume } from '../core/array.js';
import { bodyMean } from './denoise-volume.js';

/** @throws OptionError for an anatomy without a positive voxel. */
export function normalisedAnatomy(anatomy: Volume): Float32Array {
  const k = 0.5 / bodyMean(anatomy);
  return anatomy.data.map((value) => k * value);
}
