/** @file  The sinogram projector on kernels. Everything it needs lives in the pool's workspace for the time of a call, so that many
 *  operators cost no more memory than the largest. Work is cut up in a way that knows nothing of the number of threads: forward by bins,
 *  back by slabs of the image (which need no sum) and, where slabs are few, by a fixed number of partial images summed in order. */
import { array, expectShape, type NdArray, size, type Volume } from '../../core/array.js';
import { checkedGrid, type Grid } from '../../core/image.js';
import type { LinearOperator } from '../../core/interfaces.js';
import type { CallOptions } from '../../core/iterate.js';
import { transaxialLines } from '../../geometry/lines.js';
import type { SinogramLayout } from '../../geometry/sinogram.js';
import { projectedShape } from '../engine.js';
import { imageLanes, partialImages } from './image.js';
import { type KernelCall, type KernelPool, type Pieces, pieces, ranges, type Workspace } from './pool.js';
import { columnLength, columnsBytes, gridTable, segmentTable } from './tables.js';

/** Pieces of work side by side; more than the threads of most machines, few enough that partial images stay cheap. */
const lanes = 16;
/** Bins that the kernels take at a time. */
const block = 16;
/** Samples (bins × planes × steps) in one kernel call: some 10 ms, so that an abort is prompt. */
const samplesPerCall = 5e7;

/** @throws GeometryError for layouts with time of flight and for views the layout does not have. */
export function cpuSinogramProjector(
  pool: KernelPool,
  layout: SinogramLayout,
  views: readonly number[],
  grid: Grid,
): LinearOperator {
  const inShape = checkedGrid(grid).shape;
  const outShape = projectedShape(layout, views);
  const transaxial = transaxialLines(layout, views);
  const table = segmentTable(layout, grid);
  const bins = views.length * layout.tangential;
  const values = size(outShape);
  const length = columnLength(grid);
  const slabs = ranges(length, length, length >= 128 ? 64 : 32);
  const groups = ranges(bins, partialImages(grid, Math.ceil(lanes / slabs.length)), block);
  const perCall = Math.max(1, Math.floor(samplesPerCall / (outShape[1]! * Math.max(inShape[1], inShape[2]) * block))) * block;

  /** Places of what both directions share; the image as [z][y][x] and the sinogram are never needed at the same time. */
  const places = (take: Pieces['take']): { data: number; bins: number; segments: number; geometry: number } => ({
    data: take(4 * Math.max(values, size(inShape))),
    bins: take(transaxial.byteLength),
    segments: take(table.rows.byteLength),
    geometry: take(72),
  });
  const write = ({ buffer }: Workspace, at: ReturnType<typeof places>): void => {
    new Float64Array(buffer, at.bins, transaxial.length).set(transaxial);
    new Float64Array(buffer, at.segments, table.rows.length).set(table.rows);
    const { tLength, tLead, accLength, rowsLength, count } = table;
    const geometry = [at.bins, bins, at.data, count, at.segments, tLength, tLead, accLength, rowsLength];
    new Float64Array(buffer, at.geometry, 9).set(geometry);
  };
  /** Calls for bins from … to, short enough each. */
  const calls = (from: number, to: number, call: (from: number, to: number) => KernelCall): KernelCall[] =>
    ranges(to - from, Math.ceil((to - from) / perCall), block).map(([a, b]) => call(from + a, from + b));

  const forwardPlan = (base: number) => {
    const { take, total } = pieces(base);
    const at = places(take);
    const columns = take(64 + columnsBytes(grid)) + 64;
    const gridAt = take(88);
    const parts = ranges(bins, lanes, block);
    const scratch = parts.map(() => take(4 * (16 * table.tLength + block * table.accLength) + 128));
    return { at, columns, gridAt, parts, scratch, bytes: total() };
  };
  const adjointPlan = (base: number) => {
    const { take, total } = pieces(base);
    const at = places(take);
    const images = groups.map(() => take(64 + columnsBytes(grid)) + 64);
    const gridsAt = groups.map(() => take(88));
    const scratch = groups.map(() =>
      slabs.map(() => take(4 * (block * table.accLength + 2 * table.rowsLength + 64) + 80 * (table.count + 8))),
    );
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
        new Float32Array(space.buffer, at.data, image.length).set(image);
        await space.run(imageLanes.pack(grid, at.data, columns), signal);
        const work = parts.map(([from, to], lane) =>
          calls(from, to, (a, b) => ['forwardSinogram', gridAt, at.geometry, scratch[lane]!, a, b]),
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
            calls(from, to, (a, b) => ['adjointSinogram', gridsAt[i]!, at.geometry, scratch[i]![j]!, a, b, z0, z1]),
          ),
        );
        await space.run(work, signal);
        await space.run(imageLanes.unpack(grid, at.data, images), signal);
        return array(inShape, new Float32Array(space.buffer, at.data, size(inShape)).slice());
      });
    },
  };
}
