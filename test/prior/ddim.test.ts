import { describe, expect, it } from 'vitest';
import { array, fill, type Volume } from '../../src/core/array.js';
import { OptionError } from '../../src/core/errors.js';
import type { Denoiser } from '../../src/core/interfaces.js';
import { last } from '../../src/core/iterate.js';
import { noiseField } from '../../src/core/random.js';
import { type DdimStep, ddim } from '../../src/prior/ddim.js';
import { gaussianDenoiser } from '../../src/prior/gaussian-denoiser.js';
import { precondition } from '../../src/prior/precondition.js';
import { cosine, discrete, linearAlphaBar, sigmaLadder } from '../../src/prior/schedule.js';

const shape = [3, 5, 2] as const;
const noise = (level: number): Volume => noiseField(shape, 6, level);
const [mu, tau] = [0.7, 0.4];
const prior = gaussianDenoiser(
  fill(shape, () => mu),
  tau ** 2,
);

describe('ddim', () => {
  it.each([0, 0.7, 1])("equals the paper's variance-preserving formulas, η = %d", async (eta) => {
    const alphaBar = linearAlphaBar();
    const steps = [999, 800, 640, 333, 100, 7];
    // A network that is neither linear nor right, in ε: any function will do.
    const eps = (x: number, t: number): number => Math.sin(x + t / 300) + 0.3 * x;
    const predict = async (xt: Volume, t: number): Promise<Volume> => fill(xt.shape, (i) => eps(xt.data[i]!, t));
    const denoiser = precondition(predict, { parameterisation: 'eps', schedule: discrete() });
    const sigmas = steps.map((t) => Math.sqrt((1 - alphaBar[t]!) / alphaBar[t]!));
    const start = fill(shape, (i) => sigmas[0]! * noise(50).data[i]!);
    // Song et al., Eqs. 12 and 16, on x_t = √ᾱ x.
    let xt = Array.from(start.data, (x) => x * Math.sqrt(alphaBar[999]!));
    const run: DdimStep[] = [];
    for await (const step of ddim(denoiser, start, sigmas, { eta, noise })) run.push(step);
    for (let level = 0; level + 1 < steps.length; level++) {
      const [t, a, b] = [steps[level]!, alphaBar[steps[level]!]!, alphaBar[steps[level + 1]!]!];
      const s = eta * Math.sqrt((1 - b) / (1 - a)) * Math.sqrt(1 - a / b);
      xt = xt.map((x, i) => {
        const e = eps(x, t);
        const clean = (x - Math.sqrt(1 - a) * e) / Math.sqrt(a);
        return Math.sqrt(b) * clean + Math.sqrt(1 - b - s * s) * e + s * noise(level).data[i]!;
      });
      for (const [i, x] of run[level]!.image.data.entries()) expect(x * Math.sqrt(b)).toBeCloseTo(xt[i]!, 3.5);
      expect(run[level]!.sigma).toBe(sigmas[level + 1]);
    }
    expect(run.at(-1)!.fraction).toBe(1);
  });

  it('is of first order to the exact flow of a Gaussian', async () => {
    const t0 = 0.8;
    const sigma = cosine.sigma(t0);
    const start = fill(shape, (i) => mu + sigma * noise(3).data[i]!);
    const error = async (steps: number): Promise<number> => {
      const { image } = await last(ddim(prior, start, sigmaLadder(t0, steps)));
      // x(σ) − μ is proportional to √(τ² + σ²) along the probability flow.
      const exact = Array.from(start.data, (x) => mu + ((x - mu) * tau) / Math.hypot(tau, sigma));
      return Math.sqrt(exact.reduce((sum, x, i) => sum + (x - image.data[i]!) ** 2, 0));
    };
    const errors = [await error(50), await error(100), await error(200), await error(400)];
    const orders = errors.slice(1).map((e, i) => Math.log2(errors[i]! / e));
    for (const order of orders) expect(Math.abs(order - 1)).toBeLessThan(0.02);
  });

  it.each([0, 0.5, 1])('samples the prior: mean and variance, η = %d', async (eta) => {
    const wide = [20, 20, 20] as const;
    const field = (level: number): Volume => noiseField(wide, 2, level);
    const denoiser = gaussianDenoiser(
      fill(wide, () => mu),
      tau ** 2,
    );
    const sigmas = sigmaLadder(0.98, 200);
    const first = field(-1).data;
    const start = fill(wide, (i) => sigmas[0]! * first[i]!);
    const { image } = await last(ddim(denoiser, start, sigmas, { eta, noise: field }));
    const mean = image.data.reduce((sum, x) => sum + x, 0) / 8000;
    const variance = image.data.reduce((sum, x) => sum + (x - mean) ** 2, 0) / 8000;
    expect(Math.abs(mean - mu)).toBeLessThan(0.02);
    expect(Math.abs(Math.sqrt(variance) / tau - 1)).toBeLessThan(0.05);
  });

  it('a last level of 0 returns x̂₀, and denoises once a step', async () => {
    const levels: number[] = [];
    const spy: Denoiser = {
      ...prior,
      denoise: async (x, sigma) => {
        levels.push(sigma);
        return fill(x.shape, (i) => i);
      },
    };
    const { image } = await last(ddim(spy, noise(0), [2, 1, 0], { eta: 1, noise }));
    expect([...image.data]).toEqual([...fill(shape, (i) => i).data]);
    expect(levels).toEqual([2, 1]);
  });

  it('goes on bit for bit from any step', async () => {
    const sigmas = sigmaLadder(0.7, 6);
    const whole = await last(ddim(prior, noise(9), sigmas, { eta: 0.6, noise }));
    for (const stop of [0, 3]) {
      let half: DdimStep | undefined;
      for await (half of ddim(prior, noise(9), sigmas, { eta: 0.6, noise })) if (half.level === stop) break;
      const rest = await last(ddim(prior, half!.image, sigmas, { eta: 0.6, noise, level: half!.level + 1 }));
      expect(rest.image.data).toEqual(whole.image.data);
    }
  });

  it('stops with the reason it is given', async () => {
    const control = new AbortController();
    const reason = new Error('enough');
    let count = 0;
    setTimeout(() => control.abort(reason), 5);
    const long = Array.from({ length: 100001 }, (_, i) => 100 - i / 1000);
    await expect(last(ddim(prior, noise(0), long, { signal: control.signal }), () => count++)).rejects.toBe(reason);
    expect(count).toBeLessThan(99999);
  });

  it('refuses a ladder that does not decrease, and noise that is missing or does not fit', async () => {
    const run = (sigmas: number[], options = {}, denoiser: Denoiser = prior): Promise<unknown> =>
      last(ddim(denoiser, noise(0), sigmas, options));
    await expect(run([1, 2, 0])).rejects.toThrow(OptionError);
    await expect(run([1])).rejects.toThrow(/sigmas/);
    await expect(run([1, 0.5, -0.1])).rejects.toThrow(/sigmas/);
    await expect(run([3, 1, 0], {}, { ...prior, sigmaMax: 2 })).rejects.toThrow(/units of the volume/);
    await expect(run([3, 1, 0], {}, { ...prior, sigmaMin: 2 })).rejects.toThrow(/units of the volume/);
    await expect(run([3, 1, 0], { eta: 0.5 })).rejects.toThrow(/noise/);
    await expect(run([3, 1, 0], { eta: 2, noise })).rejects.toThrow(/eta/);
    await expect(run([3, 1, 0], { level: 3 })).rejects.toThrow(/level/);
    await expect(run([3, 1, 0], { eta: 1, noise: () => array([5, 3, 2]) })).rejects.toThrow(/noise of level 0/);
  });
});
