/** @file  What a network is worth on subjects it does not train on. */
import { array, type Volume } from '../core/array.js';
import type { CallOptions } from '../core/iterate.js';
import type { OpenModel } from '../denoise/open-model.js';
import { imageError } from '../metrics/psnr.js';
import type { Subject } from './batch.js';

export interface Validation {
  /** Mean PSNR of the low-count images, dB (range: max − min of the truth). */
  readonly lowCount: number;
  /** Mean PSNR of the mean mode, dB. */
  readonly meanMode: number;
}

/** PSNR before and after the mean mode, averaged over the first low-count image of each subject. */
export async function validate(model: OpenModel, subjects: readonly Subject[], options: CallOptions = {}): Promise<Validation> {
  let lowCount = 0;
  let meanMode = 0;
  for (const { shape, truth, lowDose } of subjects) {
    const reference = array(shape, truth);
    const low: Volume = array(shape, lowDose[0]!);
    lowCount += imageError(low, reference).psnr / subjects.length;
    meanMode += imageError(await model.mean(low, 1, options), reference).psnr / subjects.length;
  }
  return { lowCount, meanMode };
}
