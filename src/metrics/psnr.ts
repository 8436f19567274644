/** @file  Voxel-wise agreement of an image x with a reference r:
 *    RMSE = √( mean (x − r)² ),   NRMSE = ‖x − r‖ / ‖r‖,   PSNR = 20 log₁₀( L / RMSE )
 *  with the data range L = max − min of the reference over the whole volume, unless it is given. L is returned, since a PSNR without it
 *  means nothing. Images are compared as they are: no min-max normalisation. */
import { expectShape, type NdArray } from '../core/array.js';
import { OptionError } from '../core/errors.js';

export interface ErrorOptions {
  /** Voxels other than 0 take part; shape of the reference. @default all */
  readonly mask?: NdArray | undefined;
  /** L, in the unit of the images. @default max − min of the reference over the whole volume, mask or not */
  readonly dataRange?: number | undefined;
}

export interface ImageError {
  /** dB; Infinity for equal images. */
  readonly psnr: number;
  /** In the unit of the images. */
  readonly rmse: number;
  /** Dimensionless; NaN where the reference is 0 throughout. */
  readonly nrmse: number;
  /** The L that PSNR was computed with. */
  readonly dataRange: number;
  /** Number of voxels compared. */
  readonly voxels: number;
}

/**
 * PSNR, RMSE and NRMSE of an image against a reference, accumulated in double.
 * @throws ShapeError when image or mask do not have the reference's shape.
 * @throws OptionError when the data range is not positive, or the mask is empty.
 */
export function imageError(image: NdArray, reference: NdArray, options: ErrorOptions = {}): ImageError {
  const r = expectShape(reference, reference.shape, 'reference').data;
  const x = expectShape(image, reference.shape, 'image').data;
  const mask = options.mask && expectShape(options.mask, reference.shape, 'mask').data;
  const dataRange = rangeOf(reference, options.dataRange);
  let voxels = 0;
  let error = 0;
  let norm = 0;
  for (let i = 0; i < r.length; i++) {
    if (mask && mask[i] === 0) continue;
    voxels++;
    error += (x[i]! - r[i]!) ** 2;
    norm += r[i]! ** 2;
  }
  if (voxels === 0) throw new OptionError('The mask selects no voxel', { key: 'mask' });
  const rmse = Math.sqrt(error / voxels);
  return { psnr: 20 * Math.log10(dataRange / rmse), rmse, nrmse: Math.sqrt(error / norm), dataRange, voxels };
}

/**
 * The data range given, or max − min of the reference.
 * @throws OptionError when it is not positive and finite: a constant reference needs one given.
 */
export function rangeOf(reference: NdArray, given?: number): number {
  let range = given;
  if (range === undefined) {
    let low = Infinity;
    let high = -Infinity;
    for (const value of expectShape(reference, reference.shape, 'reference').data) {
      if (value < low) low = value;
      if (value > high) high = value;
    }
    range = high - low;
  }
  if (range > 0 && range < Infinity) return range;
  throw new OptionError('Data range', {
    key: 'dataRange',
    expected: 'a positive number',
    found: range,
    hint: given === undefined ? 'The reference is constant or not finite: give dataRange.' : undefined,
  });
}
