import { afterAll, describe, expect, it } from 'vitest';
import { array, type Shape3, size } from '../../src/core/array.js';
import { ModelError } from '../../src/core/errors.js';
import { convLora } from '../../src/network/conv-lora.js';
import { conv3d } from '../../src/network/conv3d.js';
import { constant, input, output } from '../../src/network/graph.js';
import { initialLora, loraManifest, loraOf, mergeLora, namedLora } from '../../src/network/lora.js';
import { add, reshape, scale } from '../../src/network/ops.js';
import { initialParameters, parameterCount } from '../../src/network/parameters.js';
import type { GraphRunner } from '../../src/network/runner.js';
import type { Architecture } from '../../src/network/unet.js';
import { evaluateGraph, loraGraph, loraTrainGraph } from '../../src/network/unet-graphs.js';
import { openAdapter } from '../../src/node/ort-adapter.js';
import { openSession } from '../../src/node/ort-session.js';
import { openTrainer } from '../../src/node/ort-trainer.js';
import { dotOf, expectGradients, normals, relativeError, runGraph, sameBits } from './laws.js';

describe('convLora', () => {
  for (const [n, ci, co, kernel, grid, rank] of [
    [1, 4, 5, [3, 3, 3], [3, 4, 2], 2],
    [2, 12, 10, [3, 3, 3], [3, 2, 5], 9],
    [2, 5, 4, [1, 1, 1], [2, 3, 3], 2],
    [1, 4, 6, [1, 3, 3], [2, 5, 3], 3],
  ] as const) {
    const weight = [co, ci, ...kernel];
    it(`gradients of x, A, B and the bias equal central differences: N = ${n}, ${ci} → ${co}, kernel ${kernel}, rank ${rank}`, () =>
      expectGradients([[n, ci, ...grid], [rank, ci, ...kernel], [co, rank], [co]], (x, down, up, bias) =>
        convLora(x, constant(x.graph, 'W', weight, normals(weight, 21)), bias, { down, up, scale: 0.7 }),
      ));
  }

  it('is the convolution with W plus two thin ones', async () => {
    const shapes = { x: [2, 3, 4, 3, 5], w: [4, 3, 3, 3, 3], b: [4], down: [2, 3, 3, 3, 3], up: [4, 2] };
    const feeds = Object.fromEntries(Object.entries(shapes).map(([name, shape], i) => [name, normals(shape, i + 1)]));
    const { fused, naive } = await runGraph((graph) => {
      const [x, w, b, down, up] = Object.entries(shapes).map(([name, shape]) => input(graph, name, shape));
      const none = (count: number) => constant(graph, `zero${count}`, [count], new Float32Array(count));
      output(convLora(x, w, b, { down, up, scale: 0.7 }), 'fused');
      const thin = conv3d(conv3d(x, down, none(2)), reshape(up, [4, 2, 1, 1, 1]), none(4));
      output(add(conv3d(x, w, b), scale(thin, 0.7)), 'naive');
    }, feeds);
    expect(relativeError(fused, naive)).toBeLessThan(1e-6);
  });
});

const small: Architecture = {
  ...{ kind: 'unet3d', inputChannels: 3, knows: ['condition', 'anatomy', 'mean', 'noise'], fold: 2, channels: [8, 12] },
  ...{ film: true, heads: 2, embedding: 6, features: 9, groups: 4 },
};
const patch: Shape3 = [4, 8, 12];
const batch = 2;
const jitter = normals([parameterCount(small)], 8);
const base = initialParameters(small, 7).map((value, i) => value + 0.1 * jitter[i]);
const lora = loraOf(small, { rank: 2, scale: 0.5, biases: true });
const fresh = initialLora(small, lora, 3);
const more = normals([fresh.length], 9);
const adapter = fresh.map((value, i) => value + 0.2 * more[i]);
const feeds = {
  ...{ x: normals([batch, 3, ...patch], 1), features: normals([batch, 9], 2), skip: Float32Array.of(0.8, 0.3) },
  ...{ target: normals([batch, 1, ...patch], 3), weight: Float32Array.of(0.5, 2) },
};
const { target: _t, weight: _w, ...plain } = feeds;
const opened: { dispose(): Promise<void> }[] = [];
const keep = <T extends { dispose(): Promise<void> }>(owner: T): T => {
  opened.push(owner);
  return owner;
};
const open = async (program: Parameters<typeof openSession>[0]): Promise<GraphRunner> => keep(await openSession(program));
afterAll(() => Promise.all(opened.map((owner) => owner.dispose())));

describe('an adapted network', () => {
  it('starts as the network itself, and is the merged network ever after', async () => {
    const adapted = await open(loraGraph(small, batch, patch, { lora, base }, { gradient: false }));
    const evaluate = await open(evaluateGraph(small, batch, patch));
    const { v: before } = await evaluate.run({ ...plain, parameters: base });
    expect(relativeError((await adapted.run({ ...plain, adapter: fresh })).v, before)).toBeLessThan(1e-6);
    const { v } = await adapted.run({ ...plain, adapter });
    const merged = mergeLora(small, lora, base, adapter);
    expect(relativeError(v, before)).toBeGreaterThan(0.05);
    expect(relativeError((await evaluate.run({ ...plain, parameters: merged })).v, v)).toBeLessThan(1e-5);
    expect(relativeError(mergeLora(small, lora, merged, adapter, -1), base)).toBeLessThan(1e-6);
  });

  it('has the gradient of its loss that central differences show, along each piece', async () => {
    const { gradient } = await (await open(loraTrainGraph(small, batch, patch, { lora, base }))).run({ ...feeds, adapter });
    const evaluate = await open(loraGraph(small, batch, patch, { lora, base }, { gradient: false }));
    const voxels = size(patch);
    const lossAt = async (direction: Float32Array, h: number): Promise<number> => {
      const { v } = await evaluate.run({ ...plain, adapter: adapter.map((value, i) => value + h * direction[i]) });
      return (
        v.reduce((sum, value, i) => sum + feeds.weight[Math.floor(i / voxels)] * (value - feeds.target[i]) ** 2, 0) / v.length
      );
    };
    for (const { name, shape, offset } of loraManifest(small, lora)) {
      const direction = new Float32Array(adapter.length);
      direction.set(normals(shape, offset), offset);
      const h = 5e-3;
      const numeric = ((await lossAt(direction, h)) - (await lossAt(direction, -h))) / (2 * h);
      const part = gradient.subarray(offset, offset + size(shape));
      expect(Math.abs(dotOf(gradient, direction) - numeric), name).toBeLessThan(0.01 * Math.sqrt(dotOf(part, part)) + 2e-5);
    }
  });

  it('an external seed gives the gradient of the loss in the graph, bit for bit', async () => {
    const trainer = keep(openTrainer(small, batch, patch, { threads: 1, microBatch: batch, adapted: { lora, base } }));
    trainer.load(adapter);
    const inside = await trainer.step(feeds);
    const external = keep(openAdapter(small, batch, patch, { lora, base }, { threads: 1 }));
    const x = array([batch, 3, ...patch], feeds.x);
    const v = await external.evaluate(x, feeds.features, feeds.skip, adapter);
    const voxels = size(patch);
    const twoOverN = Math.fround(2 / (batch * voxels));
    const seed = v.data.map(
      (value, i) => Math.fround(Math.fround(value - feeds.target[i]) * feeds.weight[Math.floor(i / voxels)]) * twoOverN,
    );
    const gradient = await external.gradient(x, feeds.features, feeds.skip, adapter, array(v.shape, seed));
    expect(sameBits(gradient, inside.gradient)).toBe(true);
    expect(() => trainer.load(base)).toThrow(/not the adapter of the network/);
  });
});

describe('the choice of layers', () => {
  it('is by default all 3³ convolutions wider than the rank', () => {
    expect(loraOf(small, { rank: 4 }).layers).toEqual([
      'stem',
      'encoder0.conv1',
      'encoder0.conv2',
      'encoder1.conv1',
      'encoder1.conv2',
      'decoder0.conv1',
      'decoder0.conv2',
      'head',
    ]);
    expect(loraOf(small, { rank: 8 }).layers).toEqual(['encoder1.conv1', 'encoder1.conv2']);
    expect(loraOf(small, { layers: ['decoder0', 'head', 'down1'] }).layers).toEqual([
      'down1',
      'decoder0.conv1',
      'decoder0.conv2',
      'decoder0.skip',
      'head',
    ]);
  });

  it('says what the network does not have', () => {
    expect(() => loraOf(small, { layers: ['encoder9'] })).toThrow(/no such convolution.*stem, encoder0\.conv1/);
    expect(() => loraOf(small, { layers: [] })).toThrow(ModelError);
    expect(() => loraOf(small, { rank: 12 })).toThrow(/smaller/);
    expect(() => loraOf(small, { rank: 1.5 })).toThrow(/rank/);
    expect(() => mergeLora(small, lora, base, new Float32Array(3))).toThrow(/does not fit/);
  });

  it('names each piece and starts with B and offsets at zero', () => {
    const tensors = namedLora(small, lora, fresh);
    expect([...tensors.keys()].slice(0, 4)).toEqual(['stem.lora_A', 'stem.lora_B', 'stem.lora_bias', 'encoder0.conv1.lora_A']);
    for (const [name, { data, shape }] of tensors) {
      const squares = dotOf(data, data) / data.length;
      if (name.endsWith('_A')) expect(squares * size(shape.slice(1))).toBeGreaterThan(0.7);
      else expect(squares).toBe(0);
    }
  });
});
