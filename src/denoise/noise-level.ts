/** @file  How noisy an image is, from the image alone: relative noise σ/mean in uptake, robustly.
 *    d = a(−L) − 2 a(0) + a(+L),   m = ( a(−L) + a(0) + a(+L) ) / 3      along each axis, L ≈ 8 mm
 *    noise level = 1.4826 · median |d| / m / √6        over the calm half of the triples in uptake
 *  d is blind to constant uptake and to gradients, and 1.4826 median |d| is the standard deviation of normal d (Hampel 1974,
 *  doi:10.1080/01621459.1974.10482962), which is √6 that of a voxel. L steps over the correlation that a reconstruction leaves between
 *  neighbours. Calm is where the same d, averaged over the four places L to the sides, is small: noise there is another, but the edge of
 *  an organ is the same edge. In a uniform liver this is the NSTD (coefficient of variation) that PET physics reports. */
import { contiguous, type Point, type Volume } from '../core/array.js';

/** Distance between the voxels compared, mm: wider than a PET scanner's resolution, narrower than an organ. */
const LAG = 8;
/** Uptake begins at this share of the image's 99.5th percentile. */
const UPTAKE = 0.1;
/** Voxels looked at, about, at most; regularly spaced. */
const MOST = 200_000;
/** Standard deviation of a normal deviate per median of its absolute value. */
const MAD = 1.4826;

/**
 * Relative noise of an image: the standard deviation of its noise over its mean in uptake, 0.1 for 10 %. It has no unit, so it does not
 * depend on the image's. Noise that is correlated over more than 8 mm is seen only in part.
 * @param values shape [nz, ny, nx], any unit. @param voxelSize mm [z, y, x]; undefined: neighbours are compared.
 * @returns 0 where nothing can be said: no uptake, or no axis of three voxels.
 */
export function noiseLevel(values: Volume, voxelSize?: Point): number {
  const { data, shape } = contiguous(values);
  const floor = UPTAKE * highUptake(data);
  if (!(floor > 0)) return 0;
  const axes = shape.map((length, axis) => {
    const lag = lagOf(voxelSize?.[axis], length);
    const stride = shape.slice(axis + 1).reduce((product, n) => product * n, 1);
    return { length, lag, stride, step: lag * stride };
  });
  const compared = axes.filter(({ lag }) => lag > 0);
  const found: { readonly edge: number; readonly ratio: number }[] = [];
  for (let i = 0; i < data.length; i += spacing(data.length)) {
    const inside = compared.every(({ length, lag, stride }) => {
      const at = Math.floor(i / stride) % length;
      return at >= lag && at < length - lag;
    });
    if (!inside) continue;
    for (const axis of compared) {
      const { step } = axis;
      const mean = (data[i - step]! + data[i]! + data[i + step]!) / 3;
      if (!(mean > floor)) continue;
      const bend = (at: number): number => data[at - step]! - 2 * data[at]! + data[at + step]!;
      let edge = 0;
      for (const side of compared) if (side !== axis) edge += bend(i - side.step) + bend(i + side.step);
      found.push({ edge: Math.abs(edge) / mean, ratio: Math.abs(bend(i)) / mean });
    }
  }
  if (found.length === 0) return 0;
  const calm = median(found.map(({ edge }) => edge));
  return (MAD * median(found.filter(({ edge }) => edge <= calm).map(({ ratio }) => ratio))) / Math.sqrt(6);
}

/** Voxels to step over along an axis; 0 when it is too short to be compared. */
function lagOf(d: number | undefined, length: number): number {
  const wanted = d === undefined ? 1 : Math.max(1, Math.round(LAG / d));
  return Math.min(wanted, Math.floor((length - 1) / 2));
}

/** 99.5th percentile of the positive voxels, of a regular sample. */
function highUptake(data: Float32Array): number {
  const positive: number[] = [];
  for (let i = 0; i < data.length; i += spacing(data.length)) if (data[i]! > 0) positive.push(data[i]!);
  return Float64Array.from(positive).sort()[Math.floor(0.995 * (positive.length - 1))] ?? 0;
}

/** Odd, so that it comes by all columns of an image of even size. */
function spacing(voxels: number): number {
  return Math.ceil(voxels / MOST) | 1;
}

function median(values: readonly number[]): number {
  return Float64Array.from(values).sort()[values.length >> 1]!;
}
