/** @file  Lines in any place on kernels, in batches so that any number of lines fits. Forward, threads share the lines; back, they share
 *  the planes of the image that the lines cross: no two of them write to one voxel, every voxel is summed in the order of the lines, and
 *  the result is the same for any number of threads, in one image. */
import { array, expectShape, type NdArray, type Volume } from '../../core/array.js';
import { DeviceError } from '../../core/errors.js';
import { checkedGrid, type Grid } from '../../core/image.js';
import type { LinearOperator } from '../../core/interfaces.js';
import type { CallOptions } from '../../core/iterate.js';
import type { Lines } from '../../geometry/lines.js';
import { checkedLines, type LineTof } from '../joseph.js';
import { imageLanes, loadImage, partialImages, stagedRows, storeImage } from './image.js';
import { type KernelCall, type KernelPool, pieces, ranges, type Workspace } from './pool.js';
import { slabsOf } from './slabs.js';
import { columnLength, columnsBytes, gridTable } from './tables.js';
import { tofWeights } from './tof.js';

/** Lines in the workspace at a time, and in one kernel call. */
const batchLines = 2 ** 21;
const linesPerCall = 2 ** 14;
/** Lanes of the forward direction; more than the threads of most machines. */
const lanes = 64;

/** @throws ShapeError, GeometryError when the lines are not n × 3 finite coordinates; DeviceError when the image is too large. */
export function cpuLineProjector(pool: KernelPool, lines: Lines, grid: Grid, tof?: LineTof): LinearOperator {
  const inShape = checkedGrid(grid).shape;
  const { start, end } = checkedLines(lines, tof);
  checkSize(grid);
  const count = start.length / 3;
  const outShape = [count];
  const batch = Math.min(count, batchLines);
  const batches = ranges(count, Math.ceil(count / batchLines));
  const weights = tofWeights(tof);
  const slabs = slabsOf(
    grid,
    count,
    (i) => [start[3 * i]!, start[3 * i + 1]!, start[3 * i + 2]!, end[3 * i]!, end[3 * i + 1]!, end[3 * i + 2]!],
    pool.threads,
  );

  const plan = (base: number, scratches: number) => {
    const { take, total } = pieces(base);
    const [startAt, endAt, valuesAt] = [take(12 * batch), take(12 * batch), take(4 * batch)];
    const centresAt = tof ? take(4 * batch) : 0;
    const tofAt = weights.take(take);
    const raw = take(stageBytes(grid));
    const columns = take(64 + columnsBytes(grid)) + 64;
    const gridAt = take(88);
    const scratch = Array.from({ length: scratches }, () => take(stepsBytes(grid)));
    return { startAt, endAt, valuesAt, centresAt, tofAt, raw, columns, gridAt, scratch, bytes: total() };
  };
  type Plan = ReturnType<typeof plan>;
  const write = (space: Workspace, at: Plan): void => {
    new Float64Array(space.buffer, at.gridAt, 11).set(gridTable(grid, at.columns));
    weights.write(space, at.tofAt);
  };
  const load = ({ buffer }: Workspace, at: Plan, from: number, to: number): void => {
    new Float32Array(buffer, at.startAt, 3 * (to - from)).set(start.subarray(3 * from, 3 * to));
    new Float32Array(buffer, at.endAt, 3 * (to - from)).set(end.subarray(3 * from, 3 * to));
    if (tof) new Float32Array(buffer, at.centresAt, to - from).set(tof.centre.subarray(from, to));
  };
  const calls = (from: number, to: number, call: (from: number, to: number) => KernelCall): KernelCall[] =>
    ranges(to - from, Math.ceil((to - from) / linesPerCall)).map(([a, b]) => call(from + a, from + b));

  return {
    inShape,
    outShape,
    forward(x: Volume, { signal }: CallOptions = {}): Promise<NdArray> {
      const image = expectShape(x, inShape, 'image').data;
      const out = array(outShape);
      return pool.use(plan(0, lanes).bytes, async (space) => {
        const at = plan(space.base, lanes);
        write(space, at);
        await loadImage(space, grid, image, at.raw, at.columns, signal);
        const shared = [at.gridAt, at.startAt, at.endAt, at.tofAt.row, at.centresAt] as const;
        for (const [from, to] of batches) {
          load(space, at, from, to);
          const work = ranges(to - from, lanes).map(([a, b], lane) =>
            calls(a, b, (c, d) => ['forwardLines', ...shared, at.scratch[lane]!, at.valuesAt, c, d]),
          );
          await space.run(work, signal);
          out.data.set(new Float32Array(space.buffer, at.valuesAt, to - from), from);
        }
        return out;
      });
    },
    adjoint(y: NdArray, { signal }: CallOptions = {}): Promise<Volume> {
      const values = expectShape(y, outShape, 'projections').data;
      const parts = Math.max(slabs[0].length, slabs[1].length);
      return pool.use(plan(0, parts).bytes, async (space) => {
        const at = plan(space.base, parts);
        write(space, at);
        await space.run(imageLanes.zero(grid, [at.columns]), signal);
        const shared = [at.gridAt, at.startAt, at.endAt, at.tofAt.row, at.centresAt] as const;
        for (const [from, to] of batches) {
          load(space, at, from, to);
          new Float32Array(space.buffer, at.valuesAt, to - from).set(values.subarray(from, to));
          for (const alongX of [0, 1] as const) {
            const work = slabs[alongX].map(([low, high], part) =>
              calls(0, to - from, (c, d) => [
                ...(['adjointLines', ...shared, at.scratch[part]!, at.valuesAt, c, d] as const),
                ...([alongX, low, high] as const),
              ]),
            );
            await space.run(work, signal);
          }
        }
        const out = array(inShape);
        await storeImage(space, grid, [at.columns], at.raw, out.data, signal);
        return out;
      });
    },
  };
}

/** The image as it comes and goes: as many rows as are moved at a time. */
export function stageBytes(grid: Grid): number {
  return 4 * grid.shape[0] * stagedRows(grid) * grid.shape[2];
}

/** What the kernels need to lay out the planes of one line, see assembly/walk.ts. */
export function stepsBytes({ shape: [, ny, nx] }: Grid): number {
  return 8 * Math.max(ny, nx) + 32;
}

/** @throws DeviceError when the image is more than the kernels can address. They reckon offsets between neighbouring planes in float32. */
export function checkSize(grid: Grid): void {
  partialImages(grid, 1);
  const row = (grid.shape[2] + 2) * columnLength(grid);
  if (row < 2 ** 21) return;
  throw new DeviceError('The image is too wide', { expected: 'nx × nz below 2 million', found: row, hint: 'Use larger voxels.' });
}
