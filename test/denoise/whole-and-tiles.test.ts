/** Sampling belongs to the volume: its noise, its start and its every step are the same however it goes through the network. */
import { describe, expect, it } from 'vitest';
import { array, fill, type Shape3, type Volume } from '../../src/core/array.js';
import { centredGrid, petImage } from '../../src/core/image.js';
import { noiseField } from '../../src/core/random.js';
import { type DenoiseOptions, denoiseVolume } from '../../src/denoise/denoise-volume.js';
import { openModel } from '../../src/denoise/open-model.js';
import { tilesOf } from '../../src/denoise/tiles.js';
import type { ModelCard } from '../../src/network/model-card.js';
import { cosine } from '../../src/prior/schedule.js';

const patch: Shape3 = [8, 8, 8];
const card: ModelCard = {
  ...{ name: 'toy', version: '1', licence: 'MIT', parameterisation: 'v', schedule: 'cosine', patch, overlap: 3 },
  architecture: { kind: 'unet3d', inputChannels: 2, fold: 2, channels: [8, 8], embedding: 8, features: 3, groups: 2 },
  ...{ intensity: { unit: 'SUV', scale: 0.5, bodyMean: 2 }, voxelSize: [4, 4, 4] },
  ...{ condition: 'low-count OSEM image', training: {}, sha256: '' },
};
const shape: Shape3 = [9, 13, 18];
const image = petImage(
  centredGrid(shape, [4, 4, 4]),
  fill(shape, (i) => 1 + Math.sin(i / 3) ** 2),
  'SUV',
);
/** What the network was given in each call: x_t, and its patch. */
interface Call {
  readonly xt: Volume;
  readonly sigma: number;
}

/** Denoises with a network whose x̂₀ is a mean of x and c, and what the whole patch adds to it. @param together share of the patch's mean in x̂₀. */
async function drawn(options: DenoiseOptions, together = 0): Promise<{ values: Volume; calls: Call[] }> {
  const calls: Call[] = [];
  const model = openModel(card, {
    async evaluate(x, _, [sigma]) {
      const n = x.data.length / 2;
      const [s, alpha] = [sigma!, Math.sqrt(Math.max(0, 1 - sigma! * sigma!))];
      const c = x.data.subarray(n);
      const mean = c.reduce((sum, value) => sum + value, 0) / n;
      const v = fill([1, 1, ...x.shape.slice(2)], (i) => {
        const clean = (1 - together) * (alpha > 1e-6 ? (x.data[i]! / alpha + c[i]!) / 2 : c[i]!) + together * mean;
        return (alpha * x.data[i]! - clean) / s;
      });
      calls.push({ xt: array(x.shape.slice(2), x.data.slice(0, n)), sigma: s });
      return v;
    },
    dispose: async () => {},
  });
  const { image: out } = await denoiseVolume(image, model, { mode: 'samples', samples: 1, steps: 3, seed: 11, ...options });
  return { values: out.values, calls };
}

describe('whole and in tiles', () => {
  it.each([0, 1])('a network that sees one voxel at a time gives the same sample, η = %d', async (eta) => {
    const [tiled, whole] = [await drawn({ eta }), await drawn({ eta, tiles: 'whole' })];
    expect(tiled.calls.length).toBe(4 * tilesOf(shape, patch, 3).length);
    expect(whole.calls.map(({ xt }) => xt.shape)).toEqual(Array.from({ length: 4 }, () => [12, 16, 20]));
    const range = Math.max(...whole.values.data) - Math.min(...whole.values.data);
    tiled.values.data.forEach((value, i) => {
      expect(Math.abs(value - whole.values.data[i]!) / range).toBeLessThan(1e-5);
    });
  });

  it('begins at the mean and one noise field of the volume, whatever the tile', async () => {
    const { calls } = await drawn({ start: 0.4 });
    const { values: mean } = await drawn({ mode: 'mean' });
    const field = noiseField(shape, 11, 0);
    const places = tilesOf(shape, patch, 3);
    const first = calls.slice(places.length, 2 * places.length); // the mean comes before
    const sigma = cosine.sigma(0.4);
    first.forEach(({ xt }, tile) => {
      const alpha = 1 / Math.hypot(1, sigma);
      forEachVoxel(places[tile]!, (global, local) => {
        const expected = alpha * (0.5 * mean.data[global]! + sigma * field.data[global]!);
        expect(xt.data[local]).toBeCloseTo(expected, 5);
      });
    });
  });

  it('blends at every step: neighbours see the same where they overlap, even if the network makes different things of them', async () => {
    const { calls } = await drawn({ eta: 0.5 }, 0.5);
    const places = tilesOf(shape, patch, 3);
    for (let step = 1; step <= 3; step++) {
      const seen = new Map<number, number>();
      let shared = 0;
      calls.slice(step * places.length, (step + 1) * places.length).forEach(({ xt }, tile) => {
        forEachVoxel(places[tile]!, (global, local) => {
          if (seen.has(global)) shared++;
          expect(xt.data[local]).toBe(seen.get(global) ?? xt.data[local]);
          seen.set(global, xt.data[local]!);
        });
      });
      expect(seen.size).toBe(9 * 13 * 18);
      expect(shared).toBeGreaterThan(500);
    }
  });

  function forEachVoxel([z0, y0, x0]: Shape3, visit: (global: number, local: number) => void): void {
    for (let local = 0; local < 512; local++) {
      const [z, y, x] = [z0 + (local >> 6), y0 + ((local >> 3) & 7), x0 + (local & 7)];
      if (z < shape[0] && y < shape[1] && x < shape[2]) visit((z * shape[1] + y) * shape[2] + x, local);
    }
  }
});
