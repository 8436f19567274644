/** @file  Lines in any place on kernels, in batches so that any number of lines fits. */
import { array, expectShape, type NdArray, size, type Volume } from '../../core/array.js';
import { checkedGrid, type Grid } from '../../core/image.js';
import type { LinearOperator } from '../../core/interfaces.js';
import type { CallOptions } from '../../core/iterate.js';
import type { Lines } from '../../geometry/lines.js';
import { checkedLines } from '../joseph.js';
import { imageLanes, partialImages } from './image.js';
import { type KernelCall, type KernelPool, pieces, ranges, type Workspace } from './pool.js';
import { columnsBytes, gridTable } from './tables.js';

/** Lines in the workspace at a time, and in one kernel call. */
const batchLines = 2 ** 22;
const linesPerCall = 2 ** 14;
const lanes = 16;
/** Partial images of the adjoint. */
const partials = 8;

/** @throws ShapeError, GeometryError when the lines are not n × 3 finite coordinates. */
export function cpuLineProjector(pool: KernelPool, lines: Lines, grid: Grid): LinearOperator {
  const inShape = checkedGrid(grid).shape;
  const { start, end } = checkedLines(lines);
  const count = start.length / 3;
  const outShape = [count];
  const batch = Math.min(count, batchLines);
  const imageCount = partialImages(grid, partials);

  const plan = (base: number, images: number) => {
    const { take, total } = pieces(base);
    const [startAt, endAt, valuesAt, raw] = [take(12 * batch), take(12 * batch), take(4 * batch), take(4 * size(inShape))];
    const columns = Array.from({ length: images }, () => take(64 + columnsBytes(grid)) + 64);
    const gridsAt = columns.map(() => take(88));
    return { startAt, endAt, valuesAt, raw, columns, gridsAt, bytes: total() };
  };
  const write = ({ buffer }: Workspace, at: ReturnType<typeof plan>): void =>
    at.columns.forEach((columns, i) => {
      new Float64Array(buffer, at.gridsAt[i], 11).set(gridTable(grid, columns));
    });
  const load = ({ buffer }: Workspace, at: ReturnType<typeof plan>, from: number, to: number): void => {
    new Float32Array(buffer, at.startAt, 3 * (to - from)).set(start.subarray(3 * from, 3 * to));
    new Float32Array(buffer, at.endAt, 3 * (to - from)).set(end.subarray(3 * from, 3 * to));
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
      return pool.use(plan(0, 1).bytes, async (space) => {
        const at = plan(space.base, 1);
        write(space, at);
        new Float32Array(space.buffer, at.raw, image.length).set(image);
        await space.run(imageLanes.pack(grid, at.raw, at.columns[0]!), signal);
        for (const [from, to] of batches) {
          load(space, at, from, to);
          const work = ranges(to - from, lanes).map(([a, b]) =>
            calls(a, b, (c, d) => ['forwardLines', at.gridsAt[0]!, at.startAt, at.endAt, at.valuesAt, c, d]),
          );
          await space.run(work, signal);
          out.data.set(new Float32Array(space.buffer, at.valuesAt, to - from), from);
        }
        return out;
      });
    },
    adjoint(y: NdArray, { signal }: CallOptions = {}): Promise<Volume> {
      const values = expectShape(y, outShape, 'projections').data;
      return pool.use(plan(0, imageCount).bytes, async (space) => {
        const at = plan(space.base, imageCount);
        write(space, at);
        await space.run(imageLanes.zero(grid, at.columns), signal);
        for (const [from, to] of batches) {
          load(space, at, from, to);
          new Float32Array(space.buffer, at.valuesAt, to - from).set(values.subarray(from, to));
          const work = ranges(to - from, imageCount).map(([a, b], i) =>
            calls(a, b, (c, d) => ['adjointLines', at.gridsAt[i]!, at.startAt, at.endAt, at.valuesAt, c, d]),
          );
          await space.run(work, signal);
        }
        await space.run(imageLanes.unpack(grid, at.raw, at.columns), signal);
        return array(inShape, new Float32Array(space.buffer, at.raw, size(inShape)).slice());
      });
    },
  };
}
