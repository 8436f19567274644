/** Golden values: outputs and gradients of PyTorch 1.13 in double precision, scripts/reference/gradients.py. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { type Shape3, size } from '../../src/core/array.js';
import { attention } from '../../src/network/attention.js';
import { conv3d } from '../../src/network/conv3d.js';
import { constant, gradients, input, newGraph, output, program, type Var } from '../../src/network/graph.js';
import { groupNorm } from '../../src/network/group-norm.js';
import { loraManifest, loraOf } from '../../src/network/lora.js';
import { meanAbsoluteError, meanSquaredError } from '../../src/network/losses.js';
import { add, matmul, silu, softmax } from '../../src/network/ops.js';
import { parameterCount, parameterManifest } from '../../src/network/parameters.js';
import { averagePool, fold, unfold, upsample } from '../../src/network/resampling.js';
import type { Tensors } from '../../src/network/runner.js';
import type { Architecture } from '../../src/network/unet.js';
import { externalGradientGraph, loraGraph, loraTrainGraph, trainGraph } from '../../src/network/unet-graphs.js';
import { openSession } from '../../src/node/ort-session.js';
import { relativeError } from './laws.js';

interface Case {
  readonly shapes: readonly (readonly number[])[];
  readonly y: string;
  readonly gradients: readonly string[];
}
interface Whole {
  readonly v: string;
  readonly loss: number;
  readonly gradients: Readonly<Record<string, string>>;
}
const golden = JSON.parse(readFileSync(`${import.meta.dirname}/../fixtures/gradients.json`, 'utf8')) as {
  readonly operations: Readonly<Record<string, Case>>;
  readonly unet: Whole;
  readonly lora: Whole;
};
const decoded = (text: string): Float32Array => {
  const bytes = Uint8Array.from(Buffer.from(text, 'base64'));
  return new Float32Array(bytes.buffer);
};
const values = (shape: readonly number[], j: number, scale = 1): Float32Array =>
  Float32Array.from({ length: size(shape) }, (_, i) => scale * Math.sin(0.7 * i + 1.3 * j + 0.2));
const seventh = (x: Var): Var => constant(x.graph, 'target', x.shape, values(x.shape, 7));

const operations: Record<string, (...inputs: Var[]) => Var> = {
  'conv 3x3x3 stacked': (x, w, b) => conv3d(x, w, b),
  'conv 3x3x3 swapped': (x, w, b) => conv3d(x, w, b),
  'conv 3x3x3 sliced': (x, w, b) => conv3d(x, w, b),
  'conv 1x3x3': (x, w, b) => conv3d(x, w, b),
  'conv 1x1x1': (x, w, b) => conv3d(x, w, b),
  'conv 3x3x3 stride 1,2,2': (x, w, b) => conv3d(x, w, b, [1, 2, 2]),
  'group norm': (x, g, b) => groupNorm(x, g, b, 3),
  FiLM: (x, g, b) => groupNorm(x, g, b, 3),
  SiLU: silu,
  linear: (x, w, b) => add(matmul(x, w), b),
  softmax,
  'attention, 2 heads': (x) => attention(x, 2),
  fold: (x) => fold(x),
  unfold: (x) => unfold(x),
  'nearest 2x2x2': (x) => upsample(x),
  'nearest 1x2x2': (x) => upsample(x, [1, 2, 2]),
  'mean of 1x2x2': (x) => averagePool(x, [1, 2, 2]),
  'mean of 2x2x2': (x) => averagePool(x),
  'mean squared error': (x) => meanSquaredError(x, seventh(x)),
  'mean absolute error': (x) => meanAbsoluteError(x, seventh(x)),
};

describe('operations and their gradients are PyTorch’s', () => {
  it('all of them are compared', () => expect(Object.keys(operations)).toEqual(Object.keys(golden.operations)));

  it.each(Object.entries(operations))('%s', async (name, operation) => {
    const { shapes, y: expected, gradients: expectedGradients } = golden.operations[name];
    const graph = newGraph();
    const inputs = shapes.map((shape, i) => input(graph, `in${i}`, shape, true));
    const y = operation(...inputs);
    output(y, 'y');
    gradients(y, inputs, input(graph, 'seed', y.shape)).forEach((g, i) => {
      output(g, `grad${i}`);
    });
    const session = await openSession(program(graph));
    const found = await session.run({
      ...Object.fromEntries(shapes.map((shape, i) => [`in${i}`, values(shape, i)])),
      seed: Float32Array.from({ length: size(y.shape) }, (_, i) => Math.cos(0.9 * i)),
    });
    await session.dispose();
    expect(relativeError(found.y, decoded(expected)), 'y').toBeLessThan(2e-6);
    expectedGradients.forEach((text, i) => {
      expect(relativeError(found[`grad${i}`], decoded(text)), `input ${i}`).toBeLessThan(2e-6);
    });
  });
});

const architecture: Architecture = {
  ...{
    kind: 'unet3d',
    inputChannels: 3,
    knows: ['condition', 'anatomy', 'mean', 'noise'],
    fold: 2,
    channels: [4, 8],
    blocks: [1, 2],
  },
  ...{ film: true, heads: 2, embedding: 6, features: 9, groups: 2 },
};
const patch: Shape3 = [8, 8, 16];
const batch = 2;

/** As gradients.py numbers them: in the order in which the network asks. */
const parameters = new Float32Array(parameterCount(architecture));
// PyTorch's script asks for a convolution's weight after what its input needs; both number by first use in the same code order.
const manifest = parameterManifest(architecture);
Object.keys(golden.unet.gradients).forEach((name, order) => {
  const { shape, offset } = manifest.find((entry) => entry.name === name)!;
  const fan = shape.length === 1 ? 0 : size(shape.length === 2 ? shape.slice(0, 1) : shape.slice(1));
  const start = values(shape, 10 + order, fan === 0 ? 0.1 : 1 / Math.sqrt(fan));
  parameters.set(name.endsWith('gamma') ? start.map((value) => value + 1) : start, offset);
});
const features = values([batch, 9], 1);
features[6] = 0;
features[15] = 1;
const feeds = {
  ...{ x: values([batch, 3, ...patch], 0), features, skip: Float32Array.of(0.8, 0.3) },
  ...{ target: values([batch, 1, ...patch], 2), weight: Float32Array.of(0.5, 2) },
};
const { target: _target, weight: _weight, ...plain } = feeds;
const run = async (graph: Parameters<typeof openSession>[0], given: Tensors): Promise<Tensors> => {
  const session = await openSession(graph);
  const outputs = await session.run(given);
  await session.dispose();
  return outputs;
};

describe('the U-Net is PyTorch’s', () => {
  const compare = (
    { loss, gradient }: Tensors,
    { loss: expectedLoss, gradients: expected }: Whole,
    pieces: readonly { name: string; shape: readonly number[]; offset: number }[],
  ): void => {
    expect(Math.abs(loss[0] / expectedLoss - 1)).toBeLessThan(2e-6);
    expect(pieces.map(({ name }) => name).sort()).toEqual(Object.keys(expected).sort());
    for (const { name, shape, offset } of pieces) {
      const part = gradient.subarray(offset, offset + size(shape));
      expect(relativeError(part, decoded(expected[name])), name).toBeLessThan(4e-6);
    }
  };

  it('output, loss and the gradient of every parameter', async () => {
    compare(await run(trainGraph(architecture, batch, patch), { ...feeds, parameters }), golden.unet, manifest);
    const { v } = await run(externalGradientGraph(architecture, batch, patch), { ...plain, parameters, seed: feeds.target });
    expect(relativeError(v, decoded(golden.unet.v))).toBeLessThan(2e-6);
  });

  it('adapted by low-rank updates: output, loss and the gradient of every piece', async () => {
    const lora = loraOf(architecture, { rank: 2, scale: 0.5 });
    const pieces = loraManifest(architecture, lora);
    const last = pieces.at(-1)!;
    const adapter = new Float32Array(last.offset + size(last.shape));
    // Pieces are numbered by two a layer: A has 1/√fan-in, B 0.3.
    pieces.forEach(({ shape, offset }, i) => {
      adapter.set(values(shape, 200 + i, shape.length === 2 ? 0.3 : 1 / Math.sqrt(size(shape.slice(1)))), offset);
    });
    const adapted = { lora, base: parameters };
    compare(await run(loraTrainGraph(architecture, batch, patch, adapted), { ...feeds, adapter }), golden.lora, pieces);
    const { v } = await run(loraGraph(architecture, batch, patch, adapted, { gradient: false }), { ...plain, adapter });
    expect(relativeError(v, decoded(golden.lora.v))).toBeLessThan(2e-6);
  });
});
