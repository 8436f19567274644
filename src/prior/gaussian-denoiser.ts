/** @file  The exact denoiser of a normal prior x₀ ~ N(μ, C),  C = Qᵀ diag(d) Q:
 *    D(x, σ) = E[x₀ | x] = μ + Qᵀ diag(d/(d + σ²)) Q (x − μ)
 *  A prior that needs no network: with it samplers and reconstructions have answers in closed form. */
import { contiguous, expectShape, fill, type Volume } from '../core/array.js';
import { ShapeError } from '../core/errors.js';
import type { Denoiser } from '../core/interfaces.js';

/**
 * @param mean μ.
 * @param variance d: one for all voxels, or one for each voxel (each row of the basis, if there is one).
 * @param basis Q, orthogonal, n × n, row-major, rows the principal axes; for small n. @default the identity
 * @throws ShapeError when the basis is not n × n, or the variance does not fit the mean.
 */
export function gaussianDenoiser(mean: Volume, variance: number | Volume, basis?: Float64Array): Denoiser {
  const mu = contiguous(mean).data;
  const n = mu.length;
  const d = typeof variance === 'number' ? undefined : expectShape(variance, mean.shape, 'variance').data;
  const shrink = (k: number, sigma: number): number => {
    const dk = d === undefined ? (variance as number) : d[k]!;
    return dk === 0 ? 0 : dk / (dk + sigma * sigma);
  };
  if (basis !== undefined && basis.length !== n * n) {
    throw new ShapeError('basis does not fit', { expected: `${n} × ${n} values`, found: basis.length });
  }
  const denoise = async (x0: Volume, sigma: number): Promise<Volume> => {
    const x = expectShape(x0, mean.shape, 'x').data;
    if (basis === undefined) return fill(mean.shape, (i) => mu[i]! + shrink(i, sigma) * (x[i]! - mu[i]!));
    const coefficients = Float64Array.from({ length: n }, (_, k) => {
      let sum = 0;
      for (let i = 0; i < n; i++) sum += basis[k * n + i]! * (x[i]! - mu[i]!);
      return shrink(k, sigma) * sum;
    });
    return fill(mean.shape, (i) => {
      let sum = mu[i]!;
      for (let k = 0; k < n; k++) sum += basis[k * n + i]! * coefficients[k]!;
      return sum;
    });
  };
  return { sigmaMin: 0, sigmaMax: Infinity, denoise };
}
