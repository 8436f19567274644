/** @file  Volume in, volume out.
 *    mean     x̂₀ = E[x₀ | image], one evaluation
 *    samples  from the mean m: x = m + σ₁ n, DDIM given the image down to 0; the mean of K samples, and their standard deviation as spread */
import { array, fill, type Point, type Shape3, type Volume } from '../core/array.js';
import { OptionError, ShapeError } from '../core/errors.js';
import type { PetImage } from '../core/image.js';
import { type CallOptions, last } from '../core/iterate.js';
import { noiseField } from '../core/random.js';
import { ddim } from '../prior/ddim.js';
import { sigmaLadder } from '../prior/schedule.js';
import { noiseLevel } from './noise-level.js';
import type { Given, OpenModel } from './open-model.js';
import { resample } from './resample.js';
import { type Measured, resampledNote, unlike, unlikeVoxels, workingGrid } from './unlike.js';

export interface DenoiseOptions extends CallOptions {
  /** @default 'mean' */
  readonly mode?: 'mean' | 'samples' | undefined;
  /** Samples drawn (mode 'samples'). @default 4 */
  readonly samples?: number | undefined;
  /** Evaluations per sample. @default 2 */
  readonly steps?: number | undefined;
  /** Time at which sampling starts, in (0, 1): the noise level is tan(πt/2) network units. @default 0.3 */
  readonly start?: number | undefined;
  /** DDIM's η. @default 0 */
  readonly eta?: number | undefined;
  /** @default 1 */
  readonly seed?: number | undefined;
  /** How the image's unit becomes SUV: 'SUV' takes SUV images only; 'body-mean' brings the mean over the body to that of the training data;
   *  a number is the SUV of one unit. @default 'SUV' */
  readonly intensity?: 'SUV' | 'body-mean' | number | undefined;
  /** Voxels to work on: 'model' brings the image to the nearest size the model knows, where it is more than a tenth off, and back. @default 'model' */
  readonly voxels?: 'model' | 'image' | undefined;
  /** Anatomy of the same grid (μ, CT + 1000 HU, or MR: 0 in air), for models that know one; a model that does not refuses it. @default none */
  readonly anatomy?: Volume | undefined;
  /** Called with the share done. */
  readonly onProgress?: ((fraction: number) => void) | undefined;
}

export interface Denoised {
  readonly image: PetImage;
  /** Standard deviation over the samples; too small to be a confidence interval. Only in mode 'samples' with two or more. */
  readonly spread?: PetImage | undefined;
  /** SUV that one unit of the image was taken for. */
  readonly suvPerUnit: number;
  /** What the image is like, by which the warnings were found. */
  readonly measured: Measured;
  /** Voxel size the network worked on, mm [z, y, x]. */
  readonly voxelSize: Point;
  /** What the model does not know about this image, in words. */
  readonly warnings: readonly string[];
}

/**
 * Denoises an image; result and spread have its grid, unit and meta.
 * @throws OptionError when the unit is not SUV and no other intensity is asked for, or an option is out of range.
 */
export async function denoiseVolume(image: PetImage, model: OpenModel, options: DenoiseOptions = {}): Promise<Denoised> {
  const { mode = 'mean', samples = 4, steps = 2, start = 0.3, eta = 0, seed = 1, onProgress, signal } = options;
  if (mode === 'samples' && !(Number.isInteger(samples) && samples > 0)) {
    throw new OptionError('Number of samples', { key: 'samples', expected: 'a positive integer', found: samples });
  }
  if (image.values.shape.length !== 3) throw new ShapeError('Image', { expected: 'three axes', found: [...image.values.shape] });
  const unit = suvPerUnit(image, model, options.intensity ?? 'SUV');
  const { card } = model;
  const there = options.voxels === 'image' ? image.grid : workingGrid(image.grid, card);
  const values = await resample(image.values, image.grid, there, { signal });
  const anatomy = options.anatomy && (await resample(options.anatomy, image.grid, there, { signal }));
  const noise = noiseLevel(values, there.voxelSize);
  const measured = measure(image, unit, noise);
  const warnings = [
    ...(options.voxels === 'image'
      ? unlikeVoxels(image.grid, model)
      : resampledNote(image.grid.voxelSize, there.voxelSize, card)),
    ...unlike(measured, card),
  ];
  const given: Given = { anatomy, noise };
  const mean = await model.mean(values, unit, { ...given, signal });
  const about = { suvPerUnit: unit, measured, voxelSize: there.voxelSize, warnings };
  const back = async (x: Volume): Promise<PetImage> => ({
    ...image,
    values: nonNegative(await resample(x, there, image.grid, { signal })),
  });
  if (mode === 'mean') {
    onProgress?.(1);
    return { image: await back(mean), ...about };
  }
  const ladder = sigmaLadder(start, steps).map((sigma) => sigma / (unit * card.intensity.scale));
  const shape = mean.shape as unknown as Shape3;
  const denoiser = model.denoiser(unit, values, given);
  const sum = new Float64Array(mean.data.length);
  const squares = new Float64Array(mean.data.length);
  for (let k = 0; k < samples; k++) {
    const n = noiseField(shape, seed, k * (steps + 1));
    const from = fill(shape, (i) => mean.data[i]! + ladder[0]! * n.data[i]!);
    const noise = (level: number): Volume => noiseField(shape, seed, k * (steps + 1) + level + 1);
    const { image: sample } = await last(ddim(denoiser, from, ladder, { eta, noise, signal }), ({ fraction }) =>
      onProgress?.((k + fraction) / samples),
    );
    for (let i = 0; i < sum.length; i++) {
      const value = Math.max(0, sample.data[i]!);
      sum[i]! += value;
      squares[i]! += value * value;
    }
  }
  const average = fill(shape, (i) => sum[i]! / samples);
  const deviation = fill(shape, (i) => Math.sqrt(Math.max(0, squares[i]! - sum[i]! ** 2 / samples) / (samples - 1)));
  return { image: await back(average), ...(samples > 1 ? { spread: await back(deviation) } : {}), ...about };
}

/**
 * SUV that one unit of the image stands for.
 * @throws OptionError when that is not known and may not be estimated.
 */
export function suvPerUnit({ unit, values }: PetImage, { card }: OpenModel, intensity: 'SUV' | 'body-mean' | number): number {
  if (typeof intensity === 'number') {
    if (intensity > 0 && intensity < Infinity) return intensity;
    throw new OptionError('SUV of one unit', { key: 'intensity', expected: 'a positive, finite number', found: intensity });
  }
  if (unit === 'SUV') return 1;
  if (intensity === 'SUV') {
    throw new OptionError('The unit of the image is not SUV', {
      key: 'intensity',
      expected: `SUV, which ${card.name} was trained on`,
      found: unit,
      hint: 'Say that it is (unit SUV), convert it, or let the mean over the body be matched (intensity body-mean).',
    });
  }
  return card.intensity.bodyMean / bodyMean(values);
}

/** Mean over the voxels above a tenth of the 99.5th percentile of the positive voxels: a body, whatever the unit. */
export function bodyMean(values: Volume): number {
  const positive = values.data.filter((value) => value > 0).sort();
  if (positive.length === 0) throw new OptionError('The image has no positive voxel', { key: 'image' });
  const threshold = 0.1 * positive[Math.floor(0.995 * (positive.length - 1))]!;
  const body = positive.filter((value) => value > threshold);
  return body.reduce((sum, value) => sum + value, 0) / body.length;
}

function measure({ values, grid: { shape, voxelSize } }: PetImage, unit: number, noise: number): Measured {
  const fieldOfView: Point = [shape[0] * voxelSize[0], shape[1] * voxelSize[1], shape[2] * voxelSize[2]];
  const maximum = unit * values.data.reduce((most, value) => Math.max(most, value), 0);
  return { voxelSize, fieldOfView, bodyMean: maximum > 0 ? unit * bodyMean(values) : 0, maximum, noise };
}

function nonNegative(x: Volume): Volume {
  return array(
    x.shape,
    x.data.map((value) => Math.max(0, value)),
  );
}
