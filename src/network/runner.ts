/** @file  Where networks meet what runs them: the interfaces that a session, a worker pool or a browser back end satisfies. */
import type { NdArray } from '../core/array.js';
import type { CallOptions } from '../core/iterate.js';

/** Values by input or output name, C order. */
export type Tensors = Readonly<Record<string, Float32Array>>;

export interface FeedOptions extends CallOptions {
  /** The arrays of the feeds, each with a buffer of its own, may be taken and are empty afterwards: large ones are not copied. @default false */
  readonly give?: boolean | undefined;
}

/** A graph that is ready to run. Feeds are read, never changed; outputs are the caller's. */
export interface GraphRunner {
  run(feeds: Tensors, options?: CallOptions): Promise<Tensors>;
  dispose(): Promise<void>;
}

/** One batch for the training graph. N is the batch the trainer was opened for. */
export interface TrainBatch {
  /** [N, C, D, H, W]. */
  readonly x: Float32Array;
  /** [N, F]. */
  readonly features: Float32Array;
  /** [N]. */
  readonly skip: Float32Array;
  /** The v to be predicted, [N, 1, D, H, W]. */
  readonly target: Float32Array;
  /** Weight of each sample in the loss, [N]. */
  readonly weight: Float32Array;
}
export interface LossGradient {
  readonly loss: number;
  /** ∂loss/∂parameters, flat. */
  readonly gradient: Float32Array;
}
/** Loss and gradient at given parameters; the optimiser is the caller's. */
export interface Trainer {
  /** Copies the parameters, of the network or of its adapter, that the next steps are taken at. */
  load(parameters: Float32Array): void;
  /** @throws signal.reason when aborted. */
  step(batch: TrainBatch, options?: CallOptions): Promise<LossGradient>;
  dispose(): Promise<void>;
}

/** v = network(x): calls may overlap, and are spread over the workers. */
export interface Evaluator {
  /**
   * @param x [N, C, D, H, W], D × H × W any patch that the architecture allows. @param features [N, F]. @param skip [N].
   * @returns v, [N, 1, D, H, W].
   */
  evaluate(x: NdArray, features: Float32Array, skip: Float32Array, options?: CallOptions): Promise<NdArray>;
  /**
   * As `evaluate`, with what the coarser levels gave the finest one; where that of another evaluation is given, they are left out.
   * Not every evaluator can.
   */
  reuse?(
    x: NdArray,
    features: Float32Array,
    skip: Float32Array,
    deep: Float32Array | undefined,
    options?: CallOptions,
  ): Promise<{ readonly v: NdArray; readonly deep: Float32Array }>;
  dispose(): Promise<void>;
}

/** An imported network as a function: predictions = network(x, time). */
export interface GuidedEvaluator {
  /**
   * @param x [1, C, D, H, W], any patch that the architecture allows. @param time [F] from `timestepFeatures`.
   * @returns [1, outputs, D, H, W].
   */
  evaluate(x: NdArray, time: Float32Array, options?: CallOptions): Promise<NdArray>;
  dispose(): Promise<void>;
}

/** A network with a low-rank adapter that changes from call to call, and the gradient of any loss of its output. */
export interface AdaptedEvaluator {
  /** As `Evaluator`, with the adapter's flat values. */
  evaluate(
    x: NdArray,
    features: Float32Array,
    skip: Float32Array,
    adapter: Float32Array,
    options?: CallOptions,
  ): Promise<NdArray>;
  /** @param seed ∂L/∂v, shape of v. @returns ∂L/∂adapter, flat. */
  gradient(
    x: NdArray,
    features: Float32Array,
    skip: Float32Array,
    adapter: Float32Array,
    seed: NdArray,
    options?: CallOptions,
  ): Promise<Float32Array>;
  dispose(): Promise<void>;
}
