/** @file  A scan: prompts and what is known of their mean, y ~ Poisson(m ⊙ (A x + a)). */
import { total } from '../core/array.js';
import { GeometryError } from '../core/errors.js';
import type { BinValues } from './bin-values.js';
import type { ListMode } from './event-list.js';
import type { PatientPosition } from './frame.js';
import { type Sinogram, type SinogramLayout, sameLayout } from './sinogram.js';

export interface Scan {
  /** y: raw counts, not corrected for anything. */
  readonly prompts: Sinogram;
  /** m: efficiencies × attenuation × duration × calibration; 1 everywhere if absent. */
  readonly multiplicative?: Sinogram | undefined;
  /** a: expected randoms + scatter, before m; 0 if absent. */
  readonly additive?: Sinogram | undefined;
  readonly position: PatientPosition;
}

/** A scan of which the events are kept one by one; the terms are of the events' layout. */
export interface ListModeScan {
  readonly events: ListMode;
  /** m; 1 everywhere if absent. */
  readonly multiplicative?: Sinogram | BinValues | undefined;
  /** a: expected randoms + scatter, before m; 0 if absent. */
  readonly additive?: Sinogram | BinValues | undefined;
  readonly position: PatientPosition;
}

/**
 * The scan itself.
 * @throws GeometryError when a term has another layout than the prompts, or holds negative or non-finite values.
 */
export function checkedScan(scan: Scan, names: Readonly<Partial<Record<keyof Scan, string>>> = {}): Scan {
  for (const key of ['prompts', 'multiplicative', 'additive'] as const) {
    const term = scan[key];
    if (term) checkTerm(term, scan.prompts.layout, names[key] ?? key, key === 'prompts');
  }
  if (total(scan.prompts.values) === 0) throw new GeometryError('There are no counts', { file: names.prompts ?? 'prompts' });
  return scan;
}

/** @throws GeometryError when a term has another layout, or holds negative or non-finite values. */
export function checkTerm(term: Sinogram, layout: SinogramLayout, file: string, counts = false): void {
  if (!sameLayout(term.layout, layout)) {
    const hint = 'Compare segments, views and tangential positions.';
    throw new GeometryError('Its sinogram layout is not that of the prompts', { file, hint });
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
      hint: counts ? 'Prompts are raw counts: were randoms subtracted, or is the byte order wrong?' : 'Is the byte order wrong?',
    });
  }
}
