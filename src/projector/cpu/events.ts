/** @file  Events of list mode on kernels. What they share is kept once: end points across the scanner for each place, along it for each
 *  plane; an event is 2 or 4 bytes. Forward, threads share the places; back, the planes of the image, as for general lines. */
import { array, expectShape, type NdArray, type Volume } from '../../core/array.js';
import { checkedGrid, type Grid } from '../../core/image.js';
import type { LinearOperator } from '../../core/interfaces.js';
import type { CallOptions } from '../../core/iterate.js';
import type { EventList } from '../../geometry/event-list.js';
import { axialLines, transaxialLines } from '../../geometry/lines.js';
import { tofCentres, tofLengths } from '../../geometry/tof.js';
import { projectedShape } from '../engine.js';
import { eventEnds } from '../event-ends.js';
import { imageLanes, loadImage, storeImage } from './image.js';
import { checkSize, stageBytes, stepsBytes } from './lines.js';
import { type KernelCall, type KernelPool, pieces, type Workspace } from './pool.js';
import { slabsOf } from './slabs.js';
import { columnsBytes, gridTable } from './tables.js';
import { tofWeights } from './tof.js';

/** Events in the workspace at a time, and in one kernel call. */
const batchEvents = 2 ** 22;
const eventsPerCall = 2 ** 14;
/** Lanes of the forward direction; more than the threads of most machines. Places are not cut: there may be twice as many. */
const lanes = 64;

/** @throws GeometryError for views the layout does not have, or a scanner without time of flight; DeviceError for too large an image. */
export function cpuEventProjector(pool: KernelPool, list: EventList, views: readonly number[], grid: Grid): LinearOperator {
  const inShape = checkedGrid(grid).shape;
  const { layout, offsets, rows } = list;
  const { tofBins, tangential } = layout;
  projectedShape(layout, views);
  checkSize(grid);
  const across = transaxialLines(layout, views);
  const axial = axialLines(layout);
  const centres = tofBins > 1 ? tofCentres(layout) : new Float64Array(1);
  const weights = tofWeights(tofBins > 1 ? tofLengths(layout) : undefined);
  const { before, endsOf } = eventEnds(list, views);
  const places = before.length - 1;
  const count = before[places]!;
  const outShape = [count];
  const batches = cut(before, 0, places, batchEvents);
  const most = (length: (from: number, to: number) => number): number => Math.max(0, ...batches.map(([a, b]) => length(a, b)));
  const batch = most((from, to) => before[to]! - before[from]!);
  const batchPlaces = most((from, to) => to - from);
  const slabs = slabsOf(grid, count, endsOf, pool.threads);

  const plan = (base: number, scratches: number) => {
    const { take, total } = pieces(base);
    const [placesAt, offsetsAt, rowsAt] = [
      take(32 * batchPlaces),
      take(4 * batchPlaces + 4),
      take(rows.BYTES_PER_ELEMENT * batch),
    ];
    const [axialAt, centresAt, valuesAt, eventsAt] = [
      take(axial.byteLength),
      take(centres.byteLength),
      take(4 * batch),
      take(56),
    ];
    const tofAt = weights.take(take);
    const raw = take(stageBytes(grid));
    const columns = take(64 + columnsBytes(grid)) + 64;
    const gridAt = take(88);
    const scratch = Array.from({ length: scratches }, () => take(stepsBytes(grid)));
    return {
      placesAt,
      offsetsAt,
      rowsAt,
      axialAt,
      centresAt,
      valuesAt,
      eventsAt,
      tofAt,
      raw,
      columns,
      gridAt,
      scratch,
      bytes: total(),
    };
  };
  type Plan = ReturnType<typeof plan>;
  const write = (space: Workspace, at: Plan): void => {
    const { buffer } = space;
    new Float64Array(buffer, at.gridAt, 11).set(gridTable(grid, at.columns));
    new Float64Array(buffer, at.axialAt, axial.length).set(axial);
    new Float64Array(buffer, at.centresAt, centres.length).set(centres);
    const table = [at.placesAt, at.offsetsAt, at.rowsAt, rows.BYTES_PER_ELEMENT, at.axialAt, tofBins, at.centresAt];
    new Float64Array(buffer, at.eventsAt, 7).set(table);
    weights.write(space, at.tofAt);
  };
  /** Places from … to, numbered from 0 in the kernels, as are their events. */
  const load = ({ buffer }: Workspace, at: Plan, from: number, to: number): void => {
    new Float64Array(buffer, at.placesAt, 4 * (to - from)).set(across.subarray(4 * from, 4 * to));
    const starts = new Uint32Array(buffer, at.offsetsAt, to - from + 1);
    for (let place = from; place <= to; place++) starts[place - from] = before[place]! - before[from]!;
    const held =
      rows instanceof Uint16Array ? new Uint16Array(buffer, at.rowsAt, batch) : new Uint32Array(buffer, at.rowsAt, batch);
    for (let k = Math.floor(from / tangential); k * tangential < to; k++) {
      const first = Math.max(from, k * tangential);
      const end = Math.min(to, (k + 1) * tangential);
      const inList = (views[k]! - k) * tangential;
      held.set(rows.subarray(offsets[inList + first], offsets[inList + end]), before[first]! - before[from]!);
    }
  };
  const calls = (from: number, [a, b]: Range, call: (from: number, to: number) => KernelCall): KernelCall[] =>
    cut(before, a, b, eventsPerCall).map(([c, d]) => call(c - from, d - from));

  return {
    inShape,
    outShape,
    forward(x: Volume, { signal }: CallOptions = {}): Promise<NdArray> {
      const image = expectShape(x, inShape, 'image').data;
      const out = array(outShape);
      return pool.use(plan(0, 2 * lanes + 1).bytes, async (space) => {
        const at = plan(space.base, 2 * lanes + 1);
        write(space, at);
        await loadImage(space, grid, image, at.raw, at.columns, signal);
        for (const [from, to] of batches) {
          load(space, at, from, to);
          const [first, end] = [before[from]!, before[to]!];
          const work = cut(before, from, to, Math.ceil((end - first) / lanes)).map((range, lane) =>
            calls(from, range, (a, b) => [
              ...(['forwardEvents', at.gridAt, at.eventsAt, at.tofAt.row] as const),
              ...([at.scratch[lane]!, at.valuesAt, a, b] as const),
            ]),
          );
          await space.run(work, signal);
          out.data.set(new Float32Array(space.buffer, at.valuesAt, end - first), first);
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
        for (const [from, to] of batches) {
          load(space, at, from, to);
          const [first, end] = [before[from]!, before[to]!];
          new Float32Array(space.buffer, at.valuesAt, end - first).set(values.subarray(first, end));
          for (const alongX of [0, 1] as const) {
            const work = slabs[alongX].map(([low, high], part) =>
              calls(from, [from, to], (a, b) => [
                ...(['adjointEvents', at.gridAt, at.eventsAt, at.tofAt.row, at.scratch[part]!, at.valuesAt, a, b] as const),
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

/** Places from … to. */
type Range = readonly [from: number, to: number];

/** Places from … to in ranges of at most `most` events; a place with more is a range of its own. None without events. */
function cut(before: Uint32Array, from: number, to: number, most: number): Range[] {
  const ranges: Range[] = [];
  for (let start = from; start < to; ) {
    let end = start + 1;
    while (end < to && before[end + 1]! - before[start]! <= most) end++;
    if (before[end]! > before[start]!) ranges.push([start, end]);
    start = end;
  }
  return ranges;
}
