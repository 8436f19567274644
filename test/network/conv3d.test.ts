import { describe, expect, it } from 'vitest';
import { conv3d, type Formulation, formulationFor, weightGradient } from '../../src/network/conv3d.js';
import { input, newGraph, output } from '../../src/network/graph.js';
import { expectGradients, normals, relativeError, runGraph } from './laws.js';

/** dw[co, ci, k] = Σ_{n, p} g[n, co, p] x[n, ci, p + k − 1], by its definition, in double. */
function weightGradientByDefinition(x: Float32Array, g: Float32Array, [n, ci, d, h, w]: number[], co: number): Float32Array {
  const out: number[] = new Array(co * ci * 27).fill(0);
  const at = (c: number, channels: number, s: number, z: number, y: number, i: number): number =>
    (((s * channels + c) * d + z) * h + y) * w + i;
  for (let o = 0; o < out.length; o++) {
    const [b, a, kz, ky, kx] = [
      Math.floor(o / 27 / ci),
      Math.floor(o / 27) % ci,
      Math.floor(o / 9) % 3,
      Math.floor(o / 3) % 3,
      o % 3,
    ];
    for (let s = 0; s < n; s++)
      for (let z = 0; z < d; z++)
        for (let y = 0; y < h; y++)
          for (let i = 0; i < w; i++) {
            const [zz, yy, ii] = [z + kz - 1, y + ky - 1, i + kx - 1];
            if (zz < 0 || yy < 0 || ii < 0 || zz >= d || yy >= h || ii >= w) continue;
            out[o] += g[at(b, co, s, z, y, i)] * x[at(a, ci, s, zz, yy, ii)];
          }
  }
  return Float32Array.from(out);
}

const formulations: Formulation[] = ['stacked', 'swapped', 'sliced'];

describe('weight gradient', () => {
  for (const [n, ci, co] of [
    [1, 3, 5],
    [2, 5, 3],
    [3, 4, 4],
  ]) {
    it(`all formulations are the definition: N = ${n}, ${ci} → ${co}, 3×5×4`, async () => {
      const shape = [n, ci, 3, 5, 4];
      const feeds = { x: normals(shape, 1), g: normals([n, co, 3, 5, 4], 2) };
      const results = await runGraph((graph) => {
        const x = input(graph, 'x', shape);
        const g = input(graph, 'g', [n, co, 3, 5, 4]);
        for (const formulation of formulations) output(weightGradient(x, g, 3, formulation), formulation);
      }, feeds);
      const definition = weightGradientByDefinition(feeds.x, feeds.g, shape, co);
      for (const formulation of formulations)
        expect(relativeError(results[formulation], definition), formulation).toBeLessThan(1e-6);
    });
  }

  it('picks one by kernel, channels and grid', () => {
    expect(formulationFor(1, 16, 16, [16, 16, 16])).toBe('pointwise');
    expect(formulationFor(3, 16, 8, [16, 16, 16])).toBe('stacked');
    expect(formulationFor(3, 96, 128, [8, 8, 8])).toBe('swapped');
    expect(formulationFor(3, 32, 64, [8, 8, 8])).toBe('sliced');
    expect(formulationFor(3, 64, 64, [16, 16, 16])).toBe('sliced');
  });
});

describe('conv3d', () => {
  for (const n of [1, 2]) {
    it(`gradients equal central differences, stacked either way, N = ${n}`, async () => {
      await expectGradients([[n, 2, 3, 5, 4], [3, 2, 3, 3, 3], [3]], conv3d);
      await expectGradients([[n, 3, 1, 2, 5], [2, 3, 3, 3, 3], [2]], conv3d);
    });
    it(`gradients equal central differences, pointwise, N = ${n}`, () =>
      expectGradients([[n, 4, 3, 5, 1], [3, 4, 1, 1, 1], [3]], conv3d));
    it(`gradients equal central differences, swapped, N = ${n}`, () =>
      expectGradients([[n, 9, 3, 3, 5], [10, 9, 3, 3, 3], [10]], conv3d));
    it(`gradients equal central differences, sliced, N = ${n}`, () =>
      expectGradients([[n, 9, 7, 9, 9], [10, 9, 3, 3, 3], [10]], conv3d));
  }

  it('refuses a weight for other channels', () => {
    const graph = newGraph();
    const x = input(graph, 'x', [1, 4, 2, 2, 2]);
    expect(() => conv3d(x, input(graph, 'w', [3, 5, 3, 3, 3]), input(graph, 'b', [3]))).toThrow(
      /Convolution weight.*\[Co, 4, k, k, k\]/,
    );
  });
});
