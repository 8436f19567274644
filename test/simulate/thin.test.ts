import { describe, expect, it } from 'vitest';
import { array, fill } from '../../src/core/array.js';
import { OptionError } from '../../src/core/errors.js';
import { logFactorial, random } from '../../src/core/random.js';
import type { Scan } from '../../src/geometry/scan.js';
import { scannerByName } from '../../src/geometry/scanners.js';
import { sinogramLayout, sinogramShape } from '../../src/geometry/sinogram.js';
import { binomial, thin } from '../../src/simulate/thin.js';

describe('binomial', () => {
  it.each([
    [1, 0.3],
    [7, 0.5],
    [40, 0.2],
    [40, 0.9],
    [100, 0.37],
    [1000, 0.013],
    [5000, 0.6],
  ])('of %d, %f has the exact distribution', (n, p) => {
    const { uniform } = random(5);
    const draws = 40000;
    const seen = new Float64Array(n + 1);
    for (let i = 0; i < draws; i++) seen[binomial(n, p, uniform)]! += 1;
    let chi = 0;
    let cells = 0;
    seen.forEach((count, k) => {
      const log = logFactorial(n) - logFactorial(k) - logFactorial(n - k) + k * Math.log(p) + (n - k) * Math.log1p(-p);
      const expected = draws * Math.exp(log);
      if (expected < 5) return;
      chi += (count - expected) ** 2 / expected;
      cells++;
    });
    expect(Math.abs(chi - cells) / Math.sqrt(2 * cells)).toBeLessThan(4);
  });

  it('is 0 and n at the ends', () => {
    const { uniform } = random(1);
    expect([binomial(9, 0, uniform), binomial(9, 1, uniform), binomial(0, 0.4, uniform)]).toEqual([0, 9, 0]);
  });
});

const differing = (a: Float32Array, b: Float32Array): number => a.reduce((n, v, i) => n + (v === b[i] ? 0 : 1), 0);

describe('thin', () => {
  const layout = sinogramLayout(scannerByName('small'), { maxRingDifference: 0, tangential: 19 });
  const shape = sinogramShape(layout);
  const mean = (i: number): number => 1 + (i % 37);
  const { poisson } = random(3);
  const prompts = { layout, values: fill(shape, (i) => poisson(mean(i))) };
  const scan: Scan = {
    prompts,
    multiplicative: { layout, values: fill(shape, (i) => 0.5 + (i % 5)) },
    additive: { layout, values: fill(shape, (i) => i % 3) },
    position: 'HFP',
  };

  it('keeps Poisson statistics at the fraction of the mean', async () => {
    const { values } = (await thin(scan, 0.2, { seed: 8 })).prompts;
    let deviation = 0;
    let chi = 0;
    let all = 0;
    values.data.forEach((y, i) => {
      deviation += y - 0.2 * mean(i);
      chi += (y - 0.2 * mean(i)) ** 2 / (0.2 * mean(i)) - 1;
      all += 0.2 * mean(i);
    });
    expect(Math.abs(deviation)).toBeLessThan(4 * Math.sqrt(all));
    expect(Math.abs(chi)).toBeLessThan(4 * Math.sqrt(3.5 * values.data.length));
  });

  it('takes from each bin a part of its own counts, at random', async () => {
    const { values } = (await thin(scan, 0.5, { seed: 8 })).prompts;
    expect(values.data.every((y, i) => y >= 0 && y <= prompts.values.data[i]!)).toBe(true);
    // Given n, the variance is n p (1 − p): half of what independent Poisson counts would have about n p.
    let chi = 0;
    let bins = 0;
    values.data.forEach((y, i) => {
      const n = prompts.values.data[i]!;
      if (n === 0) return;
      chi += (y - 0.5 * n) ** 2 / (0.25 * n);
      bins++;
    });
    expect(chi / bins).toBeCloseTo(1, 1);
    expect(differing((await thin(scan, 0.5, { seed: 8 })).prompts.values.data, values.data)).toBe(0);
    expect(differing((await thin(scan, 0.5, { seed: 9 })).prompts.values.data, values.data)).toBeGreaterThan(100);
  });

  it('keeps the model right: m times the fraction, a as it was', async () => {
    const low = await thin(scan, 0.1, { seed: 1 });
    const worst = low.multiplicative!.values.data.reduce((most, m, i) => Math.max(most, Math.abs(m - 0.1 * (0.5 + (i % 5)))), 0);
    expect(worst).toBeLessThan(1e-6);
    expect(low.additive).toBe(scan.additive);
    expect(low.position).toBe('HFP');
    const bare = await thin({ prompts, position: 'HFS' }, 0.1, { seed: 1 });
    expect(new Set(bare.multiplicative!.values.data)).toEqual(new Set([Math.fround(0.1)]));
  });

  it('returns the counts themselves at 1, and refuses what are no counts', async () => {
    expect(differing((await thin(scan, 1, { seed: 1 })).prompts.values.data, prompts.values.data)).toBe(0);
    await expect(thin(scan, 0, { seed: 1 })).rejects.toThrow(OptionError);
    await expect(thin(scan, 1.1, { seed: 1 })).rejects.toThrow(OptionError);
    const corrected = {
      ...scan,
      prompts: { layout, values: array(shape, new Float32Array(prompts.values.data.length).fill(0.5)) },
    };
    await expect(thin(corrected, 0.5, { seed: 1 })).rejects.toThrow(/prompts/);
  });
});
