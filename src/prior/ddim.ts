/** @file  DDIM written in σ, from level σ to the next σ':   x̂₀ = D(x, σ),  ε̂ = (x − x̂₀)/σ
 *    x ← x̂₀ + √(σ'² − s²) ε̂ + s n,   s = η σ' √(1 − σ'²/σ²),  n ~ N(0, I)
 *  η = 0 is deterministic DDIM, an Euler step of the probability-flow ODE; η = 1 is DDPM.
 *  Song, Meng & Ermon 2021, arXiv:2010.02502, Eqs. 12 and 16, with x/√ᾱ written x. */
import { contiguous, expectShape, fill, type Volume } from '../core/array.js';
import { OptionError } from '../core/errors.js';
import type { Denoiser } from '../core/interfaces.js';
import { type CallOptions, type Step, turn } from '../core/iterate.js';

export interface DdimOptions extends CallOptions {
  /** Stochasticity η in [0, 1]. @default 0 */
  readonly eta?: number | undefined;
  /** Standard normal field for a level (0 is σ₁), e.g. `(level) => noiseField(shape, seed, level)`. Needed when η > 0. */
  readonly noise?: ((level: number) => Volume) | undefined;
  /** Level to begin at; x is the state there. A run goes on from a step with its image and level + 1. @default 0 */
  readonly level?: number | undefined;
}

export interface DdimStep extends Step {
  /** Level just left, from 0. */
  readonly level: number;
  /** σ of the image: the next level's. */
  readonly sigma: number;
}

/**
 * Carries a noisy volume down the noise levels to a clean one.
 * @param start volume at the first level, shape [nz, ny, nx], in the denoiser's units.
 *   σ₁ n samples the prior; a measured image whose noise is about σ₁ is denoised.
 * @param sigmas strictly decreasing, all but the last within the denoiser's range; a final 0 makes the last step return x̂₀.
 * @yields the volume at each next level.
 * @throws OptionError when an option, or the ladder, is out of range. @throws ShapeError when noise or estimate do not fit `start`.
 */
export async function* ddim(
  denoiser: Denoiser,
  start: Volume,
  sigmas: ArrayLike<number>,
  { eta = 0, noise, level: first = 0, signal }: DdimOptions = {},
): AsyncGenerator<DdimStep> {
  const steps = sigmas.length - 1;
  check(checkedLadder(denoiser, sigmas), eta, noise, first);
  let x = contiguous(start);
  for (let level = first; level < steps; level++) {
    await turn(signal);
    const [sigma, next] = [sigmas[level]!, sigmas[level + 1]!];
    const s = eta * next * Math.sqrt(1 - (next / sigma) ** 2);
    const clean = expectShape(await denoiser.denoise(x, sigma, { signal }), x.shape, 'denoised volume');
    const n = s > 0 ? expectShape(noise!(level), x.shape, `noise of level ${level}`) : undefined;
    x = ddimStep(x, clean, Math.sqrt(next * next - s * s) / sigma, s, n);
    yield { image: x, level, sigma: next, fraction: (level + 1) / steps };
  }
}

/** x̂₀ + keep (x − x̂₀) + s n, where keep = √(σ'² − s²)/σ. */
function ddimStep(x: Volume, clean: Volume, keep: number, s: number, n: Volume | undefined): Volume {
  return fill(x.shape, (i) => clean.data[i]! + keep * (x.data[i]! - clean.data[i]!) + (n === undefined ? 0 : s * n.data[i]!));
}

/** The levels of a sampler. @throws OptionError when they do not decrease, or leave the denoiser's range. */
export function checkedLadder({ sigmaMin, sigmaMax }: Denoiser, sigmas: ArrayLike<number>): readonly number[] {
  const ladder = Array.from(sigmas);
  const fault = { key: 'sigmas', found: ladder };
  if (ladder.length < 2 || ladder.some((sigma, i) => !(i === 0 || sigma < ladder[i - 1]!)) || !(ladder.at(-1)! >= 0)) {
    throw new OptionError('Noise levels', { ...fault, expected: 'two or more, strictly decreasing, the last ≥ 0' });
  }
  if (!(ladder[0]! <= sigmaMax && ladder.at(-2)! >= sigmaMin)) {
    throw new OptionError('Noise levels', {
      ...fault,
      expected: `all but the last within the denoiser's ${sigmaMin} to ${sigmaMax}`,
      hint: 'Levels are in the units of the volume: is the denoiser scaled to them?',
    });
  }
  return ladder;
}

function check(ladder: readonly number[], eta: number, noise: DdimOptions['noise'], level: number): void {
  if (!(eta >= 0 && eta <= 1)) throw new OptionError('Stochasticity', { key: 'eta', expected: '0 to 1', found: eta });
  if (eta > 0 && noise === undefined)
    throw new OptionError('Fresh noise', { key: 'noise', expected: 'a function when eta > 0', found: noise });
  if (!(Number.isInteger(level) && level >= 0 && level < ladder.length)) {
    throw new OptionError('First level', { key: 'level', expected: `an integer from 0 to ${ladder.length - 1}`, found: level });
  }
}
