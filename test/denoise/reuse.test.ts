/** Deep features taken over from the step before: what is reused, when, and what it changes. */
import { afterAll, describe, expect, it } from 'vitest';
import { fill, type Shape3 } from '../../src/core/array.js';
import { centredGrid, petImage } from '../../src/core/image.js';
import { random } from '../../src/core/random.js';
import { type DenoiseOptions, denoiseVolume } from '../../src/denoise/denoise-volume.js';
import { openModel } from '../../src/denoise/open-model.js';
import type { ModelCard } from '../../src/network/model-card.js';
import { initialParameters } from '../../src/network/parameters.js';
import type { Evaluator } from '../../src/network/runner.js';
import type { Architecture } from '../../src/network/unet.js';
import { openEvaluator } from '../../src/node/ort-evaluator.js';

const architecture: Architecture = {
  ...{ kind: 'unet3d', inputChannels: 2, knows: ['condition', 'mean'], fold: 2, channels: [8, 16, 16], blocks: [1, 2, 1] },
  ...{ film: true, heads: 2, embedding: 16, features: 8, groups: 4 },
};
const patch: Shape3 = [8, 8, 16];
const card: ModelCard = {
  ...{ name: 'toy', version: '1', licence: 'MIT', architecture, parameterisation: 'v', schedule: 'cosine' },
  ...{ intensity: { unit: 'SUV', scale: 0.5, bodyMean: 1.5 }, voxelSize: [4, 4, 4], patch, overlap: 2 },
  ...{ condition: 'low-count OSEM image', training: {}, sha256: '' },
};
const { normal } = random(5);
const evaluator = openEvaluator(
  architecture,
  initialParameters(architecture, 1).map((value) => value + 0.05 * normal()),
  patch,
  { threads: 1 },
);
afterAll(() => evaluator.dispose());
const shape: Shape3 = [8, 9, 16]; // two tiles
const image = petImage(
  centredGrid(shape, [4, 4, 4]),
  fill(shape, (i) => 1 + Math.sin(i / 7) ** 2),
  'SUV',
);

describe('the network in two pieces', () => {
  const features = Float32Array.from({ length: 8 }, (_, i) => Math.cos(i));
  const skip = Float32Array.of(0.3);
  const x = fill([1, 2, ...patch], (i) => Math.sin(i / 3));
  const y = fill([1, 2, ...patch], (i) => Math.sin(i / 3) + 0.1 * Math.cos(i));

  it('is the network, to the bit, where the coarse levels are given what they make', async () => {
    const plain = await evaluator.evaluate(x, features, skip);
    const full = await evaluator.reuse!(x, features, skip, undefined);
    const shallow = await evaluator.reuse!(x, features, skip, full.deep);
    expect(full.v.data).toEqual(plain.data);
    expect(shallow.v.data).toEqual(plain.data);
    expect(shallow.deep).toEqual(full.deep);
    expect(full.deep.length).toBe((8 * patch[0] * patch[1] * patch[2]) / 64);
  });

  it('answers to the finest level where they are given what they made of something else', async () => {
    const old = await evaluator.reuse!(x, features, skip, undefined);
    const own = await evaluator.evaluate(y, features, skip);
    const { v } = await evaluator.reuse!(y, features, skip, old.deep);
    const apart = (a: Float32Array, b: Float32Array): number =>
      Math.sqrt(a.reduce((sum, value, i) => sum + (value - b[i]!) ** 2, 0) / a.length);
    expect(apart(v.data, own.data)).toBeGreaterThan(1e-4);
    expect(apart(v.data, old.v.data)).toBeGreaterThan(1e-4);
  });
});

describe('denoiseVolume, reuse', () => {
  const counted = (): { calls: string[]; model: ReturnType<typeof openModel> } => {
    const calls: string[] = [];
    const watched: Evaluator = {
      ...evaluator,
      evaluate(...args) {
        calls.push('plain');
        return evaluator.evaluate(...args);
      },
      reuse(...args) {
        calls.push(args[3] === undefined ? 'full' : 'shallow');
        return evaluator.reuse!(...args);
      },
    };
    return { calls, model: openModel(card, watched) };
  };
  const draw = async (options: DenoiseOptions): Promise<{ calls: string[]; data: Float32Array }> => {
    const { calls, model } = counted();
    const { image: out, sampling } = await denoiseVolume(image, model, { mode: 'samples', samples: 1, ...options });
    expect(sampling).toMatchObject({ reuse: options.reuse ?? 1 });
    return { calls: calls.slice(2), data: out.values.data }; // two tiles of the mean come first
  };

  it('1 is all of the network in every step, and every n-th step of each sample else', async () => {
    expect((await draw({ steps: 2 })).calls).toEqual(['plain', 'plain', 'plain', 'plain']);
    const pair = (kind: string): string[] => [kind, kind];
    const steps = ['full', 'shallow', 'shallow', 'full', 'shallow'];
    expect((await draw({ steps: 5, reuse: 3, samples: 2 })).calls).toEqual([...steps, ...steps].flatMap(pair));
  });

  it('changes less the smaller the steps', async () => {
    const apart = async (steps: number): Promise<number> => {
      const [plain, reused] = [await draw({ steps }), await draw({ steps, reuse: 2 })];
      return Math.sqrt(plain.data.reduce((sum, value, i) => sum + (value - reused.data[i]!) ** 2, 0) / plain.data.length);
    };
    const [few, many] = [await apart(4), await apart(32)];
    expect(few).toBeGreaterThan(0);
    expect(many).toBeLessThan(0.4 * few);
  });

  it('is refused where it cannot be', async () => {
    const { reuse: _, ...without } = evaluator;
    const draw = (reuse: number, other: Evaluator) =>
      denoiseVolume(image, openModel(card, other), { mode: 'samples', samples: 1, reuse });
    await expect(draw(2, without)).rejects.toThrow(/cannot reuse.*reuse/);
    await expect(draw(0, evaluator)).rejects.toThrow(/Reuse/);
  });
});
