/** @file  The data step for an image that is thought to be wrong by about the same share everywhere, such as a network's:
 *    argminₓ≥0  L(x) + ρ/2 Σ_j w_j (x_j − v_j)² + S(x − v),   w_j = 1/(v_j² + m² v̄²),   v̄ = Σ v²/Σ v,   m = 0.3
 *  1/√ρ is the relative standard deviation that v is trusted to; below m of the mean activity v̄ (weighted by itself, so that air does not
 *  count) it is taken of m v̄, lest cold voxels stay where they are. ρ has no unit, and v decides where the data may move it: much in a hot
 *  lesion, little in the liver around it, where an even weight lets the same noise in everywhere before the lesion has moved. S, a quadratic penalty on
 *  the difference, says that a network's error is smooth and the data's noise is not. By De Pierro's EM, subset by subset, as in
 *  `poisson-prox.ts`: of K subsets each has the K-th part of both penalties, whose surrogates are added,
 *    σ_j = ρ w_j + ρ_S,   anchor u_j = v_j + ρ_S a_S/σ_j,   (ρ_S, a_S) of S at x − v. */
import { expectShape, fill, type Volume } from '../core/array.js';
import { OptionError } from '../core/errors.js';
import type { PoissonSubset, ProxOptions, SeparablePenalty } from '../core/interfaces.js';
import { checkInteger, FLOOR, type PoissonProx, type PoissonProxOptions, positiveRoot } from './poisson-prox.js';
import { backprojectedRatio, checkedSubsets, meanActivity } from './subset.js';

/** m: where relative ends. */
const LEAST = 0.3;

export interface RelativeProxOptions extends Pick<PoissonProxOptions, 'firstSubset'> {
  /** Subset updates per call. @default three passes */
  readonly updates?: number | undefined;
  /** Updates with all data after them: they take out what the last subsets left. @default 2 */
  readonly exactIterations?: number | undefined;
  /** S, in counts. @default none */
  readonly smooth?: SeparablePenalty | undefined;
}

/**
 * @returns (v, ρ) ↦ x ≥ 0; ρ ≥ 0 has no unit. `exact` changes nothing: all data have been seen anyway.
 * @throws ShapeError naming the array that does not fit. @throws OptionError for an option out of range.
 */
export function relativeProx(
  subsets: readonly PoissonSubset[],
  { updates = 3 * subsets.length, exactIterations = 2, firstSubset = 0, smooth }: RelativeProxOptions = {},
): PoissonProx {
  const data = checkedSubsets(subsets);
  checkInteger('updates', updates, 1, Infinity);
  checkInteger('exactIterations', exactIterations, 0, Infinity);
  checkInteger('firstSubset', firstSubset, 0, data.length - 1);
  const { inShape } = data[0]!.model;
  const floor = FLOOR * meanActivity(data);
  let next = firstSubset;

  const prox = async (v0: Volume, rho: number, { signal }: ProxOptions = {}): Promise<Volume> => {
    if (!(rho >= 0 && rho < Infinity))
      throw new OptionError('Weight of the penalty', { key: 'rho', expected: 'a finite number ≥ 0', found: rho });
    const v = expectShape(v0, inShape, 'v');
    const w = relativeWeights(v);
    let x = fill(inShape, (j) => Math.max(v.data[j]!, floor));
    for (let i = 0; i < updates + exactIterations; i++) {
      const part = i < updates ? [data[next]!] : data;
      if (i < updates) next = (next + 1) % data.length;
      const back = new Float32Array(w.length);
      const s = new Float32Array(w.length);
      for (const subset of part) {
        const ratios = (await backprojectedRatio(subset, x, { signal })).data;
        for (let j = 0; j < w.length; j++) {
          back[j]! += ratios[j]!;
          s[j]! += subset.sensitivity.data[j]!;
        }
      }
      const before = x.data;
      const difference = smooth && fill(inShape, (j) => before[j]! - v.data[j]!);
      const surrogate = difference && (await smooth.surrogate(difference, { signal }));
      x = fill(inShape, (j) => {
        const rhoS = surrogate === undefined ? 0 : surrogate.rho.data[j]!;
        const whole = rho * w[j]! + rhoS;
        const share = (whole * part.length) / data.length;
        if (share === 0 && s[j]! <= 0) return before[j]!;
        const anchor = v.data[j]! + (rhoS > 0 ? (rhoS / whole) * surrogate!.anchor.data[j]! : 0);
        return positiveRoot(share, s[j]! - share * anchor, before[j]! * back[j]!);
      });
    }
    return x;
  };
  return Object.assign(prox, { nextSubset: () => next });
}

/** w_j; 0 for an image without any activity. */
export function relativeWeights({ data: v }: Volume): Float64Array {
  let [sum, squares] = [0, 0];
  for (const value of v) {
    if (!(value > 0)) continue;
    sum += value;
    squares += value * value;
  }
  const least = sum > 0 ? (LEAST * squares) / sum : 0;
  return Float64Array.from(v, (value) => (least > 0 ? 1 / (value * value + least * least) : 0));
}
