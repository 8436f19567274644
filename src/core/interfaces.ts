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

/** An image that stays on a device. */
export interface ResidentImage {
  read(options?: CallOptions): Promise<Volume>;
  /** Gives its memory back; twice is harmless. */
  free(): void;
}

/** The subsets of a scan with all they need on a device, y ~ Poisson(A_k x + b_k): between updates nothing but commands goes there, and
 *  nothing comes back. */
export interface ResidentModel {
  readonly inShape: readonly number[];
  /** Number K of subsets. */
  readonly subsets: number;
  /** Σ y / Σ s: the activity that, the same in all voxels, would explain all prompts. */
  readonly meanActivity: number;
  /** How it is kept. For people and sidecars. */
  readonly details: string;
  load(x: Volume, options?: CallOptions): Promise<ResidentImage>;
  /**
   * One update with some of the subsets, s = Σ s_k and e = x Σ A_kᵀ(y_k/(A_k x + b_k)): e / s as in EM, or the larger root of
   * ρ x² + (s − ρ v) x − e = 0 with a penalty ρ/2 ‖x − v‖². The old image stays. Returns when the device has done it.
   */
  update(
    x: ResidentImage,
    subsets: readonly number[],
    penalty?: { readonly v: ResidentImage; readonly rho: number },
    options?: CallOptions,
  ): Promise<ResidentImage>;
  /** Gives all memory back, that of its images too. */
  dispose(): void;
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

/** A smooth convex penalty R(x) ≥ 0 on images x ≥ 0: the −log of a classical prior. */
export interface Penalty {
  readonly shape: readonly number[];
  value(x: Volume, options?: CallOptions): Promise<number>;
  /** ∂R/∂x_j, and ∂²R/∂x_j² ≥ 0, the diagonal of the Hessian. */
  derivatives(x: Volume, options?: CallOptions): Promise<{ readonly gradient: Volume; readonly curvature: Volume }>;
}

/** A penalty with a separable surrogate, R(x) ≤ Σ_j ρ_j/2 (x_j − v_j)² + const, equal at x': what EM can be combined with. */
export interface SeparablePenalty extends Penalty {
  /** ρ ≥ 0 and v at x'. */
  surrogate(x: Volume, options?: CallOptions): Promise<{ readonly rho: Volume; readonly anchor: Volume }>;
}
