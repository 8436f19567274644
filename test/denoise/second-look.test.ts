/** The second look, with networks whose errors are known. */
import { describe, expect, it } from 'vitest';
import { array, fill, type Shape3, type Volume } from '../../src/core/array.js';
import { OptionError } from '../../src/core/errors.js';
import { openModel } from '../../src/denoise/open-model.js';
import type { ModelCard } from '../../src/network/model-card.js';

const patch: Shape3 = [4, 4, 8];
const voxels = 4 * 4 * 8;
const card: ModelCard = {
  ...{
    name: 'toy',
    version: '1.0.0',
    licence: 'MIT',
    parameterisation: 'v',
    schedule: 'cosine',
    condition: 'low-count OSEM image',
  },
  architecture: {
    ...{ kind: 'unet3d', inputChannels: 2, knows: ['condition', 'mean'], fold: 2 },
    ...{ channels: [8], embedding: 8, features: 4, groups: 2 },
  },
  ...{ intensity: { unit: 'SUV', scale: 0.5, bodyMean: 2 }, voxelSize: [4, 4, 4], patch, overlap: 1, training: {}, sha256: '' },
};

/** A model that adds `share` of the hottest of a tile to all of it, and how many tiles it saw. */
function erring(share: number) {
  const seen = { tiles: 0 };
  const model = openModel(card, {
    async evaluate(x) {
      seen.tiles++;
      const c = x.data.subarray(voxels);
      const hottest = c.reduce((most, value) => Math.max(most, value), 0);
      return array(
        [1, 1, ...patch],
        c.map((value) => -(value + share * hottest)),
      );
    },
    dispose: async () => {},
  });
  return { seen, model };
}

// Tiles begin at 0, 5, 11 and 16: the hot voxel at x = 2 lies in the first alone, beyond which is x ≥ 8.
const shape: Shape3 = [4, 4, 24];
const hot = 2 + 24 * 5;
const image = fill(shape, (i) => (i === hot ? 100 : 1 + 0.3 * Math.sin(i)));
const most = (x: Volume, of: (i: number) => boolean): number =>
  x.data.reduce((worst, value, i) => (of(i) ? Math.max(worst, Math.abs(value - image.data[i]!)) : worst), 0);

describe('a second look', () => {
  it('gives back to the background what the hot took from it, and leaves the hot as it was', async () => {
    const { model } = erring(-0.008);
    const one = await model.mean(image);
    const two = await model.mean(image, 1, { looks: 2 });
    const near = (i: number): boolean => i !== hot && i % 24 < 5;
    expect(most(one, near)).toBeGreaterThan(0.79);
    expect(most(two, near)).toBeLessThan(0.02); // 0.008 of h, which is about twice the mean
    expect(two.data[hot]).toBe(one.data[hot]);
  });

  it('evaluates again only the tiles that hold what is hot', async () => {
    const { seen, model } = erring(0.001);
    const one = await model.mean(image);
    expect(seen.tiles).toBe(4);
    const two = await model.mean(image, 1, { looks: 2 });
    expect(seen.tiles).toBe(4 + 4 + 1);
    for (let i = 0; i < image.data.length; i++) if (i % 24 >= 8) expect(two.data[i]).toBe(one.data[i]);
  });

  it('is spared where nothing is extreme, or nothing at all', async () => {
    for (const calm of [fill(shape, (i) => (i === hot ? 7 : 1)), array(shape)]) {
      const { seen, model } = erring(0);
      expect(await model.mean(calm, 1, { looks: 2 })).toEqual(await model.mean(calm));
      expect(seen.tiles).toBe(8);
    }
  });

  it('changes nothing that a network without errors says', async () => {
    const two = await erring(0).model.mean(image, 1, { looks: 2 });
    expect(most(two, () => true)).toBeLessThan(1e-5);
  });

  it('does not depend on the unit', async () => {
    const { model } = erring(0.02);
    const two = await model.mean(image, 1, { looks: 2 });
    const other = await model.mean(
      fill(shape, (i) => 800 * image.data[i]!),
      1 / 800,
      { looks: 2 },
    );
    for (let i = 0; i < image.data.length; i++) expect(other.data[i]! / 800).toBeCloseTo(two.data[i]!, 4);
  });

  it('is one or two', async () => {
    await expect(erring(0).model.mean(image, 1, { looks: 3 as 2 })).rejects.toThrow(OptionError);
  });
});
