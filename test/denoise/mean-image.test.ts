/** What the network is given of an image as it comes. */
import { describe, expect, it } from 'vitest';
import { fill, type Point, type Shape3, type Volume } from '../../src/core/array.js';
import { OptionError } from '../../src/core/errors.js';
import { random } from '../../src/core/random.js';
import { calmed } from '../../src/denoise/calmed.js';
import { gaussianFilter } from '../../src/denoise/gaussian.js';
import { meanImage } from '../../src/denoise/mean-image.js';
import { noiseLevel } from '../../src/denoise/noise-level.js';
import { nonlocalMeans } from '../../src/denoise/nonlocal-means.js';

const shape: Shape3 = [15, 18, 21];
const voxelSize: Point = [3.4, 4, 3.7];
const [z0, y0, x0] = [7, 9, 10];
const place = (i: number): readonly [number, number, number] => [
  Math.floor(i / (18 * 21)) - z0,
  (Math.floor(i / 21) % 18) - y0,
  (i % 21) - x0,
];
const lesion = (z0 * 18 + y0) * 21 + x0;
/** Uniform uptake with noise, and a hot lesion of 7 mm, twelve times as hot in its middle. */
const noisy = (sigma: number, unit = 1): Volume => {
  const r = random(5);
  return fill(shape, (i) => {
    const distance = Math.hypot(...place(i).map((c, axis) => c * voxelSize[axis]!));
    return unit * (1 + 11 * Math.exp((-4 * Math.LN2 * distance ** 2) / 7 ** 2) + sigma * r.normal());
  });
};
const deviation = ({ data }: Volume): number => {
  const far = data.filter((_, i) => Math.hypot(...place(i)) > 6);
  const mean = far.reduce((sum, value) => sum + value, 0) / far.length;
  return Math.sqrt(far.reduce((sum, value) => sum + (value - mean) ** 2, 0) / far.length);
};

describe('calming an image', () => {
  it('leaves one as it is that is calm already', async () => {
    const calm = noisy(0.05);
    expect(await calmed(calm, voxelSize, noiseLevel(calm, voxelSize))).toBe(calm);
  });

  it('takes out most of the noise, never all that non-local means would, and no activity', async () => {
    for (const sigma of [0.3, 0.8]) {
      const image = noisy(sigma);
      const less = await calmed(image, voxelSize, sigma);
      expect(deviation(less) / deviation(image)).toBeLessThan(0.45);
      expect(deviation(less) / deviation(image)).toBeGreaterThan(0.3);
      const sum = (x: Volume): number => x.data.reduce((total, value) => total + value, 0);
      expect(sum(less) / sum(image)).toBeCloseTo(1, 1);
    }
  });

  it('leaves far more of a small hot lesion than a Gaussian that takes out as much noise', async () => {
    for (const sigma of [0.3, 0.6]) {
      const image = noisy(sigma);
      const less = await calmed(image, voxelSize, sigma);
      let fwhm = 1;
      while (deviation(await gaussianFilter(image, voxelSize, fwhm)) > deviation(less)) fwhm += 0.5;
      const filtered = await gaussianFilter(image, voxelSize, fwhm);
      expect(less.data[lesion]).toBeGreaterThan(1.3 * filtered.data[lesion]!);
      expect(less.data[lesion]! / image.data[lesion]!).toBeGreaterThan(0.65);
    }
  });

  it('does not depend on the unit, and takes out more where there is more noise', async () => {
    const one = await calmed(noisy(0.5), voxelSize, 0.5);
    const other = await calmed(noisy(0.5, 1000), voxelSize, 0.5);
    for (let i = 0; i < one.data.length; i++) expect(other.data[i]! / 1000).toBeCloseTo(one.data[i]!, 3);
    const less = await calmed(noisy(0.5), voxelSize, 0.15);
    expect(deviation(less)).toBeGreaterThan(1.1 * deviation(one));
  });

  it('is its formula', async () => {
    const image = noisy(0.5);
    const smooth = await nonlocalMeans(image, voxelSize, { strength: 0.3 * 0.4, prefilter: 8, search: 8 });
    const less = await calmed(image, voxelSize, 0.4);
    for (let i = 0; i < image.data.length; i++) expect(less.data[i]).toBeCloseTo(0.3 * image.data[i]! + 0.7 * smooth.data[i]!, 5);
  });
});

describe('the mean of an image', () => {
  it('is of the calmed image, of whose noise the network is told; or of the image itself', async () => {
    const seen: { values: Volume; unit: number; noise?: number | undefined; looks?: number | undefined }[] = [];
    const model = {
      mean: async (
        values: Volume,
        unit = 1,
        { noise, looks }: { noise?: number | undefined; looks?: number | undefined } = {},
      ) => {
        seen.push({ values, unit, noise, looks });
        return values;
      },
    };
    const image = noisy(0.4);
    await meanImage(model, image, voxelSize, 2);
    await meanImage(model, image, voxelSize, 2, { prefilter: 'none', looks: 1 });
    const level = noiseLevel(image, voxelSize);
    const less = await calmed(image, voxelSize, level);
    expect(seen[0]).toEqual({ values: less, unit: 2, noise: noiseLevel(less, voxelSize), looks: 2 });
    expect(seen[1]).toEqual({ values: image, unit: 2, noise: level, looks: 1 });
    await expect(meanImage(model, image, voxelSize, 2, { prefilter: 'gauss' as 'nlm' })).rejects.toThrow(OptionError);
  });
});
