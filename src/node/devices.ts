/** @file  Opening a projector engine by name. No silent fallback: the engine's name goes into every result. */
import { availableParallelism } from 'node:os';
import { DeviceError } from '../core/errors.js';
import { type ProjectorEngine, referenceEngine } from '../projector/engine.js';
import { openCpuEngine } from './kernel-pool.js';

export interface DeviceOptions {
  /** auto: a real GPU if one answers, else cpu. @default 'auto' */
  readonly device?: 'auto' | 'cpu' | 'gpu' | 'reference' | undefined;
  /** Worker threads; 0: as many as the machine has cores. @default 0 */
  readonly threads?: number | undefined;
}

export function threadCount({ threads = 0 }: DeviceOptions): number {
  return threads > 0 ? threads : availableParallelism();
}

/** @throws DeviceError when the device is not there. */
export async function openEngine(options: DeviceOptions = {}): Promise<ProjectorEngine> {
  const { device = 'auto' } = options;
  if (device === 'reference') return referenceEngine();
  if (device === 'gpu') {
    throw new DeviceError('There is no GPU engine in this version', {
      key: '--device',
      found: device,
      hint: 'Use --device cpu.',
    });
  }
  return openCpuEngine({ threads: threadCount(options) });
}
