import { describe, expect, it } from 'vitest';
import { array, fill, type Volume } from '../../src/core/array.js';
import { OptionError, ShapeError } from '../../src/core/errors.js';
import type { Denoiser } from '../../src/core/interfaces.js';
import { noiseField } from '../../src/core/random.js';
import { gaussianDenoiser } from '../../src/prior/gaussian-denoiser.js';
import { type Parameterisation, type Predict, precondition, scaledDenoiser } from '../../src/prior/precondition.js';
import { cosine, discrete, type Schedule } from '../../src/prior/schedule.js';

const shape = [3, 2, 5] as const;
const clean = fill(shape, (i) => 0.3 * i - 1);
const eps = noiseField(shape, 4);

/** A network that knows the answer: it checks that it is shown x_t = α x₀ + σ_vp ε at the right time, and predicts without error. */
function oracle(parameterisation: Parameterisation, schedule: Schedule): Predict {
  return async (xt, time) => {
    const sigma = schedule.sigma(time);
    const [alpha, sigmaVp] = [1 / Math.hypot(1, sigma), sigma / Math.hypot(1, sigma)];
    for (const [i, value] of xt.data.entries()) expect(value).toBeCloseTo(alpha * clean.data[i]! + sigmaVp * eps.data[i]!, 4);
    return fill(shape, (i) => {
      if (parameterisation === 'v') return alpha * eps.data[i]! - sigmaVp * clean.data[i]!;
      return parameterisation === 'eps' ? eps.data[i]! : clean.data[i]!;
    });
  };
}

describe('precondition', () => {
  it.each(['v', 'eps', 'x0'] as const)('of a perfect prediction (%s) gives the clean volume', async (parameterisation) => {
    for (const schedule of [cosine, discrete()]) {
      const denoiser = precondition(oracle(parameterisation, schedule), { parameterisation, schedule });
      expect([denoiser.sigmaMin, denoiser.sigmaMax]).toEqual([schedule.sigmaMin, schedule.sigmaMax]);
      for (const sigma of [0.02, 0.5, 3, 40]) {
        const x = fill(shape, (i) => clean.data[i]! + sigma * eps.data[i]!);
        const out = await denoiser.denoise(x, sigma);
        for (const [i, value] of out.data.entries()) expect(value).toBeCloseTo(clean.data[i]!, 4);
      }
    }
  });

  it('is by default v and cosine: at t = 0.5 the network sees x/√2', async () => {
    const seen: [number, number][] = [];
    const denoiser = precondition(async (xt, time) => {
      seen.push([time, xt.data[0]!]);
      return fill(xt.shape, () => 1);
    });
    const out = await denoiser.denoise(
      fill(shape, () => 4),
      1,
    );
    expect(seen[0]![0]).toBeCloseTo(0.5, 12);
    expect(seen[0]![1]).toBeCloseTo(4 / Math.SQRT2, 6);
    expect(out.data[0]).toBeCloseTo(2 - 1 / Math.SQRT2, 6);
  });

  it('hands on the signal, and refuses levels outside the schedule and predictions that do not fit', async () => {
    const control = new AbortController();
    const denoiser = precondition(
      async (xt, _, signal) => {
        expect(signal).toBe(control.signal);
        return xt;
      },
      { schedule: discrete() },
    );
    await denoiser.denoise(clean, 1, { signal: control.signal });
    await expect(denoiser.denoise(clean, 200)).rejects.toThrow(OptionError);
    await expect(denoiser.denoise(clean, 1e-4)).rejects.toThrow(/sigma/);
    await expect(denoiser.denoise(clean, Number.NaN)).rejects.toThrow(/sigma/);
    await expect(precondition(async () => array([3, 2, 4])).denoise(clean, 1)).rejects.toThrow(ShapeError);
  });
});

describe('scaledDenoiser', () => {
  const inner = gaussianDenoiser(
    fill(shape, (i) => 0.1 * i),
    fill(shape, (i) => 0.5 + i),
  );
  const limited: Denoiser = { ...inner, sigmaMin: 0.01, sigmaMax: 50 };

  it('is the denoiser of the scaled prior', async () => {
    const [k, offset] = [2.5, -1.5];
    const scaled = scaledDenoiser(limited, k, offset);
    const direct = gaussianDenoiser(
      fill(shape, (i) => k * 0.1 * i + offset),
      fill(shape, (i) => k * k * (0.5 + i)),
    );
    const [a, b] = [await scaled.denoise(clean, 1.7), await direct.denoise(clean, 1.7)];
    for (const [i, value] of a.data.entries()) expect(value).toBeCloseTo(b.data[i]!, 5);
    expect([scaled.sigmaMin, scaled.sigmaMax]).toEqual([0.025, 125]);
  });

  it('there and back is the same denoiser', async () => {
    const back: Volume = await scaledDenoiser(scaledDenoiser(inner, 4, 3), 0.25, -0.75).denoise(clean, 0.8);
    for (const [i, value] of (await inner.denoise(clean, 0.8)).data.entries()) expect(back.data[i]!).toBeCloseTo(value, 5);
  });

  it('refuses a scale that is none', () => {
    for (const k of [0, -1, Number.NaN, Infinity]) expect(() => scaledDenoiser(inner, k)).toThrow(OptionError);
  });
});
