/** @file  Half-quadratic splitting with a diffusion prior. Down a ladder σ₁ > … > σ_K ≥ 0, σ the level and σ' the next:
 *    x̂₀ = D(x, σ)                                      prior step
 *    z  = argmin_x L(x) + ρ/2 ‖x − x̂₀‖²,  ρ = λ/σ²     data step
 *    ε̂  = (x − z)/σ                                    the noise in x, as the data leave it; or the network's, (x − x̂₀)/σ
 *    x  ← z + σ' ( √(1−ζ) ε̂ + √ζ n ),  n ~ N(0, I)     back up to the next level
 *  Zhu et al. 2023 (DiffPIR), arXiv:2305.08995, with x_t/√ᾱ_t written x, σ_t = √(1−ᾱ_t)/√ᾱ_t. L is a likelihood in counts, so no noise
 *  level of the data appears and λ is dimensionless. A heuristic: its samples are not exact draws from the posterior.
 *  The same loop is PnP-HQS with x ← z (Zhang et al. 2021, DPIR, arXiv:2008.13751), and PET-DDS with the network's ε̂, DDIM's own step and a
 *  ρ that stays (Singh et al. 2024, arXiv:2308.14190). */
import { contiguous, expectShape, fill, type Volume } from '../core/array.js';
import { OptionError } from '../core/errors.js';
import type { Denoiser, Prox } from '../core/interfaces.js';
import { type CallOptions, type Step, turn } from '../core/iterate.js';

/** What is taken for the noise in x: what the data step leaves of it (DiffPIR), what the network took for it (DDS, DDIP), or nothing: the next
 *  level then starts from z itself (PnP-HQS). */
export type NoiseRule = 'rederived' | 'network' | 'none';

export interface HqsOptions extends CallOptions {
  /** Weight λ of the prior against the data; dimensionless. More trusts the network more. @default 0.3 */
  readonly lambda?: number | undefined;
  /** ρ of a level, in 1/(unit of the image)², in place of λ/σ²: a λ that changes on the way, or an anchor that does not. @default λ/σ² */
  readonly weight?: ((sigma: number, level: number) => number) | undefined;
  /** Share ζ of fresh noise, in [0, 1]: 0 deterministic, 1 forgets ε̂. The η of DDIP is √ζ. @default 0.3 */
  readonly zeta?: number | undefined;
  /** η of DDIM in [0, 1], in place of ζ: x ← z + √(σ'² − s²) ε̂ + s n with s = η σ' √(1 − σ'²/σ²). @default ζ is used */
  readonly eta?: number | undefined;
  /** Which ε̂. @default 'rederived' */
  readonly eps?: NoiseRule | undefined;
  /** Share of the levels, the last ones, whose data step is asked for `exact`; at least one is. @default 0.2 */
  readonly exactShare?: number | undefined;
  /** Standard normal field for a level (0 is σ₁), e.g. `(level) => noiseField(shape, seed, level)`: the same field at every call. Needed when there is fresh noise. */
  readonly noise?: ((level: number) => Volume) | undefined;
  /** Level to begin at; `start` is the state there: a run goes on from a step with its `next` and level + 1. @default 0 */
  readonly level?: number | undefined;
}

export interface HqsStep extends Step {
  /** The data-consistent estimate z of this level. */
  readonly image: Volume;
  /** σ of the level. */
  readonly sigma: number;
  /** ρ of its data step. */
  readonly rho: number;
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
  options: HqsOptions = {},
): AsyncGenerator<HqsStep> {
  const { lambda = 0.3, zeta = 0.3, eta, eps = 'rederived', exactShare = 0.2, noise, level: first = 0, signal } = options;
  const { weight = (sigma: number) => lambda / sigma ** 2 } = options;
  const levels = sigmas.length - 1;
  const fresh = eps === 'none' ? 0 : (eta ?? zeta);
  checkLadder(sigmas, denoiser);
  checkOptions({ lambda, zeta, eta: eta ?? 0, exactShare }, fresh > 0 && noise === undefined, first, levels);
  let x = contiguous(start);
  for (let level = first; level < levels; level++) {
    await turn(signal);
    const [sigma, next] = [sigmas[level]!, sigmas[level + 1]!];
    const exact = level >= levels - Math.max(1, Math.floor(levels * exactShare));
    const rho = weight(sigma, level);
    const clean = await denoiser.denoise(x, sigma, { signal });
    const z = expectShape(await dataStep(clean, rho, { exact, signal }), x.shape, 'result of the data step');
    const n = fresh > 0 && next > 0 ? expectShape(noise!(level), x.shape, `noise of level ${level}`) : undefined;
    const [keep, add] = eta === undefined ? shares(zeta, next) : ddimShares(eta, sigma, next);
    x = eps === 'none' ? z : renoised(x, z, eps === 'network' ? clean : z, keep / sigma, add, n);
    yield { image: z, next: x, sigma, rho, level, fraction: (level + 1) / levels };
  }
}

/** σ' √(1−ζ) of ε̂ and σ' √ζ of n. */
export function shares(zeta: number, next: number): readonly [keep: number, add: number] {
  return [next * Math.sqrt(1 - zeta), next * Math.sqrt(zeta)];
}

function ddimShares(eta: number, sigma: number, next: number): readonly [keep: number, add: number] {
  const s = eta * next * Math.sqrt(1 - (next / sigma) ** 2);
  return [Math.sqrt(next * next - s * s), s];
}

/** z + keep (x − clean) + add n. */
export function renoised(x: Volume, z: Volume, clean: Volume, keep: number, add: number, n: Volume | undefined): Volume {
  return fill(x.shape, (i) => z.data[i]! + keep * (x.data[i]! - clean.data[i]!) + (n === undefined ? 0 : add * n.data[i]!));
}

/** @throws OptionError for levels that do not fall, or that the denoiser does not know. */
export function checkLadder(sigmas: ArrayLike<number>, { sigmaMin, sigmaMax }: Denoiser): void {
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

function checkOptions(
  { lambda, ...inUnit }: { readonly lambda: number; readonly zeta: number; readonly eta: number; readonly exactShare: number },
  lacksNoise: boolean,
  level: number,
  levels: number,
): void {
  if (!(lambda >= 0 && lambda < Infinity))
    throw new OptionError('Weight of the prior', { key: 'lambda', expected: 'a finite number ≥ 0', found: lambda });
  for (const [key, value] of Object.entries(inUnit)) {
    if (!(value >= 0 && value <= 1)) throw new OptionError('Share', { key, expected: '0 to 1', found: value });
  }
  if (lacksNoise)
    throw new OptionError('Fresh noise', { key: 'noise', expected: 'a function when zeta or eta > 0', found: undefined });
  checkLevel(level, levels);
}

/** @throws OptionError when a run cannot begin at the level. */
export function checkLevel(level: number, levels: number): void {
  if (!(Number.isInteger(level) && level >= 0 && level <= levels)) {
    throw new OptionError('First level', { key: 'level', expected: `an integer from 0 to ${levels}`, found: level });
  }
}
