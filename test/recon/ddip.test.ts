import { describe, expect, it } from 'vitest';
import { fill, total, type Volume } from '../../src/core/array.js';
import { OptionError } from '../../src/core/errors.js';
import type { Prox } from '../../src/core/interfaces.js';
import { last } from '../../src/core/iterate.js';
import { noiseField } from '../../src/core/random.js';
import { type AdaptableDenoiser, type DdipStep, ddip } from '../../src/recon/ddip.js';
import { holdOut } from '../../src/recon/held-out.js';
import { eventLikelihood, negLogLikelihood } from '../../src/recon/likelihood.js';
import { poissonProx } from '../../src/recon/poisson-prox.js';
import { maxDifference, poissonDraw, randomMatrix, subsetsOf, times, volume } from './toy.js';

const n = 7;
const a = randomMatrix(40, n, 5);
const truth = [3, 0.4, 5, 1, 2.2, 7, 0.9];
const b = a.map((_, i) => 0.2 + 0.05 * (i % 7));
const y = poissonDraw(times(a, truth, b), 3);
const noise = (level: number): Volume => noiseField([1, 1, n], 9, level);
const ladder = [1, 0.7, 0.4, 0.2, 0];
const start = fill([1, 1, n], (i) => 2 + noise(77).data[i]!);

/** D_θ(x, σ) = (τ² x + σ² θ)/(τ² + σ²), the exact denoiser of N(θ, τ²), that learns its mean θ by gradient descent. */
function learner(first: number, rate = 0.5): AdaptableDenoiser & { calls: string[] } {
  let theta = new Float32Array(n).fill(first);
  const calls: string[] = [];
  const weight = (sigma: number): number => sigma ** 2 / (1 + sigma ** 2);
  const denoise = async (x: Volume, sigma: number): Promise<Volume> =>
    fill(x.shape, (i) => (1 - weight(sigma)) * x.data[i]! + weight(sigma) * theta[i]!);
  return {
    ...{ sigmaMin: 0, sigmaMax: Infinity, calls, denoise },
    async fit(x, sigma, target, round) {
      calls.push(`fit ${round}`);
      const now = await denoise(x, sigma);
      const loss = now.data.reduce((sum, value, i) => sum + (value - target.data[i]!) ** 2 / n, 0);
      theta = theta.map((value, i) => value - (rate / weight(sigma)) * (now.data[i]! - target.data[i]!));
      return loss;
    },
    restart: () => void calls.push('restart'),
    state: () => ({ theta: theta.slice() }),
    restore: (state) => void (theta = Float32Array.from(state.theta!)),
  };
}

async function steps(run: AsyncIterable<DdipStep>): Promise<DdipStep[]> {
  const all: DdipStep[] = [];
  for await (const step of run) all.push(step);
  return all;
}

describe('ddip', () => {
  it('follows its equations, written here by hand', async () => {
    const emStep: Prox = async (v, rho) => fill(v.shape, (i) => (v.data[i]! + rho * truth[i]!) / (1 + rho));
    const [eta, rounds] = [0.6, 2];
    const weight = (sigma: number, level: number): number => (1 + level) / sigma;
    const spy = learner(-3);
    const low = fill([1, 1, n], (i) => noise(77).data[i]! - 2);
    const run = await steps(ddip(spy, emStep, ladder, low, { eta, rounds, weight, noise }));
    const theta = new Array<number>(n).fill(-3);
    let x = [...low.data];
    for (const [level, sigma] of ladder.slice(0, -1).entries()) {
      const w = sigma ** 2 / (1 + sigma ** 2);
      const estimate = (): number[] => x.map((value, i) => (1 - w) * value + w * theta[i]!);
      for (let round = 0; round < rounds; round++) {
        const raw = estimate();
        const rho = (1 + level) / sigma;
        raw.forEach((value, i) => {
          const em = (Math.max(0, value) + rho * truth[i]!) / (1 + rho); // anchored at, and begun from, the clamped estimate
          theta[i]! -= (0.5 / w) * (value - em); // fitted by the raw one
        });
      }
      const raw = estimate();
      const image = raw.map((value) => Math.max(0, value));
      x = image.map((value, i) => value + ladder[level + 1]! * (Math.sqrt(1 - eta ** 2) * ((x[i]! - raw[i]!) / sigma) + eta * noise(level).data[i]!)); // biome-ignore format: one formula
      expect(maxDifference(run[level]!.image.data, image)).toBeLessThan(1e-5);
      expect(maxDifference(run[level]!.next.data, x)).toBeLessThan(1e-5);
    }
    expect(spy.calls).toEqual(Array.from({ length: 8 }, (_, round) => `fit ${round}`));
    expect(run.some(({ image }) => image.data.some((value) => value === 0))).toBe(true);
  });

  it('learns a prior that was wrong: the image explains the scan better, and is nearer to the truth', async () => {
    const subsets = subsetsOf(a.map((row) => row.map((value) => 50 * value)), poissonDraw(times(a.map((row) => row.map((v) => 50 * v)), truth, b), 3), b, 4); // biome-ignore format: one call
    const frozen: AdaptableDenoiser = { ...learner(20), fit: async () => 0 };
    const run = (denoiser: AdaptableDenoiser): Promise<DdipStep> =>
      last(ddip(denoiser, poissonProx(subsets, { updates: 8 }), ladder, start, { noise, eta: 0.3, rounds: 3 }));
    const [adapted, unadapted] = [await run(learner(20)), await run(frozen)];
    expect(maxDifference(adapted.image.data, truth)).toBeLessThan(0.5 * maxDifference(unadapted.image.data, truth));
    expect(await negLogLikelihood(subsets, adapted.image)).toBeLessThan(await negLogLikelihood(subsets, unadapted.image));
  });

  it('goes on bit for bit from any level', async () => {
    const subsets = subsetsOf(a, y, b, 5);
    const heldOut = async (image: Volume): Promise<number> => Math.abs(image.data[0]! - 3);
    const whole = await last(ddip(learner(1), poissonProx(subsets), ladder, start, { noise, heldOut }));
    for (const stop of [0, 1, 2]) {
      const [prox, first] = [poissonProx(subsets), learner(1)];
      let step: DdipStep | undefined;
      for await (step of ddip(first, prox, ladder, start, { noise, heldOut })) if (step.level === stop) break;
      const second = learner(99);
      second.restore(first.state());
      const resumed = poissonProx(subsets, { firstSubset: prox.nextSubset() });
      const { progress } = step!;
      const end = await last(ddip(second, resumed, ladder, step!.next, { noise, heldOut, progress }));
      expect(end.image.data).toEqual(whole.image.data);
    }
  });

  it('stops learning after two levels that explain the held-out counts worse, and goes back to the best', async () => {
    const long = [1, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0];
    const likelihoods = [5, 3, 4, 3.5, 1, 1, 1];
    let level = 0;
    const denoiser = learner(0);
    let best: unknown;
    const emStep: Prox = async () => volume(truth);
    for await (const step of ddip(denoiser, emStep, long, start, { noise, heldOut: async () => likelihoods[level]! })) {
      if (step.level === 1) best = denoiser.state();
      expect(step.progress.learning).toBe(step.level < 3);
      if (step.level > 3) expect(step.loss).toBeNaN();
      level++;
    }
    expect(denoiser.calls.filter((call) => call.startsWith('fit'))).toEqual(['fit 0', 'fit 1', 'fit 2', 'fit 3']);
    expect(denoiser.state()).toEqual(best);
  });

  it('gives each level an optimiser of its own only where asked', async () => {
    const counts = async (restart: boolean): Promise<number> => {
      const denoiser = learner(0);
      await last(ddip(denoiser, async (v) => v, ladder, start, { noise, restart }));
      return denoiser.calls.filter((call) => call === 'restart').length;
    };
    expect([await counts(true), await counts(false)]).toEqual([4, 0]);
  });

  it('refuses options out of range, and stops with the reason it is given', async () => {
    const run = (options = {}): Promise<DdipStep> => last(ddip(learner(0), async (v) => v, ladder, start, { noise, ...options }));
    await expect(run({ eta: 2 })).rejects.toThrow(/eta/);
    await expect(run({ rounds: 0 })).rejects.toThrow(/rounds/);
    await expect(run({ noise: undefined })).rejects.toThrow(OptionError);
    const reason = new Error('enough');
    await expect(run({ signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  });
});

describe('counts held out', () => {
  it('are independent Poisson counts of their share, and leave the rest; both stand for the whole scan', async () => {
    const rows = Array.from({ length: 4000 }, () => [1]);
    const counts = poissonDraw(rows.map(() => 6), 4); // biome-ignore format: short
    const [subset] = subsetsOf(rows, counts, rows.map(() => 0), 1); // biome-ignore format: short
    const { fit, held } = await holdOut([subset!], 0.25, { seed: 3 });
    const [mine, theirs] = [fit[0]!.prompts.data.map((v) => 0.75 * v), held[0]!.prompts.data.map((v) => 0.25 * v)];
    expect(maxDifference(mine.map((count, i) => count + theirs[i]!), counts)).toBeLessThan(1e-5); // biome-ignore format: short
    const mean = (values: Float32Array): number => values.reduce((sum, v) => sum + v, 0) / 4000;
    const [p, q] = [mean(mine), mean(theirs)];
    expect(Math.abs(q - 1.5)).toBeLessThan(4 * Math.sqrt(1.5 / 4000));
    const covariance = mean(mine.map((value, i) => (value - p) * (theirs[i]! - q)));
    expect(Math.abs(covariance)).toBeLessThan(4 * Math.sqrt((p * q) / 4000));
    expect(Math.abs(mean(theirs.map((value) => (value - q) ** 2)) / q - 1)).toBeLessThan(0.1);
    expect(fit[0]!.model).toBe(subset!.model);
    expect((await holdOut([subset!], 0.25, { seed: 3 })).held[0]!.prompts.data).toEqual(held[0]!.prompts.data);
    await expect(holdOut([subset!], 1, { seed: 3 })).rejects.toThrow(/fraction/);
  });

  it('the likelihood by events is L but for the background', async () => {
    const subsets = subsetsOf(a, y, b, 3);
    let sum = 0;
    for (const subset of subsets) sum += (await eventLikelihood(subset, volume(truth))) + total(subset.background);
    expect(Math.abs(sum / (await negLogLikelihood(subsets, volume(truth))) - 1)).toBeLessThan(1e-5);
  });
});
