import { describe, expect, it } from 'vitest';
import { array, fill } from '../../src/core/array.js';
import { OptionError } from '../../src/core/errors.js';
import { centredGrid } from '../../src/core/image.js';
import { random } from '../../src/core/random.js';
import { gaussianFilter } from '../../src/denoise/gaussian.js';
import { gaussianPsf } from '../../src/projector/psf.js';

const voxelSize = [3, 2, 2.5] as const;

describe('gaussianFilter', () => {
  it('keeps a constant, at the ends of the volume too', async () => {
    const out = await gaussianFilter(
      fill([5, 9, 7], () => 3),
      voxelSize,
      12,
    );
    for (const value of out.data) expect(value).toBeCloseTo(3, 5);
  });

  it('has the width it is asked for along every axis', async () => {
    const shape = [31, 41, 35];
    const point = array(shape);
    point.set(15, 20, 17, 1);
    const { data } = await gaussianFilter(point, voxelSize, 9);
    for (const [axis, d] of voxelSize.entries()) {
      const middle = [15, 20, 17][axis]!;
      const stride = [41 * 35, 35, 1][axis]!;
      let variance = 0;
      data.forEach((value, i) => {
        variance += value * (((Math.floor(i / stride) % shape[axis]!) - middle) * d) ** 2;
      });
      expect(2.3548 * Math.sqrt(variance)).toBeCloseTo(9, 1);
    }
  });

  it('is the resolution model where that does not darken: far from the ends', async () => {
    const { normal } = random(4);
    const image = fill([15, 21, 19], normal);
    const filtered = await gaussianFilter(image, voxelSize, 3);
    const blurred = await gaussianPsf(centredGrid([15, 21, 19], voxelSize), 3).forward(image);
    for (let z = 5; z < 10; z++) expect(filtered.get(z, 10, 9)).toBeCloseTo(blurred.get(z, 10, 9), 5);
    expect((await gaussianFilter(image, voxelSize, 0)).data).toEqual(image.data);
  });

  it('refuses a width that cannot be', async () => {
    await expect(gaussianFilter(array([3, 3, 3]), voxelSize, -1)).rejects.toThrow(OptionError);
  });
});
