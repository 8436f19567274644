/** @file  The layers of guided-diffusion networks as nodes of a graph:
 *
 *    e = SiLU( W₂ SiLU(W₁ [cos(t f_k) …, sin(t f_k) …]) )
 *    Res(x) = S x̃ + Conv( SiLU( N( Conv( SiLU(GroupNorm(x))~ ), e ) ) ),  ~ moved where the block does that, S a Conv 1 where the width changes
 *    N(h, e) = GroupNorm(h) (1 + s) + b,  [s, b] = W e  (FiLM);   or GroupNorm(h + W e)
 *
 *  Groups of 32, ε = 1e-5. For evaluation: the normalisation has no gradient, and no constants of the size of the volume. */
import { ModelError } from '../core/errors.js';
import { attention } from './attention.js';
import { conv3d } from './conv3d.js';
import { emit, ints, scalar, type Var } from './graph.js';
import type { GuidedDiffusion, Layers, Move } from './guided-diffusion.js';
import { add, concat, gemm, mul, reshape, silu, slice } from './ops.js';
import { averagePool, upsample } from './resampling.js';

/** Gives the parameter of that name and shape to the network that asks for it. */
export type WeightSource = (name: string, shape: readonly number[]) => Var;

export const groups = 32;
export const epsilon = 1e-5;

/** @param time [N, features] from `timestepFeatures`. Maps are [N, C, D, H, W], D = 1 in 2D. */
export function graphLayers(architecture: GuidedDiffusion, time: Var, weight: WeightSource): Layers<Var> {
  const { film, headChannels, headOrder } = architecture;
  const told = embedded(architecture, time, weight);
  const conv = (name: string, x: Var, width: number, kernel: 1 | 3 = 3, stride: 1 | 2 = 1): Var =>
    convolution(architecture, name, x, width, weight, { kernel, stride });
  const affine = (name: string, width: number): [gamma: Var, beta: Var] => [
    weight(`${name}.weight`, [width]),
    weight(`${name}.bias`, [width]),
  ];
  const activated = (name: string, x: Var): Var => silu(groupNorm(x, ...affine(name, x.shape[1])));
  return {
    width: ({ shape }) => shape[1],
    conv: (name, x, width, move) => (move === 'halve' ? conv(name, x, width, 3, 2) : conv(name, moved(x, move), width)),
    residual(name, parts, width, move) {
      const x = parts.length === 1 ? parts[0] : concat(parts, 1);
      const first = conv(`${name}.in_layers.2`, moved(activated(`${name}.in_layers.0`, x), move), width);
      const modulation = linear(`${name}.emb_layers.1`, told, film ? 2 * width : width, weight);
      let h: Var;
      if (film) {
        const [gamma, beta] = affine(`${name}.out_layers.0`, width);
        const factor = add(slice(modulation, 1, 0, width), scalar(x.graph, 1));
        h = silu(groupNorm(first, mul(factor, gamma), add(mul(factor, beta), slice(modulation, 1, width, width))));
      } else {
        h = activated(`${name}.out_layers.0`, add(first, reshape(modulation, [x.shape[0], width, 1, 1, 1])));
      }
      const skip = moved(x, move);
      const residue = conv(`${name}.out_layers.3`, h, width);
      return add(x.shape[1] === width ? skip : conv(`${name}.skip_connection`, skip, width, 1), residue);
    },
    attention(name, x) {
      const [n, c, d, h, w] = x.shape;
      const rows = reshape(groupNorm(x, ...affine(`${name}.norm`, c)), [n, c, d * h * w]);
      const pointwise = (part: string, v: Var, width: number): Var =>
        add(
          emit('MatMul', [reshape(weight(`${name}.${part}.weight`, [width, c, 1]), [width, c]), v], [n, width, d * h * w]),
          reshape(weight(`${name}.${part}.bias`, [width]), [width, 1]),
        );
      const mixed = attention(pointwise('qkv', rows, 3 * c), headChannels ?? c, headOrder);
      return add(x, reshape(pointwise('proj_out', mixed, c), x.shape));
    },
    move: moved,
    head: (x, width) => conv('out.2', activated('out.0', x), width),
  };
}

/** SiLU of the embedding of time, [N, 4 features]: what every block is told. */
export function embedded({ features }: GuidedDiffusion, time: Var, weight: WeightSource): Var {
  const first = silu(linear('time_embed.0', time, 4 * features, weight));
  return silu(linear('time_embed.2', first, 4 * features, weight));
}

export function linear(name: string, x: Var, width: number, weight: WeightSource): Var {
  return add(gemm(x, weight(`${name}.weight`, [width, x.shape[1]]), { transB: true }), weight(`${name}.bias`, [width]));
}

/** A convolution by its name; in 2D its kernel has one plane. */
export function convolution(
  { dimensions }: GuidedDiffusion,
  name: string,
  x: Var,
  width: number,
  weight: WeightSource,
  { kernel = 3, stride = 1 }: { readonly kernel?: 1 | 3; readonly stride?: 1 | 2 } = {},
): Var {
  const edges = Array<number>(dimensions).fill(kernel);
  const flat = weight(`${name}.weight`, [width, x.shape[1], ...edges]);
  const kernels = dimensions === 3 ? flat : reshape(flat, [width, x.shape[1], 1, ...edges]);
  return conv3d(x, kernels, weight(`${name}.bias`, [width]), [1, stride, stride]);
}

export function moved(x: Var, move: Move): Var {
  if (move === 'stay') return x;
  return move === 'halve' ? averagePool(x, [1, 2, 2]) : upsample(x, [1, 2, 2]);
}

/** Per group of channels to mean 0 and variance 1, then γ x̂ + β. @param gamma, beta [C], or [N, C] each sample its own. */
function groupNorm(x: Var, gamma: Var, beta: Var): Var {
  const [n, c, ...grid] = x.shape;
  if (c % groups !== 0) throw new ModelError('Width of a normalised layer', { expected: `a multiple of ${groups}`, found: c });
  const rows = reshape(x, [n, groups, (c / groups) * grid.reduce((a, b) => a * b, 1)]);
  const [one, zero] = [1, 0].map((value) => emit('Expand', [scalar(x.graph, value), ints(x.graph, [groups])], [groups]));
  const normal = emit('InstanceNormalization', [rows, one, zero], rows.shape, { epsilon: { float: epsilon } });
  const perChannel = (v: Var): Var => reshape(v, [v.shape.length === 1 ? 1 : n, c, 1, 1, 1]);
  return add(mul(reshape(normal, x.shape), perChannel(gamma)), perChannel(beta));
}
