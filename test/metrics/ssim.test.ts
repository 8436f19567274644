import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { array, fill, type Shape3, type Volume } from '../../src/core/array.js';
import { ShapeError } from '../../src/core/errors.js';
import { noiseField } from '../../src/core/random.js';
import { ssim } from '../../src/metrics/ssim.js';

/** Made by scripts/ssim-golden.py, which states the same input formulas. */
const golden = JSON.parse(readFileSync(new URL('../fixtures/ssim.json', import.meta.url), 'utf8')) as {
  shape: Shape3;
  dataRange: number;
  ssim: number;
}[];

const at =
  ([, ny, nx]: Shape3, f: (z: number, y: number, x: number) => number) =>
  (i: number) =>
    f(Math.floor(i / (ny * nx)), Math.floor(i / nx) % ny, i % nx);
const referenceOf = (shape: Shape3): Volume =>
  fill(
    shape,
    at(shape, (z, y, x) => 3 + 2 * Math.sin(0.7 * z + 0.3 * y) + 0.05 * x * y - 0.02 * z * x),
  );
function imageOf(shape: Shape3): Volume {
  const reference = referenceOf(shape);
  const extra = at(shape, (z, y, x) => 0.4 * Math.cos(1.3 * x - 0.6 * z) + 0.01 * y * z);
  return fill(shape, (i) => reference.data[i]! + extra(i));
}

describe('ssim', () => {
  it.each(golden)('is the brute-force value for %j', ({ shape, dataRange, ssim: expected }) => {
    expect(ssim(imageOf(shape), referenceOf(shape), { dataRange }).ssim).toBeCloseTo(expected, 6);
  });

  it('is 1 for equal images and symmetric for a given range', () => {
    const a = imageOf([9, 11, 13]);
    const b = referenceOf([9, 11, 13]);
    expect(ssim(a, a).ssim).toBeCloseTo(1, 12);
    expect(ssim(a, b, { dataRange: 3 }).ssim).toBeCloseTo(ssim(b, a, { dataRange: 3 }).ssim, 12);
  });

  it('takes max − min of the reference as data range, and says so', () => {
    const a = imageOf([9, 11, 13]);
    const b = referenceOf([9, 11, 13]);
    const dataRange = Math.max(...b.data) - Math.min(...b.data);
    expect(ssim(a, b)).toEqual(ssim(a, b, { dataRange }));
    expect(ssim(a, b).dataRange).toBe(dataRange);
  });

  it('keeps its precision on a large offset', () => {
    const offset = (v: Volume, by: number): Volume => fill(v.shape, (i) => v.data[i]! + by);
    const noise = noiseField([8, 9, 10], 3);
    const reference = offset(noiseField([8, 9, 10], 4), 4096);
    const image = fill(reference.shape, (i) => reference.data[i]! + noise.data[i]!);
    // Far above C₁ the luminance term is 1 and what is left is contrast × structure: brute force on the same float32 values.
    const brute = (): number => {
      let sum = 0;
      let n = 0;
      for (let z = 0; z < 2; z++)
        for (let y = 0; y < 3; y++)
          for (let x = 0; x < 4; x++, n++) {
            const window = [...Array(343).keys()].map((k) => [z + Math.floor(k / 49), y + (Math.floor(k / 7) % 7), x + (k % 7)]);
            const a = window.map((p) => image.get(...p));
            const b = window.map((p) => reference.get(...p));
            const mean = (v: number[]): number => v.reduce((s, q) => s + q, 0) / 343;
            const cov = (v: number[], w: number[]): number =>
              v.reduce((s, q, i) => s + (q - mean(v)) * (w[i]! - mean(w)), 0) / 342;
            sum += (2 * cov(a, b) + 0.0036) / (cov(a, a) + cov(b, b) + 0.0036);
          }
      return sum / n;
    };
    expect(ssim(image, reference, { dataRange: 2 }).ssim).toBeCloseTo(brute(), 5);
  });

  it('refuses volumes smaller than its window', () => {
    expect(() => ssim(array([6, 9, 9]), array([6, 9, 9]), { dataRange: 1 })).toThrow(ShapeError);
    expect(() => ssim(array([7, 9, 8]), array([7, 9, 9]), { dataRange: 1 })).toThrow(ShapeError);
  });
});
