/** @file  The training loop: batch → loss and gradient → AdamW, one step at a time; the caller owns progress, checkpoints and stopping. */

import { OptionError } from '../core/errors.js';
import type { CallOptions } from '../core/iterate.js';
import { turn } from '../core/iterate.js';
import { type Knowledge, knowledgeLength } from '../network/features.js';
import { initialParameters } from '../network/parameters.js';
import type { TrainBatch, Trainer } from '../network/runner.js';
import type { Architecture } from '../network/unet.js';
import { type AdamState, adamState, adamStep } from './adam.js';
import { meanOnly, trainingBatch } from './batch.js';
import type { TrainingConfig } from './config.js';
import type { SubjectSource } from './subject.js';

export interface TrainStep {
  /** Steps done, from 1. */
  readonly step: number;
  /** Loss of this batch: mean squared error of v. */
  readonly loss: number;
  /** Norm of the gradient before clipping. */
  readonly gradientNorm: number;
  readonly learningRate: number;
  readonly fraction: number;
  /** The live state: copy it to keep it. */
  readonly state: AdamState;
}

export interface TrainOptions extends CallOptions {
  /** Steps done and the state after them, to go on from. @default a fresh start */
  readonly resume?: { readonly step: number; readonly state: AdamState } | undefined;
  /** Network to train. @default the configuration's */
  readonly architecture?: Architecture | undefined;
  /** What is trained at the first step: the weights, or a low-rank adapter. @default fresh weights */
  readonly start?: Float32Array | undefined;
  /** When the learning rate falls and the run ends; asked before every step. @default as the configuration has it */
  readonly pace?: (() => Pace) | undefined;
}

/** Sines and cosines of time that the network is told. */
const frequencies = 16;

/** The network that a configuration asks for. */
export function architectureOf({ network, kind }: Pick<TrainingConfig, 'network' | 'kind'>): Architecture {
  const { channels, blocks, embedding, groups, film, anatomy } = network;
  const heads = meanOnly(kind) ? 1 : network.heads;
  const knows: Knowledge[] = ['condition', ...(anatomy ? (['anatomy'] as const) : []), 'mean', 'noise'];
  const flags = knows.reduce((sum, k) => sum + knowledgeLength[k], 0);
  return {
    ...{ kind: 'unet3d', inputChannels: anatomy ? 3 : 2, knows, fold: 2, channels },
    ...(kind === 'ddpm2d' ? { planar: true } : {}),
    ...(blocks === undefined ? {} : { blocks }),
    ...{ film, heads, embedding, features: 2 * frequencies + flags, groups },
  };
}

/**
 * Trains, one step per batch. A run that is resumed from a step makes the very steps that the unbroken run makes.
 * @param trainer opened for the architecture, and the configuration's batch and patch.
 */
export async function* train(
  config: TrainingConfig,
  subjects: readonly SubjectSource[],
  trainer: Trainer,
  { resume, architecture = architectureOf(config), start, pace = () => paceOf(config), signal }: TrainOptions = {},
): AsyncGenerator<TrainStep> {
  const state = resume?.state ?? adamState(start?.slice() ?? initialParameters(architecture, config.seed));
  const draw = (step: number): TrainBatch => trainingBatch(subjects, config, architecture, step);
  let batch = draw((resume?.step ?? 0) + 1);
  for (let step = (resume?.step ?? 0) + 1; step <= pace().end; step++) {
    await turn(signal);
    trainer.load(state.parameters);
    const running = trainer.step(batch, { signal });
    // The next batch is drawn while the workers compute.
    batch = draw(step + 1);
    const { loss, gradient } = await running;
    const learningRate = learningRateAt(config, step, pace());
    const gradientNorm = adamStep(state, gradient, step, { ...config, learningRate });
    if (!Number.isFinite(gradientNorm)) {
      throw new OptionError('Training has diverged', {
        key: 'learningRate',
        found: `a gradient of ${gradientNorm} at step ${step}`,
        hint: 'Lower the learning rate; the last checkpoint is from before.',
      });
    }
    yield { step, loss, gradientNorm, learningRate, fraction: Math.min(1, step / pace().end), state };
  }
}

/** When the learning rate begins to fall, and the last step. */
export interface Pace {
  readonly fallFrom: number;
  readonly end: number;
}

/** A plateau of 60 % of the steps, then the fall. */
export function paceOf({ steps }: Pick<TrainingConfig, 'steps'>): Pace {
  return { fallFrom: Math.round(0.6 * steps), end: steps };
}

/** The fall begins now; it takes as much of the shorter run as it was to take of the whole. Later than planned it never begins. */
export function fallNow(config: Pick<TrainingConfig, 'steps'>, step: number): Pace {
  const planned = paceOf(config);
  return step >= planned.fallFrom ? planned : { fallFrom: step, end: Math.round(step / 0.6) };
}

/** Linear warm-up, a plateau, and a linear fall to 2 %. */
export function learningRateAt(
  { learningRate, warmup, steps }: Pick<TrainingConfig, 'learningRate' | 'warmup' | 'steps'>,
  step: number,
  { fallFrom, end }: Pace = paceOf({ steps }),
): number {
  const rise = Math.min(1, step / (warmup + 1));
  const fall = Math.min(1, Math.max(0, (end - step) / Math.max(1, end - fallFrom)));
  return learningRate * rise * (0.02 + 0.98 * fall);
}
