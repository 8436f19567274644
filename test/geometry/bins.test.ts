import { describe, expect, it } from 'vitest';
import {
  binOfDetectors,
  crystalPairCounts,
  detectorsOf,
  planeOfRings,
  ringPairCounts,
  ringPairs,
} from '../../src/geometry/bins.js';
import { scannerByName } from '../../src/geometry/scanners.js';
import { firstPlanes, planeCount, sinogramLayout } from '../../src/geometry/sinogram.js';

describe.each([12, 44, 504])('bins of a ring of %d detectors', (n) => {
  it('are pairs of detectors, one to one, there and back', () => {
    const seen = new Set<number>();
    for (let view = 0; view < n / 2; view++) {
      for (let t = -n / 2 + 1; t < n / 2; t++) {
        const { detector1, detector2 } = detectorsOf(n, view, t);
        expect(detector1 !== detector2).toBe(true);
        seen.add(Math.min(detector1, detector2) * n + Math.max(detector1, detector2));
        const back = binOfDetectors(n, detector1, detector2);
        const turned = binOfDetectors(n, detector2, detector1);
        if (back.view !== view || back.t !== t || back.swapped || turned.view !== view || turned.t !== t || !turned.swapped) {
          expect.fail(`view ${view}, position ${t}: ${JSON.stringify([back, turned])}`);
        }
      }
    }
    // All pairs but those of a detector with its neighbour across view 0, where t = n/2.
    expect(seen.size).toBe((n / 2) * (n - 1));
    expect(seen.size).toBe((n * (n - 1)) / 2);
  });
});

describe('ring pairs', () => {
  it.each([
    [{ span: 1 }, 64 * 64],
    [{ span: 11, maxRingDifference: 60 }, 64 * 64 - 2 * (3 + 2 + 1)],
    [{ span: 3, maxRingDifference: 7 }, undefined],
    [{ span: 2 }, 64 * 64],
  ])('are divided among the planes: %j', (options, expected) => {
    const layout = sinogramLayout(scannerByName('mMR'), options);
    const counts = ringPairCounts(layout);
    const table = planeOfRings(layout);
    const found = new Array<number>(planeCount(layout)).fill(0);
    for (const plane of table) if (plane >= 0) found[plane]!++;
    expect(found).toEqual(counts);
    expect(Math.min(...counts)).toBeGreaterThan(0);
    const total = counts.reduce((a, b) => a + b, 0);
    const { maxRingDifference: d = 63 } = options as { readonly maxRingDifference?: number };
    expect(total).toBe(expected ?? 64 + 2 * Array.from({ length: d }, (_, i) => 63 - i).reduce((a, b) => a + b, 0));
  });

  it('of a plane have their middle at its place, and their difference in its segment', () => {
    const layout = sinogramLayout(scannerByName('mMR'), { span: 11, maxRingDifference: 60 });
    layout.segments.forEach(({ axialPositions, minRingDifference, maxRingDifference }, s) => {
      for (let axial = 0; axial < axialPositions; axial++) {
        for (const [ring1, ring2] of ringPairs(layout, s, axial)) {
          expect((ring1 + ring2 - 63) / 2).toBe((axial - (axialPositions - 1) / 2) / 2);
          expect(ring2 - ring1 >= minRingDifference && ring2 - ring1 <= maxRingDifference).toBe(true);
        }
      }
    });
  });

  it('with ring difference +1 lie in the second segment, −1 in the third', () => {
    const layout = sinogramLayout(scannerByName('small'), { span: 1, maxRingDifference: 1 });
    const table = planeOfRings(layout);
    expect(firstPlanes(layout)).toEqual([0, 16, 31]);
    expect(table[3 * 16 + 4]).toBe(16 + 3);
    expect(table[4 * 16 + 3]).toBe(31 + 3);
  });
});

describe('crystalPairCounts', () => {
  it('counts the mashed views, less the pairs that have a gap', () => {
    const scanner = scannerByName('mMR');
    const counts = crystalPairCounts(sinogramLayout(scanner, { viewMash: 2 }));
    expect(Math.max(...counts)).toBe(2);
    const mean = counts.reduce((a, b) => a + b, 0) / counts.length;
    expect(mean).toBeCloseTo(2 * (8 / 9) ** 2, 2);
    expect(crystalPairCounts(sinogramLayout(scanner, { viewMash: 2, arcCorrected: true })).every((n) => n === 2)).toBe(true);
    expect(crystalPairCounts(sinogramLayout(scannerByName('small'))).every((n) => n === 1)).toBe(true);
  });
});
