/** @file  The sinogram projector on kernels. Everything it needs lives in the pool's workspace for the time of a call, so that many
 *  operators cost no more memory than the largest. Work is cut up so that results do not depend on the number of threads: forward by bins,
 *  back by a fixed number of partial images, summed in order, and each of these by slabs of voxels, which need no sum. */
import { array, expectShape, type NdArray, size, type Volume } from '../../core/array.js';
import { checkedGrid, type Grid } from '../../core/image.js';
import type { LinearOperator } from '../../core/interfaces.js';
import type { CallOptions } from '../../core/iterate.js';
import { transaxialLines } from '../../geometry/lines.js';
import type { SinogramLayout } from '../../geometry/sinogram.js';
import { tofLengths } from '../../geometry/tof.js';
import { projectedShape } from '../engine.js';
import { erf } from '../tof-weight.js';
import { imageLanes, loadImage, partialImages, stagedRows, storeImage } from './image.js';
import { type KernelCall, type KernelPool, type Pieces, pieces, ranges, type Workspace } from './pool.js';
import { columnLength, columnsBytes, gridTable, type SegmentTable, segmentTables } from './tables.js';

/** Pieces of work side by side; more than the threads of most machines. */
const lanes = 16;
/** Bins that the kernels take at a time. */
const block = 16;
/** Samples (bins × planes × steps) in one kernel call: some 10 ms, so that an abort is prompt. */
const samplesPerCall = 5e7;
/** Bytes that the kernels take for P and Q. */
const prefixBytes = 2 * 24640;

/** Bytes that the kernels take for sixteen steps and their events. */
const programBytes = (crossings: number): number => 16 * 32 + 16 * crossings;

/** @throws GeometryError for views the layout does not have, and for TOF bins of a scanner whose time of flight is not known. */
export function cpuSinogramProjector(
  pool: KernelPool,
  layout: SinogramLayout,
  views: readonly number[],
  grid: Grid,
): LinearOperator {
  const inShape = checkedGrid(grid).shape;
  const outShape = projectedShape(layout, views);
  const transaxial = transaxialLines(layout, views);
  const tables = segmentTables(layout, grid);
  const bins = views.length * layout.tangential;
  const values = size(outShape);
  const length = columnLength(grid);
  const tof = layout.tofBins > 1 ? tofLengths(layout) : undefined;
  const cumulative = tof ? cumulativeTable() : new Float32Array(0);
  const groups = ranges(bins, partialCount(grid, values, bins * layout.tofBins), block);
  // Voxels do not care which slab they lie in: slabs may follow the number of threads.
  const slabs = tof ? [[0, length] as const] : ranges(length, Math.ceil(pool.threads / groups.length), 16);
  const steps = Math.max(inShape[1], inShape[2]);
  const perCall = tables.map(
    ({ planes }) => Math.max(1, Math.floor(samplesPerCall / (planes * steps * block * (tof ? 10 : 1)))) * block,
  );

  /** Places of what both directions share; rows of the image on their way and the sinogram are never needed at the same time. */
  const places = (take: Pieces['take']) => ({
    data: take(4 * Math.max(values, inShape[0] * stagedRows(grid) * inShape[2])),
    bins: take(transaxial.byteLength),
    cumulative: take(cumulative.byteLength),
    tables: tables.map(({ rows, crossings }) => ({
      segments: take(rows.byteLength),
      crossings: take(crossings.byteLength),
      geometry: take(160),
    })),
  });
  const write = ({ buffer }: Workspace, at: ReturnType<typeof places>): void => {
    new Float64Array(buffer, at.bins, transaxial.length).set(transaxial);
    new Float32Array(buffer, at.cumulative, cumulative.length).set(cumulative);
    tables.forEach(({ rows, crossings, ...table }, i) => {
      const place = at.tables[i]!;
      new Float64Array(buffer, place.segments, rows.length).set(rows);
      new Uint8Array(buffer, place.crossings, crossings.length).set(crossings);
      const { count, tLength, tLead, accLength, rowsLength, eventCount, pieceSteps, latticeLength, prefixLead } = table;
      const shared = [at.bins, bins, at.data, count, place.segments, tLength, tLead, accLength, rowsLength];
      const events = [eventCount, place.crossings, table.crossingCount, pieceSteps, latticeLength, prefixLead];
      const timing = [layout.tofBins, outShape[1]!, tof?.width ?? 0, tof?.sigma ?? 0, at.cumulative];
      new Float64Array(buffer, place.geometry, 20).set([...shared, ...events, ...timing]);
    });
  };
  /** Calls for bins from … to, all blocks of segments, short enough each. */
  const calls = (from: number, to: number, call: (table: number, from: number, to: number) => KernelCall): KernelCall[] =>
    tables.flatMap((_, i) =>
      ranges(to - from, Math.ceil((to - from) / perCall[i]!), block).map(([a, b]) => call(i, from + a, from + b)),
    );
  const largest = (bytes: (table: SegmentTable) => number): number => Math.max(...tables.map(bytes));
  const tofScratch = largest(
    ({ tLength, accLength }) =>
      (steps + 10) * (4 * tLength + 96 + 4 * (layout.tofBins + 9)) +
      4 * block * layout.tofBins * accLength +
      12 * (layout.tofBins + 9) +
      512,
  );
  const sumsScratch = largest(
    ({ tLength, accLength, latticeLength, crossingCount }) =>
      4 * (16 * tLength + block * accLength + latticeLength) + prefixBytes + programBytes(crossingCount) + 256,
  );
  const forwardScratch = tof ? tofScratch : sumsScratch;
  const adjointScratch = (slab: number): number =>
    tof
      ? tofScratch
      : largest(
          ({ accLength, rowsLength, latticeLength, crossingCount, count }) =>
            4 * (block * accLength + 2 * rowsLength + 2 * latticeLength) +
            prefixBytes +
            Math.max(programBytes(crossingCount), 4 * slab + 84 * (count + 8)) +
            256,
        );

  const forwardPlan = (base: number) => {
    const { take, total } = pieces(base);
    const at = places(take);
    const columns = take(64 + columnsBytes(grid)) + 64;
    const gridAt = take(88);
    const parts = ranges(bins, lanes, block);
    const scratch = parts.map(() => take(forwardScratch));
    return { at, columns, gridAt, parts, scratch, bytes: total() };
  };
  const adjointPlan = (base: number) => {
    const { take, total } = pieces(base);
    const at = places(take);
    const images = groups.map(() => take(64 + columnsBytes(grid)) + 64);
    const gridsAt = groups.map(() => take(88));
    const scratch = groups.map(() => slabs.map(([z0, z1]) => take(adjointScratch(z1 - z0))));
    return { at, images, gridsAt, scratch, bytes: total() };
  };

  return {
    inShape,
    outShape,
    forward(x: Volume, { signal }: CallOptions = {}): Promise<NdArray> {
      const image = expectShape(x, inShape, 'image').data;
      return pool.use(forwardPlan(0).bytes, async (space) => {
        const { at, columns, gridAt, parts, scratch } = forwardPlan(space.base);
        write(space, at);
        new Float64Array(space.buffer, gridAt, 11).set(gridTable(grid, columns));
        await loadImage(space, grid, image, at.data, columns, signal);
        const work = parts.map(([from, to], lane) =>
          calls(from, to, (i, a, b) => [
            tof ? 'forwardTof' : 'forwardSinogram',
            gridAt,
            at.tables[i]!.geometry,
            scratch[lane]!,
            ...[a, b],
          ]),
        );
        await space.run(work, signal);
        return array(outShape, new Float32Array(space.buffer, at.data, values).slice());
      });
    },
    adjoint(y: NdArray, { signal }: CallOptions = {}): Promise<Volume> {
      const data = expectShape(y, outShape, 'projections').data;
      return pool.use(adjointPlan(0).bytes, async (space) => {
        const { at, images, gridsAt, scratch } = adjointPlan(space.base);
        write(space, at);
        new Float32Array(space.buffer, at.data, values).set(data);
        images.forEach((image, i) => {
          new Float64Array(space.buffer, gridsAt[i], 11).set(gridTable(grid, image));
        });
        await space.run(imageLanes.zero(grid, images), signal);
        const work = groups.flatMap(([from, to], i) =>
          slabs.map(([z0, z1], j) =>
            calls(from, to, (k, a, b) => [
              tof ? 'adjointTof' : 'adjointSinogram',
              gridsAt[i]!,
              at.tables[k]!.geometry,
              scratch[i]![j]!,
              ...(tof ? [a, b] : [a, b, z0, z1]),
            ]),
          ),
        );
        await space.run(work, signal);
        const out = array(inShape);
        await storeImage(space, grid, images, at.data, out.data, signal);
        return out;
      });
    },
  };
}

/** The cumulative of the Gaussian at −6σ, −6σ + σ/256, …, +6σ, and once more. */
function cumulativeTable(): Float32Array {
  return Float32Array.from({ length: 12 * 256 + 2 }, (_, i) => 0.5 + 0.5 * erf((i / 256 - 6) / Math.SQRT2));
}

/** Partial images of the adjoint. They spare the slabs, and cost a sum: worth it where bins are many for the image, and memory allows. */
function partialCount(grid: Grid, values: number, bins: number): number {
  const [, ny, nx] = grid.shape;
  const visits = bins / Math.max(nx, ny);
  const memory = 2 ** 24 + 2 * (values + size(grid.shape));
  return partialImages(grid, Math.max(1, Math.min(8, visits / 16, memory / columnsBytes(grid))));
}
