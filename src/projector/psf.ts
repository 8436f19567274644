/** @file  Resolution in image space: G, convolution with a separable Gaussian, the image zero outside. Its kernel is symmetric and sums
 *  to 1, so that G = Gᵀ exactly, also at the borders. Reader et al. 2003, doi:10.1109/TNS.2003.817327. */
import { array, expectShape, type Point, type Volume } from '../core/array.js';
import { GeometryError } from '../core/errors.js';
import { convolvedAlong, fwhmPerSigma, gaussianKernel } from '../core/gaussian.js';
import { checkedGrid, type Grid } from '../core/image.js';
import type { LinearOperator } from '../core/interfaces.js';
import type { CallOptions } from '../core/iterate.js';

/**
 * @param fwhm of the Gaussian, mm: one number, or one for each of z, y, x; 0 leaves an axis as it is.
 * @throws GeometryError when a FWHM is negative or not finite.
 */
export function gaussianPsf(grid: Grid, fwhm: number | Point): LinearOperator {
  const { shape } = grid;
  const kernels = gaussianKernels(grid, fwhm);
  const blur = async (x: Volume, { signal }: CallOptions = {}): Promise<Volume> => {
    let image = Float32Array.from(expectShape(x, shape, 'image').data);
    for (let axis = 0; axis < 3; axis++) {
      if (kernels[axis]!.length > 1) image = await convolvedAlong(image, shape, axis, kernels[axis]!, signal);
    }
    return array(shape, image);
  };
  return { inShape: shape, outShape: shape, forward: blur, adjoint: blur };
}

/**
 * Kernels along z, y and x.
 * @throws GeometryError when a FWHM is negative or not finite.
 */
export function gaussianKernels(grid: Grid, fwhm: number | Point): readonly Float64Array[] {
  const { voxelSize } = checkedGrid(grid);
  const widths: Point = typeof fwhm === 'number' ? [fwhm, fwhm, fwhm] : fwhm;
  if (!widths.every((width) => width >= 0 && width < Infinity)) {
    throw new GeometryError('Resolution', { key: 'fwhm', expected: 'lengths ≥ 0 in mm', found: [...widths] });
  }
  return widths.map((width, axis) => gaussianKernel(width / fwhmPerSigma / voxelSize[axis]!));
}
