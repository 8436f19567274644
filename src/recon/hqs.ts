/** @file  Half-quadratic splitting with a diffusion prior. Down a ladder σ₁ > … > σ_K ≥ 0, σ the level and σ' the next:
 *    x̂₀ = D(x, σ)                                      prior step
 *    z  = argmin_x L(x) + λ/(2σ²) ‖x − x̂₀‖²            data step
 *    ε̂  = (x − z)/σ
 *    x  ← z + σ' ( √(1−ζ) ε̂ + √ζ n ),  n ~ N(0, I)     back up to the next level
 *  Zhu et al. 2023 (DiffPIR), arXiv:2305.08995, with x_t/√ᾱ_t written x, σ_t = √(1−ᾱ_t)/√ᾱ_t. L is a likelihood in counts, so no noise
 *  level of the data appears and λ is dimensionless. A heuristic: its samples are not exact draws from the posterior. */
import { contiguous, expectShape, fill, type Volume } from '../core/array.js';
import { OptionError } from '../core/errors.js';
import type { Denoiser, Prox } from '../core/interfaces.js';
import { type CallOptions, type Step, turn } from '../core/iterate.js';

export interface HqsOptions extends CallOptions {
  /** Weight λ of the prior against the data; dimensionless. More trusts the network more. @default 0.3 */
  readonly lambda?: number | undefined;
  /** Share ζ of fresh noise, in [0, 1]: 0 deterministic, 1 forgets ε̂. @default 0.3 */
  readonly zeta?: number | undefined;
  /** Standard normal field for a level (0 is σ₁), e.g. `(level) => noiseField(shape, seed, level)`: the same field at every call. Needed when ζ > 0. */
  readonly noise?: ((level: number) => Volume) | undefined;
  /** Level to begin at; `start` is the state there: a run goes on from a step with its `next` and level + 1. @default 0 */
  readonly level?: number | undefined;
}

export interface HqsStep extends Step {
  /** The data-consistent estimate z of this level. */
  readonly image: Volume;
  /** σ of the level. */
  readonly sigma: number;
  readonly level: number;
  /** x at the next level: the state a run is resumed from. */
  readonly next: Volume;
}

/**
 * Reconstructs, one step per level but the last.
 * @param denoiser D, in the units of the image; every σ but the last must lie in its [sigmaMin, sigmaMax].
 * @param dataStep the prox of L, e.g. `poissonProx(subsets)`; the last fifth of the levels (at least one) asks it for `exact`.
 * @param sigmas strictly decreasing, in the units of the image; usually ends in 0.
 * @param start x at the first level: σ₁ n, or a quick reconstruction + σ₁ n to begin lower down.
 * @yields z per level, as non-negative as the data step makes it; the last is the reconstruction.
 * @throws OptionError when an option, or the ladder, is out of range. @throws ShapeError when noise or estimate do not fit `start`.
 */
export async function* hqs(
  denoiser: Denoiser,
  dataStep: Prox,
  sigmas: ArrayLike<number>,
  start: Volume,
  { lambda = 0.3, zeta = 0.3, noise, level: first = 0, signal }: HqsOptions = {},
): AsyncGenerator<HqsStep> {
  const levels = sigmas.length - 1;
  checkLadder(sigmas, denoiser);
  checkOptions(lambda, zeta, noise, first, levels);
  let x = contiguous(start);
  for (let level = first; level < levels; level++) {
    await turn(signal);
    const [sigma, next] = [sigmas[level]!, sigmas[level + 1]!];
    const exact = level >= levels - Math.max(1, Math.floor(levels / 5));
    const clean = await denoiser.denoise(x, sigma, { signal });
    const z = expectShape(await dataStep(clean, lambda / sigma ** 2, { exact, signal }), x.shape, 'result of the data step');
    const n = zeta > 0 && next > 0 ? expectShape(noise!(level), x.shape, `noise of level ${level}`) : undefined;
    x = renoised(x, z, (next * Math.sqrt(1 - zeta)) / sigma, next * Math.sqrt(zeta), n);
    yield { image: z, next: x, sigma, level, fraction: (level + 1) / levels };
  }
}

/** z + keep (x − z) + fresh n, where keep = σ' √(1−ζ)/σ and fresh = σ' √ζ. */
function renoised(x: Volume, z: Volume, keep: number, fresh: number, n: Volume | undefined): Volume {
  return fill(x.shape, (i) => z.data[i]! + keep * (x.data[i]! - z.data[i]!) + (n === undefined ? 0 : fresh * n.data[i]!));
}

function checkLadder(sigmas: ArrayLike<number>, { sigmaMin, sigmaMax }: Denoiser): void {
  const ladder = Array.from(sigmas);
  const fault = { key: 'sigmas', found: ladder };
  if (ladder.length < 2 || ladder.some((sigma, i) => !(i === 0 || sigma < ladder[i - 1]!)) || !(ladder.at(-1)! >= 0)) {
    throw new OptionError('Noise levels', { ...fault, expected: 'two or more, strictly decreasing, the last ≥ 0' });
  }
  if (!(ladder[0]! <= sigmaMax && ladder.at(-2)! >= sigmaMin)) {
    const hint = 'Levels are in the units of the image: is the denoiser scaled to them?';
    throw new OptionError('Noise levels', {
      ...fault,
      expected: `all but the last within the denoiser's ${sigmaMin} to ${sigmaMax}`,
      hint,
    });
  }
}

function checkOptions(lambda: number, zeta: number, noise: HqsOptions['noise'], level: number, levels: number): void {
  if (!(lambda >= 0 && lambda < Infinity))
    throw new OptionError('Weight of the prior', { key: 'lambda', expected: 'a finite number ≥ 0', found: lambda });
  if (!(zeta >= 0 && zeta <= 1)) throw new OptionError('Share of fresh noise', { key: 'zeta', expected: '0 to 1', found: zeta });
  if (zeta > 0 && noise === undefined)
    throw new OptionError('Fresh noise', { key: 'noise', expected: 'a function when zeta > 0', found: noise });
  if (!(Number.isInteger(level) && level >= 0 && level <= levels)) {
    throw new OptionError('First level', { key: 'level', expected: `an integer from 0 to ${levels}`, found: level });
  }
}
