import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fill, total } from '../../src/core/array.js';
import { GeometryError } from '../../src/core/errors.js';
import { centredGrid } from '../../src/core/image.js';
import { adjointError } from '../../src/projector/adjoint-error.js';
import type { ProjectorEngine } from '../../src/projector/engine.js';
import { gaussianKernels } from '../../src/projector/psf.js';
import { expectAbort, expectMatchedTranspose, maxDifference, noise } from '../laws.js';
import { engines } from './engines.js';

/** The plain version, and that of the cpu engine: same laws, same numbers. */
describe.each(engines)('gaussianPsf, %s engine', (_, open) => {
  let engine: ProjectorEngine;
  let gaussianPsf: ProjectorEngine['gaussianPsf'];
  beforeAll(async () => {
    engine = await open();
    gaussianPsf = engine.gaussianPsf;
  });
  afterAll(() => engine.dispose());

  it.each([
    [
      [7, 5, 9],
      [2, 3, 2.5],
      [4, 9, 3],
    ],
    [
      [1, 17, 64],
      [2, 2, 2],
      [5, 0, 11],
    ],
    [
      [33, 40, 67],
      [3, 2, 2],
      [4.5, 4.5, 4.5],
    ],
    [
      [70, 3, 1],
      [1, 1, 1],
      [9, 6, 7],
    ],
    [
      [5, 9, 130],
      [2, 2, 2],
      [0, 0, 6],
    ],
  ] as const)('is the sum it should be: %j', async (shape, voxel, fwhm) => {
    const grid = centredGrid(shape, voxel);
    const image = noise(shape, 4);
    const [kz, ky, kx] = gaussianKernels(grid, fwhm) as [Float64Array, Float64Array, Float64Array];
    const along = (values: Float64Array, axis: number, kernel: Float64Array): Float64Array => {
      const stride = [shape[1] * shape[2], shape[2], 1][axis]!;
      return values.map((_value, i) => {
        const at = Math.floor(i / stride) % shape[axis]!;
        let sum = 0;
        for (let t = -kernel.length + 1; t < kernel.length; t++) {
          if (at + t >= 0 && at + t < shape[axis]!) sum += kernel[Math.abs(t)]! * values[i + t * stride]!;
        }
        return sum;
      });
    };
    const expected = along(along(along(Float64Array.from(image.data), 0, kz), 1, ky), 2, kx);
    const found = await gaussianPsf(grid, fwhm).forward(image);
    expect(
      maxDifference(
        found,
        fill(shape, (i) => expected[i]!),
      ),
    ).toBeLessThan(1e-6);
  });

  it('keeps the total of what is away from the border, and loses some at the border', async () => {
    const grid = centredGrid([31, 33, 35], [2, 3, 2.5]);
    const psf = gaussianPsf(grid, [5, 6, 7]);
    const point = (at: number) => fill(grid.shape, (i) => (i === at ? 8 : 0));
    expect(total(await psf.forward(point((15 * 33 + 16) * 35 + 17)))).toBeCloseTo(8, 4);
    expect(total(await psf.forward(point(0)))).toBeLessThan(4);
  });

  it('is its own transpose, entry by entry, also at borders and when wider than the image', async () => {
    await expectMatchedTranspose(gaussianPsf(centredGrid([3, 5, 4], [2, 3, 2.5]), [4, 9, 3]));
    expect(await adjointError(gaussianPsf(centredGrid([5, 11, 12], [2, 3, 2.5]), [4, 60, 0]))).toBeLessThan(1e-6);
  });

  it('has the width it was asked for on each axis', async () => {
    const grid = centredGrid([41, 41, 41], [1, 1.5, 2]);
    const fwhm = [5, 9, 14] as const;
    const blurred = await gaussianPsf(grid, fwhm).forward(fill(grid.shape, (i) => (i === (20 * 41 + 20) * 41 + 20 ? 1 : 0)));
    fwhm.forEach((width, axis) => {
      let moment = 0;
      blurred.data.forEach((value, i) => {
        const index = [Math.floor(i / 1681), Math.floor(i / 41) % 41, i % 41][axis]! - 20;
        moment += value * (index * grid.voxelSize[axis]!) ** 2;
      });
      expect(Math.sqrt(moment) * 2.354820045).toBeCloseTo(width, 1);
    });
  });

  it('changes nothing at a width of 0, and never its input', async () => {
    const grid = centredGrid([4, 5, 6], [2, 2, 2]);
    const image = noise(grid.shape);
    const copy = Float32Array.from(image.data);
    expect(maxDifference(await gaussianPsf(grid, 0).forward(image), image)).toBe(0);
    await gaussianPsf(grid, 4).forward(image);
    expect(image.data).toEqual(copy);
  });

  it('refuses widths that cannot be, and stops when told to', async () => {
    const grid = centredGrid([256, 256, 256], [2, 2, 2]);
    expect(() => gaussianPsf(grid, -1)).toThrow(GeometryError);
    await expectAbort((signal) =>
      gaussianPsf(grid, 90).forward(
        fill(grid.shape, () => 1),
        { signal },
      ),
    );
  });
});
