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
        for (const formulation of formulations) output(weightGradient(x, g, [3, 3, 3], formulation), formulation);
      }, feeds);
      const definition = weightGradientByDefinition(feeds.x, feeds.g, shape, co);
      for (const formulation of formulations)
        expect(relativeError(results[formulation], definition), formulation).toBeLessThan(1e-6);
    });
  }

  it('picks one by kernel, channels and grid', () => {
    expect(formulationFor([1, 1, 1], 16, 16, [16, 16, 16])).toBe('pointwise');
    expect(formulationFor([3, 3, 3], 16, 8, [16, 16, 16])).toBe('stacked');
    expect(formulationFor([3, 3, 3], 96, 128, [8, 8, 8])).toBe('swapped');
    expect(formulationFor([3, 3, 3], 32, 64, [8, 8, 8])).toBe('sliced');
    expect(formulationFor([3, 3, 3], 64, 64, [16, 16, 16])).toBe('sliced');
  });
});

describe('conv3d', () => {
  for (const n of [1, 2]) {
    it(`gradients equal central differences, stacked either way, N = ${n}`, async () => {
      await expectGradients([[n, 2, 3, 5, 4], [3, 2, 3, 3, 3], [3]], (x, w, b) => conv3d(x, w, b));
      await expectGradients([[n, 3, 1, 2, 5], [2, 3, 3, 3, 3], [2]], (x, w, b) => conv3d(x, w, b));
    });
    it(`gradients equal central differences, pointwise, N = ${n}`, () =>
      expectGradients([[n, 4, 3, 5, 1], [3, 4, 1, 1, 1], [3]], (x, w, b) => conv3d(x, w, b)));
    it(`gradients equal central differences, swapped, N = ${n}`, () =>
      expectGradients([[n, 9, 3, 3, 5], [10, 9, 3, 3, 3], [10]], (x, w, b) => conv3d(x, w, b)));
    it(`gradients equal central differences, sliced, N = ${n}`, () =>
      expectGradients([[n, 9, 7, 9, 9], [10, 9, 3, 3, 3], [10]], (x, w, b) => conv3d(x, w, b)));
  }

  for (const n of [1, 2]) {
    const shapes = (ci: number, co: number, kernel: readonly number[], grid: readonly number[]): number[][] => [
      [n, ci, ...grid],
      [co, ci, ...kernel],
      [co],
    ];
    it(`in planes, or along one axis: gradients of every formulation, N = ${n}`, async () => {
      await expectGradients(shapes(2, 3, [1, 3, 3], [2, 4, 5]), (x, w, b) => conv3d(x, w, b)); // stacked
      await expectGradients(shapes(9, 10, [1, 3, 3], [1, 5, 4]), (x, w, b) => conv3d(x, w, b)); // swapped
      await expectGradients(shapes(9, 10, [1, 3, 3], [3, 8, 7]), (x, w, b) => conv3d(x, w, b)); // sliced
      await expectGradients(shapes(9, 10, [3, 1, 3], [4, 6, 5]), (x, w, b) => conv3d(x, w, b)); // sliced
    });
    it(`with a stride: gradients of every formulation, N = ${n}`, async () => {
      await expectGradients(shapes(3, 2, [3, 3, 3], [4, 2, 6]), (x, w, b) => conv3d(x, w, b, [2, 2, 2]));
      await expectGradients(shapes(9, 10, [3, 3, 3], [3, 2, 6]), (x, w, b) => conv3d(x, w, b, [1, 2, 2]));
      await expectGradients(shapes(9, 10, [3, 3, 3], [3, 10, 6]), (x, w, b) => conv3d(x, w, b, [1, 2, 2]));
      await expectGradients(shapes(4, 3, [1, 1, 1], [2, 4, 4]), (x, w, b) => conv3d(x, w, b, [2, 1, 2]));
    });
  }

  it('a kernel in planes is the middle of a cubic one', async () => {
    const feeds = { x: normals([1, 2, 3, 4, 5], 1), w: normals([3, 2, 1, 3, 3], 2), b: normals([3], 3) };
    const cubic = new Float32Array(3 * 2 * 27);
    for (let i = 0; i < 6; i++) cubic.set(feeds.w.subarray(9 * i, 9 * i + 9), 27 * i + 9);
    const { flat, deep, strided } = await runGraph(
      (graph) => {
        const [x, b] = [input(graph, 'x', [1, 2, 3, 4, 5]), input(graph, 'b', [3])];
        output(conv3d(x, input(graph, 'w', [3, 2, 1, 3, 3]), b), 'flat');
        output(conv3d(x, input(graph, 'c', [3, 2, 3, 3, 3]), b), 'deep');
        output(conv3d(x, input(graph, 'u', [3, 2, 3, 3, 3]), b, [3, 2, 5]), 'strided');
      },
      { ...feeds, c: cubic, u: cubic },
    );
    expect(relativeError(flat, deep)).toBeLessThan(1e-6);
    // Places (0, 0 | 2, 0) of each channel.
    for (let c = 0; c < 3; c++) expect([...strided.subarray(2 * c, 2 * c + 2)]).toEqual([deep[60 * c], deep[60 * c + 10]]);
  });

  it('refuses a stride that does not divide the grid', () => {
    const graph = newGraph();
    const of = (shape: number[]) => input(graph, `x${shape}`, shape);
    expect(() => conv3d(of([1, 4, 3, 2, 2]), of([3, 4, 1, 1, 1]), of([3]), [2, 1, 1])).toThrow(/Stride.*\[3, 2, 2\]/);
    expect(() => conv3d(of([1, 4, 3, 2, 2]), of([3, 4, 1, 2, 1]), of([3]))).toThrow(/k = 1 or 3/);
  });

  it('refuses a weight for other channels', () => {
    const graph = newGraph();
    const x = input(graph, 'x', [1, 4, 2, 2, 2]);
    expect(() => conv3d(x, input(graph, 'w', [3, 5, 3, 3, 3]), input(graph, 'b', [3]))).toThrow(
      /Convolution weight.*\[Co, 4, k, k, k\]/,
    );
  });
});
