/** @file  Loss and gradient of a batch, its micro-batches spread over worker threads. The split and the order of the sum belong to the
 *  batch, not to the threads, so that a training run gives the same bits on any number of cores. */
import { availableParallelism } from 'node:os';
import { type Shape3, size } from '../core/array.js';
import { ModelError, OptionError, ShapeError } from '../core/errors.js';
import type { LossGradient, Tensors, TrainBatch, Trainer } from '../network/runner.js';
import type { Architecture } from '../network/unet.js';
import { type Adapted, type Adversary, ganTrainGraph, loraTrainGraph, trainGraph } from '../network/unet-graphs.js';
import { openPool, type PoolOptions } from './ort-pool.js';

export interface TrainerOptions extends PoolOptions {
  /** Samples a worker takes at a time; divides the batch. Larger ones save about 5 % and balance worse. @default 1 */
  readonly microBatch?: number | undefined;
  /** Train this adapter on frozen weights, instead of the weights. @default the weights */
  readonly adapted?: Adapted | undefined;
  /** Train the mean mode against a discriminator, whose parameters follow the network's. @default no discriminator */
  readonly adversary?: Adversary | undefined;
}

/**
 * @param batch samples a step, N. @param patch [D, H, W] of every sample.
 * @throws ModelError when the patch does not fit the architecture. @throws OptionError when microBatch does not divide the batch.
 */
export function openTrainer(
  architecture: Architecture,
  batch: number,
  patch: Shape3,
  { threads = availableParallelism(), microBatch = 1, adapted, adversary }: TrainerOptions = {},
): Trainer {
  const parts = batch / microBatch;
  if (!(Number.isInteger(parts) && parts > 0 && Number.isInteger(microBatch) && microBatch > 0)) {
    throw new OptionError('Micro-batch', { key: 'microBatch', expected: `a divisor of the batch, ${batch}`, found: microBatch });
  }
  const program =
    adapted !== undefined
      ? loraTrainGraph(architecture, microBatch, patch, adapted)
      : adversary !== undefined
        ? ganTrainGraph(architecture, microBatch, patch, adversary)
        : trainGraph(architecture, microBatch, patch);
  const trained = program.inputs.find(({ name }) => name === 'parameters' || name === 'adapter')!;
  const pool = openPool({ threads: Math.min(threads, parts) });
  let loaded = false;
  return {
    load(parameters) {
      if (parameters.length !== size(trained.shape)) {
        throw new ModelError(`These are not the ${trained.name} of the network`, {
          expected: `${size(trained.shape)} values`,
          found: parameters.length,
        });
      }
      pool.share({ [trained.name]: parameters });
      loaded = true;
    },
    async step(samples, options = {}) {
      if (!loaded)
        throw new ModelError('The trainer has no parameters yet', { hint: 'Call load(parameters) before the first step.' });
      return mean(cut(samples, batch, parts).map((feeds) => pool.run(program, feeds, options)));
    },
    dispose: () => pool.dispose(),
  };
}

/** The batch in `parts` equal, consecutive parts. */
function cut(samples: TrainBatch, batch: number, parts: number): Tensors[] {
  const arrays = Object.entries(samples) as [string, Float32Array][];
  for (const [key, values] of arrays) {
    if (values.length % batch !== 0)
      throw new ShapeError('Training batch', { key, expected: `a multiple of ${batch} values`, found: values.length });
  }
  return Array.from({ length: parts }, (_, part) =>
    Object.fromEntries(
      arrays.map(([key, values]) => [key, values.slice((part * values.length) / parts, ((part + 1) * values.length) / parts)]),
    ),
  );
}

/** Mean loss and gradient, summed in the order of the parts as they come, so that few are in memory at a time. */
async function mean(runs: readonly Promise<Tensors>[]): Promise<LossGradient> {
  for (const run of runs) run.catch(() => {}); // awaited below, one after the other
  let gradient: Float32Array | undefined;
  let total = 0;
  for (const run of runs) {
    const { loss, gradient: part } = await run;
    gradient ??= new Float32Array(part.length);
    addScaled(gradient, part, 1 / runs.length);
    total += loss[0];
  }
  return { loss: total / runs.length, gradient: gradient! };
}

/** sum ← sum + k x. A function of its own: in an asynchronous one this loop is ten times slower. */
function addScaled(sum: Float32Array, x: Float32Array, k: number): void {
  for (let i = 0; i < sum.length; i++) sum[i] += k * x[i];
}
