/** @file  A penalised reconstruction from an OSEM image: κ and ε come from that image, and β has no unit.
 *    R(x) = β x̄ Σ κ_j κ_k (relative difference),   κ² in counts per squared activity,   x̄ the mean activity
 *  so that β means the same for any scan, dose and unit: at activity x̄ a pair of neighbours is held together β times as strongly as the
 *  data hold a whole neighbourhood in place. */
import { array, type Volume } from '../core/array.js';
import type { Grid } from '../core/image.js';
import type { PoissonSubset } from '../core/interfaces.js';
import type { CallOptions } from '../core/iterate.js';
import { bowsher } from '../prior/bowsher.js';
import { quadratic } from '../prior/quadratic.js';
import { rdp, rdpEpsilon } from '../prior/rdp.js';
import { bsrem } from '../recon/bsrem.js';
import { mapEm } from '../recon/map-em.js';
import type { OsemStep } from '../recon/osem.js';
import { kappa, kktResidual } from '../recon/penalised.js';
import { meanActivity } from '../recon/subset.js';
import { svrg } from '../recon/svrg.js';
import type { State } from './course.js';

export type PenalisedMethod = 'bsrem' | 'svrg' | 'map-em';
export const penalisedMethods: readonly PenalisedMethod[] = ['bsrem', 'svrg', 'map-em'];

export interface PenalisedOptions extends CallOptions {
  /** Strength of the penalty, no unit. @default 0.05 */
  readonly beta?: number | undefined;
  /** bsrem, svrg: edge preservation of the relative difference prior. @default 2 */
  readonly gamma?: number | undefined;
  /** Passes over the data. @default 10; map-em 30 */
  readonly iterations?: number | undefined;
  /** Anatomical guide on the grid of the reconstruction (Bowsher). @default none */
  readonly anatomy?: Volume | undefined;
  /** Neighbours that count, of 26, with an anatomical guide. @default 7 */
  readonly neighbours?: number | undefined;
}

/** A step, and the number of steps with it. */
export interface CountedStep extends OsemStep {
  readonly done: number;
}

export interface Penalised {
  readonly image: Volume;
  readonly parameters: Readonly<Record<string, unknown>>;
  readonly warnings: readonly string[];
}

/**
 * BSREM or SVRG with the relative difference prior, or MAP-EM with the quadratic one, from an OSEM image.
 * @param found of an earlier run: its image, and the number of steps it had done.
 */
export async function penalised(
  method: PenalisedMethod,
  subsets: readonly PoissonSubset[],
  osemImage: Volume,
  grid: Grid,
  options: PenalisedOptions,
  onStep: (step: CountedStep) => void | Promise<void>,
  found?: State,
): Promise<Penalised> {
  const { beta = 0.05, gamma = 2, anatomy, neighbours = 7, signal } = options;
  const { iterations = method === 'map-em' ? 30 : 10 } = options;
  const pairs = {
    kappa: await kappa(subsets, osemImage, { signal }),
    ...(anatomy ? { neighbourhood: await bowsher(anatomy, grid, { neighbours, signal }) } : {}),
  };
  const activity = meanActivity(subsets);
  const initial = found ? array(osemImage.shape, found.arrays.image) : osemImage;
  const start = { epochs: iterations, initial, start: found?.numbers.done ?? 0, signal };
  // Where x is near x̄ both priors have the same curvature.
  const smooth = quadratic(grid, { ...pairs, beta });
  const edges = rdp(grid, { ...pairs, beta: beta * activity, gamma, epsilon: rdpEpsilon(osemImage) });
  const steps = {
    bsrem: () => bsrem(subsets, edges, start),
    svrg: () => svrg(subsets, edges, start),
    'map-em': () => mapEm(subsets, smooth, start),
  }[method]();
  let image = initial;
  for await (const step of steps) {
    image = step.image;
    await onStep({ ...step, done: step.epoch * subsets.length + step.subset + 1 });
  }
  const penalty = method === 'map-em' ? smooth : edges;
  return {
    image,
    warnings: [],
    parameters: {
      ...{ beta, ...(method === 'map-em' ? {} : { gamma }), penalisedIterations: iterations },
      ...(anatomy ? { neighbours } : {}),
      kktResidual: await kktResidual(subsets, penalty, image, { signal }),
    },
  };
}
