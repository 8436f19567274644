/** @file  HQS for a whole reconstruction: OSEM → Gaussian filter → + σ₁ n → HQS with the unconditional prior, a few times; their mean. */
import { array, fill, type Shape3, type Volume } from '../core/array.js';
import type { Grid, Unit } from '../core/image.js';
import type { Denoiser, PoissonSubset, Prox } from '../core/interfaces.js';
import type { CallOptions, Step } from '../core/iterate.js';
import { noiseField } from '../core/random.js';
import { matchedUnit } from '../denoise/denoise-volume.js';
import type { OpenModel } from '../denoise/open-model.js';
import { noiseGain, resample, resampledDenoiser } from '../denoise/resample.js';
import { workingGrid } from '../denoise/unlike.js';
import { flipped, type PatientPosition } from '../geometry/frame.js';
import { sigmaLadder } from '../prior/schedule.js';
import type { ProjectorEngine } from '../projector/engine.js';
import { hqs } from '../recon/hqs.js';

export interface HqsSamplesOptions extends CallOptions {
  /** Unit that the scan's calibration gives the image. @default 'counts' */
  readonly unit?: Unit | undefined;
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
}

/** HQS from a filtered OSEM image, the mean and standard deviation of its samples. @param dataStep makes the data step of one sample. */
export async function hqsSamples(
  subsets: readonly PoissonSubset[],
  dataStep: () => Prox,
  osemImage: Volume,
  grid: Grid,
  engine: ProjectorEngine,
  position: PatientPosition,
  model: OpenModel,
  options: HqsSamplesOptions,
  onProgress: (fraction: number) => void,
): Promise<{ image: Volume; spread?: Volume; parameters: Record<string, unknown> }> {
  const { start = 0.3, steps = 12, lambda = 0.3, zeta = 0.3, samples = 4, seed = 1, unit, signal } = options;
  const { startFwhm = 1.5 * grid.voxelSize[2] } = options;
  const filtered = await engine.gaussianPsf(grid, startFwhm).forward(osemImage, { signal });
  const suvPerUnit = unit === 'SUV' ? 1 : matchedUnit(model.card, filtered);
  // On other voxels than the model's, white noise of σ is noise of g σ there: the ladder is climbed by what the network sees.
  const there = workingGrid(grid, model.card);
  const unitSigma = suvPerUnit * model.card.intensity.scale * noiseGain(grid, there);
  const sigmas = sigmaLadder(start, steps).map((sigma) => sigma / unitSigma);
  // A model that is no prior of images alone is given the filtered image.
  const given = model.can.includes('prior') ? undefined : await resample(flipped(filtered, position), grid, there, { signal });
  const prior = inWorld(resampledDenoiser(model.denoiser(suvPerUnit, given), grid, there), position);
  const shape = grid.shape as Shape3;
  const sum = new Float64Array(filtered.data.length);
  const squares = new Float64Array(sum.length);
  for (let k = 0; k < samples; k++) {
    const noise = (level: number): Volume => noiseField(shape, seed, k * (steps + 1) + level + 1);
    const n = noise(-1).data;
    const from = fill(shape, (i) => filtered.data[i]! + sigmas[0]! * n[i]!);
    let step: Step | undefined;
    for await (step of hqs(prior, dataStep(), sigmas, from, { lambda, zeta, noise, signal }))
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
    priorVoxelSize: there.voxelSize,
    priorGiven: given === undefined ? 'nothing' : 'the filtered OSEM image',
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
