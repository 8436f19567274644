/** @file  A map of channels over a volume, kept slab by slab, in float32 or half precision, with the mean and the sum of squared deviations of each
 *  channel. Those of slabs are joined by Chan, Golub & LeVeque 1983, doi:10.1080/00031305.1983.10483115:
 *    m = m₁ + δ n₂/n,   S = S₁ + S₂ + δ² n₁ n₂/n,   δ = m₂ − m₁ */
import { fromHalves, toHalves } from '../core/half.js';

/** Statistics of each channel over the whole volume. */
export interface ChannelStatistics {
  readonly mean: Float64Array;
  readonly deviations: Float64Array;
  count: number;
}
export interface SlabMap {
  readonly channels: number;
  /** Voxels of a slice. */
  readonly plane: number;
  /** [channels, slices, plane] each; given up when it is not needed any more. */
  readonly slabs: (Float32Array | Uint16Array | undefined)[];
  readonly statistics: ChannelStatistics;
}

export function slabMap(channels: number, plane: number): SlabMap {
  const statistics = { mean: new Float64Array(channels), deviations: new Float64Array(channels), count: 0 };
  return { channels, plane, slabs: [], statistics };
}

/** Adds the next slab, and its statistics where they are known. */
export function addSlab(map: SlabMap, data: Float32Array, half: boolean, mean?: Float32Array, deviations?: Float32Array): void {
  map.slabs.push(half ? toHalves(data) : data);
  const { statistics } = map;
  if (mean === undefined || deviations === undefined) return;
  const n = data.length / map.channels;
  const total = statistics.count + n;
  for (let c = 0; c < map.channels; c++) {
    const delta = mean[c]! - statistics.mean[c]!;
    statistics.mean[c]! += (delta * n) / total;
    statistics.deviations[c]! += deviations[c]! + (delta * delta * statistics.count * n) / total;
  }
  statistics.count = total;
}

/** A slab as [channels, slices, plane] in float32, with the slices before and after it where they are asked for. */
export function readSlab(map: SlabMap, index: number, before: boolean, after: boolean): Float32Array {
  const { channels, plane } = map;
  const depths = [-1, 0, 1].map((step) => (map.slabs[index + step]?.length ?? 0) / (channels * plane));
  const depth = Number(before) + depths[1]! + Number(after);
  const out = new Float32Array(channels * depth * plane);
  const copy = (slab: number, from: number, slices: number, at: number): void => {
    const data = map.slabs[slab]!;
    const own = data.length / (channels * plane);
    for (let c = 0; c < channels; c++) {
      const source = data.subarray((c * own + from) * plane, (c * own + from + slices) * plane);
      const target = (c * depth + at) * plane;
      if (source instanceof Uint16Array) fromHalves(source, out, target);
      else out.set(source, target);
    }
  };
  if (before) copy(index - 1, depths[0]! - 1, 1, 0);
  copy(index, 0, depths[1]!, Number(before));
  if (after) copy(index + 1, 0, 1, Number(before) + depths[1]!);
  return out;
}
