/** @file  Structural similarity of two volumes, Wang et al. 2004, doi:10.1109/TIP.2003.819861, Eq. 13: with the means μ, sample variances
 *  σ² and covariance σ_xr in a window around each voxel,
 *    SSIM = (2 μ_x μ_r + C₁)(2 σ_xr + C₂) / ( (μ_x² + μ_r² + C₁)(σ_x² + σ_r² + C₂) ),   C₁ = (0.01 L)²,  C₂ = (0.03 L)²
 *  averaged over the voxels whose whole window lies in the volume. Window: uniform 7³; covariances divided by 7³ − 1. These are the
 *  defaults of scikit-image's `structural_similarity`, whose number this is. */
import { expectShape, type Volume } from '../core/array.js';
import { ShapeError } from '../core/errors.js';
import { rangeOf } from './psnr.js';

const width = 7;

export interface SsimOptions {
  /** L, in the unit of the images. @default max − min of the reference */
  readonly dataRange?: number | undefined;
}

/**
 * Mean SSIM and the data range that it was computed with. Running sums: time does not depend on the window.
 * @throws ShapeError when the image does not have the reference's shape, or an axis is shorter than 7 voxels.
 * @throws OptionError when the data range is not positive.
 */
export function ssim(image: Volume, reference: Volume, options: SsimOptions = {}): { ssim: number; dataRange: number } {
  if (reference.shape.length !== 3 || reference.shape.some((n) => n < width)) {
    throw new ShapeError('SSIM needs room for its window', {
      expected: `three axes of at least ${width} voxels`,
      found: [...reference.shape],
    });
  }
  const r = expectShape(reference, reference.shape, 'reference').data;
  const x = expectShape(image, reference.shape, 'image').data;
  const dataRange = rangeOf(reference, options.dataRange);
  const [nz, ny, nx] = reference.shape as [number, number, number];
  const c1 = (0.01 * dataRange) ** 2;
  const c2 = (0.03 * dataRange) ** 2;
  const n = width ** 3;
  // Variances do not change when a constant is taken off both images; the rounding of E[x²] − E[x]² does.
  const shift = r[Math.floor(r.length / 2)]!;

  const perPlane = (ny - width + 1) * (nx - width + 1);
  const planes = Array.from({ length: width }, () => new Float64Array(5 * perPlane));
  const sums = new Float64Array(5 * perPlane);
  let all = 0;
  for (let z = 0; z < nz; z++) {
    const plane = planes[z % width]!;
    for (let i = 0; i < sums.length; i++) sums[i]! -= plane[i]!; // leaves the window; still 0 for the first seven
    planeSums(plane, x, r, z * ny * nx, ny, nx, shift);
    for (let i = 0; i < sums.length; i++) sums[i]! += plane[i]!;
    if (z < width - 1) continue;
    for (let i = 0; i < 5 * perPlane; i += 5) {
      const mx = sums[i]! / n;
      const mr = sums[i + 1]! / n;
      const vx = (sums[i + 2]! - n * mx * mx) / (n - 1);
      const vr = (sums[i + 3]! - n * mr * mr) / (n - 1);
      const cov = (sums[i + 4]! - n * mx * mr) / (n - 1);
      const ux = mx + shift;
      const ur = mr + shift;
      all += ((2 * ux * ur + c1) * (2 * cov + c2)) / ((ux * ux + ur * ur + c1) * (vx + vr + c2));
    }
  }
  return { ssim: all / (perPlane * (nz - width + 1)), dataRange };
}

/** Sums of x, r, x², r², x r over every 7 × 7 window of one plane, five by five, by running sums down columns and along rows. */
function planeSums(
  out: Float64Array,
  x: Float32Array,
  r: Float32Array,
  start: number,
  ny: number,
  nx: number,
  shift: number,
): void {
  const columns = new Float64Array(5 * nx);
  const addRow = (y: number, sign: number): void => {
    for (let i = start + y * nx, c = 0; c < 5 * nx; i++, c += 5) {
      const a = x[i]! - shift;
      const b = r[i]! - shift;
      columns[c]! += sign * a;
      columns[c + 1]! += sign * b;
      columns[c + 2]! += sign * a * a;
      columns[c + 3]! += sign * b * b;
      columns[c + 4]! += sign * a * b;
    }
  };
  let at = 0;
  for (let y = 0; y < ny; y++) {
    addRow(y, 1);
    if (y < width - 1) continue;
    for (let k = 0; k < 5; k++) {
      let sum = 0;
      for (let i = 0; i < width - 1; i++) sum += columns[5 * i + k]!;
      for (let i = width - 1; i < nx; i++) {
        sum += columns[5 * i + k]!;
        out[at + 5 * (i - width + 1) + k] = sum;
        sum -= columns[5 * (i - width + 1) + k]!;
      }
    }
    at += 5 * (nx - width + 1);
    addRow(y - width + 1, -1);
  }
}
