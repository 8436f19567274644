import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { array, fill, type NdArray } from '../../src/core/array.js';
import { GeometryError } from '../../src/core/errors.js';
import { centredGrid } from '../../src/core/image.js';
import { axialLines, transaxialLines } from '../../src/geometry/lines.js';
import { type SinogramLayout, sinogramLayout } from '../../src/geometry/sinogram.js';
import { tofLengths } from '../../src/geometry/tof.js';
import { openCpuEngine } from '../../src/node/kernel-pool.js';
import { adjointError } from '../../src/projector/adjoint-error.js';
import { type ProjectorEngine, referenceEngine } from '../../src/projector/engine.js';
import { expectMatchedTranspose, maxDifference, noise } from '../laws.js';
import { engines, oddGrids, oddScanner, tinyScanner } from './engines.js';

const reference = referenceEngine();
/** σ = 1.2 bins; 13 bins of 22.5 mm reach 146 mm to either side, which is beyond the ring, but not by 3 σ. */
const withTof = { ...oddScanner, tof: { bins: 13, binWidth: 150, resolution: 424 } };
const tinyTof = { ...tinyScanner, tof: { bins: 4, binWidth: 170, resolution: 300 } };

function sumOfBins({ data, shape }: NdArray): NdArray {
  const length = data.length / shape[0]!;
  return fill([1, ...shape.slice(1)], (i) => {
    let sum = 0;
    for (let bin = 0; bin < shape[0]!; bin++) sum += data[bin * length + i]!;
    return sum;
  });
}

describe.each(engines)('TOF sinograms, %s engine', (_, open) => {
  let engine: ProjectorEngine;
  beforeAll(async () => {
    engine = await open();
  });
  afterAll(() => engine.dispose());

  it('have an adjoint that is the transpose, entry by entry', async () => {
    for (const grid of [centredGrid([5, 4, 3], [3.5, 17, 22]), centredGrid([3, 3, 4], [5, 20, 13])]) {
      for (const options of [{ span: 1 }, { span: 3, tofMash: 2 }]) {
        const layout = sinogramLayout(tinyTof, { tofMash: 1, ...options });
        await expectMatchedTranspose(engine.sinogramProjector(layout, [0, 5], grid));
      }
    }
  });

  it('add up to the sinogram without time of flight', async () => {
    const grid = oddGrids[0]![1];
    const enough = { ...withTof, tof: { ...withTof.tof, bins: 21 } };
    const layout = sinogramLayout(enough, { span: 3, tofMash: 1, tangential: 15 });
    const image = noise(grid.shape, 4);
    const views = [2, 13];
    const tof = await engine.sinogramProjector(layout, views, grid).forward(image);
    const plain = await engine.sinogramProjector({ ...layout, tofBins: 1 }, views, grid).forward(image);
    expect(tof.shape).toEqual([21, ...plain.shape.slice(1)]);
    expect(maxDifference(sumOfBins(tof), plain)).toBeLessThan(3e-6);
  });

  // A point far off the middle: the mean bin, weighted by counts, is the point's distance from the middle of each line.
  it('put a point where it lies along the line, towards detector 1 in higher bins, oblique lines too', async () => {
    const grid = centredGrid([9, 21, 21], [6, 8, 8]);
    const layout = sinogramLayout(withTof, { span: 1, maxRingDifference: 6, tofMash: 1, tangential: 25 });
    const [z, y, x] = [5, 15, 6];
    const at = [(z - 4) * 6, (y - 10) * 8, (x - 10) * 8] as const;
    const image = array(grid.shape);
    image.data[(z * 21 + y) * 21 + x] = 1;
    const views = [0, 6, 11, 17];
    const { data } = await engine.sinogramProjector(layout, views, grid).forward(image);
    const transaxial = transaxialLines(layout, views);
    const axial = axialLines(layout);
    const perPlane = views.length * layout.tangential;
    const lines = (axial.length / 2) * perPlane;
    const { width } = tofLengths(layout);
    let [seen, oblique] = [0, 0];
    for (let i = 0; i < lines; i++) {
      let [sum, moment] = [0, 0];
      for (let bin = 0; bin < 13; bin++) {
        sum += data[bin * lines + i]!;
        moment += data[bin * lines + i]! * (bin - 6) * width;
      }
      if (sum < 0.5) continue;
      const [x1, y1, x2, y2] = [0, 1, 2, 3].map((k) => transaxial[4 * (i % perPlane) + k]!) as [number, number, number, number];
      const [z1, z2] = [axial[2 * Math.floor(i / perPlane)]!, axial[2 * Math.floor(i / perPlane) + 1]!];
      const middle = [(z1 + z2) / 2, (y1 + y2) / 2, (x1 + x2) / 2];
      const towards1 = [(z1 - z2) / 2, (y1 - y2) / 2, (x1 - x2) / 2];
      const half = Math.hypot(...towards1);
      const distance = towards1.reduce((dot, d, axis) => dot + (d / half) * (at[axis]! - middle[axis]!), 0);
      expect(Math.abs(moment / sum - distance)).toBeLessThan(5);
      seen++;
      if (Math.abs(z1 - z2) > 20) oblique++;
    }
    expect(seen).toBeGreaterThan(20);
    expect(oblique).toBeGreaterThan(8);
  });

  it('are refused where the scanner measures no time of flight', () => {
    const layout = { ...sinogramLayout(oddScanner), tofBins: 5 };
    expect(() => engine.sinogramProjector(layout, [0], centredGrid([3, 5, 7], [2, 2, 2]))).toThrow(GeometryError);
  });
});

describe('TOF sinograms of the cpu engine', () => {
  let [one, two]: ProjectorEngine[] = [];
  beforeAll(async () => {
    [one, two] = await Promise.all([1, 2].map((threads) => openCpuEngine({ threads })));
  });
  afterAll(() => Promise.all([one, two].map((engine) => engine!.dispose())));

  const layouts: SinogramLayout[] = [
    sinogramLayout(withTof, { span: 1, maxRingDifference: 5, tofMash: 1, tangential: 14 }),
    sinogramLayout(withTof, { span: 3, tofMash: 1, arcCorrected: true, tangential: 15 }),
    sinogramLayout(
      { ...withTof, tof: { bins: 8, binWidth: 60, resolution: 500 } },
      { span: 5, maxRingDifference: 7, tofMash: 2 },
    ),
  ];
  it.each(oddGrids)('are those of the definition: %s', async (_, grid) => {
    for (const [i, layout] of layouts.entries()) {
      const views = [[1], [layout.views >> 1], [4, 19]][i]!;
      const fast = two!.sinogramProjector(layout, views, grid);
      const plain = reference.sinogramProjector(layout, views, grid);
      const image = noise(fast.inShape, 2);
      const data = noise(fast.outShape, 3);
      expect(maxDifference(await fast.forward(image), await plain.forward(image))).toBeLessThan(5e-6);
      expect(maxDifference(await fast.adjoint(data), await plain.adjoint(data))).toBeLessThan(5e-6);
    }
  });

  it('keep ⟨A x, y⟩ = ⟨x, Aᵀ y⟩, and do not depend on the number of threads', async () => {
    for (const layout of layouts) {
      const views = [0, 3, 7, 12];
      const grid = oddGrids[0]![1];
      const [a, b] = [one, two].map((engine) => engine!.sinogramProjector(layout, views, grid)) as [
        ReturnType<ProjectorEngine['sinogramProjector']>,
        ReturnType<ProjectorEngine['sinogramProjector']>,
      ];
      expect(await adjointError(a, { trials: 2 })).toBeLessThan(1e-6);
      const [image, data] = [noise(a.inShape), noise(a.outShape)];
      expect((await a.forward(image)).data).toEqual((await b.forward(image)).data);
      expect((await a.adjoint(data)).data).toEqual((await b.adjoint(data)).data);
    }
  });
});
