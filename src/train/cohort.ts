/** @file  Training subjects by simulation: phantom → low-count scan → OSEM, all by this library, so that the noise is that of PET. */

import type { CallOptions } from '../core/iterate.js';
import { last } from '../core/iterate.js';
import { random } from '../core/random.js';
import { fromWorld, toWorld } from '../geometry/frame.js';
import { scannerByName } from '../geometry/scanners.js';
import { sinogramLayout } from '../geometry/sinogram.js';
import type { ProjectorEngine } from '../projector/engine.js';
import { systemModel } from '../projector/system-model.js';
import { osem, uniformStart } from '../recon/osem.js';
import { acquire } from '../simulate/acquisition.js';
import { phantom } from '../simulate/phantom.js';
import type { CohortConfig } from './config.js';
import type { Subject } from './subject.js';

/** One subject of a cohort: its truth, and an OSEM image of each noise draw; SUV, axes of the world. */
export async function simulateSubject(
  config: CohortConfig,
  seed: number,
  number: number,
  engine: ProjectorEngine,
  options: CallOptions = {},
): Promise<Subject> {
  const subjectSeed = seed * 1_000_000 + number;
  const { activity, mu } = phantom(config.kinds[number % config.kinds.length]!, { seed: subjectSeed });
  const { span, maxRingDifference, randomsFraction, scatterFraction, psf, subsets, iterations } = config;
  const layout = sinogramLayout(scannerByName(config.scanner), { span, maxRingDifference });
  const { grid } = fromWorld(activity, 'HFS');
  const draw = random(subjectSeed, 1);
  const lowDose: Float32Array[] = [];
  for (let k = 0; k < config.draws; k++) {
    const [low, high] = config.counts;
    const counts = low * (high / low) ** draw.uniform();
    const { scan } = await acquire({
      ...{ activity, mu, layout, engine, counts, randomsFraction, scatterFraction, psf, seed: subjectSeed * 10 + k },
      ...options,
    });
    const model = await systemModel(scan, engine, grid, { subsets, ...options });
    const { image } = await last(osem(model, { epochs: iterations, initial: uniformStart(model), ...options }));
    lowDose.push(toWorld(image, grid, 'HFS', 'SUV').values.data);
  }
  return { shape: activity.grid.shape, voxelSize: activity.grid.voxelSize, truth: activity.values.data, lowDose };
}
