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
