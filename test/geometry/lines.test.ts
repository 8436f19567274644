import { describe, expect, it } from 'vitest';
import { detectorsOf, ringPairs } from '../../src/geometry/bins.js';
import { defaultGrid } from '../../src/geometry/grid.js';
import { axialLines, fieldOfViewRadius, linesOf, transaxialLines } from '../../src/geometry/lines.js';
import { effectiveRadius, type Scanner } from '../../src/geometry/scanner.js';
import { scannerByName } from '../../src/geometry/scanners.js';
import { sinogramLayout } from '../../src/geometry/sinogram.js';

const scanner: Scanner = { ...scannerByName('ECAT EXACT'), tilt: 0.21 };
const all = (n: number): number[] => Array.from({ length: n }, (_, i) => i);

/** Largest distance between the lines' end points and the two crystals, mm, if crystals were numbered and placed like this. */
function missedBy(place: (psi: number, radius: number) => readonly [x: number, y: number], order = 1): number {
  const layout = sinogramLayout(scanner);
  const n = scanner.detectorsPerRing;
  const radius = effectiveRadius(scanner);
  const lines = transaxialLines(layout, all(layout.views));
  let worst = 0;
  for (let view = 0, at = 0; view < layout.views; view++) {
    for (let i = 0; i < layout.tangential; i++, at += 4) {
      const { detector1, detector2 } = detectorsOf(n, view, i - Math.floor(layout.tangential / 2));
      const ends = order === 1 ? [detector1, detector2] : [detector2, detector1];
      ends.forEach((crystal, end) => {
        const [x, y] = place((2 * Math.PI * crystal) / n + scanner.tilt, radius);
        worst = Math.max(worst, Math.hypot(x - lines[at + 2 * end]!, y - lines[at + 2 * end + 1]!));
      });
    }
  }
  return worst;
}

describe('transaxialLines', () => {
  it('run exactly from crystal to crystal, x = R sin ψ, y = −R cos ψ', () => {
    expect(missedBy((psi, r) => [r * Math.sin(psi), -r * Math.cos(psi)])).toBeLessThan(1e-9);
  });

  it('would miss by far if any convention were flipped', () => {
    expect(missedBy((psi, r) => [-r * Math.sin(psi), -r * Math.cos(psi)])).toBeGreaterThan(100);
    expect(missedBy((psi, r) => [r * Math.sin(psi), r * Math.cos(psi)])).toBeGreaterThan(100);
    expect(missedBy((psi, r) => [r * Math.cos(psi), r * Math.sin(psi)])).toBeGreaterThan(100);
    expect(missedBy((psi, r) => [r * Math.sin(psi), -r * Math.cos(psi)], 2)).toBeGreaterThan(100);
    expect(missedBy((psi, r) => [r * Math.sin(psi - scanner.tilt), -r * Math.cos(psi - scanner.tilt)])).toBeGreaterThan(80);
  });

  it('of mashed views lie in the middle of those they are made of', () => {
    const single = transaxialLines(sinogramLayout(scanner), all(192));
    const mashed = transaxialLines(sinogramLayout(scanner, { viewMash: 2 }), all(96));
    const angle = (lines: Float64Array, at: number): number =>
      Math.atan2(lines[at + 2]! - lines[at]!, lines[at + 3]! - lines[at + 1]!);
    for (const i of [0, 95, 96, 97, 191]) {
      const between = (angle(single, (10 * 192 + i) * 4) + angle(single, (11 * 192 + i) * 4)) / 2;
      expect(angle(mashed, (5 * 192 + i) * 4)).toBeCloseTo(between, 9);
    }
  });

  it('of arc-corrected data are equally spaced and parallel; those outside the ring have no length', () => {
    const layout = sinogramLayout(scanner, { arcCorrected: true, tangential: 301 });
    const lines = transaxialLines(layout, [17]);
    const phi = (17 * Math.PI) / 192 + 0.21;
    for (let i = 0; i < 301; i++) {
      const [x1, y1, x2, y2] = lines.subarray(4 * i, 4 * i + 4) as unknown as [number, number, number, number];
      const s = (i - 150) * 3.375;
      expect(((x1 + x2) / 2) * Math.cos(phi) + ((y1 + y2) / 2) * Math.sin(phi)).toBeCloseTo(s, 6);
      expect(Math.hypot(x2 - x1, y2 - y1)).toBeCloseTo(2 * Math.sqrt(Math.max(0, 419.5 ** 2 - s * s)), 6);
    }
    expect(lines.subarray(0, 2)).toEqual(lines.subarray(2, 4));
  });
});

describe('axialLines', () => {
  it('run from ring 1 to ring 2 of a plane that holds one ring pair', () => {
    const layout = sinogramLayout(scanner, { span: 1, maxRingDifference: 5 });
    const lines = axialLines(layout);
    let at = 0;
    layout.segments.forEach(({ axialPositions }, s) => {
      for (let axial = 0; axial < axialPositions; axial++, at += 2) {
        const [[ring1, ring2]] = ringPairs(layout, s, axial) as [[number, number]];
        expect(lines[at]).toBeCloseTo((ring1 - 11.5) * 6.75, 9);
        expect(lines[at + 1]).toBeCloseTo((ring2 - 11.5) * 6.75, 9);
      }
    });
    expect(at).toBe(lines.length);
  });

  it('run through the mean of the ring pairs merged', () => {
    const layout = sinogramLayout(scanner, { span: 5, maxRingDifference: 7 });
    const lines = axialLines(layout);
    const middle = Math.floor(layout.segments[1]!.axialPositions / 2);
    const at = 2 * (layout.segments[0]!.axialPositions + middle);
    const pairs = ringPairs(layout, 1, middle);
    const mean = (end: 0 | 1): number => pairs.reduce((sum, pair) => sum + (pair[end] - 11.5) * 6.75, 0) / pairs.length;
    expect(lines[at]! + lines[at + 1]!).toBeCloseTo(mean(0) + mean(1), 9);
    expect(lines[at + 1]! - lines[at]!).toBeCloseTo(5 * 6.75, 9);
  });
});

describe('linesOf', () => {
  it('expands the tables in the order plane, view, tangential', () => {
    const layout = sinogramLayout(scannerByName('small'), { span: 3 });
    const views = [5, 2];
    const { start, end } = linesOf(layout, views);
    const [transaxial, axial] = [transaxialLines(layout, views), axialLines(layout)];
    const [plane, view, t] = [40, 1, 9];
    const bin = view * layout.tangential + t;
    const at = (plane * 2 * layout.tangential + bin) * 3;
    const expected = [axial[2 * plane], transaxial[4 * bin + 1], transaxial[4 * bin]].map((v) => Math.fround(v!));
    expect([...start.subarray(at, at + 3)]).toEqual(expected);
    expect(end[at]).toBe(Math.fround(axial[2 * plane + 1]!));
  });
});

describe('defaultGrid', () => {
  it('covers the field of view with planes half a ring apart', () => {
    const layout = sinogramLayout(scannerByName('mMR'), { span: 11 });
    const grid = defaultGrid(layout);
    expect(grid.shape[0]).toBe(127);
    expect(grid.voxelSize[0]).toBeCloseTo(2.03125, 9);
    expect((grid.shape[2] / 2) * grid.voxelSize[2]).toBeGreaterThanOrEqual(fieldOfViewRadius(layout));
    expect(grid.origin[2]).toBeCloseTo((-(grid.shape[2] - 1) / 2) * grid.voxelSize[2], 9);
  });
});
