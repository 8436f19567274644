import { describe, expect, it } from 'vitest';
import { fill, type Shape3 } from '../../src/core/array.js';
import { blendTiles, cutTile, tileStarts, tiling, wholeTiling } from '../../src/denoise/tiles.js';

describe('tiles', () => {
  it.each([
    [10, 16, 4, 1],
    [16, 16, 4, 1],
    [17, 16, 4, 1],
    [95, 32, 8, 8],
    [95, 64, 16, 8],
    [33, 8, 7, 1],
    [9, 1, 0, 1],
  ])('cover an axis of %d with tiles of %d that share at least %d, in steps of %d', (n, tile, overlap, step) => {
    const starts = tileStarts(n, tile, overlap, step);
    expect(starts[0]).toBe(0);
    for (const start of starts) expect(start % step).toBe(0);
    if (n > tile) {
      expect(starts.at(-1)! + tile).toBeGreaterThanOrEqual(n);
      expect(starts.at(-1)! + tile).toBeLessThan(n + step);
    }
    for (let i = 1; i < starts.length; i++) {
      expect(starts[i]!).toBeGreaterThan(starts[i - 1]!);
      expect(starts[i - 1]! + tile - starts[i]!).toBeGreaterThanOrEqual(overlap);
    }
  });

  it('of one voxel share nothing, whatever the others share', () => {
    expect(tileStarts(4, 1, 8, 1)).toEqual([0, 1, 2, 3]);
    const { tile, overlap, places } = tiling([2, 9, 5], [1, 4, 8], 3, [1, 2, 2]);
    expect({ tile, overlap }).toEqual({ tile: [1, 8, 6], overlap: 6 });
    expect(places).toEqual([
      [0, 0, 0],
      [0, 2, 0],
      [1, 0, 0],
      [1, 2, 0],
    ]);
  });

  it('are no wider than a volume that is small', () => {
    expect(tiling([9, 30, 100], [32, 32, 32], 8, [8, 8, 8]).tile).toEqual([16, 32, 64]);
    expect(wholeTiling([9, 30, 100], [8, 8, 8])).toEqual({ tile: [16, 32, 104], overlap: 0, places: [[0, 0, 0]] });
  });

  it.each([[[5, 23, 17]], [[3, 4, 40]]] as [Shape3][])('cut and blended again give back a volume of %j', (shape) => {
    const cut = tiling(shape, [4, 4, 4], 1, [4, 4, 4]);
    const volume = fill(shape, (i) => Math.sin(i) * 7);
    const tiles = cut.places.map((at) => {
      const out = new Float32Array(cut.tile[0] * cut.tile[1] * cut.tile[2]);
      cutTile(volume, at, cut.tile, out);
      return out;
    });
    const back = blendTiles(shape, cut, tiles);
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
    const places: Shape3[] = [
      [0, 0, 0],
      [0, 0, 4],
    ];
    const blended = blendTiles([1, 1, 12], { tile: [1, 1, 8], overlap: 4, places }, [
      new Float32Array(8).fill(0),
      new Float32Array(8).fill(1),
    ]);
    const row = [...blended.data];
    expect(row.slice(0, 4)).toEqual([0, 0, 0, 0]);
    expect(row.slice(8)).toEqual([1, 1, 1, 1]);
    for (let x = 4; x < 8; x++) expect(row[x]!).toBeGreaterThan(row[x - 1]!);
  });
});
