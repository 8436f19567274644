import { expect, it } from 'vitest';
import { type Measured, resampledNote, unlike, unlikeVoxels, workingGrid } from '../../src/denoise/unlike.js';
import type { ModelCard } from '../../src/network/model-card.js';

const card = {
  ...{ name: 'toy', voxelSize: [4, 4, 4], patch: [32, 32, 32], intensity: { unit: 'SUV', scale: 0.5, bodyMean: 1 } },
  range: { noise: [0.1, 0.4], maximum: 20, fieldOfView: [200, 400, 400] },
} as unknown as ModelCard;
const like: Measured = { voxelSize: [4, 4, 4], fieldOfView: [160, 380, 380], bodyMean: 1.3, maximum: 12, noise: 0.2 };

it('says nothing of images like those of the training, to their very ends', () => {
  expect(unlike(like, card)).toEqual([]);
  expect(unlike({ ...like, noise: 0.14 / 2, maximum: 29, fieldOfView: [299, 599, 599], bodyMean: 4.9 }, card)).toEqual([]);
  expect(unlike({ ...like, noise: 0.59, bodyMean: 0.21 }, card)).toEqual([]);
  expect(unlike({ ...like, noise: 0 }, card)).toEqual([]); // could not be told
});

it.each([
  [{ noise: 0.05 }, /noise level is 5\.0 %.*10 % to 40 %.*smooths/],
  [{ noise: 0.7 }, /noise level is 70 %.*leaves noise/],
  [{ maximum: 45 }, /SUV 45.*up to 20/],
  [{ fieldOfView: [1040, 380, 380] as const }, /1040 × 380 × 380 mm.*200 × 400 × 400 mm/],
  [{ fieldOfView: [160, 380, 60] as const }, /160 × 380 × 60 mm.*pieces of 128 × 128 × 128 mm/],
  [{ bodyMean: 0.05 }, /SUV 0\.05, 0\.05 times.*is the image in SUV/],
  [{ bodyMean: 3000 }, /SUV 3000/],
])('warns of %j, with what was measured and what was known', (change, says) => {
  const found = unlike({ ...like, ...change }, card);
  expect(found.length).toBe(1);
  expect(found[0]).toMatch(says);
});

it('judges only what the card tells', () => {
  const { range: _, ...silent } = card;
  expect(unlike({ ...like, noise: 3, maximum: 400 }, silent)).toEqual([]);
  expect(unlike({ ...like, bodyMean: 100 }, silent).length).toBe(1);
});

it('tells of voxels, resampled or not', () => {
  expect(unlikeVoxels({ voxelSize: [3, 5, 4] }, { card })).toEqual([]);
  expect(unlikeVoxels({ voxelSize: [4, 2, 4] }, { card }).join()).toMatch(/4 × 2 × 4 mm.*4 × 4 × 4 mm/);
  const wide = {
    ...card,
    range: {
      noise: [0, 1],
      maximum: 9,
      voxelSize: [
        [3, 2, 2],
        [5, 4, 4],
      ],
    },
  } as unknown as ModelCard;
  expect(unlikeVoxels({ voxelSize: [2.1, 5.9, 1.4] }, { card: wide })).toEqual([]);
  expect(unlikeVoxels({ voxelSize: [1.9, 3, 3] }, { card: wide }).join()).toMatch(/on 3 × 2 × 2 mm to 5 × 4 × 4 mm/);
  expect(unlikeVoxels({ voxelSize: [4, 4, 6.1] }, { card }).length).toBe(1);
  expect(resampledNote([4, 2, 4], [4, 2, 4], card)).toEqual([]);
  expect(resampledNote([4, 2, 4], [4, 4, 4], card).join()).toMatch(/4 × 2 × 4 mm.*lost/);
  expect(resampledNote([4, 8, 4], [4, 4, 4], card).join()).not.toMatch(/lost/);
});

it('works on the voxels of the image if the model knows them, else on the nearest it knows', () => {
  const wide = {
    ...card,
    range: {
      noise: [0, 1],
      maximum: 9,
      voxelSize: [
        [3, 2, 2],
        [5, 4, 4],
      ],
    },
  } as unknown as ModelCard;
  const on = (voxelSize: readonly [number, number, number]) => workingGrid({ shape: [10, 10, 10], voxelSize }, wide);
  expect(on([2.8, 4.3, 3])).toEqual({ shape: [10, 10, 10], voxelSize: [2.8, 4.3, 3] });
  expect(on([2, 8, 1])).toEqual({ shape: [7, 20, 5], voxelSize: [3, 4, 2] });
  expect(workingGrid({ shape: [3, 3, 3], voxelSize: [8, 4.4, 4] }, card)).toEqual({ shape: [6, 3, 3], voxelSize: [4, 4.4, 4] });
});
