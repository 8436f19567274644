import { describe, expect, it } from 'vitest';
import { array, fill } from '../../src/core/array.js';
import { ShapeError } from '../../src/core/errors.js';
import { random } from '../../src/core/random.js';
import { gaussianDenoiser } from '../../src/prior/gaussian-denoiser.js';

describe('gaussianDenoiser', () => {
  it('is the mean of x₀ given x: regression on simulated pairs finds its slope and offset', async () => {
    const r = random(8);
    const [mu, tau, sigma] = [1.5, 0.8, 1.1];
    let [sx, sy, sxx, sxy] = [0, 0, 0, 0];
    const n = 200000;
    for (let i = 0; i < n; i++) {
      const clean = mu + tau * r.normal();
      const x = clean + sigma * r.normal();
      sx += x;
      sy += clean;
      sxx += x * x;
      sxy += x * clean;
    }
    const slope = (sxy - (sx * sy) / n) / (sxx - (sx * sx) / n);
    const out = await gaussianDenoiser(
      fill([1, 1, 2], () => mu),
      tau ** 2,
    ).denoise(array([1, 1, 2], Float32Array.of(0, 4)), sigma);
    expect((out.data[1]! - out.data[0]!) / 4).toBeCloseTo(slope, 2);
    expect(out.data[0]).toBeCloseTo((sy - slope * sx) / n, 1.7);
  });

  it('with a basis solves (C + σ² I) w = x − μ, D = μ + C w', async () => {
    // Rotation by 30 degrees, variances 4 and 0.25.
    const [c, s] = [Math.cos(Math.PI / 6), Math.sin(Math.PI / 6)];
    const basis = Float64Array.of(c, s, -s, c);
    const C = [[4 * c * c + 0.25 * s * s, 3.75 * c * s], [3.75 * c * s, 4 * s * s + 0.25 * c * c]] as const; // biome-ignore format: a matrix
    const [x, mu, v] = [[2, -1], [0.5, 0.25], 0.6 ** 2] as const; // biome-ignore format: short
    const [p, q, r] = [C[0][0] + v, C[0][1], C[1][1] + v];
    const d = [x[0] - mu[0], x[1] - mu[1]] as const;
    const w = [(r * d[0] - q * d[1]) / (p * r - q * q), (p * d[1] - q * d[0]) / (p * r - q * q)] as const;
    const expected = [0, 1].map((i) => mu[i]! + C[i]![0] * w[0] + C[i]![1] * w[1]);
    const denoiser = gaussianDenoiser(array([1, 2, 1], Float32Array.from(mu)), array([1, 2, 1], Float32Array.of(4, 0.25)), basis);
    const out = await denoiser.denoise(array([1, 2, 1], Float32Array.from(x)), 0.6);
    expected.forEach((value, i) => { expect(out.data[i]).toBeCloseTo(value, 5); }); // biome-ignore format: short
  });

  it('keeps x at σ = 0 and returns the mean where the prior has no width', async () => {
    const mean = fill([1, 1, 3], (i) => i);
    const x = fill([1, 1, 3], () => 7);
    expect([...(await gaussianDenoiser(mean, 2).denoise(x, 0)).data]).toEqual([7, 7, 7]);
    expect([...(await gaussianDenoiser(mean, array([1, 1, 3], Float32Array.of(0, 1, 0))).denoise(x, 1)).data]).toEqual([0, 4, 2]);
    expect([...(await gaussianDenoiser(mean, 0).denoise(x, 0)).data]).toEqual([0, 1, 2]);
  });

  it('refuses what does not fit', async () => {
    const mean = array([1, 1, 3]);
    expect(() => gaussianDenoiser(mean, 1, new Float64Array(8))).toThrow(/basis/);
    expect(() => gaussianDenoiser(mean, array([3, 1, 1]))).toThrow(/variance/);
    await expect(gaussianDenoiser(mean, 1).denoise(array([1, 1, 4]), 1)).rejects.toThrow(ShapeError);
  });
});
