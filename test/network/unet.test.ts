import { afterAll, describe, expect, it } from 'vitest';
import { type Shape3, size } from '../../src/core/array.js';
import { ModelError } from '../../src/core/errors.js';
import type { Program } from '../../src/network/graph.js';
import { initialParameters, parameterCount, parameterManifest } from '../../src/network/parameters.js';
import type { GraphRunner, Tensors } from '../../src/network/runner.js';
import type { Architecture } from '../../src/network/unet.js';
import { evaluateGraph, externalGradientGraph, trainGraph } from '../../src/network/unet-graphs.js';
import { openSession } from '../../src/node/ort-session.js';
import { dotOf, normals, relativeError, sameBits } from './laws.js';

const small: Architecture = {
  kind: 'unet3d',
  inputChannels: 3,
  fold: 2,
  channels: [8, 12],
  embedding: 6,
  features: 5,
  groups: 4,
};
/** Everything that can be switched on. */
const rich: Architecture = {
  ...{
    kind: 'unet3d',
    inputChannels: 3,
    knows: ['condition', 'anatomy', 'mean', 'noise'],
    fold: 2,
    channels: [8, 12],
    blocks: [1, 2],
  },
  ...{ film: true, heads: 2, embedding: 6, features: 9, groups: 4 },
};
const patch: Shape3 = [4, 8, 12];
const batch = 2;
const voxels = size(patch);
const sessions: GraphRunner[] = [];
const open = async (program: Program): Promise<GraphRunner> => {
  sessions.push(await openSession(program));
  return sessions.at(-1)!;
};
afterAll(() => Promise.all(sessions.map((session) => session.dispose())));

/** Parameters away from their start: the last convolution is not zero any more. */
const noise = normals([parameterCount(small)], 8);
const parameters = initialParameters(small, 7).map((value, i) => value + 0.1 * noise[i]);
/** The same feeds for any of the two. */
const feedsOf = (architecture: Architecture) => {
  const count = parameterCount(architecture);
  const noise = normals([count], 8);
  return {
    ...feeds,
    features: normals([batch, architecture.features], 2),
    parameters: initialParameters(architecture, 7).map((value, i) => value + 0.1 * noise[i]),
  };
};
const feeds = {
  x: normals([batch, 3, ...patch], 1),
  features: normals([batch, 5], 2),
  skip: Float32Array.of(0.8, 0.3),
  target: normals([batch, 1, ...patch], 3),
  weight: Float32Array.of(0.5, 2),
  parameters,
};

/** 1/N Σ weight_n mean (v − target)², in double. */
function lossOf(v: Float32Array): number {
  return (
    v.reduce((sum, value, i) => sum + feeds.weight[Math.floor(i / voxels)] * (value - feeds.target[i]) ** 2, 0) / (batch * voxels)
  );
}

describe('U-Net graphs', () => {
  it('train and evaluate graphs hold the same network; given or fed parameters are the same', async () => {
    const { loss } = await (await open(trainGraph(small, batch, patch))).run(feeds);
    const fed = await (await open(evaluateGraph(small, batch, patch))).run(feeds);
    const given = await (await open(evaluateGraph(small, batch, patch, parameters))).run(feeds);
    const { v } = await (await open(externalGradientGraph(small, batch, patch))).run({ ...feeds, seed: feeds.target });
    expect(loss[0] / lossOf(fed.v)).toBeCloseTo(1, 5);
    expect(relativeError(given.v, fed.v)).toBeLessThan(1e-6);
    expect(relativeError(v, fed.v)).toBeLessThan(1e-6);
  });

  it.each([
    ['small', small],
    ['rich', rich],
    ['planar', { ...rich, planar: true }],
  ])('the gradient equals central differences, along all parameters together and along each one: %s', async (_, architecture) => {
    const feeds = feedsOf(architecture);
    const { parameters } = feeds;
    const small = architecture;
    const { gradient } = await (await open(trainGraph(small, batch, patch))).run(feeds);
    const evaluate = await open(evaluateGraph(small, batch, patch));
    const lossAt = async (direction: Float32Array, h: number): Promise<number> =>
      lossOf((await evaluate.run({ ...feeds, parameters: parameters.map((value, i) => value + h * direction[i]) })).v);
    const check = async (direction: Float32Array, name: string): Promise<void> => {
      const h = 2e-3;
      const numeric = ((await lossAt(direction, h)) - (await lossAt(direction, -h))) / (2 * h);
      const part = gradient.filter((_, i) => direction[i] !== 0);
      expect(Math.abs(dotOf(gradient, direction) - numeric), name).toBeLessThan(0.01 * Math.sqrt(dotOf(part, part)) + 1e-5);
    };
    await check(
      normals([parameters.length], 4).map((value) => value / 10),
      'all',
    );
    for (const { name, shape, offset } of parameterManifest(small)) {
      const direction = new Float32Array(parameters.length);
      direction.set(normals(shape, offset), offset);
      await check(direction, name);
    }
  });

  it('two heads: the flag of the mean mode picks one, and only that one learns', async () => {
    const feeds = feedsOf(rich);
    const train = await open(trainGraph(rich, batch, patch));
    const gradientAt = async (flag: number): Promise<Float32Array> => {
      const features = feeds.features.slice();
      for (let n = 0; n < batch; n++) features[n * 9 + 6] = flag;
      return (await train.run({ ...feeds, features })).gradient;
    };
    const head = parameterManifest(rich).find(({ name }) => name === 'head.weight')!;
    const [other, mean] = [await gradientAt(0), await gradientAt(1)];
    const half = size(head.shape) / 2;
    const norm = (gradient: Float32Array, from: number): number => {
      const part = gradient.subarray(head.offset + from, head.offset + from + half);
      return dotOf(part, part);
    };
    expect([norm(other, 0) > 0, norm(other, half), norm(mean, 0), norm(mean, half) > 0]).toEqual([true, 0, 0, true]);
  });

  it('planar: slices do not see one another but through the normalisation, so that alone each is the same', async () => {
    const planar: Architecture = { ...rich, planar: true };
    const feeds = feedsOf(planar);
    const one = await open(evaluateGraph(planar, 1, [1, 8, 12]));
    const x = normals([1, 3, 1, 8, 12], 5);
    const flat = { features: feeds.features.slice(0, 9), skip: Float32Array.of(0.5), parameters: feeds.parameters };
    const { v } = await one.run({ ...flat, x });
    // Three equal slices have the statistics of one.
    const three = await open(evaluateGraph(planar, 1, [3, 8, 12]));
    const stack = new Float32Array(3 * x.length);
    for (let c = 0; c < 3; c++) for (let z = 0; z < 3; z++) stack.set(x.subarray(96 * c, 96 * c + 96), 96 * (3 * c + z));
    const { v: volume } = await three.run({ ...flat, x: stack });
    for (let z = 0; z < 3; z++) expect(relativeError(volume.subarray(96 * z, 96 * z + 96), v)).toBeLessThan(1e-5);
    expect(() => evaluateGraph(planar, 1, [3, 8, 10])).toThrow(/\[1, 4, 4\]/);
  });

  it('refuses an architecture that cannot be', () => {
    for (const [changes, says] of [
      [{ blocks: [1] }, /blocks.*2 positive integers/],
      [{ heads: 3 }, /heads/],
      [{ knows: ['mean'] }, /"condition", then/],
      [{ knows: ['condition', 'weather'] }, /knows/],
      [{ knows: ['condition', 'noise'], features: 9 }, /mean among them/],
      [{ inputChannels: 2 }, /at least 3 to know the anatomy/],
      [{ features: 10 }, /5 for what it knows and an even number/],
    ] as const)
      expect(() => parameterCount({ ...rich, ...changes } as Architecture)).toThrow(says);
  });

  it('an external seed gives the gradient of the loss in the graph, bit for bit', async () => {
    const inside = await (await open(trainGraph(small, batch, patch))).run(feeds);
    const external = await open(externalGradientGraph(small, batch, patch));
    const { v } = await external.run({ ...feeds, seed: feeds.target });
    const twoOverN = Math.fround(2 / (batch * voxels));
    const seed = v.map(
      (value, i) => Math.fround(Math.fround(value - feeds.target[i]) * feeds.weight[Math.floor(i / voxels)]) * twoOverN,
    );
    const { gradient } = await external.run({ ...feeds, seed });
    expect(sameBits(gradient, inside.gradient)).toBe(true);
  });

  it('the same step twice gives the same bits', async () => {
    const train = await open(trainGraph(small, batch, patch));
    const [first, second] = [await train.run(feeds), await train.run(feeds)];
    expect(first.loss[0]).toBe(second.loss[0]);
    expect(sameBits(first.gradient, second.gradient)).toBe(true);
  });

  it('a fresh network is the condition skip alone: v = −skip · c', async () => {
    const { v } = await (await open(evaluateGraph(small, batch, patch, initialParameters(small, 1)))).run(feeds);
    const expected = v.map((_, i) => {
      const sample = Math.floor(i / voxels);
      return -feeds.skip[sample] * feeds.x[(3 * sample + 1) * voxels + (i % voxels)];
    });
    expect(relativeError(v, expected)).toBeLessThan(1e-6);
  });

  it('the skip connection carries the fine level past a closed way up', async () => {
    const closed = parameters.slice();
    for (const { name, shape, offset } of parameterManifest(small))
      if (name.startsWith('up0.')) closed.fill(0, offset, offset + size(shape));
    const evaluate = await open(evaluateGraph(small, batch, patch, closed));
    const still = { ...feeds, skip: new Float32Array(batch) };
    const { v } = await evaluate.run(still);
    const { v: other } = await evaluate.run({ ...still, x: normals([batch, 3, ...patch], 6) });
    expect(relativeError(other, v)).toBeGreaterThan(0.01);
  });

  it('samples of a batch do not see one another', async () => {
    const evaluate = await open(evaluateGraph(small, batch, patch));
    const first = (values: Float32Array): Float32Array => values.subarray(0, values.length / batch);
    const other = { ...feeds, x: feeds.x.map((value, i) => (i < feeds.x.length / 2 ? value : 2 * value)) };
    expect(first((await evaluate.run(other)).v)).toEqual(first((await evaluate.run(feeds)).v));
  });

  it('plain gradient descent lowers the loss at every step', async () => {
    const train = await open(trainGraph(small, batch, patch));
    const descend = async (at: Float32Array, steps: number): Promise<number[]> => {
      const { loss, gradient } = (await train.run({ ...feeds, parameters: at })) as Tensors;
      return steps === 0
        ? [loss[0]]
        : [
            loss[0],
            ...(await descend(
              at.map((value, i) => value - 0.05 * gradient[i]),
              steps - 1,
            )),
          ];
    };
    const losses = await descend(initialParameters(small, 3), 8);
    losses.slice(1).forEach((loss, i) => {
      expect(loss).toBeLessThan(losses[i]);
    });
    expect(losses.at(-1)).toBeLessThan(0.97 * losses[0]);
  });

  it('says which patch or architecture cannot be', () => {
    expect(() => evaluateGraph(small, 1, [4, 8, 6])).toThrow(/patch.*multiples of 4.*4, 8, 6/);
    expect(() => evaluateGraph(small, 1, patch, new Float32Array(3))).toThrow(ModelError);
    const bad: [string, object][] = [
      ['kind', { kind: 'unet2d' }],
      ['inputChannels', { inputChannels: 1 }],
      ['fold', { fold: 4 }],
      ['channels', { channels: [8, 10] }],
      ['channels', { channels: [] }],
      ['embedding', { embedding: 0 }],
      ['features', { features: 4 }],
      ['groups', { groups: 0.5 }],
    ];
    for (const [key, change] of bad) {
      expect(() => parameterCount({ ...small, ...change } as Architecture), key).toThrow(
        new RegExp(`Network architecture \\(${key}\\)`),
      );
    }
  });
});
