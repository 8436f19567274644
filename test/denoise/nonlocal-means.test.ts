import { describe, expect, it } from 'vitest';
import { array, fill, type Volume } from '../../src/core/array.js';
import { OptionError } from '../../src/core/errors.js';
import { random } from '../../src/core/random.js';
import { bodyMean } from '../../src/denoise/denoise-volume.js';
import { gaussianFilter } from '../../src/denoise/gaussian.js';
import { nonlocalMeans } from '../../src/denoise/nonlocal-means.js';
import { imageError } from '../../src/metrics/psnr.js';

const voxelSize = [3, 2, 2.5] as const;
const shape = [7, 8, 9] as const;
const { normal, uniform } = random(9);
const noisy = fill(shape, (i) => (i % 9 < 4 ? 2 : 6) * (1 + 0.2 * normal()));

/** The definition, voxel by voxel; patches are cut at the border of the overlap, where the nearest voxel stands in. */
function slow(
  image: Volume,
  s: Volume,
  reach: readonly number[],
  strength: number,
  at: readonly [number, number, number],
): number {
  const [nz, ny, nx] = shape;
  const n = [nz, ny, nx];
  let sum = image.get(...at);
  let weights = 1;
  for (let oz = -reach[0]!; oz <= reach[0]!; oz++)
    for (let oy = -reach[1]!; oy <= reach[1]!; oy++)
      for (let ox = -reach[2]!; ox <= reach[2]!; ox++) {
        const o = [oz, oy, ox];
        if (o.every((v) => v === 0)) continue;
        const j = at.map((v, axis) => v + o[axis]!);
        if (j.some((v, axis) => v < 0 || v >= n[axis]!)) continue;
        let d = 0;
        for (let k = 0; k < 27; k++) {
          const p = [Math.floor(k / 9) - 1, (Math.floor(k / 3) % 3) - 1, (k % 3) - 1].map((v, axis) => {
            const low = Math.max(0, -o[axis]!);
            const high = n[axis]! - 1 - Math.max(0, o[axis]!);
            return Math.min(high, Math.max(low, at[axis]! + v));
          }) as [number, number, number];
          d += (s.get(...p) - s.get(p[0] + oz, p[1] + oy, p[2] + ox)) ** 2 / 27;
        }
        const w = Math.exp(-d / strength ** 2);
        sum += w * image.get(...(j as [number, number, number]));
        weights += w;
      }
  return sum / weights;
}

describe('nonlocalMeans', () => {
  it('is its definition, also at the corners', async () => {
    const options = { strength: 0.4, prefilter: 3, search: 6 };
    const out = await nonlocalMeans(noisy, voxelSize, options);
    const pilot = await gaussianFilter(noisy, voxelSize, 3);
    const c = 0.5 * bodyMean(noisy);
    const s = fill(shape, (i) => Math.asinh(pilot.data[i]! / c));
    for (const at of [
      [3, 4, 4],
      [0, 0, 0],
      [6, 7, 8],
      [2, 0, 5],
    ] as const) {
      expect(out.get(...at)).toBeCloseTo(slow(noisy, s, [2, 3, 2], 0.4, at), 3);
    }
  });

  it('keeps constants, and does not depend on the unit', async () => {
    const flat = await nonlocalMeans(
      fill(shape, () => 2.5),
      voxelSize,
    );
    for (const value of flat.data) expect(value).toBeCloseTo(2.5, 5);
    const suv = await nonlocalMeans(noisy, voxelSize);
    const becquerel = await nonlocalMeans(
      fill(shape, (i) => 5000 * noisy.data[i]!),
      voxelSize,
    );
    becquerel.data.forEach((value, i) => {
      expect(value / 5000 / suv.data[i]!).toBeCloseTo(1, 4);
    });
  });

  it('smooths more where it is stronger, down to leaving the image alone', async () => {
    const change = async (strength: number): Promise<number> =>
      imageError(await nonlocalMeans(noisy, voxelSize, { strength }), noisy).rmse;
    expect(await change(1e-3)).toBeLessThan(1e-5);
    expect(await change(0.3)).toBeGreaterThan(1.1 * (await change(0.05)));
  });

  it('beats a Gaussian on an edge in noise, whatever the width of that', async () => {
    const wide = [20, 22, 24] as const;
    const truth = fill(wide, (i) => (i % 24 < 12 ? 2 : 6));
    const image = fill(wide, (i) => truth.data[i]! * Math.max(0, 1 + 0.25 * (uniform() - 0.5) * 3.46));
    const psnr = (x: Volume): number => imageError(x, truth).psnr;
    const means = psnr(await nonlocalMeans(image, voxelSize, { strength: 0.25, prefilter: 4 }));
    for (const fwhm of [0, 3, 4, 5, 6, 8, 10])
      expect(means).toBeGreaterThan(psnr(await gaussianFilter(image, voxelSize, fwhm)) + 1);
  });

  it('refuses what cannot be', async () => {
    await expect(nonlocalMeans(noisy, voxelSize, { strength: 0 })).rejects.toThrow(OptionError);
    await expect(nonlocalMeans(array(shape), voxelSize)).rejects.toThrow(OptionError);
    const reason = new Error('enough');
    await expect(nonlocalMeans(noisy, voxelSize, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  });
});
