import { describe, expect, it } from 'vitest';
import { fill, type Point, type Shape3, total, type Volume } from '../../src/core/array.js';
import type { Denoiser } from '../../src/core/interfaces.js';
import { noiseField } from '../../src/core/random.js';
import { coveringShape, noiseGain, resample, resampledDenoiser, type Sampling } from '../../src/denoise/resample.js';

const sampling = (shape: Shape3, voxelSize: Point): Sampling => ({ shape, voxelSize });
/** Samples f(z, y, x), mm from the centre. */
const sampled = ({ shape, voxelSize }: Sampling, f: (z: number, y: number, x: number) => number): Volume =>
  fill(shape, (i) => {
    const at = [Math.floor(i / (shape[1] * shape[2])), Math.floor(i / shape[2]) % shape[1], i % shape[2]];
    const [z, y, x] = at.map((k, axis) => (k - (shape[axis]! - 1) / 2) * voxelSize[axis]!) as [number, number, number];
    return f(z, y, x);
  });
const fine = sampling([29, 41, 37], [2.5, 2, 2.1]);
const model = sampling(coveringShape(fine, [4, 4, 4]), [4, 4, 4]);
/** A blob of 8 mm standard deviation, off centre. */
const blob = (z: number, y: number, x: number): number => Math.exp(-((z - 3) ** 2 + (y + 5) ** 2 + (x - 6.3) ** 2) / (2 * 8 * 8));
const mass = (x: Volume, { voxelSize: [a, b, c] }: Sampling): number => total(x) * a * b * c;
const worst = (a: Volume, b: Volume): number =>
  a.data.reduce((most, value, i) => Math.max(most, Math.abs(value - b.data[i]!)), 0);

describe('resample', () => {
  it('covers the field of view', () => {
    expect(coveringShape(fine, [4, 4, 4])).toEqual([19, 21, 20]);
    expect(coveringShape(sampling([1, 10, 3], [4, 4, 4.00001]), [4, 4, 4])).toEqual([1, 10, 3]);
  });

  it('is the identity on the same grid, to the bit', async () => {
    const x = noiseField([3, 4, 5], 1);
    const grid = sampling([3, 4, 5], [4, 3, 2]);
    expect(await resample(x, grid, grid)).toBe(x);
  });

  it.each([
    ['coarser', fine, model, 0.02],
    ['finer', model, fine, 0.015],
  ] as const)('samples what is smooth, on a %s grid', async (_, from, to, error) => {
    expect(worst(await resample(sampled(from, blob), from, to), sampled(to, blob))).toBeLessThan(error);
  });

  it.each([
    ['coarser', fine, model],
    ['finer', model, fine],
    ['of one voxel', fine, sampling([1, 1, 1], [80, 90, 80])],
  ] as const)('keeps a constant and a linear ramp inside, on a grid %s', async (_, from, to) => {
    const constant = await resample(
      sampled(from, () => 3),
      from,
      to,
    );
    expect(
      worst(
        constant,
        sampled(to, () => 3),
      ),
    ).toBeLessThan(1e-5);
    const plane = (z: number, y: number, x: number): number => 50 + 0.3 * z - 0.2 * y + 0.1 * x;
    const ramp = await resample(sampled(from, plane), from, to);
    const inner = sampled(to, (z, y, x) => (Math.abs(z) < 20 && Math.abs(y) < 20 && Math.abs(x) < 20 ? 1 : 0));
    const truth = sampled(to, plane);
    for (let i = 0; i < ramp.data.length; i++) if (inner.data[i]) expect(ramp.data[i]).toBeCloseTo(truth.data[i]!, 2);
  });

  it('keeps activity: sum × voxel volume, there and back', async () => {
    const x = sampled(fine, blob);
    const there = await resample(x, fine, model);
    expect(mass(there, model) / mass(x, fine)).toBeCloseTo(1, 2);
    const back = await resample(there, model, fine);
    expect(mass(back, fine) / mass(x, fine)).toBeCloseTo(1, 2);
    expect(worst(back, x)).toBeLessThan(0.03);
  });

  it('does not fold back what the coarse grid cannot hold', async () => {
    const stripes = sampled(fine, (_, y) => Math.cos((Math.PI * y) / 2.2)); // period 4.4 mm: above the 8 mm of 4 mm voxels
    const there = await resample(stripes, fine, model);
    const inside = sampled(model, (_, y) => (Math.abs(y) < 30 ? 1 : 0)); // the volume's end is a step, with all frequencies
    expect(Math.max(...there.data.map((value, i) => Math.abs(value * inside.data[i]!)))).toBeLessThan(0.1);
  });

  it('leaves white noise the share that it says', async () => {
    const there = await resample(noiseField(fine.shape, 4), fine, model);
    const deviation = Math.sqrt(there.data.reduce((sum, v) => sum + v * v, 0) / there.data.length);
    expect(deviation / noiseGain(fine, model)).toBeCloseTo(1, 1);
    expect(noiseGain(fine, model)).toBeLessThan(0.5);
    expect(noiseGain(fine, fine)).toBe(1);
  });

  it('carries a denoiser to another grid, and tells it the noise that is left', async () => {
    let asked = 0;
    const half: Denoiser = {
      sigmaMin: 0.1,
      sigmaMax: 10,
      denoise: async (x, sigma) => {
        expect(x.shape).toEqual(model.shape);
        asked = sigma;
        return fill(x.shape, (i) => x.data[i]! / 2);
      },
    };
    const carried = resampledDenoiser(half, fine, model);
    const x = sampled(fine, blob);
    const out = await carried.denoise(x, 2);
    expect(asked).toBeCloseTo(2 * noiseGain(fine, model), 6);
    expect(carried.sigmaMax * noiseGain(fine, model)).toBeCloseTo(10, 6);
    expect(
      worst(
        out,
        fill(x.shape, (i) => x.data[i]! / 2),
      ),
    ).toBeLessThan(0.02);
  });

  it('stops with the reason given', async () => {
    const reason = new Error('enough');
    const big = sampling([160, 160, 160], [2, 2, 2]);
    const work = resample(noiseFree(big), big, sampling([80, 80, 80], [4, 4, 4]), { signal: AbortSignal.abort(reason) });
    await expect(work).rejects.toBe(reason);
  });
});

const noiseFree = ({ shape }: Sampling): Volume => fill(shape, () => 1);
