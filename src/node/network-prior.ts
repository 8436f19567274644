/** @file  The network on the grid, in the axes and in the unit of a reconstruction: the one place where counts, activity and the range of the
 *  network meet. With k network units per unit of the image and the gain g of white noise on the network's voxels,
 *    D(x, σ) = B( D_net( k T x, g k σ ) )/k,     k = scale · SUV per unit,     SUV per unit = 1, or (mean of the training bodies)/(mean of this one)
 *  T turns the image to the world's axes and brings it to the model's voxels, B goes back. k comes from the scan alone, so that an image in
 *  other units gives the same image; nothing is clipped. */
import type { Volume } from '../core/array.js';
import type { Grid, Unit } from '../core/image.js';
import type { Denoiser } from '../core/interfaces.js';
import type { CallOptions } from '../core/iterate.js';
import { matchedUnit } from '../denoise/denoise-volume.js';
import { meanImage } from '../denoise/mean-image.js';
import { noiseLevel } from '../denoise/noise-level.js';
import type { Given, OpenModel } from '../denoise/open-model.js';
import { noiseGain, resample, type Sampling } from '../denoise/resample.js';
import { workingGrid } from '../denoise/unlike.js';
import { flipped, type PatientPosition } from '../geometry/frame.js';
import { cosine, sigmaLadder } from '../prior/schedule.js';

/** Where a network and a reconstruction meet. */
export interface NetworkScale {
  readonly suvPerUnit: number;
  /** Network units per unit of the image. */
  readonly k: number;
  /** Noise level that the network sees per noise level of the image, g k. */
  readonly noise: number;
  readonly image: Grid;
  /** Grid that the network works on. */
  readonly there: Sampling;
  readonly position: PatientPosition;
}

/** @param image a smooth image of the scan, by which an image in no absolute unit gets one. @param unit of the image. */
export function networkScale(
  { card }: Pick<OpenModel, 'card'>,
  image: Volume,
  unit: Unit | undefined,
  grid: Grid,
  position: PatientPosition,
): NetworkScale {
  const suvPerUnit = unit === 'SUV' ? 1 : matchedUnit(card, image);
  const there = workingGrid(grid, card);
  const k = suvPerUnit * card.intensity.scale;
  return { suvPerUnit, k, noise: k * noiseGain(grid, there), image: grid, there, position };
}

/** Noise levels in the unit of the image: from the network's time t₀ in (0, 1) in equal steps of time down to 0. */
export function timeLadder({ noise }: NetworkScale, t0: number, steps: number): Float64Array {
  return sigmaLadder(t0, steps).map((sigma) => sigma / noise);
}

/** Noise levels that fall by the same factor from t₀ to a twentieth of its σ, and 0: the ladder of DPIR. */
export function geometricLadder({ noise }: NetworkScale, t0: number, steps: number): Float64Array {
  const first = cosine.sigma(t0) / noise;
  return Float64Array.from({ length: steps + 1 }, (_, i) => (i === steps ? 0 : first * 20 ** (-i / Math.max(1, steps - 1))));
}

/** The image as the network is given it. */
export async function toNetwork(x: Volume, { image, there, position }: NetworkScale, options?: CallOptions): Promise<Volume> {
  return resample(flipped(x, position), image, there, options);
}

/** The way back. */
export async function fromNetwork(x: Volume, { image, there, position }: NetworkScale, options?: CallOptions): Promise<Volume> {
  return flipped(await resample(x, there, image, options), position);
}

export interface PriorOptions {
  /** Anatomy on the grid of the image, for models that know one. @default none */
  readonly anatomy?: Volume | undefined;
  /** The scan's own image, for the conditional mode: the data are then used twice. @default unconditional */
  readonly condition?: Volume | undefined;
}

/** D(x, σ) by the diffusion network, of images of the reconstruction. */
export async function diffusionPrior(
  model: Pick<OpenModel, 'denoiser'>,
  scale: NetworkScale,
  { anatomy, condition }: PriorOptions,
  options: CallOptions = {},
): Promise<Denoiser> {
  const given: Given = {
    anatomy: anatomy && (await toNetwork(anatomy, scale, options)),
    noise: condition && noiseLevel(condition, scale.image.voxelSize),
  };
  const denoiser = model.denoiser(scale.suvPerUnit, condition && (await toNetwork(condition, scale, options)), given);
  const gain = scale.noise / scale.k;
  return {
    sigmaMin: denoiser.sigmaMin / gain,
    sigmaMax: denoiser.sigmaMax / gain,
    denoise: async (x, sigma, call) =>
      fromNetwork(await denoiser.denoise(await toNetwork(x, scale, call), gain * sigma, call), scale, call),
  };
}

/** D(x, ·) by the mean mode: the network's guess of the clean image, told how noisy x looks. The level σ is the data step's alone. */
export async function meanPrior(
  model: Pick<OpenModel, 'mean'>,
  scale: NetworkScale,
  { anatomy }: Pick<PriorOptions, 'anatomy'>,
  options: CallOptions = {},
): Promise<Denoiser> {
  const guide = anatomy && (await toNetwork(anatomy, scale, options));
  return {
    sigmaMin: 0,
    sigmaMax: Number.POSITIVE_INFINITY,
    async denoise(x, _, call) {
      const there = await toNetwork(x, scale, call);
      const mean = await meanImage(model, there, scale.there.voxelSize, scale.suvPerUnit, { anatomy: guide, ...call });
      return fromNetwork(mean, scale, call);
    },
  };
}
