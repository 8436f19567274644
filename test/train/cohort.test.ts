/** Cohorts: what is drawn, what is kept out, and that their images are what a scanner would give. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { array } from '../../src/core/array.js';
import { centredGrid, petImage } from '../../src/core/image.js';
import { fromWorld } from '../../src/geometry/frame.js';
import { openEngine } from '../../src/node/devices.js';
import type { ProjectorEngine } from '../../src/projector/engine.js';
import { systemModel } from '../../src/projector/system-model.js';
import { deviance } from '../../src/recon/likelihood.js';
import { recipeOf, recipeScan, simulateRecipe, simulateSubject, subjectSeed } from '../../src/train/cohort.js';
import { type CohortConfig, checkedCohort, cohortSchema } from '../../src/train/cohort-config.js';
import { regionGrid, regionNames } from '../../src/train/regions.js';

const config = (more: Partial<CohortConfig> = {}): CohortConfig => checkedCohort({ ...cohortSchema.parse({}), ...more });

describe('recipes', () => {
  it('come from the lists, and never hold what is kept out of training', () => {
    const cohort = config();
    expect(cohort.keptOut.regions).toContain('brain');
    const seen = { regions: new Set<string>(), tracers: new Set<string>(), scanners: new Set<string>() };
    for (let number = 1; number <= 400; number++) {
      const recipe = recipeOf(cohort, subjectSeed(1, 'training', number));
      seen.regions.add(recipe.region);
      seen.tracers.add(recipe.tracer);
      seen.scanners.add(recipe.scanner);
      expect(recipe.voxel).toBeGreaterThanOrEqual(2.8);
      expect(recipe.voxel).toBeLessThanOrEqual(4.5);
      for (const { dose } of recipe.draws)
        expect(Math.abs(Math.log(dose / Math.sqrt(0.005)))).toBeLessThan(Math.log(50) / 2 + 1e-9);
    }
    for (const key of ['regions', 'tracers', 'scanners'] as const) {
      expect([...seen[key]].sort()).toEqual([...cohort[key]].sort());
      for (const name of cohort.keptOut[key]) expect(seen[key]).not.toContain(name);
    }
  });

  it('refuse a list that holds what is kept out', () => {
    expect(() => config({ regions: ['chest', 'brain'] })).toThrow(/brain/);
    expect(() => config({ tracers: ['dotatate'] })).toThrow(/cohort.tracers/);
    expect(() => config({ scanners: ['petmr'] })).toThrow(/petmr/);
    expect(() => config({ doses: [0.5, 0.1] })).toThrow(/cohort.doses/);
  });

  it('have seeds that no two groups share', () => {
    const seeds = [1, 2].flatMap((seed) =>
      (['training', 'validation', 'test'] as const).flatMap((group) =>
        [1, 2, 400_000 / 4].map((n) => subjectSeed(seed, group, n)),
      ),
    );
    expect(new Set(seeds).size).toBe(seeds.length);
    // The largest cohort that a configuration may ask for ends before the next group begins.
    expect(subjectSeed(1, 'training', 400_000)).toBeLessThan(subjectSeed(1, 'validation', 1));
    expect(subjectSeed(1, 'validation', 100_000)).toBeLessThan(subjectSeed(1, 'test', 1));
    expect(() => cohortSchema.parse({ subjects: 400_001 })).toThrow();
  });
});

it.each(regionNames)('the grid of %s holds the body across', (region) => {
  const { grid } = regionGrid(region, { seed: 11, tracer: 'fdg' }, { voxel: 8, thickness: 1, along: 0.5, voxels: 60_000 });
  expect(grid.shape.every((n) => n % 2 === 1)).toBe(true);
  expect(grid.shape[0]).toBeGreaterThanOrEqual(33);
  expect(grid.shape[2] * grid.voxelSize[2]).toBeGreaterThan(130);
  expect(grid.shape[2] * grid.voxelSize[2]).toBeLessThan(640);
});

describe('simulated images', () => {
  let engine: ProjectorEngine;
  beforeAll(async () => {
    engine = await openEngine({ device: 'cpu', threads: 1 });
  });
  afterAll(() => engine.dispose());
  const draw = { dose: 0.1, iterations: 3, psf: false, filter: 0 };
  const recipe = {
    ...({ region: 'abdomen', tracer: 'fdg', scanner: 'digital', seed: 77 } as const),
    ...{ voxel: 9, thickness: 1, along: 0.5, exposure: 1, anatomy: 'mu' as const },
    draws: [
      { ...draw, seed: 1 },
      { ...draw, seed: 2 },
      { ...draw, dose: 0.4, seed: 3 },
      { ...draw, psf: true, filter: 12, seed: 4 },
    ],
  };

  it('are in SUV, on the truth’s grid, the noisier the lower the dose', async () => {
    const { truth, lowDose, anatomy, shape, labels } = await simulateRecipe(recipe, 20_000, engine);
    const n = shape[0] * shape[1] * shape[2];
    for (const volume of [truth, anatomy, labels, ...lowDose]) expect(volume.length).toBe(n);
    // In the middle slices the sum over the body is kept; the ends are seen by few lines.
    const plane = shape[1] * shape[2];
    const middle = (x: Float32Array): number =>
      x.subarray(8 * plane, (shape[0] - 8) * plane).reduce((sum, value) => sum + value, 0);
    for (const image of lowDose) expect(middle(image) / middle(truth)).toBeCloseTo(1, 1);
    // Where the truth is, the image is: a body that was flipped or shifted would not correlate.
    const correlation = (a: Float32Array, b: Float32Array): number => {
      const [ma, mb] = [a, b].map((x) => x.reduce((sum, value) => sum + value, 0) / n) as [number, number];
      let [ab, aa, bb] = [0, 0, 0];
      for (let i = 0; i < n; i++) {
        ab += (a[i]! - ma) * (b[i]! - mb);
        aa += (a[i]! - ma) ** 2;
        bb += (b[i]! - mb) ** 2;
      }
      return ab / Math.sqrt(aa * bb);
    };
    expect(correlation(truth, lowDose[2]!)).toBeGreaterThan(0.8);
    const noise = (image: Float32Array): number =>
      Math.sqrt(image.reduce((sum, value, i) => sum + (value - truth[i]!) ** 2, 0) / n);
    expect(noise(lowDose[2]!)).toBeLessThan(0.85 * noise(lowDose[0]!));
    expect(noise(lowDose[3]!)).not.toBe(noise(lowDose[0]!));
  });

  it('come from a scan whose mean the truth explains, of as many slices as the recipe asks for', async () => {
    const asked = { ...recipe, slices: 9 };
    const { truth, shape, voxelSize, scan, grid, psf } = await recipeScan(asked, 0, engine);
    expect(shape[0]).toBe(9);
    const exact = { prompts: scan.mean, multiplicative: scan.multiplicative, additive: scan.additive, position: 'HFS' as const };
    const subsets = await systemModel(exact, engine, grid, { psf });
    const misfit = async (values: Float32Array): Promise<number> => {
      const image = petImage(centredGrid(shape, voxelSize), array(shape, values), 'SUV');
      return (await deviance(subsets, fromWorld(image, 'HFS').values)).deviance;
    };
    expect(await misfit(truth)).toBeLessThan(1e-4 * (await misfit(truth.map((x) => 1.02 * x))));
  });

  it('repeat for a seed', async () => {
    const small = config({
      voxel: [10, 10],
      voxels: 20_000,
      draws: 1,
      subjects: 1,
      validation: 1,
      regions: ['neck'],
      scanners: ['legacy'],
    });
    const [one, again, held] = [
      await simulateSubject(small, 5, 1, engine),
      await simulateSubject(small, 5, 1, engine),
      await simulateSubject(small, 5, 2, engine),
    ];
    expect(one.lowDose[0]).toEqual(again.lowDose[0]);
    expect(one.recipe.seed).toBe(subjectSeed(5, 'training', 1));
    expect(held.recipe.seed).toBe(subjectSeed(5, 'validation', 1));
  });
});
