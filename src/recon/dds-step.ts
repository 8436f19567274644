/** @file  The data step of PET-DDS: a few preconditioned gradient steps, each with one subset, from the network's image v and anchored there,
 *    x ← [ x − P ( K ∇L_k(x) + ρ (x − v) + ∇R(x) ) ]₊,   P = (x + δ)/(s + (x + δ)(ρ + ∂²R/∂x²))
 *  Singh et al. 2024, arXiv:2308.14190, Algorithm 3, take P = (x + δ)/s, which oscillates once ρ x/s comes near 1 and diverges beyond; P as here
 *  is theirs where ρ x ≪ s, and holds at any ρ. R is an optional classical penalty, such as the relative differences of neighbouring slices. */
import { fill, type Volume } from '../core/array.js';
import { OptionError } from '../core/errors.js';
import type { Penalty, PoissonSubset, ProxOptions } from '../core/interfaces.js';
import { likelihoodGradient, preconditioner, projectedStep } from './penalised.js';
import { checkInteger, type PoissonProx, type PoissonProxOptions } from './poisson-prox.js';
import { checkedSubsets } from './subset.js';

export interface DdsStepOptions extends Pick<PoissonProxOptions, 'updates' | 'firstSubset'> {
  /** R, in counts. @default none */
  readonly penalty?: Penalty | undefined;
}

/**
 * A `Prox` by gradient steps instead of EM: for comparison with PET-DDS, and for data steps with a penalty. `exact` takes K updates, one
 * pass over the data.
 * @returns (v, ρ) ↦ x ≥ 0. @throws OptionError for an option out of range.
 */
export function ddsStep(
  subsets: readonly PoissonSubset[],
  { updates = 5, firstSubset = 0, penalty }: DdsStepOptions = {},
): PoissonProx {
  const data = checkedSubsets(subsets);
  checkInteger('updates', updates, 1, Infinity);
  checkInteger('firstSubset', firstSubset, 0, data.length - 1);
  const p = preconditioner(data);
  let next = firstSubset;

  const prox = async (v: Volume, rho: number, { exact = false, signal }: ProxOptions = {}): Promise<Volume> => {
    if (!(rho >= 0 && rho < Infinity))
      throw new OptionError('Weight of the penalty', { key: 'rho', expected: 'a finite number ≥ 0', found: rho });
    let x = fill(v.shape, (j) => Math.max(0, v.data[j]!));
    for (let i = 0; i < (exact ? Math.max(updates, data.length) : updates); i++) {
      const l = (await likelihoodGradient(data[next]!, x, { signal })).data;
      const r = await penalty?.derivatives(x, { signal });
      const curvature = fill(v.shape, (j) => rho + (r?.curvature.data[j] ?? 0));
      const gradient = (j: number): number => data.length * l[j]! + rho * (x.data[j]! - v.data[j]!) + (r?.gradient.data[j] ?? 0);
      x = projectedStep(x, gradient, p(x, curvature), 1);
      next = (next + 1) % data.length;
    }
    return x;
  };
  return Object.assign(prox, { nextSubset: () => next });
}
