import { describe, expect, it } from 'vitest';
import { array, fill, type Volume } from '../../src/core/array.js';
import { OptionError, ShapeError } from '../../src/core/errors.js';
import { last, type Step } from '../../src/core/iterate.js';
import { noiseField } from '../../src/core/random.js';
import { ddim } from '../../src/prior/ddim.js';
import { type DpmSolverStep, dpmSolver2m } from '../../src/prior/dpm-solver.js';
import { gaussianDenoiser } from '../../src/prior/gaussian-denoiser.js';
import { precondition } from '../../src/prior/precondition.js';
import { cosine, discrete, linearAlphaBar, sigmaLadder } from '../../src/prior/schedule.js';

const shape = [3, 5, 2] as const;
const [mu, tau] = [0.7, 0.4];
const prior = gaussianDenoiser(
  fill(shape, () => mu),
  tau ** 2,
);
const noise = noiseField(shape, 6, 3).data;

describe('dpmSolver2m', () => {
  it("equals the paper's Algorithm 2, on x_t = α x", async () => {
    const alphaBar = linearAlphaBar();
    const steps = [999, 800, 640, 333, 100, 7];
    const eps = (x: number, t: number): number => Math.sin(x + t / 300) + 0.3 * x;
    const predict = async (xt: Volume, t: number): Promise<Volume> => fill(xt.shape, (i) => eps(xt.data[i]!, t));
    const denoiser = precondition(predict, { parameterisation: 'eps', schedule: discrete() });
    const sigmas = steps.map((t) => Math.sqrt((1 - alphaBar[t]!) / alphaBar[t]!));
    const start = fill(shape, (i) => sigmas[0]! * noise[i]!);
    const run: DpmSolverStep[] = [];
    for await (const step of dpmSolver2m(denoiser, start, sigmas)) run.push(step);
    const [alpha, sigma] = [steps.map((t) => Math.sqrt(alphaBar[t]!)), steps.map((t) => Math.sqrt(1 - alphaBar[t]!))] as const;
    const lambda = alpha.map((a, i) => Math.log(a / sigma[i]!));
    let xt = Array.from(start.data, (x) => x * alpha[0]!);
    let old: number[] = [];
    for (let i = 1; i < steps.length; i++) {
      const clean = xt.map((x) => (x - sigma[i - 1]! * eps(x, steps[i - 1]!)) / alpha[i - 1]!);
      const h = lambda[i]! - lambda[i - 1]!;
      const r = i === 1 ? Number.POSITIVE_INFINITY : (lambda[i - 1]! - lambda[i - 2]!) / h;
      const d = clean.map((c, k) => (i === 1 ? c : (1 + 1 / (2 * r)) * c - old[k]! / (2 * r)));
      xt = xt.map((x, k) => (sigma[i]! / sigma[i - 1]!) * x - alpha[i]! * (Math.exp(-h) - 1) * d[k]!);
      old = clean;
      for (const [k, x] of run[i - 1]!.image.data.entries()) expect(x * alpha[i]!).toBeCloseTo(xt[k]!, 3.5);
      expect(run[i - 1]!.sigma).toBe(sigmas[i]);
    }
    expect(run.at(-1)!.fraction).toBe(1);
  });

  it('is of second order to the exact flow of a Gaussian, where DDIM is of first', async () => {
    const [top, end] = [cosine.sigma(0.8), 0.1];
    const start = fill(shape, (i) => mu + top * noise[i]!);
    // x(σ) − μ is proportional to √(τ² + σ²) along the probability flow.
    const exact = Array.from(start.data, (x) => mu + ((x - mu) * Math.hypot(tau, end)) / Math.hypot(tau, top));
    const ladder = (steps: number): number[] =>
      Array.from({ length: steps + 1 }, (_, i) => cosine.sigma(0.8 + ((cosine.time(end) - 0.8) * i) / steps));
    const orders = async (solve: (sigmas: number[]) => AsyncIterable<Step>): Promise<number[]> => {
      const errors: number[] = [];
      for (const steps of [20, 40, 80, 160]) {
        const { image } = await last(solve(ladder(steps)));
        errors.push(Math.sqrt(exact.reduce((sum, x, i) => sum + (x - image.data[i]!) ** 2, 0)));
      }
      return errors.slice(1).map((e, i) => Math.log2(errors[i]! / e));
    };
    for (const order of await orders((sigmas) => dpmSolver2m(prior, start, sigmas)))
      expect(Math.abs(order - 2)).toBeLessThan(0.15);
    for (const order of await orders((sigmas) => ddim(prior, start, sigmas))) expect(Math.abs(order - 1)).toBeLessThan(0.05);
  });

  it('returns the estimate itself from a last step to 0, and is DDIM where there is one step', async () => {
    const start = fill(shape, (i) => 2 * noise[i]!);
    const run: DpmSolverStep[] = [];
    for await (const step of dpmSolver2m(prior, start, [2, 1, 0])) run.push(step);
    expect([...run[1]!.image.data]).toEqual([...(await prior.denoise(run[0]!.image, 1)).data]);
    const [one, other] = [await last(dpmSolver2m(prior, start, [2, 0.5])), await last(ddim(prior, start, [2, 0.5]))];
    for (const [i, x] of one.image.data.entries()) expect(x).toBeCloseTo(other.image.data[i]!, 6);
  });

  it('refuses ladders that do not decrease and estimates that do not fit, and stops with the reason given', async () => {
    const start = fill(shape, () => 1);
    await expect(last(dpmSolver2m(prior, start, [1, 1, 0]))).rejects.toThrow(OptionError);
    await expect(last(dpmSolver2m({ ...prior, sigmaMin: 0.5 }, start, sigmaLadder(0.8, 10)))).rejects.toThrow(/denoiser's 0\.5/);
    const wrong = { ...prior, denoise: async () => array([3, 5, 3]) };
    await expect(last(dpmSolver2m(wrong, start, [1, 0]))).rejects.toThrow(ShapeError);
    const reason = new Error('enough');
    await expect(last(dpmSolver2m(prior, start, [1, 0], { signal: AbortSignal.abort(reason) }))).rejects.toBe(reason);
  });
});
