/** The graphics card's engine on the adapter that answers, for tests to share. */
import type { ProjectorEngine } from '../../../src/projector/engine.js';
import { type GpuDevice, openGpuDevice } from '../../../src/projector/gpu/device.js';
import { gpuEngine } from '../../../src/projector/gpu/engine.js';
import type { SinogramKernelOptions } from '../../../src/projector/gpu/sinogram.js';
import { gpu } from '../../gpu.js';

export async function openTestGpu(
  options?: SinogramKernelOptions,
): Promise<{ readonly device: GpuDevice; readonly engine: ProjectorEngine }> {
  const device = await openGpuDevice(gpu!.provider);
  return { device, engine: gpuEngine(device, options) };
}
