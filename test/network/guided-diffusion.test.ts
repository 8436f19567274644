/** Golden values: the network of Yu et al. (doi:10.1007/s00259-025-07122-4, code at commit 817317a) at 32 channels in PyTorch, with weights by
 *  formula. Tensor j in the order of the state dict, element i: s = sin(0.7 i + 1.3 j); s/√fan-in for matrices, 1 + 0.1 s for the weights of a
 *  normalisation, 0.1 s for biases. Input [1, 1, 3, 16, 32]: sin(0.37 i), condition 0.5 + 0.5 cos(0.11 i). */
import { readFileSync } from 'node:fs';
import { afterAll, describe, expect, it } from 'vitest';
import { type Shape3, size } from '../../src/core/array.js';
import { type GuidedDiffusion, timestepFeatures } from '../../src/network/guided-diffusion.js';
import { guidedGraph, guidedWeights } from '../../src/network/guided-diffusion-graph.js';
import { openSession } from '../../src/node/ort-session.js';
import { published, sineWeights, stateDictOrder } from './guided-models.js';

const tiny = published(32);
const voxels = 3 * 16 * 32;
const x = Float32Array.from({ length: 2 * voxels }, (_, i) =>
  i < voxels ? Math.sin(0.37 * i) : 0.5 + 0.5 * Math.cos(0.11 * (i - voxels)),
);
const weights = sineWeights(tiny);
const session = openSession(guidedGraph(tiny, 1, [3, 16, 32]));
afterAll(async () => (await session).dispose());

describe('the published network', () => {
  it('has the weights that its checkpoint has', () => {
    const shapes = guidedWeights(published(128));
    expect(shapes.size).toBe(396);
    expect([...shapes.values()].reduce((sum, shape) => sum + size(shape), 0)).toBe(206_964_610);
    expect([...guidedWeights(tiny).values()].reduce((sum, shape) => sum + size(shape), 0)).toBe(12_954_082);
    expect(shapes.get('output_blocks.1.0.in_layers.2.weight')).toEqual([384, 1024, 3, 3, 3]);
    expect(shapes.get('output_blocks.2.1.in_layers.2.weight')).toEqual([384, 384, 3, 3, 3]);
    expect(shapes.get('middle_block.1.emb_layers.1.weight')).toEqual([1024, 512]);
  });

  it.each([
    { t: 0, eps: [0.42098, 0.65735, 0.70402, -0.47463], v: [0.03884, 0.31035, 0.42514], mean: -0.065541, deviation: 0.999627 },
    { t: 1, eps: [0.41843, 0.65434, 0.70181, -0.47251], v: [0.03773, 0.30715, 0.42222], mean: -0.065841, deviation: 1.005636 },
    { t: 500, eps: [0.42411, 0.65621, 0.69605, -0.5153], v: [0.04703, 0.32494, 0.47345], mean: -0.063105, deviation: 0.938399 },
    { t: 999, eps: [0.4172, 0.65286, 0.70066, -0.4716], v: [0.0372, 0.30562, 0.42098], mean: -0.065973, deviation: 1.008189 },
  ])('gives the golden values at t = $t', async ({ t, eps, v, mean, deviation }) => {
    const { out } = await (await session).run({ x, time: timestepFeatures(t, 32), ...weights });
    const found = [0, 1, 2, voxels - 1, voxels, voxels + 1, 2 * voxels - 1].map((i) => out[i]);
    [...eps, ...v].forEach((value, i) => {
      expect(Math.abs(found[i] - value)).toBeLessThan(2e-4);
    });
    const average = out.reduce((sum, value) => sum + value, 0) / out.length;
    expect(Math.abs(average - mean)).toBeLessThan(1e-4);
    expect(
      Math.abs(Math.sqrt(out.reduce((sum, value) => sum + (value - average) ** 2, 0) / (out.length - 1)) - deviation),
    ).toBeLessThan(3e-4);
  });
});

interface Case {
  readonly architecture: GuidedDiffusion;
  readonly shape: readonly number[];
  readonly t: number;
  readonly weights: Record<string, number[]>;
  readonly first: readonly number[];
  readonly last: number;
  readonly mean: number;
  readonly deviation: number;
}
// scripts/reference/guided-diffusion.py
const cases = JSON.parse(readFileSync(`${import.meta.dirname}/../fixtures/guided-diffusion.json`, 'utf8')) as Case[];

describe.each(cases)(
  'the family: $architecture.dimensions D, $architecture.resampling, $architecture.decoder, t = $t',
  (golden) => {
    const { architecture, shape, t } = golden;
    const [n, c, ...grid] = shape;
    const patch = (grid.length === 2 ? [1, ...grid] : grid) as unknown as Shape3;

    it('has the weights that PyTorch lists, in that order', () => {
      const shapes = guidedWeights(architecture);
      expect(stateDictOrder([...shapes.keys()]).map((name) => [name, shapes.get(name)])).toEqual(Object.entries(golden.weights));
    });

    it('computes what PyTorch computes', async () => {
      const session = await openSession(guidedGraph(architecture, n, patch));
      const x = Float32Array.from({ length: n * c * size(patch) }, (_, i) => Math.sin(0.37 * i));
      const time = Float32Array.from(
        { length: n * architecture.features },
        (_, i) => timestepFeatures(t, architecture.features)[i % architecture.features],
      );
      const { out } = await session.run({ x, time, ...sineWeights(architecture) });
      await session.dispose();
      const mean = out.reduce((sum, value) => sum + value, 0) / out.length;
      const deviation = Math.sqrt(out.reduce((sum, value) => sum + (value - mean) ** 2, 0) / out.length);
      const found = [...out.slice(0, 6), out.at(-1)!, mean, deviation];
      [...golden.first, golden.last, golden.mean, golden.deviation].forEach((value, i) => {
        expect(Math.abs(found[i] - value)).toBeLessThan(1e-4);
      });
    });
  },
);

describe('timestepFeatures', () => {
  it('are cosines first, then sines', () => {
    const one = timestepFeatures(1, 128);
    [0.5403023, 0.6479059, 0.731761, 0.7964579].forEach((value, k) => {
      expect(one[k]).toBeCloseTo(value, 6);
    });
    [0.841471, 0.7617204, 0.6815614, 0.604694].forEach((value, k) => {
      expect(one[64 + k]).toBeCloseTo(value, 6);
    });
    [0.9996498, -0.3990206, 0.1252311, 0.0066442].forEach((value, k) => {
      expect(Math.abs(timestepFeatures(999, 128)[k] - value)).toBeLessThan(1e-4);
    });
  });
});
