/** @file  Ordered subsets of views. */
import { OptionError } from '../core/errors.js';

/**
 * Splits views into n subsets of equally spaced views, v ≡ k (mod n), in Herman & Meyer's order, in which a subset is far in angle from
 * those just before it. Herman & Meyer 1993, doi:10.1109/42.241889.
 * @throws OptionError when n is not in 1 … views.
 */
export function orderedSubsets(views: number, n: number): number[][] {
  if (!Number.isInteger(n) || n < 1 || n > views) {
    throw new OptionError('Number of subsets', { expected: `1 … ${views} (the number of views)`, found: n });
  }
  return hermanMeyer(n).map((k) => Array.from({ length: Math.ceil((views - k) / n) }, (_, i) => k + i * n));
}

/** 0 … n−1 permuted: digits of the mixed radix made of n's prime factors, read backwards. */
function hermanMeyer(n: number): number[] {
  const factors: number[] = [];
  for (let rest = n, p = 2; rest > 1; ) {
    if (rest % p === 0) {
      factors.push(p);
      rest /= p;
    } else p++;
  }
  return Array.from({ length: n }, (_, index) => {
    let place = n;
    let value = 0;
    let rest = index;
    for (const p of factors) {
      place /= p;
      value += (rest % p) * place;
      rest = Math.floor(rest / p);
    }
    return value;
  });
}
