import { all, create } from 'mathjs';
import { describe, expect, it } from 'vitest';
import { array, fill, type Volume } from '../../src/core/array.js';
import type { PoissonSubset } from '../../src/core/interfaces.js';
import { last } from '../../src/core/iterate.js';
import { negLogLikelihood } from '../../src/recon/likelihood.js';
import { osem } from '../../src/recon/osem.js';
import { poissonProx, positiveRoot } from '../../src/recon/poisson-prox.js';
import { maxDifference, poissonDraw, randomMatrix, subsetsOf, times, volume } from './toy.js';

const a = randomMatrix(30, 7, 5);
const truth = [3, 0.4, 5, 1, 2.2, 7, 0.9];
const b = a.map((_, i) => 0.2 + 0.05 * (i % 7));
const y = poissonDraw(times(a, truth, b), 3);
const none = a.map(() => 0);
const v = volume([2, 1, 4, -0.5, 3, 6, 0.2]);

async function objective(subsets: readonly PoissonSubset[], x: Volume, rho: number): Promise<number> {
  return (await negLogLikelihood(subsets, x)) + (rho / 2) * x.data.reduce((sum, value, i) => sum + (value - v.data[i]!) ** 2, 0);
}

describe('positiveRoot', () => {
  const big = create(all!, { number: 'BigNumber', precision: 60 });
  const exact = (rho: number, c: number, e: number): number => {
    const [r, linear, constant] = [rho, c, e].map((value) => big.bignumber!(value));
    const root = big.sqrt!(big.evaluate!('c * c + 4 * r * e', { r, c: linear, e: constant }));
    return Number(big.evaluate!('(q - c) / (2 * r)', { q: root, c: linear, r }).toString());
  };
  it.each([
    [0.01, 480 - 0.005, 240],
    [1e-12, 3, 2],
    [2, 5, 1],
    [2, -5, 1],
    [1e9, 480 - 5e8, 240],
    [1e9, 480 + 5e8, 240],
    [1e9, -5e8, 0],
    [3, 0, 12],
    [1, 1e-9, 1e-20],
  ])('solves %d x² + %d x = %d, against 60 digits', (rho, c, e) => {
    const x = positiveRoot(rho, c, e);
    expect(Math.abs(x - exact(rho, c, e))).toBeLessThanOrEqual(1e-14 * Math.abs(x));
    expect(Math.abs(rho * x * x + c * x - e)).toBeLessThanOrEqual(1e-13 * (rho * x * x + Math.abs(c * x) + e));
  });

  it('is that of the line when ρ = 0, and 0 where nothing is known', () => {
    expect(positiveRoot(0, 4, 6)).toBe(1.5);
    expect(positiveRoot(0, 0, 0)).toBe(0);
    expect(positiveRoot(2, 0, 0)).toBe(0);
  });
});

describe('poissonProx', () => {
  it('is ML-EM for ρ → 0, to 1e-6, and one OSEM sub-iteration after another', async () => {
    const start = volume([2, 1, 4, 0.5, 3, 6, 0.2]);
    for (const rho of [0, 1e-12]) {
      const one = subsetsOf(a, y, b, 1);
      const em = (await last(osem(one, { epochs: 3, initial: start }))).image;
      expect(maxDifference((await poissonProx(one)(start, rho, { exact: true })).data, em.data)).toBeLessThan(1e-6);
      const three = subsetsOf(a, y, b, 3);
      const ordered = (await last(osem(three, { epochs: 2, initial: start }))).image;
      expect(maxDifference((await poissonProx(three, { updates: 6 })(start, rho)).data, ordered.data)).toBeLessThan(1e-6);
    }
  });

  it('returns max(v, 0) for ρ → ∞', async () => {
    for (const exact of [true, false]) {
      const x = await poissonProx(subsetsOf(a, y, b, 3))(v, 1e14, { exact });
      expect(maxDifference(x.data, [2, 1, 4, 0, 3, 6, 0.2])).toBeLessThan(1e-6);
    }
  });

  it('returns max(v, 0) where no bin sees the voxel, and keeps it when there is no penalty either', async () => {
    const blind = a.map((row) => row.map((value, j) => (j === 3 || j === 4 ? 0 : value)));
    const prox = poissonProx(subsetsOf(blind, y, b, 3));
    for (const rho of [0, 0.3]) {
      for (const exact of [true, false]) {
        const x = await prox(v, rho, { exact });
        expect(x.data[4]).toBe(3);
        expect(x.data[3]!).toBeLessThan(1e-3);
        expect(x.data.every((value) => value >= 0)).toBe(true);
      }
    }
  });

  it.each([0.006, 0.06, 0.64, 6.4, 640])('never raises L + ρ/2‖x − v‖² (ρ = %d)', async (rho) => {
    const subsets = subsetsOf(a, y, b, 3);
    let before = Infinity;
    for (let exactIterations = 1; exactIterations <= 40; exactIterations++) {
      const now = await objective(subsets, await poissonProx(subsets, { exactIterations })(v, rho, { exact: true }), rho);
      expect(now).toBeLessThanOrEqual(before + 1e-6 * Math.abs(now));
      before = now;
    }
  });

  it.each([0.006, 0.06, 0.64, 6.4])('reaches the minimum: x · gradient vanishes (ρ = %d)', async (rho) => {
    const subsets = subsetsOf(a, y, b, 3);
    const x = (await poissonProx(subsets, { exactIterations: 3000 })(v, rho, { exact: true })).data;
    const ybar = times(a, x, b);
    const residual = [...x].map((xj, j) => {
      const s = a.reduce((sum, row) => sum + row[j]!, 0);
      const gradient = a.reduce((sum, row, i) => sum + row[j]! * (1 - y[i]! / ybar[i]!), 0) + rho * (xj - v.data[j]!);
      return Math.abs(xj * gradient) / (s * 5);
    });
    expect(Math.max(...residual)).toBeLessThan(1e-5);
  });

  it('splits the penalty: the whole is the sum of its subsets, so consistent data are a fixed point', async () => {
    const start = volume(truth);
    const prox = poissonProx(subsetsOf(a, times(a, truth, b), b, 5), { updates: 13 });
    expect(maxDifference((await prox(start, 2)).data, truth)).toBeLessThan(1e-5);
    // One subset repeated K times over weighs as the whole, K times over: L is K L₁, so its prox at K ρ is that of L₁ at ρ.
    const [one] = subsetsOf(a, y, b, 1);
    const repeated = await poissonProx([one!, one!, one!], { updates: 200 })(v, 3 * 0.8);
    const single = await poissonProx([one!], { updates: 200 })(v, 0.8);
    expect(maxDifference(repeated.data, single.data)).toBeLessThan(1e-6);
  });

  it('goes on through the subsets from call to call, and from where it is told', async () => {
    const subsets = subsetsOf(a, y, b, 5);
    const run = poissonProx(subsets, { updates: 2 });
    const x1 = await run(v, 0.1);
    expect(run.nextSubset()).toBe(2);
    await run(x1, 0.1, { exact: true });
    expect(run.nextSubset()).toBe(2);
    const x2 = await run(x1, 0.1);
    expect(run.nextSubset()).toBe(4);
    const resumed = poissonProx(subsets, { updates: 2, firstSubset: 2 });
    expect((await resumed(x1, 0.1)).data).toEqual(x2.data);
    expect((await poissonProx(subsets, { updates: 2 })(x1, 0.1)).data).not.toEqual(x2.data);
    await run(x2, 0.1);
    expect(run.nextSubset()).toBe(1);
  });

  it('lets voxels that start at 0 or below rise again', async () => {
    const subsets = subsetsOf(a, times(a, truth), none, 1);
    const x = await poissonProx(subsets, { exactIterations: 3000 })(volume(truth.map((t) => (t > 3 ? 0 : -t))), 1e-9, {
      exact: true,
    });
    expect(maxDifference(x.data, truth)).toBeLessThan(0.01);
  });

  it('knows no unit: x q, A / q, ρ / q² gives x q', async () => {
    for (const q of [1024, 1 / 16000]) {
      const scaled = subsetsOf(
        a.map((row) => row.map((value) => value / q)),
        y,
        b,
        3,
      );
      const x = await poissonProx(subsetsOf(a, y, b, 3))(v, 0.4);
      const u = await poissonProx(scaled)(
        fill(v.shape, (i) => q * v.data[i]!),
        0.4 / q ** 2,
      );
      expect(
        maxDifference(
          Array.from(u.data, (value) => value / q),
          x.data,
        ),
      ).toBeLessThan(2e-6);
    }
  });

  it('gives numbers for an empty scan, with and without background', async () => {
    for (const background of [none, b]) {
      for (const rho of [0, 1e-3, 10]) {
        const x = await poissonProx(subsetsOf(a, none, background, 3))(v, rho);
        expect(x.data.every((value) => value >= 0 && value < 10)).toBe(true);
      }
    }
  });

  it('stops with the reason it is given, and names what does not fit', async () => {
    const prox = poissonProx(subsetsOf(a, y, b, 3));
    const reason = new Error('enough');
    await expect(prox(v, 1, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    await expect(prox(array([7, 1, 1]), 1)).rejects.toThrow(/^v does not fit/);
    await expect(prox(v, -1)).rejects.toThrow(/rho/);
    expect(() => poissonProx(subsetsOf(a, y, b, 3), { firstSubset: 3 })).toThrow(/firstSubset/);
    expect(() => poissonProx(subsetsOf(a, y, b, 3), { updates: 0 })).toThrow(/updates/);
  });
});
