/** @file  One subset of the bins under the Poisson model: ȳ = A x + b, and Aᵀ(y/ȳ), which EM and every gradient of the likelihood need. */
import { array, expectShape, fill, type NdArray, total, type Volume } from '../core/array.js';
import { OptionError, ShapeError } from '../core/errors.js';
import type { PoissonSubset } from '../core/interfaces.js';
import { type CallOptions, turn } from '../core/iterate.js';

/**
 * The subsets with contiguous arrays.
 * @throws ShapeError naming the array that does not fit. @throws OptionError when there is no subset.
 */
export function checkedSubsets(subsets: readonly PoissonSubset[]): readonly PoissonSubset[] {
  if (subsets.length === 0) throw new OptionError('No data', { key: 'subsets', expected: 'at least one subset', found: 0 });
  const { inShape } = subsets[0]!.model;
  return subsets.map(({ model, prompts, background, sensitivity }, k) => {
    if (model.inShape.join() !== inShape.join()) {
      throw new ShapeError(`Subset ${k} sees another image`, {
        expected: `inShape [${inShape.join(', ')}]`,
        found: [...model.inShape],
      });
    }
    return {
      model,
      prompts: expectShape(prompts, model.outShape, `prompts of subset ${k}`),
      background: expectShape(background, model.outShape, `background of subset ${k}`),
      sensitivity: expectShape(sensitivity, model.inShape, `sensitivity of subset ${k}`),
    };
  });
}

/** Σ y / Σ s: the activity that, the same in all voxels, would explain all prompts. The image's own scale, known before any image is; 0 for no data. */
export function meanActivity(subsets: readonly PoissonSubset[]): number {
  const sum = (values: (subset: PoissonSubset) => NdArray): number =>
    subsets.reduce((all, subset) => all + total(values(subset)), 0);
  const seen = sum(({ sensitivity }) => sensitivity);
  return seen > 0 ? sum(({ prompts }) => prompts) / seen : 0;
}

/** ȳ = A x + b, expected counts, shape model.outShape. */
export async function expectedCounts(
  { model, background }: PoissonSubset,
  x: Volume,
  options: CallOptions = {},
): Promise<NdArray> {
  await turn(options.signal);
  const trues = await model.forward(x, options);
  return fill(background.shape, (i) => trues.data[i]! + background.data[i]!);
}

/** Aᵀ(y/ȳ) ≥ 0, shape model.inShape. A bin the model says cannot count (ȳ ≤ 0) is left out, whatever it holds. What lies below 0 is
 *  rounding of the operator (float32, differences of sums): A and y/ȳ are not negative. */
export async function backprojectedRatio(subset: PoissonSubset, x: Volume, options: CallOptions = {}): Promise<Volume> {
  const ybar = await expectedCounts(subset, x, options);
  const y = subset.prompts.data;
  const ratio = array(ybar.shape);
  for (let i = 0; i < y.length; i++) ratio.data[i] = ybar.data[i]! > 0 ? y[i]! / ybar.data[i]! : 0;
  await turn(options.signal);
  const back = await subset.model.adjoint(ratio, options);
  return fill(back.shape, (i) => Math.max(0, back.data[i]!));
}
