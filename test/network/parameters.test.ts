import { describe, expect, it } from 'vitest';
import { size } from '../../src/core/array.js';
import { initialParameters, parameterCount, parameterManifest } from '../../src/network/parameters.js';
import type { Architecture } from '../../src/network/unet.js';
import { sameBits } from './laws.js';

const architecture: Architecture = {
  kind: 'unet3d',
  inputChannels: 2,
  fold: 2,
  channels: [16, 32],
  embedding: 10,
  features: 7,
  groups: 8,
};

describe('parameters', () => {
  it('fill the flat array without gap or overlap, each name once', () => {
    const manifest = parameterManifest(architecture);
    let next = 0;
    for (const { shape, offset } of manifest) {
      expect(offset).toBe(next);
      next += size(shape);
    }
    expect(parameterCount(architecture)).toBe(next);
    expect(new Set(manifest.map(({ name }) => name)).size).toBe(manifest.length);
  });

  it('count as by hand', () => {
    const conv = (ci: number, co: number, k: number): number => co * (ci * k ** 3 + 1);
    const block = (ci: number, co: number): number =>
      2 * ci + 2 * co + conv(ci, co, 3) + conv(co, co, 3) + 11 * co + (ci === co ? 0 : conv(ci, co, 1));
    const time = 8 * 10 + 11 * 10;
    const expected =
      time +
      conv(16, 16, 3) +
      block(16, 16) +
      conv(128, 32, 1) +
      block(32, 32) +
      conv(32, 16, 1) +
      block(32, 16) +
      32 +
      conv(16, 8, 3);
    expect(parameterCount(architecture)).toBe(expected);
  });

  it('start from the seed: scaled normal weights, unit gammas, a last convolution of zeros', () => {
    const flat = initialParameters(architecture, 5);
    const of = (name: string): Float32Array => {
      const { offset, shape } = parameterManifest(architecture).find((entry) => entry.name === name)!;
      return flat.subarray(offset, offset + size(shape));
    };
    const weight = of('encoder1.conv1.weight');
    const deviation = Math.sqrt(weight.reduce((sum, value) => sum + value * value, 0) / weight.length);
    expect(deviation * Math.sqrt(27 * 32)).toBeCloseTo(1, 1);
    expect(of('decoder0.norm1.gamma').every((value) => value === 1)).toBe(true);
    expect(of('head.weight').every((value) => value === 0)).toBe(true);
    expect(sameBits(initialParameters(architecture, 5), flat)).toBe(true);
    expect(sameBits(initialParameters(architecture, 6), flat)).toBe(false);
  });

  it('names are pinned: weights on disk are found by them', () => {
    expect(parameterManifest({ ...architecture, channels: [8] }).map(({ name }) => name)).toEqual([
      'time1.weight',
      'time1.bias',
      'time2.weight',
      'time2.bias',
      'stem.weight',
      'stem.bias',
      'encoder0.time.weight',
      'encoder0.time.bias',
      'encoder0.norm1.gamma',
      'encoder0.norm1.beta',
      'encoder0.conv1.weight',
      'encoder0.conv1.bias',
      'encoder0.norm2.gamma',
      'encoder0.norm2.beta',
      'encoder0.conv2.weight',
      'encoder0.conv2.bias',
      'head.norm.gamma',
      'head.norm.beta',
      'head.weight',
      'head.bias',
    ]);
  });
});
