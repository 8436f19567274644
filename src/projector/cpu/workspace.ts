/** @file  What the sinogram projector needs of the kernels' memory, and where each thing lies there: computed from sizes alone, so that a
 *  plan can tell before anything is allocated. Bins go through in stages, because a sinogram need not be there as a whole. */
import { size } from '../../core/array.js';
import type { Grid } from '../../core/image.js';
import { planeCount, type SinogramLayout } from '../../geometry/sinogram.js';
import { partialImages, stagedRows } from './image.js';
import { type Pieces, pieces, ranges } from './pool.js';
import { columnLength, columnsBytes, type SegmentTable } from './tables.js';

/** Pieces of work side by side; more than the threads of most machines. */
export const lanes = 16;
/** Bins that the kernels take at a time. */
export const block = 16;
/** Bytes of a stage of the sinogram; but it has a block for each lane at least. */
const stageBytes = 2 ** 22;
/** Bytes that the kernels take for P and Q. */
const prefixBytes = 2 * 24640;
/** Bytes that partial images may take whatever the size of the image and its data. */
const freeBytes = 2 ** 23;
/** Bytes of a row of doubles: one bin of the table of bins, a sinogram's geometry, a grid. */
const binBytes = 32;
export const geometryBytes = 160;
export const gridBytes = 88;
/** Places of the table of the Gaussian's cumulative. */
export const cumulativeLength: number = 12 * 256 + 2;

export interface WorkspaceLayout {
  /** Bins in a stage. */
  readonly stage: number;
  /** Images that the adjoint sums in the end, a fixed part of each stage for each. */
  readonly images: number;
  /** Voxels z0 … z1 − 1 that go to different threads in the adjoint: voxels do not care which slab they lie in. */
  readonly slabs: readonly (readonly [z0: number, z1: number])[];
  forward(base: number): ForwardPlaces;
  adjoint(base: number): AdjointPlaces;
}

interface SharedPlaces {
  /** The stage of the sinogram, or rows of the image on their way: they are never needed at the same time. */
  readonly data: number;
  readonly bins: number;
  readonly cumulative: number;
  readonly tables: readonly { readonly segments: number; readonly crossings: number; readonly geometry: number }[];
  /** From the base to the end of everything. */
  readonly bytes: number;
}
export interface ForwardPlaces extends SharedPlaces {
  readonly columns: number;
  readonly grid: number;
  /** Per lane. */
  readonly scratch: readonly number[];
}
export interface AdjointPlaces extends SharedPlaces {
  readonly images: readonly number[];
  readonly grids: readonly number[];
  /** Per image and slab. */
  readonly scratch: readonly (readonly number[])[];
}

/** @throws DeviceError when the image is more than the kernels can address. */
export function workspaceLayout(
  layout: SinogramLayout,
  views: number,
  tables: readonly SegmentTable[],
  grid: Grid,
  threads: number,
): WorkspaceLayout {
  const { tofBins } = layout;
  const tof = tofBins > 1;
  const planes = tofBins * planeCount(layout);
  const bins = views * layout.tangential;
  const stage = Math.min(bins, block * Math.max(lanes, Math.floor(stageBytes / (4 * block * planes))));
  const dataBytes = Math.max(4 * planes * stage, 4 * grid.shape[0] * stagedRows(grid) * grid.shape[2]);
  const images = partialCount(grid, planes * bins, bins * tofBins, dataBytes);
  const length = columnLength(grid);
  const slabs = tof ? [[0, length] as const] : ranges(length, Math.ceil(threads / images), 16);
  const steps = Math.max(grid.shape[1], grid.shape[2]);

  const shared = (take: Pieces['take']): Omit<SharedPlaces, 'bytes'> => ({
    data: take(dataBytes),
    bins: take(binBytes * bins),
    cumulative: take(tof ? 4 * cumulativeLength : 0),
    tables: tables.map(({ rows, crossings }) => ({
      segments: take(rows.byteLength),
      crossings: take(crossings.byteLength),
      geometry: take(geometryBytes),
    })),
  });
  const largest = (bytes: (table: SegmentTable) => number): number => Math.max(...tables.map(bytes));
  const tofScratch = ({ tLength, accLength }: SegmentTable): number =>
    (steps + 10) * (4 * tLength + 96 + 4 * (tofBins + 9)) + 4 * block * tofBins * accLength + 12 * (tofBins + 9) + 512;
  // Sixteen steps, and an event for each crossing.
  const program = (crossings: number): number => 16 * 16 + 16 * crossings;
  const forwardScratch = ({ tLength, accLength, latticeLength, crossingCount }: SegmentTable): number =>
    4 * (16 * tLength + block * accLength + latticeLength) + prefixBytes + program(crossingCount) + 256;
  const adjointScratch =
    (slab: number) =>
    ({ accLength, rowsLength, latticeLength, crossingCount, count }: SegmentTable): number =>
      4 * (block * accLength + 2 * rowsLength + 2 * latticeLength) +
      prefixBytes +
      Math.max(program(crossingCount), 4 * slab + 84 * (count + 8)) +
      256;

  return {
    stage,
    images,
    slabs,
    forward(base): ForwardPlaces {
      const { take, total } = pieces(base);
      const places = {
        ...shared(take),
        columns: take(64 + columnsBytes(grid)) + 64,
        grid: take(gridBytes),
        scratch: Array.from({ length: lanes }, () => take(largest(tof ? tofScratch : forwardScratch))),
      };
      return { ...places, bytes: total() };
    },
    adjoint(base): AdjointPlaces {
      const { take, total } = pieces(base);
      const each = <T>(make: () => T): T[] => Array.from({ length: images }, make);
      const places = {
        ...shared(take),
        images: each(() => take(64 + columnsBytes(grid)) + 64),
        grids: each(() => take(gridBytes)),
        scratch: each(() => slabs.map(([z0, z1]) => take(largest(tof ? tofScratch : adjointScratch(z1 - z0))))),
      };
      return { ...places, bytes: total() };
    },
  };
}

/**
 * Partial images of the adjoint. They spare the slabs, and cost a sum: worth it where bins are many for the image. An update holds the image,
 * its data, their ratio and the image that comes out; partial images take what remains of 2.5 × (image + data), or a few MiB. A power of
 * two, so that threads have equal shares.
 */
function partialCount(grid: Grid, values: number, bins: number, dataBytes: number): number {
  const visits = bins / Math.max(grid.shape[1], grid.shape[2]);
  const spare = Math.max(freeBytes, 2 * (values + size(grid.shape)) - columnsBytes(grid) - dataBytes);
  const wanted = Math.max(1, Math.min(8, visits / 16, 1 + spare / columnsBytes(grid)));
  return partialImages(grid, 2 ** Math.floor(Math.log2(wanted)));
}
