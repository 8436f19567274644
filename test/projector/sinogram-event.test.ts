import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fill, type NdArray } from '../../src/core/array.js';
import { centredGrid } from '../../src/core/image.js';
import type { LinearOperator } from '../../src/core/interfaces.js';
import { random } from '../../src/core/random.js';
import { effectiveRadius } from '../../src/geometry/scanner.js';
import { scannerByName } from '../../src/geometry/scanners.js';
import { type SinogramLayout, sinogramLayout } from '../../src/geometry/sinogram.js';
import { openCpuEngine } from '../../src/node/kernel-pool.js';
import { segmentTables } from '../../src/projector/cpu/tables.js';
import { type ProjectorEngine, referenceEngine } from '../../src/projector/engine.js';
import { maxDifference, noise } from '../laws.js';
import { oddScanner, shifted } from './engines.js';

const reference = referenceEngine();
const uniform = (shape: readonly number[], seed: number): NdArray => fill(shape, random(seed).uniform);
/** Some segments of a long scanner, by their mean ring difference. */
function some(layout: SinogramLayout, differences: readonly number[]): SinogramLayout {
  const mean = ({ minRingDifference: a, maxRingDifference: b }: SinogramLayout['segments'][number]): number => (a + b) / 2;
  return { ...layout, segments: layout.segments.filter((segment) => differences.includes(mean(segment))) };
}

describe('flat segments by events', () => {
  let one: ProjectorEngine;
  let two: ProjectorEngine;
  beforeAll(async () => {
    [one, two] = (await Promise.all([1, 2].map((threads) => openCpuEngine({ threads })))) as [ProjectorEngine, ProjectorEngine];
  });
  afterAll(() => Promise.all([one.dispose(), two.dispose()]));

  // Prefix sums grow with the square of the steps, and their rounding with them; a positive image is the worst.
  const quadra = scannerByName('Quadra');
  const mmr = scannerByName('mMR');
  it.each([
    [
      'long scanner, ring differences to 85',
      some(sinogramLayout(quadra, { maxRingDifference: 85, tangential: 3 }), [0, 1, -30, 60, -85]),
      7,
      200,
    ],
    ['long scanner, small voxels', some(sinogramLayout(quadra, { maxRingDifference: 85, tangential: 3 }), [0, -40, 85]), 11, 400],
    ['spanned segments', sinogramLayout(mmr, { span: 11, maxRingDifference: 60, tangential: 9 }), 9, 344],
  ] as const)('stay within 3e-5 of the largest value: %s', async (_, layout, narrow, wide) => {
    const voxel = (1.7 * effectiveRadius(layout.scanner)) / wide;
    const { rings, ringSpacing } = layout.scanner;
    const grid = centredGrid([2 * rings - 1, narrow, wide], [ringSpacing / 2, voxel, voxel]);
    // Lines along x, nearly.
    const views = [Math.round(layout.views / 2) + 1];
    const fast = two.sinogramProjector(layout, views, grid);
    const plain = reference.sinogramProjector(layout, views, grid);
    for (const draw of [noise, uniform]) {
      const [image, data] = [draw(fast.inShape, 2), draw(fast.outShape, 3)];
      expect(maxDifference(await fast.forward(image), await plain.forward(image))).toBeLessThan(3e-5);
      expect(maxDifference(await fast.adjoint(data), await plain.adjoint(data))).toBeLessThan(1e-5);
    }
  });

  it('share a layout with segments that go step by step', async () => {
    // Long voxels make lines rise steeply per step: the outer segments are above the crossover.
    const layout = sinogramLayout(oddScanner, { span: 3, maxRingDifference: 5 });
    const grid = shifted(centredGrid([17, 9, 9], [3, 22, 22]), [0, 4, -7]);
    const [table] = segmentTables(layout, grid);
    expect(table!.eventCount).toBeGreaterThan(0);
    expect(table!.eventCount).toBeLessThan(table!.count);
    const views = [0, 5, 13];
    const fast = two.sinogramProjector(layout, views, grid);
    const plain = reference.sinogramProjector(layout, views, grid);
    const [image, data] = [noise(fast.inShape, 2), noise(fast.outShape, 3)];
    expect(maxDifference(await fast.forward(image), await plain.forward(image))).toBeLessThan(3e-6);
    expect(maxDifference(await fast.adjoint(data), await plain.adjoint(data))).toBeLessThan(3e-6);
  });

  const short = {
    ...oddScanner,
    rings: 24,
    ringSpacing: 4,
    detectorsPerRing: 200,
    innerRadius: 100,
    depthOfInteraction: 0,
    tilt: 0,
  };

  it('pass planes just where the sums start anew', async () => {
    const layout = some(sinogramLayout({ ...short, maxTangential: 90 }, { maxRingDifference: 20 }), [0, 1, -1, 2, -3, 14]);
    const grid = centredGrid([47, 61, 140], [2, 1.25, 1.25]);
    const [table] = segmentTables(layout, grid);
    expect(table!.eventCount).toBe(6);
    // Two pieces, which meet in the middle of the line, where odd ring differences pass a plane.
    expect(table!.pieceSteps).toBeGreaterThan(70);
    expect(table!.pieceSteps).toBeLessThan(139);
    const views = [49, 50, 51];
    const fast = two.sinogramProjector(layout, views, grid);
    const plain = reference.sinogramProjector(layout, views, grid);
    const [image, data] = [noise(fast.inShape, 2), noise(fast.outShape, 3)];
    expect(maxDifference(await fast.forward(image), await plain.forward(image))).toBeLessThan(1e-5);
    expect(maxDifference(await fast.adjoint(data), await plain.adjoint(data))).toBeLessThan(5e-6);
  });

  it('pass planes just where the line meets a column', async () => {
    // Columns 10 mm apart on a line 200 mm long: shifts are whole numbers at every column, at every other, at every fifth. In the last two
    // a shift computed from the last column is rounded to below the whole number that the table of crossings has it at.
    for (const [innerRadius, pitch, columns, views] of [
      [100, 10, 11, [50, 0]],
      [100, 10, 15, [50, 0]],
      [100, 10, 19, [50, 0]],
      [100, 4, 11, [0]],
      [105, 5, 19, [0]],
    ] as const) {
      const layout = sinogramLayout({ ...short, innerRadius }, { maxRingDifference: 20, tangential: 1 });
      for (const view of views) {
        const grid = centredGrid(view === 0 ? [47, columns, 3] : [47, 3, columns], [2, pitch, pitch]);
        const fast = two.sinogramProjector(layout, [view], grid);
        const plain = reference.sinogramProjector(layout, [view], grid);
        const [image, data] = [noise(fast.inShape, 2), noise(fast.outShape, 3)];
        expect(maxDifference(await fast.forward(image), await plain.forward(image))).toBeLessThan(3e-6);
        expect(maxDifference(await fast.adjoint(data), await plain.adjoint(data))).toBeLessThan(3e-6);
      }
    }
  });

  it('give the same on one thread and on two, bit for bit, in slabs as well', async () => {
    const layout = sinogramLayout(mmr, { span: 11, maxRingDifference: 60, tangential: 40 });
    const grid = centredGrid([127, 40, 50], [mmr.ringSpacing / 2, 6, 5]);
    const [a, b] = [one, two].map((engine) => engine.sinogramProjector(layout, [3, 70, 130, 200], grid));
    const [image, data] = [noise(a!.inShape), noise(a!.outShape)];
    expect((await a!.forward(image)).data).toEqual((await b!.forward(image)).data);
    expect((await a!.adjoint(data)).data).toEqual((await b!.adjoint(data)).data);
  });

  it('are the same in many views at once, which pass through in stages, as in a few', async () => {
    const layout = sinogramLayout(mmr, { span: 11, maxRingDifference: 60, tangential: 21 });
    const grid = centredGrid([127, 12, 10], [mmr.ringSpacing / 2, 20, 24]);
    const views = Array.from({ length: 64 }, (_, i) => 3 * i);
    const [all, early, late] = [views, views.slice(0, 30), views.slice(30)].map((some) =>
      two.sinogramProjector(layout, some, grid),
    ) as [LinearOperator, LinearOperator, LinearOperator];
    const planes = all.outShape[1]!;
    const bins = planes * views.length * 21;
    // Or there is a single stage and nothing to see.
    expect(4 * bins).toBeGreaterThan(2 ** 22);
    const image = noise(grid.shape);
    const together = await all.forward(image);
    const [first, second] = [await early.forward(image), await late.forward(image)];
    const isEarly = (i: number): boolean => i % (64 * 21) < 30 * 21;
    const joined = fill(together.shape, (i) => {
      const [plane, bin] = [Math.floor(i / (64 * 21)), i % (64 * 21)];
      return isEarly(i) ? first.data[plane * 30 * 21 + bin]! : second.data[plane * 34 * 21 + bin - 30 * 21]!;
    });
    expect(maxDifference(together, joined)).toBe(0);
    const back = await all.adjoint(together);
    const parts = [await early.adjoint(first), await late.adjoint(second)];
    expect(
      maxDifference(
        back,
        fill(grid.shape, (i) => parts[0]!.data[i]! + parts[1]!.data[i]!),
      ),
    ).toBeLessThan(1e-6);
  });

  it('come in blocks on long scanners, each of a size that the cache holds', () => {
    const layout = sinogramLayout(quadra, { maxRingDifference: 85 });
    const tables = segmentTables(layout, centredGrid([645, 220, 220], [quadra.ringSpacing / 2, 3.3, 3.3]));
    expect(tables.length).toBeGreaterThan(5);
    expect(Math.max(...tables.map(({ latticeLength }) => latticeLength))).toBeLessThan(8192);
    expect(tables.reduce((sum, { planes }) => sum + planes, 0)).toBe(layout.segments.reduce((n, s) => n + s.axialPositions, 0));
  });
});
