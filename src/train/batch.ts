/** @file  Training samples for v-prediction, each a function of (seed, step) alone, so that a resumed run sees what an unbroken one does.
 *    x_t = α x₀ + σ ε,   v = α ε − σ x₀,   α = cos(πt/2), σ = sin(πt/2)      Salimans & Ho 2022, arXiv:2202.00512
 *  A sample trains one of three modes:
 *    mean           x_t = 0, t = 1, condition given: v = −x₀, which is regression of x₀ on the condition;
 *    conditional    t uniform in (0, 1), condition given;
 *    unconditional  t uniform in (0, 1), condition left out: the prior. */
import type { Point, Shape3 } from '../core/array.js';
import { type Random, random } from '../core/random.js';
import { timeFeatures } from '../network/features.js';
import type { TrainBatch } from '../network/runner.js';
import type { TrainingConfig } from './config.js';

/** One subject: truth and its low-count images, SUV, all of the same shape. */
export interface Subject {
  readonly shape: Shape3;
  /** mm. */
  readonly voxelSize: Point;
  readonly truth: Float32Array;
  readonly lowDose: readonly Float32Array[];
}

/** The batch of a step. */
export function trainingBatch(
  subjects: readonly Subject[],
  config: TrainingConfig,
  featureCount: number,
  step: number,
): TrainBatch {
  const { batch, patch, seed } = config;
  const voxels = patch[0] * patch[1] * patch[2];
  const r = random(seed, step);
  const out: TrainBatch = {
    x: new Float32Array(batch * 2 * voxels),
    features: new Float32Array(batch * featureCount),
    skip: new Float32Array(batch),
    target: new Float32Array(batch * voxels),
    weight: new Float32Array(batch).fill(1),
  };
  for (let n = 0; n < batch; n++) {
    const subject = subjects[r.integer(subjects.length)]!;
    const cut = randomCrop(subject.shape, patch, r);
    const gain = config.scale * Math.exp((2 * r.uniform() - 1) * config.intensityJitter);
    const truth = cut(subject.truth, gain);
    const condition = cut(subject.lowDose[r.integer(subject.lowDose.length)]!, gain);
    const mean = r.uniform() < config.meanShare;
    const t = mean ? 1 : (n + r.uniform()) / batch;
    const present = mean || r.uniform() >= config.dropout ? 1 : 0;
    const alpha = mean ? 0 : Math.cos((Math.PI * t) / 2);
    const sigma = mean ? 1 : Math.sin((Math.PI * t) / 2);
    const x = out.x.subarray(n * 2 * voxels, (n + 1) * 2 * voxels);
    const v = out.target.subarray(n * voxels, (n + 1) * voxels);
    for (let i = 0; i < voxels; i++) {
      const noise = mean ? 0 : r.normal();
      x[i] = alpha * truth[i]! + (mean ? 0 : sigma * noise);
      x[voxels + i] = present * condition[i]!;
      v[i] = alpha * noise - sigma * truth[i]!;
    }
    out.features.set(timeFeatures(t, present, featureCount), n * featureCount);
    out.skip[n] = sigma * present;
  }
  return out;
}

/** Cuts the same patch, flipped the same way, out of any volume of the shape; beyond the volume its edge goes on. */
function randomCrop(shape: Shape3, patch: Shape3, r: Random): (volume: Float32Array, gain: number) => Float32Array {
  const index = patch.map((n, axis) => {
    const start = r.integer(Math.max(0, shape[axis]! - n) + 1);
    const flip = r.uniform() < 0.5;
    return Int32Array.from({ length: n }, (_, i) => Math.min(start + (flip ? n - 1 - i : i), shape[axis]! - 1));
  });
  const [zs, ys, xs] = index as [Int32Array, Int32Array, Int32Array];
  return (volume, gain) => {
    const out = new Float32Array(zs.length * ys.length * xs.length);
    let at = 0;
    for (const z of zs) for (const y of ys) for (const x of xs) out[at++] = gain * volume[(z * shape[1] + y) * shape[2] + x]!;
    return out;
  };
}
