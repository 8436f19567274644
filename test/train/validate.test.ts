import { expect, it } from 'vitest';
import { fill, type Shape3 } from '../../src/core/array.js';
import type { OpenModel } from '../../src/denoise/open-model.js';
import type { ModelCard } from '../../src/network/model-card.js';
import { type Subject, sourceOf } from '../../src/train/subject.js';
import { validate } from '../../src/train/validate.js';

const shape: Shape3 = [300, 6, 6];
/** All activity in the upper half; the low-count image is off by 0.1 there and by 1 below. */
const truth = fill(shape, (i) => (i >= 5400 ? 2 + (i % 5) : 0)).data;
const subject: Subject = {
  ...{ shape, voxelSize: [4, 4, 4], truth },
  lowDose: [truth.map((value, i) => value + (i >= 5400 ? 0.1 : 1)), truth],
};
const seen: { shape: readonly number[]; noise: number | undefined }[] = [];
const model = {
  card: { patch: [8, 8, 8], overlap: 4 },
  mean: async (...[condition, , given]: Parameters<OpenModel['mean']>) => {
    seen.push({ shape: condition.shape, noise: given?.noise });
    return fill(condition.shape, (i) => condition.data[i]! - 0.05);
  },
} as unknown as OpenModel<ModelCard>;

it('compares first low-count image and mean mode with the truth, where there is activity, the same at every look', async () => {
  const found = await validate(model, [sourceOf(subject)]);
  // Range 4 in the box, errors 0.1 and 0.05, unless it reaches into the lower half.
  expect(found.lowCount).toBeCloseTo(20 * Math.log10(4 / 0.1), 1);
  expect(found.meanMode).toBeCloseTo(20 * Math.log10(4 / 0.05), 1);
  expect(seen[0]).toEqual({ shape: [56, 6, 6], noise: sourceOf(subject).noise[0] });
  expect(await validate(model, [sourceOf(subject)])).toEqual(found);
});
