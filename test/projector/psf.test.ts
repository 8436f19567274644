import { describe, expect, it } from 'vitest';
import { fill, total } from '../../src/core/array.js';
import { GeometryError } from '../../src/core/errors.js';
import { centredGrid } from '../../src/core/image.js';
import { adjointError } from '../../src/projector/adjoint-error.js';
import { gaussianPsf } from '../../src/projector/psf.js';
import { expectAbort, expectMatchedTranspose, maxDifference, noise } from '../laws.js';

describe('gaussianPsf', () => {
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
    const grid = centredGrid([128, 192, 192], [2, 2, 2]);
    expect(() => gaussianPsf(grid, -1)).toThrow(GeometryError);
    await expectAbort((signal) =>
      gaussianPsf(grid, 30).forward(
        fill(grid.shape, () => 1),
        { signal },
      ),
    );
  });
});
