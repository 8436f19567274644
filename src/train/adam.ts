/** @file  AdamW on flat arrays, with clipping by global norm and an exponential moving average of the weights.
 *    m ← β₁ m + (1−β₁) g,   v ← β₂ v + (1−β₂) g²,
 *    θ ← θ − η ( m̂ / (√v̂ + ε) + w θ ),   m̂ = m/(1−β₁ᵏ),  v̂ = v/(1−β₂ᵏ),   θ̄ ← θ̄ + (1−μ)(θ − θ̄)
 *  Kingma & Ba 2015, arXiv:1412.6980; decoupled decay: Loshchilov & Hutter 2019, arXiv:1711.05101. */

export interface AdamOptions {
  /** η. */
  readonly learningRate: number;
  /** w, per unit of learning rate. @default 0.01 */
  readonly weightDecay?: number | undefined;
  /** Gradients longer than this are shortened to it. @default 1 */
  readonly clip?: number | undefined;
  /** μ, reached gradually: min(μ, (1 + k)/(10 + k)). @default 0.999 */
  readonly emaDecay?: number | undefined;
}

/** All that training carries from step to step, besides the step number: what a checkpoint holds. */
export interface AdamState {
  readonly parameters: Float32Array;
  readonly firstMoment: Float32Array;
  readonly secondMoment: Float32Array;
  /** θ̄: the weights to use. */
  readonly average: Float32Array;
}

export function adamState(parameters: Float32Array): AdamState {
  const n = parameters.length;
  return { parameters, firstMoment: new Float32Array(n), secondMoment: new Float32Array(n), average: parameters.slice() };
}

const beta1 = 0.9;
const beta2 = 0.999;
const epsilon = 1e-8;

/**
 * One step, in place.
 * @param step number of this step, from 1.
 * @returns the norm of the gradient before clipping.
 */
export function adamStep(state: AdamState, gradient: Float32Array, step: number, options: AdamOptions): number {
  const { learningRate, weightDecay = 0.01, clip = 1, emaDecay = 0.999 } = options;
  const { parameters, firstMoment, secondMoment, average } = state;
  let squares = 0;
  for (let i = 0; i < gradient.length; i++) squares += gradient[i]! * gradient[i]!;
  const norm = Math.sqrt(squares);
  const shorten = norm > clip ? clip / norm : 1;
  const rate = learningRate / (1 - beta1 ** step);
  const root = 1 / Math.sqrt(1 - beta2 ** step);
  const decay = 1 - learningRate * weightDecay;
  const follow = 1 - Math.min(emaDecay, (1 + step) / (10 + step));
  for (let i = 0; i < gradient.length; i++) {
    const g = gradient[i]! * shorten;
    const m = (firstMoment[i] = beta1 * firstMoment[i]! + (1 - beta1) * g);
    const v = (secondMoment[i] = beta2 * secondMoment[i]! + (1 - beta2) * g * g);
    const theta = (parameters[i] = decay * parameters[i]! - (rate * m) / (root * Math.sqrt(v) + epsilon));
    average[i]! += follow * (theta - average[i]!);
  }
  return norm;
}
