/** @file  A scan: prompts and what is known of their mean, y ~ Poisson(m ⊙ (A x + a)). */
import { total } from '../core/array.js';
import { GeometryError } from '../core/errors.js';
import type { PatientPosition } from './frame.js';
import { type Sinogram, sameLayout } from './sinogram.js';

export interface Scan {
  /** y: raw counts, not corrected for anything. */
  readonly prompts: Sinogram;
  /** m: efficiencies × attenuation × duration × calibration; 1 everywhere if absent. */
  readonly multiplicative?: Sinogram | undefined;
  /** a: expected randoms + scatter, before m; 0 if absent. */
  readonly additive?: Sinogram | undefined;
  readonly position: PatientPosition;
}

/**
 * The scan itself.
 * @throws GeometryError when a term has another layout than the prompts, or holds negative or non-finite values.
 */
export function checkedScan(scan: Scan, names: Readonly<Partial<Record<keyof Scan, string>>> = {}): Scan {
  for (const key of ['prompts', 'multiplicative', 'additive'] as const) {
    const term = scan[key];
    if (!term) continue;
    const file = names[key] ?? key;
    if (!sameLayout(term.layout, scan.prompts.layout)) {
      throw new GeometryError('Its sinogram layout is not that of the prompts', {
        file,
        hint: 'Compare segments, views and tangential positions.',
      });
    }
    let largest = 0;
    const bad = term.values.data.findIndex((value) => {
      largest = Math.max(largest, value);
      return !(value >= 0 && value < Infinity);
    });
    // Whole numbers read in the wrong byte order are finite and positive, and far from anything that is counted.
    if (bad < 0 && largest !== 0 && (largest < 1e-30 || largest > 1e30)) {
      throw new GeometryError('Its values cannot be', {
        file,
        expected: 'counts or factors',
        found: `at most ${largest}`,
        hint: 'Is the byte order wrong?',
      });
    }
    if (bad >= 0) {
      throw new GeometryError(`Bin ${bad} cannot be`, {
        file,
        expected: 'finite values ≥ 0',
        found: term.values.data[bad],
        hint:
          key === 'prompts'
            ? 'Prompts are raw counts: were randoms subtracted, or is the byte order wrong?'
            : 'Is the byte order wrong?',
      });
    }
  }
  if (total(scan.prompts.values) === 0) throw new GeometryError('There are no counts', { file: names.prompts ?? 'prompts' });
  return scan;
}
