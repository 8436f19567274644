/** @file  Bins → lines of response in the scanner frame (mm, centre of the scanner = 0).
 *  View angle φ = v π/V + tilt + (mash − 1) π/N, distance from the axis s = R sin(t π/N), or t · binSize if arc-corrected;
 *    X = s cos φ + α sin φ,   Y = s sin φ − α cos φ,   detector 1 at α = +√(R² − s²), detector 2 at −√(R² − s²).
 *  Crystals interleave: at odd t the true line of a crystal pair lies half an unmashed view earlier, φ − π/N. Data that are not
 *  arc-corrected are projected there. */

import { effectiveRadius } from './scanner.js';
import { firstTangential, planeCount, type SinogramLayout, viewMash } from './sinogram.js';

/** Lines of response by their end points, mm: rows of z, y, x, two arrays of n × 3. */
export interface Lines {
  readonly start: Float32Array;
  readonly end: Float32Array;
}

/**
 * Transaxial end points of every bin of the views: rows x₁, y₁, x₂, y₂ in the order [view][tangential], mm.
 * A bin that lies outside the ring (|s| ≥ R) gets two equal points: a line of no length, which sees nothing.
 */
export function transaxialLines(layout: SinogramLayout, views: readonly number[]): Float64Array {
  const { scanner, tangential, arcCorrected, binSize, tilt } = layout;
  const n = scanner.detectorsPerRing;
  const radius = effectiveRadius(scanner);
  const mash = viewMash(layout);
  const halfView = Number.isInteger(mash) ? ((mash - 1) * Math.PI) / n : 0;
  const out = new Float64Array(views.length * tangential * 4);
  let at = 0;
  for (const view of views) {
    for (let i = 0; i < tangential; i++) {
      const t = firstTangential(layout) + i;
      const interleave = !arcCorrected && t % 2 !== 0 ? Math.PI / n : 0;
      const phi = (view * Math.PI) / layout.views + tilt + halfView - interleave;
      const s = arcCorrected ? t * binSize : radius * Math.sin((t * Math.PI) / n);
      const half = Math.sqrt(Math.max(0, radius * radius - s * s));
      const c = Math.cos(phi);
      const d = Math.sin(phi);
      out[at++] = s * c + half * d;
      out[at++] = s * d - half * c;
      out[at++] = s * c - half * d;
      out[at++] = s * d + half * c;
    }
  }
  return out;
}

/** Axial end points z₁, z₂ of every plane, mm: its middle, plus and minus half the mean ring difference. */
export function axialLines({ scanner: { ringSpacing }, segments }: SinogramLayout): Float64Array {
  const rows: number[] = [];
  for (const { minRingDifference, maxRingDifference, axialPositions } of segments) {
    const sampling = minRingDifference === maxRingDifference ? ringSpacing : ringSpacing / 2;
    const half = ((minRingDifference + maxRingDifference) / 4) * ringSpacing;
    for (let axial = 0; axial < axialPositions; axial++) {
      const middle = (axial - (axialPositions - 1) / 2) * sampling;
      rows.push(middle - half, middle + half);
    }
  }
  return Float64Array.from(rows);
}

/** Every bin of the views as a general line, in the order [plane][view][tangential] of the data. */
export function linesOf(layout: SinogramLayout, views: readonly number[]): Lines {
  const transaxial = transaxialLines(layout, views);
  const axial = axialLines(layout);
  const perPlane = views.length * layout.tangential;
  const start = new Float32Array(planeCount(layout) * perPlane * 3);
  const end = new Float32Array(start.length);
  for (let plane = 0, at = 0; plane < planeCount(layout); plane++) {
    for (let i = 0; i < perPlane; i++, at += 3) {
      start.set([axial[2 * plane]!, transaxial[4 * i + 1]!, transaxial[4 * i]!], at);
      end.set([axial[2 * plane + 1]!, transaxial[4 * i + 3]!, transaxial[4 * i + 2]!], at);
    }
  }
  return { start, end };
}

/** Largest distance from the axis that the data see, mm. */
export function fieldOfViewRadius(layout: SinogramLayout): number {
  const { scanner, tangential, arcCorrected, binSize } = layout;
  const t = Math.floor(tangential / 2);
  return arcCorrected
    ? t * binSize
    : effectiveRadius(scanner) * Math.sin((Math.min(t, scanner.detectorsPerRing / 2) * Math.PI) / scanner.detectorsPerRing);
}
