import { expect, it } from 'vitest';
import { fill, type Point, type Shape3 } from '../../src/core/array.js';
import { noiseField } from '../../src/core/random.js';
import { rangeOf } from '../../src/train/range.js';
import { sourceOf } from '../../src/train/subject.js';

const subject = (shape: Shape3, relative: number, hottest: number, voxelSize: Point) => {
  const noise = noiseField(shape, 2).data;
  const truth = fill(shape, (i) => (i === noise.length - 1 ? hottest : 2)).data;
  const lowDose = [
    truth.map((value, i) => value * (1 + relative * noise[i]!)),
    truth.map((value, i) => value * (1 + 2 * relative * noise[i]!)),
  ];
  return sourceOf({ shape, voxelSize, truth, lowDose });
};

it('tells the ends: noise of all images, hottest voxel, smallest and largest voxels along each axis', () => {
  const range = rangeOf([subject([40, 16, 16], 0.05, 7.5, [5, 4, 3]), subject([20, 30, 20], 0.2, 31.2, [4, 4, 4])])!;
  expect(range.noise[0] / 0.05).toBeCloseTo(1, 0.9);
  expect(range.noise[1] / 0.4).toBeCloseTo(1, 0.9);
  expect(range).toMatchObject({
    maximum: 31.2,
    voxelSize: [
      [4, 4, 3],
      [5, 4, 4],
    ],
  });
});

it('tells nothing when no noise could be told', () => {
  const shape: Shape3 = [1, 1, 1];
  const one = Float32Array.of(1);
  expect(rangeOf([sourceOf({ shape, voxelSize: [4, 4, 4], truth: one, lowDose: [one] })])).toBeUndefined();
});
