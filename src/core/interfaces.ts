/** @file  Where everyone meets: an algorithm takes anything that satisfies these. */
import type { NdArray, Volume } from './array.js';
import type { CallOptions } from './iterate.js';

/** y = A x and x = Aᵀ y, with ⟨A x, y⟩ = ⟨x, Aᵀ y⟩. */
export interface LinearOperator {
  readonly inShape: readonly number[];
  readonly outShape: readonly number[];
  forward(x: NdArray, options?: CallOptions): Promise<NdArray>;
  adjoint(y: NdArray, options?: CallOptions): Promise<NdArray>;
}

/** Counts in one subset of the bins and the model of their mean: y ~ Poisson(A x + b). */
export interface PoissonSubset {
  /** A: image → expected trues. Attenuation, efficiencies, duration and calibration (m of the system model) are inside. */
  readonly model: LinearOperator;
  /** y: prompts, shape model.outShape. */
  readonly prompts: NdArray;
  /** b = m ⊙ a: expected randoms + scatter, counts, shape model.outShape. */
  readonly background: NdArray;
  /** s = Aᵀ 1, shape model.inShape. */
  readonly sensitivity: Volume;
}

/** x̂₀ = D(x, σ) ≈ E[x₀ | x₀ + σ n = x], n ~ N(0, I), in the units of x. */
export interface Denoiser {
  readonly sigmaMin: number;
  readonly sigmaMax: number;
  denoise(x: Volume, sigma: number, options?: CallOptions): Promise<Volume>;
}

export interface ProxOptions extends CallOptions {
  /** Solve with all data, however dear, instead of a few subsets. @default false */
  readonly exact?: boolean | undefined;
}
/** (v, ρ) ↦ argminₓ f(x) + ρ/2 ‖x − v‖². */
export type Prox = (v: Volume, rho: number, options?: ProxOptions) => Promise<Volume>;
