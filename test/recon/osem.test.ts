import { describe, expect, it } from 'vitest';
import { array, dot, fill, total } from '../../src/core/array.js';
import { OptionError, ShapeError } from '../../src/core/errors.js';
import type { PoissonSubset } from '../../src/core/interfaces.js';
import { last } from '../../src/core/iterate.js';
import { negLogLikelihood } from '../../src/recon/likelihood.js';
import { osem, uniformStart } from '../../src/recon/osem.js';
import { poissonProx } from '../../src/recon/poisson-prox.js';
import { maxDifference, poissonDraw, randomMatrix, subsetsOf, times, volume } from './toy.js';

const a = randomMatrix(30, 7, 5);
const truth = [3, 0.4, 5, 1, 2.2, 7, 0.9];
const background = a.map((_, i) => 0.2 + 0.05 * (i % 7));
const counts = poissonDraw(times(a, truth, background), 3);
const none = a.map(() => 0);

describe('osem', () => {
  it('follows the formula, written here by hand, through two subsets', async () => {
    let x = truth.map((_, j) => 1 + 0.1 * j);
    const { image } = await last(osem(subsetsOf(a, counts, background, 2), { epochs: 1, initial: volume(x) }));
    for (const k of [0, 1]) {
      const rows = a.map((_, i) => i).filter((i) => i % 2 === k);
      const ybar = times(a, x, background);
      x = x.map((xj, j) => {
        const back = rows.reduce((sum, i) => sum + (a[i]![j]! * counts[i]!) / ybar[i]!, 0);
        return (xj * back) / rows.reduce((sum, i) => sum + a[i]![j]!, 0);
      });
    }
    expect(maxDifference(image.data, x)).toBeLessThan(2e-6);
  });

  it('leaves the noise-free truth where it is, whatever the subset', async () => {
    const subsets = subsetsOf(a, times(a, truth, background), background, 5);
    for await (const { image } of osem(subsets, { epochs: 2, initial: volume(truth) })) {
      expect(maxDifference(image.data, truth)).toBeLessThan(1e-5);
    }
  });

  it('never lowers the likelihood with one subset, and keeps the counts: Σ s x = Σ y without background', async () => {
    const [all] = subsetsOf(a, counts, none, 1);
    let before = Infinity;
    for await (const { image } of osem([all!], { epochs: 60 })) {
      const now = await negLogLikelihood([all!], image);
      expect(now).toBeLessThanOrEqual(before + 1e-6 * Math.abs(now));
      before = now;
      expect(dot(all!.sensitivity, image) / total(all!.prompts)).toBeCloseTo(1, 5);
    }
  });

  it('goes on bit for bit from any step', async () => {
    const subsets = subsetsOf(a, counts, background, 3);
    const { image: whole } = await last(osem(subsets, { epochs: 4 }));
    for (const stop of [3, 5, 10]) {
      let half = volume(truth);
      let start = 0;
      for await (const step of osem(subsets, { epochs: 4 })) {
        half = step.image;
        start = step.epoch * 3 + step.subset + 1;
        if (start === stop) break;
      }
      expect((await last(osem(subsets, { epochs: 4, initial: half, start }))).image.data).toEqual(whole.data);
    }
  });

  it('tells epoch, subset and share of the work', async () => {
    const seen: unknown[] = [];
    for await (const { epoch, subset, fraction } of osem(subsetsOf(a, counts, background, 2), { epochs: 2 }))
      seen.push([epoch, subset, fraction]);
    expect(seen).toEqual([[0, 0, 0.25], [0, 1, 0.5], [1, 0, 0.75], [1, 1, 1]]); // biome-ignore format: a table
  });

  it('leaves out a bin the model says cannot count, whatever it holds', async () => {
    const masked = a.map((row, i) => (i % 4 === 1 ? row.map(() => 0) : row));
    const b = background.map((value, i) => (i % 4 === 1 ? 0 : value));
    const clean = await last(
      osem(
        subsetsOf(
          masked,
          counts.map((y, i) => (i % 4 === 1 ? 0 : y)),
          b,
          2,
        ),
      ),
    );
    const dirty = await last(
      osem(
        subsetsOf(
          masked,
          counts.map((y, i) => (i % 4 === 1 ? 999 : y)),
          b,
          2,
        ),
      ),
    );
    expect(dirty.image.data).toEqual(clean.image.data);
    expect(dirty.image.data.every(Number.isFinite)).toBe(true);
  });

  it('leaves voxels that no bin sees as they are', async () => {
    const blind = a.map((row) => row.map((value, j) => (j === 4 ? 0 : value)));
    const { image } = await last(osem(subsetsOf(blind, counts, background, 2), { initial: volume([1, 1, 1, 1, 0.7, 1, 1]) }));
    expect(image.data[4]).toBeCloseTo(0.7, 6);
  });

  it('gives an empty image, not NaN, for an empty scan', async () => {
    for (const b of [none, background]) {
      const { image } = await last(osem(subsetsOf(a, none, b, 2)));
      expect([...image.data]).toEqual(truth.map(() => 0));
    }
  });

  it('converges to the truth without noise and background', async () => {
    const { image } = await last(osem(subsetsOf(a, times(a, truth), none, 3), { epochs: 3000 }));
    expect(maxDifference(image.data, truth)).toBeLessThan(1e-3);
  });

  it('has a uniform start that explains the counts and is 0 where nothing is seen', () => {
    const blind = a.map((row) => row.map((value, j) => (j === 4 ? 0 : value)));
    const start = uniformStart(subsetsOf(blind, counts, background, 3));
    expect(start.data[4]).toBe(0);
    expect(new Set(start.data.filter((_, j) => j !== 4)).size).toBe(1);
    const expected = times(blind, start.data).reduce((sum, value) => sum + value, 0);
    expect(expected / counts.reduce((sum, value) => sum + value, 0)).toBeCloseTo(1, 5);
    expect(uniformStart(subsetsOf(a, none, none, 2)).data[0]).toBe(1);
  });

  it('changes none of its inputs', async () => {
    const subsets = subsetsOf(a, counts, background, 2);
    const initial = volume(truth);
    await last(osem(subsets, { initial }));
    expect([...initial.data]).toEqual([...volume(truth).data]);
    expect(subsets.map((s) => [...s.prompts.data])).toEqual(subsetsOf(a, counts, background, 2).map((s) => [...s.prompts.data]));
  });

  it('stops with the reason it is given', async () => {
    const control = new AbortController();
    const reason = new Error('enough');
    let steps = 0;
    setTimeout(() => control.abort(reason), 5);
    const run = last(osem(subsetsOf(a, counts, background, 2), { epochs: 1e6, signal: control.signal }), () => steps++);
    await expect(run).rejects.toBe(reason);
    expect(steps).toBeLessThan(1e5);
  });

  it('names what does not fit', async () => {
    const [good] = subsetsOf(a, counts, background, 1);
    const run = (subset: object, options = {}): Promise<unknown> => last(osem([{ ...good!, ...subset }], options));
    await expect(run({ prompts: array([29]) })).rejects.toThrow(/prompts of subset 0/);
    await expect(run({ background: array([31]) })).rejects.toThrow(/background of subset 0/);
    await expect(run({ sensitivity: array([1, 1, 6]) })).rejects.toThrow(/sensitivity of subset 0/);
    await expect(run({}, { initial: array([7, 1, 1]) })).rejects.toThrow(ShapeError);
    await expect(run({}, { initial: volume([1, 1, 1, -1, 1, 1, 1]) })).rejects.toThrow(/flat index 3/);
    await expect(run({}, { epochs: 1.5 })).rejects.toThrow(OptionError);
    await expect(run({}, { epochs: 2, start: 3 })).rejects.toThrow(/start/);
    await expect(last(osem([]))).rejects.toThrow(OptionError);
  });
});

describe('an operator that rounds', () => {
  // Sums of differences in float32 leave ± 1e-6 of the largest value where the exact result is 0.
  const rounding = (subset: PoissonSubset): PoissonSubset => ({
    ...subset,
    model: {
      ...subset.model,
      adjoint: async (y) => {
        const back = await subset.model.adjoint(y);
        const largest = Math.max(...back.data);
        return fill(back.shape, (i) => back.data[i]! + 1e-6 * largest * (i % 2 === 0 ? -1 : 1));
      },
    },
  });
  it('leaves images finite and not negative, in OSEM and in the data step', async () => {
    const quiet = counts.map((y, i) => (a[i]![2]! > 0 ? 0 : y)); // nothing was counted that sees voxel 2
    const subsets = subsetsOf(a, quiet, background, 3).map(rounding);
    const { image } = await last(osem(subsets, { epochs: 30 }));
    const prox = poissonProx(subsets);
    let z = image;
    for (const rho of [1e-3, 1, 1e6, 1e12]) z = await prox(volume([...z.data].map((x, i) => x - (i === 3 ? 1 : 0))), rho);
    for (const x of [...image.data, ...z.data]) expect(x >= 0 && x < Infinity, String(x)).toBe(true);
  });
});
