/** @file  Volume in, volume out.
 *    mean     x̂₀ = E[x₀ | image], one evaluation of the image with part of its noise taken out, and a second look around what is extremely hot
 *    samples  x = b + √(σ₁² − s²) n, a sampler given the image from σ₁ down to 0; the mean of K samples, and their standard deviation as spread
 *  b is the mean, s = 0, or from a model that knows no mean the image itself, whose noise s counts towards σ₁. n belongs to the volume. */
import { array, fill, type Point, type Shape3, type Volume } from '../core/array.js';
import { ModelError, OptionError, ShapeError } from '../core/errors.js';
import type { PetImage } from '../core/image.js';
import { type CallOptions, last, type Step } from '../core/iterate.js';
import { noiseField } from '../core/random.js';
import type { CommonCard } from '../network/model-card.js';
import { ddim } from '../prior/ddim.js';
import { dpmSolver2m } from '../prior/dpm-solver.js';
import { cosine, sigmaLadder } from '../prior/schedule.js';
import { type MeanUsed, meanDefaults, meanImage } from './mean-image.js';
import { noiseLevel } from './noise-level.js';
import type { Given, OpenModel } from './open-model.js';
import { resample } from './resample.js';
import { type Measured, resampledNote, unlike, unlikeVoxels, workingGrid } from './unlike.js';

export interface DenoiseOptions extends CallOptions {
  /** @default 'mean', or 'samples' from a model that knows no mean */
  readonly mode?: 'mean' | 'samples' | undefined;
  /** Mode 'mean', and where samples begin: 2 looks a second time around what is extremely hot, see `Looks`. @default 2 */
  readonly looks?: 1 | 2 | undefined;
  /** Mode 'mean', and where samples begin: nlm takes part of the noise out before the network sees the image, see `calmed.ts`. @default 'nlm' */
  readonly prefilter?: 'nlm' | 'none' | undefined;
  /** Samples drawn (mode 'samples'). @default the model's: 4; imported models 1 */
  readonly samples?: number | undefined;
  /** Evaluations per sample. @default the model's: 2; imported models 20 */
  readonly steps?: number | undefined;
  /** Time at which sampling starts, in (0, 1): the noise level is tan(πt/2) network units. @default the model's: 0.3 */
  readonly start?: number | undefined;
  /** ddim: an Euler step of the probability flow, or DDPM with η; dpm2: DPM-Solver++(2M), of second order. @default 'ddim' */
  readonly sampler?: 'ddim' | 'dpm2' | undefined;
  /** DDIM's η. @default 0 */
  readonly eta?: number | undefined;
  /** Of how many neighbouring steps one evaluates the coarse levels of the network; the others take its features over. Deep features vary slowly
   *  along a trajectory: Liu et al. 2026, arXiv:2606.08751; Ma et al. 2023 (DeepCache), arXiv:2312.00858. @default 1: all do */
  readonly reuse?: number | undefined;
  /** Tiles of the size the model was trained on, or the whole volume in one piece, which has no seams and takes more memory. @default 'model' */
  readonly tiles?: 'model' | 'whole' | undefined;
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

/** How an image was denoised: nothing is left to defaults. */
export type SamplingUsed =
  | ({ readonly mode: 'mean' } & MeanUsed)
  | ({
      readonly mode: 'samples';
      readonly sampler: 'ddim' | 'dpm2';
      readonly samples: number;
      readonly steps: number;
      readonly start: number;
      readonly eta: number;
      readonly reuse: number;
    } & Partial<MeanUsed>); // of the mean that they begin at, where the model knows one

export interface Denoised {
  readonly image: PetImage;
  readonly sampling: SamplingUsed;
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
  const {
    tiles = 'model',
    looks = meanDefaults.looks,
    prefilter = meanDefaults.prefilter,
    sampler = 'ddim',
    eta = 0,
    reuse = 1,
    seed = 1,
    onProgress,
    signal,
  } = options;
  const knowsMean = model.can.includes('mean');
  const { mode = knowsMean ? 'mean' : 'samples' } = options;
  const { samples = model.sampling.samples, steps = model.sampling.steps, start = model.sampling.start } = options;
  if (mode === 'samples' && !(Number.isInteger(samples) && samples > 0)) {
    throw new OptionError('Number of samples', { key: 'samples', expected: 'a positive integer', found: samples });
  }
  if (sampler !== 'ddim' && eta !== 0)
    throw new OptionError('Only DDIM is stochastic', { key: 'eta', expected: `0 with the sampler ${sampler}`, found: eta });
  if (image.values.shape.length !== 3) throw new ShapeError('Image', { expected: 'three axes', found: [...image.values.shape] });
  // A model that knows none says so, before any work.
  if (mode === 'mean' && !knowsMean) await model.mean(image.values);
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
  const about = { suvPerUnit: unit, measured, voxelSize: there.voxelSize, warnings };
  const back = async (x: Volume): Promise<PetImage> => ({
    ...image,
    values: nonNegative(await resample(x, there, image.grid, { signal })),
  });
  const begin = knowsMean
    ? await meanImage(model, values, there.voxelSize, unit, { anatomy, tiles, looks, prefilter, signal })
    : values;
  if (mode === 'mean') {
    onProgress?.(1);
    return { image: await back(begin), sampling: { mode, looks, prefilter }, ...about };
  }
  const noiseThere = knowsMean || noise === 0 ? 0 : noise * bodyMean(values);
  const ladder = levels(model, start, steps, noiseThere * unit * card.intensity.scale).map(
    (sigma) => sigma / (unit * card.intensity.scale),
  );
  const added = Math.sqrt(Math.max(0, ladder[0]! ** 2 - noiseThere ** 2));
  const shape = begin.shape as unknown as Shape3;
  const sum = new Float64Array(begin.data.length);
  const squares = new Float64Array(begin.data.length);
  for (let k = 0; k < samples; k++) {
    const denoiser = model.denoiser(unit, values, given, { reuse, tiles });
    const n = noiseField(shape, seed, k * (steps + 1));
    const from = fill(shape, (i) => begin.data[i]! + added * n.data[i]!);
    const noise = (level: number): Volume => noiseField(shape, seed, k * (steps + 1) + level + 1);
    const sampled: AsyncIterable<Step> =
      sampler === 'dpm2' ? dpmSolver2m(denoiser, from, ladder, { signal }) : ddim(denoiser, from, ladder, { eta, noise, signal });
    const { image: sample } = await last(sampled, ({ fraction }) => onProgress?.((k + fraction) / samples));
    for (let i = 0; i < sum.length; i++) {
      const value = Math.max(0, sample.data[i]!);
      sum[i]! += value;
      squares[i]! += value * value;
    }
  }
  const average = fill(shape, (i) => sum[i]! / samples);
  const deviation = fill(shape, (i) => Math.sqrt(Math.max(0, squares[i]! - sum[i]! ** 2 / samples) / (samples - 1)));
  return {
    image: await back(average),
    ...(samples > 1 ? { spread: await back(deviation) } : {}),
    sampling: { mode, ...(knowsMean ? { looks, prefilter } : {}), sampler, samples, steps, start, eta, reuse },
    ...about,
  };
}

/** Noise levels in network units, even in the time of the model's schedule, from tan(πt/2), but not from below the noise there is. */
function levels({ schedule }: OpenModel, start: number, steps: number, noise: number): Float64Array {
  if (!(start > 0 && start < 1))
    throw new OptionError('Noise levels', { key: 'start', expected: 'above 0, below 1', found: start });
  return sigmaLadder(schedule.time(Math.max(cosine.sigma(start), noise)), steps, schedule);
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
      hint:
        unit === '1/cm' || unit === 'label'
          ? 'This is an attenuation map or a label image: is it the right file?'
          : "If it is, say so: unit: 'SUV' (--unit SUV); else convert it, or match the mean over the body: intensity: 'body-mean' (--intensity body-mean).",
    });
  }
  return matchedUnit(card, values);
}

/** SUV of one unit by which the mean over the body becomes that of the training data. @throws ModelError when the card does not know it. */
export function matchedUnit({ name, intensity }: CommonCard, values: Volume): number {
  if (intensity.bodyMean === undefined) {
    throw new ModelError(`${name} does not say what its training images were like`, {
      key: 'intensity.bodyMean',
      expected: 'an image in SUV, or the SUV of one unit',
    });
  }
  return intensity.bodyMean / bodyMean(values);
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
