/** @file  argminₓ≥0  L(x) + ρ/2 ‖x − v‖²  for the negative Poisson log-likelihood L, by De Pierro's EM.
 *  EM replaces L by Σ s x − e ln x, e = x · Aᵀ(y / (A x + b)); setting the derivative to zero,
 *    ρ x² + c x − e = 0,   c = s − ρ v,   x = 2 e / (c + √(c² + 4 ρ e))  or  (√(c² + 4 ρ e) − c) / (2 ρ)
 *  ρ → 0 is ML-EM; ρ → ∞ returns max(v, 0). De Pierro 1995, doi:10.1109/42.370409.
 *  Of K subsets each has its own s_k and e_k and its share ρ/K of the penalty, so that their sum is the whole. */
import { array, expectShape, fill, type Volume } from '../core/array.js';
import { OptionError } from '../core/errors.js';
import type { PoissonSubset, ProxOptions } from '../core/interfaces.js';
import type { CallOptions } from '../core/iterate.js';
import { backprojectedRatio, checkedSubsets, meanActivity } from './subset.js';

export interface PoissonProxOptions {
  /** Subset updates per call. Few fit less noise. @default 2 */
  readonly updates?: number | undefined;
  /** Updates with all data per call with `exact`. @default 3 */
  readonly exactIterations?: number | undefined;
  /** Subset that the first update takes: `nextSubset()` of the prox whose run is resumed. @default 0 */
  readonly firstSubset?: number | undefined;
}

/** A `Prox` that goes through its subsets from call to call. */
export interface PoissonProx {
  (v: Volume, rho: number, options?: ProxOptions): Promise<Volume>;
  /** Subset that the next update will take. */
  nextSubset(): number;
}

/** EM multiplies, so a voxel that starts at 0 stays there: it starts at this share of the activity that, everywhere alike, would explain all prompts. */
export const FLOOR = 1e-4;

/**
 * The proximal operator of the Poisson likelihood, approximate: EM starts at v, and makes a few updates.
 * @returns (v, ρ) ↦ x ≥ 0; v may have negative voxels, ρ ≥ 0 is in 1/(unit of v)².
 * @throws ShapeError naming the array that does not fit. @throws OptionError for an option out of range.
 */
export function poissonProx(
  subsets: readonly PoissonSubset[],
  { updates = 2, exactIterations = 3, firstSubset = 0 }: PoissonProxOptions = {},
): PoissonProx {
  const data = checkedSubsets(subsets);
  checkInteger('updates', updates, 1, Infinity);
  checkInteger('exactIterations', exactIterations, 1, Infinity);
  checkInteger('firstSubset', firstSubset, 0, data.length - 1);
  const { inShape } = data[0]!.model;
  const s = fill(inShape, (i) => data.reduce((sum, { sensitivity }) => sum + sensitivity.data[i]!, 0));
  const floor = FLOOR * meanActivity(data);
  let next = firstSubset;

  const prox = async (v0: Volume, rho: number, { exact = false, signal }: ProxOptions = {}): Promise<Volume> => {
    if (!(rho >= 0 && rho < Infinity))
      throw new OptionError('Weight of the penalty', { key: 'rho', expected: 'a finite number ≥ 0', found: rho });
    const v = expectShape(v0, inShape, 'v');
    let x = fill(inShape, (i) => Math.max(v.data[i]!, floor));
    for (let i = 0; i < (exact ? exactIterations : updates); i++) {
      if (exact) x = emMap(x, v, await backprojectedRatios(data, x, { signal }), s, rho);
      else {
        const subset = data[next]!;
        x = emMap(x, v, await backprojectedRatio(subset, x, { signal }), subset.sensitivity, rho / data.length);
        next = (next + 1) % data.length;
      }
    }
    return x;
  };
  return Object.assign(prox, { nextSubset: () => next });
}

/** One update, voxel by voxel. Where neither data nor penalty say anything (s = ρ = 0) x stays. */
function emMap(x: Volume, v: Volume, back: Volume, s: Volume, rho: number): Volume {
  return fill(x.shape, (i) => {
    if (rho === 0 && s.data[i]! <= 0) return x.data[i]!;
    return positiveRoot(rho, s.data[i]! - rho * v.data[i]!, x.data[i]! * back.data[i]!);
  });
}

/**
 * Larger root of ρ x² + c x − e = 0, in the form that does not cancel for the sign of c.
 * @param rho ≥ 0. @param e ≥ 0. With ρ = 0 the root of the line, e/c, which needs c > 0 (else Infinity, or 0 where everything is 0).
 */
export function positiveRoot(rho: number, c: number, e: number): number {
  const root = Math.sqrt(c * c + 4 * rho * e);
  if (c > 0) return (2 * e) / (c + root);
  return root === c ? 0 : (root - c) / (2 * rho);
}

/** Σ_k A_kᵀ(y_k/ȳ_k). */
async function backprojectedRatios(subsets: readonly PoissonSubset[], x: Volume, options: CallOptions): Promise<Volume> {
  const out = array(x.shape);
  for (const subset of subsets) {
    const back = await backprojectedRatio(subset, x, options);
    for (let i = 0; i < out.data.length; i++) out.data[i]! += back.data[i]!;
  }
  return out;
}

/** @throws OptionError when the value is not an integer in least … most. */
export function checkInteger(key: string, value: number, least: number, most: number): void {
  if (!(Number.isInteger(value) && value >= least && value <= most)) {
    throw new OptionError('Option of the data step', { key, expected: `an integer from ${least} to ${most}`, found: value });
  }
}
