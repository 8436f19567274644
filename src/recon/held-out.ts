/** @file  Counts set aside: each count of y goes to y' with probability f, else to y − y'. Both are Poisson counts again, and independent, so
 *  that what is fitted to one can be judged by the other. Divided by its share each stands for the whole scan: the model stays as it is.
 *    y_fit = (y − y')/(1 − f),   y_held = y'/f */
import { array } from '../core/array.js';
import { OptionError } from '../core/errors.js';
import type { PoissonSubset } from '../core/interfaces.js';
import { type CallOptions, turn } from '../core/iterate.js';
import { random } from '../core/random.js';

export interface HeldOutOptions extends CallOptions {
  readonly seed: number;
}

/** Bins between two turns of the event loop. */
const CHUNK = 1 << 17;

/**
 * Splits the counts of a scan, or the events of list mode.
 * @param fraction f in (0, 1) that is held out.
 * @throws OptionError for a fraction out of range, or counts that are no whole numbers.
 */
export async function holdOut(
  subsets: readonly PoissonSubset[],
  fraction: number,
  { seed, signal }: HeldOutOptions,
): Promise<{ readonly fit: PoissonSubset[]; readonly held: PoissonSubset[] }> {
  if (!(fraction > 0 && fraction < 1))
    throw new OptionError('Counts held out', { key: 'fraction', expected: 'a share between 0 and 1', found: fraction });
  const { uniform } = random(seed, 103);
  const fit: PoissonSubset[] = [];
  const held: PoissonSubset[] = [];
  for (const subset of subsets) {
    const y = subset.prompts.data;
    const [mine, theirs] = [array(subset.prompts.shape), array(subset.prompts.shape)];
    for (let i = 0; i < y.length; i++) {
      if (i % CHUNK === CHUNK - 1) await turn(signal);
      let out = 0;
      if (!Number.isInteger(y[i]!))
        throw new OptionError('Only counts can be held out', { key: 'prompts', expected: 'whole numbers', found: y[i] });
      for (let count = y[i]!; count > 0; count--) if (uniform() < fraction) out++;
      mine.data[i] = (y[i]! - out) / (1 - fraction);
      theirs.data[i] = out / fraction;
    }
    fit.push({ ...subset, prompts: mine });
    held.push({ ...subset, prompts: theirs });
  }
  return { fit, held };
}
