import { describe, expect, it } from 'vitest';
import { array, fill, type NdArray, type Shape3 } from '../../src/core/array.js';
import { OptionError } from '../../src/core/errors.js';
import { centredGrid, type PetImage, petImage, type Unit } from '../../src/core/image.js';
import { bodyMean, denoiseVolume } from '../../src/denoise/denoise-volume.js';
import { type OpenModel, openModel } from '../../src/denoise/open-model.js';
import type { ModelCard } from '../../src/network/model-card.js';
import type { Evaluator } from '../../src/network/runner.js';

const patch: Shape3 = [8, 8, 8];
const card = {
  ...{
    name: 'toy',
    version: '1.0.0',
    licence: 'MIT',
    parameterisation: 'v',
    schedule: 'cosine',
    condition: 'low-count OSEM image',
  },
  architecture: { kind: 'unet3d', inputChannels: 2, fold: 2, channels: [8], embedding: 8, features: 5, groups: 2 },
  ...{ intensity: { unit: 'SUV', scale: 0.5, bodyMean: 2 }, voxelSize: [4, 4, 4], patch, overlap: 2, training: {}, sha256: '' },
} as const satisfies ModelCard;

/** A network whose clean estimate is `clean(x_t/α, c)`, voxel by voxel, network units: v = (α x_t − x̂₀)/σ. */
const toy = (clean: (x: number, c: number) => number): OpenModel => openModel(card, evaluatorOf(clean));
function evaluatorOf(clean: (x: number, c: number) => number): Evaluator {
  return {
    async evaluate(x, features, [skip]) {
      const voxels = 512;
      const present = features[4] === 1;
      // Without a condition the noise level is not in `skip`; the toy is only asked at full presence or for the prior's shape.
      const sigma = present ? skip! : 0.5;
      const alpha = Math.sqrt(Math.max(0, 1 - sigma * sigma));
      const v = new Float32Array(voxels);
      for (let i = 0; i < voxels; i++) {
        const xt = x.data[i]!;
        v[i] = (alpha * xt - clean(alpha > 1e-6 ? xt / alpha : 0, x.data[voxels + i]!)) / sigma;
      }
      return array([1, 1, ...patch], v);
    },
    dispose: async () => {},
  };
}

const image = (shape: Shape3, unit: Unit = 'SUV', gain = 1): PetImage =>
  petImage(
    centredGrid(shape, [4, 4, 4]),
    fill(shape, (i) => gain * (1 + Math.sin(i / 3) ** 2)),
    unit,
    { kept: 'yes' },
  );
const same = (a: NdArray, b: NdArray, digits = 4): void => {
  expect(a.shape).toEqual(b.shape);
  for (let i = 0; i < a.data.length; i++) expect(a.data[i]).toBeCloseTo(b.data[i]!, digits);
};

describe('denoiseVolume', () => {
  const identity = toy((_, c) => c);

  it.each([[[8, 8, 8]], [[1, 5, 19]], [[13, 9, 22]]] as [Shape3][])(
    'gives back what the network gives back, in any shape %j',
    async (shape) => {
      const noisy = image(shape);
      const { image: out, warnings } = await denoiseVolume(noisy, identity, { prefilter: 'none' });
      same(out.values, noisy.values);
      expect(out.meta).toEqual({ kept: 'yes' });
      expect([...out.affine]).toEqual([...noisy.affine]);
      if (shape[0] >= 4) expect(warnings).toEqual([]);
    },
  );

  it('samples end at the network’s own estimate, whatever the noise, and then the spread is 0', async () => {
    const noisy = image([5, 9, 11]);
    const { image: out, spread } = await denoiseVolume(noisy, identity, { mode: 'samples', samples: 3, steps: 2 });
    same(out.values, noisy.values);
    expect(Math.max(...spread!.values.data)).toBeLessThan(1e-3);
  });

  it('samples differ where the network leaves noise, repeat for a seed, and their spread is in the unit of the image', async () => {
    const half = toy((x, c) => (x + c) / 2);
    const noisy = image([6, 10, 12]);
    const draw = (seed: number, unit = noisy) => denoiseVolume(unit, half, { mode: 'samples', samples: 4, steps: 1, seed });
    const [a, again, b] = [await draw(1), await draw(1), await draw(2)];
    expect([...a.image.values.data]).toEqual([...again.image.values.data]);
    expect([...a.image.values.data]).not.toEqual([...b.image.values.data]);
    // σ₁ = tan(0.15 π) network units; the toy keeps half of the noise; 1 network unit is 2 SUV.
    const mean = a.spread!.values.data.reduce((sum, value) => sum + value, 0) / a.spread!.values.data.length;
    expect(mean / (Math.tan(0.15 * Math.PI) * 0.5 * 2 * 0.92)).toBeGreaterThan(0.85);
    expect(mean / (Math.tan(0.15 * Math.PI) * 0.5 * 2 * 0.92)).toBeLessThan(1.15);
  });

  it('draws with either sampler, and says with which', async () => {
    const half = toy((x, c) => (x + c) / 2);
    const draw = async (sampler: 'ddim' | 'dpm2') => {
      const { image: out, sampling } = await denoiseVolume(image([6, 10, 12]), half, { ...options, sampler });
      expect(sampling).toEqual({ ...options, looks: 2, prefilter: 'nlm', sampler, start: 0.3, eta: 0, reuse: 1 });
      return out.values.data;
    };
    const options = { mode: 'samples', samples: 1, steps: 5 } as const;
    const [first, second] = [await draw('ddim'), await draw('dpm2')];
    expect(first.some((value, i) => Math.abs(value - second[i]!) > 1e-3)).toBe(true);
    await expect(denoiseVolume(image([4, 4, 4]), half, { ...options, sampler: 'dpm2', eta: 0.5 })).rejects.toThrow(/eta.*dpm2/);
  });

  it('does not depend on the unit when the mean over the body is matched', async () => {
    const shrink = toy((_, c) => Math.tanh(c));
    const suv = image([6, 8, 9]);
    const scale = card.intensity.bodyMean / bodyMean(suv.values);
    const counts = image([6, 8, 9], 'counts', 1000);
    const out = await denoiseVolume(counts, shrink, { intensity: 'body-mean' });
    expect(out.suvPerUnit * 1000).toBeCloseTo(scale, 4);
    const direct = await denoiseVolume(image([6, 8, 9], 'SUV', scale), shrink);
    for (let i = 0; i < 432; i++) expect((out.image.values.data[i]! / 1000) * scale).toBeCloseTo(direct.image.values.data[i]!, 3);
    expect(out.image.unit).toBe('counts');
  });

  it('refuses a unit that is not SUV, and says how to go on', async () => {
    await expect(denoiseVolume(image([4, 4, 4], 'Bq/mL'), identity)).rejects.toThrow(OptionError);
    await expect(denoiseVolume(image([4, 4, 4], 'Bq/mL'), identity)).rejects.toThrow(/SUV.*Bq\/mL.*body-mean/);
  });

  it('works on voxels of the model’s size, and gives the image back on its own', async () => {
    const grid = centredGrid([17, 29, 23], [4.2, 2, 3]);
    const blob = (i: number): number => {
      const [z, y, x] = [Math.floor(i / (29 * 23)) - 8, (Math.floor(i / 23) % 29) - 14, (i % 23) - 11];
      return 3 * Math.exp(-((4.2 * z) ** 2 + (2 * y) ** 2 + (3 * x - 2) ** 2) / (2 * 9 ** 2));
    };
    const fine = petImage(grid, fill(grid.shape, blob), 'SUV');
    let seen: readonly number[] = [];
    const watched: OpenModel = {
      ...identity,
      mean: (x, ...rest) => {
        seen = x.shape;
        return identity.mean(x, ...rest);
      },
    };
    const { image: out, voxelSize, warnings } = await denoiseVolume(fine, watched);
    expect(voxelSize).toEqual([4.2, 4, 4]); // 4.2 mm is near enough
    expect(seen).toEqual([17, 15, 18]);
    expect(warnings.join()).toMatch(/4\.2 × 2 × 3 mm.*brought to the 4\.2 × 4 × 4 mm that toy knows.*detail finer/);
    expect(out.values.shape).toEqual([17, 29, 23]);
    for (let i = 0; i < out.values.data.length; i++) expect(Math.abs(out.values.data[i]! - blob(i))).toBeLessThan(0.06);
    const own = await denoiseVolume(fine, watched, { voxels: 'image', prefilter: 'none' });
    expect(seen).toEqual([17, 29, 23]);
    same(own.image.values, fine.values);
    expect(own.warnings.join()).toMatch(/knows little about others/);
    const anatomy = fill([17, 29, 22], () => 1);
    await expect(denoiseVolume(fine, watched, { anatomy })).rejects.toThrow(/does not fit/);
  });

  it('takes a number for the SUV of one unit', async () => {
    const shrink = toy((_, c) => Math.tanh(c));
    const out = await denoiseVolume(image([4, 8, 9], 'Bq/mL', 5000), shrink, { intensity: 1 / 5000 });
    const direct = await denoiseVolume(image([4, 8, 9]), shrink);
    expect([out.suvPerUnit, out.image.unit]).toEqual([1 / 5000, 'Bq/mL']);
    for (let i = 0; i < 288; i++) expect(out.image.values.data[i]! / 5000).toBeCloseTo(direct.image.values.data[i]!, 4);
    await expect(denoiseVolume(image([4, 8, 9], 'Bq/mL'), shrink, { intensity: 0 })).rejects.toThrow(OptionError);
  });

  it('measures the image in SUV, says so, and takes a frame of nothing', async () => {
    const { measured } = await denoiseVolume(image([6, 8, 9], 'Bq/mL', 5000), identity, { intensity: 1 / 5000 });
    expect(measured.maximum).toBeCloseTo(2, 2);
    expect(measured.bodyMean).toBeGreaterThan(1.4);
    expect(measured.bodyMean).toBeLessThan(1.6);
    expect(measured.fieldOfView).toEqual([24, 32, 36]);
    const empty = petImage(centredGrid([4, 4, 4], [4, 4, 4]), array([4, 4, 4]), 'SUV');
    const out = await denoiseVolume(empty, identity);
    expect(Math.max(...out.image.values.data)).toBe(0);
    expect(out.warnings.join()).toMatch(/SUV 0,/);
  });

  it('refuses a mode that the model was not trained for', async () => {
    const only = (mode: 'mean' | 'diffusion'): OpenModel => ({
      ...openModel(
        { ...card, modes: [mode] },
        evaluatorOf((_, c) => c),
      ),
    });
    await expect(denoiseVolume(image([8, 8, 8]), only('mean'), { mode: 'samples' })).rejects.toThrow(
      /modes.*diffusion, found \[mean\]/,
    );
    await expect(only('diffusion').mean(image([8, 8, 8]).values)).rejects.toThrow(/modes.*mean/);
    await denoiseVolume(image([8, 8, 8]), only('mean'));
  });

  it('never gives negative activity, and never clips a hot lesion', async () => {
    const signed = petImage(centredGrid([4, 4, 4], [4, 4, 4]), fill([4, 4, 4], Math.sin), 'SUV');
    const { image: out } = await denoiseVolume(signed, identity);
    expect(Math.min(...out.values.data)).toBe(0);
    const hot = await denoiseVolume(image([4, 4, 4], 'SUV', 60), identity);
    expect(Math.max(...hot.image.values.data)).toBeGreaterThan(100);
  });

  it('stops with the reason given', async () => {
    const reason = new Error('enough');
    const options = { mode: 'samples', samples: 1000, signal: AbortSignal.abort(reason) } as const;
    await expect(denoiseVolume(image([8, 8, 8]), identity, options)).rejects.toBe(reason);
  });
});
