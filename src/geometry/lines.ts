/** @file  Bins → lines of response in the scanner frame (mm, centre of the scanner = 0).
 *  View angle φ = v π/V + tilt + (mash − 1) π/N, distance from the axis s = R sin(t π/N), or t · binSize if arc-corrected;
 *    X = s cos φ + α sin φ,   Y = s sin φ − α cos φ,   detector 1 at α = +√(R² − s²), detector 2 at −√(R² − s²).
 *  Crystals interleave: at odd t the true line of a crystal pair lies half an unmashed view earlier, φ − π/N. Data that are not
 *  arc-corrected are projected there. On flat blocks the ends are the crystals themselves; mashed, the mean of the pairs' ends. */
import { detectorsOf } from './bins.js';
import { crystalPosition, effectiveRadius, ringPosition } from './scanner.js';
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
  if (scanner.flatBlocks && !arcCorrected) return crystalLines(layout, views);
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

/** Rows of `transaxialLines`, from crystal to crystal. */
function crystalLines(layout: SinogramLayout, views: readonly number[]): Float64Array {
  const { scanner, tangential, tilt } = layout;
  const mash = viewMash(layout);
  const crystals = Array.from({ length: scanner.detectorsPerRing }, (_, d) => crystalPosition(scanner, d, tilt));
  const out = new Float64Array(views.length * tangential * 4);
  views.forEach((view, k) => {
    for (let i = 0; i < tangential; i++) {
      const at = 4 * (k * tangential + i);
      for (let m = 0; m < mash; m++) {
        const pair = detectorsOf(scanner.detectorsPerRing, view * mash + m, firstTangential(layout) + i);
        const ends = [...crystals[pair.detector1]!, ...crystals[pair.detector2]!];
        for (let c = 0; c < 4; c++) out[at + c]! += ends[c]! / mash;
      }
    }
  });
  return out;
}

/** Axial end points z₁, z₂ of every plane, mm: its middle, plus and minus half the mean ring difference. */
export function axialLines({ scanner, segments }: SinogramLayout): Float64Array {
  const rows: number[] = [];
  for (const { minRingDifference, maxRingDifference, axialPositions } of segments) {
    const perRing = minRingDifference === maxRingDifference ? 1 : 2;
    const half = (minRingDifference + maxRingDifference) / 4;
    for (let axial = 0; axial < axialPositions; axial++) {
      const middle = (axial - (axialPositions - 1) / 2) / perRing + (scanner.rings - 1) / 2;
      rows.push(ringPosition(scanner, middle - half), ringPosition(scanner, middle + half));
    }
  }
  return Float64Array.from(rows);
}

/** Planes that follow one another in a segment, parallel and equally spaced: whole segments, or, where rings come in blocks, parts of them. */
export interface EvenPlanes {
  /** Number of the first plane. */
  readonly first: number;
  readonly planes: number;
}

/** The planes of a layout in the longest even runs, in order. */
export function evenPlanes(layout: SinogramLayout): EvenPlanes[] {
  const axial = axialLines(layout);
  const step = (plane: number, end: 0 | 1): number => axial[2 * plane + 2 + end]! - axial[2 * plane + end]!;
  const runs: EvenPlanes[] = [];
  let plane = 0;
  for (const { axialPositions } of layout.segments) {
    const last = plane + axialPositions - 1;
    while (plane <= last) {
      const first = plane;
      const next = step(first, 0);
      const even = (p: number): boolean => Math.abs(step(p, 0) - next) < 1e-9 && Math.abs(step(p, 1) - next) < 1e-9;
      while (plane < last && even(plane)) plane++;
      plane++;
      runs.push({ first, planes: plane - first });
    }
  }
  return runs;
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

/** Largest distance from the axis that all views see, mm. */
export function fieldOfViewRadius(layout: SinogramLayout): number {
  const { scanner, tangential, arcCorrected, binSize } = layout;
  const t = Math.floor(tangential / 2);
  if (arcCorrected) return t * binSize;
  if (scanner.flatBlocks) {
    const views = Array.from({ length: layout.views }, (_, view) => view);
    const ends = transaxialLines({ ...layout, tangential: 2 * t + 1 }, views);
    const distances = views.flatMap((view) =>
      [0, 2 * t].map((i) => {
        const [x1, y1, x2, y2] = ends.subarray(4 * (view * (2 * t + 1) + i)) as unknown as [number, number, number, number];
        return Math.abs(x1 * y2 - x2 * y1) / (Math.hypot(x2 - x1, y2 - y1) || 1);
      }),
    );
    return Math.min(...distances);
  }
  return effectiveRadius(scanner) * Math.sin((Math.min(t, scanner.detectorsPerRing / 2) * Math.PI) / scanner.detectorsPerRing);
}
