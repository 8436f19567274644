/** @file  Scanners of five kinds for simulated cohorts. Each is a class of product, not one product: its resolution, timing, sensitivity and
 *  bore are those of the class, while crystals and rings are as fine as the image needs, so that simulation and reconstruction are fast.
 *  Resolution and timing as published for the classes (NEMA NU 2: 4 … 6.5 mm, 550 … 210 ps); full dose is a scan
 *  of high statistics, as low-dose studies take for their reference: about a quarter of an hour a bed position. A usual clinical scan is
 *  about a quarter of it: for `clinical`, some 20 million trues of FDG in 12 cm of the trunk. */
import type { Shape3 } from '../core/array.js';
import { OptionError } from '../core/errors.js';
import type { Grid } from '../core/image.js';
import { parseScanner } from '../geometry/scanner.js';
import { type SinogramLayout, sinogramLayout } from '../geometry/sinogram.js';

export interface VirtualScanner {
  readonly name: string;
  /** Resolution, mm FWHM. */
  readonly psf: number;
  /** Expected trues at full dose per SUV · mL of FDG, were nothing attenuated; see `acquire`. */
  readonly sensitivity: number;
  /** Of the expected prompts. */
  readonly randomsFraction: number;
  /** Of the expected prompts. */
  readonly scatterFraction: number;
  /** Where lines of response end, mm from the axis. */
  readonly radius: number;
  /** Views over 180°; scanners with time of flight need fewer. */
  readonly views: number;
  /** Largest ring difference, as a share of the rings. */
  readonly acceptance: number;
  /** Coincidence timing resolution, ps FWHM. @default no time of flight */
  readonly timing?: number | undefined;
}

type Row = readonly [
  name: string,
  psf: number,
  sensitivity: number,
  randomsFraction: number,
  scatterFraction: number,
  radius: number,
  views: number,
  acceptance: number,
  timing?: number,
];

// biome-ignore format: a table
const rows: readonly Row[] = [
  ['legacy',    6.4,  50_000, 0.25, 0.30, 420, 96, 0.35],
  ['clinical',  4.9,  80_000, 0.25, 0.25, 420, 24, 0.45, 550],
  ['digital',   3.9, 130_000, 0.20, 0.25, 410, 24, 0.45, 215],
  ['totalbody', 4.2, 350_000, 0.30, 0.25, 410, 24, 0.80, 230],
  ['petmr',     4.5,  90_000, 0.20, 0.28, 340, 96, 0.45],
];

/** `petmr` is for tests on a scanner that a model was not trained on. */
export const virtualScanners: readonly VirtualScanner[] = rows.map(
  ([name, psf, sensitivity, randomsFraction, scatterFraction, radius, views, acceptance, timing]) => ({
    ...{ name, psf, sensitivity, randomsFraction, scatterFraction },
    ...{ radius, views, acceptance, timing },
  }),
);

/** Names of the scanners. */
export const virtualScannerNames: readonly string[] = virtualScanners.map(({ name }) => name);

/** @throws OptionError for a name that is none of `virtualScannerNames`. */
export function virtualScanner(name: string): VirtualScanner {
  const found = virtualScanners.find((scanner) => scanner.name === name);
  if (found) return found;
  throw new OptionError('Unknown virtual scanner', { expected: `one of ${virtualScannerNames.join(', ')}`, found: name });
}

/** Line of response per ps of time difference: c/2, mm. */
const mmPerPs = 0.149896229;

/**
 * The data that a virtual scanner takes of an image on this grid: rings two slices apart over its whole length, tangential bins as fine as
 * its voxels over its whole width.
 * @throws OptionError when the grid is wider than the bore, or has an even number of slices.
 */
export function virtualLayout(
  { name, radius, views, acceptance, timing }: VirtualScanner,
  { shape, voxelSize }: Grid,
): SinogramLayout {
  const [nz, ny, nx] = shape as Shape3;
  const [dz, dy, dx] = voxelSize;
  if (nz % 2 === 0 || nz < 5) throw new OptionError('Slices', { key: 'grid', expected: 'an odd number from 5', found: nz });
  const fov = Math.max(ny * dy, nx * dx) / 2;
  if (fov > 0.95 * radius) {
    throw new OptionError(`The image is wider than the bore of ${name}`, {
      expected: `at most ${1.9 * radius} mm`,
      found: 2 * fov,
    });
  }
  // Lines of one view lie πR/N apart at the centre; N is a multiple of twice the views, so that views can be mashed.
  const mash = Math.max(1, Math.round((Math.PI * radius) / Math.min(dy, dx) / (2 * views)));
  const detectorsPerRing = 2 * views * mash;
  const halfBins = Math.ceil((Math.asin(fov / radius) * detectorsPerRing) / Math.PI);
  const rings = (nz + 1) / 2;
  const most = Math.max(1, Math.round(acceptance * (rings - 1)));
  const maxTangential = Math.min(2 * halfBins + 1, detectorsPerRing - 1);
  const width = timing ?? 0; // one bin a FWHM: coarse, for speed; timing becomes worse by a fifth
  const half = Math.ceil(fov / (width * mmPerPs) - 0.5);
  const scanner = parseScanner({
    ...{ name, rings, detectorsPerRing, maxTangential, innerRadius: radius, ringSpacing: 2 * dz, binSize: Math.min(dy, dx) },
    defaultArcCorrected: maxTangential,
    ...(timing === undefined ? {} : { tof: { bins: 2 * half + 1, binWidth: width, resolution: timing } }),
  });
  return sinogramLayout(scanner, {
    // Three segments: direct, and one to either side.
    span: Math.max(3, 2 * Math.floor(most / 3) + 1),
    maxRingDifference: most,
    viewMash: mash,
    ...(timing === undefined ? {} : { tofMash: 1 }),
  });
}
