/** @file  The training loop: batch → loss and gradient → AdamW, one step at a time; the caller owns progress, checkpoints and stopping. */

import type { CallOptions } from '../core/iterate.js';
import { turn } from '../core/iterate.js';
import { initialParameters } from '../network/parameters.js';
import type { TrainBatch, Trainer } from '../network/runner.js';
import type { Architecture } from '../network/unet.js';
import { type AdamState, adamState, adamStep } from './adam.js';
import { type Subject, trainingBatch } from './batch.js';
import type { TrainingConfig } from './config.js';

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
}

/** The network that a configuration asks for. */
export function architectureOf({ network: { channels, embedding, groups } }: TrainingConfig): Architecture {
  return { kind: 'unet3d', inputChannels: 2, fold: 2, channels, embedding, features: 33, groups };
}

/**
 * Trains, one step per batch. A run that is resumed from a step makes the very steps that the unbroken run makes.
 * @param trainer opened for the configuration's architecture, batch and patch.
 */
export async function* train(
  config: TrainingConfig,
  subjects: readonly Subject[],
  trainer: Trainer,
  { resume, signal }: TrainOptions = {},
): AsyncGenerator<TrainStep> {
  const architecture = architectureOf(config);
  const state = resume?.state ?? adamState(initialParameters(architecture, config.seed));
  const draw = (step: number): TrainBatch => trainingBatch(subjects, config, architecture.features, step);
  let batch = draw((resume?.step ?? 0) + 1);
  for (let step = (resume?.step ?? 0) + 1; step <= config.steps; step++) {
    await turn(signal);
    trainer.load(state.parameters);
    const running = trainer.step(batch, { signal });
    // The next batch is drawn while the workers compute.
    if (step < config.steps) batch = draw(step + 1);
    const { loss, gradient } = await running;
    const learningRate = learningRateAt(config, step);
    const gradientNorm = adamStep(state, gradient, step, { ...config, learningRate });
    yield { step, loss, gradientNorm, learningRate, fraction: step / config.steps, state };
  }
}

/** Linear warm-up, a plateau, and a linear fall to 2 % over the last 40 % of the steps. */
export function learningRateAt({ learningRate, warmup, steps }: TrainingConfig, step: number): number {
  const rise = Math.min(1, step / (warmup + 1));
  const fall = Math.min(1, Math.max(0, (steps - step) / (0.4 * steps)));
  return learningRate * rise * (0.02 + 0.98 * fall);
}
