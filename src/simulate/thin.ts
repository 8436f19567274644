/** @file  A low-dose scan out of a full one: each prompt is kept with probability p. Thinned Poisson counts are Poisson counts of p times
 *  the mean, so that a real scan gives real low-dose data; the model stays right with m → p m and a unchanged. (Randoms fall with the
 *  square of a real dose; thinning is a shorter scan rather than less activity.) */
import { array, fill } from '../core/array.js';
import { OptionError } from '../core/errors.js';
import { type CallOptions, turn } from '../core/iterate.js';
import { logFactorial, random } from '../core/random.js';
import type { Scan } from '../geometry/scan.js';

export interface ThinOptions extends CallOptions {
  readonly seed: number;
}

/**
 * The scan at a fraction of its counts, by binomial thinning.
 * @param fraction p in (0, 1].
 * @throws OptionError when p is not in (0, 1], or a prompt is not a whole number (corrected data cannot be thinned).
 */
export async function thin(scan: Scan, fraction: number, { seed, signal }: ThinOptions): Promise<Scan> {
  if (!(fraction > 0 && fraction <= 1)) {
    throw new OptionError('Thinning', { key: 'fraction', expected: 'a number in (0, 1]', found: fraction });
  }
  const { layout, values } = scan.prompts;
  const { uniform } = random(seed, 102);
  const kept = array(values.shape);
  const binsPerTurn = 1 << 17;
  for (let i = 0; i < values.data.length; i++) {
    if (i % binsPerTurn === 0) await turn(signal);
    const n = values.data[i]!;
    if (!Number.isInteger(n) || n < 0) {
      throw new OptionError('Only counts can be thinned', {
        key: 'prompts',
        expected: 'whole numbers ≥ 0',
        found: n,
        hint: 'Were randoms subtracted, or the data scaled?',
      });
    }
    kept.data[i] = binomial(n, fraction, uniform);
  }
  const m = scan.multiplicative?.values;
  return {
    ...scan,
    prompts: { layout, values: kept },
    multiplicative: { layout, values: fill(values.shape, m ? (i) => fraction * m.data[i]! : () => fraction) },
  };
}

/**
 * Binomial deviate, exact. Below a mean of 10 by the waiting times between successes (Devroye 1986, X.4.3); above by Hörmann's
 * transformed rejection BTRS, Hörmann 1993, doi:10.1080/00949659308811496.
 */
export function binomial(n: number, p: number, uniform: () => number): number {
  if (p > 0.5) return n - binomial(n, 1 - p, uniform);
  if (p === 0 || n === 0) return 0;
  if (n * p < 10) {
    const perFailure = Math.log1p(-p);
    let successes = -1;
    for (let trials = 0; trials <= n; successes++) trials += 1 + Math.floor(Math.log1p(-uniform()) / perFailure);
    return successes;
  }
  const spread = Math.sqrt(n * p * (1 - p));
  const b = 1.15 + 2.53 * spread;
  const a = -0.0873 + 0.0248 * b + 0.01 * p;
  const c = n * p + 0.5;
  const alpha = (2.83 + 5.1 / b) * spread;
  const mode = Math.floor((n + 1) * p);
  const logOdds = Math.log(p / (1 - p));
  const atMode = logFactorial(mode) + logFactorial(n - mode);
  for (;;) {
    const u = uniform() - 0.5;
    const us = 0.5 - Math.abs(u);
    const k = Math.floor(((2 * a) / us + b) * u + c);
    if (k < 0 || k > n) continue;
    const v = Math.log((uniform() * alpha) / (a / (us * us) + b));
    if (v <= (k - mode) * logOdds + atMode - logFactorial(k) - logFactorial(n - k)) return k;
  }
}
