/** The half-quadratic sampler against a posterior that is known: n = 64, exact denoiser of a smooth Gaussian prior, Poisson counts.
 *  The posterior is Laplace's: its mode by Newton's method, its covariance the inverse of the Hessian there. */
import { inv } from 'mathjs';
import { describe, expect, it } from 'vitest';
import { fill, type Volume } from '../../src/core/array.js';
import type { Denoiser, PoissonSubset } from '../../src/core/interfaces.js';
import { last } from '../../src/core/iterate.js';
import { noiseField, random } from '../../src/core/random.js';
import { gaussianDenoiser } from '../../src/prior/gaussian-denoiser.js';
import { discrete, sigmaLadder } from '../../src/prior/schedule.js';
import { hqs } from '../../src/recon/hqs.js';
import { osem } from '../../src/recon/osem.js';
import { poissonProx } from '../../src/recon/poisson-prox.js';
import { binomial } from '../../src/simulate/thin.js';
import { type Matrix, poissonDraw, subsetsOf, times, volume, windowMatrix } from './toy.js';

const n = 64;
/** Rows of the orthonormal cosine transform, and variances that fall with frequency: a smooth, positive field of mean 0.5. */
const basis: number[][] = Array.from({ length: n }, (_, k) =>
  Array.from({ length: n }, (_, i) => Math.sqrt((k === 0 ? 1 : 2) / n) * Math.cos((Math.PI * k * (i + 0.5)) / n)),
);
const variances = basis.map((_, k) => (0.12 ** 2 * 8) / (1 + (k / 4) ** 4) + 1e-5);
const mean = 0.5;

interface Problem {
  readonly subsets: PoissonSubset[];
  readonly denoiser: Denoiser;
  readonly mode: number[];
  readonly sd: number[];
}

const known = new Map<number, Problem>();
/** The problem at a dose, made once: its posterior is the slow part. */
function problem(dose: number): Problem {
  const made = known.get(dose) ?? makeProblem(dose);
  known.set(dose, made);
  return made;
}

/** @param thinned share of the counts that is kept, of the same draw: a shorter scan, with A and b to match. */
function makeProblem(dose: number, thinned = 1): Problem {
  const draw = noiseField([1, 1, n], 21).data;
  const truth = Array.from(
    { length: n },
    (_, i) => mean + basis.reduce((sum, row, k) => sum + row[i]! * Math.sqrt(variances[k]!) * draw[k]!, 0),
  );
  const full = windowMatrix(96, n, 4, dose);
  const a = full.map((row) => row.map((value) => thinned * value));
  const b = a.map((_, i) => 0.3 * dose * thinned * (1 + 0.5 * Math.sin(i)));
  const counts = poissonDraw(times(full, truth, b.map((value) => value / thinned)), 6); // biome-ignore format: short
  const { uniform } = random(8);
  const y = thinned === 1 ? counts : counts.map((count) => binomial(count, thinned, uniform));
  const precision = basis.map((_, i) =>
    basis.map((_, j) => basis.reduce((sum, row, k) => sum + (row[i]! * row[j]!) / variances[k]!, 0)),
  );
  const { mode, covariance } = laplace(a, y, b, precision);
  return {
    subsets: subsetsOf(a, y, b, 1),
    denoiser: gaussianDenoiser(volume(truth.map(() => mean)), volume(variances), Float64Array.from(basis.flat())),
    mode,
    sd: covariance.map((row, i) => Math.sqrt(row[i]!)),
  };
}

function laplace(
  a: Matrix,
  y: readonly number[],
  b: readonly number[],
  precision: number[][],
): { mode: number[]; covariance: number[][] } {
  let mode = precision.map(() => mean);
  let covariance: number[][] = [];
  for (let newton = 0; newton < 5; newton++) {
    const ybar = times(a, mode, b);
    const hessian = precision.map((row, i) =>
      row.map((p, j) => p + a.reduce((sum, bin, m) => sum + (bin[i]! * bin[j]! * y[m]!) / ybar[m]! ** 2, 0)),
    );
    const gradient = precision.map(
      (row, i) =>
        row.reduce((sum, p, j) => sum + p * (mode[j]! - mean), 0) +
        a.reduce((sum, bin, m) => sum + bin[i]! * (1 - y[m]! / ybar[m]!), 0),
    );
    covariance = inv(hessian) as number[][];
    mode = mode.map((x, i) => x - covariance[i]!.reduce((sum, c, j) => sum + c * gradient[j]!, 0));
  }
  return { mode, covariance };
}

/** Distance of the samples' mean from the mode, rms, in posterior standard deviations; and their spread over the posterior's. */
async function compare(
  p: Problem,
  lambda: number,
  samples: number,
  sigmas: Float64Array,
  x0?: Volume,
): Promise<{ miss: number; spread: number }> {
  const sum = new Float64Array(n);
  const squares = new Float64Array(n);
  for (let sample = 0; sample < samples; sample++) {
    const first = noiseField([1, 1, n], 1000 + sample, -1).data;
    const start = fill([1, 1, n], (i) => (x0 === undefined ? 0 : x0.data[i]!) + sigmas[0]! * first[i]!);
    const prox = poissonProx(p.subsets, { updates: 5, exactIterations: 5 });
    const { image } = await last(
      hqs(p.denoiser, prox, sigmas, start, { lambda, noise: (level) => noiseField([1, 1, n], 1000 + sample, level) }),
    );
    image.data.forEach((value, i) => {
      sum[i]! += value;
      squares[i]! += value * value;
    });
  }
  const miss = p.mode.map((mode, i) => (sum[i]! / samples - mode) / p.sd[i]!);
  const spread = p.sd.map((sd, i) => (squares[i]! - sum[i]! ** 2 / samples) / (samples - 1) / sd ** 2);
  const rms = (values: number[]): number => Math.sqrt(values.reduce((all, value) => all + value, 0) / n);
  return { miss: rms(miss.map((d) => d * d)), spread: rms(spread) };
}

const ddpm = discrete();
const fromNoise = sigmaLadder(999, 100, ddpm);

describe('acceptance 6: hqs against a known posterior', () => {
  // λ = 1 underestimates the spread somewhat: measured 0.80 (200 counts) and 0.66 (1900 counts), the same with a data step solved to the
  // end, so it is the method's and not the solver's. λ = 3: 0.99 and 1.01.
  it.each([
    [0.6, 1, 0.6],
    [0.6, 3, 0.7],
    [6, 1, 0.6],
    [6, 3, 0.7],
  ])('dose %d, λ = %d: mean within half a standard deviation, spread near that of the posterior', async (dose, lambda, least) => {
    const { miss, spread } = await compare(problem(dose), lambda, 20, fromNoise);
    expect(miss).toBeLessThan(0.5);
    expect(spread).toBeGreaterThan(least);
    expect(spread).toBeLessThan(1.1);
  });

  it('started at t = 200 from ML-EM the mean is as near', async () => {
    const p = problem(6);
    const { image } = await last(osem(p.subsets, { epochs: 20 }));
    const { miss, spread } = await compare(p, 1, 16, sigmaLadder(200, 50, ddpm), image);
    expect(miss).toBeLessThan(0.5);
    expect(spread).toBeGreaterThan(0.65);
    expect(spread).toBeLessThan(1.1);
  });

  it('knows no dose: from 200 to 20 000 counts λ = 1 and 3 are nearer than 0.1 and 30', async () => {
    for (const dose of [0.6, 6, 60]) {
      const p = problem(dose);
      const miss = async (lambda: number): Promise<number> => (await compare(p, lambda, 4, fromNoise)).miss;
      const within = Math.max(await miss(1), await miss(3));
      expect(within).toBeLessThan(await miss(0.1));
      expect(within).toBeLessThan(await miss(30));
    }
  });

  it('acceptance 9: a thinned scan, its A and b thinned with it, asks for the same λ: 1 and 3 are nearer than 0.1 and 30', async () => {
    for (const thinned of [1, 0.1]) {
      const p = makeProblem(60, thinned);
      const miss = async (lambda: number): Promise<number> => (await compare(p, lambda, 4, fromNoise)).miss;
      const within = Math.max(await miss(1), await miss(3));
      expect(within).toBeLessThan(await miss(0.1));
      expect(within).toBeLessThan(await miss(30));
    }
  });
});
