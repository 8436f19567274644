import { describe, expect, it } from 'vitest';
import { fill, type Point, type Shape3, type Volume } from '../../src/core/array.js';
import { noiseField } from '../../src/core/random.js';
import { noiseLevel } from '../../src/denoise/noise-level.js';

const shape: Shape3 = [24, 31, 37];
const [, ny, nx] = shape;
const place = (i: number): Point => [Math.floor(i / (ny * nx)), Math.floor(i / nx) % ny, i % nx];
const noise = noiseField(shape, 3).data;
/** An ellipsoid body of uptake 2 with a warmer organ and a cold one, in air. */
const body = (i: number): number => {
  const [z, y, x] = place(i);
  const r = ((z - 12) / 14) ** 2 + ((y - 15) / 13) ** 2 + ((x - 18) / 16) ** 2;
  if (r > 1) return 0;
  return (x - 10) ** 2 + (y - 14) ** 2 < 16 ? 6 : (x - 26) ** 2 + (y - 16) ** 2 < 16 ? 0.5 : 2;
};
const noisy = (relative: number, truth: (i: number) => number): Volume =>
  fill(shape, (i) => truth(i) * (1 + relative * noise[i]!));

describe('noiseLevel', () => {
  it.each([0.02, 0.1, 0.2, 0.4])('finds the noise of a uniform image, %f', (relative) => {
    expect(noiseLevel(noisy(relative, () => 5)) / relative).toBeGreaterThan(0.94);
    expect(noiseLevel(noisy(relative, () => 5)) / relative).toBeLessThan(1.06);
  });

  it.each([0.05, 0.15, 0.3])('finds it in a body with organs, in air: %f', (relative) => {
    const level = noiseLevel(noisy(relative, body), [4, 4, 4]);
    expect(level / relative).toBeGreaterThan(0.85);
    expect(level / relative).toBeLessThan(1.35); // edges of organs add a little
  });

  it('looks at uptake alone, whatever the noise of the air', () => {
    const airy = fill(shape, (i) => body(i) * (1 + 0.1 * noise[i]!) + (body(i) === 0 ? 0.1 * noise[(i * 7) % noise.length]! : 0));
    expect(noiseLevel(airy, [4, 4, 4]) / noiseLevel(noisy(0.1, body), [4, 4, 4])).toBeCloseTo(1, 1);
  });

  it('is blind to gradients, along any axis', () => {
    const slope = fill(shape, (i) => place(i).reduce((sum, at) => sum + at, 10));
    expect(noiseLevel(slope)).toBeLessThan(1e-6);
  });

  it('does not depend on the unit', () => {
    const image = noisy(0.2, body);
    const scaled = fill(shape, (i) => 1234 * image.data[i]!);
    expect(noiseLevel(scaled)).toBeCloseTo(noiseLevel(image), 5);
  });

  it('steps over the correlation that a reconstruction leaves: smoothed noise is measured as what it is', () => {
    // Mean of two neighbours along z: variance halves, neighbours correlate by 1/2.
    const smooth = fill(shape, (i) => 5 + 0.5 * (noise[i]! + (noise[i - ny * nx] ?? 0)));
    const truth = Math.SQRT1_2 / 5;
    expect(noiseLevel(smooth, [4, 4, 4]) / truth).toBeGreaterThan(0.93);
    expect(noiseLevel(smooth, [4, 4, 4]) / truth).toBeLessThan(1.07);
    const wide: Volume = fill([24, 1, 1], (i) => 5 + smooth.data[i * ny * nx]! - smooth.data[0]!);
    expect(noiseLevel(wide, [8, 4, 4])).toBeGreaterThan(0);
  });

  it('says 0 where nothing can be said, and works on one slice', () => {
    expect(noiseLevel(fill([4, 4, 4], () => 0))).toBe(0);
    expect(noiseLevel(fill([1, 2, 2], () => 1))).toBe(0);
    const slice = fill([1, ny, nx], (i) => 3 * (1 + 0.1 * noise[i]!));
    expect(noiseLevel(slice) / 0.1).toBeGreaterThan(0.9);
    expect(noiseLevel(slice) / 0.1).toBeLessThan(1.1);
  });
});
