/** @file  What the network is told about time and about its inputs:
 *    [ sin(ω_k t) …, cos(ω_k t) …, flags … ],  ω_k from 1 to 100 in geometric steps, k = 0 … K − 1
 *  with the flags of what the network knows, in the order of `architecture.knows`:
 *    condition  1 when the low-count image is given
 *    anatomy    1 when the anatomy is given
 *    mean       1 in the mean mode
 *    noise      1 and ln(ν/0.2) when the noise level ν > 0 of the low-count image is given; else 0 and 0 */
import { OptionError } from '../core/errors.js';
import type { Architecture } from './unet.js';

const highestFrequency = 100;
/** A noise level that is neither high nor low. */
const usualNoise = 0.2;

/** Something beside time that a network can be told. */
export type Knowledge = 'condition' | 'anatomy' | 'mean' | 'noise';
/** Features that each takes. */
export const knowledgeLength: Readonly<Record<Knowledge, number>> = { condition: 1, anatomy: 1, mean: 1, noise: 2 };

/** What is true of one evaluation. */
export interface Situation {
  /** Time in [0, 1]. */
  readonly t: number;
  /** Whether the low-count image is given. @default false */
  readonly condition?: boolean | undefined;
  /** Whether the anatomy is given. @default false */
  readonly anatomy?: boolean | undefined;
  /** Whether the mean is asked for. @default false */
  readonly mean?: boolean | undefined;
  /** Noise level of the low-count image: standard deviation over mean where it is uniform; 0 where it is not known. @default 0 */
  readonly noise?: number | undefined;
}

type Told = Pick<Architecture, 'features' | 'knows'>;

/**
 * @returns `architecture.features` values; what the network does not know is left out.
 * @throws OptionError for a time outside [0, 1] or a noise level that is negative.
 */
export function networkFeatures({ features: count, knows = ['condition'] }: Told, situation: Situation): Float32Array {
  const { t, condition = false, anatomy = false, mean = false, noise = 0 } = situation;
  if (!(t >= 0 && t <= 1)) throw new OptionError('Time', { key: 't', expected: 'a number in [0, 1]', found: t });
  if (!(noise >= 0 && noise < Infinity))
    throw new OptionError('Noise level', { key: 'noise', expected: 'a number ≥ 0', found: noise });
  const flags: Record<Knowledge, readonly number[]> = {
    condition: [Number(condition)],
    anatomy: [Number(anatomy)],
    mean: [Number(mean)],
    noise: noise === 0 ? [0, 0] : [1, Math.log(noise / usualNoise)],
  };
  const known = knows.flatMap((k) => flags[k]);
  const K = (count - known.length) / 2;
  const out = new Float32Array(count);
  for (let k = 0; k < K; k++) {
    const omega = highestFrequency ** (K === 1 ? 0 : k / (K - 1));
    out[k] = Math.sin(omega * t);
    out[K + k] = Math.cos(omega * t);
  }
  out.set(known, 2 * K);
  return out;
}

/** Where the flag of the mean mode stands; −1 if the network does not know it. */
export function meanFlag({ features, knows = ['condition'] }: Told): number {
  const at = knows.indexOf('mean');
  return at < 0 ? -1 : features - knows.slice(at).reduce((sum, k) => sum + knowledgeLength[k], 0);
}
