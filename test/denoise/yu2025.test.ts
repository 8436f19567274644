import { describe, expect, it } from 'vitest';
import { array, fill, type Shape3, type Volume } from '../../src/core/array.js';
import { ModelError, OptionError } from '../../src/core/errors.js';
import { centredGrid, type PetImage, petImage, type Unit } from '../../src/core/image.js';
import { type GuidedModel, guidedModel } from '../../src/denoise/guided-model.js';
import { denoiseYu2025 } from '../../src/denoise/yu2025.js';
import type { GuidedCard } from '../../src/network/guided-card.js';
import type { GuidedEvaluator } from '../../src/network/runner.js';
import { discrete, linearAlphaBar } from '../../src/prior/schedule.js';
import { torchNoise } from '../../src/prior/torch-noise.js';
import { published } from '../network/guided-models.js';

const card: GuidedCard = {
  ...{ name: 'toy', version: '1', licence: 'CC-BY-NC-SA-4.0', architecture: { ...published(32), widths: [32, 32, 32] } },
  ...{ parameterisation: 'eps', schedule: { kind: 'linear', steps: 1000, first: 1e-4, last: 0.02 } },
  ...{ intensity: { unit: 'SUV', scale: 1 / 16, ceiling: 16 }, voxelSize: [2, 2, 2], tile: { slices: 8, overlap: 3 } },
  ...{ condition: 'low-dose image', weights: 'fp32', source: {}, sha256: '' },
};

/** A network whose x̂₀ is `clean(c, x_t)`, voxel by voxel, in network units; it must be given planes of multiples of 4. */
function toy(clean: (c: number, xt: number) => number, seen: number[][] = [], changes: Partial<GuidedCard> = {}): GuidedModel {
  const times = new Map<string, number>();
  const evaluator: GuidedEvaluator = {
    async evaluate(x, time) {
      seen.push([...x.shape]);
      expect(x.shape[3]! % 4).toBe(0);
      expect(x.shape[4]! % 4).toBe(0);
      const key = time.join();
      // The time is read off its features: cos and sin of t itself come first in each half.
      const t = times.get(key) ?? timeOf(time);
      times.set(key, t);
      const a = linearAlphaBar()[t]!;
      const n = x.data.length / 2;
      const out = array([1, 2, ...x.shape.slice(2)]);
      for (let i = 0; i < n; i++) {
        const xt = x.data[i]!;
        out.data[i] = (xt - Math.sqrt(a) * clean(x.data[n + i]!, xt)) / Math.sqrt(1 - a);
        out.data[n + i] = 0.2;
      }
      return out;
    },
    dispose: async () => {},
  };
  return guidedModel({ ...card, ...changes }, evaluator);
}
function timeOf(features: Float32Array): number {
  const half = features.length / 2;
  let best = 0;
  let least = Number.POSITIVE_INFINITY;
  for (let t = 0; t < 1000; t++) {
    let error = 0;
    for (let k = 0; k < half; k++) error += Math.abs(Math.cos(t * Math.exp((-Math.log(10000) * k) / half)) - features[k]!);
    if (error < least) [best, least] = [t, error];
  }
  return best;
}
const image = (shape: Shape3, voxel = 2, unit: Unit = 'SUV', gain = 1): PetImage =>
  petImage(
    centredGrid(shape, [voxel, voxel, voxel]),
    fill(shape, (i) => gain * (2 + Math.sin(i / 5))),
    unit,
    { kept: 'yes' },
  );
const worst = (a: Volume, b: Volume): number =>
  a.data.reduce((most, value, i) => Math.max(most, Math.abs(value - b.data[i]!)), 0);

describe('denoiseYu2025', () => {
  it.each([[[1, 4, 4]], [[8, 5, 7]], [[21, 6, 9]], [[9, 3, 10]]] as [Shape3][])(
    'gives back what the network gives back, in any shape %j: no slice and no voxel is lost',
    async (shape) => {
      const seen: number[][] = [];
      const noisy = image(shape);
      const {
        image: out,
        warnings,
        slabs,
      } = await denoiseYu2025(
        noisy,
        toy((c) => c, seen),
        { steps: 4 },
      );
      expect(worst(out.values, noisy.values)).toBeLessThan(1e-4);
      expect(out.meta).toEqual({ kept: 'yes' });
      expect(warnings).toEqual([]);
      expect(seen.length).toBe(4 * slabs.length);
    },
  );

  it('runs all steps of the schedule unless told otherwise', async () => {
    const seen: number[][] = [];
    const { steps } = await denoiseYu2025(
      image([1, 4, 4]),
      toy((c) => c, seen),
    );
    expect([steps, seen.length]).toEqual([1000, 1000]);
  });

  it('begins each slab with the same noise of PyTorch, and repeats for a seed', async () => {
    // With x̂₀ = x_t (clipped to ±1) at two timesteps the first noise shows in the result.
    const draw = async (seed?: number): Promise<Volume> =>
      (
        await denoiseYu2025(
          image([13, 4, 4]),
          toy((_, xt) => Math.max(0, xt) / 2),
          { steps: 2, seed },
        )
      ).image.values;
    const [a, again, other] = [await draw(), await draw(10), await draw(11)];
    expect(a.data).toEqual(again.data);
    expect(a.data).not.toEqual(other.data);
    // Slabs start at 0 and 5: their own slices 3 and 7 (8 and 12 of the volume) hold the same noise.
    const slice = (z: number): number[] => [...a.data.subarray(16 * z, 16 * (z + 1))];
    expect(slice(8)).toEqual(slice(3));
    const randn = torchNoise(10);
    const [x, z] = [randn([8, 4, 4]), randn([8, 4, 4])];
    // By hand: from t = 999 to 0.
    const alphaBar = [linearAlphaBar()[0]!, linearAlphaBar()[999]!];
    const beta = 1 - alphaBar[1]! / alphaBar[0]!;
    const posterior = (beta * (1 - alphaBar[0]!)) / (1 - alphaBar[1]!);
    for (const i of [0, 17, 50]) {
      const first = Math.min(1, Math.max(-1, Math.max(0, x.data[i]!) / 2));
      const mean =
        ((beta * Math.sqrt(alphaBar[0]!)) / (1 - alphaBar[1]!)) * first +
        ((Math.sqrt(1 - beta) * (1 - alphaBar[0]!)) / (1 - alphaBar[1]!)) * x.data[i]!;
      const x0 = mean + Math.exp((0.6 * Math.log(beta) + 0.4 * Math.log(posterior)) / 2) * z.data[i]!;
      const second = Math.min(1, Math.max(-1, Math.max(0, x0) / 2));
      expect(a.data[i]).toBeCloseTo(16 * second, 3);
    }
  });

  it('cuts off at the ceiling, as published, and says so; never below zero', async () => {
    const hot = image([3, 4, 4], 2, 'SUV', 7);
    const { image: out, warnings } = await denoiseYu2025(
      hot,
      toy((c) => c - 0.5),
      { steps: 3 },
    );
    expect(Math.max(...out.values.data)).toBeCloseTo(8, 4);
    expect(Math.min(...out.values.data)).toBe(0);
    const above = hot.values.data.filter((value) => value > 16).length;
    expect(warnings.join()).toContain(`${above} voxels above SUV 16`);
  });

  it('brings other voxels to the model’s size and back', async () => {
    const wide = petImage(
      centredGrid([9, 10, 11], [3, 4, 4]),
      fill([9, 10, 11], (i) => 3 + Math.sin(i / 500)),
      'SUV',
    );
    const {
      image: out,
      modelShape,
      warnings,
    } = await denoiseYu2025(
      wide,
      toy((c) => c),
      { steps: 2 },
    );
    expect(modelShape).toEqual([14, 20, 22]);
    expect(out.grid).toEqual(wide.grid);
    expect(worst(out.values, wide.values)).toBeLessThan(0.05);
    expect(warnings.join()).toMatch(/Resampled from 3 × 4 × 4 mm to the model's 2 × 2 × 2 mm/);
  });

  it('refuses other units, too few steps, and networks of other channels', async () => {
    const model = toy((c) => c);
    await expect(denoiseYu2025(image([2, 4, 4], 2, 'Bq/mL'), model)).rejects.toThrow(OptionError);
    await expect(denoiseYu2025(image([2, 4, 4]), model, { steps: 1 })).rejects.toThrow(OptionError);
    expect(() => toy((c) => c, [], { architecture: { ...published(32), inputChannels: 6 } })).toThrow(ModelError);
  });

  it('stops with the reason given', async () => {
    const reason = new Error('enough');
    await expect(
      denoiseYu2025(
        image([8, 4, 4]),
        toy((c) => c),
        { signal: AbortSignal.abort(reason) },
      ),
    ).rejects.toBe(reason);
  });
});

describe('guidedModel', () => {
  it('is a denoiser in σ, in the units of the image, whole or in slabs', async () => {
    const model = toy((c) => c);
    const condition = fill([13, 5, 6], (i) => 40 + Math.sin(i)); // hot: nothing is clipped here
    const denoiser = model.denoiser(1, condition);
    const { sigmaMin, sigmaMax } = discrete();
    expect(denoiser.sigmaMin).toBeCloseTo(16 * sigmaMin, 6);
    expect(denoiser.sigmaMax).toBeCloseTo(16 * sigmaMax, 6);
    const sigma = 16 * discrete().sigma(300);
    const x = fill([13, 5, 6], (i) => condition.data[i]! + sigma * Math.cos(i));
    expect(worst(await denoiser.denoise(x, sigma), condition)).toBeLessThan(2e-3);
    // In half the unit all values and σ double.
    const halved = model.denoiser(
      0.5,
      fill([13, 5, 6], (i) => 2 * condition.data[i]!),
    );
    const twice = await halved.denoise(
      fill([13, 5, 6], (i) => 2 * x.data[i]!),
      2 * sigma,
    );
    expect(
      worst(
        twice,
        fill([13, 5, 6], (i) => 2 * condition.data[i]!),
      ),
    ).toBeLessThan(4e-3);
  });
});
