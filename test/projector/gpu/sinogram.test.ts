/** Laws of the graphics card's sinograms, on small odd-sized geometry: a software adapter computes them in seconds. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fill, total } from '../../../src/core/array.js';
import { GeometryError, ShapeError } from '../../../src/core/errors.js';
import { centredGrid, type Grid } from '../../../src/core/image.js';
import { scannerByName } from '../../../src/geometry/scanners.js';
import { type LayoutOptions, type SinogramLayout, sinogramLayout } from '../../../src/geometry/sinogram.js';
import { adjointError } from '../../../src/projector/adjoint-error.js';
import { type ProjectorEngine, referenceEngine } from '../../../src/projector/engine.js';
import { gpu, noGpu } from '../../gpu.js';
import { expectAbort, expectMatchedTranspose, maxDifference, noise } from '../../laws.js';
import { blockScanner, oddGrids, oddScanner, shifted, tinyScanner } from '../engines.js';
import { openTestGpu } from './device.js';

if (!gpu) it('needs a WebGPU adapter', (ctx) => ctx.skip(noGpu));

const reference = referenceEngine();
const withTof = { ...oddScanner, tof: { bins: 13, binWidth: 150, resolution: 424 } };
const tinyTof = { ...tinyScanner, tof: { bins: 4, binWidth: 170, resolution: 300 } };

describe.skipIf(!gpu)('sinograms on the graphics card', () => {
  let [wide, plain]: ProjectorEngine[] = [];
  beforeAll(async () => {
    wide = (await openTestGpu()).engine;
    plain = (await openTestGpu({ rows: 1, samplesPerDispatch: 1 })).engine;
  });
  afterAll(() => Promise.all([wide, plain].map((engine) => engine?.dispose())));

  // Three segments at least, or faults along the axis would not show.
  const tiny: [name: string, layout: SinogramLayout, grid: Grid, views: number[]][] = [
    [
      'planes half a ring apart',
      sinogramLayout(tinyScanner, { span: 3 }),
      shifted(centredGrid([5, 3, 4], [3.5, 17, 22]), [0, 7, -9]),
      [1, 4],
    ],
    [
      'planes a ring apart',
      sinogramLayout(tinyScanner, { span: 1, maxRingDifference: 1 }),
      centredGrid([5, 4, 3], [3.5, 20, 13]),
      [2],
    ],
    [
      'planes that fit no voxels',
      sinogramLayout(tinyScanner, { span: 3, arcCorrected: true }),
      centredGrid([4, 3, 4], [5, 17, 22]),
      [0, 5],
    ],
    [
      'time of flight',
      sinogramLayout(tinyTof, { span: 3, tofMash: 2, tangential: 5 }),
      centredGrid([5, 3, 4], [3.5, 17, 22]),
      [2],
    ],
  ];
  it.each(tiny)('have an adjoint that is the transpose, entry by entry: %s', async (_, layout, grid, views) => {
    expect(layout.segments.length).toBeGreaterThanOrEqual(3);
    await expectMatchedTranspose(wide!.sinogramProjector(layout, views, grid), 4e-7);
  });

  const odd: [name: string, options: LayoutOptions, grid: Grid][] = oddGrids.map(([name, grid], i) => {
    const options: LayoutOptions[] = [
      { span: 3 },
      { span: 2, maxRingDifference: 6 },
      { span: 3, viewMash: 2 },
      { span: 1, maxRingDifference: 5 },
      { span: 5, maxRingDifference: 7 },
      { span: 3, arcCorrected: true },
      { span: 1, tofMash: 1, maxRingDifference: 4 },
      { span: 3, tofMash: 1, tangential: 15 },
    ];
    return [`${name}, ${JSON.stringify(options[i])}`, options[i]!, grid];
  });
  // The usual gate for float32, 1e-4 or 1e-6, does not see a position that lost its low part.
  it.each(odd)('are those of the definition, both ways, and keep ⟨A x, y⟩ = ⟨x, Aᵀ y⟩: %s', async (_, options, grid) => {
    const layout = sinogramLayout(options.tofMash ? withTof : oddScanner, options);
    const views = [1, 8, 10];
    const fast = wide!.sinogramProjector(layout, views, grid);
    const slow = reference.sinogramProjector(layout, views, grid);
    const [image, data] = [noise(fast.inShape, 2), noise(fast.outShape, 3)];
    const gate = options.tofMash ? 1e-5 : 1e-6;
    expect(maxDifference(await fast.forward(image), await slow.forward(image))).toBeLessThan(gate);
    expect(maxDifference(await fast.adjoint(data), await slow.adjoint(data))).toBeLessThan(gate);
    expect(await adjointError(fast, { trials: 3, seed: 7 })).toBeLessThan(3e-8);
  });

  it.each([
    ['span 1', { span: 1, maxRingDifference: 4 }, 0],
    ['span 3, mashed', { span: 3, viewMash: 2, maxRingDifference: 7 }, 1],
  ] as const)('are those of the definition on flat blocks with axial gaps: %s', async (_, options, g) => {
    const layout = sinogramLayout(blockScanner, options);
    const grid = oddGrids[g]![1];
    const fast = wide!.sinogramProjector(layout, [1, 8], grid);
    const slow = reference.sinogramProjector(layout, [1, 8], grid);
    const [image, data] = [noise(fast.inShape, 2), noise(fast.outShape, 3)];
    expect(maxDifference(await fast.forward(image), await slow.forward(image))).toBeLessThan(1e-6);
    expect(maxDifference(await fast.adjoint(data), await slow.adjoint(data))).toBeLessThan(1e-6);
    expect(await adjointError(fast, { trials: 3, seed: 7 })).toBeLessThan(3e-8);
  });

  // Also the law of chunks: the plain engine takes one view at a time.
  it.each([
    ['usual', { span: 3 }, oddScanner],
    ['with time of flight', { span: 3, tofMash: 1 }, withTof],
    ['a ring apart', { span: 1, maxRingDifference: 3 }, oddScanner],
  ] as const)('are the same four at a time and one by one, in one piece and view by view: %s', async (_, options, scanner) => {
    const layout = sinogramLayout(scanner, options);
    const grid = centredGrid([17, 13, 15], [3, 8, 9]);
    const [four, one] = [wide!, plain!].map((engine) => engine.sinogramProjector(layout, [3, 9, 14, 21], grid)) as [
      ReturnType<ProjectorEngine['sinogramProjector']>,
      ReturnType<ProjectorEngine['sinogramProjector']>,
    ];
    const [image, data] = [noise(four.inShape, 2), noise(four.outShape, 3)];
    expect(maxDifference(await four.forward(image), await one.forward(image))).toBeLessThan(4e-7);
    expect(maxDifference(await four.adjoint(data), await one.adjoint(data))).toBeLessThan(4e-7);
    expect(await adjointError(one, { trials: 2 })).toBeLessThan(3e-8);
  });

  it('repeat to the last bit', async () => {
    const operator = wide!.sinogramProjector(sinogramLayout(oddScanner, { span: 3 }), [1, 2], oddGrids[0]![1]);
    const data = noise(operator.outShape);
    expect((await operator.adjoint(data)).data).toEqual((await operator.adjoint(data)).data);
  });

  it('refuse views and images that cannot be', async () => {
    const grid = centredGrid([3, 5, 7], [2, 2, 2]);
    const layout = sinogramLayout(tinyScanner);
    expect(() => wide!.sinogramProjector(layout, [6], grid)).toThrow(GeometryError);
    expect(() => wide!.sinogramProjector({ ...layout, tofBins: 5 }, [0], grid)).toThrow(GeometryError);
    const operator = wide!.sinogramProjector(layout, [0], grid);
    await expect((async () => operator.forward(noise([3, 5, 6])))()).rejects.toThrow(ShapeError);
    await expect((async () => operator.adjoint(noise([3, 5, 7])))()).rejects.toThrow(ShapeError);
  });

  it('stop when told to, and go on with what comes next', async () => {
    const layout = sinogramLayout(scannerByName('mMR'), { span: 11, maxRingDifference: 60 });
    const views = Array.from({ length: 126 }, (_, i) => i);
    const operator = wide!.sinogramProjector(layout, views, centredGrid([127, 40, 40], [2.03125, 15, 15]));
    await expectAbort((signal) => operator.forward(noise(operator.inShape), { signal }));
    const small = wide!.sinogramProjector(sinogramLayout(tinyScanner), [0], centredGrid([3, 5, 7], [2, 9, 9]));
    expect(total(await small.forward(fill(small.inShape, () => 1)))).toBeGreaterThan(0);
  });
});
