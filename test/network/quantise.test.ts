import { afterAll, describe, expect, it } from 'vitest';
import { type Shape3, size } from '../../src/core/array.js';
import { ModelError } from '../../src/core/errors.js';
import { conv3d } from '../../src/network/conv3d.js';
import { input, output } from '../../src/network/graph.js';
import { initialParameters, parameterCount, parameterManifest } from '../../src/network/parameters.js';
import { type Activations, quantised } from '../../src/network/quantise.js';
import type { GraphRunner } from '../../src/network/runner.js';
import type { Architecture } from '../../src/network/unet.js';
import { calibrationGraph, draftGraph, evaluateGraph } from '../../src/network/unet-graphs.js';
import { openSession } from '../../src/node/ort-session.js';
import { normals, relativeError, runGraph } from './laws.js';

const small: Architecture = {
  ...{ kind: 'unet3d', inputChannels: 3, knows: ['condition', 'anatomy', 'mean', 'noise'], fold: 2, channels: [8, 12] },
  ...{ film: true, heads: 2, embedding: 6, features: 9, groups: 4 },
};
const patch: Shape3 = [8, 12, 4];
const jitter = normals([parameterCount(small)], 8);
const parameters = initialParameters(small, 7).map((value, i) => value + 0.1 * jitter[i]);
const feeds = { x: normals([1, 3, ...patch], 1), features: normals([1, 9], 2), skip: Float32Array.of(0.8), parameters };
const opened: GraphRunner[] = [];
const open = async (program: Parameters<typeof openSession>[0]): Promise<GraphRunner> => {
  const session = await openSession(program);
  opened.push(session);
  return session;
};
afterAll(() => Promise.all(opened.map((session) => session.dispose())));

async function calibration(): Promise<Activations> {
  const { program, names } = calibrationGraph(small, 1, patch);
  const { magnitudes } = await (await open(program)).run(feeds);
  return Object.fromEntries(names.map((name, i) => [name, [magnitudes[2 * i], magnitudes[2 * i + 1]] as const]));
}

describe('a draft in 8-bit integers', () => {
  it('is the convolution of rounded values, rounded', async () => {
    const name = 'encoder0.conv1';
    const find = (what: string) => parameterManifest(small).find((entry) => entry.name === `${name}.${what}`)!;
    const [weight, bias] = ['weight', 'bias'].map(find);
    const of = ({ offset, shape }: { offset: number; shape: readonly number[] }): Float32Array =>
      parameters.slice(offset, offset + size(shape));
    const shape = [2, 8, 3, 5, 4];
    const x = normals(shape, 4);
    const [sx, sy] = [2.1 / 127, 4.3 / 127]; // the largest of x are cut off
    const rounded = (values: Float32Array, step: number): Float32Array =>
      values.map((value) => step * Math.min(127, Math.max(-128, Math.round(value / step))));
    const each = size(weight.shape.slice(1));
    const w = of(weight);
    const ws = w.map((value, i) => {
      const channel = w.slice(each * Math.floor(i / each), each * (Math.floor(i / each) + 1));
      const step = Math.max(...channel.map(Math.abs)) / 63;
      return step * Math.round(value / step);
    });
    const { draft } = await runGraph(
      (graph) => {
        const [vx, vw, vb] = [input(graph, 'x', shape), input(graph, 'w', weight.shape), input(graph, 'b', bias.shape)];
        output(quantised(small, parameters, { [name]: [2.1, 4.3] })(name, vx, vw, vb), 'draft');
      },
      { x, w: of(weight), b: of(bias) },
    );
    const { y } = await runGraph(
      (graph) => {
        const [vx, vw, vb] = [input(graph, 'x', shape), input(graph, 'w', weight.shape), input(graph, 'b', bias.shape)];
        output(conv3d(vx, vw, vb), 'y');
      },
      { x: rounded(x, sx), w: ws, b: of(bias) },
    );
    // One step where a sum lies between two.
    const steps = draft.map((value, i) => Math.abs(value - rounded(y, sy)[i]) / sy);
    expect(Math.max(...steps)).toBeLessThan(1.01);
    expect(steps.filter((step) => step > 0.01).length).toBeLessThan(0.01 * steps.length);
  });

  it('comes near the network when it is calibrated, and not when the calibration is of other data', async () => {
    const { v } = await (await open(evaluateGraph(small, 1, patch))).run(feeds);
    const activations = await calibration();
    const draft = await (await open(draftGraph(small, 1, patch, parameters, activations))).run(feeds);
    const error = relativeError(draft.v, v);
    expect(error).toBeLessThan(0.05);
    expect(error).toBeGreaterThan(1e-4); // it is a draft
    const foreign = Object.fromEntries(Object.entries(activations).map(([name, [x, y]]) => [name, [x / 8, y / 8] as const]));
    const wrong = await (await open(draftGraph(small, 1, patch, parameters, foreign))).run(feeds);
    expect(relativeError(wrong.v, v)).toBeGreaterThan(0.2);
  });

  it('needs the calibration of every convolution', async () => {
    const { 'decoder0.conv2': _, ...lacking } = await calibration();
    expect(() => draftGraph(small, 1, patch, parameters, lacking)).toThrow(ModelError);
    expect(() => draftGraph(small, 1, patch, parameters, lacking)).toThrow(/decoder0\.conv2/);
  });
});
