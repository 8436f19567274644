import { describe, expect, it } from 'vitest';
import { fill } from '../../src/core/array.js';
import { GeometryError } from '../../src/core/errors.js';
import { detectorsOf } from '../../src/geometry/bins.js';
import { defaultGrid } from '../../src/geometry/grid.js';
import { axialLines, evenPlanes, fieldOfViewRadius, transaxialLines } from '../../src/geometry/lines.js';
import { crystalPosition, effectiveRadius, parseScanner, ringPosition, type Scanner } from '../../src/geometry/scanner.js';
import { sameLayout, sinogramLayout, sinogramShape } from '../../src/geometry/sinogram.js';
import { readInterfileProjData, writeInterfileProjData } from '../../src/io/interfile-projdata.js';

const round: Scanner = {
  ...{ name: 'flat', aliases: [], rings: 6, detectorsPerRing: 40, innerRadius: 97, depthOfInteraction: 3, ringSpacing: 4 },
  ...{ maxTangential: 23, defaultArcCorrected: 23, binSize: 6, tilt: 0.17 },
};
const flat: Scanner = { ...round, flatBlocks: { crystals: 5, spacing: 15 }, axialBlocks: { rings: 3, gap: 2.6 } };
const all = (n: number): number[] => Array.from({ length: n }, (_, i) => i);

describe('flat blocks', () => {
  it('of one crystal are the circle', () => {
    const single = { ...round, flatBlocks: { crystals: 1, spacing: 3 } };
    for (const viewMash of [1, 2]) {
      const lines = transaxialLines(sinogramLayout(round, { viewMash }), all(20 / viewMash));
      const found = transaxialLines(sinogramLayout(single, { viewMash }), all(20 / viewMash));
      for (let at = 0; at < lines.length; at += 4) {
        // Mashed, the mean of the ends lies on the same line, a little nearer.
        const [x1, y1, x2, y2] = lines.subarray(at) as unknown as [number, number, number, number];
        for (const end of [0, 2]) {
          const off = (found[at + end]! - x1) * (y2 - y1) - (found[at + end + 1]! - y1) * (x2 - x1);
          expect(Math.abs(off) / Math.hypot(x2 - x1, y2 - y1)).toBeLessThan(viewMash === 1 ? 1e-9 : 0.7);
        }
        if (viewMash === 1) for (let c = 0; c < 4; c++) expect(found[at + c]).toBeCloseTo(lines[at + c]!, 9);
      }
    }
  });

  it('lie along a tangent, their middles at the radius, in the order of the ring', () => {
    for (let block = 0; block < 8; block++) {
      const crystals = all(5).map((k) => crystalPosition(flat, 5 * block + k, flat.tilt));
      const [mx, my] = crystals[2]!;
      expect(Math.hypot(mx, my)).toBeCloseTo(effectiveRadius(flat), 9);
      crystals.forEach(([x, y], k) => {
        // Signed distance from the middle along the face, and towards the axis.
        expect(((x - mx) * -my + (y - my) * mx) / 100).toBeCloseTo(15 * (k - 2), 9);
        expect((x * mx + y * my) / 100).toBeCloseTo(100, 9);
      });
      // Counter-clockwise like the circle's crystals, and the middle where the circle has it.
      const [rx, ry] = crystalPosition(round, 5 * block + 2, round.tilt);
      expect(Math.hypot(mx - rx, my - ry)).toBeLessThan(1e-9);
    }
  });

  it('have lines that end at their crystals, whatever the parity of the position', () => {
    const layout = sinogramLayout(flat);
    const lines = transaxialLines(layout, all(20));
    for (const [view, i] of [
      [0, 11],
      [3, 0],
      [7, 12],
      [19, 22],
    ] as const) {
      const { detector1, detector2 } = detectorsOf(40, view, i - 11);
      const ends = [...crystalPosition(flat, detector1, flat.tilt), ...crystalPosition(flat, detector2, flat.tilt)];
      expect([...lines.subarray(4 * (view * 23 + i)).subarray(0, 4)]).toEqual(ends);
    }
  });

  it('give the field of view that every view sees, not that of the circle', () => {
    const layout = sinogramLayout(flat);
    const ends = transaxialLines(layout, all(20));
    let least = Number.POSITIVE_INFINITY;
    for (let view = 0; view < 20; view++) {
      for (const i of [0, 22]) {
        const [x1, y1, x2, y2] = ends.subarray(4 * (view * 23 + i)) as unknown as [number, number, number, number];
        const normal = Math.atan2(x1 - x2, y2 - y1);
        least = Math.min(least, Math.abs(x1 * Math.cos(normal) + y1 * Math.sin(normal)));
      }
    }
    expect(fieldOfViewRadius(layout)).toBeCloseTo(least, 9);
    expect(fieldOfViewRadius(layout)).not.toBeCloseTo(fieldOfViewRadius(sinogramLayout(round)), 1);
  });
});

describe('axial blocks', () => {
  it('keep rings apart, in the middle of the scanner', () => {
    expect(all(6).map((r) => ringPosition(flat, r))).toEqual(
      [-11.3, -7.3, -3.3, 3.3, 7.3, 11.3].map((z) => expect.closeTo(z, 9)),
    );
    expect(ringPosition(flat, 2.5)).toBeCloseTo(0, 9);
    expect(ringPosition(flat, -0.5)).toBeCloseTo(-13.3, 9);
    expect(ringPosition(flat, 5.5)).toBeCloseTo(13.3, 9);
    const pair = { ...round, rings: 2, axialBlocks: { rings: 1, gap: 2 } };
    expect([-0.5, 0, 1, 1.5].map((r) => ringPosition(pair, r))).toEqual([-5, -3, 3, 5]);
  });

  it('without a gap are none', () => {
    const none = sinogramLayout({ ...round, axialBlocks: { rings: 3, gap: 0 } }, { span: 3 });
    axialLines(none).forEach((z, i) => {
      expect(z).toBeCloseTo(axialLines(sinogramLayout(round, { span: 3 }))[i]!, 9);
    });
    expect(evenPlanes(none).map(({ planes }) => planes)).toEqual(none.segments.map(({ axialPositions }) => axialPositions));
  });

  it('split segments into even runs: every plane once, in order, the first ring pairs of both blocks together', () => {
    const layout = sinogramLayout(flat, { maxRingDifference: 1 });
    expect(evenPlanes(layout)).toEqual([
      ...[
        { first: 0, planes: 3 },
        { first: 3, planes: 3 },
      ],
      ...[
        { first: 6, planes: 2 },
        { first: 8, planes: 1 },
        { first: 9, planes: 2 },
      ],
      ...[
        { first: 11, planes: 2 },
        { first: 13, planes: 1 },
        { first: 14, planes: 2 },
      ],
    ]);
    const axial = axialLines(layout);
    expect([axial[12], axial[13]]).toEqual([expect.closeTo(-11.3, 9), expect.closeTo(-7.3, 9)]);
    expect([axial[16], axial[17]]).toEqual([expect.closeTo(-3.3, 9), expect.closeTo(3.3, 9)]);
  });

  it('make the image reach from the first ring to the last', () => {
    const { shape, voxelSize, origin } = defaultGrid(sinogramLayout(flat));
    expect(voxelSize[0]).toBe(2);
    expect(shape[0]).toBe(13);
    expect(origin[0]).toBeLessThanOrEqual(-11.3);
  });
});

describe('scanners of blocks', () => {
  it('come back from Interfile, where they are no cylinder for other programs', () => {
    const layout = sinogramLayout(flat, { span: 3 });
    const values = fill(sinogramShape(layout), (i) => i % 7);
    const { header, data } = writeInterfileProjData({ layout, values }, { dataFile: 'p.s' });
    expect(header).toMatch(/Scanner geometry.*:= Generic/);
    const back = readInterfileProjData(header, data, 'p.hs');
    expect(back.layout.scanner).toMatchObject({ flatBlocks: flat.flatBlocks, axialBlocks: flat.axialBlocks });
    expect(sameLayout(back.layout, layout)).toBe(true);
    expect(sameLayout(sinogramLayout(round, { span: 3 }), layout)).toBe(false);
  });

  it('are refused when blocks do not fit', () => {
    const parse = (more: object) => () => parseScanner({ ...round, ...more });
    expect(parse({ flatBlocks: { crystals: 7, spacing: 3 } })).toThrow(/flatBlocks.crystals.*divisor/);
    expect(parse({ flatBlocks: { crystals: 20, spacing: 3 } })).toThrow(/three blocks/);
    expect(parse({ flatBlocks: { crystals: 5, spacing: 17 } })).toThrow(/flatBlocks.spacing.*touch/);
    expect(parse({ axialBlocks: { rings: 4, gap: 3 } })).toThrow(/axialBlocks.rings/);
    expect(parse({ axialBlocks: { rings: 3, gap: -1 } })).toThrow(GeometryError);
    expect(parseScanner({ ...flat })).toMatchObject({ flatBlocks: flat.flatBlocks });
  });
});
