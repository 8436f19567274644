import { describe, expect, it } from 'vitest';
import { array, fill, type Volume } from '../../src/core/array.js';
import { OptionError } from '../../src/core/errors.js';
import type { Denoiser, Prox, ProxOptions } from '../../src/core/interfaces.js';
import { last } from '../../src/core/iterate.js';
import { noiseField } from '../../src/core/random.js';
import { gaussianDenoiser } from '../../src/prior/gaussian-denoiser.js';
import { scaledDenoiser } from '../../src/prior/precondition.js';
import { type HqsStep, hqs } from '../../src/recon/hqs.js';
import { negLogLikelihood } from '../../src/recon/likelihood.js';
import { osem } from '../../src/recon/osem.js';
import { poissonProx } from '../../src/recon/poisson-prox.js';
import { maxDifference, poissonDraw, randomMatrix, subsetsOf, times, volume } from './toy.js';

const a = randomMatrix(30, 7, 5);
const truth = [3, 0.4, 5, 1, 2.2, 7, 0.9];
const b = a.map((_, i) => 0.2 + 0.05 * (i % 7));
const y = poissonDraw(times(a, truth, b), 3);
const prior = gaussianDenoiser(volume([2, 1, 3, 2, 2, 4, 1]), volume([1, 2, 3, 0.5, 1, 4, 2]));
const ladder = [3, 2, 1.2, 0.7, 0.3, 0.1, 0];
const noise = (level: number): Volume => noiseField([1, 1, 7], 9, level);
const start = fill([1, 1, 7], (i) => 2 + 3 * noise(77).data[i]!);
const identity: Denoiser = { sigmaMin: 0, sigmaMax: Infinity, denoise: async (x) => x };

async function steps(run: AsyncIterable<HqsStep>): Promise<HqsStep[]> {
  const all: HqsStep[] = [];
  for await (const step of run) all.push(step);
  return all;
}

describe('hqs', () => {
  it('follows its four equations, written here by hand', async () => {
    const dataStep: Prox = async (v, rho) => fill(v.shape, (i) => (v.data[i]! + rho * i) / (1 + rho));
    const [lambda, zeta] = [0.7, 0.4];
    let x = [...start.data];
    const run = await steps(hqs(prior, dataStep, ladder, start, { lambda, zeta, noise }));
    for (const [level, sigma] of ladder.slice(0, -1).entries()) {
      const clean = [...(await prior.denoise(volume(x), sigma)).data];
      const rho = lambda / (sigma * sigma);
      const z = clean.map((value, i) => (value + rho * i) / (1 + rho));
      const eps = x.map((value, i) => (value - z[i]!) / sigma);
      x = z.map(
        (value, i) => value + ladder[level + 1]! * (Math.sqrt(1 - zeta) * eps[i]! + Math.sqrt(zeta) * noise(level).data[i]!),
      );
      expect(maxDifference(run[level]!.image.data, z)).toBeLessThan(1e-5);
      expect(maxDifference(run[level]!.next.data, x)).toBeLessThan(1e-5);
    }
    expect(run.map((step) => step.sigma)).toEqual(ladder.slice(0, -1));
    expect(run.at(-1)!.fraction).toBe(1);
    expect(run.at(-1)!.next.data).toEqual(run.at(-1)!.image.data);
  });

  it('denoises once a level and drops none of it; asks the data step for ρ = λ/σ², exact in the last fifth', async () => {
    const denoised: number[] = [];
    const asked: [number, ProxOptions['exact']][] = [];
    const spy: Denoiser = {
      ...identity,
      denoise: async (x, sigma) => {
        denoised.push(sigma);
        return x;
      },
    };
    const dataStep: Prox = async (v, rho, options) => {
      asked.push([rho, options?.exact]);
      return v;
    };
    const sigmas = [10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0.5];
    await steps(hqs(spy, dataStep, sigmas, start, { lambda: 0.6, zeta: 0 }));
    expect(denoised).toEqual(sigmas.slice(0, -1));
    expect(asked).toEqual(sigmas.slice(0, -1).map((sigma, i) => [0.6 / sigma ** 2, i >= 8]));
    asked.length = 0;
    await steps(hqs(spy, dataStep, [3, 2, 1, 0], start, { zeta: 0 }));
    expect(asked.map(([rho, exact]) => [rho, exact])).toEqual([3, 2, 1].map((sigma, i) => [0.3 / sigma ** 2, i === 2])); // biome-ignore format: short
  });

  it('ζ = 1 forgets the old noise, ζ = 0 draws none', async () => {
    const constant: Prox = async (v) => fill(v.shape, (i) => i);
    const [one] = await steps(hqs(identity, constant, [3, 2, 1], start, { zeta: 1, noise }));
    expect(
      maxDifference(
        one!.next.data,
        Array.from({ length: 7 }, (_, i) => i + 2 * noise(0).data[i]!),
      ),
    ).toBeLessThan(1e-6);
    const [kept] = await steps(hqs(identity, constant, [3, 2, 1], start, { zeta: 0, noise: () => expect.fail('drawn') }));
    expect(
      maxDifference(
        kept!.next.data,
        Array.from(start.data, (x, i) => i + (2 / 3) * (x - i)),
      ),
    ).toBeLessThan(1e-6);
  });

  it('goes on bit for bit from any level, and repeats itself', async () => {
    const subsets = subsetsOf(a, y, b, 5);
    const whole = await steps(hqs(prior, poissonProx(subsets), ladder, start, { noise }));
    const again = await last(hqs(prior, poissonProx(subsets), ladder, start, { noise }));
    expect(again.image.data).toEqual(whole.at(-1)!.image.data);
    for (const stop of [0, 2, 4]) {
      const prox = poissonProx(subsets);
      let step: HqsStep | undefined;
      for await (step of hqs(prior, prox, ladder, start, { noise })) if (step.level === stop) break;
      const resumed = poissonProx(subsets, { firstSubset: prox.nextSubset() });
      const { image } = await last(hqs(prior, resumed, ladder, step!.next, { noise, level: step!.level + 1 }));
      expect(image.data).toEqual(whole.at(-1)!.image.data);
    }
  });

  it('ends non-negative and finite, with few counts, none, or no background', async () => {
    const none = a.map(() => 0);
    const low = gaussianDenoiser(volume([0, -1, 0.1, 0, 0, 0.2, 0]), 0.3);
    for (const counts of [y, none]) {
      for (const background of [b, none]) {
        for (const { image } of await steps(
          hqs(low, poissonProx(subsetsOf(a, counts, background, 3)), ladder, start, { noise }),
        )) {
          expect(image.data.every((value) => value >= 0 && value < 100)).toBe(true);
        }
      }
    }
  });

  it('with a denoiser that does nothing is EM, stopped early', async () => {
    const subsets = subsetsOf(a, y, b, 1);
    const positive = volume(truth.map((_, j) => 1 + 0.1 * j));
    // A ladder so steep that σ' ε̂ vanishes, and λ = 0: nothing is left but the data step.
    const steep = [1, 1e-9, 1e-18, 1e-27, 0];
    const em = await last(osem(subsets, { epochs: 4, initial: positive }));
    const { image } = await last(
      hqs(identity, poissonProx(subsets, { updates: 1, exactIterations: 1 }), steep, positive, { lambda: 0, zeta: 0 }),
    );
    expect(maxDifference(image.data, em.image.data)).toBeLessThan(1e-5);
    // On an ordinary ladder the state moves from x towards z, so that the likelihood of the state, L being convex, rises all the way.
    let before = await negLogLikelihood(subsets, positive);
    for await (const { next } of hqs(identity, poissonProx(subsets), ladder, positive, { zeta: 0 })) {
      const now = await negLogLikelihood(subsets, next);
      expect(now).toBeLessThan(before);
      before = now;
    }
  });

  it('knows no unit: the same scan in other units of activity gives the same image', async () => {
    const run = async (q: number): Promise<number[]> => {
      const scaled = subsetsOf(
        a.map((row) => row.map((value) => value / q)),
        y,
        b,
        5,
      );
      const from = fill(start.shape, (i) => q * start.data[i]!);
      const { image } = await last(
        hqs(
          scaledDenoiser(prior, q),
          poissonProx(scaled),
          ladder.map((sigma) => q * sigma),
          from,
          { noise },
        ),
      );
      return Array.from(image.data, (value) => value / q);
    };
    const here = await run(1);
    expect(await run(256)).toEqual(here);
    expect(maxDifference(await run(16000 / 3), here)).toBeLessThan(1e-4);
  });

  it('knows no range: the same network of images in [0, 1] and in [-1, 1] gives the same image', async () => {
    const shape = prior.denoise;
    const inUnit: Denoiser = { sigmaMin: 0, sigmaMax: Infinity, denoise: shape };
    const inSymmetric = scaledDenoiser(inUnit, 2, -1); // v = 2 u − 1
    const subsets = subsetsOf(a, y, b, 5);
    const one = await last(hqs(inUnit, poissonProx(subsets), ladder, start, { noise }));
    const two = await last(hqs(scaledDenoiser(inSymmetric, 0.5, 0.5), poissonProx(subsets), ladder, start, { noise }));
    expect(maxDifference(one.image.data, two.image.data)).toBeLessThan(1e-5);
  });

  it('stops with the reason it is given', async () => {
    const control = new AbortController();
    const reason = new Error('enough');
    const long = Array.from({ length: 100001 }, (_, i) => 100 - i / 1000);
    let count = 0;
    setTimeout(() => control.abort(reason), 5);
    const run = last(
      hqs(identity, async (v) => v, long, start, { zeta: 0, signal: control.signal }),
      () => count++,
    );
    await expect(run).rejects.toBe(reason);
    expect(count).toBeLessThan(99999);
  });

  it('refuses a ladder that does not decrease or that the denoiser cannot reach, and noise that is missing or does not fit', async () => {
    const run = (sigmas: number[], options = {}, denoiser: Denoiser = prior): Promise<unknown> =>
      last(hqs(denoiser, async (v) => v, sigmas, start, { noise, ...options }));
    await expect(run([1, 1, 0])).rejects.toThrow(OptionError);
    await expect(run([1, Number.NaN, 0])).rejects.toThrow(/sigmas/);
    await expect(run([1])).rejects.toThrow(/sigmas/);
    await expect(run([1, -1])).rejects.toThrow(/sigmas/);
    await expect(run([3, 1, 0], {}, { ...prior, sigmaMax: 2 })).rejects.toThrow(/units of the image/);
    await expect(run([3, 1, 0], {}, { ...prior, sigmaMin: 2 })).rejects.toThrow(/units of the image/);
    await expect(run([3, 1, 0.5], {}, { ...prior, sigmaMin: 1 })).resolves.toBeDefined();
    await expect(run([3, 1, 0], { noise: undefined })).rejects.toThrow(/noise/);
    await expect(run([3, 1, 0], { noise: () => array([7, 1, 1]) })).rejects.toThrow(/noise of level 0/);
    await expect(run([3, 1, 0], { zeta: 1.1 })).rejects.toThrow(/zeta/);
    await expect(run([3, 1, 0], { lambda: -1 })).rejects.toThrow(/lambda/);
    await expect(run([3, 1, 0], { level: 3 })).rejects.toThrow(/level/);
  });
});
