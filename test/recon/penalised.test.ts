import { describe, expect, it } from 'vitest';
import { fill, type Volume } from '../../src/core/array.js';
import { OptionError, ShapeError } from '../../src/core/errors.js';
import { centredGrid } from '../../src/core/image.js';
import { last } from '../../src/core/iterate.js';
import { quadratic } from '../../src/prior/quadratic.js';
import { rdp } from '../../src/prior/rdp.js';
import { bsrem } from '../../src/recon/bsrem.js';
import { negLogLikelihood } from '../../src/recon/likelihood.js';
import { mapEm } from '../../src/recon/map-em.js';
import { osem } from '../../src/recon/osem.js';
import { kappa, kktResidual } from '../../src/recon/penalised.js';
import { svrg } from '../../src/recon/svrg.js';
import { maxDifference, poissonDraw, subsetsOf, times, volume, windowMatrix } from './toy.js';

const voxels = 24;
const a = windowMatrix(60, voxels, 11, 3);
const truth = Array.from({ length: voxels }, (_, j) => (j > 6 && j < 12 ? 8 : j > 16 ? 0.5 : 3));
const background = a.map((_, i) => 0.5 + 0.05 * (i % 7));
const counts = poissonDraw(times(a, truth, background), 5);
const grid = centredGrid([1, 1, voxels], [3, 3, 3]);
const penalty = rdp(grid, { beta: 2, epsilon: 0.01 });
const whole = subsetsOf(a, counts, background, 1);
const parts = subsetsOf(a, counts, background, 4);

/** The minimum of L + R, found by projected gradient descent with a tiny step, in double, from formulas written out here. */
function minimum(beta: number, gamma: number, epsilon: number): number[] {
  const x = truth.map(() => 3);
  for (let n = 0; n < 60000; n++) {
    const ybar = times(a, x, background);
    const g = x.map((_, j) => a.reduce((sum, row, i) => sum + row[j]! * (1 - counts[i]! / ybar[i]!), 0));
    for (let j = 0; j + 1 < voxels; j++) {
      const d = x[j]! - x[j + 1]!;
      const D = x[j]! + x[j + 1]! + gamma * Math.abs(d) + epsilon;
      const sign = Math.sign(d) * gamma;
      g[j]! += (beta * (2 * d * D - d * d * (1 + sign))) / D ** 2;
      g[j + 1]! += (beta * (-2 * d * D - d * d * (1 - sign))) / D ** 2;
    }
    for (let j = 0; j < voxels; j++) x[j] = Math.max(0, x[j]! - (0.02 * (x[j]! + 1e-3) * g[j]!) / (1 + x[j]!));
  }
  return x;
}
const best = minimum(2, 2, 0.01);
const relative = (x: Volume): number => maxDifference(x.data, best) / Math.max(...best);

describe('MAP with the relative difference prior', () => {
  it('BSREM with shrinking steps comes to the minimum, whatever the subsets', async () => {
    for (const subsets of [whole, parts]) {
      const { image } = await last(bsrem(subsets, penalty, { epochs: 1500, relaxation: subsets === whole ? 0 : 0.05 }));
      expect(relative(image)).toBeLessThan(subsets === whole ? 1e-4 : 5e-3);
    }
  });

  it('SVRG comes there with steps that stay, in a fraction of the passes', async () => {
    const { image } = await last(svrg(parts, penalty, { epochs: 80 }));
    expect(relative(image)).toBeLessThan(1e-4);
    const { image: circling } = await last(bsrem(parts, penalty, { epochs: 80, relaxation: 0 }));
    expect(relative(circling)).toBeGreaterThan(10 * relative(image));
  });

  it('the KKT residual is small there and only there', async () => {
    expect(await kktResidual(parts, penalty, volume(best))).toBeLessThan(1e-5);
    expect(await kktResidual(parts, penalty, volume(best.map((v, j) => v * (1 + 0.05 * Math.sin(j)))))).toBeGreaterThan(1e-3);
  });

  it('without a penalty the first pass of BSREM is OSEM where subsets are balanced', async () => {
    const balanced = [whole[0]!, whole[0]!];
    const start = volume(truth.map(() => 2));
    const none = rdp(grid, { beta: 0 });
    const { image } = await last(bsrem(balanced, none, { epochs: 1, initial: start, relaxation: 0 }));
    const { image: em } = await last(osem(balanced, { epochs: 1, initial: start }));
    // δ of the preconditioner makes the difference.
    expect(maxDifference(image.data, em.data)).toBeLessThan(2e-2);
  });

  it('does not depend on the unit of the image, when β follows it', async () => {
    const unit = 1000;
    const scaled = subsetsOf(
      a.map((row) => row.map((v) => v / unit)),
      counts,
      background,
      4,
    );
    const { image } = await last(bsrem(parts, penalty, { epochs: 20 }));
    const { image: other } = await last(bsrem(scaled, rdp(grid, { beta: 2 / unit, epsilon: 0.01 * unit }), { epochs: 20 }));
    expect(
      maxDifference(
        other.data.map((v) => v / unit),
        image.data,
      ),
    ).toBeLessThan(1e-4);
  });

  it('both go on bit for bit from a step they may be resumed at', async () => {
    const { image: b } = await last(bsrem(parts, penalty, { epochs: 3 }));
    const { image: v } = await last(svrg(parts, penalty, { epochs: 3, anchorEvery: 1 }));
    let done = 0;
    for await (const { image } of bsrem(parts, penalty, { epochs: 3 })) {
      if (++done !== 5) continue;
      expect((await last(bsrem(parts, penalty, { epochs: 3, initial: image, start: 5 }))).image.data).toEqual(b.data);
    }
    done = 0;
    for await (const { image } of svrg(parts, penalty, { epochs: 3, anchorEvery: 1 })) {
      if (++done !== 8) continue;
      const rest = { epochs: 3, anchorEvery: 1, initial: image, start: 8 };
      expect((await last(svrg(parts, penalty, rest))).image.data).toEqual(v.data);
    }
    await expect(last(svrg(parts, penalty, { epochs: 3, start: 3 }))).rejects.toThrow(OptionError);
  });

  it('never goes below 0; without counts the image is 0, and the residual says that it is there', async () => {
    const empty = subsetsOf(
      a,
      a.map(() => 0),
      background,
      4,
    );
    for (const run of [bsrem(empty, penalty, { epochs: 40, initial: volume(truth) }), svrg(empty, penalty, { epochs: 40 })]) {
      let image = volume(truth);
      for await (const step of run) {
        image = step.image;
        expect(Math.min(...image.data)).toBeGreaterThanOrEqual(0);
      }
      expect(Math.max(...image.data)).toBe(0);
      expect(await kktResidual(empty, penalty, image)).toBe(0);
    }
  });

  it('leaves voxels that no subset sees, and refuses what cannot be', async () => {
    const blind = subsetsOf(
      a.map((row) => row.map((v, j) => (j === 3 ? 0 : v))),
      counts,
      background,
      4,
    );
    const initial = volume(truth.map((_, j) => (j === 3 ? 7 : 1)));
    for (const run of [bsrem(blind, penalty, { epochs: 2, initial }), svrg(blind, penalty, { epochs: 2, initial })]) {
      expect((await last(run)).image.data[3]).toBe(7);
    }
    await expect(last(bsrem(parts, penalty, { relaxation: -1 }))).rejects.toThrow(/relaxation/);
    await expect(last(bsrem(parts, rdp(centredGrid([1, 1, 5], [1, 1, 1]), { beta: 1 })))).rejects.toThrow(ShapeError);
    await expect(last(svrg(parts, penalty, { anchorEvery: 0.5 }))).rejects.toThrow(/anchorEvery/);
  });
});

describe("De Pierro's MAP-EM with the quadratic penalty", () => {
  const smooth = quadratic(grid, { beta: 0.4 });

  it('never raises L + R, and comes to the minimum that SVRG finds', async () => {
    let before = Infinity;
    let image = volume(truth);
    for await (const step of mapEm(whole, smooth, { epochs: 6000 })) {
      image = step.image;
      if (step.epoch > 300) continue;
      const now = (await negLogLikelihood(whole, image)) + (await smooth.value(image));
      expect(now).toBeLessThanOrEqual(before + 1e-6 * Math.abs(now));
      before = now;
    }
    const { image: other } = await last(svrg(parts, smooth, { epochs: 600 }));
    expect(maxDifference(image.data, other.data)).toBeLessThan(2e-3);
    expect(await kktResidual(whole, smooth, image)).toBeLessThan(1e-4);
  });

  it('gives each of K subsets its share of the penalty', async () => {
    const twice = [whole[0]!, whole[0]!];
    const { image } = await last(mapEm(twice, smooth, { epochs: 1500 }));
    expect(await kktResidual(twice, smooth, image)).toBeLessThan(1e-4);
  });

  it('is EM without a penalty; the minimum is smoother the larger β is', async () => {
    const start = fill([1, 1, voxels], (j) => 1 + 0.1 * j);
    const { image } = await last(mapEm(parts, quadratic(grid, { beta: 0 }), { epochs: 2, initial: start }));
    const { image: em } = await last(osem(parts, { epochs: 2, initial: start }));
    expect(maxDifference(image.data, em.data)).toBeLessThan(1e-5);
    let before = Infinity;
    for (const beta of [0, 0.1, 1, 10]) {
      const { image: stronger } = await last(svrg(parts, quadratic(grid, { beta }), { epochs: 60 }));
      const roughness = await quadratic(grid, { beta: 1 }).value(stronger);
      expect(roughness).toBeLessThan(0.9 * before);
      before = roughness;
    }
  });
});

describe('κ', () => {
  it('is √(Aᵀ((A 1) y/ȳ²)), in √counts per unit of x', async () => {
    const x = volume(truth);
    const ybar = times(a, truth, background);
    const rows = times(
      a,
      truth.map(() => 1),
    );
    const expected = truth.map((_, j) =>
      Math.sqrt(a.reduce((sum, row, i) => sum + (row[j]! * rows[i]! * counts[i]!) / ybar[i]! ** 2, 0)),
    );
    const found = await kappa(parts, x);
    expect(maxDifference(found.data, expected)).toBeLessThan(1e-5 * Math.max(...expected));
  });
});
