/** @file  Sinograms on a graphics card: tables and kernels of one layout and grid, and the operator made of them. */
import { array, expectShape, type NdArray, size, type Volume } from '../../core/array.js';
import { DeviceError } from '../../core/errors.js';
import { checkedGrid, type Grid } from '../../core/image.js';
import type { LinearOperator } from '../../core/interfaces.js';
import type { CallOptions } from '../../core/iterate.js';
import { type SinogramLayout, sinogramShape } from '../../geometry/sinogram.js';
import { tofLengths } from '../../geometry/tof.js';
import { projectedShape } from '../engine.js';
import { checkedTof, tofReach, tofTable } from '../tof-weight.js';
import { isSoftwareAdapter } from './adapter.js';
import { packData, putRowsOfViews, rowsOfViews, unpackData } from './arrange.js';
import { type GpuDevice, type Own, orAborted } from './device.js';
import type { GpuArray } from './gpu-js.js';
import { type GpuImages, gpuImages } from './image.js';
import { adjointKernel, forwardKernel, type KernelKind } from './kernels.js';
import { type AxialTables, axialLength, axialTables, lead, rayLength, rayTables } from './tables.js';

/** Largest array that is made where a smaller one will do, bytes. */
const chunkBytes = 2 ** 28;
/** Samples of one dispatch: tenths of a second on a small card, whose driver resets it if it does not answer for some seconds; and of a
 *  software adapter, so that it stops when told to. */
const chunkSamples = { card: 4e9, software: 1e7 } as const;

export interface SinogramKernelOptions {
  /** Neighbours that a thread computes: 4, or 1 for the plain kernels, which are the definition. @default 4 */
  readonly rows?: 1 | 4 | undefined;
  /** Samples (planes that lines cross) of one dispatch, at least one view. @default 4e9, and 1e7 on a software adapter */
  readonly samplesPerDispatch?: number | undefined;
}

/** Tables and kernels of a layout and a grid, on the device. Images are [x][y][z] with zeros around, data [view][bin · tof][cell]. */
export interface SinogramKernels {
  readonly axial: AxialTables;
  readonly images: GpuImages;
  dataShape(views: number): readonly number[];
  /** Views that go into one dispatch. */
  readonly viewsPerChunk: number;
  /** A list of views for the kernels, ended by −1. */
  viewList(views: readonly number[]): GpuArray;
  /** Views from … to − 1 of data [tof][plane][view][bin]. @param scaled times the length of a step, as the adjoint needs it. */
  loadData(data: NdArray, from: number, to: number, views: GpuArray, scaled: boolean, own: Own): Promise<GpuArray>;
  /** Puts data, times the length of a step, into views from … to − 1. */
  readData(
    data: GpuArray,
    out: NdArray,
    from: number,
    to: number,
    views: GpuArray,
    own: Own,
    signal?: AbortSignal,
  ): Promise<void>;
  /** Sums along the rays, without the length of a step. */
  forward(image: GpuArray, views: GpuArray, count: number): Promise<GpuArray>;
  adjoint(data: GpuArray, views: GpuArray): Promise<GpuArray>;
  readonly ray: GpuArray;
  readonly plane: GpuArray;
  dispose(): void;
}

export async function sinogramKernels(
  device: GpuDevice,
  layout: SinogramLayout,
  grid: Grid,
  {
    rows = 4,
    samplesPerDispatch = chunkSamples[isSoftwareAdapter(device.adapter) ? 'software' : 'card'],
  }: SinogramKernelOptions = {},
): Promise<SinogramKernels> {
  const [nz, ny, nx] = grid.shape;
  const { tangential, tofBins, views } = layout;
  const axial = axialTables(layout, grid);
  const rays = await rayTables(layout, grid);
  const tof = tofBins > 1 ? checkedTof(tofLengths(layout)) : undefined;
  const reach = tof ? tofReach(tof) / tof.width : 0;
  const table = tof && tofTable(tof);
  const kind: KernelKind = { rows, unit: axial.unit, tof: tof !== undefined };
  const images = gpuImages(device, grid);
  const dataShape = (count: number): readonly number[] => [count, tangential * tofBins, axial.cells];

  const integers = { ...{ nx, ny, nz, lead, views, tofBins }, bins: tangential, segments: axial.segments };
  const floats: Record<string, number> = {};
  if (tof && table) {
    Object.assign(integers, { tofWindow: Math.floor(2 * reach) + 2 });
    Object.assign(floats, { perWidth: 1 / tof.width, reach, near: table.near, middle: (tofBins - 1) / 2 });
    Object.assign(floats, { omegaZero: table.zero, omegaLength: table.values.length / 2, perBin: 2 ** table.bits });
  }
  const settings = { integers, floats };
  const forward = device.kernel(forwardKernel(kind), {
    ...{ integers: { ...integers, maxSteps: Math.max(nx, ny) }, floats, rows },
  });
  const adjoint = device.kernel(adjointKernel(kind), {
    rows,
    integers: {
      ...integers,
      ...{ families: rays.families, cells: rays.cells, window: rays.window },
      axialWindow: Math.floor((rows + 1) / axial.spacing + 0.004) + 1,
    },
    floats: {
      ...{ ...floats, perCell: rays.perCell },
      ...{ dx: grid.voxelSize[2], dy: grid.voxelSize[1], ox: grid.origin[2], oy: grid.origin[1] },
    },
  });
  const toCells = device.kernel(packData, settings);
  const fromCells = device.kernel(unpackData, settings);

  const made: GpuArray[] = [];
  const resident = (shape: readonly number[], data: Float32Array): GpuArray => {
    const on = device.array(shape, data);
    made.push(on);
    return on;
  };
  const ray = resident([views, tangential, rayLength], rays.ray);
  const bracket = resident([views * rays.families, 4 + rays.cells], rays.bracket);
  const plane = resident([axial.cells, axialLength], axial.plane);
  const segment = resident([axial.segments, axialLength], axial.segment);
  const cells = resident([axial.cellOf.length], Float32Array.from(axial.cellOf));
  const omega = table ? [resident([table.values.length], table.values)] : [];

  const perView = 4 * size(dataShape(1));
  if (perView > device.maxBytes) {
    throw new DeviceError('One view is too large for the graphics card', {
      expected: `at most ${device.maxBytes} bytes`,
      found: perView,
      hint: "Use device: 'cpu' (--device cpu).",
    });
  }
  const samples = (rays.steps / views) * axial.cells * Math.min(tofBins, 2 * reach + 1);
  const viewsPerChunk = Math.max(1, Math.floor(Math.min(chunkBytes / perView, samplesPerDispatch / samples, 65535 / tofBins)));
  const planes = axial.cellOf.length;

  return {
    ...{ axial, images, dataShape, viewsPerChunk, ray, plane },
    viewList: (list) => device.array([list.length + 1], Float32Array.of(...list, -1)),
    async loadData(data, from, to, list, scaled, own) {
      const shape = [(to - from) * tofBins, planes, tangential];
      const raw = own(device.array(shape, rowsOfViews(data.data, data.shape, from, to)));
      const packed = own(await toCells(dataShape(to - from), raw, ray, plane, list, scaled ? 1 : 0));
      raw.delete();
      return packed;
    },
    async readData(data, out, from, to, list, own, signal) {
      const raw = own(await fromCells([(to - from) * tofBins, planes, tangential], data, ray, plane, list, cells));
      putRowsOfViews(await device.read(raw, signal), out.data, out.shape, from, to);
      raw.delete();
    },
    forward: (image, list, count) => forward(dataShape(count), image, ray, plane, list, ...omega),
    adjoint: (data, list) => adjoint(images.shape, data, ray, segment, plane, list, bracket, ...omega),
    dispose() {
      for (const kernel of [forward, adjoint, toCells, fromCells]) kernel.destroy();
      images.dispose();
      for (const on of made) on.delete();
    },
  };
}

/**
 * @param kernelsOf gives the kernels of the layout and grid, made when they are first needed.
 * @throws GeometryError for views the layout does not have, and for TOF bins of a scanner whose time of flight is not known.
 */
export function gpuSinogramProjector(
  device: GpuDevice,
  kernelsOf: () => Promise<SinogramKernels>,
  layout: SinogramLayout,
  views: readonly number[],
  grid: Grid,
): LinearOperator {
  const inShape = checkedGrid(grid).shape;
  const outShape = projectedShape(layout, views);
  if (layout.tofBins > 1) tofLengths(layout);
  axialTables(layout, grid);
  /** Equal parts of the views, as many as must be. */
  const chunks = (most: number): [from: number, to: number][] => {
    const count = Math.ceil(views.length / Math.ceil(views.length / most));
    return Array.from({ length: Math.ceil(views.length / count) }, (_, i) => [
      i * count,
      Math.min(views.length, (i + 1) * count),
    ]);
  };
  return {
    inShape,
    outShape,
    forward(x: Volume, { signal }: CallOptions = {}): Promise<NdArray> {
      const { data } = expectShape(x, inShape, 'image');
      return device.use(async (own) => {
        const kernels = await orAborted(kernelsOf(), signal);
        const out = array(sinogramShape(layout, views.length));
        const image = await kernels.images.load(data, own);
        for (const [from, to] of chunks(kernels.viewsPerChunk)) {
          if (from > 0) await device.settle(signal);
          const list = own(kernels.viewList(views.slice(from, to)));
          const sums = own(await kernels.forward(image, list, to - from));
          await kernels.readData(sums, out, from, to, list, own, signal);
          sums.delete();
        }
        return out;
      });
    },
    adjoint(y: NdArray, { signal }: CallOptions = {}): Promise<Volume> {
      const data = expectShape(y, outShape, 'projections');
      return device.use(async (own) => {
        const kernels = await orAborted(kernelsOf(), signal);
        let sum: GpuArray | undefined;
        for (const [from, to] of chunks(kernels.viewsPerChunk)) {
          if (from > 0) await device.settle(signal);
          const list = own(kernels.viewList(views.slice(from, to)));
          const packed = await kernels.loadData(data, from, to, list, true, own);
          const part = own(await kernels.adjoint(packed, list));
          packed.delete();
          if (sum) {
            const before = sum;
            sum = own(await kernels.images.add(before, part));
            before.delete();
            part.delete();
          } else sum = part;
        }
        return array(inShape, await kernels.images.read(sum!, own, signal));
      });
    },
  };
}
