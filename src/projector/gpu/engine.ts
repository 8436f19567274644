/** @file  The engine of a graphics card: gpu.js kernels for sinograms, WGSL for lines in any place. */
import type { Grid } from '../../core/image.js';
import type { SinogramLayout } from '../../geometry/sinogram.js';
import type { ProjectorEngine } from '../engine.js';
import { josephProjector } from '../joseph.js';
import { gaussianPsf } from '../psf.js';
import type { GpuDevice } from './device.js';
import { gpuSinogramProjector, type SinogramKernelOptions, type SinogramKernels, sinogramKernels } from './sinogram.js';

/** Layouts and grids whose tables and compiled kernels are kept. */
const kept = 4;

/** @param device belongs to the engine from now on and ends with it. */
export function gpuEngine(device: GpuDevice, options: SinogramKernelOptions = {}): ProjectorEngine {
  const { vendor, architecture, description, device: model } = device.adapter;
  const known = new Map<string, SinogramKernels>();
  const kernelsOf = (layout: SinogramLayout, grid: Grid): SinogramKernels => {
    const key = JSON.stringify([layout, grid]);
    const kernels = known.get(key) ?? sinogramKernels(device, layout, grid, options);
    known.delete(key);
    known.set(key, kernels);
    for (const [oldest, { dispose }] of known) {
      if (known.size <= kept) break;
      known.delete(oldest);
      dispose();
    }
    return kernels;
  };
  return {
    name: 'gpu',
    details: [vendor, architecture, description || model].filter((word) => word !== '').join(' '),
    sinogramProjector: (layout, views, grid) => gpuSinogramProjector(device, () => kernelsOf(layout, grid), layout, views, grid),
    lineProjector: josephProjector,
    gaussianPsf,
    async dispose() {
      await device.dispose();
    },
  };
}
