import { describe, expect, it } from 'vitest';
import { fill, type Shape3 } from '../../src/core/array.js';
import { blendTiles, cutTile, tileStarts, tilesOf } from '../../src/denoise/tiles.js';

describe('tiles', () => {
  it.each([
    [10, 16, 4],
    [16, 16, 4],
    [17, 16, 4],
    [95, 32, 8],
    [33, 8, 7],
    [9, 1, 0],
  ])('cover an axis of %d with patches of %d that share at least %d', (n, patch, overlap) => {
    const starts = tileStarts(n, patch, overlap);
    expect(starts[0]).toBe(0);
    if (n > patch) expect(starts.at(-1)! + patch).toBe(n);
    for (let i = 1; i < starts.length; i++) expect(starts[i - 1]! + patch - starts[i]!).toBeGreaterThanOrEqual(overlap);
  });

  it('of one voxel share nothing, whatever the others share', () => {
    expect(tileStarts(4, 1, 8)).toEqual([0, 1, 2, 3]);
    expect(tilesOf([2, 5, 5], [1, 4, 8], 3)).toEqual([
      [0, 0, 0],
      [0, 1, 0],
      [1, 0, 0],
      [1, 1, 0],
    ]);
  });

  it.each([[[5, 23, 17]], [[3, 4, 40]]] as [Shape3][])('cut and blended again give back a volume of %j', (shape) => {
    const patch: Shape3 = [8, 8, 8];
    const volume = fill(shape, (i) => Math.sin(i) * 7);
    const tiles = tilesOf(shape, patch, 3).map((at) => {
      const out = new Float32Array(512);
      cutTile(volume, at, patch, out);
      return out;
    });
    const back = blendTiles(shape, patch, 3, tiles);
    for (let i = 0; i < volume.data.length; i++) expect(back.data[i]).toBeCloseTo(volume.data[i]!, 5);
  });

  it('continue the edge of the volume where a patch is larger', () => {
    const volume = fill([1, 2, 3], (i) => i);
    const out = new Float32Array(4 * 4 * 4);
    cutTile(volume, [0, 0, 0], [4, 4, 4], out);
    expect([...out.subarray(0, 8)]).toEqual([0, 1, 2, 2, 3, 4, 5, 5]);
    expect(out[63]).toBe(5);
  });

  it('change over smoothly: two constant tiles give a monotone ramp where they overlap', () => {
    const blended = blendTiles([1, 1, 12], [1, 1, 8], 4, [new Float32Array(8).fill(0), new Float32Array(8).fill(1)]);
    const row = [...blended.data];
    expect(row.slice(0, 4)).toEqual([0, 0, 0, 0]);
    expect(row.slice(8)).toEqual([1, 1, 1, 1]);
    for (let x = 4; x < 8; x++) expect(row[x]!).toBeGreaterThan(row[x - 1]!);
  });
});
