import { describe, expect, it } from 'vitest';
import { fill } from '../../src/core/array.js';
import type { Grid } from '../../src/core/image.js';
import { fromWorld, type PatientPosition, toWorld } from '../../src/geometry/frame.js';

const grid: Grid = { shape: [3, 4, 5], voxelSize: [2, 3, 4], origin: [-1, 7, -20] };
const values = fill(grid.shape, (i) => i);

describe('scanner frame and world', () => {
  // Where +z, +y, +x of the scanner lead: superior (or inferior, −), anterior, right.
  it.each<[PatientPosition, readonly [number, number, number]]>([
    ['HFS', [-1, -1, -1]],
    ['HFP', [-1, 1, 1]],
    ['FFS', [1, -1, 1]],
    ['FFP', [1, 1, -1]],
  ])('a point of a patient %s keeps its value at its place in the world', (position, signs) => {
    const image = toWorld(values, grid, position, 'counts');
    for (const index of [
      [0, 0, 0],
      [2, 3, 4],
      [1, 2, 0],
      [0, 1, 3],
    ] as const) {
      const world = index.map((i, axis) => signs[axis]! * (grid.origin[axis]! + i * grid.voxelSize[axis]!));
      const at = world.map((p, axis) => (p - image.grid.origin[axis]!) / image.grid.voxelSize[axis]!) as [number, number, number];
      expect(image.values.get(...at)).toBe(values.get(...index));
    }
    const back = fromWorld(image, position);
    expect(back.grid).toEqual(grid);
    expect(back.values.data).toEqual(values.data);
  });

  it('of the four positions, none is a mirror of another: each is a turn of the patient', () => {
    const hands = (['HFS', 'HFP', 'FFS', 'FFP'] as const).map((position) => {
      const { grid: world } = toWorld(values, { ...grid, origin: [1, 1, 1] }, position, 'counts');
      return Math.sign(world.origin[0] * world.origin[1] * world.origin[2]);
    });
    expect(new Set(hands).size).toBe(1);
  });
});
