/** @file  The diffusion network with a low-rank adapter that learns from images of one scan: the `AdaptableDenoiser` of `ddip.ts`.
 *  One step of AdamW takes random patches from where there is uptake; one adapter serves the whole volume. In network units, with
 *  x_t = α x and v the network's output, x̂₀ = α² x − ασ v, so that
 *    mean (x̂₀ − z)² = (ασ)² mean (v − v*)²,   v* = (α² x − z)/(ασ)
 *  which is the loss that the training graph has. The mean mode has x_t = 0 and t = 1, so that v* = −z. For evaluation the adapter is merged into the weights: it costs nothing there. */
import { array, type Shape3, size, type Volume } from '../core/array.js';
import { OptionError } from '../core/errors.js';
import type { Denoiser } from '../core/interfaces.js';
import { type CallOptions, turn } from '../core/iterate.js';
import { random } from '../core/random.js';
import { normalisedAnatomy } from '../denoise/anatomy.js';
import { calmed } from '../denoise/calmed.js';
import { bodyMean } from '../denoise/denoise-volume.js';
import { noiseLevel } from '../denoise/noise-level.js';
import { cutTile } from '../denoise/tiles.js';
import { networkFeatures } from '../network/features.js';
import { initialLora, loraOf, mergeLora } from '../network/lora.js';
import { cosine } from '../prior/schedule.js';
import type { AdaptableDenoiser } from '../recon/ddip.js';
import { adamState, adamStep } from '../train/adam.js';
import type { Adapter } from './lora-file.js';
import type { TrainableModel } from './model-folder.js';
import { diffusionPrior, meanPrior, type NetworkScale, type PriorOptions, toNetwork } from './network-prior.js';
import { openTrainer } from './ort-trainer.js';

export interface AdaptationOptions extends CallOptions {
  /** What learns: the network as a diffusion denoiser, or its mean mode, which then gives its mean of `condition` whatever x and σ are. @default 'diffusion' */
  readonly prior?: 'diffusion' | 'mean' | undefined;
  /** r of the adapter. @default 4 */
  readonly rank?: number | undefined;
  /** Convolutions to adapt, see `loraOf`. @default all 3³ ones that are wide enough */
  readonly layers?: readonly string[] | undefined;
  /** Whether their biases are adapted too. @default true */
  readonly biases?: boolean | undefined;
  /** @default 1e-3 */
  readonly learningRate?: number | undefined;
  /** @default 0 */
  readonly weightDecay?: number | undefined;
  /** Steps of AdamW in a fit. @default 6 */
  readonly fits?: number | undefined;
  /** Patches in a step. @default 2 */
  readonly patches?: number | undefined;
  /** @default 1 */
  readonly seed?: number | undefined;
}

export interface AdaptedPrior extends AdaptableDenoiser {
  adapter(): Adapter;
  /** Ends the workers that learn; the model keeps the adapted weights until others are loaded. */
  dispose(): Promise<void>;
}

/**
 * @param model its weights change with every fit; `load(parameters)` puts the old ones back.
 * @param first adapter to begin with. @default one that changes nothing
 * @throws ModelError for layers that the network does not have. @throws OptionError for numbers that are no positive integers.
 */
export async function adaptedPrior(
  model: TrainableModel,
  scale: NetworkScale,
  known: PriorOptions,
  options: AdaptationOptions = {},
  first?: Adapter,
): Promise<AdaptedPrior> {
  const { rank = 4, layers, biases = true, learningRate = 1e-3, weightDecay = 0, fits = 6, patches = 2, seed = 1 } = options;
  const { prior = 'diffusion' } = options;
  if (prior === 'mean' && known.condition === undefined)
    throw new OptionError('The mean mode is of an image', { key: 'condition', expected: 'an image', found: undefined });
  for (const [key, value] of Object.entries({ fits, patches }))
    if (!(Number.isInteger(value) && value > 0)) throw new OptionError('Adaptation', { key, expected: 'a positive integer', found: value }); // biome-ignore format: short
  const { card, parameters: base } = model;
  const { architecture, patch } = card;
  const lora = first?.lora ?? loraOf(architecture, { rank, layers, biases });
  const denoiser =
    prior === 'mean' ? await meanOf(model, scale, known, options) : await diffusionPrior(model, scale, known, options);
  const whole = known.condition && (await toNetwork(known.condition, scale, options));
  // As `mean-image.ts` and `network-prior.ts` tell it.
  const given =
    whole && prior === 'mean' ? await calmed(whole, scale.there.voxelSize, noiseLevel(whole, scale.there.voxelSize)) : whole;
  const condition = given && scaled(given, scale.k);
  const guide = known.anatomy && (await toNetwork(known.anatomy, scale, options));
  const anatomy = guide && array(guide.shape, normalisedAnatomy(guide));
  const noise =
    prior === 'mean'
      ? noiseLevel(given!, scale.there.voxelSize)
      : known.condition && noiseLevel(known.condition, scale.image.voxelSize);
  const trainer = openTrainer(architecture, patches, patch, { threads: model.threads, adapted: { lora, base } });
  let state = adamState(first?.values.slice() ?? initialLora(architecture, lora, seed));
  let steps = 0;
  const use = (): void => {
    trainer.load(state.parameters);
    model.load(mergeLora(architecture, lora, base, state.parameters));
  };
  use();

  /** What the network sees of x at a level, what it should say, and the weight of its square error in that of the image. */
  const lesson = async (x: Volume, sigma: number, clean: Volume, options: CallOptions) => {
    if (prior === 'mean') return { xt: undefined, t: 1, vTarget: scaled(clean, -1), weight: 1 };
    const level = scale.noise * sigma;
    const alpha = 1 / Math.sqrt(1 + level * level);
    const noisy = scaled(await toNetwork(x, scale, options), scale.k);
    const vTarget = array(
      clean.shape,
      clean.data.map((z, i) => (alpha * alpha * noisy.data[i]! - z) / (alpha * level)),
    );
    return { xt: scaled(noisy, alpha), t: cosine.time(level), vTarget, weight: (alpha * level) ** 2 };
  };
  const fit: AdaptableDenoiser['fit'] = async (x, sigma, target, round, { signal } = {}) => {
    const clean = scaled(await toNetwork(target, scale, { signal }), scale.k);
    const { xt, t, vTarget, weight } = await lesson(x, sigma, clean, { signal });
    const situation = { t, condition: condition !== undefined, anatomy: anatomy !== undefined, mean: prior === 'mean', noise };
    const features = networkFeatures(architecture, situation);
    const skip = condition === undefined ? 0 : Math.sin((Math.PI * t) / 2);
    const places = support(clean);
    const voxels = size(patch);
    let before = Number.NaN;
    for (let step = 0; step < fits; step++) {
      await turn(signal);
      const { integer } = random(seed, 1000 + round * fits + step);
      const batch = {
        x: new Float32Array(patches * architecture.inputChannels * voxels),
        features: new Float32Array(patches * architecture.features),
        skip: new Float32Array(patches).fill(skip),
        target: new Float32Array(patches * voxels),
        weight: new Float32Array(patches).fill(weight),
      };
      for (let p = 0; p < patches; p++) {
        const at = patchAround(places, clean.shape as unknown as Shape3, patch, integer);
        [xt, condition, anatomy].forEach((volume, channel) => {
          const from = (p * architecture.inputChannels + channel) * voxels;
          if (volume && channel < architecture.inputChannels) cutTile(volume, at, patch, batch.x.subarray(from, from + voxels));
        });
        cutTile(vTarget, at, patch, batch.target.subarray(p * voxels, (p + 1) * voxels));
        batch.features.set(features, p * architecture.features);
      }
      const { loss, gradient } = await trainer.step(batch, { signal });
      if (step === 0) before = loss / scale.k ** 2;
      adamStep(state, gradient, ++steps, { learningRate, weightDecay, clip: 1, emaDecay: 0 });
      trainer.load(state.parameters);
    }
    use();
    return before;
  };
  return {
    ...denoiser,
    fit,
    restart() {
      state = adamState(state.parameters);
      steps = 0;
    },
    state: () => ({
      ...{ adapter: state.parameters.slice(), firstMoment: state.firstMoment.slice(), secondMoment: state.secondMoment.slice() },
      steps: Float32Array.of(steps),
    }),
    restore(kept) {
      const { adapter, firstMoment, secondMoment } = kept;
      const parameters = adapter!.slice();
      state = { parameters, firstMoment: firstMoment!.slice(), secondMoment: secondMoment!.slice(), average: parameters.slice() };
      steps = kept.steps![0]!;
      use();
    },
    adapter: () => ({ lora, values: state.parameters.slice() }),
    dispose: () => trainer.dispose(),
  };
}

/** The mean mode of the one image, whatever is asked about. */
async function meanOf(model: TrainableModel, scale: NetworkScale, known: PriorOptions, options: CallOptions): Promise<Denoiser> {
  const mean = await meanPrior(model, scale, known, options);
  return { ...mean, denoise: (_, sigma, call) => mean.denoise(known.condition!, sigma, call) };
}

/** Voxels with uptake: what patches are taken around. */
function support(image: Volume): readonly number[] {
  const { data } = image;
  const floor = data.some((value) => value > 0) ? 0.2 * bodyMean(image) : Number.NEGATIVE_INFINITY;
  return Array.from(data.keys()).filter((i) => data[i]! > floor);
}

/** First voxel of a patch with a voxel of the support somewhere in it, within the volume where it is larger than the patch. */
function patchAround(places: readonly number[], shape: Shape3, patch: Shape3, integer: (n: number) => number): Shape3 {
  const voxel = places[integer(places.length)]!;
  const index = [Math.floor(voxel / (shape[1] * shape[2])), Math.floor(voxel / shape[2]) % shape[1], voxel % shape[2]];
  const [z, y, x] = index.map((i, axis) => Math.max(0, Math.min(i - integer(patch[axis]!), shape[axis]! - patch[axis]!)));
  return [z!, y!, x!];
}

function scaled(x: Volume, k: number): Volume {
  return array(
    x.shape,
    x.data.map((value) => k * value),
  );
}
