/** @file  Losses: one number, shape [], from a prediction a and a target b. Target and weight get no gradient. */
import { size } from '../core/array.js';
import { emit, record, scalar, type Var } from './graph.js';
import { mul, scale } from './ops.js';

/** Weighted mean squared error, shape []:  L = (1/n) Σ w (a − b)²,  da = (2/n) w (a − b).
 *  @param weight broadcast against a; b and weight get no gradient. @default 1 */
export function meanSquaredError(a: Var, b: Var, weight?: Var): Var {
  const n = size(a.shape);
  const difference = emit('Sub', [a, b], a.shape);
  const weighted = weight === undefined ? difference : emit('Mul', [difference, weight], a.shape);
  const total = emit('ReduceSum', [emit('Mul', [difference, weighted], a.shape)], [], { keepdims: { int: 0 } });
  const loss = emit('Mul', [total, scalar(a.graph, 1 / n)], []);
  return record(loss, [a], [(g) => mul(weighted, scale(g, 2 / n))]);
}

/** Mean absolute error:  L = (1/n) Σ w |a − b|,  da = (w/n) sign(a − b), 0 where they are equal.
 *  @param weight broadcast against a. @default 1 */
export function meanAbsoluteError(a: Var, b: Var, weight?: Var): Var {
  const n = size(a.shape);
  const difference = emit('Sub', [a, b], a.shape);
  const weighted = (v: Var): Var => (weight === undefined ? v : emit('Mul', [v, weight], a.shape));
  const total = emit('ReduceSum', [weighted(emit('Abs', [difference], a.shape))], [], { keepdims: { int: 0 } });
  const loss = emit('Mul', [total, scalar(a.graph, 1 / n)], []);
  return record(loss, [a], [(g) => mul(weighted(emit('Sign', [difference], a.shape)), scale(g, 1 / n))]);
}
