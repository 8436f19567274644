/** @file  An image with part of its noise taken out before the network sees it:
 *    c′ = 0.3 c + 0.7 NLM(c; h),   h = 0.3 × the noise level of c
 *  The noisier an image, the less of it a network has learned; non-local means takes out of it what is alike nearby, and what it would take too much of is
 *  still there in c. h goes with the noise, so that little noise changes little. */
import { fill, type Point, type Volume } from '../core/array.js';
import type { CallOptions } from '../core/iterate.js';
import { nonlocalMeans } from './nonlocal-means.js';

/** Share of what non-local means made of the image. */
const SHARE = 0.7;
/** h per noise level. */
const STRENGTH = 0.3;
/** Below this noise level there is nothing to gain. */
const CALM = 0.1;

/**
 * @param values shape [nz, ny, nx], any unit. @param voxelSize mm [z, y, x]. @param noise `noiseLevel` of the image.
 * @returns the image itself where it is calm.
 */
export async function calmed(values: Volume, voxelSize: Point, noise: number, { signal }: CallOptions = {}): Promise<Volume> {
  if (noise < CALM) return values;
  const smooth = await nonlocalMeans(values, voxelSize, { strength: STRENGTH * noise, prefilter: 8, search: 8, signal });
  return fill(values.shape, (i) => (1 - SHARE) * values.data[i]! + SHARE * smooth.data[i]!);
}
