/** @file  The engine of the processor's cores: kernels with SIMD on a pool of threads. */
import type { ProjectorEngine } from '../engine.js';
import { cpuEventProjector } from './events.js';
import { cpuLineProjector } from './lines.js';
import type { KernelPool } from './pool.js';
import { cpuGaussianPsf } from './psf.js';
import { cpuSinogramProjector } from './sinogram.js';

/** @param pool belongs to the engine from now on and ends with it. */
export function cpuEngine(pool: KernelPool): ProjectorEngine {
  return {
    name: 'cpu',
    details: `${pool.threads} ${pool.threads === 1 ? 'thread' : 'threads'}, ${pool.kernels}`,
    sinogramProjector: (layout, views, grid) => cpuSinogramProjector(pool, layout, views, grid),
    lineProjector: (lines, grid, tof) => cpuLineProjector(pool, lines, grid, tof),
    eventProjector: (list, views, grid) => cpuEventProjector(pool, list, views, grid),
    gaussianPsf: (grid, fwhm) => cpuGaussianPsf(pool, grid, fwhm),
    dispose: () => pool.dispose(),
  };
}
