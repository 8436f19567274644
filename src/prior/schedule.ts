/** @file  Noise schedules: a network's time t ↔ σ, the noise level relative to the clean image (x = x₀ + σ n).
 *    cosine    α = cos(πt/2),  σ_vp = sin(πt/2),  σ = σ_vp/α = tan(πt/2),  t in [0, 1)     Nichol & Dhariwal 2021, arXiv:2102.09672
 *    linear β  ᾱ_t = Π_{i ≤ t} (1 − β_i),  σ = √((1−ᾱ)/ᾱ),  t = 0 … T−1                    Ho et al. 2020 (DDPM), arXiv:2006.11239
 *  In either the network sees x_t = α x with α = 1/√(1+σ²), which is √ᾱ. */
import { OptionError } from '../core/errors.js';

/** Time of a network ↔ noise level. */
export interface Schedule {
  readonly sigmaMin: number;
  readonly sigmaMax: number;
  /** σ at time t. */
  sigma(time: number): number;
  /** t at which the noise level is σ. */
  time(sigma: number): number;
}

/** Networks trained with t uniform in (0, 1). Its end σ(1) is infinite, so it stops at t = 0.999, σ = 637. */
export const cosine: Schedule = {
  sigmaMin: 0,
  sigmaMax: Math.tan((Math.PI / 2) * 0.999),
  sigma: (time) => Math.tan((Math.PI / 2) * time),
  time: (sigma) => (2 / Math.PI) * Math.atan(sigma),
};

/** ᾱ_t for t = 0 … T−1, β from `first` to `last` in equal steps. */
export function linearAlphaBar(steps = 1000, first = 1e-4, last = 0.02): Float64Array {
  const alphaBar = new Float64Array(steps);
  let product = 1;
  for (let t = 0; t < steps; t++) alphaBar[t] = product *= 1 - (first + ((last - first) * t) / (steps - 1));
  return alphaBar;
}

/**
 * Networks trained at the timesteps of a table; between two timesteps ln σ is interpolated.
 * @param alphaBar ᾱ_t, decreasing within (0, 1). @default the table of DDPM, `linearAlphaBar()`
 * @throws OptionError when it does not decrease.
 */
export function discrete(alphaBar: ArrayLike<number> = linearAlphaBar()): Schedule {
  const logSigma = Array.from(alphaBar, (a) => Math.log((1 - a) / a) / 2);
  const end = logSigma.length - 1;
  if (end < 1 || logSigma.some((s, t) => !Number.isFinite(s) || !(t === 0 || s > logSigma[t - 1]!))) {
    throw new OptionError('Noise schedule', {
      key: 'alphaBar',
      expected: 'two or more values, decreasing from below 1 to above 0',
      found: Array.from(alphaBar),
    });
  }
  const sigma = (time: number): number => {
    const t = Math.min(Math.max(Math.floor(time), 0), end - 1);
    return Math.exp(logSigma[t]! + (time - t) * (logSigma[t + 1]! - logSigma[t]!));
  };
  const time = (level: number): number => {
    const wanted = Math.log(level);
    let t = logSigma.findIndex((s) => s > wanted) - 1;
    t = t === -2 ? end - 1 : Math.max(t, 0);
    return t + (wanted - logSigma[t]!) / (logSigma[t + 1]! - logSigma[t]!);
  };
  return { sigmaMin: Math.exp(logSigma[0]!), sigmaMax: Math.exp(logSigma[end]!), sigma, time };
}

/**
 * Noise levels of a sampler: σ at times t₀, t₀ (1 − 1/steps), …, t₀/steps, and 0.
 * @param t0 time to begin at, in the schedule's own measure.
 * @param steps ≥ 1; steps + 1 levels are returned, strictly decreasing.
 * @throws OptionError when t0 or steps is out of range.
 */
export function sigmaLadder(t0: number, steps: number, schedule: Schedule = cosine): Float64Array {
  if (!(Number.isInteger(steps) && steps >= 1))
    throw new OptionError('Noise levels', { key: 'steps', expected: 'an integer ≥ 1', found: steps });
  const most = schedule.time(schedule.sigmaMax);
  if (!(t0 > 0 && t0 <= most + 1e-9))
    throw new OptionError('Noise levels', { key: 't0', expected: `above 0, at most ${most}`, found: t0 });
  return Float64Array.from({ length: steps + 1 }, (_, i) => (i === steps ? 0 : schedule.sigma(t0 * (1 - i / steps))));
}

/** What ancestral sampling needs at each of its timesteps, ascending; see `ddpm`. */
export interface PosteriorTable {
  /** t that the network is told. */
  readonly timesteps: readonly number[];
  readonly alphaBar: Float64Array;
  /** ln β, the upper end of the variance. */
  readonly logBeta: Float64Array;
  /** ln β̃, the lower end: β̃ = β (1 − ᾱ')/(1 − ᾱ), ᾱ' at the timestep before; the first, which is 0, replaced by the second. */
  readonly logPosterior: Float64Array;
  /** c₁ = β √ᾱ'/(1 − ᾱ): weight of x̂₀ in the mean. */
  readonly cleanWeight: Float64Array;
  /** c₂ = √α (1 − ᾱ')/(1 − ᾱ): weight of x_t in the mean. */
  readonly noisyWeight: Float64Array;
}

/**
 * The posterior q(x_{t−1} | x_t, x₀) at some of the timesteps of a network, β = 1 − ᾱ/ᾱ'. Ho et al. 2020, arXiv:2006.11239, Eqs. 6 and 7;
 * leaving timesteps out: Nichol & Dhariwal 2021, arXiv:2102.09672, Eq. 19.
 * @param alphaBar table that the network was trained with. @param timesteps ascending, two or more. @default all
 * @throws OptionError when a timestep is out of range or they do not ascend.
 */
export function posteriorTable(
  alphaBar: Float64Array = linearAlphaBar(),
  timesteps: readonly number[] = Array.from(alphaBar, (_, t) => t),
): PosteriorTable {
  const ascending = timesteps.every((t, i) => Number.isInteger(t) && t < alphaBar.length && t > (timesteps[i - 1] ?? -1));
  if (timesteps.length < 2 || !ascending) {
    throw new OptionError('Timesteps', {
      key: 'timesteps',
      expected: `two or more, ascending within 0 to ${alphaBar.length - 1}`,
      found: [...timesteps],
    });
  }
  const a = Float64Array.from(timesteps, (t) => alphaBar[t]!);
  const before = (i: number): number => (i === 0 ? 1 : a[i - 1]!);
  const beta = a.map((value, i) => 1 - value / before(i));
  const posterior = a.map((value, i) => (beta[i]! * (1 - before(i))) / (1 - value));
  return {
    timesteps,
    alphaBar: a,
    logBeta: beta.map(Math.log),
    logPosterior: posterior.map((_, i) => Math.log(posterior[Math.max(i, 1)]!)),
    cleanWeight: a.map((value, i) => (beta[i]! * Math.sqrt(before(i))) / (1 - value)),
    noisyWeight: a.map((value, i) => ((1 - before(i)) * Math.sqrt(1 - beta[i]!)) / (1 - value)),
  };
}

/** `count` of the timesteps 0 … T − 1, evenly spaced, both ends included; halves are rounded to even, as guided-diffusion does. */
export function spacedTimesteps(count: number, T = 1000): number[] {
  if (!(Number.isInteger(count) && count >= 2 && count <= T)) {
    throw new OptionError('Timesteps', { key: 'count', expected: `an integer from 2 to ${T}`, found: count });
  }
  const stride = (T - 1) / (count - 1);
  let at = 0;
  return Array.from({ length: count }, () => {
    const below = Math.floor(at);
    const rest = at - below;
    at += stride;
    return rest > 0.5 || (rest === 0.5 && below % 2 === 1) ? below + 1 : below;
  });
}
