/** Laws of the graphics card's lines and resolution, on small odd-sized geometry. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fill, type NdArray } from '../../../src/core/array.js';
import { GeometryError, OptionError, ShapeError } from '../../../src/core/errors.js';
import { centredGrid, type Grid } from '../../../src/core/image.js';
import { random } from '../../../src/core/random.js';
import type { Lines } from '../../../src/geometry/lines.js';
import { adjointError } from '../../../src/projector/adjoint-error.js';
import { type ProjectorEngine, referenceEngine } from '../../../src/projector/engine.js';
import type { GpuDevice } from '../../../src/projector/gpu/device.js';
import { gpuImages } from '../../../src/projector/gpu/image.js';
import { gpuBlur } from '../../../src/projector/gpu/psf.js';
import type { LineTof } from '../../../src/projector/joseph.js';
import { gpu, noGpu } from '../../gpu.js';
import { expectMatchedTranspose, maxDifference, noise } from '../../laws.js';
import { oddGrids, shifted } from '../engines.js';
import { openTestGpu } from './device.js';

if (!gpu) it('needs a WebGPU adapter', (ctx) => ctx.skip(noGpu));

/** Lines through, past, into, out of and within a box, in all directions. */
function mixedLines(grid: Grid, n: number): Lines {
  const { normal } = random(6);
  const half = grid.shape.map((count, axis) => (count * grid.voxelSize[axis]!) / 2);
  const points = (): Float32Array =>
    Float32Array.from({ length: 3 * n }, (_, i) => {
      const axis = i % 3;
      return grid.origin[axis]! - grid.voxelSize[axis]! / 2 + half[axis]! + 1.4 * half[axis]! * normal();
    });
  return { start: points(), end: points() };
}
const someBins = (n: number): LineTof => ({
  ...{ width: 22, sigma: 27 },
  centre: Float32Array.from({ length: n }, (_, i) => ((i % 7) - 3) * 22),
});
const reference = referenceEngine();

describe.skipIf(!gpu)('lines and resolution on the graphics card', () => {
  let engine: ProjectorEngine;
  let device: GpuDevice;
  beforeAll(async () => {
    ({ engine, device } = await openTestGpu());
  });
  afterAll(() => engine?.dispose());

  it('have adjoints that are the transposes, entry by entry', async () => {
    const grid = shifted(centredGrid([4, 3, 3], [5, 20, 22]), [2, 7, -9]);
    const lines = mixedLines(grid, 20);
    await expectMatchedTranspose(engine.lineProjector(lines, grid), 4e-7);
    await expectMatchedTranspose(engine.lineProjector(lines, grid, someBins(20)), 4e-7);
    await expectMatchedTranspose(engine.gaussianPsf(centredGrid([3, 4, 2], [2, 3, 2.5]), [4, 9, 3]), 4e-7);
  });

  it.each([oddGrids[1]!, oddGrids[4]!, oddGrids[7]!])('are those of the definition: %s', async (_, grid) => {
    const lines = mixedLines(grid, 2000);
    for (const tof of [undefined, someBins(2000)]) {
      const fast = engine.lineProjector(lines, grid, tof);
      const slow = reference.lineProjector(lines, grid, tof);
      const [image, data] = [noise(fast.inShape, 2), noise(fast.outShape, 3)];
      expect(maxDifference(await fast.forward(image), await slow.forward(image))).toBeLessThan(tof ? 1e-5 : 1e-6);
      expect(maxDifference(await fast.adjoint(data), await slow.adjoint(data))).toBeLessThan(tof ? 1e-5 : 1e-6);
      expect(await adjointError(fast, { trials: 2 })).toBeLessThan(3e-8);
    }
    const [fast, slow] = [engine, reference].map((of) => of.gaussianPsf(grid, [4, 0, 13]).forward(noise(grid.shape)));
    expect(maxDifference(await fast!, await slow!)).toBeLessThan(1e-6);
  });

  it('see planes from end point to end point, and nothing where they miss by a hair', async () => {
    const grid = centredGrid([3, 5, 7], [2, 2, 2]);
    const ends = [
      [0, 0, -4, 0, 0, 2],
      [0, 0, -3.9, 0, 0, 1.9],
      [0, 0, 2, 0, 0, -4],
      [0, 6.0001, -50, 0, 6.0001, 50],
      [4.0001, 0, -50, 4.0001, 0, 50],
      [0, 5, -50, 0, 5, 50],
      [1, 1, 1, 1, 1, 1],
    ];
    const lines = {
      start: Float32Array.from(ends.flatMap((row) => row.slice(0, 3))),
      end: Float32Array.from(ends.flatMap((row) => row.slice(3))),
    };
    const found = await engine.lineProjector(lines, grid).forward(fill(grid.shape, () => 1));
    expect([...found.data]).toEqual([8, 4, 8, 0, 0, 7, 0].map((value) => expect.closeTo(value, 5)));
  });

  // Whole numbers of 64 bits: neither the order of the lines nor the size of the values matters.
  it('add up in any order to the same bits, for values of any size', async () => {
    const grid = oddGrids[1]![1];
    const lines = mixedLines(grid, 500);
    const back = (of: Lines, values: NdArray): Promise<NdArray> => engine.lineProjector(of, grid).adjoint(values);
    const data = noise([500], 9);
    const sum = await back(lines, data);
    const reversed = (values: Float32Array): Float32Array =>
      Float32Array.from(values, (_, i) => values[3 * (499 - Math.floor(i / 3)) + (i % 3)]!);
    const other = { start: reversed(lines.start), end: reversed(lines.end) };
    expect(
      (
        await back(
          other,
          fill([500], (i) => data.data[499 - i]!),
        )
      ).data,
    ).toEqual(sum.data);
    for (const size of [2 ** -40, 2 ** 30]) {
      const scaled = await back(
        lines,
        fill([500], (i) => size * data.data[i]!),
      );
      expect(scaled.data).toEqual(sum.data.map((value) => size * value));
    }
    expect(
      (
        await back(
          lines,
          fill([500], () => 0),
        )
      ).data.every((value) => value === 0),
    ).toBe(true);
  });

  it('blur in parts as in one piece', async () => {
    const grid = centredGrid([5, 9, 11], [2, 3, 2.5]);
    const images = gpuImages(device, grid);
    const [whole, parts] = [1e9, 1].map((work) => gpuBlur(device, grid, [4, 9, 8], images.shape, work));
    const [one, other] = await device.use(async (own) => {
      const image = await images.load(noise(grid.shape).data, own);
      return [await images.read(await whole!.apply(image, own), own), await images.read(await parts!.apply(image, own), own)];
    });
    expect(other).toEqual(one);
    for (const { dispose } of [images, whole!, parts!]) dispose();
  });

  it('refuse what cannot be', async () => {
    const grid = centredGrid([3, 5, 7], [2, 2, 2]);
    expect(() => engine.lineProjector({ start: new Float32Array(6), end: new Float32Array(3) }, grid)).toThrow(ShapeError);
    const nowhere = { start: new Float32Array(3).fill(Number.NaN), end: new Float32Array(3) };
    expect(() => engine.lineProjector(nowhere, grid)).toThrow(GeometryError);
    expect(() => engine.gaussianPsf(grid, -1)).toThrow(GeometryError);
    const operator = engine.lineProjector(mixedLines(grid, 3), grid);
    await expect((async () => operator.forward(noise([3, 5, 6])))()).rejects.toThrow(ShapeError);
    await expect(operator.adjoint(fill([3], () => Number.NaN))).rejects.toThrow(OptionError);
  });
});
