import { describe, expect, it } from 'vitest';
import { ModelError, ShapeError } from '../../src/core/errors.js';
import { attention } from '../../src/network/attention.js';
import { constant, gradients, input, newGraph, output } from '../../src/network/graph.js';
import { groupNorm } from '../../src/network/group-norm.js';
import { meanAbsoluteError, meanSquaredError } from '../../src/network/losses.js';
import { add, concat, matmul, mul, reshape, scale, silu, slice, softmax, sub, transpose } from '../../src/network/ops.js';
import { averagePool, fold, unfold, upsample } from '../../src/network/resampling.js';
import { expectGradients, normals, runGraph } from './laws.js';

describe('values', () => {
  const shape = [2, 2, 2, 4, 6];
  const values = normals(shape, 1);

  it('fold puts voxel (z, y, x) of a block into channel 8c + 4z + 2y + x; unfold is its inverse', async () => {
    const { folded, back } = await runGraph(
      (graph) => {
        const y = fold(input(graph, 'x', shape));
        output(y, 'folded');
        output(unfold(y), 'back');
      },
      { x: values },
    );
    // sample 1, channel 1, voxel (1, 2, 5): block (0, 1, 2), place (1, 0, 1)
    const at = (s: readonly number[], ...index: number[]): number => index.reduce((flat, i, axis) => flat * s[axis] + i, 0);
    expect(folded[at([2, 16, 1, 2, 3], 1, 8 + 5, 0, 1, 2)]).toBe(values[at(shape, 1, 1, 1, 2, 5)]);
    expect(back).toEqual(values);
  });

  it('groupNorm gives each group mean β and deviation γ', async () => {
    const { y } = await runGraph(
      (graph) => {
        const gamma = constant(graph, 'gamma', [2], Float32Array.of(3, 3));
        const beta = constant(graph, 'beta', [2], Float32Array.of(-1, -1));
        output(groupNorm(input(graph, 'x', shape), gamma, beta, 2), 'y');
      },
      { x: values.map((value) => 5 * value + 7) },
    );
    const group = y.subarray(48, 96); // sample 0, channel 1
    const mean = group.reduce((sum, value) => sum + value, 0) / 48;
    const deviation = Math.sqrt(group.reduce((sum, value) => sum + (value - mean) ** 2, 0) / 48);
    expect(mean).toBeCloseTo(-1, 5);
    expect(deviation).toBeCloseTo(3, 5);
  });

  it('upsample repeats, averagePool gives it back, and takes means', async () => {
    const { wide, back, mean } = await runGraph(
      (graph) => {
        const x = input(graph, 'x', [1, 1, 1, 2, 2]);
        const y = upsample(x, [2, 1, 2]);
        output(y, 'wide');
        output(averagePool(y, [2, 1, 2]), 'back');
        output(averagePool(x, [1, 2, 2]), 'mean');
      },
      { x: Float32Array.of(1, 2, 3, 6) },
    );
    expect([...wide]).toEqual([1, 1, 2, 2, 3, 3, 6, 6, 1, 1, 2, 2, 3, 3, 6, 6]);
    expect([...back]).toEqual([1, 2, 3, 6]);
    expect([...mean]).toEqual([3]);
  });

  it('weighted mean absolute error: 1/n Σ w |a − b|', async () => {
    const { loss } = await runGraph(
      (graph) => {
        const weight = constant(graph, 'weight', [2, 1], Float32Array.of(1, 3));
        output(meanAbsoluteError(input(graph, 'a', [2, 2]), input(graph, 'b', [2, 2]), weight), 'loss');
      },
      { a: Float32Array.of(1, 2, 3, 4), b: Float32Array.of(0, 4, 3, 2) },
    );
    expect(loss[0]).toBe((1 + 2 + 3 * 2) / 4);
  });

  it('weighted mean squared error: 1/n Σ w (a − b)²', async () => {
    const { loss } = await runGraph(
      (graph) => {
        const weight = constant(graph, 'weight', [2, 1], Float32Array.of(1, 3));
        output(meanSquaredError(input(graph, 'a', [2, 2]), input(graph, 'b', [2, 2]), weight), 'loss');
      },
      { a: Float32Array.of(1, 2, 3, 4), b: Float32Array.of(0, 4, 3, 2) },
    );
    expect(loss[0]).toBe((1 + 4 + 3 * 4) / 4);
  });
});

describe('vector-Jacobian products equal central differences', () => {
  const volume = (n: number): number[] => [n, 3, 3, 5, 2];
  for (const n of [1, 2]) {
    it(`add, sub, mul with broadcasting either way, N = ${n}`, async () => {
      await expectGradients([volume(n), [n, 3, 1, 1, 1]], add);
      await expectGradients([[5, 1], volume(n)], sub);
      await expectGradients([volume(n), [1, 3, 1, 5, 1]], mul);
      await expectGradients([[n, 3, 1, 1, 2], volume(n)], (a, b) => sub(a, mul(a, b)));
    });
    it(`silu, N = ${n}`, () => expectGradients([volume(n)], silu));
    it(`groupNorm, N = ${n}`, async () => {
      await expectGradients([[n, 6, 3, 5, 2], [6], [6]], (x, gamma, beta) => groupNorm(x, gamma, beta, 3));
      await expectGradients([[n, 4, 1, 3, 2], [4], [4]], (x, gamma, beta) => groupNorm(x, gamma, beta, 1));
    });
    it(`fold, unfold, upsample, N = ${n}`, async () => {
      await expectGradients([[n, 3, 2, 6, 4]], (x) => fold(x));
      await expectGradients([[n, 16, 1, 3, 2]], (x) => unfold(x));
      await expectGradients([[n, 3, 1, 3, 2]], (x) => upsample(x));
    });
    it(`the same and averagePool in planes, or with blocks of any edges, N = ${n}`, async () => {
      for (const block of [
        [1, 2, 2],
        [3, 1, 2],
      ] as const) {
        const fine = block.map((edge, axis) => edge * [2, 3, 1][axis]);
        await expectGradients([[n, 2, ...fine]], (x) => fold(x, block));
        await expectGradients([[n, 2 * block[0] * block[1] * block[2], 2, 3, 1]], (x) => unfold(x, block));
        await expectGradients([[n, 2, 2, 3, 1]], (x) => upsample(x, block));
        await expectGradients([[n, 2, ...fine]], (x) => averagePool(x, block));
      }
    });
    it(`softmax, stacks of matrix products, N = ${n}`, async () => {
      await expectGradients([[n, 3, 5]], softmax);
      await expectGradients(
        [
          [n, 3, 5],
          [n, 5, 2],
        ],
        matmul,
      );
      await expectGradients(
        [
          [2, n, 3, 4],
          [2, n, 4, 1],
        ],
        matmul,
      );
    });
    it(`attention with one head or several, N = ${n}`, async () => {
      await expectGradients([[n, 12, 5]], (x) => attention(x, 4));
      await expectGradients([[n, 12, 5]], (x) => attention(x, 2));
      await expectGradients([[n, 12, 3]], (x) => attention(x, 2, 'kind-first'));
    });
    it(`FiLM: a groupNorm with γ and β of each sample, N = ${n}`, () =>
      expectGradients(
        [
          [n, 6, 3, 5, 2],
          [n, 6],
          [n, 6],
        ],
        (x, gamma, beta) => groupNorm(x, gamma, beta, 3),
      ));
    it(`matmul and linear, N = ${n}`, () => expectGradients([[n, 5], [5, 3], [3]], (a, b, c) => add(matmul(a, b), c)));
    it(`concat, slice, reshape, transpose, scale, N = ${n}`, async () => {
      await expectGradients([volume(n), [n, 2, 3, 5, 2], [n, 1, 3, 5, 2]], (...parts) => concat(parts, 1));
      await expectGradients([volume(n)], (x) => slice(x, 3, 1, 2));
      await expectGradients([[n, 3, 4]], (x) => scale(transpose(reshape(x, [4, n, 3]), [2, 0, 1]), -1.5));
    });
    it(`weighted mean absolute error, N = ${n}`, () =>
      expectGradients([volume(n)], (x) => {
        const target = constant(
          x.graph,
          'target',
          volume(n),
          normals(volume(n), 3).map((value) => 3 * Math.sign(value)),
        );
        return meanAbsoluteError(x, target, constant(x.graph, 'weight', [n, 1, 1, 1, 1], Float32Array.of(0.7, 2).slice(0, n)));
      }));
    it(`weighted mean squared error, N = ${n}`, () =>
      expectGradients([volume(n)], (x) => {
        const target = constant(x.graph, 'target', volume(n), normals(volume(n), 3));
        return meanSquaredError(x, target, constant(x.graph, 'weight', [n, 1, 1, 1, 1], Float32Array.of(0.7, 2).slice(0, n)));
      }));
  }

  it('attention to a single token is the token’s value: no gradient reaches queries and keys', async () => {
    const { grad, y } = await runGraph(
      (graph) => {
        const x = input(graph, 'x', [1, 6, 1], true);
        const y = attention(x, 2);
        output(y, 'y');
        output(gradients(y, [x], input(graph, 'seed', [1, 2, 1]))[0], 'grad');
      },
      { x: normals([6], 1), seed: Float32Array.of(2, -3) },
    );
    expect([...y]).toEqual([...normals([6], 1).slice(4)]);
    expect([...grad].map((value) => value + 0)).toEqual([0, 0, 0, 0, 2, -3]);
  });

  it('a value used several times gets the sum', () => expectGradients([[3, 4]], (x) => add(mul(x, silu(x)), sub(x, mul(x, x)))));
});

describe('graph building', () => {
  it('says what does not fit', () => {
    const graph = newGraph();
    const x = input(graph, 'x', [2, 3], true);
    expect(() => add(x, input(graph, 'y', [2, 4]))).toThrow(/Broadcast.*\[2, 3\].*\[2, 4\]/);
    expect(() => reshape(x, [5])).toThrow(ShapeError);
    expect(() => matmul(x, x)).toThrow(/inner length 3, found 2/);
    expect(() => gradients(silu(x), [x])).toThrow(/Seed/);
    expect(() => gradients(silu(x), [input(graph, 'z', [1], true)], x)).toThrow(ModelError);
  });

  it('stores equal constants once', () => {
    const graph = newGraph();
    const x = input(graph, 'x', [2, 3]);
    reshape(x, [6]);
    reshape(scale(scale(x, 2), 2), [6]);
    expect([...graph.constants.keys()]).toEqual(['ints:6', 'scalar:2']);
  });
});
