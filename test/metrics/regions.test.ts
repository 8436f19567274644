import { describe, expect, it } from 'vitest';
import { array, fill } from '../../src/core/array.js';
import { OptionError } from '../../src/core/errors.js';
import {
  coefficientOfVariation,
  contrastRecovery,
  ensembleNoise,
  regionBias,
  regionStatistics,
} from '../../src/metrics/regions.js';

const shape = [1, 2, 4];
const labels = array(shape, Float32Array.of(0, 7, 7, 7, 2, 2, 5, 5));
const truth = array(shape, Float32Array.of(9, 1, 1, 1, 4, 4, 0, 0));
const image = array(shape, Float32Array.of(9, 1, 2, 3, 5, 5, 1, 1));

describe('regionStatistics', () => {
  it('gives mean, unbiased spread and size per label, without label 0', () => {
    expect(regionStatistics(image, labels)).toEqual([
      { label: 2, voxels: 2, mean: 5, sd: 0, cov: 0 },
      { label: 5, voxels: 2, mean: 1, sd: 0, cov: 0 },
      { label: 7, voxels: 3, mean: 2, sd: 1, cov: 0.5 },
    ]);
  });
});

describe('regionBias', () => {
  it('is the relative difference of means in per cent', () => {
    const [hot, cold, background] = regionBias(image, truth, labels);
    expect(hot).toMatchObject({ mean: 5, trueMean: 4, bias: 25 });
    expect(background!.bias).toBeCloseTo(100, 12);
    expect(cold!.bias).toBe(Infinity);
  });
});

describe('contrastRecovery', () => {
  it('is 1 for the truth and 0 for a flat image, hot or cold', () => {
    const flat = fill(shape, () => 3);
    for (const lesion of [2, 5]) {
      expect(contrastRecovery(truth, truth, labels, { lesion, background: 7 })).toBe(1);
      expect(contrastRecovery(flat, truth, labels, { lesion, background: 7 })).toBeCloseTo(0, 12);
    }
  });

  it('gives the values worked by hand', () => {
    expect(contrastRecovery(image, truth, labels, { lesion: 2, background: 7 })).toBeCloseTo((5 / 2 - 1) / 3, 12);
    expect(contrastRecovery(image, truth, labels, { lesion: 5, background: 7 })).toBeCloseTo((1 - 1 / 2) / 1, 12);
  });

  it('refuses a label that is not there and a truth without contrast', () => {
    expect(() => contrastRecovery(image, truth, labels, { lesion: 3, background: 7 })).toThrow(OptionError);
    const flat = fill(shape, () => 3);
    expect(() => contrastRecovery(image, flat, labels, { lesion: 2, background: 7 })).toThrow(/no contrast/);
  });
});

describe('noise', () => {
  it('over realisations is the mean over voxels of SD / mean', () => {
    const other = array(shape, Float32Array.of(0, 3, 2, 1, 0, 0, 0, 0));
    // label 7: (1, 3), (2, 2), (3, 1): SD √2, 0, √2 of mean 2
    expect(ensembleNoise([image, other], labels, 7)).toBeCloseTo(Math.SQRT2 / 3, 12);
    expect(() => ensembleNoise([image], labels, 7)).toThrow(OptionError);
    expect(() => ensembleNoise([image, other], labels, 4)).toThrow(OptionError);
  });

  it('over regions is SD / mean of their means', () => {
    expect(coefficientOfVariation([2, 4, 6])).toBeCloseTo(0.5, 12);
  });
});
