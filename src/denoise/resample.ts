/** @file  A volume on another grid with the same centre: separable cubic convolution, widened where the grid gets coarser.
 *    y_k = Σ_i w_ki x_i,   w_ki ∝ κ( (i − u_k) / s ),   u_k = (n−1)/2 + (k − (N−1)/2) D/d,   s = max(1, D/d),   Σ_i w_ki = 1
 *  κ is Keys's cubic (a = −1/2), third order and 1 or 0 at whole numbers, so that a grid onto itself is the identity; widened by s it is the
 *  low-pass filter that keeps what the coarse grid cannot hold from folding back. Keys 1981, doi:10.1109/TASSP.1981.1163711. Beyond the
 *  volume its edge goes on. Sums stay what they are per volume: Σ y D³ ≈ Σ x d³. */
import { array, expectShape, type Point, type Shape3, type Volume } from '../core/array.js';
import type { Grid } from '../core/image.js';
import type { Denoiser } from '../core/interfaces.js';
import { type CallOptions, turn } from '../core/iterate.js';

/** Shape and voxel size; where the volume is does not matter here. */
export type Sampling = Pick<Grid, 'shape' | 'voxelSize'>;

/** The smallest grid of another voxel size, mm, that covers a grid; a sliver below a hundredth of a voxel does not count. */
export function coveringShape({ shape, voxelSize }: Sampling, wanted: Point): Shape3 {
  const [nz, ny, nx] = shape.map((n, axis) => Math.max(1, Math.ceil((n * voxelSize[axis]!) / wanted[axis]! - 0.01)));
  return [nz!, ny!, nx!];
}

/**
 * The volume on another grid with the same centre.
 * @returns a new volume of shape to.shape; the volume itself when the grids are the same.
 */
export async function resample(x: Volume, from: Sampling, to: Sampling, { signal }: CallOptions = {}): Promise<Volume> {
  let data = expectShape(x, from.shape, 'volume').data;
  const shape: [number, number, number] = [from.shape[0], from.shape[1], from.shape[2]];
  let last = performance.now();
  for (const axis of [2, 1, 0] as const) {
    const rows = rowsOf(from, to, axis);
    if (!rows) continue;
    const outer = shape.slice(0, axis).reduce((product, n) => product * n, 1);
    const inner = shape.slice(axis + 1).reduce((product, n) => product * n, 1);
    const [n, m] = [shape[axis], rows.length];
    const out = new Float32Array(outer * m * inner);
    for (let o = 0; o < outer; o++) {
      for (let k = 0; k < m; k++) {
        const { first, weights } = rows[k]!;
        const at = (o * m + k) * inner;
        for (let tap = 0; tap < weights.length; tap++) {
          const w = weights[tap]!;
          const source = (o * n + first + tap) * inner;
          for (let j = 0; j < inner; j++) out[at + j]! += w * data[source + j]!;
        }
      }
      if (performance.now() - last > 30) {
        await turn(signal);
        last = performance.now();
      }
    }
    data = out;
    shape[axis] = m;
  }
  return data === x.data ? x : array(shape, data);
}

/**
 * A denoiser of one voxel size for images of another: D'(x, σ) = back( D( there(x), g σ ) ). There, white noise of σ is noise of g σ, g² = the
 * mean over the rows of Σ w², along each axis. What the denoiser's grid cannot hold is not in the result.
 * @param image grid of x. @param model grid of the denoiser, e.g. `coveringShape(image, card.voxelSize)` and that voxel size.
 */
export function resampledDenoiser(denoiser: Denoiser, image: Sampling, model: Sampling): Denoiser {
  const gain = noiseGain(image, model);
  return {
    sigmaMin: denoiser.sigmaMin / gain,
    sigmaMax: denoiser.sigmaMax / gain,
    async denoise(x, sigma, options = {}) {
      const there = await resample(x, image, model, options);
      return resample(await denoiser.denoise(there, gain * sigma, options), model, image, options);
    },
  };
}

/** Standard deviation that white noise of 1 is left with on the other grid, root mean square over its voxels. */
export function noiseGain(from: Sampling, to: Sampling): number {
  let variance = 1;
  for (const axis of [0, 1, 2] as const) {
    const rows = rowsOf(from, to, axis);
    if (rows) variance *= rows.reduce((sum, { weights }) => sum + weights.reduce((s, w) => s + w * w, 0), 0) / rows.length;
  }
  return Math.sqrt(variance);
}

/** w_ki of a row k for i = first, first + 1, … */
interface Row {
  readonly first: number;
  readonly weights: Float64Array;
}

/** The rows along an axis; undefined where both grids are the same. */
function rowsOf(from: Sampling, to: Sampling, axis: 0 | 1 | 2): Row[] | undefined {
  const [n, m] = [from.shape[axis], to.shape[axis]];
  const ratio = to.voxelSize[axis] / from.voxelSize[axis];
  if (n === m && Math.abs(ratio - 1) < 1e-6) return undefined;
  const widened = Math.max(1, ratio);
  const inside = (i: number): number => Math.min(n - 1, Math.max(0, i));
  return Array.from({ length: m }, (_, k) => {
    const u = (n - 1) / 2 + (k - (m - 1) / 2) * ratio;
    const [low, high] = [Math.ceil(u - 2 * widened), Math.floor(u + 2 * widened)];
    const first = inside(low);
    const weights = new Float64Array(inside(high) - first + 1);
    let sum = 0;
    for (let i = low; i <= high; i++) {
      const w = keys((i - u) / widened);
      weights[inside(i) - first]! += w;
      sum += w;
    }
    return { first, weights: weights.map((w) => w / sum) };
  });
}

/** Keys's cubic convolution kernel, a = −1/2. */
function keys(t: number): number {
  const x = Math.abs(t);
  if (x >= 2) return 0;
  return x < 1 ? (1.5 * x - 2.5) * x * x + 1 : ((-0.5 * x + 2.5) * x - 4) * x + 2;
}
