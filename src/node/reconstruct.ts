/** @file  Scan in, image out: the whole line in one call, as the command line, the demo and the examples use it.
 *    osem, mlem   x from a uniform image
 *    hqs          OSEM → Gaussian filter → + σ₁ n → HQS with the unconditional prior; the mean of a few samples */
import { array, fill, type Shape3, type Volume } from '../core/array.js';
import { OptionError } from '../core/errors.js';
import type { Grid, PetImage, Unit } from '../core/image.js';
import type { Denoiser, PoissonSubset } from '../core/interfaces.js';
import type { CallOptions, Step } from '../core/iterate.js';
import { noiseField } from '../core/random.js';
import { bodyMean } from '../denoise/denoise-volume.js';
import type { OpenModel } from '../denoise/open-model.js';
import { unlikeVoxels } from '../denoise/unlike.js';
import { flipped, type PatientPosition, toWorld } from '../geometry/frame.js';
import { fieldOfViewMask } from '../geometry/grid.js';
import type { Scan } from '../geometry/scan.js';
import { sigmaLadder } from '../prior/schedule.js';
import type { ProjectorEngine } from '../projector/engine.js';
import { gaussianPsf } from '../projector/psf.js';
import { systemModel } from '../projector/system-model.js';
import { hqs } from '../recon/hqs.js';
import { deviance, expectedDeviance } from '../recon/likelihood.js';
import { osem, uniformStart } from '../recon/osem.js';
import { poissonProx } from '../recon/poisson-prox.js';

export interface ReconstructOptions extends CallOptions {
  /** @default 'osem' */
  readonly method?: 'osem' | 'mlem' | 'hqs' | undefined;
  /** Ordered subsets of views; 1 for mlem. @default 8 */
  readonly subsets?: number | undefined;
  /** Passes over the data: of OSEM, or of the OSEM that HQS starts from. @default 2; mlem 20 */
  readonly iterations?: number | undefined;
  /** Image-space resolution model, mm FWHM. @default none */
  readonly psf?: number | undefined;
  /** Unit that the scan's calibration gives the image. @default 'counts' */
  readonly unit?: Unit | undefined;
  /** For hqs: the prior. */
  readonly model?: OpenModel | undefined;
  /** Time at which HQS starts, in (0, 1). @default 0.3 */
  readonly start?: number | undefined;
  /** Levels of HQS. @default 12 */
  readonly steps?: number | undefined;
  /** λ. @default 0.3 */
  readonly lambda?: number | undefined;
  /** ζ. @default 0.3 */
  readonly zeta?: number | undefined;
  /** Samples that are averaged. @default 4 */
  readonly samples?: number | undefined;
  /** Filter of the image that HQS starts from, mm FWHM. @default 1.5 voxels */
  readonly startFwhm?: number | undefined;
  /** @default 1 */
  readonly seed?: number | undefined;
  readonly onProgress?: ((fraction: number, doing: string) => void) | undefined;
}

export interface Reconstruction {
  readonly image: PetImage;
  /** Standard deviation over the samples of hqs. */
  readonly spread?: PetImage | undefined;
  /** The image as the data see it: 2 KL(y; ȳ) per bin, and what Poisson noise alone would give. */
  readonly deviancePerBin: number;
  readonly expectedDeviancePerBin: number;
  /** Σ y and Σ ȳ. */
  readonly prompts: number;
  readonly explained: number;
  /** What the model does not know about this image, in words. */
  readonly warnings: readonly string[];
  /** What was used, for the sidecar. */
  readonly parameters: Readonly<Record<string, unknown>>;
}

/**
 * Reconstructs a scan on a grid of the scanner frame.
 * @throws OptionError when hqs is given no model, or an option is out of range.
 */
export async function reconstruct(
  scan: Scan,
  grid: Grid,
  engine: ProjectorEngine,
  options: ReconstructOptions = {},
): Promise<Reconstruction> {
  const { method = 'osem', psf, unit = 'counts', onProgress, signal } = options;
  const { iterations = method === 'mlem' ? 20 : 2 } = options;
  const subsetCount = method === 'mlem' ? 1 : (options.subsets ?? 8);
  if (method === 'hqs' && !options.model)
    throw new OptionError('HQS needs a prior', { key: 'model', expected: 'a model', found: 'none' });
  const { samples = 4 } = options;
  if (!(Number.isInteger(samples) && samples > 0)) {
    throw new OptionError('Number of samples', { key: 'samples', expected: 'a positive integer', found: samples });
  }
  const subsets = await systemModel(scan, engine, grid, {
    subsets: subsetCount,
    psf,
    mask: fieldOfViewMask(scan.prompts.layout, grid),
    signal,
    onProgress: (done) => onProgress?.(0.2 * done, 'system model'),
  });
  const emShare = method === 'hqs' ? 0.2 : 0.7;
  let image = uniformStart(subsets);
  for await (const step of osem(subsets, { epochs: iterations, initial: image, signal })) {
    image = step.image;
    onProgress?.(0.2 + emShare * step.fraction, `${method === 'mlem' ? 'MLEM' : 'OSEM'} ${step.epoch + 1}.${step.subset + 1}`);
  }
  let spread: Volume | undefined;
  let parameters: Record<string, unknown> = {
    ...{ method, subsets: subsetCount, iterations, psf: psf ?? 0 },
    ...{ engine: engine.name, device: engine.details ?? 'one thread' },
  };
  if (method === 'hqs') {
    const result = await hqsSamples(subsets, image, grid, scan.position, options.model!, options, (done) =>
      onProgress?.(0.4 + 0.5 * done, 'HQS'),
    );
    ({ image, spread } = result);
    parameters = { ...parameters, ...result.parameters };
  }
  const lost = image.data.findIndex((value) => !Number.isFinite(value));
  if (lost >= 0)
    throw new Error(`The ${method} image is not finite at voxel ${lost}: please report this, with the sidecar of the scan.`);
  onProgress?.(0.95, 'likelihood');
  const fit = await deviance(subsets, image, { signal });
  const expected = await expectedDeviance(subsets, image, { signal });
  return {
    image: toWorld(image, grid, scan.position, unit),
    ...(spread ? { spread: toWorld(spread, grid, scan.position, unit) } : {}),
    deviancePerBin: fit.deviance / fit.bins,
    expectedDeviancePerBin: expected.deviance / expected.bins,
    prompts: fit.prompts,
    explained: fit.expected,
    warnings: method === 'hqs' ? unlikeVoxels(grid, options.model!) : [],
    parameters,
  };
}

/** HQS from a filtered OSEM image, the mean and standard deviation of its samples. */
async function hqsSamples(
  subsets: readonly PoissonSubset[],
  osemImage: Volume,
  grid: Grid,
  position: PatientPosition,
  model: OpenModel,
  options: ReconstructOptions,
  onProgress: (fraction: number) => void,
): Promise<{ image: Volume; spread?: Volume; parameters: Record<string, unknown> }> {
  const { start = 0.3, steps = 12, lambda = 0.3, zeta = 0.3, samples = 4, seed = 1, unit, signal } = options;
  const { startFwhm = 1.5 * grid.voxelSize[2] } = options;
  const filtered = await gaussianPsf(grid, startFwhm).forward(osemImage, { signal });
  const suvPerUnit = unit === 'SUV' ? 1 : model.card.intensity.bodyMean / bodyMean(filtered);
  const sigmas = sigmaLadder(start, steps).map((sigma) => sigma / (suvPerUnit * model.card.intensity.scale));
  const prior = inWorld(model.denoiser(suvPerUnit), position);
  const shape = grid.shape as Shape3;
  const sum = new Float64Array(filtered.data.length);
  const squares = new Float64Array(sum.length);
  for (let k = 0; k < samples; k++) {
    const noise = (level: number): Volume => noiseField(shape, seed, k * (steps + 1) + level + 1);
    const n = noise(-1).data;
    const from = fill(shape, (i) => filtered.data[i]! + sigmas[0]! * n[i]!);
    let step: Step | undefined;
    for await (step of hqs(prior, poissonProx(subsets), sigmas, from, { lambda, zeta, noise, signal }))
      onProgress((k + step.fraction) / samples);
    for (let i = 0; i < sum.length; i++) {
      const value =
        osemImage.data[i] === 0 && subsets.every(({ sensitivity }) => sensitivity.data[i] === 0) ? 0 : step!.image.data[i]!;
      sum[i]! += value;
      squares[i]! += value * value;
    }
  }
  const image = fill(shape, (i) => sum[i]! / samples);
  const parameters = {
    start,
    steps,
    lambda,
    zeta,
    samples,
    seed,
    startFwhm,
    suvPerUnit,
    model: model.card.name,
    modelSha256: model.card.sha256,
  };
  if (samples === 1) return { image, parameters };
  const deviation = (i: number): number => Math.sqrt(Math.max(0, squares[i]! - sum[i]! ** 2 / samples) / (samples - 1));
  return {
    image,
    spread: array(
      shape,
      Float32Array.from(sum, (_, i) => deviation(i)),
    ),
    parameters,
  };
}

/** A denoiser of images in the world's axes, for images in the scanner's. */
function inWorld(denoiser: Denoiser, position: PatientPosition): Denoiser {
  const denoise: Denoiser['denoise'] = async (x, sigma, options) =>
    flipped(await denoiser.denoise(flipped(x, position), sigma, options), position);
  return { ...denoiser, denoise };
}
