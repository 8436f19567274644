/** @file  Lines in any place on kernels, in batches so that any number of lines fits. Forward, threads share the lines; back, they share
 *  the planes of the image that the lines cross: no two of them write to one voxel, every voxel is summed in the order of the lines, and
 *  the result is the same for any number of threads, in one image. */
import { array, expectShape, type NdArray, size, type Volume } from '../../core/array.js';
import { DeviceError } from '../../core/errors.js';
import { checkedGrid, type Grid } from '../../core/image.js';
import type { LinearOperator } from '../../core/interfaces.js';
import type { CallOptions } from '../../core/iterate.js';
import type { Lines } from '../../geometry/lines.js';
import { checkedLines, type EndPoints, type LineTof, traceLine } from '../joseph.js';
import { tofReach, tofTable } from '../tof-weight.js';
import { imageLanes, partialImages } from './image.js';
import { type KernelCall, type KernelPool, pieces, ranges, type Workspace } from './pool.js';
import { columnLength, columnsBytes, gridTable } from './tables.js';

/** Lines in the workspace at a time, and in one kernel call. */
const batchLines = 2 ** 21;
const linesPerCall = 2 ** 14;
/** Lanes of the forward direction; more than the threads of most machines. */
const lanes = 64;
/** Lines looked at to share out planes fairly. */
const sample = 1024;

/** @throws ShapeError, GeometryError when the lines are not n × 3 finite coordinates; DeviceError when the image is too large. */
export function cpuLineProjector(pool: KernelPool, lines: Lines, grid: Grid, tof?: LineTof): LinearOperator {
  const inShape = checkedGrid(grid).shape;
  const { start, end } = checkedLines(lines, tof);
  partialImages(grid, 1);
  checkRows(grid);
  const count = start.length / 3;
  const outShape = [count];
  const batch = Math.min(count, batchLines);
  const weights = tof && tofTable(tof);
  const slabs = slabsOf(grid, { start, end }, pool.threads);

  const plan = (base: number) => {
    const { take, total } = pieces(base);
    const [startAt, endAt, valuesAt, raw] = [take(12 * batch), take(12 * batch), take(4 * batch), take(4 * size(inShape))];
    const columns = take(64 + columnsBytes(grid)) + 64;
    const gridAt = take(88);
    const centresAt = weights ? take(4 * batch) : 0;
    const tableAt = weights ? take(4 * weights.values.length) : 0;
    const tofAt = weights ? take(64) : 0;
    return { startAt, endAt, valuesAt, raw, columns, gridAt, centresAt, tableAt, tofAt, bytes: total() };
  };
  type Plan = ReturnType<typeof plan>;
  const write = ({ buffer }: Workspace, at: Plan): void => {
    new Float64Array(buffer, at.gridAt, 11).set(gridTable(grid, at.columns));
    if (!weights || !tof) return;
    const { values, bits, zero, near } = weights;
    const row = [at.centresAt, at.tableAt, 2 * values.length, bits, zero, near, tof.width, tofReach(tof)];
    new Float64Array(buffer, at.tofAt, 8).set(row);
    new Float32Array(buffer, at.tableAt, weights.values.length).set(weights.values);
  };
  const load = ({ buffer }: Workspace, at: Plan, from: number, to: number): void => {
    new Float32Array(buffer, at.startAt, 3 * (to - from)).set(start.subarray(3 * from, 3 * to));
    new Float32Array(buffer, at.endAt, 3 * (to - from)).set(end.subarray(3 * from, 3 * to));
    if (tof) new Float32Array(buffer, at.centresAt, to - from).set(tof.centre.subarray(from, to));
  };
  const calls = (from: number, to: number, call: (from: number, to: number) => KernelCall): KernelCall[] =>
    ranges(to - from, Math.ceil((to - from) / linesPerCall)).map(([a, b]) => call(from + a, from + b));
  const batches = ranges(count, Math.ceil(count / batchLines));

  return {
    inShape,
    outShape,
    forward(x: Volume, { signal }: CallOptions = {}): Promise<NdArray> {
      const image = expectShape(x, inShape, 'image').data;
      const out = array(outShape);
      return pool.use(plan(0).bytes, async (space) => {
        const at = plan(space.base);
        write(space, at);
        new Float32Array(space.buffer, at.raw, image.length).set(image);
        await space.run(imageLanes.pack(grid, at.raw, at.columns), signal);
        for (const [from, to] of batches) {
          load(space, at, from, to);
          const work = ranges(to - from, lanes).map(([a, b]) =>
            calls(a, b, (c, d) => ['forwardLines', at.gridAt, at.startAt, at.endAt, at.tofAt, at.valuesAt, c, d]),
          );
          await space.run(work, signal);
          out.data.set(new Float32Array(space.buffer, at.valuesAt, to - from), from);
        }
        return out;
      });
    },
    adjoint(y: NdArray, { signal }: CallOptions = {}): Promise<Volume> {
      const values = expectShape(y, outShape, 'projections').data;
      return pool.use(plan(0).bytes, async (space) => {
        const at = plan(space.base);
        write(space, at);
        await space.run(imageLanes.zero(grid, [at.columns]), signal);
        for (const [from, to] of batches) {
          load(space, at, from, to);
          new Float32Array(space.buffer, at.valuesAt, to - from).set(values.subarray(from, to));
          for (const alongX of [0, 1] as const) {
            const work = slabs[alongX].map(([low, high]) =>
              calls(0, to - from, (c, d) => [
                ...(['adjointLines', at.gridAt, at.startAt, at.endAt, at.tofAt, at.valuesAt, c, d] as const),
                ...([alongX, low, high] as const),
              ]),
            );
            await space.run(work, signal);
          }
        }
        await space.run(imageLanes.unpack(grid, at.raw, [at.columns]), signal);
        return array(inShape, new Float32Array(space.buffer, at.raw, size(inShape)).slice());
      });
    },
  };
}

/** The kernels reckon offsets between neighbouring planes in float32. */
function checkRows(grid: Grid): void {
  const row = (grid.shape[2] + 2) * columnLength(grid);
  if (row < 2 ** 21) return;
  throw new DeviceError('The image is too wide', { expected: 'nx × nz below 2 million', found: row, hint: 'Use larger voxels.' });
}

type Slab = readonly [low: number, high: number];

/** Planes of y, and of x, in as many slabs as there are threads, each with about the same share of the lines' samples. */
function slabsOf(
  grid: Grid,
  { start, end }: Lines,
  threads: number,
): readonly [alongY: readonly Slab[], alongX: readonly Slab[]] {
  const [, ny, nx] = grid.shape;
  const samples = [new Float64Array(ny), new Float64Array(nx)] as const;
  const count = start.length / 3;
  const every = Math.max(1, Math.floor(count / sample));
  for (let line = 0; threads > 1 && line < count; line += every) {
    const i = 3 * line;
    const ends: EndPoints = [start[i]!, start[i + 1]!, start[i + 2]!, end[i]!, end[i + 1]!, end[i + 2]!];
    const alongX = Math.abs(ends[5] - ends[2]) >= Math.abs(ends[4] - ends[1]);
    traceLine(grid, ends, (voxel) => {
      samples[Number(alongX) as 0 | 1][alongX ? voxel % nx : Math.floor(voxel / nx) % ny]!++;
    });
  }
  return [fairSlabs(samples[0], threads), fairSlabs(samples[1], threads)];
}

/** Cut where the kernels' groups of four begin, so that no group is walked twice. */
function fairSlabs(samples: Float64Array, parts: number): Slab[] {
  const total = samples.reduce((sum, n) => sum + n + 1, 0);
  const slabs: Slab[] = [];
  let low = 0;
  let sum = 0;
  samples.forEach((n, plane) => {
    sum += n + 1;
    const end = plane + 1 === samples.length;
    if (end || (plane % 4 === 3 && sum * parts >= total * (slabs.length + 1))) {
      slabs.push([low, plane + 1]);
      low = plane + 1;
    }
  });
  return slabs;
}
