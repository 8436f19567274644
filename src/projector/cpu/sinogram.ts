/** @file  The sinogram projector on kernels. Everything it needs lives in the pool's workspace for the time of a call, so that many
 *  operators cost no more memory than the largest. Work is cut up so that results do not depend on the number of threads: forward by bins,
 *  back by a fixed number of partial images, summed in order, and each of these by slabs of voxels, which need no sum. */
import { array, expectShape, type NdArray, size, type Volume } from '../../core/array.js';
import { DeviceError } from '../../core/errors.js';
import { checkedGrid, type Grid } from '../../core/image.js';
import type { LinearOperator } from '../../core/interfaces.js';
import type { CallOptions } from '../../core/iterate.js';
import { transaxialLines } from '../../geometry/lines.js';
import type { SinogramLayout } from '../../geometry/sinogram.js';
import { tofLengths } from '../../geometry/tof.js';
import { projectedShape } from '../engine.js';
import { erf } from '../tof-weight.js';
import { imageLanes, loadImage, storeImage } from './image.js';
import { type KernelCall, type KernelPool, ranges, type Workspace } from './pool.js';
import { gridTable, segmentTables } from './tables.js';
import { type AdjointPlaces, block, cumulativeLength, type ForwardPlaces, lanes, workspaceLayout } from './workspace.js';

/** Samples (bins × planes × steps) in one kernel call: some 10 ms, so that an abort is prompt. */
const samplesPerCall = 5e7;

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
  const planes = size(outShape) / bins;
  const tof = layout.tofBins > 1 ? tofLengths(layout) : undefined;
  const cumulative = tof ? cumulativeTable() : new Float32Array(0);
  const workspace = workspaceLayout(layout, views.length, tables, grid, pool.threads);
  const stages = ranges(bins, Math.ceil(bins / workspace.stage), block);
  const steps = Math.max(inShape[1], inShape[2]);
  const perCall = tables.map(
    ({ planes }) => Math.max(1, Math.floor(samplesPerCall / (planes * steps * block * (tof ? 10 : 1)))) * block,
  );

  const write = ({ buffer }: Workspace, at: ForwardPlaces | AdjointPlaces): void => {
    new Float64Array(buffer, at.bins, transaxial.length).set(transaxial);
    new Float32Array(buffer, at.cumulative, cumulative.length).set(cumulative);
    tables.forEach(({ rows, crossings }, i) => {
      const place = at.tables[i]!;
      new Float64Array(buffer, place.segments, rows.length).set(rows);
      new Uint8Array(buffer, place.crossings, crossings.length).set(crossings);
    });
  };
  /** Lets the kernels' bins 0 … count − 1 be those from `from` on. */
  const setStage = ({ buffer }: Workspace, at: ForwardPlaces | AdjointPlaces, from: number, count: number): void => {
    tables.forEach((table, i) => {
      const { segments, crossings, geometry } = at.tables[i]!;
      const { tLength, tLead, accLength, rowsLength, eventCount, crossingCount, pieceSteps, latticeLength, prefixLead } = table;
      const shared = [at.bins + 32 * from, count, at.data, table.count, segments, tLength, tLead, accLength, rowsLength];
      const events = [eventCount, crossings, crossingCount, pieceSteps, latticeLength, prefixLead];
      const timing = [layout.tofBins, outShape[1]!, tof?.width ?? 0, tof?.sigma ?? 0, at.cumulative];
      new Float64Array(buffer, geometry, 20).set([...shared, ...events, ...timing]);
    });
  };
  /** Calls for bins from … to, all blocks of segments, short enough each. */
  const calls = (from: number, to: number, call: (table: number, from: number, to: number) => KernelCall): KernelCall[] =>
    tables.flatMap((_, i) =>
      ranges(to - from, Math.ceil((to - from) / perCall[i]!), block).map(([a, b]) => call(i, from + a, from + b)),
    );

  return {
    inShape,
    outShape,
    forward(x: Volume, { signal }: CallOptions = {}): Promise<NdArray> {
      const image = expectShape(x, inShape, 'image').data;
      return pool.use(workspace.forward(0).bytes, async (space) => {
        const at = workspace.forward(space.base);
        write(space, at);
        new Float64Array(space.buffer, at.grid, 11).set(gridTable(grid, at.columns));
        await loadImage(space, grid, image, at.data, at.columns, signal);
        const out = roomFor(outShape);
        for (const [start, end] of stages) {
          const count = end - start;
          setStage(space, at, start, count);
          const kernel = tof ? 'forwardTof' : 'forwardSinogram';
          const work = ranges(count, lanes, block).map(([from, to], lane) =>
            calls(from, to, (i, a, b) => [kernel, at.grid, at.tables[i]!.geometry, at.scratch[lane]!, a, b]),
          );
          await space.run(work, signal);
          const staged = new Float32Array(space.buffer, at.data, planes * count);
          for (let p = 0; p < planes; p++) out.data.set(staged.subarray(p * count, (p + 1) * count), p * bins + start);
        }
        return out;
      });
    },
    adjoint(y: NdArray, { signal }: CallOptions = {}): Promise<Volume> {
      const data = expectShape(y, outShape, 'projections').data;
      return pool.use(workspace.adjoint(0).bytes, async (space) => {
        const at = workspace.adjoint(space.base);
        write(space, at);
        at.images.forEach((image, i) => {
          new Float64Array(space.buffer, at.grids[i], 11).set(gridTable(grid, image));
        });
        await space.run(imageLanes.zero(grid, at.images), signal);
        for (const [start, end] of stages) {
          const count = end - start;
          setStage(space, at, start, count);
          const staged = new Float32Array(space.buffer, at.data, planes * count);
          for (let p = 0; p < planes; p++) staged.set(data.subarray(p * bins + start, p * bins + end), p * count);
          const work = ranges(count, workspace.images, block).flatMap(([from, to], image) =>
            workspace.slabs.map(([z0, z1], slab) =>
              calls(from, to, (i, a, b) => {
                const shared = [at.grids[image]!, at.tables[i]!.geometry, at.scratch[image]![slab]!, a, b];
                return tof ? ['adjointTof', ...shared] : ['adjointSinogram', ...shared, z0, z1];
              }),
            ),
          );
          await space.run(work, signal);
        }
        const out = roomFor(inShape);
        await storeImage(space, grid, at.images, at.data, out.data, signal);
        return out;
      });
    },
  };
}

/** @throws DeviceError when the system has no room for it. */
function roomFor(shape: readonly number[]): NdArray {
  try {
    return array(shape);
  } catch (cause) {
    const found = `[${shape.join(', ')}]`;
    throw new DeviceError('No memory for the result', { expected: 'room for an array', found, hint: 'Use more subsets.', cause });
  }
}

/** The cumulative of the Gaussian at −6σ, −6σ + σ/256, …, +6σ, and once more. */
function cumulativeTable(): Float32Array {
  return Float32Array.from({ length: cumulativeLength }, (_, i) => 0.5 + 0.5 * erf((i / 256 - 6) / Math.SQRT2));
}
