import { expect, it } from 'vitest';
import { type Shape3, size } from '../../src/core/array.js';
import { discriminator } from '../../src/network/discriminator.js';
import { input, newGraph, output, program } from '../../src/network/graph.js';
import { discriminatorManifest, parameterCount, parameterManifest, started } from '../../src/network/parameters.js';
import type { Architecture } from '../../src/network/unet.js';
import { evaluateGraph, ganTrainGraph } from '../../src/network/unet-graphs.js';
import { openSession } from '../../src/node/ort-session.js';
import { openTrainer } from '../../src/node/ort-trainer.js';
import { adamState, adamStep } from '../../src/train/adam.js';
import { dotOf, normals } from './laws.js';

const architecture: Architecture = {
  ...{ kind: 'unet3d', inputChannels: 2, knows: ['condition', 'mean', 'noise'], fold: 2, channels: [4, 8] },
  ...{ film: true, embedding: 6, features: 8, groups: 2 },
};
const widths = [4, 6];
const patch: Shape3 = [4, 8, 12];
const batch = 2;
const P = parameterCount(architecture);
const manifest = discriminatorManifest(widths);
const Q = manifest.reduce((sum, { shape }) => sum + size(shape), 0);
const noise = normals([P + Q], 8);
const parameters = Float32Array.from([...started(parameterManifest(architecture), 7), ...started(manifest, 9)]).map(
  (value, i) => value + 0.1 * noise[i],
);
const feeds = {
  ...{ x: normals([batch, 2, ...patch], 1), features: normals([batch, 8], 2), skip: Float32Array.of(0.8, 0.3) },
  ...{ target: normals([batch, 1, ...patch], 3), weight: Float32Array.of(0.5, 2), parameters },
};
const lambda = 0.3;

it('has a score for each block of voxels, from the voxels around it alone', async () => {
  const graph = newGraph();
  const shape = [1, 1, 16, 4, 4];
  const flat = input(graph, 'p', [Q]);
  const pieces = new Map(manifest.map((entry) => [entry.name, entry]));
  const scores = discriminator(widths, input(graph, 'a', shape), input(graph, 'c', shape), (name, wanted) => {
    expect(pieces.get(name)!.shape).toEqual(wanted);
    return input(graph, name, wanted);
  });
  output(scores, 'scores');
  expect(scores.shape).toEqual([1, 1, 4, 1, 1]);
  graph.inputs.splice(graph.inputs.indexOf(graph.inputs.find(({ name }) => name === flat.name)!), 1);
  const session = await openSession(program(graph));
  const weights = Object.fromEntries(
    manifest.map(({ name, shape, offset }) => [name, parameters.slice(P + offset, P + offset + size(shape))]),
  );
  const a = normals(shape, 1);
  const c = normals(shape, 2);
  const before = (await session.run({ ...weights, a, c })).scores;
  const far = a.map((value, i) => (i >= 15 * 16 ? value + 5 : value)); // the last slice
  const after = (await session.run({ ...weights, a: far, c })).scores;
  await session.dispose();
  expect(after[0]).toBe(before[0]);
  expect(after[3]).not.toBe(before[3]);
});

it('gradients: each part of its own loss, the discriminator blind to how the volume was made', async () => {
  const session = await openSession(ganTrainGraph(architecture, batch, patch, { widths, weight: lambda }));
  const at = (changes: Float32Array) => session.run({ ...feeds, parameters: changes });
  const { gradient, loss } = await at(parameters);
  // The losses by their definitions, from outputs of separate graphs.
  const evaluate = await openSession(evaluateGraph(architecture, batch, patch));
  const graph = newGraph();
  const shape = [batch, 1, ...patch];
  const scores = discriminator(widths, input(graph, 'a', shape), input(graph, 'c', shape), (name, wanted) =>
    input(graph, name, wanted),
  );
  output(scores, 'scores');
  const judge = await openSession(program(graph));
  const voxels = size(patch);
  const condition = new Float32Array(batch * voxels);
  for (let n = 0; n < batch; n++) condition.set(feeds.x.subarray((2 * n + 1) * voxels, (2 * n + 2) * voxels), n * voxels);
  const { target, weight, parameters: _, ...plain } = feeds;
  const scored = async (theta: Float32Array, a: Float32Array): Promise<Float32Array> => {
    const weights = manifest.map(({ name, shape, offset }) => [name, theta.slice(P + offset, P + offset + size(shape))]);
    return (await judge.run({ ...Object.fromEntries(weights), a, c: condition })).scores;
  };
  const squares = (values: Float32Array, to: number): number =>
    values.reduce((sum, value) => sum + (value - to) ** 2, 0) / values.length;
  const made = async (theta: Float32Array) => (await evaluate.run({ ...plain, parameters: theta.slice(0, P) })).v;
  const generatorLoss = async (theta: Float32Array): Promise<number> => {
    const v = await made(theta);
    const error = v.reduce((sum, value, i) => sum + weight[Math.floor(i / voxels)] * (value - target[i]) ** 2, 0) / v.length;
    return (
      error +
      lambda *
        squares(
          await scored(
            theta,
            v.map((value) => -value),
          ),
          1,
        )
    );
  };
  const fixed = (await made(parameters)).map((value) => -value);
  const truth = target.map((value) => -value);
  const adversaryLoss = async (theta: Float32Array): Promise<number> =>
    0.5 * squares(await scored(theta, truth), 1) + 0.5 * squares(await scored(theta, fixed), 0);
  for (const [lossOf, from, length] of [
    [generatorLoss, 0, P],
    [adversaryLoss, P, Q],
  ] as const) {
    const direction = new Float32Array(P + Q);
    direction.set(normals([length], 4), from);
    const h = 1e-3;
    const moved = (sign: number) => parameters.map((value, i) => value + sign * h * direction[i]);
    const numeric = ((await lossOf(moved(1))) - (await lossOf(moved(-1)))) / (2 * h);
    const part = gradient.subarray(from, from + length);
    expect(Math.abs(dotOf(gradient, direction) - numeric)).toBeLessThan(0.01 * Math.sqrt(dotOf(part, part)));
  }
  expect((await at(parameters)).adversary[0]).toBeCloseTo(await adversaryLoss(parameters), 5);
  expect(loss[0]).toBeCloseTo((await generatorLoss(parameters)) - lambda * squares(await scored(parameters, fixed), 1), 4);
  await Promise.all([session, evaluate, judge].map((each) => each.dispose()));
});

it('learns to tell truth from what the network makes', async () => {
  const trainer = openTrainer(architecture, batch, patch, { threads: 1, adversary: { widths, weight: 0 } });
  const state = adamState(parameters.slice());
  const { parameters: _, ...samples } = feeds;
  const norms: number[] = [];
  for (let step = 1; step <= 60; step++) {
    trainer.load(state.parameters);
    const { gradient } = await trainer.step(samples);
    gradient.fill(0, 0, P); // the network stays as it is
    norms.push(adamStep(state, gradient, step, { learningRate: 0.01, weightDecay: 0 }));
  }
  const last = await openSession(ganTrainGraph(architecture, batch, patch, { widths, weight: 0 }));
  const before = (await last.run(feeds)).adversary[0];
  const after = (await last.run({ ...feeds, parameters: state.parameters })).adversary[0];
  await last.dispose();
  await trainer.dispose();
  expect(after).toBeLessThan(0.5 * before);
});
