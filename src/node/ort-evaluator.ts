/** @file  The network as a function, v = F(x, …), many patches at a time on worker threads. A graph and its sessions are made for every
 *  new batch size and patch and kept. */
import { array, expectShape, type NdArray, type Shape3 } from '../core/array.js';
import { ShapeError } from '../core/errors.js';
import type { Program } from '../network/graph.js';
import { checkedParameters } from '../network/parameters.js';
import type { Activations } from '../network/quantise.js';
import type { Evaluator } from '../network/runner.js';
import { type Architecture, checkedPatch } from '../network/unet.js';
import { draftGraph, evaluateGraph, reuseGraphs } from '../network/unet-graphs.js';
import { openPool, type PoolOptions } from './ort-pool.js';

/** An evaluator whose weights can be changed. */
export interface LoadableEvaluator extends Evaluator {
  /** Weights of the calls that follow, copied. @throws ModelError when they do not fit the architecture. */
  load(parameters: Float32Array): void;
}

/** How an evaluator runs. */
export interface EvaluatorOptions extends PoolOptions {
  /** Calibration of 8-bit integers to compute in: faster and rougher. @default float32 */
  readonly draft?: Activations | undefined;
}

/**
 * @param parameters flat, copied. @param patch [D, H, W] expected most, checked at once; others may come.
 * @throws ModelError when parameters or patch do not fit the architecture.
 */
export function openEvaluator(
  architecture: Architecture,
  parameters: Float32Array,
  patch: Shape3,
  { draft, ...options }: EvaluatorOptions = {},
): LoadableEvaluator {
  checkedPatch(architecture, patch);
  let current = checkedParameters(architecture, parameters).slice();
  const programs = new Map<string, Program>();
  const programFor = (batch: number, shape: Shape3): Program => {
    const key = [batch, ...shape].join();
    const made =
      programs.get(key) ??
      (draft === undefined ? evaluateGraph(architecture, batch, shape) : draftGraph(architecture, batch, shape, current, draft));
    programs.set(key, made);
    return made;
  };
  const halves = new Map<string, ReturnType<typeof reuseGraphs>>();
  const halvesFor = ({ shape }: NdArray): ReturnType<typeof reuseGraphs> => {
    const made = halves.get(shape.join()) ?? reuseGraphs(architecture, shape[0], shape.slice(2) as unknown as Shape3);
    halves.set(shape.join(), made);
    return made;
  };
  const pool = openPool(options);
  pool.share({ parameters: current });
  return {
    async evaluate(x: NdArray, features, skip, callOptions = {}) {
      if (x.shape.length !== 5) throw new ShapeError('x', { expected: 'shape [N, C, D, H, W]', found: [...x.shape] });
      const [n, , ...edges] = x.shape;
      const program = programFor(n, edges as unknown as Shape3);
      const given = expectShape(x, program.inputs[0].shape, 'x');
      const { v } = await pool.run(program, { x: given.data, features, skip }, callOptions);
      return array(program.outputs[0].shape, v);
    },
    ...(draft === undefined
      ? {
          async reuse(x, features, skip, old, callOptions = {}) {
            const { full, shallow } = halvesFor(x);
            const feeds = { x: expectShape(x, full.inputs[0].shape, 'x').data, features, skip };
            const { v, deep = old! } = await (old === undefined
              ? pool.run(full, feeds, callOptions)
              : pool.run(shallow, { ...feeds, deep: old }, callOptions));
            return { v: array(full.outputs[0].shape, v), deep };
          },
        }
      : {}),
    load(others) {
      current = checkedParameters(architecture, others).slice();
      if (draft !== undefined) programs.clear(); // a draft holds the weights it was made of
      pool.share({ parameters: current });
    },
    dispose: () => pool.dispose(),
  };
}
