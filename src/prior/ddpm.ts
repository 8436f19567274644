/** @file  Ancestral sampling with a network that predicts the noise and, where it does, the variance between its bounds:
 *    (ε, v) = network(x_t, t)
 *    x̂₀     = clamp( x_t/√ᾱ − √(1/ᾱ − 1) ε )
 *    ln σ²  = f ln β + (1 − f) ln β̃,  f = (v + 1)/2;   without v: f = 1
 *    x_{t−1} = c₁ x̂₀ + c₂ x_t + σ z,  z ~ N(0, I), and no z at the first timestep
 *  Ho et al. 2020, arXiv:2006.11239, Algorithm 2; the learned variance is Nichol & Dhariwal 2021, arXiv:2102.09672, Eq. 15.
 *  x_t is √ᾱ x₀ + √(1 − ᾱ) n, as these papers write it. */
import { contiguous, expectShape, fill, type Volume } from '../core/array.js';
import { OptionError } from '../core/errors.js';
import { type CallOptions, type Step, turn } from '../core/iterate.js';
import { type PosteriorTable, posteriorTable } from './schedule.js';

/** What a network says about x_t: the noise in it and, if it was trained to, where ln σ² lies between its bounds, −1 to 1. */
export interface NoisePrediction {
  readonly eps: Volume;
  readonly variance?: Volume | undefined;
}
/** @param time the timestep that the network is told. */
export type PredictNoise = (xt: Volume, time: number, options: CallOptions) => Promise<NoisePrediction>;

export interface DdpmOptions extends CallOptions {
  /** Standard normal field for the step that leaves timestep index i; not asked for at i = 0. */
  readonly noise: (index: number) => Volume;
  /** Timesteps and their coefficients. @default all 1000 of the linear schedule */
  readonly table?: PosteriorTable | undefined;
  /** Bounds of x̂₀. @default [−1, 1] */
  readonly clip?: readonly [low: number, high: number] | undefined;
  /** Index of the timestep to begin at; x is the state there. @default the last */
  readonly from?: number | undefined;
}
export interface DdpmStep extends Step {
  /** Index of the timestep just left. A run goes on from a step with its image and index − 1. */
  readonly index: number;
  /** x̂₀. */
  readonly clean: Volume;
}

/**
 * Carries noise down the timesteps to a sample.
 * @param start x_t at the first timestep, standard normal for the whole way.
 * @yields x at the next lower timestep; the last is the sample.
 * @throws OptionError when `from` is out of range. @throws ShapeError when prediction or noise do not fit `start`.
 */
export async function* ddpm(
  predict: PredictNoise,
  start: Volume,
  { noise, table = posteriorTable(), clip = [-1, 1], from = table.timesteps.length - 1, signal }: DdpmOptions,
): AsyncGenerator<DdpmStep> {
  if (!(Number.isInteger(from) && from >= 0 && from < table.timesteps.length)) {
    throw new OptionError('First timestep', { key: 'from', expected: `0 to ${table.timesteps.length - 1}`, found: from });
  }
  let x = contiguous(start);
  for (let index = from; index >= 0; index--) {
    await turn(signal);
    const { eps, variance } = await predict(x, table.timesteps[index]!, { signal });
    const n = expectShape(eps, x.shape, 'noise predicted by the network');
    const v = variance && expectShape(variance, x.shape, 'variance predicted by the network');
    const z = index === 0 ? undefined : expectShape(noise(index), x.shape, `noise of step ${index}`);
    const clean = cleanOf(x, n, table.alphaBar[index]!, clip);
    x = ancestralStep(x, clean, v, z, table, index);
    yield { image: x, clean, index, fraction: 1 - index / (from + 1) };
  }
}

function cleanOf(x: Volume, eps: Volume, alphaBar: number, [low, high]: readonly [number, number]): Volume {
  const [a, b] = [Math.sqrt(1 / alphaBar), Math.sqrt(1 / alphaBar - 1)];
  return fill(x.shape, (i) => Math.min(high, Math.max(low, a * x.data[i]! - b * eps.data[i]!)));
}

function ancestralStep(
  x: Volume,
  clean: Volume,
  v: Volume | undefined,
  z: Volume | undefined,
  table: PosteriorTable,
  i: number,
): Volume {
  const [c1, c2, logBeta, logPosterior] = [
    table.cleanWeight[i]!,
    table.noisyWeight[i]!,
    table.logBeta[i]!,
    table.logPosterior[i]!,
  ];
  const sigma = (voxel: number): number => {
    const f = v === undefined ? 1 : (v.data[voxel]! + 1) / 2;
    return Math.exp((f * logBeta + (1 - f) * logPosterior) / 2);
  };
  return fill(x.shape, (k) => c1 * clean.data[k]! + c2 * x.data[k]! + (z === undefined ? 0 : sigma(k) * z.data[k]!));
}
