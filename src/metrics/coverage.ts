/** @file  Are intervals as wide as they claim? Of K samples with mean m and standard deviation s, a further one (the truth, if the samples are of
 *  the posterior) lies with probability p in the prediction interval
 *    m ± t_{K−1, (1+p)/2} √(1 + 1/K) · s
 *  The coverage is the share of voxels whose truth does; it equals p if the spread is right. */
import { expectShape, type Volume } from '../core/array.js';
import { OptionError } from '../core/errors.js';

export interface CoverageOptions {
  /** K. */
  readonly samples: number;
  /** p. @default 0.9 */
  readonly level?: number | undefined;
  /** Voxels other than 0 take part. @default all */
  readonly mask?: Volume | undefined;
}

/**
 * Share of voxels whose truth lies in the interval.
 * @throws ShapeError when a volume does not fit; OptionError with fewer than two samples, a level not in (0, 1), or an empty mask.
 */
export function intervalCoverage(mean: Volume, spread: Volume, truth: Volume, options: CoverageOptions): number {
  const factor = predictionFactor(options.samples, options.level);
  const m = expectShape(mean, truth.shape, 'mean').data;
  const s = expectShape(spread, truth.shape, 'spread').data;
  const x = expectShape(truth, truth.shape, 'truth').data;
  const mask = options.mask && expectShape(options.mask, truth.shape, 'mask').data;
  let inside = 0;
  let voxels = 0;
  for (let i = 0; i < x.length; i++) {
    if (mask && mask[i] === 0) continue;
    voxels++;
    if (Math.abs(x[i]! - m[i]!) <= factor * s[i]!) inside++;
  }
  if (voxels === 0) throw new OptionError('The mask selects no voxel', { key: 'mask' });
  return inside / voxels;
}

/** t_{K−1, (1+p)/2} √(1 + 1/K). @throws OptionError with fewer than two samples or a level not in (0, 1). */
export function predictionFactor(samples: number, level = 0.9): number {
  if (!(Number.isInteger(samples) && samples >= 2)) {
    throw new OptionError('Intervals need samples', { key: 'samples', expected: 'an integer from 2', found: samples });
  }
  if (!(level > 0 && level < 1)) {
    throw new OptionError('Level of the interval', { key: 'level', expected: 'a number in (0, 1)', found: level });
  }
  return studentBound(samples - 1, level) * Math.sqrt(1 + 1 / samples);
}

/** t with P(|T| ≤ t) = p for Student's T of ν degrees of freedom: with t = √ν tan θ, P = ∫₀^θ cos^(ν−1) / ∫₀^(π/2) cos^(ν−1). */
function studentBound(nu: number, p: number): number {
  const steps = 2000;
  const step = Math.PI / 2 / steps;
  const cumulative = new Float64Array(steps + 1);
  for (let i = 0; i < steps; i++) {
    cumulative[i + 1] = cumulative[i]! + Math.cos((i + 0.5) * step) ** (nu - 1); // midpoints
  }
  const wanted = p * cumulative[steps]!;
  let i = 1;
  while (cumulative[i]! < wanted) i++;
  const theta = (i - 1 + (wanted - cumulative[i - 1]!) / (cumulative[i]! - cumulative[i - 1]!)) * step;
  return Math.sqrt(nu) * Math.tan(theta);
}
