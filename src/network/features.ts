/** @file  What the network is told about time and about whether it sees a condition:
 *    [ sin(ω_k t) …, cos(ω_k t) …, present ],  ω_k from 1 to 100 in geometric steps, k = 0 … K − 1 */
import { OptionError } from '../core/errors.js';

const highestFrequency = 100;

/**
 * @param t time in [0, 1]. @param present 1 when a condition is given, else 0. @param count length, 2K + 1: `architecture.features`.
 * @throws OptionError for an even count or a time outside [0, 1].
 */
export function timeFeatures(t: number, present: number, count: number): Float32Array {
  if (!Number.isInteger(count) || count < 1 || count % 2 === 0) {
    throw new OptionError('Number of features', { key: 'count', expected: 'an odd positive integer', found: count });
  }
  if (!(t >= 0 && t <= 1)) throw new OptionError('Time', { key: 't', expected: 'a number in [0, 1]', found: t });
  const K = (count - 1) / 2;
  const out = new Float32Array(count);
  for (let k = 0; k < K; k++) {
    const omega = highestFrequency ** (K === 1 ? 0 : k / (K - 1));
    out[k] = Math.sin(omega * t);
    out[K + k] = Math.cos(omega * t);
  }
  out[2 * K] = present;
  return out;
}
