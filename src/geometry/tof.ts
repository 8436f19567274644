/** @file  Bins of time of flight as lengths along the line. 1 ps of time difference is c/2 = 0.1499 mm; bins count upwards towards
 *  detector 1, the start of the line, as in STIR. */
import { GeometryError } from '../core/errors.js';
import type { SinogramLayout } from './sinogram.js';

/** c/2, mm/ps. */
const mmPerPs = 0.149896229;
const fwhmPerSigma: number = 2 * Math.sqrt(2 * Math.log(2));

/**
 * Width of a bin and standard deviation of the timing, mm along the line.
 * @throws GeometryError when the scanner has no time of flight.
 */
export function tofLengths({ scanner, tofMash }: SinogramLayout): { readonly width: number; readonly sigma: number } {
  const { tof } = scanner;
  if (!tof)
    throw new GeometryError('No time of flight', { key: 'tof', expected: 'a scanner that measures it', found: scanner.name });
  return { width: mmPerPs * tof.binWidth * tofMash, sigma: (mmPerPs * tof.resolution) / fwhmPerSigma };
}

/** Middle of each bin, mm from the middle of the line towards its end (detector 2). */
export function tofCentres(layout: SinogramLayout): Float64Array {
  const { width } = tofLengths(layout);
  return Float64Array.from({ length: layout.tofBins }, (_, k) => ((layout.tofBins - 1) / 2 - k) * width);
}
