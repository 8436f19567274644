/** @file  Non-local means in 3D: every voxel becomes the mean of the voxels near it whose surroundings look like its own,
 *    x̂_i = Σ_j w_ij x_j / Σ_j w_ij,   w_ij = exp( −d²_ij / h² ),   d²_ij = mean over the patch of ( s_{i+k} − s_{j+k} )²
 *  Buades, Coll & Morel 2005, doi:10.1109/CVPR.2005.38; 3D as in Coupé et al. 2008,
 *  doi:10.1109/TMI.2007.906087; for PET Dutta, Leahy & Li 2013, doi:10.1371/journal.pone.0081390. Patches are compared in a pre-filtered image,
 *  and where noise is alike everywhere: OSEM's grows with the uptake (Barrett, Wilson & Tsui 1994, doi:10.1088/0031-9155/39/5/004), so
 *  that s = asinh(G x / c), which is x/c where uptake is low and ln x where it is high. The mean is taken of x itself: it keeps activity. */
import { array, contiguous, type Point, type Volume } from '../core/array.js';
import { OptionError } from '../core/errors.js';
import { type CallOptions, turn } from '../core/iterate.js';
import { bodyMean } from './denoise-volume.js';
import { gaussianFilter } from './gaussian.js';

export interface NonlocalMeansOptions extends CallOptions {
  /** h: how unlike patches may be, in units of s (relative uptake). @default 0.3 */
  readonly strength?: number | undefined;
  /** FWHM of the pre-filter, mm. @default 5 */
  readonly prefilter?: number | undefined;
  /** Reach of the search along each axis, mm. @default 11 */
  readonly search?: number | undefined;
  /** FWHM of a Gaussian over the result, mm. @default 0 */
  readonly postfilter?: number | undefined;
}

/** Share of the mean over the body below which noise is taken as constant: c. */
const lowUptake = 0.5;
/** Patches are 3³ voxels. */
const patchVoxels = 27;
/** Weights below exp(−this) are 0. */
const negligible = 12;
/** exp(−q), in the middle of each of so many steps of q per unit: an exponential for every pair would take most of the time. */
const weightsPerUnit = 512;
const lastWeight = negligible * weightsPerUnit;
const falling = Float32Array.from({ length: lastWeight }, (_, i) => Math.exp(-(i + 0.5) / weightsPerUnit));

/**
 * @param image shape [nz, ny, nx], any unit. @param voxelSize mm [z, y, x].
 * @throws OptionError when an option is out of range, or the image has no positive voxel.
 */
export async function nonlocalMeans(image: Volume, voxelSize: Point, options: NonlocalMeansOptions = {}): Promise<Volume> {
  const { strength = 0.3, prefilter = 5, search = 11, postfilter = 0, signal } = options;
  for (const [key, value] of Object.entries({ strength, search })) {
    if (!(value > 0 && value < Infinity))
      throw new OptionError('Non-local means', { key, expected: 'a positive number', found: value });
  }
  const { data: x, shape } = contiguous(image);
  const [nz, ny, nx] = shape as [number, number, number];
  const c = lowUptake * bodyMean(image);
  const s = (await gaussianFilter(image, voxelSize, prefilter, { signal })).data.map((value) => Math.asinh(value / c));
  const weighted = Float32Array.from(x); // the voxel itself has weight 1
  const weights = new Float32Array(x.length).fill(1);
  const plane = ny * nx;
  const scale = weightsPerUnit / (patchVoxels * strength ** 2);
  const [rz, ry, rx] = voxelSize.map((d) => Math.round(search / d)) as [number, number, number];
  // Plane by plane, so that what is made of a plane is still in the cache when it is needed.
  const sums = [0, 1, 2].map(() => new Float32Array(plane)) as [Float32Array, Float32Array, Float32Array];
  const scratch = new Float32Array(plane);
  // Half of the offsets: w_ij = w_ji serves both.
  for (let oz = 0; oz <= rz; oz++) {
    for (let oy = oz === 0 ? 0 : -ry; oy <= ry; oy++) {
      for (let ox = oz === 0 && oy === 0 ? 1 : -rx; ox <= rx; ox++) {
        const offset = oz * plane + oy * nx + ox;
        const box = overlap([nz, ny, nx], [oz, oy, ox]);
        const [z0, z1, y0, y1, x0, x1] = box;
        if (z1 <= z0 || y1 <= y0 || x1 <= x0) continue;
        patchSums(s, sums[z0 % 3]!, scratch, box, z0 * plane, offset, nx);
        for (let z = z0; z < z1; z++) {
          await turn(signal);
          if (z + 1 < z1) patchSums(s, sums[(z + 1) % 3]!, scratch, box, (z + 1) * plane, offset, nx);
          // At the borders of the box the nearest voxel stands in for what is outside.
          const below = sums[Math.max(z0, z - 1) % 3]!;
          const here = sums[z % 3]!;
          const above = sums[Math.min(z1 - 1, z + 1) % 3]!;
          for (let y = y0; y < y1; y++) {
            const row = z * plane + y * nx;
            for (let k = y * nx + x0, i = row + x0; i < row + x1; i++, k++) {
              const at = (below[k]! + here[k]! + above[k]!) * scale;
              if (at >= lastWeight) continue;
              const w = falling[at | 0]!;
              weighted[i]! += w * x[i + offset]!;
              weights[i]! += w;
              weighted[i + offset]! += w * x[i]!;
              weights[i + offset]! += w;
            }
          }
        }
      }
    }
  }
  for (let i = 0; i < x.length; i++) weighted[i]! /= weights[i]!;
  const result = array(shape, weighted);
  return postfilter === 0 ? result : gaussianFilter(result, voxelSize, postfilter, { signal });
}

/** Voxels i for which i + o lies in the volume too: first and one past the last, along z, y, x. */
type Box = readonly [number, number, number, number, number, number];
function overlap(shape: readonly number[], offset: readonly number[]): Box {
  return shape.flatMap((n, axis) => [Math.max(0, -offset[axis]!), n - Math.max(0, offset[axis]!)]) as unknown as Box;
}

/** Squared differences of a plane from what lies at the offset, summed over 3 × 3 voxels within the box. */
function patchSums(
  s: Float32Array,
  out: Float32Array,
  scratch: Float32Array,
  [, , y0, y1, x0, x1]: Box,
  first: number,
  offset: number,
  nx: number,
): void {
  for (let y = y0; y < y1; y++) {
    const row = y * nx;
    const from = first + row;
    let before = (s[from + x0]! - s[from + x0 + offset]!) ** 2;
    let here = before;
    for (let x = x0; x < x1; x++) {
      const next = from + (x + 1 < x1 ? x + 1 : x);
      const after = (s[next]! - s[next + offset]!) ** 2;
      scratch[row + x] = before + here + after;
      before = here;
      here = after;
    }
  }
  for (let y = y0; y < y1; y++) {
    const row = y * nx;
    const before = y > y0 ? -nx : 0;
    const after = y < y1 - 1 ? nx : 0;
    for (let k = row + x0; k < row + x1; k++) out[k] = scratch[k + before]! + scratch[k]! + scratch[k + after]!;
  }
}
