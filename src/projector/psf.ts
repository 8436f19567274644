/** @file  Resolution in image space: G, convolution with a separable Gaussian, the image zero outside. Its kernel is symmetric and sums
 *  to 1, so that G = Gᵀ exactly, also at the borders. Reader et al. 2003, doi:10.1109/TNS.2003.817327. */
import { array, expectShape, type Point, size, type Volume } from '../core/array.js';
import { GeometryError } from '../core/errors.js';
import { checkedGrid, type Grid } from '../core/image.js';
import type { LinearOperator } from '../core/interfaces.js';
import { type CallOptions, turn } from '../core/iterate.js';

/** FWHM = 2 √(2 ln 2) σ. */
const fwhmPerSigma: number = 2 * Math.sqrt(2 * Math.log(2));
/** The kernel is cut at this many σ. */
const reach = 4;

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
      if (kernels[axis]!.length > 1) image = await convolved(image, shape, axis, kernels[axis]!, signal);
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

/** Weights at 0, 1, 2, … voxels from the centre: k₀ + 2 Σ k_i = 1. */
export function gaussianKernel(sigma: number): Float64Array {
  const kernel = Float64Array.from({ length: Math.ceil(reach * sigma) + 1 }, (_, i) =>
    sigma === 0 ? 1 : Math.exp(-0.5 * (i / sigma) ** 2),
  );
  const sum = kernel.reduce((total, weight, i) => total + (i === 0 ? weight : 2 * weight), 0);
  return kernel.map((weight) => weight / sum);
}

/** Along an axis the image is [outer][n][inner]; whole runs of `inner` are added, so that memory is read in order. */
async function convolved(
  image: Float32Array<ArrayBuffer>,
  shape: readonly number[],
  axis: number,
  kernel: Float64Array,
  signal: AbortSignal | undefined,
): Promise<Float32Array<ArrayBuffer>> {
  const n = shape[axis]!;
  const inner = size(shape.slice(axis + 1));
  const outer = size(shape.slice(0, axis));
  const out = new Float32Array(image.length);
  const workPerTurn = 2e7;
  let work = 0;
  for (let o = 0; o < outer; o++) {
    for (let i = 0; i < n; i++) {
      const to = (o * n + i) * inner;
      for (let tap = Math.max(-kernel.length + 1, -i); tap <= Math.min(kernel.length - 1, n - 1 - i); tap++) {
        const weight = kernel[Math.abs(tap)]!;
        const from = to + tap * inner;
        for (let c = 0; c < inner; c++) out[to + c]! += weight * image[from + c]!;
      }
      if ((work += inner * kernel.length) > workPerTurn) {
        work = 0;
        await turn(signal);
      }
    }
  }
  return out;
}
