/** @file  What the methods for F(x) = L(x) + R(x), x ≥ 0, share; L is the negative Poisson log-likelihood, R a smooth penalty.
 *    ∇L_k = s_k − A_kᵀ(y_k/ȳ_k)                       of one subset; over all subsets they sum to ∇L
 *    P_j  = (x_j + δ)/(s_j + (x_j + δ) ∂²R/∂x_j²)      preconditioner: EM's x/s where R is flat, 1/R'' where it is steep
 *    r    = x − [x − P ∇F(x)]₊                         0 exactly where the Karush–Kuhn–Tucker conditions hold
 *  The harmonic mean in P is that of Ehrhardt et al. 2025 (MaGeZ), arXiv:2506.04976; δ lets voxels leave 0. */
import { array, fill, type Volume } from '../core/array.js';
import type { Penalty, PoissonSubset } from '../core/interfaces.js';
import type { CallOptions } from '../core/iterate.js';
import { backprojectedRatio, checkedSubsets, meanActivity } from './subset.js';

/** δ as a share of the activity that, the same in all voxels, would explain all prompts. */
const LEAVE_ZERO = 1e-3;

/** P of a problem, as a function of x and the curvature of R. 0 where no subset sees the voxel: it stays as it is. */
export function preconditioner(subsets: readonly PoissonSubset[]): (x: Volume, curvature: Volume) => Float32Array {
  const s = totalSensitivity(subsets).data;
  const delta = LEAVE_ZERO * (meanActivity(subsets) || 1);
  return (x, curvature) =>
    Float32Array.from(s, (sj, j) => {
      const room = x.data[j]! + delta;
      return sj > 0 ? room / (sj + room * curvature.data[j]!) : 0;
    });
}

/** Σ_k s_k. */
export function totalSensitivity(subsets: readonly PoissonSubset[]): Volume {
  const all = array(subsets[0]!.model.inShape);
  for (const { sensitivity } of subsets) for (let j = 0; j < all.data.length; j++) all.data[j]! += sensitivity.data[j]!;
  return all;
}

/** ∇L_k(x), shape of x. */
export async function likelihoodGradient(subset: PoissonSubset, x: Volume, options: CallOptions = {}): Promise<Volume> {
  const back = await backprojectedRatio(subset, x, options);
  return fill(x.shape, (j) => subset.sensitivity.data[j]! - back.data[j]!);
}

/** [x − α P g]₊; a voxel with P = 0 stays. */
export function projectedStep(x: Volume, g: (j: number) => number, p: Float32Array, alpha: number): Volume {
  return fill(x.shape, (j) => (p[j]! > 0 ? Math.max(0, x.data[j]! - alpha * p[j]! * g(j)) : x.data[j]!));
}

/**
 * ‖r‖/‖x‖: how far x is from the minimum of L + R over x ≥ 0; 0 at it. About the relative change that one more full step would make.
 * @throws ShapeError naming the array that does not fit.
 */
export async function kktResidual(
  subsets: readonly PoissonSubset[],
  penalty: Penalty,
  x: Volume,
  options: CallOptions = {},
): Promise<number> {
  const data = checkedSubsets(subsets);
  const { gradient, curvature } = await penalty.derivatives(x, options);
  const p = preconditioner(data)(x, curvature);
  for (const subset of data) {
    const g = await likelihoodGradient(subset, x, options);
    for (let j = 0; j < g.data.length; j++) gradient.data[j]! += g.data[j]!;
  }
  let squares = 0;
  let norm = 0;
  for (let j = 0; j < p.length; j++) {
    const r = x.data[j]! - Math.max(0, x.data[j]! - p[j]! * gradient.data[j]!);
    squares += r * r;
    norm += x.data[j]! ** 2;
  }
  return Math.sqrt(squares / (norm || 1));
}

/**
 * κ_j = √( Aᵀ( (A 1) y/ȳ² ) ) at x: what one count-weighted look at the data says about voxel j. Penalties weighted with κ_j κ_k give an even
 * resolution. Fessler & Rogers 1996, doi:10.1109/83.535846; with the whole row of the Fisher matrix instead of its diagonal, as PETRIC's
 * `kappa.hv`. In √counts/(unit of x). Bins with ȳ ≤ 0 are left out.
 */
export async function kappa(subsets: readonly PoissonSubset[], x: Volume, options: CallOptions = {}): Promise<Volume> {
  const data = checkedSubsets(subsets);
  const ones = fill(x.shape, () => 1);
  const squares = array(x.shape);
  for (const { model, prompts, background } of data) {
    const rows = await model.forward(ones, options);
    const trues = await model.forward(x, options);
    const weighted = fill(rows.shape, (i) => {
      const ybar = trues.data[i]! + background.data[i]!;
      return ybar > 0 ? (rows.data[i]! * prompts.data[i]!) / ybar ** 2 : 0;
    });
    const back = await model.adjoint(weighted, options);
    for (let j = 0; j < squares.data.length; j++) squares.data[j]! += Math.max(0, back.data[j]!);
  }
  return fill(x.shape, (j) => Math.sqrt(squares.data[j]!));
}
