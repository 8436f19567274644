/** @file  What a reconstruction will need before anything is allocated: memory from the sizes alone, time from the number of samples
 *    Σ_bins (planes of the principal axis that the line crosses within the image)
 *  and from how fast a short probe of the same geometry runs. */
import { fill, size } from '../core/array.js';
import { checkedGrid, type Grid } from '../core/image.js';
import type { CallOptions } from '../core/iterate.js';
import { transaxialLines } from '../geometry/lines.js';
import { planeCount, type SinogramLayout, sinogramShape } from '../geometry/sinogram.js';
import { columnsBytes, fitsKernels, segmentTables } from './cpu/tables.js';
import { workspaceLayout } from './cpu/workspace.js';
import type { ProjectorEngine } from './engine.js';

/** Bytes that the kernels can address, less what their module takes; and of the longest array that every runtime holds. */
const addressable: number = 2 ** 32 - 2 ** 20;
/** Threads that a plan allows for. */
const threads = 16;

/** Samples of the probe: some tenths of a second. */
const probeSamples = 2e8;

export interface Plan {
  readonly bins: number;
  readonly voxels: number;
  readonly subsets: number;
  /** Fewest subsets with which one fits an array, and its image the kernels' 4 GiB; more than there are views if none does. */
  readonly fewestSubsets: number;
  /** Do `subsets` suffice? */
  readonly fits: boolean;
  /** Samples of one pass over all bins, forward or back. */
  readonly samples: number;
  /** Bytes: the kernels' workspace for one subset. */
  readonly workspaceBytes: number;
  /** Bytes: prompts, factors and background of all bins, and what an update makes of one subset. */
  readonly dataBytes: number;
  /** Bytes: the image, its copies in an update, and the sensitivity of every subset. */
  readonly imageBytes: number;
  readonly totalBytes: number;
}

/** Sizes of an OSEM reconstruction. */
export function plan(layout: SinogramLayout, grid: Grid, subsets = 1): Plan {
  const voxels = size(checkedGrid(grid).shape);
  const tables = segmentTables(layout, grid);
  const tooLarge = !fitsKernels(grid);
  const workspace = (k: number): number => {
    if (tooLarge) return columnsBytes(grid);
    const { forward, adjoint } = workspaceLayout(layout, Math.ceil(layout.views / k), tables, grid, threads);
    return Math.max(forward(0).bytes, adjoint(0).bytes);
  };
  const fitsWith = (k: number): boolean =>
    !tooLarge && Math.max(workspace(k), 4 * size(sinogramShape(layout, Math.ceil(layout.views / k)))) <= addressable;
  let fewestSubsets = 1;
  while (fewestSubsets <= layout.views && !fitsWith(fewestSubsets)) fewestSubsets++;
  const bins = size(sinogramShape(layout));
  const one = size(sinogramShape(layout, Math.ceil(layout.views / subsets)));
  const workspaceBytes = workspace(subsets);
  // Three terms of all bins; expected counts, ratio and what the model makes on the way, of one subset.
  const dataBytes = 4 * (3 * bins + 4 * one);
  const imageBytes = osemImageBytes(grid, subsets);
  return {
    ...{ bins, voxels, subsets, fewestSubsets, fits: subsets >= fewestSubsets && subsets <= layout.views },
    samples: countSamples(layout, grid),
    ...{ workspaceBytes, dataBytes, imageBytes, totalBytes: workspaceBytes + dataBytes + imageBytes },
  };
}

/** Bytes: the image, its copies in an update, and the sensitivity of every subset. */
export function osemImageBytes({ shape }: Grid, subsets: number): number {
  return 4 * size(shape) * (subsets + 5);
}

/** Samples of all bins, from the lines of some views; the image taken to be as long as the scanner. */
function countSamples(layout: SinogramLayout, grid: Grid): number {
  const { views } = layout;
  const some = Math.min(views, 24);
  const picked = Array.from({ length: some }, (_, i) => Math.floor((i * views) / some));
  const ends = transaxialLines(layout, picked);
  let steps = 0;
  for (let i = 0; i < ends.length; i += 4) steps += stepsOf(grid, ends[i]!, ends[i + 1]!, ends[i + 2]!, ends[i + 3]!);
  return (steps / some) * views * planeCount(layout) * layout.tofBins;
}

function stepsOf({ shape, voxelSize, origin }: Grid, x1: number, y1: number, x2: number, y2: number): number {
  const alongX = Math.abs(x2 - x1) >= Math.abs(y2 - y1);
  let [from, to] = [0, 1];
  for (const axis of [1, 2] as const) {
    const [a, b] = axis === 2 ? [x1, x2] : [y1, y2];
    // Planes of the principal axis lie in the voxels; across it, interpolation reaches half a voxel further.
    const margin = (axis === 2) === alongX ? 0.5 : 1;
    const low = origin[axis] - margin * voxelSize[axis];
    const high = origin[axis] + (shape[axis] - 1 + margin) * voxelSize[axis];
    if (a === b && (a <= low || a >= high)) return 0;
    if (a === b) continue;
    const [near, far] = [(low - a) / (b - a), (high - a) / (b - a)];
    from = Math.max(from, Math.min(near, far));
    to = Math.min(to, Math.max(near, far));
  }
  return Math.max(0, to - from) * (alongX ? Math.abs(x2 - x1) / voxelSize[2] : Math.abs(y2 - y1) / voxelSize[1]);
}

/** How fast an engine runs a geometry, wall time. */
export interface ProbedSpeed {
  /** Seconds per sample, forward and back together. */
  readonly perSample: number;
  /** Seconds per voxel that one subset costs whatever its bins: forward and back together. */
  readonly perVoxel: number;
}

/** Measures the speed on the middle of the field of view with the scan's own segments and voxels: about a second. */
export async function probeSpeed(
  engine: ProjectorEngine,
  layout: SinogramLayout,
  grid: Grid,
  { signal }: CallOptions = {},
): Promise<ProbedSpeed> {
  const [nz, ny, nx] = grid.shape;
  const across = (n: number): number => Math.min(n, 96);
  const [sy, sx] = [across(ny), across(nx)];
  const [oz, oy, ox] = grid.origin;
  const [, dy, dx] = grid.voxelSize;
  const middle: Grid = {
    shape: [nz, sy, sx],
    voxelSize: grid.voxelSize,
    origin: [oz, oy + Math.floor((ny - sy) / 2) * dy, ox + Math.floor((nx - sx) / 2) * dx],
  };
  const few = (tangential: number): SinogramLayout => ({ ...layout, tangential: Math.min(tangential, layout.tangential) });
  const perView = (part: SinogramLayout): number => countSamples(part, middle) / layout.views;
  const time = async (part: SinogramLayout, count: number): Promise<number> => {
    const views = Array.from({ length: count }, (_, i) => Math.floor(((i + 0.3) * layout.views) / count));
    const operator = engine.sinogramProjector(part, views, middle);
    const x = fill(operator.inShape, () => 1);
    let best = Number.POSITIVE_INFINITY;
    let all = 0;
    for (let repeat = 0; repeat < 3 && all < 1000; repeat++) {
      const started = performance.now();
      await operator.adjoint(await operator.forward(x, { signal }), { signal });
      best = Math.min(best, performance.now() - started);
      all += performance.now() - started;
    }
    return best / 1000;
  };
  const [little, much] = [few(1), few(64)];
  const most = Math.min(layout.views, Math.ceil(probeSamples / perView(much)));
  const base = await time(little, 1);
  // A slow engine shows its speed with few views.
  let views = Math.min(most, 1);
  let more = await time(much, views);
  while (views < most && more < 0.2) {
    views = Math.min(most, 4 * views);
    more = await time(much, views);
  }
  const samples = views * perView(much) - perView(little);
  return {
    perSample: Math.max(0, more - base) / Math.max(1, samples),
    perVoxel: base / size(middle.shape),
  };
}

/** Wall time of one pass over all subsets, s. */
export function secondsPerIteration({ samples, voxels, subsets }: Plan, { perSample, perVoxel }: ProbedSpeed): number {
  return samples * perSample + subsets * voxels * perVoxel;
}
