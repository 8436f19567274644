import { describe, expect, it } from 'vitest';
import { logFactorial, random } from '../../src/core/random.js';
import { deviance, expectedDeviance, negLogLikelihood, poissonDevianceMean } from '../../src/recon/likelihood.js';
import { poissonDraw, randomMatrix, subsetsOf, times, volume } from './toy.js';

const a = randomMatrix(40, 6, 8);
const x = [0.3, 2, 0.05, 1, 4, 0.6];
const b = a.map((_, i) => 0.1 * (1 + (i % 3)));
const y = poissonDraw(times(a, x, b), 1);

/** E D by its definition, with logarithms of probabilities. */
function definition(m: number): number {
  let sum = 2 * m * Math.exp(-m);
  for (let k = 1; k < m + 40 * Math.sqrt(m) + 60; k++) {
    sum += Math.exp(k * Math.log(m) - m - logFactorial(k)) * 2 * (k * Math.log(k / m) - (k - m));
  }
  return sum;
}

describe('likelihood', () => {
  it('is that of the Poisson distribution, whatever the number of subsets', async () => {
    const ybar = times(a, x, b);
    const direct = ybar.reduce((sum, m, i) => sum - (y[i]! * Math.log(m) - m - logFactorial(y[i]!)), 0);
    const constant = y.reduce((sum, k) => sum + logFactorial(k), 0);
    for (const k of [1, 4]) expect(await negLogLikelihood(subsetsOf(a, y, b, k), volume(x))).toBeCloseTo(direct - constant, 4);
  });

  it('deviance is twice the gap to the likelihood of a perfect fit', async () => {
    const perfect = y.reduce((sum, k) => sum + (k > 0 ? k - k * Math.log(k) : 0), 0);
    const subsets = subsetsOf(a, y, b, 3);
    const { deviance: d, bins, leftOut } = await deviance(subsets, volume(x));
    expect(d).toBeCloseTo(2 * ((await negLogLikelihood(subsets, volume(x))) - perfect), 4);
    expect([bins, leftOut]).toEqual([40, 0]);
  });

  it('leaves out bins that cannot count, and says how many did', async () => {
    const masked = a.map((row, i) => (i < 10 ? row.map(() => 0) : row));
    const none = a.map(() => 0);
    const counts = y.map((value, i) => (i < 3 ? 5 : i < 10 ? 0 : value));
    const { deviance: d, bins, leftOut } = await deviance(subsetsOf(masked, counts, none, 2), volume(x));
    expect([bins, leftOut]).toEqual([30, 3]);
    expect(d).toBeCloseTo((await deviance(subsetsOf(a.slice(10), y.slice(10), none, 2), volume(x))).deviance, 5);
    expect(Number.isFinite(await negLogLikelihood(subsetsOf(masked, counts, none, 2), volume(x)))).toBe(true);
  });
});

describe('expected deviance', () => {
  it.each([1e-9, 1e-4, 0.02, 0.5, 1, 3.7, 12, 39.9, 40.1, 100, 1e4])('of a mean of %d is its definition', (m) => {
    expect(Math.abs(poissonDevianceMean(m) / definition(m) - 1)).toBeLessThan(m < 40 ? 1e-9 : 1e-5);
  });

  it('is far below 1 for few counts and goes to 1 for many', () => {
    expect(poissonDevianceMean(0.01)).toBeLessThan(0.1);
    expect(poissonDevianceMean(1e6)).toBeCloseTo(1, 6);
  });

  it('is the mean over simulated scans', async () => {
    const ybar = times(a, x, b);
    const r = random(4);
    const scans = 4000;
    let sum = 0;
    for (let i = 0; i < scans; i++)
      for (const m of ybar) {
        const k = r.poisson(m);
        sum += 2 * ((k > 0 ? k * Math.log(k / m) : 0) - (k - m));
      }
    const subsets = subsetsOf(a, y, b, 4);
    const { deviance: expected, bins } = await expectedDeviance(subsets, volume(x));
    expect(Math.abs(expected / (sum / scans) - 1)).toBeLessThan(0.015);
    expect(bins).toBe(40);
  });

  it('stops with the reason it is given', async () => {
    const reason = new Error('enough');
    await expect(expectedDeviance(subsetsOf(a, y, b, 2), volume(x), { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  });
});
