import { expect, it } from 'vitest';
import { timeFeatures } from '../../src/network/features.js';

it('sines, then cosines, at 1 … 100 rad, then the presence flag', () => {
  const found = timeFeatures(0.3, 1, 7);
  const expected = [Math.sin(0.3), Math.sin(3), Math.sin(30), Math.cos(0.3), Math.cos(3), Math.cos(30), 1];
  found.forEach((value, i) => {
    expect(value).toBeCloseTo(expected[i], 6);
  });
  expect(timeFeatures(0.5, 0, 33).at(-1)).toBe(0);
  expect(timeFeatures(1, 1, 1)).toEqual(Float32Array.of(1));
});

it('refuses an even count and a time outside [0, 1]', () => {
  expect(() => timeFeatures(0.5, 1, 8)).toThrow(/odd/);
  expect(() => timeFeatures(1.01, 1, 7)).toThrow(/\[0, 1\], found 1.01/);
  expect(() => timeFeatures(Number.NaN, 1, 7)).toThrow(/Time/);
});
