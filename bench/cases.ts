/** @file  Geometries that the projectors are measured on, the same for all engines. */
import type { Grid, LayoutOptions, Scanner, SinogramLayout, Volume } from 'coincide';
import * as coincide from 'coincide';
import { openPeer, type Peer } from './peer.js';

export interface Case {
  readonly scanner: Scanner;
  readonly options: LayoutOptions;
  readonly grid: Grid;
  /** Views in the subset that is projected, evenly spread. */
  readonly views: number;
  /** Time one OSEM iteration with so many subsets. */
  readonly osemSubsets?: number;
  /** Share of the views that the peer projects. */
  readonly peerViews: number;
}

const ring = (rings: number): Scanner =>
  coincide.parseScanner({
    ...{ name: 'bench', rings, detectorsPerRing: 504, innerRadius: 350, ringSpacing: 4 },
    ...{ maxTangential: 344, defaultArcCorrected: 344, binSize: 2 },
    tof: { bins: 33, binWidth: 143.231, resolution: 674.55 },
  });
const mmr = coincide.scannerByName('mMR');
const quadra = coincide.scannerByName('Quadra');
const dmi = coincide.scannerByName('GE Discovery MI 4 rings');
const gridDmi = coincide.centredGrid([71, 215, 215], [2.78, 2.78, 2.78]);
const gridA = coincide.centredGrid([71, 172, 172], [2, 4, 4]);
export const cases: Readonly<Record<string, Case>> = {
  A: { scanner: ring(36), options: { maxRingDifference: 8 }, grid: gridA, views: 14, peerViews: 14 },
  B: {
    ...{ scanner: ring(64), options: { maxRingDifference: 16 }, views: 5, peerViews: 5 },
    grid: coincide.centredGrid([127, 344, 344], [2, 2, 2]),
  },
  mMR: {
    ...{ scanner: mmr, options: { span: 11, maxRingDifference: 60 }, views: 12, osemSubsets: 21, peerViews: 4 },
    grid: coincide.centredGrid([127, 344, 344], [mmr.ringSpacing / 2, mmr.binSize, mmr.binSize]),
  },
  'A-TOF': { scanner: ring(36), options: { maxRingDifference: 8, tofMash: 1 }, grid: gridA, views: 4, peerViews: 0.03 },
  // The configuration of gschramm/parallelproj-benchmarks, on a round ring with even spacing.
  DMI: { scanner: dmi, options: { maxRingDifference: 35 }, grid: gridDmi, views: 8, osemSubsets: 34, peerViews: 0.5 },
  'DMI-TOF': { scanner: dmi, options: { maxRingDifference: 35, tofMash: 13 }, grid: gridDmi, views: 8, peerViews: 0.01 },
  /** To see that a benchmark runs at all. */
  tiny: {
    ...{ scanner: coincide.scannerByName('small'), options: { span: 3, maxRingDifference: 4, viewMash: 12, tangential: 31 } },
    ...{ views: 2, osemSubsets: 4, peerViews: 1, grid: coincide.centredGrid([9, 20, 20], [4, 8, 8]) },
  },
  Quadra: {
    ...{ scanner: quadra, options: { maxRingDifference: 85 }, views: 2, peerViews: 0.02 },
    grid: coincide.centredGrid([645, 220, 220], [quadra.ringSpacing / 2, 3.3, 3.3]),
  },
};

export const spread = (layout: SinogramLayout, n: number): number[] =>
  Array.from({ length: n }, (_, i) => Math.floor(((i + 0.37) * layout.views) / n));

/** Planes that each transaxial line meets. */
export function stepsOf(layout: SinogramLayout, views: readonly number[], grid: Grid): number[] {
  const middle = { minRingDifference: 0, maxRingDifference: 0, axialPositions: 1 };
  const { start, end } = coincide.linesOf({ ...layout, segments: [middle] }, views);
  const [, ny, nx] = grid.shape;
  return Array.from({ length: start.length / 3 }, (_, line) => {
    const at = (p: Float32Array, axis: number): number => (p[3 * line + axis]! - grid.origin[axis]!) / grid.voxelSize[axis]!;
    const alongX = Math.abs(end[3 * line + 2]! - start[3 * line + 2]!) >= Math.abs(end[3 * line + 1]! - start[3 * line + 1]!);
    const [p, q, n, m] = alongX ? [2, 1, nx, ny] : [1, 2, ny, nx];
    const slope = (at(end, q) - at(start, q)) / (at(end, p) - at(start, p));
    let steps = 0;
    for (let i = 0; i < n; i++) {
      const inside = (i - at(start, p)) * (i - at(end, p)) <= 0;
      const u = at(start, q) + (i - at(start, p)) * slope;
      if (inside && u > -1 && u < m) steps++;
    }
    return steps;
  });
}

export const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1]!;
export const round = (value: number): number => Number(value.toPrecision(4));

/** Lines in the middle of all. */
export function peerRange(all: number, wanted: number): [from: number, to: number] {
  const count = Math.min(all, wanted);
  const from = count === all ? 0 : Math.floor((all - count) / 2);
  return [from, from + count];
}

/** The peer with some of the lines, planes fastest: the order that suits such projectors. */
export function peerOf(
  path: string,
  folder: string,
  layout: SinogramLayout,
  views: readonly number[],
  grid: Grid,
  wanted: number,
  image: Volume,
): Promise<Peer> {
  const all = views.length * layout.tangential;
  const [from, to] = peerRange(all, wanted);
  const { start, end } = coincide.linesOf(layout, views);
  const planes = start.length / 3 / all;
  const lines = new Float32Array((to - from) * planes * 6);
  for (let line = from, at = 0; line < to; line++) {
    for (let plane = 0; plane < planes; plane++, at += 6) {
      const i = 3 * (plane * all + line);
      lines.set(start.subarray(i, i + 3), at);
      lines.set(end.subarray(i, i + 3), at + 3);
    }
  }
  const { tof } = layout.scanner;
  const bins = layout.tofBins;
  const perPs = 0.149896229;
  const width = bins > 1 ? tof!.binWidth * layout.tofMash * perPs : 0;
  const sigma = bins > 1 ? (tof!.resolution * perPs) / (2 * Math.sqrt(2 * Math.LN2)) : 0;
  const data = new Float32Array((to - from) * planes * bins).fill(0.5);
  return openPeer(path, folder, grid, lines, { bins, width, sigma }, image.data, data);
}
