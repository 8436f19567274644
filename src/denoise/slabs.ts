/** @file  A volume cut along z into slabs of L slices that share o with their neighbours, and joined again by a linear change-over:
 *    starts 0, L − o, 2(L − o), …, and Z − L last
 *    over the last o slices of a slab, j = 0 … o − 1:  (1 − w) before + w after,  w = j/(o − 1)
 *  as the scripts of Yu et al. 2025, doi:10.1007/s00259-025-07122-4, do for Z = 520 and mean to do for 612 (L = 96, o = 10). */
import { array, type Shape3, type Volume } from '../core/array.js';

/** First slices of the slabs; one slab of fewer slices where the volume has no more. */
export function slabStarts(slices: number, length: number, overlap: number): number[] {
  const starts = [0];
  for (let start = 0; start + length < slices; starts.push(start)) start = Math.min(start + length - overlap, slices - length);
  return starts;
}

/** Slices start … start + length − 1, those of the volume: not a copy. */
export function cutSlab(volume: Volume, start: number, length: number): Volume {
  const [nz, ny, nx] = volume.shape as [number, number, number];
  const slices = Math.min(length, nz - start);
  const plane = ny * nx;
  return array([slices, ny, nx], volume.data.subarray(start * plane, (start + slices) * plane));
}

/** Takes slabs in the order of `slabStarts` and joins them. */
export interface SlabJoin {
  readonly volume: Volume;
  add(slab: Volume): void;
}

export function joinSlabs(shape: Shape3, length: number, overlap: number): SlabJoin {
  const [nz, ny, nx] = shape;
  const plane = ny * nx;
  const volume = array(shape);
  const starts = slabStarts(nz, length, overlap);
  let next = 0;
  return {
    volume,
    add({ data }) {
      const start = starts[next]!;
      // What the slab before wrote is blended over its last `overlap` slices; what this one has before them is not used.
      const change = next === 0 ? 0 : starts[next - 1]! + length - overlap;
      const shared = next === 0 ? 0 : overlap;
      for (let j = 0; j < shared; j++) {
        const w = overlap === 1 ? 0.5 : j / (overlap - 1);
        const at = (change + j) * plane;
        const from = (change + j - start) * plane;
        for (let i = 0; i < plane; i++) volume.data[at + i] = (1 - w) * volume.data[at + i]! + w * data[from + i]!;
      }
      const rest = next === 0 ? 0 : change + shared;
      volume.data.set(data.subarray((rest - start) * plane), rest * plane);
      next++;
    },
  };
}
