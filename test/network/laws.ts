/** @file  Checks shared by the network tests: gradients against central differences, run by ONNX Runtime in this thread. */
import { expect } from 'vitest';
import { size } from '../../src/core/array.js';
import { random } from '../../src/core/random.js';
import { type Graph, gradients, input, newGraph, output, program, type Var } from '../../src/network/graph.js';
import type { Tensors } from '../../src/network/runner.js';
import { openSession } from '../../src/node/ort-session.js';

export function normals(shape: readonly number[], seed: number): Float32Array {
  const { normal } = random(seed);
  return Float32Array.from({ length: size(shape) }, () => normal());
}

/** Builds a graph, runs it once on the feeds, ends it. */
export async function runGraph(build: (graph: Graph) => void, feeds: Tensors): Promise<Tensors> {
  const graph = newGraph();
  build(graph);
  const session = await openSession(program(graph));
  const outputs = await session.run(feeds);
  await session.dispose();
  return outputs;
}

export function dotOf(a: Float32Array, b: Float32Array): number {
  return a.reduce((sum, value, i) => sum + value * b[i], 0);
}

/** Equal bit for bit; quicker than a deep comparison of large arrays. */
export function sameBits(a: Float32Array, b: Float32Array): boolean {
  return a.length === b.length && a.every((value, i) => Object.is(value, b[i]));
}

/** ‖a − b‖ / ‖b‖. */
export function relativeError(a: Float32Array, b: Float32Array): number {
  const difference = a.map((value, i) => value - b[i]);
  return Math.sqrt(dotOf(difference, difference) / dotOf(b, b));
}

/**
 * L = ⟨y, r⟩ with random r has the gradient of every input that its central differences show, along random directions and along
 * single elements. L is accumulated in double, so float32 rounding of y is all that blurs it.
 */
export async function expectGradients(
  shapes: readonly (readonly number[])[],
  operation: (...inputs: Var[]) => Var,
  { tolerance = 2e-3, step = 1e-2 }: { tolerance?: number; step?: number } = {},
): Promise<void> {
  const graph = newGraph();
  const inputs = shapes.map((shape, i) => input(graph, `in${i}`, shape, true));
  const y = operation(...inputs);
  const seed = input(graph, 'seed', y.shape);
  output(y, 'y');
  gradients(y, inputs, seed).forEach((g, i) => {
    output(g, `grad${i}`);
  });
  const session = await openSession(program(graph));
  const values = shapes.map((shape, i) => normals(shape, 11 + i));
  const r = normals(y.shape, 5);
  const feed = (points: readonly Float32Array[]): Tensors => ({
    ...Object.fromEntries(points.map((point, i) => [`in${i}`, point])),
    seed: r,
  });
  const analytic = await session.run(feed(values));
  const along = async (i: number, direction: Float32Array, h: number): Promise<number> => {
    const moved = values.with(
      i,
      values[i].map((value, k) => value + h * direction[k]),
    );
    return dotOf((await session.run(feed(moved))).y, r);
  };
  for (let i = 0; i < shapes.length; i++) {
    const n = size(shapes[i]);
    const unit = (k: number): Float32Array => new Float32Array(n).fill(0).with(k, 1);
    const directions = [normals(shapes[i], 97), unit(0), unit(n - 1), unit(Math.floor(n / 3))];
    const norm = Math.sqrt(dotOf(analytic[`grad${i}`], analytic[`grad${i}`]));
    for (const direction of directions) {
      const numeric = ((await along(i, direction, step)) - (await along(i, direction, -step))) / (2 * step);
      const scale = (norm * Math.sqrt(dotOf(direction, direction))) / Math.sqrt(n);
      expect(Math.abs(dotOf(analytic[`grad${i}`], direction) - numeric) / scale, `input ${i}`).toBeLessThan(tolerance);
    }
  }
  await session.dispose();
}
