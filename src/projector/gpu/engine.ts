/** @file  The engine of a graphics card: gpu.js kernels for sinograms and resolution, WGSL for lines in any place. */
import type { Point } from '../../core/array.js';
import type { Grid } from '../../core/image.js';
import type { LinearOperator } from '../../core/interfaces.js';
import type { SinogramLayout } from '../../geometry/sinogram.js';
import { type ProjectorEngine, projectedShape } from '../engine.js';
import { eventLines } from '../event-ends.js';
import { adapterName } from './adapter.js';
import { type GpuDevice, openGpuDevice } from './device.js';
import type { GpuProvider } from './gpu-js-context.js';
import { gpuImages } from './image.js';
import { gpuLineProjector, type LineKernels, lineKernels } from './lines.js';
import { gpuBlur, gpuGaussianPsf } from './psf.js';
import { type GpuMemoryOptions, gpuResidentModel } from './resident.js';
import { gpuSinogramProjector, type SinogramKernelOptions, sinogramKernels } from './sinogram.js';

/** Layouts, grids and resolutions whose tables and compiled kernels are kept. */
const kept = 4;

/**
 * Projectors on the most powerful adapter.
 * @param provider WebGPU of a page; in Node `openEngine` of coincide/node finds it.
 * @throws DeviceError when there is no adapter or it gives no device.
 * @example const engine = await openGpuEngine(navigator.gpu);
 */
export async function openGpuEngine(
  provider: GpuProvider,
  options: SinogramKernelOptions & GpuMemoryOptions = {},
): Promise<ProjectorEngine> {
  return gpuEngine(await openGpuDevice(provider), options);
}

/** @param device belongs to the engine from now on and ends with it. */
export function gpuEngine(device: GpuDevice, options: SinogramKernelOptions & GpuMemoryOptions = {}): ProjectorEngine {
  const sinograms = cache((layout: SinogramLayout, grid: Grid) => sinogramKernels(device, layout, grid, options));
  const images = cache((grid: Grid) => gpuImages(device, grid));
  const blurs = cache((grid: Grid, fwhm: number | Point) => gpuBlur(device, grid, fwhm, images(grid).shape));
  let lines: LineKernels | undefined;
  const lineKernelsOf = (): LineKernels => (lines ??= lineKernels(device));
  return {
    name: 'gpu',
    details: adapterName(device.adapter),
    sinogramProjector: (layout, views, grid) => gpuSinogramProjector(device, () => sinograms(layout, grid), layout, views, grid),
    lineProjector: (rays, grid, tof) => gpuLineProjector(device, lineKernelsOf, () => images(grid), rays, grid, tof),
    eventProjector(list, views, grid): LinearOperator {
      projectedShape(list.layout, views);
      const { lines: rays, tof } = eventLines(list, views);
      return gpuLineProjector(device, lineKernelsOf, () => images(grid), rays, grid, tof);
    },
    gaussianPsf: (grid, fwhm) => gpuGaussianPsf(device, () => ({ images: images(grid), blur: blurs(grid, fwhm) }), grid, fwhm),
    residentModel: (scan, grid, subsets, model) => gpuResidentModel(device, scan, grid, subsets, model, options),
    dispose: () => device.dispose(),
  };
}

/** Remembers what was made from the same values; what was not used for longest is disposed of. What could not be made is forgotten. */
function cache<A extends readonly unknown[], T extends { dispose(): void } | Promise<{ dispose(): void }>>(
  make: (...of: A) => T,
): (...of: A) => T {
  const known = new Map<string, T>();
  return (...of) => {
    const key = JSON.stringify(of);
    const found = known.get(key) ?? make(...of);
    known.delete(key);
    known.set(key, found);
    if (found instanceof Promise) found.catch(() => known.delete(key));
    for (const [oldest, old] of known) {
      if (known.size <= kept) break;
      known.delete(oldest);
      // What could not be made needs no disposal.
      void Promise.resolve(old).then(
        ({ dispose }) => dispose(),
        () => {},
      );
    }
    return found;
  };
}
