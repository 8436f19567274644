/** @file  EM whole on a graphics card. With c the length of a step, P its sums, G the resolution, M the field of view, and y, m, a of the
 *  scan's model y ~ Poisson(m ⊙ (A G M x + a)), A = diag(c) P, one subset's part is
 *    r = c y / (c P G M x + a)  where m > 0 and the denominator is, else 0        back = M Gᵀ Pᵀ r
 *  so that m itself is not needed: it cancels, but for the sensitivities, which come from the system model. */
import { array, expectShape, type NdArray, size, total } from '../../core/array.js';
import { ShapeError } from '../../core/errors.js';
import type { Grid } from '../../core/image.js';
import type { PoissonSubset, ResidentImage, ResidentModel } from '../../core/interfaces.js';
import type { Scan } from '../../geometry/scan.js';
import { gatherViews } from '../../geometry/sinogram.js';
import { orderedSubsets } from '../../geometry/subsets.js';
import type { ResidentModelOptions } from '../engine.js';
import type { GpuDevice, GpuKernel, Own } from './device.js';
import { emUpdate, product, proxUpdate, ratio } from './em-kernels.js';
import type { GpuArray } from './gpu-js.js';
import { type GpuBlur, gpuBlur } from './psf.js';
import { type SinogramKernelOptions, sinogramKernels } from './sinogram.js';

export interface GpuMemoryOptions {
  /** Bytes that the scan may take on the card. Where data and sensitivities need more they stay with the host and go up in turn; cards do
   *  not tell how much they have. @default 4 GiB */
  readonly memory?: number | undefined;
}

/** Data of one dispatch's views. */
interface Part {
  readonly views: GpuArray;
  readonly count: number;
  readonly y: GpuArray;
  readonly a: GpuArray;
}

/**
 * Puts a scan on the card.
 * @param subsets what `systemModel(scan, engine, grid, options)` made, with the same options.
 * @throws ShapeError when the subsets are not those of the scan and grid; DeviceError when the card cannot hold one view.
 */
export async function gpuResidentModel(
  device: GpuDevice,
  scan: Scan,
  grid: Grid,
  subsets: readonly PoissonSubset[],
  { psf, mask, signal }: ResidentModelOptions = {},
  { memory = 2 ** 32, ...kernelOptions }: SinogramKernelOptions & GpuMemoryOptions = {},
): Promise<ResidentModel> {
  const { layout } = scan.prompts;
  const inShape = grid.shape;
  const viewsOf = orderedSubsets(layout.views, subsets.length);
  subsets.forEach(({ prompts, sensitivity }, k) => {
    expectShape(sensitivity, inShape, `sensitivity of subset ${k}`);
    if (prompts.shape[2] !== viewsOf[k]!.length) {
      throw new ShapeError(`Subset ${k} is not of this scan`, {
        expected: `${viewsOf[k]!.length} views`,
        found: prompts.shape[2],
      });
    }
  });
  const kernels = await sinogramKernels(device, layout, grid, kernelOptions);
  const { images, viewsPerChunk, ray, plane, dataShape } = kernels;
  const additive = scan.additive ? 1 : 0;
  const toRatio = device.kernel(ratio, { integers: { tofBins: layout.tofBins, additive } });
  const [em, prox, times] = [emUpdate, proxUpdate, product].map((source) => device.kernel(source, { flat: true })) as [
    GpuKernel,
    GpuKernel,
    GpuKernel,
  ];
  const blur: GpuBlur | undefined = psf === undefined || psf === 0 ? undefined : gpuBlur(device, grid, psf, images.shape);

  // Everything that an update needs, before any of it is allocated.
  const imageBytes = 4 * size(images.shape);
  const largest = Math.min(viewsPerChunk, Math.max(...viewsOf.map(({ length }) => length)));
  const workBytes = 10 * imageBytes + 5 * 4 * size(dataShape(largest));
  const keptBytes = (1 + additive) * 4 * size(dataShape(layout.views)) + subsets.length * imageBytes;
  const kept = workBytes + keptBytes <= memory;

  const held: GpuArray[] = [];
  const hold: Own = (on) => {
    held.push(on);
    return on;
  };
  const nothing = hold(device.array([1]));
  const partsOf = async (k: number, own: Own, signal: AbortSignal | undefined): Promise<Part[]> => {
    const y = countable(scan, viewsOf[k]!);
    const a = scan.additive && gatherViews(scan.additive, viewsOf[k]!);
    const views = viewsOf[k]!;
    const count = Math.ceil(views.length / Math.ceil(views.length / viewsPerChunk));
    const parts: Part[] = [];
    for (let from = 0; from < views.length; from += count) {
      const to = Math.min(views.length, from + count);
      const list = own(kernels.viewList(views.slice(from, to)));
      parts.push({
        ...{ views: list, count: to - from },
        y: own(await kernels.loadData(y, from, to, list, false, own)),
        a: a ? own(await kernels.loadData(a, from, to, list, false, own)) : nothing,
      });
      await device.settle(signal);
    }
    return parts;
  };
  const sensitivityOf = async (k: number, own: Own): Promise<GpuArray> => images.load(subsets[k]!.sensitivity.data, own);

  const field = mask && (await device.use(() => images.load(expectShape(mask, inShape, 'mask').data, hold)));
  const resident: { readonly parts: Part[]; readonly s: GpuArray }[] = [];
  for (let k = 0; kept && k < subsets.length; k++) {
    await device.use(async () => {
      resident.push({ parts: await partsOf(k, hold, signal), s: await sensitivityOf(k, hold) });
    });
  }

  /** M Gᵀ Pᵀ r of one subset. */
  const backprojected = async (x: GpuArray, parts: readonly Part[], own: Own, signal?: AbortSignal): Promise<GpuArray> => {
    const masked = field ? own(await times(images.shape, x, field)) : x;
    const blurred = blur ? await blur.apply(masked, own, signal) : masked;
    let sum: GpuArray | undefined;
    for (const { views, count, y, a } of parts) {
      if (sum) await device.settle(signal);
      const sums = own(await kernels.forward(blurred, views, count));
      const r = own(await toRatio(dataShape(count), sums, y, a, ray, plane, views));
      sums.delete();
      const part = own(await kernels.adjoint(r, views));
      r.delete();
      sum = sum ? await added(sum, part, own) : part;
    }
    const back = blur ? await blur.apply(sum!, own, signal) : sum!;
    return field ? own(await times(images.shape, back, field)) : back;
  };
  const added = async (a: GpuArray, b: GpuArray, own: Own): Promise<GpuArray> => {
    const sum = own(await images.add(a, b));
    a.delete();
    b.delete();
    return sum;
  };

  const living = new Map<ResidentImage, GpuArray>();
  const image = (on: GpuArray): ResidentImage => {
    const handle: ResidentImage = {
      read: (options) => device.use(async (own) => array(inShape, await images.read(arrayOf(handle), own, options?.signal))),
      free() {
        on.delete();
        living.delete(handle);
      },
    };
    living.set(handle, on);
    return handle;
  };
  const arrayOf = (handle: ResidentImage): GpuArray => {
    const on = living.get(handle);
    if (!on)
      throw new ShapeError('This image is not, or no more, on the graphics card', { hint: 'Read a step before the next.' });
    return on;
  };
  return {
    inShape,
    subsets: subsets.length,
    meanActivity: total(scan.prompts.values) / subsets.reduce((sum, { sensitivity }) => sum + total(sensitivity), 0) || 0,
    details: kept ? 'data on the card' : 'data with the host, larger than the memory allowed on the card',
    load: (x, options) =>
      device.use(async () => {
        options?.signal?.throwIfAborted();
        const { data } = expectShape(x, inShape, 'image');
        return image(await images.load(data, (on) => on));
      }),
    update: (x, ks, penalty, options) =>
      device.use(async (own) => {
        let back: GpuArray | undefined;
        let s: GpuArray | undefined;
        for (const k of ks) {
          const subset = resident[k] ?? { parts: await partsOf(k, own, options?.signal), s: await sensitivityOf(k, own) };
          const one = await backprojected(arrayOf(x), subset.parts, own, options?.signal);
          back = back ? await added(back, one, own) : one;
          s = s ? own(await images.add(s, subset.s)) : subset.s;
        }
        const args = [arrayOf(x), back!, s!] as const;
        const rho = penalty ? (penalty.rho * ks.length) / subsets.length : 0;
        const next = rho > 0 ? await prox(images.shape, ...args, arrayOf(penalty!.v), rho) : await em(images.shape, ...args);
        try {
          await device.settle(options?.signal);
        } catch (error) {
          next.delete();
          throw error;
        }
        return image(next);
      }),
    dispose() {
      for (const on of [...held, ...living.values()]) on.delete();
      living.clear();
      for (const kernel of [toRatio, em, prox, times]) kernel.destroy();
      blur?.dispose();
      kernels.dispose();
    },
  };
}

/** Prompts, 0 where the model says that a bin cannot count. */
function countable({ prompts, multiplicative }: Scan, views: readonly number[]): NdArray {
  const y = gatherViews(prompts, views);
  const m = multiplicative && gatherViews(multiplicative, views).data;
  if (m) {
    for (let i = 0; i < m.length; i++) if (!(m[i]! > 0)) y.data[i] = 0;
  }
  return y;
}
