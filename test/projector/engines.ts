/** @file  Engines and geometries that the projector's tests share. */
import { centredGrid, type Grid } from '../../src/core/image.js';
import type { Scanner } from '../../src/geometry/scanner.js';
import { openEngine } from '../../src/node/devices.js';
import { openCpuEngine } from '../../src/node/kernel-pool.js';
import { type ProjectorEngine, referenceEngine } from '../../src/projector/engine.js';
import { gpu } from '../gpu.js';

/** A graphics card obeys all laws; a program in its place is too slow for hundreds of calls, and is held to those of gpu/. */
export const engines: readonly [name: string, open: () => Promise<ProjectorEngine>][] = [
  ['reference', async () => referenceEngine()],
  ['cpu, 2 threads', () => openCpuEngine({ threads: 2 })],
  ...(gpu && !gpu.software ? [['gpu', () => openEngine({ device: 'gpu' })] satisfies (typeof engines)[number]] : []),
];

export const tinyScanner: Scanner = {
  name: 'tiny',
  aliases: [],
  rings: 3,
  detectorsPerRing: 12,
  innerRadius: 48,
  depthOfInteraction: 2,
  ringSpacing: 7,
  maxTangential: 7,
  defaultArcCorrected: 7,
  binSize: 11,
  tilt: 0.2,
};

export const oddScanner: Scanner = {
  ...{ name: 'odd', aliases: [], rings: 9, detectorsPerRing: 44, innerRadius: 100, depthOfInteraction: 5, ringSpacing: 6 },
  ...{ maxTangential: 31, defaultArcCorrected: 33, binSize: 5.1, tilt: 0.13 },
};

/** Flat blocks round the ring, gaps along the axis; more blocks and rings than one run of planes. */
export const blockScanner: Scanner = {
  ...{ name: 'blocks', aliases: [], rings: 9, detectorsPerRing: 44, innerRadius: 100, depthOfInteraction: 5, ringSpacing: 6 },
  ...{ maxTangential: 31, defaultArcCorrected: 33, binSize: 5.1, tilt: 0.13 },
  ...{ flatBlocks: { crystals: 4, spacing: 14 }, axialBlocks: { rings: 3, gap: 4.3 } },
};

/** A grid whose middle is off the scanner's, mm. */
export function shifted(grid: Grid, [z, y, x]: readonly [number, number, number]): Grid {
  return { ...grid, origin: [grid.origin[0] + z, grid.origin[1] + y, grid.origin[2] + x] };
}

/** Grids that fit rings 6 mm apart (p = 1, p = 2), fit not at all, are small, long, high or shifted away. */
export const oddGrids: readonly [name: string, grid: Grid][] = [
  ['aligned', centredGrid([17, 21, 19], [3, 6, 6.5])],
  ['unaligned, off centre', shifted(centredGrid([11, 17, 25], [4.1, 5.3, 4.1]), [2.7, 9, -14])],
  ['aligned, shifted by part of a plane', shifted(centredGrid([13, 18, 23], [3, 5, 7]), [1.2, 0, 3])],
  ['at one edge', shifted(centredGrid([5, 9, 7], [3, 4, 5]), [18, 60, 20])],
  ['longer than the scanner', centredGrid([40, 15, 15], [3, 8, 8])],
  ['wider than the scanner', shifted(centredGrid([6, 21, 20], [1.5, 12, 15]), [0, 3, 1])],
  ['planes a ring apart', centredGrid([8, 20, 21], [6, 6, 5])],
  ['one plane', centredGrid([1, 20, 21], [3, 6, 5])],
];
