/** @file  What a network is worth on subjects it does not train on, at fixed places of each, so that looks at different times compare. */
import { array, type Shape3, type Volume } from '../core/array.js';
import type { CallOptions } from '../core/iterate.js';
import { random } from '../core/random.js';
import type { OpenModel } from '../denoise/open-model.js';
import { imageError } from '../metrics/psnr.js';
import type { ModelCard } from '../network/model-card.js';
import type { SubjectSource, SubjectVolume } from './subject.js';

export interface Validation {
  /** Mean PSNR of the low-count images, dB (range: max − min of the truth). */
  readonly lowCount: number;
  /** Mean PSNR of the mean mode, dB. */
  readonly meanMode: number;
}

/** Edge of the box that is looked at, voxels, whatever the network's patch: looks at different networks compare too. */
const boxEdge = 56;

/** PSNR before and after the mean mode, averaged over the first low-count image of each subject, in a box about its body's middle. */
export async function validate(
  model: OpenModel<ModelCard>,
  subjects: readonly SubjectSource[],
  options: CallOptions = {},
): Promise<Validation> {
  let lowCount = 0;
  let meanMode = 0;
  for (const [number, subject] of subjects.entries()) {
    const cut = boxOf(subject, number);
    const reference = cut('truth');
    const low = cut(0);
    lowCount += imageError(low, reference).psnr / subjects.length;
    meanMode += imageError(await model.mean(low, 1, { noise: subject.noise[0]!, ...options }), reference).psnr / subjects.length;
  }
  return { lowCount, meanMode };
}

/** Cuts the box out of any volume of a subject: one of a few random places, that with the most activity. */
function boxOf(subject: SubjectSource, number: number): (volume: SubjectVolume) => Volume {
  const { shape, read } = subject;
  const size = shape.map((n) => Math.min(n, boxEdge)) as unknown as Shape3;
  const r = random(number, 1);
  const box =
    (at: readonly number[]) =>
    (volume: SubjectVolume): Volume => {
      const slab = read(volume, at[0]!, size[0]);
      const out = array(size);
      for (let z = 0, i = 0; z < size[0]; z++)
        for (let y = 0; y < size[1]; y++) {
          const row = (z * shape[1] + at[1]! + y) * shape[2] + at[2]!;
          for (let x = 0; x < size[2]; x++) out.data[i++] = slab[row + x]!;
        }
      return out;
    };
  const candidates = Array.from({ length: 8 }, () => {
    const cut = box(shape.map((n, axis) => r.integer(n - size[axis]! + 1)));
    return { cut, activity: cut('truth').data.reduce((sum, value) => sum + value, 0) };
  });
  return candidates.reduce((best, candidate) => (candidate.activity > best.activity ? candidate : best)).cut;
}
