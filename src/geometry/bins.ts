/** @file  Bins ↔ detector pairs ↔ ring pairs.
 *  For detectors numbered round the ring (N in all), view v and tangential position t,
 *    detector 1 = v + ⌊t/2⌋,   detector 2 = v − ⌊(t+1)/2⌋ + N/2   (mod N),
 *  and a ring pair (r₁, r₂) lies in the segment of r₂ − r₁ at the axial position of r₁ + r₂. */
import { firstPlanes, firstTangential, type SinogramLayout, viewMash } from './sinogram.js';

export interface DetectorPair {
  readonly detector1: number;
  readonly detector2: number;
}

/** Detectors of unmashed view v and tangential position t (not index). */
export function detectorsOf(detectorsPerRing: number, view: number, t: number): DetectorPair {
  const n = detectorsPerRing;
  return { detector1: (view + (t >> 1) + n) % n, detector2: (view - ((t + 1) >> 1) + n / 2 + n) % n };
}

/** Unmashed view and tangential position of a detector pair; `swapped` tells that 1 and 2 changed places (rings and TOF do too). */
export function binOfDetectors(
  detectorsPerRing: number,
  detector1: number,
  detector2: number,
): { view: number; t: number; swapped: boolean } {
  const n = detectorsPerRing;
  const half = n / 2;
  let t = (detector1 - detector2 + n + half) % n;
  let view = (detector1 - (t >> 1) + n) % n;
  let swapped = false;
  if (view < half) {
    if (t >= half) {
      t = n - t;
      swapped = true;
    }
  } else {
    view -= half;
    if (t >= half) t -= n;
    else {
      t = -t;
      swapped = true;
    }
  }
  return { view, t, swapped };
}

/** Ring pairs merged into one sinogram. */
export function ringPairs(
  { scanner: { rings }, segments }: SinogramLayout,
  segmentIndex: number,
  axial: number,
): [ring1: number, ring2: number][] {
  const { minRingDifference, maxRingDifference, axialPositions } = segments[segmentIndex]!;
  const perRing = minRingDifference === maxRingDifference ? 1 : 2;
  const sum = (2 * axial - (axialPositions - 1)) / perRing + rings - 1;
  const pairs: [number, number][] = [];
  for (let difference = minRingDifference; difference <= maxRingDifference; difference++) {
    const ring1 = (sum - difference) / 2;
    const ring2 = ring1 + difference;
    if (Number.isInteger(ring1) && Math.min(ring1, ring2) >= 0 && Math.max(ring1, ring2) < rings) pairs.push([ring1, ring2]);
  }
  return pairs;
}

/** Look-up table: plane of each ring pair at [ring1 · rings + ring2], −1 where no segment holds it. */
export function planeOfRings(layout: SinogramLayout): Int32Array {
  const { rings } = layout.scanner;
  const table = new Int32Array(rings * rings).fill(-1);
  const first = firstPlanes(layout);
  layout.segments.forEach(({ axialPositions }, s) => {
    for (let axial = 0; axial < axialPositions; axial++) {
      for (const [ring1, ring2] of ringPairs(layout, s, axial)) table[ring1 * rings + ring2] = first[s]! + axial;
    }
  });
  return table;
}

/** Ring pairs in each plane; a line integral through the middle of the plane stands for all of them. */
export function ringPairCounts(layout: SinogramLayout): number[] {
  return layout.segments.flatMap(({ axialPositions }, s) =>
    Array.from({ length: axialPositions }, (_, axial) => ringPairs(layout, s, axial).length),
  );
}

/**
 * Crystal pairs that can detect in each (view, tangential) bin: mashing adds pairs, gap crystals take them away.
 * For arc-corrected data every bin counts as the full number.
 */
export function crystalPairCounts(layout: SinogramLayout): Float32Array {
  const { scanner, views, tangential, arcCorrected } = layout;
  const mash = viewMash(layout);
  const isGap = (detector: number): boolean => scanner.gap !== undefined && detector % scanner.gap.period === scanner.gap.residue;
  const counts = new Float32Array(views * tangential).fill(mash);
  if (arcCorrected || !scanner.gap) return counts;
  for (let view = 0; view < views; view++) {
    for (let i = 0; i < tangential; i++) {
      for (let k = 0; k < mash; k++) {
        const { detector1, detector2 } = detectorsOf(scanner.detectorsPerRing, view * mash + k, firstTangential(layout) + i);
        if (isGap(detector1) || isGap(detector2)) counts[view * tangential + i]! -= 1;
      }
    }
  }
  return counts;
}
