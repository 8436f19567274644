import { describe, expect, it } from 'vitest';
import { array, fill } from '../../src/core/array.js';
import { OptionError } from '../../src/core/errors.js';
import { random } from '../../src/core/random.js';
import { intervalCoverage, predictionFactor } from '../../src/metrics/coverage.js';

describe('predictionFactor', () => {
  it('is Student’s quantile times √(1 + 1/K)', () => {
    // Quantiles of any table of Student's t: t(0.95; 3) = 2.3534, t(0.95; 15) = 1.7531, t(0.975; 1) = 12.706.
    expect(predictionFactor(4)).toBeCloseTo(2.3534 * Math.sqrt(1.25), 3);
    expect(predictionFactor(16)).toBeCloseTo(1.7531 * Math.sqrt(17 / 16), 3);
    expect(predictionFactor(2, 0.95)).toBeCloseTo(12.706 * Math.sqrt(1.5), 2);
  });

  it('refuses what gives no interval', () => {
    expect(() => predictionFactor(1)).toThrow(OptionError);
    expect(() => predictionFactor(4, 1)).toThrow(OptionError);
  });
});

describe('intervalCoverage', () => {
  const n = 20_000;
  const r = random(5);
  const k = 4;
  const truth = fill([1, 1, n], () => 3 + r.normal());
  const mean = array([1, 1, n]);
  const spread = array([1, 1, n]);
  for (let i = 0; i < n; i++) {
    const draws = Array.from({ length: k }, () => 3 + r.normal());
    mean.data[i] = draws.reduce((sum, x) => sum + x, 0) / k;
    spread.data[i] = Math.sqrt(draws.reduce((sum, x) => sum + (x - mean.data[i]!) ** 2, 0) / (k - 1));
  }

  it('is the level where truth and samples come from one distribution', () => {
    expect(intervalCoverage(mean, spread, truth, { samples: k })).toBeCloseTo(0.9, 2);
    expect(intervalCoverage(mean, spread, truth, { samples: k, level: 0.5 })).toBeCloseTo(0.5, 1);
  });

  it('falls when the spread is too small, and looks only where it is told', () => {
    const half = fill(spread.shape, (i) => spread.data[i]! / 2);
    expect(intervalCoverage(mean, half, truth, { samples: k })).toBeLessThan(0.75);
    const off = fill(truth.shape, (i) => truth.data[i]! + (i < n / 2 ? 1e3 : 0));
    const mask = fill(truth.shape, (i) => (i < n / 2 ? 0 : 1));
    expect(intervalCoverage(mean, spread, off, { samples: k, mask })).toBeCloseTo(0.9, 1);
    expect(intervalCoverage(mean, spread, off, { samples: k })).toBeLessThan(0.5);
    expect(() => intervalCoverage(mean, spread, truth, { samples: k, mask: array(truth.shape) })).toThrow(/no voxel/);
  });
});
