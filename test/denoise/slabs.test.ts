import { describe, expect, it } from 'vitest';
import { array, fill, type Volume } from '../../src/core/array.js';
import { cutSlab, joinSlabs, slabStarts } from '../../src/denoise/slabs.js';

describe('slabs', () => {
  it('start where the published scripts start them', () => {
    expect(slabStarts(520, 96, 10)).toEqual([0, 86, 172, 258, 344, 424]);
    expect(slabStarts(612, 96, 10)).toEqual([0, 86, 172, 258, 344, 430, 516]);
    expect(slabStarts(644, 96, 10)).toEqual([0, 86, 172, 258, 344, 430, 516, 548]);
    for (const short of [1, 50, 96]) expect(slabStarts(short, 96, 10)).toEqual([0]);
    expect(slabStarts(97, 96, 10)).toEqual([0, 1]);
    expect(slabStarts(3, 1, 0)).toEqual([0, 1, 2]);
  });

  /** The published table for 520 slices: which slab, its slice and its weight make output slice z. */
  function published(z: number): readonly (readonly [slab: number, slice: number, weight: number])[] {
    if (z < 86) return [[0, z, 1]];
    for (const [i, start] of [86, 172, 258, 344].entries()) {
      const j = z - start;
      if (j >= 0 && j < 10)
        return [
          [i, 86 + j, 1 - j / 9],
          [i + 1, j, j / 9],
        ];
      if (j >= 10 && j < 86) return [[i + 1, j, 1]];
    }
    const j = z - 430;
    return j < 10
      ? [
          [4, 86 + j, 1 - j / 9],
          [5, 6 + j, j / 9],
        ]
      : [[5, z - 424, 1]];
  }
  /** A value of its own for each slice of each slab. */
  const value = (slab: number, slice: number): number => Math.sin(7 * slab + 0.3 * slice) + slab;
  const slab = (i: number, slices: number): Volume => fill([slices, 1, 2], (k) => (k % 2 ? 2 : 1) * value(i, Math.floor(k / 2)));

  it('are blended for 520 slices as the published scripts do', () => {
    const join = joinSlabs([520, 1, 2], 96, 10);
    for (let i = 0; i < 6; i++) join.add(slab(i, 96));
    for (let z = 0; z < 520; z++) {
      const expected = published(z).reduce((sum, [i, slice, weight]) => sum + weight * value(i, slice), 0);
      expect(join.volume.data[2 * z]).toBeCloseTo(expected, 5);
      expect(join.volume.data[2 * z + 1]).toBeCloseTo(2 * expected, 5);
    }
  });

  it('for 612 slices write the last ten too, which the published script leaves at zero', () => {
    const join = joinSlabs([612, 1, 2], 96, 10);
    for (let i = 0; i < 7; i++) join.add(slab(i, 96));
    for (let z = 526; z < 612; z++) expect(join.volume.data[2 * z]).toBeCloseTo(value(6, z - 516), 5);
    for (let j = 0; j < 10; j++) {
      const expected = (1 - j / 9) * value(5, 86 + j) + (j / 9) * value(6, j);
      expect(join.volume.data[2 * (516 + j)]).toBeCloseTo(expected, 5);
    }
  });

  it.each([
    [520, 96, 10],
    [612, 96, 10],
    [97, 96, 10],
    [181, 96, 10],
    [1, 96, 10],
    [37, 8, 3],
    [12, 5, 1],
    [9, 1, 0],
    [10, 4, 0],
  ])('cut from a volume of %d slices (%d, sharing %d) give it back', (slices, length, overlap) => {
    const volume = fill([slices, 2, 3], (i) => Math.cos(i) + i / 100);
    const join = joinSlabs([slices, 2, 3], length, overlap);
    for (const start of slabStarts(slices, length, overlap)) join.add(cutSlab(volume, start, length));
    for (let i = 0; i < volume.data.length; i++) expect(join.volume.data[i]).toBeCloseTo(volume.data[i]!, 5);
  });

  it('a slab of a short volume has its slices only', () => {
    expect(cutSlab(array([5, 2, 3]), 0, 96).shape).toEqual([5, 2, 3]);
  });
});
