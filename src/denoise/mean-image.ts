/** @file  The mean mode of an image as it comes: part of its noise taken out, and what is left of it told to the network. */
import type { Point, Volume } from '../core/array.js';
import { OptionError } from '../core/errors.js';
import type { CallOptions } from '../core/iterate.js';
import { calmed } from './calmed.js';
import { noiseLevel } from './noise-level.js';
import type { Given, Looks, OpenModel, Passage } from './open-model.js';

/** How a mean was made. */
export interface MeanUsed {
  readonly looks: 1 | 2;
  readonly prefilter: 'nlm' | 'none';
}
/** How it is made where nobody says otherwise. */
export const meanDefaults: MeanUsed = { looks: 2, prefilter: 'nlm' };

export interface MeanImageOptions extends Pick<Given, 'anatomy'>, Passage, Looks, CallOptions {
  /** nlm: see `calmed.ts`. @default 'nlm' */
  readonly prefilter?: 'nlm' | 'none' | undefined;
}

/**
 * E[x₀ | image].
 * @param values low-count image. @param voxelSize mm [z, y, x]. @param unit SUV of one unit of the image.
 * @throws ModelError when the model knows no mean. @throws OptionError for another pre-filter.
 */
export async function meanImage(
  model: Pick<OpenModel, 'mean'>,
  values: Volume,
  voxelSize: Point,
  unit: number,
  { prefilter = meanDefaults.prefilter, looks = meanDefaults.looks, anatomy, tiles, signal }: MeanImageOptions = {},
): Promise<Volume> {
  if (prefilter !== 'nlm' && prefilter !== 'none')
    throw new OptionError('Pre-filter', { key: 'prefilter', expected: 'nlm or none', found: prefilter });
  const given = prefilter === 'none' ? values : await calmed(values, voxelSize, noiseLevel(values, voxelSize), { signal });
  return model.mean(given, unit, { anatomy, noise: noiseLevel(given, voxelSize), looks, tiles, signal });
}
