/** @file  The description of a training run, as `coincide train CONFIG` reads it. */
import { prettifyError, z } from 'zod';
import { FormatError } from '../core/errors.js';
import type { LoraOptions } from '../network/lora.js';
import { type CohortConfig, checkedCohort, cohortSchema } from './cohort-config.js';

/** The U-Net to train. */
export interface NetworkConfig {
  /** Width of each level, finest first. @default [32, 64, 96] */
  readonly channels: readonly number[];
  /** Residual blocks at each level, down and again up. @default one each */
  readonly blocks?: readonly number[] | undefined;
  /** @default 128 */
  readonly embedding: number;
  /** @default 8 */
  readonly groups: number;
  /** Whether the embedding scales and shifts the normalised features, instead of being added. @default true */
  readonly film: boolean;
  /** Last convolutions; 2 gives the mean mode its own. @default 2 */
  readonly heads: 1 | 2;
  /** Whether the anatomy is an input. @default true */
  readonly anatomy: boolean;
}

/** ddpm3d: all modes. regression3d: the mean mode alone. gan3d: the mean mode against a discriminator. ddpm2d: all modes, slice by slice. */
export type NetworkKind = 'ddpm3d' | 'regression3d' | 'gan3d' | 'ddpm2d';

/** The adversary of a gan3d. */
export interface GanConfig {
  /** Weight of its opinion beside the mean squared error. @default 0.01 */
  readonly weight: number;
  /** Width of each of its levels. @default [16, 32, 64] */
  readonly channels: readonly number[];
}

export interface TrainingConfig {
  readonly name: string;
  /** @default 'ddpm3d' */
  readonly kind: NetworkKind;
  /** Used by gan3d. */
  readonly gan: GanConfig;
  /** @default '1.0.0' */
  readonly version: string;
  /** Licence of the weights. @default 'MIT' */
  readonly licence: string;
  /** Of everything: cohort, initial weights, batches. @default 1 */
  readonly seed: number;
  readonly cohort: CohortConfig;
  /** Not used when the run starts from a model. */
  readonly network: NetworkConfig;
  /** Model folder whose network and weights the run starts from; `scale` is then its. @default a fresh network */
  readonly from?: string | undefined;
  /** Train low-rank updates of the model that the run starts from, and leave its weights. @default the weights */
  readonly lora?: LoraOptions | undefined;
  /** Network value per SUV; typical data should have a standard deviation near 0.5. @default 0.5 */
  readonly scale: number;
  /** Size of the crops, voxels [z, y, x]; tiles of this size are evaluated later. @default [32, 32, 32], in 2D [1, 64, 64] */
  readonly patch: readonly [number, number, number];
  /** @default 4, in 2D 32 */
  readonly batch: number;
  /** @default 4000 */
  readonly steps: number;
  /** After `warmup` steps; falls to 2 % of it over the last 40 % of the run. @default 5e-4 */
  readonly learningRate: number;
  /** @default 50 */
  readonly warmup: number;
  /** @default 0.01 */
  readonly weightDecay: number;
  /** Largest norm of the gradient. @default 1 */
  readonly clip: number;
  /** @default 0.999 */
  readonly emaDecay: number;
  /** Share of samples that train the mean mode (x_t = 0, t = 1: regression). @default 0.5 */
  readonly meanShare: number;
  /** Share of the steps, the first ones, in which all samples do. @default 0.25 */
  readonly meanFirst: number;
  /** Weight of a mean-mode sample in the loss, beside the diffusion samples' `minSnr`. @default 4 */
  readonly meanWeight: number;
  /** Whether errors count relative to what the low-count patch holds, so that hot patches do not drown the others: see `brightnessWeight`. @default true */
  readonly relative: boolean;
  /** γ of the diffusion samples' weight min(SNR, γ)/(SNR + 1), SNR = α²/σ²; 0: all weights are 1.
   *  Hang et al. 2023, arXiv:2303.09556, Sec. 3.4. @default 5 */
  readonly minSnr: number;
  /** Share of diffusion samples whose condition is left out, so that the same weights are a prior. @default 0.3 */
  readonly dropout: number;
  /** Share of samples whose anatomy is left out. @default 0.5 */
  readonly anatomyDropout: number;
  /** Share of samples whose noise level is not told. @default 0.2 */
  readonly noiseDropout: number;
  /** Intensities are multiplied by e^u, u uniform in ±this. @default 0.35 */
  readonly intensityJitter: number;
  /** Steps between checkpoints, each with a look at the validation subjects. @default 500 */
  readonly checkpointEvery: number;
  /** Looks at the validation subjects without a gain of 0.02 dB after which the learning rate begins its fall early; 0: never. @default 0 */
  readonly patience: number;
}

const count = z.int().positive();
const share = z.number().min(0).max(1);
const schema = z.strictObject({
  name: z.string().min(1),
  kind: z.enum(['ddpm3d', 'regression3d', 'gan3d', 'ddpm2d']).default('ddpm3d'),
  gan: z
    .strictObject({
      weight: z.number().nonnegative().default(0.01),
      channels: z.array(count).min(1).default([16, 32, 64]),
    })
    .prefault({}),
  version: z.string().default('1.0.0'),
  licence: z.string().default('MIT'),
  seed: z.int().nonnegative().default(1),
  cohort: cohortSchema,
  network: z
    .strictObject({
      channels: z.array(count).min(1).default([32, 64, 96]),
      blocks: z.array(count).optional(),
      embedding: count.default(128),
      groups: count.default(8),
      film: z.boolean().default(true),
      heads: z.union([z.literal(1), z.literal(2)]).default(2),
      anatomy: z.boolean().default(true),
    })
    .prefault({}),
  from: z.string().optional(),
  lora: z
    .strictObject({
      rank: count.optional(),
      scale: z.number().positive().optional(),
      layers: z.array(z.string()).min(1).optional(),
      biases: z.boolean().optional(),
    })
    .optional(),
  scale: z.number().positive().default(0.5),
  patch: z.tuple([count, count, count]).optional(),
  batch: count.optional(),
  steps: count.default(4000),
  learningRate: z.number().positive().default(5e-4),
  warmup: z.int().nonnegative().default(50),
  weightDecay: z.number().nonnegative().default(0.01),
  clip: z.number().positive().default(1),
  emaDecay: z.number().min(0).max(1).default(0.999),
  meanShare: share.default(0.5),
  meanFirst: share.default(0.25),
  meanWeight: z.number().positive().default(4),
  relative: z.boolean().default(true),
  minSnr: z.number().nonnegative().default(5),
  dropout: share.default(0.3),
  anatomyDropout: share.default(0.5),
  noiseDropout: share.default(0.2),
  intensityJitter: z.number().nonnegative().default(0.35),
  checkpointEvery: count.default(500),
  patience: z.int().nonnegative().default(0),
});

/**
 * The run that a JSON value describes, defaults filled in; unknown fields are errors.
 * @throws FormatError listing every field that is wrong.
 */
export function parseTrainingConfig(data: unknown, file?: string): TrainingConfig {
  const parsed = schema.safeParse(data);
  if (!parsed.success)
    throw new FormatError('This does not describe a training run', { file, hint: `\n${prettifyError(parsed.error)}` });
  const { cohort, network, kind } = parsed.data;
  const planar = kind === 'ddpm2d';
  const { patch = planar ? [1, 64, 64] : [32, 32, 32], batch = planar ? 32 : 4 } = parsed.data;
  checkedCohort(cohort, file);
  const step = 2 ** network.channels.length;
  const wanted = planar ? [1, step, step] : [step, step, step];
  if (patch.some((n, axis) => n % wanted[axis]! !== 0 || (planar && axis === 0 && n !== 1))) {
    const expected = planar ? `1, and two multiples of ${step}` : `multiples of ${step}`;
    throw new FormatError('Training run', { file, key: 'patch', expected, found: patch });
  }
  const coarse = 2 ** parsed.data.gan.channels.length;
  if (kind === 'gan3d' && patch.some((n) => n % coarse !== 0)) {
    throw new FormatError('Training run', {
      file,
      key: 'patch',
      expected: `multiples of ${coarse}, for the discriminator`,
      found: patch,
    });
  }
  if (parsed.data.from !== undefined && kind !== 'ddpm3d' && parsed.data.lora !== undefined) {
    throw new FormatError('Low-rank updates are trained for all modes', { file, key: 'kind', expected: 'ddpm3d', found: kind });
  }
  if (parsed.data.lora !== undefined && parsed.data.from === undefined) {
    throw new FormatError('Low-rank updates need a model to update', { file, key: 'from', expected: 'a model folder' });
  }
  const { blocks, channels, groups } = network;
  if (blocks !== undefined && blocks.length !== channels.length) {
    throw new FormatError('Training run', { file, key: 'network.blocks', expected: `${channels.length} numbers`, found: blocks });
  }
  const odd = channels.find((width) => width % groups !== 0);
  if (odd !== undefined) {
    throw new FormatError('Training run', {
      file,
      key: 'network.channels',
      expected: `multiples of groups = ${groups}`,
      found: odd,
    });
  }
  return { ...parsed.data, patch, batch };
}
