/** @file  From what a network predicts to a denoiser in σ. With α = 1/√(1+σ²) the network sees x_t = α x at its own time t(σ), and
 *    v   (v = α ε − ασ x₀)   x̂₀ = α x_t − ασ v̂
 *    eps (ε)                 x̂₀ = x − σ ε̂
 *    x0                      x̂₀ is the prediction
 *  Salimans & Ho 2022, arXiv:2202.00512, appendix D. σ is the only time variable outside this file. */
import { contiguous, expectShape, fill, type Volume } from '../core/array.js';
import { OptionError } from '../core/errors.js';
import type { Denoiser } from '../core/interfaces.js';
import type { CallOptions } from '../core/iterate.js';
import { cosine, type Schedule } from './schedule.js';

/** A network: x_t = α x, time t in the measure of its schedule ↦ prediction, shape of x_t. */
export type Predict = (xt: Volume, time: number, signal?: AbortSignal) => Promise<Volume>;
/** What a network was trained to predict. */
export type Parameterisation = 'v' | 'eps' | 'x0';

export interface PreconditionOptions {
  /** @default 'v' */
  readonly parameterisation?: Parameterisation | undefined;
  /** @default cosine */
  readonly schedule?: Schedule | undefined;
  /** Bounds of x̂₀, where the network was trained on values within them. @default none */
  readonly clip?: readonly [low: number, high: number] | undefined;
}

/**
 * The network as a `Denoiser`, in the network's units.
 * @throws OptionError from `denoise` for a σ the schedule does not reach. @throws ShapeError when the prediction does not fit.
 */
export function precondition(
  predict: Predict,
  { parameterisation = 'v', schedule = cosine, clip: [low, high] = [-Infinity, Infinity] }: PreconditionOptions = {},
): Denoiser {
  const { sigmaMin, sigmaMax } = schedule;
  const clean = estimates[parameterisation];
  const denoise = async (x0: Volume, sigma: number, { signal }: CallOptions = {}): Promise<Volume> => {
    if (!(sigma >= sigmaMin && sigma <= sigmaMax)) {
      throw new OptionError('Noise level', { key: 'sigma', expected: `${sigmaMin} to ${sigmaMax}`, found: sigma });
    }
    const x = contiguous(x0);
    const alpha = 1 / Math.sqrt(1 + sigma * sigma);
    const xt = fill(x.shape, (i) => alpha * x.data[i]!);
    const out = expectShape(await predict(xt, schedule.time(sigma), signal), x.shape, 'prediction of the network').data;
    return fill(x.shape, (i) => Math.min(high, Math.max(low, clean(x.data[i]!, out[i]!, sigma, alpha))));
  };
  return { sigmaMin, sigmaMax, denoise };
}

/** x̂₀ from x, the prediction, σ and α. */
const estimates: Record<Parameterisation, (x: number, out: number, sigma: number, alpha: number) => number> = {
  v: (x, v, sigma, alpha) => alpha * alpha * x - alpha * sigma * v,
  eps: (x, eps, sigma) => x - sigma * eps,
  x0: (_, clean) => clean,
};

/**
 * The same denoiser in other units: for u = k x + offset, D_u(u, σ) = k D((u − offset)/k, σ/k) + offset.
 * @param k > 0: unit of u per unit of the denoiser, e.g. the SUV that the network's 1 stands for.
 * @throws OptionError when k is not positive.
 */
export function scaledDenoiser(denoiser: Denoiser, k: number, offset = 0): Denoiser {
  if (!(k > 0 && k < Infinity))
    throw new OptionError('Unit of the denoiser', { key: 'k', expected: 'a positive, finite number', found: k });
  const denoise = async (u0: Volume, sigma: number, options?: CallOptions): Promise<Volume> => {
    const u = contiguous(u0);
    const x = fill(u.shape, (i) => (u.data[i]! - offset) / k);
    const clean = await denoiser.denoise(x, sigma / k, options);
    return fill(u.shape, (i) => k * clean.data[i]! + offset);
  };
  return { sigmaMin: k * denoiser.sigmaMin, sigmaMax: k * denoiser.sigmaMax, denoise };
}
