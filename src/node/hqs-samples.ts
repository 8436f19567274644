/** @file  The diffusion family for a whole reconstruction: a first image → + σ₁ n → the loop of `hqs.ts`, a few times; mean and spread. Where
 *  asked for, the data have the last word: a data step anchored at the mean, by a relative deviation. */
import { array, fill, type Shape3, size, total, type Volume } from '../core/array.js';
import type { Grid } from '../core/image.js';
import type { Penalty, PoissonSubset, SeparablePenalty } from '../core/interfaces.js';
import { noiseField } from '../core/random.js';
import { meanDefaults } from '../denoise/mean-image.js';
import type { OpenModel } from '../denoise/open-model.js';
import { resampledNote } from '../denoise/unlike.js';
import type { PatientPosition } from '../geometry/frame.js';
import { faceNeighbours } from '../prior/neighbours.js';
import { quadratic } from '../prior/quadratic.js';
import { rdp, rdpEpsilon } from '../prior/rdp.js';
import type { ProjectorEngine } from '../projector/engine.js';
import { ddsStep } from '../recon/dds-step.js';
import { hqs } from '../recon/hqs.js';
import { eventLikelihood } from '../recon/likelihood.js';
import { kappa, totalSensitivity } from '../recon/penalised.js';
import type { PoissonProx, PoissonProxOptions } from '../recon/poisson-prox.js';
import { relativeProx } from '../recon/relative-prox.js';
import { meanActivity } from '../recon/subset.js';
import type { Course } from './course.js';
import { type DiffusionMethod, type DiffusionOptions, type DiffusionSettings, diffusionSettings } from './diffusion-methods.js';
import type { Adapter } from './lora-file.js';
import { diffusionPrior, geometricLadder, meanPrior, type NetworkScale, networkScale, timeLadder } from './network-prior.js';
import { penalised } from './penalised.js';

/** What a reconstruction has at hand when its OSEM image is there. */
export interface Situation {
  readonly subsets: readonly PoissonSubset[];
  /** The data step of HQS on these data, on the device where there is one. */
  readonly dataStep: (options: PoissonProxOptions) => PoissonProx;
  readonly osemImage: Volume;
  /** Its passes over the data. */
  readonly passes: number;
  readonly grid: Grid;
  readonly engine: ProjectorEngine;
  readonly position: PatientPosition;
  readonly model: OpenModel;
  readonly course: Course;
  readonly onProgress: (fraction: number, doing: string) => void;
}

export interface Samples {
  readonly image: Volume;
  /** Standard deviation over two or more samples. */
  readonly spread?: Volume | undefined;
  readonly parameters: Readonly<Record<string, unknown>>;
  readonly warnings: readonly string[];
  /** Of ddip. */
  readonly adapter?: Adapter | undefined;
}

/** Reconstructs by a method of the family; the mean and standard deviation of its samples. */
export async function hqsSamples(method: DiffusionMethod, situation: Situation, options: DiffusionOptions): Promise<Samples> {
  const { subsets, osemImage, grid, model, course, onProgress } = situation;
  const { signal, anatomy } = options;
  const settings = diffusionSettings(method, options, model.can);
  const { samples, seed, zeta, eta, eps, exactShare, updates, exactIterations } = settings;
  const startFwhm = options.startFwhm ?? (method === 'post' ? 0 : 1.5 * grid.voxelSize[2]);
  const shape = grid.shape as Shape3;
  const { scale, smooth } = await scaleOf(situation, options);
  const first = await startImage(settings, situation, scale, { ...options, startFwhm });
  const sigmas = (eps === 'none' ? geometricLadder : timeLadder)(scale, settings.start, settings.steps);
  // A model that is no prior of images alone is given the filtered image.
  const alone = model.can.includes('prior');
  const condition = settings.condition === 'osem' ? osemImage : alone || settings.prior === 'mean' ? undefined : smooth;
  const prior = await (settings.prior === 'mean'
    ? meanPrior(model, scale, { anatomy }, { signal })
    : diffusionPrior(model, scale, { anatomy, condition }, { signal }));
  const correction = method === 'post' || settings.final > 0 ? await smoothCorrection(settings, situation, signal) : undefined;
  const makeStep = await dataStepOf(method, settings, situation, smooth, correction, signal);
  const { lambda } = settings;
  const weight = method === 'dds' ? constantWeight(subsets, settings.anchor) : method === 'post' ? () => lambda : undefined;

  const found = course.found('samples');
  const take = (name: string): Volume => array(shape, found?.arrays[name] ?? new Float32Array(size(shape)));
  let mean = take('mean');
  let squares = take('squares');
  const { sample: firstSample = 0, level: firstLevel = 0, nextSubset = 0 } = found?.numbers ?? {};
  for (let sample = firstSample; sample < samples; sample++) {
    const noise = (level: number): Volume => noiseField(shape, seed, sample * (settings.steps + 1) + level + 1);
    const resumed = sample === firstSample && found !== undefined;
    const n = eps === 'none' ? undefined : noise(-1).data;
    const from = resumed
      ? array(shape, found.arrays.x)
      : fill(shape, (i) => first.data[i]! + (n === undefined ? 0 : sigmas[0]! * n[i]!));
    const dataStep = makeStep({ updates, exactIterations, firstSubset: resumed ? nextSubset : 0 });
    const level = resumed ? firstLevel : 0;
    let image = resumed ? array(shape, found.arrays.image) : first;
    for await (const step of hqs(prior, dataStep, sigmas, from, {
      ...{ lambda, weight, zeta, eta, eps, exactShare, noise, level, signal },
    })) {
      image = step.image;
      const numbers = { sample, level: step.level + 1, nextSubset: dataStep.nextSubset() };
      const arrays = { x: step.next.data, image: image.data, mean: mean.data, squares: squares.data };
      await course.step('samples', sample * settings.steps + step.level + 1, { numbers, arrays }, image, {
        ...{ sample: sample + 1, level: step.level + 1, sigma: step.sigma, rho: step.rho },
        // One projection of one subset: cheap enough for one of the samples.
        ...(sample === 0 ? { likelihood: await eventLikelihood(subsets[0]!, image, { signal }) } : {}),
      });
      onProgress((sample + step.fraction) / samples, `${method} ${sample + 1}.${step.level + 1}`);
    }
    // Welford's running mean and sum of squares; a voxel that no subset sees holds nothing.
    const value = seen(image, osemImage, subsets);
    const before = mean;
    mean = fill(shape, (i) => before.data[i]! + (value.data[i]! - before.data[i]!) / (sample + 1));
    const [now, sum] = [mean.data, squares.data];
    squares = fill(shape, (i) => sum[i]! + (value.data[i]! - before.data[i]!) * (value.data[i]! - now[i]!));
  }
  const told = resampledNote(grid.voxelSize, scale.there.voxelSize, model.card);
  const twice =
    'The network was given the OSEM image of the same data that the likelihood uses: they count twice, and the spread is too small.';
  if (settings.final > 0)
    mean = seen(await relativeProx(subsets, { smooth: correction })(mean, settings.final, { signal }), osemImage, subsets);
  return {
    image: mean,
    ...(samples > 1 ? { spread: fill(shape, (i) => Math.sqrt(Math.max(0, squares.data[i]!) / (samples - 1))) } : {}),
    parameters: {
      ...{ ...settings, startFwhm, anatomy: anatomy !== undefined },
      ...(settings.prior === 'mean' || settings.startFrom === 'mean' ? meanDefaults : {}),
      priorGiven: condition === undefined ? 'nothing' : condition === smooth ? 'the filtered OSEM image' : 'the OSEM image',
      ...{ suvPerUnit: scale.suvPerUnit, networkPerUnit: scale.k, priorVoxelSize: scale.there.voxelSize },
      ...{ model: model.card.name, modelSha256: model.card.sha256 },
    },
    warnings: condition === undefined ? told : [...told, twice],
  };
}

/** The scale of the network for the scan, from its filtered OSEM image. */
export async function scaleOf(
  { engine, grid, osemImage, model, position }: Situation,
  { unit, signal }: Pick<DiffusionOptions, 'unit' | 'signal'>,
): Promise<{ readonly scale: NetworkScale; readonly smooth: Volume }> {
  const smooth = await engine.gaussianPsf(grid, 1.5 * grid.voxelSize[2]).forward(osemImage, { signal });
  return { scale: networkScale(model, smooth, unit, grid, position), smooth };
}

/** What the sampler starts from, before its noise. */
export async function startImage(
  { startFrom, startIterations }: Pick<DiffusionSettings, 'startFrom' | 'startIterations'>,
  { subsets, osemImage, grid, engine, model, course, onProgress }: Situation,
  scale: NetworkScale,
  { anatomy, signal, startFwhm = 1.5 * grid.voxelSize[2] }: DiffusionOptions,
): Promise<Volume> {
  if (startFrom === 'noise') return array(grid.shape);
  if (startFrom === 'osem') return startFwhm > 0 ? engine.gaussianPsf(grid, startFwhm).forward(osemImage, { signal }) : osemImage;
  return course.phase(`start ${startFrom}`, grid.shape, async (found) => {
    if (startFrom === 'mean') {
      const prior = await meanPrior(model, scale, { anatomy }, { signal });
      return prior.denoise(osemImage, 0, { signal });
    }
    const { image } = await penalised(
      'bsrem',
      subsets,
      osemImage,
      grid,
      { iterations: startIterations, signal },
      async (step) => {
        onProgress(0, `RDP ${step.epoch + 1}.${step.subset + 1}`);
        await course.step(
          'start rdp',
          step.done,
          { numbers: { done: step.done }, arrays: { image: step.image.data } },
          step.image,
        );
      },
      found,
    );
    return image;
  });
}

/** The data step of a sample: De Pierro's EM, with an even or a relative anchor, or the gradient steps of DDS with its penalty. */
async function dataStepOf(
  method: DiffusionMethod,
  { rdpz }: DiffusionSettings,
  { subsets, dataStep, grid }: Situation,
  image: Volume,
  smooth: SeparablePenalty | undefined,
  signal: AbortSignal | undefined,
): Promise<(options: PoissonProxOptions) => PoissonProx> {
  if (method === 'post')
    return ({ updates, exactIterations, firstSubset }) =>
      relativeProx(subsets, { updates, exactIterations, firstSubset, smooth });
  if (method !== 'dds') return dataStep;
  const penalty = rdpz > 0 ? await betweenSlices(rdpz, subsets, grid, image, signal) : undefined;
  return ({ updates, firstSubset }) => ddsStep(subsets, { updates, firstSubset, penalty });
}

/** What keeps the data's correction of an image smooth, scaled as in `penalised.ts`. */
export async function smoothCorrection(
  { smooth }: Pick<DiffusionSettings, 'smooth'>,
  { subsets, osemImage, grid }: Situation,
  signal: AbortSignal | undefined,
): Promise<SeparablePenalty | undefined> {
  if (smooth === 0) return undefined;
  // A quarter of the pairs that all 26 neighbours are.
  return quadratic(grid, { beta: smooth, steps: faceNeighbours, kappa: await kappa(subsets, osemImage, { signal }) });
}

/** RDPz: relative differences of neighbours in z alone, scaled as in `penalised.ts`. */
async function betweenSlices(
  strength: number,
  subsets: readonly PoissonSubset[],
  grid: Grid,
  image: Volume,
  signal: AbortSignal | undefined,
): Promise<Penalty> {
  return rdp(grid, {
    ...{ beta: strength * meanActivity(subsets), gamma: 2, epsilon: rdpEpsilon(image) },
    kappa: await kappa(subsets, image, { signal }),
    steps: ([z, y, x]) => z === 1 && y === 0 && x === 0,
  });
}

/** ρ that, at the mean activity x̄ and the mean sensitivity s̄ of what is seen, is `anchor` times EM's own curvature s̄/x̄. */
export function constantWeight(subsets: readonly PoissonSubset[], anchor: number): () => number {
  const s = totalSensitivity(subsets);
  const voxels = s.data.reduce((n, value) => n + Number(value > 0), 0);
  const rho = (anchor * total(s)) / (Math.max(1, voxels) * (meanActivity(subsets) || 1));
  return () => rho;
}

/** The image with 0 where no subset sees anything. */
export function seen(image: Volume, osemImage: Volume, subsets: readonly PoissonSubset[]): Volume {
  const unseen = (i: number): boolean => osemImage.data[i] === 0 && subsets.every(({ sensitivity }) => sensitivity.data[i] === 0);
  return fill(image.shape, (i) => (unseen(i) ? 0 : image.data[i]!));
}
