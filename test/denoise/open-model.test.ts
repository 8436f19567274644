import { describe, expect, it } from 'vitest';
import { array, fill, type Shape3 } from '../../src/core/array.js';
import { normalisedAnatomy } from '../../src/denoise/anatomy.js';
import { openModel } from '../../src/denoise/open-model.js';
import type { ModelCard } from '../../src/network/model-card.js';
import type { Evaluator } from '../../src/network/runner.js';

const patch: Shape3 = [4, 4, 8];
const knows = ['condition', 'anatomy', 'mean', 'noise'] as const;
const card: ModelCard = {
  ...{
    name: 'toy',
    version: '1.0.0',
    licence: 'MIT',
    parameterisation: 'v',
    schedule: 'cosine',
    condition: 'low-count OSEM image',
  },
  architecture: { kind: 'unet3d', inputChannels: 3, knows, fold: 2, channels: [8], embedding: 8, features: 7, groups: 2 },
  ...{ intensity: { unit: 'SUV', scale: 0.5, bodyMean: 2 }, voxelSize: [4, 4, 4], patch, overlap: 1, training: {}, sha256: '' },
};

/** What the network is shown, one call at a time; it answers 0. */
function spying(architecture = card.architecture) {
  const seen: { channels: Float32Array[]; flags: number[]; skip: number }[] = [];
  const evaluator: Evaluator = {
    async evaluate(x, features, skip) {
      const channels = [0, 1, 2].map((c) => x.data.slice(128 * c, 128 * (c + 1)));
      seen.push({ channels, flags: [...features.slice(2)], skip: skip[0]! });
      return array([1, 1, ...patch]);
    },
    dispose: async () => {},
  };
  return { seen, model: openModel({ ...card, architecture }, evaluator) };
}
const image = fill(patch, (i) => 1 + Math.sin(i));
const anatomy = fill(patch, (i) => (i % 8 < 2 ? 0 : 0.1 + 0.01 * (i % 3)));
const half = image.data.map((value) => 0.5 * value);
const zeros = new Float32Array(128);

describe('the network is shown', () => {
  it('in the mean mode nothing, the image, and the anatomy, and is told so', async () => {
    const { seen, model } = spying();
    await model.mean(image, 1, { anatomy, noise: 0.4 });
    expect(seen[0]!.channels).toEqual([zeros, half, normalisedAnatomy(anatomy)]);
    expect(seen[0]).toMatchObject({ flags: [1, 1, 1, 1, Math.fround(Math.log(2))], skip: 1 });
    await model.mean(image);
    expect(seen[1]).toMatchObject({ channels: [zeros, half, zeros], flags: [1, 0, 1, 0, 0] });
  });

  it('as a denoiser x_t, and the image or the anatomy or neither', async () => {
    const { seen, model } = spying();
    const x = fill(patch, (i) => Math.cos(i));
    const xt = x.data.map((value) => Math.fround(Math.fround(value / 2) / Math.sqrt(1 + 1)));
    await model.denoiser(1, image, { anatomy, noise: 0.4 }).denoise(x, 2); // σ = 1 in the network's units: t = ½
    await model.denoiser(1, undefined, { anatomy, noise: 0.4 }).denoise(x, 2);
    await model.denoiser().denoise(x, 2);
    for (const { channels } of seen) for (let i = 0; i < 128; i++) expect(channels[0]![i]).toBeCloseTo(xt[i]!, 6);
    expect(seen.map(({ flags }) => flags.slice(0, 4))).toEqual([
      [1, 1, 0, 1],
      [0, 1, 0, 0],
      [0, 0, 0, 0],
    ]);
    expect(seen[0]!.channels.slice(1)).toEqual([half, normalisedAnatomy(anatomy)]);
    expect(seen[1]!.channels.slice(1)).toEqual([zeros, normalisedAnatomy(anatomy)]);
    expect(seen[2]!.channels.slice(1)).toEqual([zeros, zeros]);
    expect(seen.map(({ skip }) => skip.toFixed(5))).toEqual(['0.70711', '0.00000', '0.00000']);
  });

  it('no anatomy that it does not know, or that does not fit', async () => {
    const { knows: _, ...plain } = card.architecture;
    const { model } = spying({ ...plain, inputChannels: 2, features: 3 });
    await expect(model.mean(image, 1, { anatomy })).rejects.toThrow(/knows no anatomy/);
    await expect(spying().model.mean(image, 1, { anatomy: array([4, 4, 4]) })).rejects.toThrow(/anatomy does not fit/);
  });
});

it('an anatomy has a mean of one half over the body, whatever its unit', () => {
  for (const gain of [1, 2000]) {
    const values = [...normalisedAnatomy(fill([1, 2, 6], (i) => gain * [0, 0, 1, 2, 3, 2][i % 6]!))];
    expect(values).toEqual([0, 0, 0.25, 0.5, 0.75, 0.5, 0, 0, 0.25, 0.5, 0.75, 0.5]);
  }
});
