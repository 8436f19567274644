/** @file  How large the inputs and outputs of the convolutions get on training samples of all modes: what a draft in 8-bit integers needs to know. */
import type { Activations } from '../network/quantise.js';
import type { GraphRunner } from '../network/runner.js';
import type { Architecture } from '../network/unet.js';
import { trainingBatch } from './batch.js';
import type { TrainingConfig } from './config.js';
import type { SubjectSource } from './subject.js';

/** Batches that are looked at. */
const batches = 16;

/**
 * @param runner of `calibrationGraph` for the configuration's batch and patch. @param names of that graph.
 * @param subjects best those that training did not see.
 */
export async function calibrate(
  config: TrainingConfig,
  architecture: Architecture,
  parameters: Float32Array,
  subjects: readonly SubjectSource[],
  { runner, names }: { readonly runner: GraphRunner; readonly names: readonly string[] },
): Promise<Activations> {
  const most = new Float32Array(2 * names.length);
  for (let k = 1; k <= batches; k++) {
    // Past the steps of the run: all modes, and no batch that training saw.
    const { x, features, skip } = trainingBatch(subjects, config, architecture, config.steps + k);
    const { magnitudes } = await runner.run({ parameters, x, features, skip });
    for (let i = 0; i < most.length; i++) most[i] = Math.max(most[i]!, magnitudes![i]!);
  }
  const round = (value: number): number => Number(value.toPrecision(4));
  return Object.fromEntries(names.map((name, i) => [name, [round(most[2 * i]!), round(most[2 * i + 1]!)] as const]));
}
