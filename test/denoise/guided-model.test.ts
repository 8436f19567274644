/** Imported models through the same `denoiseVolume` as our own. */
import { describe, expect, it } from 'vitest';
import { array, fill, type Shape3, type Volume } from '../../src/core/array.js';
import { ModelError } from '../../src/core/errors.js';
import { centredGrid, type PetImage, petImage } from '../../src/core/image.js';
import { random } from '../../src/core/random.js';
import { denoiseVolume } from '../../src/denoise/denoise-volume.js';
import { type GuidedModel, guidedModel } from '../../src/denoise/guided-model.js';
import type { GuidedCard } from '../../src/network/guided-card.js';
import type { GuidedEvaluator } from '../../src/network/runner.js';
import { discrete } from '../../src/prior/schedule.js';
import { published } from '../network/guided-models.js';

const card: GuidedCard = {
  ...{ name: 'toy', version: '1', licence: 'CC-BY-NC-SA-4.0', architecture: { ...published(32), widths: [32, 32, 32] } },
  ...{ parameterisation: 'eps', schedule: { kind: 'linear', steps: 1000, first: 1e-4, last: 0.02 } },
  ...{ intensity: { unit: 'SUV', scale: 1 / 16, ceiling: 16 }, voxelSize: [2, 2, 2], tile: { slices: 8, overlap: 3 } },
  ...{ condition: 'low-dose image', weights: 'fp32', source: {}, sha256: '' },
};
/** What the network was given, network units: x = x_t/α without padding of the plane, and σ. */
interface Seen {
  readonly x: Float32Array;
  readonly sigma: number;
  readonly slices: number;
}

/** A network whose x̂₀ is `clean(x, c, σ)`; its variance is never asked for. */
function toy(clean: (x: number, c: number, sigma: number) => number, seen: Seen[] = []): GuidedModel {
  const evaluator: GuidedEvaluator = {
    async evaluate(input, features) {
      const half = features.length / 2;
      const slowest = Math.fround(Math.exp((-Math.log(10000) * (half - 1)) / half));
      const sigma = discrete().sigma(Math.asin(features[2 * half - 1]!) / slowest);
      const alpha = 1 / Math.sqrt(1 + sigma * sigma);
      const n = input.data.length / 2;
      const x = input.data.slice(0, n).map((value) => value / alpha);
      seen.push({ x, sigma, slices: input.shape[2]! });
      const out = array([1, 2, ...input.shape.slice(2)]);
      for (let i = 0; i < n; i++) out.data[i] = (x[i]! - clean(x[i]!, input.data[n + i]!, sigma)) / sigma;
      out.data.fill(Number.NaN, n);
      return out;
    },
    dispose: async () => {},
  };
  return guidedModel(card, evaluator);
}
const image = (shape: Shape3, gain = 1, voxel = 2): PetImage =>
  petImage(
    centredGrid(shape, [voxel, voxel, voxel]),
    fill(shape, (i) => gain * (2 + Math.sin(i / 5))),
    'SUV',
    { kept: 'yes' },
  );
const worst = (a: Volume, b: Volume): number => a.data.reduce((most, v, i) => Math.max(most, Math.abs(v - b.data[i]!)), 0);
const deviation = (x: Float32Array): number => {
  const mean = x.reduce((sum, value) => sum + value, 0) / x.length;
  return Math.sqrt(x.reduce((sum, value) => sum + (value - mean) ** 2, 0) / x.length);
};

describe('denoiseVolume with an imported model', () => {
  it.each([[[1, 4, 4]], [[8, 5, 7]], [[21, 6, 9]]] as [Shape3][])('gives back what the network says, %j', async (shape) => {
    const seen: Seen[] = [];
    const noisy = image(shape, 20); // hot: nothing is cut off
    const {
      image: out,
      sampling,
      warnings,
      spread,
    } = await denoiseVolume(
      noisy,
      toy((_, c) => c, seen),
    );
    expect(worst(out.values, noisy.values)).toBeLessThan(2e-3);
    expect(out.meta).toEqual({ kept: 'yes' });
    expect(sampling).toMatchObject({ mode: 'samples', samples: 1, steps: 20, start: 0.3 });
    expect(seen.length).toBe(20 * (shape[0] === 21 ? 4 : 1));
    expect(spread).toBeUndefined();
    expect(warnings.join()).toMatch(/hottest voxel has SUV 60; toy was trained on images that were cut off at 16/);
  });

  it('works on voxels of the model’s size', async () => {
    const seen: Seen[] = [];
    const coarse = petImage(
      centredGrid([6, 8, 8], [4, 4, 4]),
      fill([6, 8, 8], () => 3),
      'SUV',
    );
    const { image: out, voxelSize } = await denoiseVolume(
      coarse,
      toy((_, c) => c, seen),
    );
    expect(voxelSize).toEqual([2, 2, 2]);
    expect([...new Set(seen.map(({ slices }) => slices))]).toEqual([8]);
    expect(worst(out.values, coarse.values)).toBeLessThan(1e-3);
  });

  it('begins at a level that the noise of the image counts towards', async () => {
    const shape: Shape3 = [8, 40, 40];
    const { normal } = random(4);
    const s = 0.15; // network units; the body is 0.5
    const noisy = petImage(
      centredGrid(shape, [2, 2, 2]),
      fill(shape, () => 16 * (0.5 + s * normal())),
      'SUV',
    );
    const levelOf = async (start: number): Promise<Seen> => {
      const seen: Seen[] = [];
      await denoiseVolume(
        noisy,
        toy((_, c) => c, seen),
        { start, steps: 4 },
      );
      return seen[0]!;
    };
    const above = await levelOf((2 / Math.PI) * Math.atan(0.2));
    expect(above.sigma).toBeCloseTo(0.2, 3);
    expect(deviation(above.x) / 0.2).toBeGreaterThan(0.96); // noise on top of the noise would be 1.25
    expect(deviation(above.x) / 0.2).toBeLessThan(1.04);
    // No level is below what the image brings: then nothing is added, and that is the level.
    const below = await levelOf((2 / Math.PI) * Math.atan(0.02));
    expect(deviation(below.x) / s).toBeLessThan(1.04);
    expect(below.sigma / s).toBeGreaterThan(0.94);
    expect(below.sigma / s).toBeLessThan(1.06);
  });

  it('goes down to the network’s last timestep and no further, in any number of steps', async () => {
    const seen: Seen[] = [];
    await denoiseVolume(
      image([4, 4, 4]),
      toy((_, c) => c, seen),
      { steps: 200 },
    );
    const sigmas = seen.map(({ sigma }) => sigma);
    expect(sigmas.length).toBe(200);
    expect(Math.min(...sigmas)).toBeGreaterThanOrEqual(0.99 * discrete().sigmaMin);
    expect(sigmas.every((sigma, i) => i === 0 || sigma < sigmas[i - 1]!)).toBe(true);
  });

  it('refuses what it cannot do', async () => {
    const model = toy((_, c) => c);
    await expect(denoiseVolume(image([4, 4, 4]), model, { mode: 'mean' })).rejects.toThrow(ModelError);
    await expect(denoiseVolume(image([4, 4, 4]), model, { anatomy: array([4, 4, 4]) })).rejects.toThrow(/no anatomy/);
    await expect(denoiseVolume({ ...image([4, 4, 4]), unit: 'counts' }, model, { intensity: 'body-mean' })).rejects.toThrow(
      /does not say.*bodyMean/,
    );
    expect(() => model.denoiser()).toThrow(/condition.*no prior/);
  });
});
