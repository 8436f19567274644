import { expect, it } from 'vitest';
import { meanFlag, networkFeatures } from '../../src/network/features.js';

const all = { features: 11, knows: ['condition', 'anatomy', 'mean', 'noise'] } as const;

it('sines, then cosines, at 1 … 100 rad, then what the network knows', () => {
  const found = networkFeatures(all, { t: 0.3, condition: true, noise: 0.4 });
  const expected = [Math.sin(0.3), Math.sin(3), Math.sin(30), Math.cos(0.3), Math.cos(3), Math.cos(30)].concat([
    1,
    0,
    0,
    1,
    Math.log(2),
  ]);
  expect(found).toHaveLength(11);
  found.forEach((value, i) => {
    expect(value).toBeCloseTo(expected[i], 6);
  });
  expect([...networkFeatures(all, { t: 0, anatomy: true, mean: true }).slice(6)]).toEqual([0, 1, 1, 0, 0]);
  expect(meanFlag(all)).toBe(8);
});

it('a network that knows of the condition alone is told of it alone', () => {
  expect(networkFeatures({ features: 33 }, { t: 0.5, mean: true, noise: 1 }).at(-1)).toBe(0);
  expect(networkFeatures({ features: 1 }, { t: 1, condition: true })).toEqual(Float32Array.of(1));
  expect(meanFlag({ features: 33 })).toBe(-1);
});

it('refuses a time outside [0, 1] and a noise level that is none', () => {
  expect(() => networkFeatures(all, { t: 1.01 })).toThrow(/\[0, 1\], found 1.01/);
  expect(() => networkFeatures(all, { t: Number.NaN })).toThrow(/Time/);
  expect(() => networkFeatures(all, { t: 0, noise: -1 })).toThrow(/Noise level/);
});
