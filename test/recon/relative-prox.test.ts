import { describe, expect, it } from 'vitest';
import { array, fill } from '../../src/core/array.js';
import { centredGrid } from '../../src/core/image.js';
import { last } from '../../src/core/iterate.js';
import { quadratic } from '../../src/prior/quadratic.js';
import { osem } from '../../src/recon/osem.js';
import { relativeProx, relativeWeights } from '../../src/recon/relative-prox.js';
import { maxDifference, poissonDraw, randomMatrix, subsetsOf, times, volume } from './toy.js';

const a = randomMatrix(30, 7, 5);
const truth = [3, 0.4, 5, 1, 2.2, 7, 0.9];
const b = a.map((_, i) => 0.2 + 0.05 * (i % 7));
const y = poissonDraw(times(a, truth, b), 3);
const v = volume([2, 1, 4, 0.5, 3, 6, 0.2]);

describe('relativeProx', () => {
  it('weighs by 1/(v² + (0.3 v̄)²), v̄ = Σ v²/Σ v of what is positive', () => {
    // v̄ of 1, 3 and 4 is 26/8 = 3.25; 0.3 of it 0.975.
    const w = relativeWeights(volume([0, 1, -2, 3, 4]));
    [0, 1, 4, 9, 16].forEach((square, i) => {
      expect(w[i]).toBeCloseTo(1 / (square + 0.975 ** 2), 12);
    });
  });

  it('is OSEM for ρ = 0, and returns max(v, 0) for ρ → ∞', async () => {
    const three = subsetsOf(a, y, b, 3);
    const ordered = (await last(osem(three, { epochs: 2, initial: v }))).image;
    expect(maxDifference((await relativeProx(three, { updates: 6, exactIterations: 0 })(v, 0)).data, ordered.data)).toBeLessThan(
      1e-6,
    );
    const held = await relativeProx(three)(volume([2, 1, 4, -0.5, 3, 6, 0.2]), 1e14);
    expect(maxDifference(held.data, [2, 1, 4, 0, 3, 6, 0.2])).toBeLessThan(1e-6);
  });

  it.each([0.1, 4, 40])('with all data at once reaches the minimum: x · gradient vanishes (ρ = %d)', async (rho) => {
    const x = (await relativeProx(subsetsOf(a, y, b, 1), { updates: 3000 })(v, rho)).data;
    const ybar = times(a, x, b);
    const [sum, squares] = [v.data, v.data.map((value) => value * value)].map((d) => d.reduce((all, value) => all + value, 0));
    const least = (0.3 * squares!) / sum!;
    const residual = [...x].map((xj, j) => {
      const s = a.reduce((all, row) => all + row[j]!, 0);
      const anchor = (rho * (xj - v.data[j]!)) / (v.data[j]! ** 2 + least ** 2);
      return Math.abs(xj * (a.reduce((all, row, i) => all + row[j]! * (1 - y[i]! / ybar[i]!), 0) + anchor)) / (s * 5);
    });
    expect(Math.max(...residual)).toBeLessThan(1e-5);
  });

  it('with a penalty on the difference reaches the minimum of the sum, and splits that too', async () => {
    const grid = centredGrid([1, 1, 7], [4, 4, 4]);
    const smooth = quadratic(grid, { beta: 0.7, kappa: volume([1, 2, 0.5, 1, 1, 3, 1]) });
    const rho = 4;
    const x = (await relativeProx(subsetsOf(a, y, b, 1), { updates: 3000, smooth })(v, rho)).data;
    const { gradient } = await smooth.derivatives(volume(Array.from(x, (value, j) => value - v.data[j]!)));
    const [ybar, w] = [times(a, x, b), relativeWeights(v)];
    const residual = [...x].map((xj, j) => {
      const s = a.reduce((all, row) => all + row[j]!, 0);
      const data = a.reduce((all, row, i) => all + row[j]! * (1 - y[i]! / ybar[i]!), 0);
      return Math.abs(xj * (data + rho * w[j]! * (xj - v.data[j]!) + gradient.data[j]!)) / (s * 5);
    });
    expect(Math.max(...residual)).toBeLessThan(1e-5);
    const [one] = subsetsOf(a, y, b, 1);
    const three = quadratic(grid, { beta: 3 * 0.7, kappa: volume([1, 2, 0.5, 1, 1, 3, 1]) });
    const repeated = await relativeProx([one!, one!, one!], { updates: 3000, smooth: three })(v, 3 * rho);
    expect(maxDifference(repeated.data, x)).toBeLessThan(1e-5);
  });

  it('with all data in the end leaves the cycle that subsets go round in', async () => {
    const subsets = subsetsOf(a, y, b, 5);
    const whole = await relativeProx(subsetsOf(a, y, b, 1), { updates: 3000 })(v, 4);
    const miss = async (exactIterations: number): Promise<number> =>
      maxDifference((await relativeProx(subsets, { updates: 50, exactIterations })(v, 4)).data, whole.data);
    expect(await miss(2)).toBeLessThan(await miss(0));
    expect(await miss(1000)).toBeLessThan(1e-4);
  });

  it('splits the penalty among its subsets: one subset three times over weighs as its data do', async () => {
    const [one] = subsetsOf(a, y, b, 1);
    const repeated = await relativeProx([one!, one!, one!], { updates: 200 })(v, 3 * 8);
    const single = await relativeProx([one!], { updates: 200 })(v, 8);
    expect(maxDifference(repeated.data, single.data)).toBeLessThan(1e-6);
  });

  it('knows no unit: x q and A / q give x q at the same ρ', async () => {
    const q = 1024;
    const scaled = subsetsOf(
      a.map((row) => row.map((value) => value / q)),
      y,
      b,
      3,
    );
    const x = await relativeProx(subsetsOf(a, y, b, 3))(v, 20);
    const u = await relativeProx(scaled)(
      fill(v.shape, (i) => q * v.data[i]!),
      20,
    );
    const back = Array.from(u.data, (value) => value / q);
    expect(maxDifference(back, x.data)).toBeLessThan(2e-6);
  });

  it('goes on through the subsets from call to call, and from where it is told', async () => {
    const subsets = subsetsOf(a, y, b, 5);
    const run = relativeProx(subsets, { updates: 7 });
    const first = await run(v, 5);
    expect(run.nextSubset()).toBe(2);
    const resumed = relativeProx(subsets, { updates: 7, firstSubset: 2 });
    expect((await resumed(first, 5)).data).toEqual((await run(first, 5)).data);
  });

  it('gives numbers for an empty image or scan, keeps what no bin sees, and says what does not fit', async () => {
    const none = a.map(() => 0);
    for (const image of [v, volume([0, 0, 0, 0, 0, 0, 0])])
      for (const counts of [y, none])
        expect((await relativeProx(subsetsOf(a, counts, b, 3))(image, 5)).data.every((value) => value >= 0 && value < 50)).toBe(
          true,
        );
    const blind = a.map((row) => row.map((value, j) => (j === 4 ? 0 : value)));
    for (const rho of [0, 5]) expect((await relativeProx(subsetsOf(blind, y, b, 3))(v, rho)).data[4]).toBeCloseTo(3, 6);
    const prox = relativeProx(subsetsOf(a, y, b, 3));
    const reason = new Error('enough');
    await expect(prox(v, 1, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    await expect(prox(array([7, 1, 1]), 1)).rejects.toThrow(/^v does not fit/);
    await expect(prox(v, -1)).rejects.toThrow(/rho/);
    expect(() => relativeProx(subsetsOf(a, y, b, 3), { updates: 0 })).toThrow(/updates/);
  });
});
