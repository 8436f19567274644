/** @file  x ← x / s_k · A_kᵀ( y_k / (A_k x + b_k) ),  s_k = A_kᵀ 1, for each subset k in turn.
 *  One subset is ML-EM (Shepp & Vardi 1982, doi:10.1109/TMI.1982.4307558);
 *  several are OSEM (Hudson & Larkin 1994, doi:10.1109/42.363108), fast and not convergent. */
import { expectShape, fill, type Volume } from '../core/array.js';
import { OptionError } from '../core/errors.js';
import type { PoissonSubset } from '../core/interfaces.js';
import type { CallOptions, Step } from '../core/iterate.js';
import { backprojectedRatio, checkedSubsets, meanActivity } from './subset.js';

export interface OsemOptions extends CallOptions {
  /** Passes over all subsets. @default 4 */
  readonly epochs?: number | undefined;
  /** First image, shape model.inShape, ≥ 0. A voxel that starts at 0 stays 0; see `uniformStart`. @default all ones */
  readonly initial?: Volume | undefined;
  /** Sub-iterations that `initial` has already behind it: a run goes on, bit for bit, from the image of a step with
   *  start = epoch · subsets.length + subset + 1. @default 0 */
  readonly start?: number | undefined;
}

export interface OsemStep extends Step {
  /** Pass over the data, from 0. */
  readonly epoch: number;
  /** Subset just used, from 0. */
  readonly subset: number;
  /** α of methods that have a step size. */
  readonly stepSize?: number | undefined;
}

/**
 * Reconstructs by OSEM, one step per subset.
 * @param subsets visited in this order; neighbours should be far apart in angle.
 * @yields x ≥ 0, shape model.inShape. Voxels that a subset does not see (s_k = 0) stay as they are.
 * @throws ShapeError naming the array that does not fit. @throws OptionError for an option out of range.
 */
export async function* osem(
  subsets: readonly PoissonSubset[],
  { epochs = 4, initial, start = 0, signal }: OsemOptions = {},
): AsyncGenerator<OsemStep> {
  const data = checkedSubsets(subsets);
  const steps = epochs * data.length;
  let x = checkedStart(
    { epochs, start, steps, initial: initial ?? fill(data[0]!.model.inShape, () => 1) },
    data[0]!.model.inShape,
  );
  for (let done = start; done < steps; done++) {
    const k = done % data.length;
    const back = await backprojectedRatio(data[k]!, x, { signal });
    x = emUpdate(x, back, data[k]!.sensitivity);
    yield { image: x, epoch: Math.floor(done / data.length), subset: k, fraction: (done + 1) / steps };
  }
}

/**
 * A first image that suits the data: the activity that explains all prompts in every voxel that some subset sees, 0 in the others,
 * which EM would leave at whatever they start from.
 */
export function uniformStart(subsets: readonly PoissonSubset[]): Volume {
  const data = checkedSubsets(subsets);
  const activity = meanActivity(data) || 1;
  return fill(data[0]!.model.inShape, (i) => (data.some(({ sensitivity }) => sensitivity.data[i]! > 0) ? activity : 0));
}

function emUpdate(x: Volume, back: Volume, s: Volume): Volume {
  return fill(x.shape, (i) => (s.data[i]! > 0 ? (x.data[i]! * back.data[i]!) / s.data[i]! : x.data[i]!));
}

/**
 * The first image of an EM-like method, contiguous, with the numbers of passes and steps checked.
 * @throws ShapeError when it does not fit. @throws OptionError for negative values and counts out of range.
 */
export function checkedStart(
  { epochs, start, steps, initial }: { epochs: number; start: number; steps: number; initial: Volume },
  shape: readonly number[],
): Volume {
  checkCount('epochs', epochs, Infinity);
  checkCount('start', start, steps);
  const x = expectShape(initial, shape, 'initial');
  const wrong = x.data.findIndex((value) => !(value >= 0 && value < Infinity));
  if (wrong >= 0) {
    throw new OptionError('EM cannot start there', {
      key: 'initial',
      expected: 'finite values ≥ 0',
      found: x.data[wrong],
      hint: `At flat index ${wrong}: clip the image first.`,
    });
  }
  return x;
}

/** @throws OptionError when the value is not an integer in 0 … most. */
export function checkCount(key: string, value: number, most: number): void {
  if (!(Number.isInteger(value) && value >= 0 && value <= most)) {
    throw new OptionError('Number of iterations', { key, expected: `an integer from 0 to ${most}`, found: value });
  }
}
