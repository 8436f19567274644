/** @file  Training samples for v-prediction, each a function of (seed, step) alone, so that a resumed run sees what an unbroken one does.
 *    x_t = α x₀ + σ ε,   v = α ε − σ x₀,   α = cos(πt/2), σ = sin(πt/2)      Salimans & Ho 2022, arXiv:2202.00512
 *  A sample trains one of three modes:
 *    mean           x_t = 0, t = 1, condition given: v = −x₀, which is regression of x₀ on the condition;
 *    conditional    t in (0, 1), condition given;
 *    unconditional  t in (0, 1), condition left out: the prior.
 *  In each the anatomy, and the noise level of the condition, are left out of some samples, so that the network can do without. */
import type { Shape3 } from '../core/array.js';
import { type Random, random } from '../core/random.js';
import { networkFeatures } from '../network/features.js';
import type { TrainBatch } from '../network/runner.js';
import type { Architecture } from '../network/unet.js';
import type { NetworkKind, TrainingConfig } from './config.js';
import type { SubjectSource, SubjectVolume } from './subject.js';

/** Patches with less of the body than this are drawn again, a few times. */
const enoughBody = 0.1;
const draws = 4;
/** The anatomy is multiplied by e^u, u uniform in ±this: its normalisation is never quite the same. */
const anatomyJitter = 0.2;

/** The batch of a step. */
export function trainingBatch(
  subjects: readonly SubjectSource[],
  config: TrainingConfig,
  architecture: Architecture,
  step: number,
): TrainBatch {
  const { batch, patch, seed } = config;
  const { inputChannels, features, knows = [] } = architecture;
  const voxels = patch[0] * patch[1] * patch[2];
  const r = random(seed, step);
  const out: TrainBatch = {
    x: new Float32Array(batch * inputChannels * voxels),
    features: new Float32Array(batch * features),
    skip: new Float32Array(batch),
    target: new Float32Array(batch * voxels),
    weight: new Float32Array(batch),
  };
  const alone = meanOnly(config.kind);
  const meanShare = alone || step <= config.meanFirst * config.steps ? 1 : config.meanShare;
  for (let n = 0; n < batch; n++) {
    const subject = subjects[r.integer(subjects.length)]!;
    const { cut, truth } = patchOf(subject, patch, r);
    const gain = config.scale * Math.exp((2 * r.uniform() - 1) * config.intensityJitter);
    const draw = r.integer(subject.noise.length);
    const mean = r.uniform() < meanShare;
    const t = mean ? 1 : (n + r.uniform()) / batch;
    const present = mean || r.uniform() >= config.dropout;
    const anatomy = r.uniform() >= config.anatomyDropout && subject.anatomy && knows.includes('anatomy');
    const noiseGiven = r.uniform() >= config.noiseDropout && present;
    const alpha = mean ? 0 : Math.cos((Math.PI * t) / 2);
    const sigma = mean ? 1 : Math.sin((Math.PI * t) / 2);
    const x = out.x.subarray(n * inputChannels * voxels, (n + 1) * inputChannels * voxels);
    const v = out.target.subarray(n * voxels, (n + 1) * voxels);
    for (let i = 0; i < voxels; i++) {
      const clean = gain * truth[i]!;
      const epsilon = mean ? 0 : r.normal();
      x[i] = mean ? 0 : alpha * clean + sigma * epsilon;
      v[i] = alpha * epsilon - sigma * clean;
    }
    const low = cut(draw, gain, new Float32Array(voxels));
    if (present) x.set(low, voxels);
    if (anatomy) cut('anatomy', Math.exp((2 * r.uniform() - 1) * anatomyJitter), x.subarray(2 * voxels, 3 * voxels));
    const situation = { t, condition: present, anatomy, mean, noise: noiseGiven ? subject.noise[draw]! : 0 };
    out.features.set(networkFeatures(architecture, situation), n * features);
    out.skip[n] = present ? sigma : 0;
    const modeWeight = mean ? (alone ? 1 : config.meanWeight) : diffusionWeight(alpha, sigma, config.minSnr);
    out.weight[n] = modeWeight * (config.relative ? brightnessWeight(low) : 1);
  }
  return out;
}

/** Is this a network for the mean mode and nothing else? */
export function meanOnly(kind: NetworkKind): boolean {
  return kind === 'regression3d' || kind === 'gan3d';
}

/**
 * e / (e + ⟨c²⟩), e = `usualSquare`, c the low-count patch in network units, ⟨⟩ its mean. Without it a few hot patches, whose errors are
 * hundreds of times larger, would decide the direction of every step. It depends on the input alone: the mean mode remains E[x₀ | c].
 */
function brightnessWeight(low: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < low.length; i++) sum += low[i]! * low[i]!;
  return usualSquare / (usualSquare + sum / low.length);
}
/** Mean square of soft tissue alone, network units. */
const usualSquare = 0.03;

/** min(SNR, γ)/(SNR + 1): an error of v at little noise is mostly noise that nothing could predict; γ = 0: 1. */
function diffusionWeight(alpha: number, sigma: number, gamma: number): number {
  if (gamma === 0) return 1;
  const snr = (alpha / sigma) ** 2;
  return Math.min(snr, gamma) / (snr + 1);
}

/** Writes gain · volume, cut at the place of the patch, into `out`. */
type Cut = (volume: SubjectVolume, gain: number, out: Float32Array) => Float32Array;

/** A place for the patch, flipped in some way, that holds some of the body if a few draws find one; beyond the volume its edge goes on. */
function patchOf({ shape, read }: SubjectSource, patch: Shape3, r: Random): { cut: Cut; truth: Float32Array } {
  const truth = new Float32Array(patch[0] * patch[1] * patch[2]);
  for (let draw = 1; ; draw++) {
    const places = patch.map((n, axis) => {
      const start = r.integer(Math.max(0, shape[axis]! - n) + 1);
      const flip = r.uniform() < 0.5;
      return Int32Array.from({ length: n }, (_, i) => Math.min(start + (flip ? n - 1 - i : i), shape[axis]! - 1));
    });
    const [zs, ys, xs] = places as [Int32Array, Int32Array, Int32Array];
    const first = Math.min(zs[0]!, zs.at(-1)!);
    const count = Math.max(zs[0]!, zs.at(-1)!) - first + 1;
    const cut: Cut = (volume, gain, out) => {
      const slab = read(volume, first, count);
      let at = 0;
      for (const z of zs)
        for (const y of ys) {
          const row = ((z - first) * shape[1] + y) * shape[2];
          for (const x of xs) out[at++] = gain * slab[row + x]!;
        }
      return out;
    };
    cut('truth', 1, truth);
    let body = 0;
    for (const value of truth) if (value > 0) body++;
    if (draw === draws || body >= enoughBody * truth.length) return { cut, truth };
  }
}
