/** @file  The filter that every clinic has, x̂ = (G x) / (G 1): a Gaussian that does not darken the ends of the volume. Against it, with a
 *  width that suits the noise, any denoiser has to show what it is worth. */
import { array, contiguous, type Point, type Volume } from '../core/array.js';
import { OptionError } from '../core/errors.js';
import { convolvedAlong, fwhmPerSigma, gaussianKernel } from '../core/gaussian.js';
import type { CallOptions } from '../core/iterate.js';

/**
 * @param image shape [nz, ny, nx], any unit. @param voxelSize mm [z, y, x]. @param fwhm mm; 0 leaves the image as it is.
 * @throws OptionError when the width is negative or not finite.
 */
export async function gaussianFilter(
  image: Volume,
  voxelSize: Point,
  fwhm: number,
  { signal }: CallOptions = {},
): Promise<Volume> {
  if (!(fwhm >= 0 && fwhm < Infinity)) {
    throw new OptionError('Gaussian filter', { key: 'fwhm', expected: 'a length ≥ 0 in mm', found: fwhm });
  }
  let data = Float32Array.from(contiguous(image).data);
  const inside: Float32Array[] = []; // G 1, axis by axis
  for (const [axis, d] of voxelSize.entries()) {
    const kernel = gaussianKernel(fwhm / fwhmPerSigma / d);
    data = await convolvedAlong(data, image.shape, axis, kernel, signal);
    inside.push(await convolvedAlong(new Float32Array(image.shape[axis]!).fill(1), [image.shape[axis]!], 0, kernel, signal));
  }
  const [nz, ny, nx] = image.shape as [number, number, number];
  const [gz, gy, gx] = inside as [Float32Array, Float32Array, Float32Array];
  for (let z = 0, i = 0; z < nz; z++) {
    for (let y = 0; y < ny; y++) {
      for (let x = 0; x < nx; x++, i++) data[i]! /= gz[z]! * gy[y]! * gx[x]!;
    }
  }
  return array(image.shape, data);
}
