import { describe, expect, it } from 'vitest';
import { array, fill } from '../../src/core/array.js';
import { OptionError, ShapeError } from '../../src/core/errors.js';
import { imageError } from '../../src/metrics/psnr.js';

const reference = array([1, 2, 2], Float32Array.of(0, 1, 2, 10));
const image = array([1, 2, 2], Float32Array.of(1, 1, 0, 12)); // differences 1, 0, −2, 2

describe('imageError', () => {
  it('gives the values worked by hand', () => {
    const { psnr, rmse, nrmse, dataRange, voxels } = imageError(image, reference);
    expect(rmse).toBeCloseTo(1.5, 12); // √(9/4)
    expect(nrmse).toBeCloseTo(3 / Math.sqrt(105), 12);
    expect(dataRange).toBe(10);
    expect(psnr).toBeCloseTo(20 * Math.log10(10 / 1.5), 12);
    expect(voxels).toBe(4);
  });

  it('compares under the mask, with the data range of the whole reference', () => {
    const mask = array([1, 2, 2], Float32Array.of(1, 1, 5, 0));
    const { rmse, nrmse, dataRange, voxels } = imageError(image, reference, { mask });
    expect(rmse).toBeCloseTo(Math.sqrt(5 / 3), 12);
    expect(nrmse).toBeCloseTo(1, 12);
    expect([dataRange, voxels]).toEqual([10, 3]);
  });

  it('takes a data range', () => {
    expect(imageError(image, reference, { dataRange: 1.5 }).psnr).toBeCloseTo(0, 12);
  });

  it('does not change with the unit, except RMSE', () => {
    const scaled = (x: typeof image): typeof image => fill(x.shape, (i) => 4 * x.data[i]!);
    const a = imageError(image, reference);
    const b = imageError(scaled(image), scaled(reference));
    expect(b.psnr).toBeCloseTo(a.psnr, 10);
    expect(b.nrmse).toBeCloseTo(a.nrmse, 10);
    expect(b.rmse).toBeCloseTo(4 * a.rmse, 10);
  });

  it('finds no error in equal images', () => {
    expect(imageError(reference, reference)).toMatchObject({ psnr: Infinity, rmse: 0, nrmse: 0 });
  });

  it('refuses what cannot be compared', () => {
    expect(() => imageError(array([2, 2]), reference)).toThrow(ShapeError);
    expect(() => imageError(image, reference, { mask: array([1, 2, 2]) })).toThrow(OptionError);
    expect(() => imageError(array([2, 2]), array([2, 2]))).toThrow(/dataRange/);
  });
});
