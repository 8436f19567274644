/** @file  Opening a projector engine by name. No silent fallback: the engine's name goes into every result. */
import { availableParallelism } from 'node:os';
import { type ProjectorEngine, referenceEngine } from '../projector/engine.js';
import { openGpuEngine } from '../projector/gpu/engine.js';
import { findGpu, lookForGpu } from './gpu-device.js';
import { openCpuEngine } from './kernel-pool.js';

export interface DeviceOptions {
  /** auto: a real graphics card if one answers through WebGPU, else cpu. gpu: any adapter, also a program. @default 'auto' */
  readonly device?: 'auto' | 'cpu' | 'gpu' | 'reference' | undefined;
  /** Worker threads; 0: as many as the machine has cores. @default 0 */
  readonly threads?: number | undefined;
}

export function threadCount({ threads = 0 }: DeviceOptions): number {
  return threads > 0 ? threads : availableParallelism();
}

/**
 * @throws DeviceError when the device is not there.
 * @example const engine = await openEngine({ device: 'gpu' });
 */
export async function openEngine(options: DeviceOptions = {}): Promise<ProjectorEngine> {
  const { device = 'auto' } = options;
  if (device === 'reference') return referenceEngine();
  if (device === 'gpu') return openGpuEngine((await findGpu()).provider);
  if (device === 'auto') {
    const { gpu, why } = await lookForGpu();
    if (gpu && why === undefined) return openGpuEngine(gpu.provider);
  }
  return openCpuEngine({ threads: threadCount(options) });
}
