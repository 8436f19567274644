/** @file  Lines in any place on a graphics card, as list mode needs them: what a line is, in voxels, is worked out here in double precision,
 *  in batches, and kept on the card while it fits. */
import { array, expectShape, type NdArray, size, type Volume } from '../../core/array.js';
import { OptionError } from '../../core/errors.js';
import { checkedGrid, type Grid } from '../../core/image.js';
import type { LinearOperator } from '../../core/interfaces.js';
import { type CallOptions, turn } from '../../core/iterate.js';
import type { Lines } from '../../geometry/lines.js';
import { checkedLines, type LineTof } from '../joseph.js';
import { tofReach, tofTable } from '../tof-weight.js';
import type { GpuDevice, Own } from './device.js';
import type { GpuArray } from './gpu-js.js';
import type { GpuImages } from './image.js';
import { adjointLines, forwardLines, sumsToImage } from './lines-wgsl.js';
import { lead } from './tables.js';

/** Lines of one dispatch. */
const batchLines = 2 ** 18;
const rowLength = 16;
/** Lines between two turns of the event loop. */
const perTurn = 2 ** 14;
/** Bytes of lines that an engine keeps on the card; others are worked out again for every call. */
const keptBytes = 2 ** 30;

/** Pipelines, and how much is kept. */
export interface LineKernels {
  readonly forward: GPUComputePipeline;
  readonly adjoint: GPUComputePipeline;
  readonly finish: GPUComputePipeline;
  kept: number;
  /** Told when an operator is gone, with the bytes that it kept. */
  readonly released: FinalizationRegistry<{ bytes: number }>;
}

export function lineKernels({ device }: GpuDevice): LineKernels {
  const pipeline = (code: string): GPUComputePipeline =>
    device.createComputePipeline({
      layout: 'auto',
      compute: { module: device.createShaderModule({ code }), entryPoint: 'main' },
    });
  const kernels: LineKernels = {
    ...{ forward: pipeline(forwardLines), adjoint: pipeline(adjointLines), finish: pipeline(sumsToImage), kept: 0 },
    released: new FinalizationRegistry(({ bytes }) => {
      kernels.kept -= bytes;
    }),
  };
  return kernels;
}

/**
 * @param kernelsOf and imagesOf give the pipelines, and the kernels of the grid, made when they are first needed.
 * @throws ShapeError, GeometryError when the lines are not n × 3 finite coordinates.
 */
export function gpuLineProjector(
  device: GpuDevice,
  kernelsOf: () => LineKernels,
  imagesOf: () => GpuImages,
  lines: Lines,
  grid: Grid,
  tof?: LineTof,
): LinearOperator {
  const inShape = checkedGrid(grid).shape;
  const { start } = checkedLines(lines, tof);
  const count = start.length / 3;
  const outShape = [count];
  const table = tof && tofTable(tof);
  const batches = Array.from({ length: Math.ceil(count / batchLines) }, (_, i) => ({
    ...{ from: i * batchLines, to: Math.min(count, (i + 1) * batchLines) },
    kept: undefined as GpuArray | undefined,
  }));
  type Batch = (typeof batches)[number];
  const keeping = { bytes: 0 };

  const rowsOf = async (batch: Batch, own: Own, signal: AbortSignal | undefined): Promise<GpuArray> => {
    if (batch.kept) return batch.kept;
    const kernels = kernelsOf();
    const rows = new Float32Array((batch.to - batch.from) * rowLength);
    for (let i = batch.from; i < batch.to; i++) {
      if (i % perTurn === 0) await turn(signal);
      rows.set(lineRow(grid, lines, i, tof), (i - batch.from) * rowLength);
    }
    const on = device.array([batch.to - batch.from, rowLength], rows);
    if (kernels.kept + rows.byteLength > keptBytes) return own(on);
    kernels.kept += rows.byteLength;
    if (keeping.bytes === 0) kernels.released.register(operator, keeping);
    keeping.bytes += rows.byteLength;
    batch.kept = on;
    return on;
  };
  /** One dispatch over a batch: `first` is the image, or the sums. */
  const run = async (
    pipeline: GPUComputePipeline,
    images: GpuImages,
    batch: Batch,
    [first, values]: readonly [GpuArray, GpuArray],
    scale: GPUBuffer | undefined,
    own: Own,
    signal: AbortSignal | undefined,
  ): Promise<void> => {
    const [nz, ny, nx] = inShape;
    const n = batch.to - batch.from;
    const settings = new DataView(new ArrayBuffer(48));
    const whole = [nx, ny, nz, images.shape[2]!, lead, n, tof ? 1 : 0, table ? table.values.length / 2 : 0];
    whole.forEach((value, i) => {
      settings.setInt32(4 * i, value, true);
    });
    const reach = tof ? tofReach(tof) / tof.width : 0;
    (table ? [table.zero, 2 ** table.bits, table.near, reach] : [0, 0, 0, 0]).forEach((value, i) => {
      settings.setFloat32(32 + 4 * i, value, true);
    });
    const uniform = device.uniform(settings.buffer, own);
    const omega = own(table ? device.array([table.values.length], table.values) : device.array([1]));
    const rows = await rowsOf(batch, own, signal);
    const buffers = [uniform, first.buffer, rows.buffer, values.buffer, omega.buffer, ...(scale ? [scale] : [])];
    device.dispatch(pipeline, buffers, [Math.ceil(n / 64)]);
  };

  const operator: LinearOperator = {
    inShape,
    outShape,
    forward(x: Volume, { signal }: CallOptions = {}): Promise<NdArray> {
      const { data } = expectShape(x, inShape, 'image');
      return device.use(async (own) => {
        const images = imagesOf();
        const out = array(outShape);
        const image = await images.load(data, own);
        for (const batch of batches) {
          if (batch.from > 0) await device.settle(signal);
          const values = own(device.array([batch.to - batch.from]));
          await run(kernelsOf().forward, images, batch, [image, values], undefined, own, signal);
          out.data.set(await device.read(values, signal), batch.from);
          values.delete();
        }
        return out;
      });
    },
    adjoint(y: NdArray, { signal }: CallOptions = {}): Promise<Volume> {
      const { data } = expectShape(y, outShape, 'projections');
      return device.use(async (own) => {
        const images = imagesOf();
        const exponent = magnitude(data, largestWeight(grid, lines));
        const small = 2 ** -exponent;
        // The sum of all lines stays below 2⁶³, however they lie.
        const fixed = 2 ** Math.min(40, 62 - Math.ceil(Math.log2(count + 1)));
        const scale = device.uniform(Float32Array.of(fixed, 1 / fixed, 0, 0).buffer, own);
        const sums = own(device.array([2, ...images.shape]));
        for (const batch of batches) {
          if (batch.from > 0) await device.settle(signal);
          const part = data.subarray(batch.from, batch.to).map((value) => value * small);
          const values = own(device.array([part.length], part));
          await run(kernelsOf().adjoint, images, batch, [sums, values], scale, own, signal);
        }
        const image = own(device.array(images.shape));
        const groups = Math.ceil(size(images.shape) / 64);
        const rows = Math.ceil(groups / 65535);
        device.dispatch(kernelsOf().finish, [sums.buffer, image.buffer, scale], [Math.ceil(groups / rows), rows]);
        const out = await images.read(image, own, signal);
        return array(
          inShape,
          out.map((value) => value * 2 ** exponent),
        );
      });
    },
  };
  return operator;
}

/** Smallest e with weight · max |y| ≤ 2ᵉ. @throws OptionError when a value is not finite. */
function magnitude(data: Float32Array, weight: number): number {
  let largest = 0;
  for (let i = 0; i < data.length; i++) {
    const value = Math.abs(data[i]!);
    if (!(value < Number.POSITIVE_INFINITY)) {
      throw new OptionError('Projections', { expected: 'finite values', found: data[i], hint: `At flat index ${i}.` });
    }
    if (value > largest) largest = value;
  }
  return largest > 0 ? Math.ceil(Math.log2(largest * weight)) : 0;
}

/** Length of the steepest line's step, mm. */
function largestWeight(grid: Grid, lines: Lines): number {
  let largest = 0;
  for (let i = 0; i < lines.start.length / 3; i++) largest = Math.max(largest, stepLength(grid, lines, i));
  return largest || 1;
}

const at = (values: Float32Array, i: number): readonly [number, number, number] => [
  values[3 * i]!,
  values[3 * i + 1]!,
  values[3 * i + 2]!,
];

function stepLength({ voxelSize }: Grid, { start, end }: Lines, i: number): number {
  const [[z1, y1, x1], [z2, y2, x2]] = [at(start, i), at(end, i)];
  const [rx, ry] = [Math.abs(x2 - x1), Math.abs(y2 - y1)];
  const length = Math.max(rx, ry);
  return length === 0 ? 0 : ((rx >= ry ? voxelSize[2] : voxelSize[1]) * Math.hypot(x2 - x1, y2 - y1, z2 - z1)) / length;
}

const coarse = (value: number, bits: number): number => Math.round(value * 2 ** bits) / 2 ** bits;

/** Across: slope hi, lo, start hi, lo; along z the same; first and last step, axis (0: x), length of a step (mm); TOF, in bins from the
 *  middle of the line's: slope, start, 0, 0. The formulas of ../joseph.ts. */
function lineRow({ shape, voxelSize, origin, ...grid }: Grid, lines: Lines, i: number, tof: LineTof | undefined): number[] {
  const weight = stepLength({ shape, voxelSize, origin, ...grid }, lines, i);
  const none = [0, 0, 0, 0, 0, 0, 0, 0, 0, -1, 0, 0, 0, 0, 0, 0];
  if (weight === 0) return none;
  const voxels = (values: Float32Array): number[] => at(values, i).map((mm, axis) => (mm - origin[axis]!) / voxelSize[axis]!);
  const [[k1, y1, x1], [k2, y2, x2]] = [voxels(lines.start), voxels(lines.end)] as [number[], number[]] as [
    [number, number, number],
    [number, number, number],
  ];
  const alongX =
    Math.abs(lines.end[3 * i + 2]! - lines.start[3 * i + 2]!) >= Math.abs(lines.end[3 * i + 1]! - lines.start[3 * i + 1]!);
  const [i1, i2, j1, j2] = alongX ? [x1, x2, y1, y2] : [y1, y2, x1, x2];
  const [n, across] = alongX ? [shape[2], shape[1]] : [shape[1], shape[2]];
  const affine = (from: number, to: number): [slope: number, start: number] => {
    const slope = (to - from) / (i2 - i1);
    return [slope, from - i1 * slope];
  };
  const u = affine(j1, j2);
  const w = affine(k1, k2);
  let first = Math.max(0, Math.ceil(Math.min(i1, i2)));
  let last = Math.min(n - 1, Math.floor(Math.max(i1, i2)));
  const within = ([slope, start]: readonly [number, number], low: number, high: number): void => {
    if (slope === 0) {
      if (!(start > low && start < high)) last = -1;
      return;
    }
    const [p, q] = [(low - start) / slope, (high - start) / slope];
    first = Math.max(first, Math.ceil(Math.min(p, q) - 1e-9));
    last = Math.min(last, Math.floor(Math.max(p, q) + 1e-9));
  };
  within(u, -1, across);
  within(w, -1, shape[0]);
  const x: [number, number] = [0, 0];
  if (tof) {
    const [[za, ya, xa], [zb, yb, xb]] = [at(lines.start, i), at(lines.end, i)];
    const length = Math.hypot(zb - za, yb - ya, xb - xa) / tof.width;
    const [slope, start] = affine(-0.5 * length, 0.5 * length);
    [x[0], x[1]] = [slope, start - tof.centre[i]! / tof.width];
    const reach = tofReach(tof) / tof.width;
    within(x, -reach, reach);
  }
  if (!(first <= last)) return none;
  const split = ([slope, start]: readonly [number, number]): number[] => {
    const [slopeHigh, startHigh] = [coarse(slope, 12), coarse(start, 12)];
    return [slopeHigh, slope - slopeHigh, startHigh, start - startHigh];
  };
  return [...split(u), ...split(w), first, last, alongX ? 0 : 1, weight, ...x, 0, 0];
}
