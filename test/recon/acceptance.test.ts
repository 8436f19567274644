/** What any reconstruction with a diffusion prior must hold, by number: limits and numerics of the data step (1 to 3), units (4), the system
 *  model (5), a known posterior (6, in hqs-posterior.test.ts), degenerate cases (7), the network's range (8), the dose (9, there too). Each on
 *  a scan small enough to be written down. */
import { describe, expect, it } from 'vitest';
import { fill, type Volume } from '../../src/core/array.js';
import { centredGrid } from '../../src/core/image.js';
import type { Denoiser, PoissonSubset } from '../../src/core/interfaces.js';
import { last } from '../../src/core/iterate.js';
import { noiseField } from '../../src/core/random.js';
import { fieldOfViewMask } from '../../src/geometry/grid.js';
import { sinogramLayout, sinogramShape } from '../../src/geometry/sinogram.js';
import { scaledDenoiser } from '../../src/prior/precondition.js';
import { adjointError } from '../../src/projector/adjoint-error.js';
import { referenceEngine } from '../../src/projector/engine.js';
import { systemModel } from '../../src/projector/system-model.js';
import { ddsStep } from '../../src/recon/dds-step.js';
import { hqs } from '../../src/recon/hqs.js';
import { negLogLikelihood } from '../../src/recon/likelihood.js';
import { osem } from '../../src/recon/osem.js';
import { poissonProx, positiveRoot } from '../../src/recon/poisson-prox.js';
import { oddScanner } from '../projector/engines.js';
import { maxDifference, poissonDraw, subsetsOf, times, windowMatrix } from './toy.js';

const shape = [1, 1, 24] as const;
const truth = Array.from({ length: 24 }, (_, i) => 1 + Math.sin(i) ** 2 + (i === 9 ? 30 : 0));
/** Of the 24 voxels nothing sees the last. */
const rows = (q: number): number[][] =>
  windowMatrix(60, 24, 4, 8).map((row) => row.map((value, j) => (j === 23 ? 0 : value / q)));
const background = rows(1).map((_, i) => 3 + Math.sin(i));
const mean = times(rows(1), truth, background);

/** The same scan in K subsets; activity in 1/q of the unit. */
const scanOf = (subsets: number, q = 1, counts: readonly number[] = poissonDraw(mean, 7)): PoissonSubset[] =>
  subsetsOf(rows(q), counts, background, subsets);
const whole = scanOf(1);
const parts = scanOf(4);

const anchor = fill(shape, (i) => 1.5 + Math.cos(i));
/** Pulls towards 2, however noisy: a denoiser with no unit or range of its own. */
const pull: Denoiser = {
  ...{ sigmaMin: 0, sigmaMax: Infinity },
  denoise: async (x, sigma) => fill(x.shape, (i) => (x.data[i]! + 2 * sigma * sigma) / (1 + sigma * sigma)),
};
const ladder = [2, 1, 0.5, 0.2, 0];
const noise = (level: number): Volume => noiseField(shape, 5, level);
const start = fill(shape, (i) => 2 + 2 * noise(40).data[i]!);

describe('acceptance', () => {
  it('1: β → 0 is ML-EM to 1e-6, β → ∞ the anchor, and a voxel that nothing sees is the anchor’s, not negative', async () => {
    const positive = fill(shape, (i) => Math.abs(anchor.data[i]!) + 0.1);
    const em = await last(osem(whole, { epochs: 2, initial: positive }));
    const loose = await poissonProx(whole, { exactIterations: 2 })(positive, 1e-9, { exact: true });
    expect(maxDifference(loose.data, em.image.data) / 30).toBeLessThan(1e-6);
    const firm = await poissonProx(whole)(anchor, 1e9);
    expect(maxDifference(firm.data, anchor.data.map((value) => Math.max(value, 0)))).toBeLessThan(1e-4); // biome-ignore format: short
    for (const value of [-3, 4]) {
      const v = fill(shape, () => value);
      expect((await poissonProx(whole)(v, 0.5)).data[23]).toBeCloseTo(Math.max(value, 0), 6);
    }
  });

  it('2: the objective of the data step never rises, and x · gradient vanishes in the end', async () => {
    const rho = 0.3;
    const objective = async (x: Volume): Promise<number> =>
      (await negLogLikelihood(whole, x)) + (rho / 2) * x.data.reduce((sum, value, i) => sum + (value - anchor.data[i]!) ** 2, 0);
    const values: number[] = [];
    for (const exactIterations of [1, 2, 4, 8, 16, 300])
      values.push(await objective(await poissonProx(whole, { exactIterations })(anchor, rho, { exact: true })));
    for (const [i, value] of values.slice(1).entries()) expect(value).toBeLessThanOrEqual(values[i]! * (1 + 1e-7));
    const settled = await poissonProx(whole, { exactIterations: 3000 })(anchor, rho, { exact: true });
    const { data } = settled;
    const ratio = (i: number, line: Volume): number =>
      whole[0]!.prompts.data[i]! / (line.data[i]! + whole[0]!.background.data[i]!);
    const line = await whole[0]!.model.forward(settled);
    const back = await whole[0]!.model.adjoint(fill(line.shape, (i) => ratio(i, line)));
    const s = whole[0]!.sensitivity.data;
    const scale = Math.max(...s) * Math.max(...data);
    const slope = data.map((x, j) => Math.abs(x * (s[j]! - back.data[j]! + rho * (x - anchor.data[j]!))) / scale);
    expect(Math.max(...slope)).toBeLessThan(1e-5);
  });

  it('3: the root in float32 arguments is that in float64 to 1e-6, where the published difference loses all', () => {
    const [s, beta] = [480, 0.01];
    let worst = 0;
    let published = 0;
    for (let k = 1; k <= 200; k++) {
      const [z, e] = [Math.fround(k / 200), Math.fround((s * k) / 190)];
      const c = s - beta * z;
      const exact = (2 * e) / (c + Math.sqrt(c * c + 4 * beta * e));
      worst = Math.max(worst, Math.abs(positiveRoot(beta, Math.fround(c), e) - exact));
      const [f, d] = [Math.fround, Math.fround(z - s / beta)];
      published = Math.max(published, Math.abs(f(0.5 * f(d + f(Math.sqrt(f(f(d * d) + f((4 * e) / beta)))))) - exact));
    }
    expect(worst).toBeLessThan(1e-6);
    expect(published).toBeGreaterThan(1e-4);
  });

  it('4: activity in other units gives the same image, with EM and with gradient data steps', async () => {
    for (const step of [poissonProx, ddsStep]) {
      const run = async (q: number): Promise<Float32Array> => {
        const data = scanOf(4, q);
        const from = fill(shape, (i) => q * start.data[i]!);
        const { image } = await last(hqs(scaledDenoiser(pull, q), step(data), ladder.map((sigma) => q * sigma), from, { noise: (level) => fill(shape, (i) => noise(level).data[i]!) })); // biome-ignore format: one call
        return image.data.map((value) => value / q);
      };
      const here = await run(1);
      expect(maxDifference(await run(1024), here) / Math.max(...here)).toBeLessThan(1e-5);
    }
  });

  it('5: sensitivities of the subsets add up to the whole’s, and the adjoint is one, of a scanner with oblique lines', async () => {
    const layout = sinogramLayout(oddScanner, { span: 3 });
    const grid = centredGrid([7, 9, 8], [6, 14, 15]);
    const values = fill(sinogramShape(layout), (i) => 0.02 * (1 + 0.3 * Math.sin(i)));
    const scan = { prompts: { layout, values }, multiplicative: { layout, values }, position: 'HFS' } as const;
    const options = { mask: fieldOfViewMask(layout, grid) };
    const [one] = await systemModel(scan, referenceEngine(), grid, { ...options, subsets: 1 });
    const four = await systemModel(scan, referenceEngine(), grid, { ...options, subsets: 4 });
    const sum = fill(grid.shape, (i) => four.reduce((all, { sensitivity }) => all + sensitivity.data[i]!, 0));
    expect(maxDifference(sum.data, one!.sensitivity.data) / Math.max(...sum.data)).toBeLessThan(1e-5);
    for (const { model } of four) expect(await adjointError(model, { trials: 1 })).toBeLessThan(1e-5);
  });

  it('7: with a denoiser that does nothing the scan is explained better than at the start; without counts nothing is NaN', async () => {
    const identity: Denoiser = { ...pull, denoise: async (x) => x };
    const before = await negLogLikelihood(parts, fill(start.shape, (i) => Math.max(start.data[i]!, 1e-3))); // biome-ignore format: short
    const { image } = await last(hqs(identity, poissonProx(parts), ladder, start, { noise }));
    expect(await negLogLikelihood(parts, image)).toBeLessThan(before);
    const none = scanOf(
      4,
      1,
      mean.map(() => 0),
    );
    for (const step of [poissonProx(none), ddsStep(none)]) {
      for await (const { image: empty } of hqs(pull, step, ladder, start, { noise })) {
        expect(empty.data.every((value) => value >= 0 && value < 100)).toBe(true);
      }
    }
  });

  it('8: the same network of images in [0, 1] and in [−1, 1] gives the same image, hot voxels and all', async () => {
    const symmetric = scaledDenoiser(pull, 2, -1); // v = 2 u − 1
    const one = await last(hqs(pull, poissonProx(parts), ladder, start, { noise }));
    const two = await last(hqs(scaledDenoiser(symmetric, 0.5, 0.5), poissonProx(parts), ladder, start, { noise }));
    expect(maxDifference(one.image.data, two.image.data) / Math.max(...one.image.data)).toBeLessThan(1e-5);
    expect(Math.max(...one.image.data)).toBeGreaterThan(5);
  });
});
