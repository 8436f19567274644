/** @file  The layout of projection data: segments × axial positions × views × tangential positions, times TOF bins.
 *  Conventions are STIR's (Thielemans et al. 2012, doi:10.1088/0031-9155/57/4/867): ring difference = ring 2 − ring 1, segment 0 in the
 *  middle, data in the order [tof][segment][axial][view][tangential]. */
import { array, type NdArray } from '../core/array.js';
import { GeometryError } from '../core/errors.js';
import type { Scanner } from './scanner.js';

/** Ring pairs whose difference lies in [minRingDifference, maxRingDifference], merged (spanned) into `axialPositions` sinograms. */
export interface Segment {
  readonly minRingDifference: number;
  readonly maxRingDifference: number;
  readonly axialPositions: number;
}

export interface SinogramLayout {
  readonly scanner: Scanner;
  /** In file order. */
  readonly segments: readonly Segment[];
  /** Views over 180°: detectorsPerRing / 2 / mashing. */
  readonly views: number;
  /** Number of tangential positions; index 0 is position −⌊n/2⌋. */
  readonly tangential: number;
  /** Tangential positions equally spaced by `binSize` (true) or at the crystals (false). */
  readonly arcCorrected: boolean;
  /** Tangential spacing of arc-corrected data, mm. */
  readonly binSize: number;
  /** Angle of view 0 before the half-view of mashing, rad. */
  readonly tilt: number;
  /** TOF bins after mashing; 1 without time of flight. */
  readonly tofBins: number;
  /** Unmashed TOF bins in one bin. */
  readonly tofMash: number;
}

/** Projection data and where they lie; values of shape `sinogramShape(layout)`. */
export interface Sinogram {
  readonly layout: SinogramLayout;
  readonly values: NdArray;
}

export interface LayoutOptions {
  /** Axial compression: 1 none; odd as usual; even as in GE's mixed segment 0. @default 1 */
  readonly span?: number | undefined;
  /** @default rings − 1 */
  readonly maxRingDifference?: number | undefined;
  /** Neighbouring views added into one. @default 1 */
  readonly viewMash?: number | undefined;
  /** @default the scanner's largest number */
  readonly tangential?: number | undefined;
  /** @default false */
  readonly arcCorrected?: boolean | undefined;
  /** Unmashed TOF bins added into one; undefined for data without TOF. @default none */
  readonly tofMash?: number | undefined;
}

/**
 * The layout that a scanner gives with these compressions, segments in the order 0, +1, −1, +2, −2, …
 * @throws GeometryError when a compression does not fit the scanner.
 */
export function sinogramLayout(scanner: Scanner, options: LayoutOptions = {}): SinogramLayout {
  const { span = 1, maxRingDifference = scanner.rings - 1, viewMash = 1, arcCorrected = false, tofMash } = options;
  const { tangential = arcCorrected ? scanner.defaultArcCorrected : scanner.maxTangential } = options;
  const check = (ok: boolean, key: string, expected: string, found: unknown): void => {
    if (!ok) throw new GeometryError(`Sinogram layout of ${scanner.name}`, { key, expected, found });
  };
  const whole = (n: number, low: number, high: number): boolean => Number.isInteger(n) && n >= low && n <= high;
  check(whole(maxRingDifference, 0, scanner.rings - 1), 'maxRingDifference', `0 … ${scanner.rings - 1}`, maxRingDifference);
  check(whole(span, 1, 2 * scanner.rings - 1), 'span', `1 … ${2 * scanner.rings - 1}`, span);
  const unmashed = scanner.detectorsPerRing / 2;
  check(whole(viewMash, 1, unmashed) && unmashed % viewMash === 0, 'viewMash', `a divisor of ${unmashed} views`, viewMash);
  const limit = arcCorrected ? 4096 : scanner.detectorsPerRing - 1;
  check(whole(tangential, 1, limit), 'tangential', `1 … ${limit}`, tangential);
  if (tofMash !== undefined) {
    check(scanner.tof !== undefined, 'tofMash', 'a scanner with time of flight', scanner.name);
    check(
      whole(tofMash, 1, scanner.tof!.bins) && scanner.tof!.bins % tofMash === 0,
      'tofMash',
      `a divisor of ${scanner.tof!.bins} TOF bins`,
      tofMash,
    );
  }
  return {
    scanner,
    segments: spannedSegments(scanner.rings, span, maxRingDifference),
    views: unmashed / viewMash,
    tangential,
    arcCorrected,
    binSize: scanner.binSize,
    tilt: scanner.tilt,
    tofBins: tofMash === undefined ? 1 : scanner.tof!.bins / tofMash,
    tofMash: tofMash ?? 1,
  };
}

/** Segments 0, +1, −1, …: segment 0 is `span` wide (even span: one wider), the others too; the last is cut at the maximum. */
function spannedSegments(rings: number, span: number, maxRingDifference: number): Segment[] {
  const half = Math.min(Math.floor(span / 2), maxRingDifference);
  const segments = [segment(rings, 0 - half, half)];
  for (let low = half + 1; low <= maxRingDifference; low += span) {
    const high = Math.min(low + span - 1, maxRingDifference);
    segments.push(segment(rings, low, high), segment(rings, -high, -low));
  }
  return segments;
}

/** The segment of these ring differences, with its number of axial positions. */
export function segment(rings: number, minRingDifference: number, maxRingDifference: number): Segment {
  const nearest =
    minRingDifference * maxRingDifference <= 0 ? 0 : Math.min(Math.abs(minRingDifference), Math.abs(maxRingDifference));
  const axialPositions = minRingDifference === maxRingDifference ? rings - nearest : 2 * rings - 1 - 2 * nearest;
  return { minRingDifference, maxRingDifference, axialPositions };
}

/** Sinograms of all segments together. */
export function planeCount({ segments }: SinogramLayout): number {
  return segments.reduce((sum, { axialPositions }) => sum + axialPositions, 0);
}

/** [tof, plane, view, tangential]; planes run through the segments in file order, axial position fastest. */
export function sinogramShape(layout: SinogramLayout, views: number = layout.views): readonly [number, number, number, number] {
  return [layout.tofBins, planeCount(layout), views, layout.tangential];
}

/** Number of the first plane of each segment. */
export function firstPlanes({ segments }: SinogramLayout): number[] {
  let next = 0;
  return segments.map(({ axialPositions }) => (next += axialPositions) - axialPositions);
}

/** STIR's segment number of each segment in file order: 0 is the one centred on ring difference 0. */
export function segmentNumbers({ segments }: SinogramLayout): number[] {
  const sums = segments.map(({ minRingDifference, maxRingDifference }) => minRingDifference + maxRingDifference);
  const sorted = [...sums].sort((a, b) => a - b);
  return sums.map((sum) => sorted.indexOf(sum) - sorted.indexOf(0));
}

/** Detector pairs of neighbouring views added into one view. */
export function viewMash({ scanner, views }: SinogramLayout): number {
  return scanner.detectorsPerRing / (2 * views);
}

/** Tangential position, …, −1, 0, 1, …, of the first index. */
export function firstTangential({ tangential }: SinogramLayout): number {
  return -Math.floor(tangential / 2);
}

/** Views picked out of projection data: shape [tof, plane, views.length, tangential]. */
export function gatherViews({ layout, values }: Sinogram, views: readonly number[]): NdArray {
  const shape = sinogramShape(layout, views.length);
  const out = array(shape);
  const width = layout.tangential;
  for (let plane = 0; plane < shape[0] * shape[1]; plane++) {
    for (let k = 0; k < views.length; k++) {
      const from = (plane * layout.views + views[k]!) * width;
      out.data.set(values.data.subarray(from, from + width), (plane * views.length + k) * width);
    }
  }
  return out;
}

/** Are two layouts the same bins in the same order? */
export function sameLayout(a: SinogramLayout, b: SinogramLayout): boolean {
  const key = ({ scanner: s, segments, ...rest }: SinogramLayout): string =>
    JSON.stringify([
      s.rings,
      s.detectorsPerRing,
      s.innerRadius + s.depthOfInteraction,
      s.ringSpacing,
      s.flatBlocks ?? null,
      s.axialBlocks ?? null,
      segments,
      Object.entries(rest).sort(),
    ]);
  return key(a) === key(b);
}
