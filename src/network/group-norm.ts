/** @file  Group normalisation, Wu & He 2018, arXiv:1803.08494:  y = γ_c x̂ + β_c,  x̂ = (x − mean) r,  r = 1/√(variance + ε),
 *  mean and variance over each sample's group of channels. One LayerNormalization gives x̂ and the r that the backward pass needs:
 *
 *    per (n, c):      S = Σ g       T = Σ g x̂
 *    dβ_c = Σ_n S     dγ_c = Σ_n T      (no Σ_n where each sample has its own γ and β)
 *    per (n, group):  m₁ = (1/L) Σ_c γ_c S     m₂ = (1/L) Σ_c γ_c T
 *    dx = g (γ_c r) − x̂ (m₂ r) − m₁ r */
import { ModelError } from '../core/errors.js';
import { emit, emitMany, ints, ones, record, type Var } from './graph.js';
import { add, mul, reduceSum, reshape, scale, sub } from './ops.js';

const epsilon = 1e-5;
const grid: readonly number[] = [2, 3, 4];

/**
 * @param x [N, C, D, H, W]. @param gamma, beta [C], or [N, C] each sample its own (FiLM).
 * @throws ModelError when the groups do not divide the channels.
 */
export function groupNorm(x: Var, gamma: Var, beta: Var, groups: number): Var {
  const [n, c, d, h, w] = x.shape;
  if (c % groups !== 0)
    throw new ModelError('Groups do not divide the channels', { key: 'groups', expected: `a divisor of ${c}`, found: groups });
  const length = (c / groups) * d * h * w;
  const rows = emit('Reshape', [x, ints(x.graph, [n * groups, length])], [n * groups, length]);
  const [normal, , r] = emitMany(
    'LayerNormalization',
    [rows, ones(x.graph, length)],
    [rows.shape, [n * groups, 1], [n * groups, 1]],
    { axis: { int: -1 }, epsilon: { float: epsilon }, stash_type: { int: 1 } },
  );
  const xhat = emit('Reshape', [normal, ints(x.graph, x.shape)], x.shape);
  const perChannel = (v: Var): Var => reshape(v, [v.shape.length === 1 ? 1 : n, c, 1, 1, 1]);
  /** Of [N, C, 1, 1, 1], in the shape of γ or β. */
  const likeAffine = (v: Var, { shape }: Var): Var => reshape(shape.length === 1 ? reduceSum(v, [0]) : v, shape);
  const y = emit('Add', [emit('Mul', [xhat, perChannel(gamma)], x.shape), perChannel(beta)], x.shape);

  const S = once((g) => reduceSum(g, grid)); // [N, C, 1, 1, 1]
  const T = once((g) => reduceSum(mul(g, xhat), grid));
  const toChannels = (v: Var): Var => {
    const spread = [n, groups, c / groups];
    return reshape(emit('Expand', [reshape(v, [n, groups, 1]), ints(x.graph, spread)], spread), [n, c, 1, 1, 1]);
  };
  /** (r/L) Σ_c γ_c v of each group, given back to its channels. */
  const groupMean = (v: Var): Var => {
    const sum = reduceSum(reshape(mul(v, perChannel(gamma)), [n, groups, c / groups]), [2]);
    return toChannels(mul(reshape(scale(sum, 1 / length), [n * groups, 1]), r));
  };
  return record(
    y,
    [x, gamma, beta],
    [
      (g) => sub(mul(g, mul(perChannel(gamma), toChannels(r))), add(mul(xhat, groupMean(T(g))), groupMean(S(g)))),
      (g) => likeAffine(T(g), gamma),
      (g) => likeAffine(S(g), beta),
    ],
  );
}

/** The three products of one node share their sums. */
function once(make: (g: Var) => Var): (g: Var) => Var {
  const made = new Map<string, Var>();
  return (g) => {
    const value = made.get(g.name) ?? make(g);
    made.set(g.name, value);
    return value;
  };
}
