import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fill, type NdArray } from '../../src/core/array.js';
import { ShapeError } from '../../src/core/errors.js';
import { centredGrid } from '../../src/core/image.js';
import { random } from '../../src/core/random.js';
import { sinogramLayout, sinogramShape } from '../../src/geometry/sinogram.js';
import { adjointError } from '../../src/projector/adjoint-error.js';
import { compose, diagonal, ones } from '../../src/projector/compose.js';
import type { ProjectorEngine } from '../../src/projector/engine.js';
import { gaussianPsf } from '../../src/projector/psf.js';
import { attenuationFactors, systemModel } from '../../src/projector/system-model.js';
import { maxDifference, noise } from '../laws.js';
import { engines, oddScanner } from './engines.js';

const layout = sinogramLayout(oddScanner, { span: 3 });
const grid = centredGrid([17, 15, 13], [3, 8, 9]);
const positive = (shape: readonly number[], seed: number): NdArray => {
  const { uniform } = random(seed);
  return fill(shape, () => 0.2 + uniform());
};
const allViews = Array.from({ length: layout.views }, (_, v) => v);

describe.each(engines)('system model on the %s engine', (_, open) => {
  let engine: ProjectorEngine;
  beforeAll(async () => {
    engine = await open();
  });
  afterAll(() => engine.dispose());

  it('explains the truth: prompts made as m ⊙ (A G x + a) are model(x) + background in every subset', async () => {
    const truth = positive(grid.shape, 1);
    const multiplicative = { layout, values: positive(sinogramShape(layout), 2) };
    const additive = { layout, values: positive(sinogramShape(layout), 3) };
    const projected = await engine
      .sinogramProjector(layout, allViews, grid)
      .forward(await gaussianPsf(grid, [3, 12, 10]).forward(truth));
    const values = fill(projected.shape, (i) => multiplicative.values.data[i]! * (projected.data[i]! + additive.values.data[i]!));
    const scan = { prompts: { layout, values }, multiplicative, additive, position: 'HFS' } as const;
    const fractions: number[] = [];
    const subsets = await systemModel(scan, engine, grid, {
      subsets: 4,
      psf: [3, 12, 10],
      onProgress: (fraction) => fractions.push(fraction),
    });
    expect(fractions).toEqual([0.25, 0.5, 0.75, 1]);
    for (const { model, prompts, background } of subsets) {
      const trues = await model.forward(truth);
      expect(
        maxDifference(
          fill(trues.shape, (i) => trues.data[i]! + background.data[i]!),
          prompts,
        ),
      ).toBeLessThan(1e-5);
      expect(await adjointError(model, { trials: 2 })).toBeLessThan(1e-6);
    }
  });

  it('has sensitivities that add up to that of one subset, and are modelᵀ 1', async () => {
    const prompts = { layout, values: ones(sinogramShape(layout)) };
    const multiplicative = { layout, values: positive(sinogramShape(layout), 2) };
    const scan = { prompts, multiplicative, position: 'HFS' } as const;
    const [whole] = await systemModel(scan, engine, grid);
    const parts = await systemModel(scan, engine, grid, { subsets: 5 });
    const sum = fill(grid.shape, (i) => parts.reduce((total, { sensitivity }) => total + sensitivity.data[i]!, 0));
    expect(maxDifference(sum, whole!.sensitivity)).toBeLessThan(1e-5);
    expect(parts.map(({ prompts: { shape } }) => shape[2])).toEqual([5, 4, 5, 4, 4].toSorted((a, b) => b - a));
    expect(parts.every(({ background }) => background.data.every((b) => b === 0))).toBe(true);
    const flat = await engine.sinogramProjector(layout, allViews, grid).adjoint(multiplicative.values);
    expect(maxDifference(whole!.sensitivity, flat)).toBeLessThan(1e-6);
  });

  it('attenuates all TOF bins of a line alike', async () => {
    const tof = { ...layout, scanner: { ...layout.scanner, tof: { bins: 3, binWidth: 400, resolution: 300 } }, tofBins: 3 };
    const box = centredGrid([33, 20, 20], [3, 9, 9]);
    const water = { grid: box, values: fill(box.shape, () => 0.096) };
    const plain = (await attenuationFactors(water, layout, engine)).values.data;
    const timed = (await attenuationFactors(water, tof, engine)).values;
    expect([...timed.shape]).toEqual([...sinogramShape(tof)]);
    for (let k = 0; k < 3; k++) expect(timed.data.slice(k * plain.length, (k + 1) * plain.length)).toEqual(plain);
  });

  it('turns 0.096/cm into the attenuation of water', async () => {
    const box = centredGrid([33, 40, 40], [3, 5, 5]);
    const water = { grid: box, values: fill(box.shape, () => 0.096) };
    const { values } = await attenuationFactors(water, layout, engine);
    // Plane 8 is a direct one through the middle; view 0, position 0 crosses 200 mm of water along y, tilted by 0.13 rad.
    const [, , views, width] = sinogramShape(layout);
    const central = values.data[(8 * views! + 0) * width! + 15]!;
    expect(central).toBeCloseTo(Math.exp(-0.0096 * (200 / Math.cos(0.13))), 3);
    expect(values.data.every((factor) => factor > 0 && factor <= 1)).toBe(true);
  });
});

describe('compose', () => {
  it('is the product in the order written', async () => {
    const d = diagonal(noise([2, 3, 4]));
    const g = gaussianPsf(centredGrid([2, 3, 4], [1, 1, 1]), 2);
    const x = noise([2, 3, 4], 2);
    const dg = compose(d, g);
    expect((await dg.forward(x)).data).toEqual((await d.forward(await g.forward(x))).data);
    expect((await dg.adjoint(x)).data).toEqual((await g.adjoint(await d.forward(x))).data);
    expect(await adjointError(dg)).toBeLessThan(1e-6);
  });

  it('refuses neighbours that do not fit', () => {
    expect(() => compose(diagonal(ones([3])), diagonal(ones([4])))).toThrow(ShapeError);
  });
});

describe('adjointError', () => {
  it('finds a transpose that is not one', async () => {
    const d = diagonal(noise([50]));
    expect(await adjointError({ ...d, adjoint: async (y) => fill([50], (i) => d.inShape.length * y.data[i]!) })).toBeGreaterThan(
      1e-2,
    );
    const broken = { ...d, forward: async () => fill([50], () => Number.NaN) };
    expect(await adjointError(broken)).toBeNaN();
  });
});
