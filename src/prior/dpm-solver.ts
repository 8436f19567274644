/** @file  DPM-Solver++(2M) written in σ, from level σ to the next σ', with h = ln(σ/σ') and h₋ the step before's:
 *    x̂₀ = D(x, σ)
 *    D̄ = x̂₀ + (h/2h₋) (x̂₀ − x̂₀₋)          the estimate drawn on from the level before; the first step has none: D̄ = x̂₀
 *    x ← (σ'/σ) x + (1 − σ'/σ) D̄
 *  A second-order multistep method for the probability-flow ODE that takes one evaluation a step, as DDIM, which is D̄ = x̂₀, does. The step to
 *  σ' = 0 is one of DDIM, for h is infinite there.
 *  Lu et al. 2022, arXiv:2211.01095, Algorithm 2, with x/α written x and σ/α written σ, so that λ = −ln σ. */
import { contiguous, expectShape, fill, type Volume } from '../core/array.js';
import type { Denoiser } from '../core/interfaces.js';
import { type CallOptions, type Step, turn } from '../core/iterate.js';
import { checkedLadder } from './ddim.js';

export interface DpmSolverStep extends Step {
  /** Level just left, from 0. */
  readonly level: number;
  /** σ of the image: the next level's. */
  readonly sigma: number;
}

/**
 * Carries a noisy volume down the noise levels to a clean one, deterministically.
 * @param start volume at the first level, shape [nz, ny, nx], in the denoiser's units.
 * @param sigmas strictly decreasing, all but the last within the denoiser's range; a final 0 makes the last step return x̂₀.
 * @yields the volume at each next level.
 * @throws OptionError when the ladder is out of range. @throws ShapeError when an estimate does not fit `start`.
 */
export async function* dpmSolver2m(
  denoiser: Denoiser,
  start: Volume,
  sigmas: ArrayLike<number>,
  { signal }: CallOptions = {},
): AsyncGenerator<DpmSolverStep> {
  const ladder = checkedLadder(denoiser, sigmas);
  const steps = ladder.length - 1;
  let x = contiguous(start);
  let before: Volume | undefined;
  for (let level = 0; level < steps; level++) {
    await turn(signal);
    const [sigma, next] = [ladder[level]!, ladder[level + 1]!];
    const clean = expectShape(await denoiser.denoise(x, sigma, { signal }), x.shape, 'denoised volume');
    const onward = before === undefined || next === 0 ? 0 : Math.log(sigma / next) / (2 * Math.log(ladder[level - 1]! / sigma));
    x = solverStep(x, clean, before, onward, next / sigma);
    before = clean;
    yield { image: x, level, sigma: next, fraction: (level + 1) / steps };
  }
}

/** k x + (1 − k) D̄, D̄ = x̂₀ + onward (x̂₀ − x̂₀₋). */
function solverStep(x: Volume, clean: Volume, before: Volume | undefined, onward: number, k: number): Volume {
  const old = before ?? clean;
  return fill(x.shape, (i) => k * x.data[i]! + (1 - k) * (clean.data[i]! + onward * (clean.data[i]! - old.data[i]!)));
}
