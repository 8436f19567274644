/** @file  The U-Net of the guided-diffusion family, for evaluation with weights that others trained, under their names.
 *
 *    e = W₂ SiLU(W₁ [cos(t f_k) …, sin(t f_k) …])
 *    Conv;  at each level: `blocks` × (Res, attention where there is one) → stack;  ↓2 → stack
 *    Res, attention, Res
 *    at each level, coarsest first: (blocks + 1) × (concat(h, stack.pop()) → Res, attention);  ↑2
 *    GroupNorm → SiLU → Conv
 *
 *    Res(x) = S x̃ + Conv( SiLU( N( Conv( SiLU(GroupNorm(x))~ ), e ) ) ),  ~ resampled where the block does that, S a Conv 1 where the width changes
 *    N(h, e) = GroupNorm(h) (1 + s) + b,  [s, b] = W SiLU(e)  (FiLM);   or GroupNorm(h + W SiLU(e))
 *
 *  Dhariwal & Nichol 2021, arXiv:2105.05233; Nichol & Dhariwal 2021, arXiv:2102.09672. ↓2 and ↑2 stay within the plane: the 3D networks of
 *  this family convolve in three dimensions over a pyramid in two. The denoiser of Yu et al. 2025, doi:10.1007/s00259-025-07122-4, is one of
 *  them, with a decoder of its own (`hybrid`). In 2D all kernels have one plane. Groups of 32, ε = 1e-5. */
import type { Shape3 } from '../core/array.js';
import { ModelError } from '../core/errors.js';
import { type AttentionOrder, attention } from './attention.js';
import { emit, ints, scalar, type Var } from './graph.js';
import { add, concat, gemm, mul, reshape, silu, slice } from './ops.js';

/** What a model card says about such a network. */
export interface GuidedDiffusion {
  readonly kind: 'guided-diffusion';
  readonly dimensions: 2 | 3;
  readonly inputChannels: number;
  readonly outputChannels: number;
  /** Length of the features of time; a fourth of the embedding. */
  readonly features: number;
  /** Width of each level, finest first. */
  readonly widths: readonly number[];
  /** Residual blocks at each level of the encoder; the decoder has one more. */
  readonly blocks: number;
  /** The embedding scales and shifts what was normalised, instead of being added before. */
  readonly film: boolean;
  /** What halves and doubles the plane. */
  readonly resampling: 'residual' | 'convolution' | 'pooling';
  /** standard: a decoder block has the width of its level. hybrid: the width of the next skip. */
  readonly decoder: 'standard' | 'hybrid';
  /** Levels, 0 the finest, that have attention, and whether the middle has. */
  readonly attention: { readonly levels: readonly number[]; readonly middle: boolean };
  /** Channels of an attention head; not to be seen in the weights. */
  readonly headChannels?: number | undefined;
  /** How queries, keys and values of the heads are ordered; not to be seen in the weights. @default 'head-first' */
  readonly headOrder?: AttentionOrder | undefined;
}

/** Gives the parameter of that name and shape to the network that asks for it. */
export type WeightSource = (name: string, shape: readonly number[]) => Var;

const groups = 32;
const epsilon = 1e-5;

/** [cos(t f_0) …, sin(t f_0) …], f_k = 10000^(−k/K), k = 0 … K − 1. @param count 2K: `features` of the network. */
export function timestepFeatures(t: number, count: number): Float32Array {
  const K = count / 2;
  const f = Array.from({ length: K }, (_, k) => Math.fround(Math.exp((-Math.log(10000) * k) / K)));
  return Float32Array.from({ length: count }, (_, i) => (i < K ? Math.cos(t * f[i]) : Math.sin(t * f[i - K])));
}

/**
 * Emits the network.
 * @param x [N, inputChannels, D, H, W], D = 1 in 2D. @param time [N, features] from `timestepFeatures`.
 * @returns [N, outputChannels, D, H, W].
 */
export function guidedDiffusion(architecture: GuidedDiffusion, x: Var, time: Var, weight: WeightSource): Var {
  const { dimensions, outputChannels, features, widths, blocks, film, resampling, decoder } = architecture;
  const embedding = 4 * features;

  const conv = (name: string, x: Var, width: number, kernel: 1 | 3 = 3, stride: 1 | 2 = 1): Var => {
    const [n, ci, d, h, w] = x.shape;
    const spread = Array<number>(dimensions).fill(kernel);
    const deep = [...Array<number>(3 - dimensions).fill(1), ...spread];
    const pads = deep.map((k) => (k - 1) / 2);
    const kernels = reshape(weight(`${name}.weight`, [width, ci, ...spread]), [width, ci, ...deep]);
    return emit('Conv', [x, kernels, weight(`${name}.bias`, [width])], [n, width, d, h / stride, w / stride], {
      kernel_shape: { ints: deep },
      pads: { ints: [...pads, ...pads] },
      strides: { ints: [1, stride, stride] },
    });
  };
  const linear = (name: string, x: Var, width: number): Var =>
    add(gemm(x, weight(`${name}.weight`, [width, x.shape[1]]), { transB: true }), weight(`${name}.bias`, [width]));
  const affine = (name: string, width: number): [gamma: Var, beta: Var] => [
    weight(`${name}.weight`, [width]),
    weight(`${name}.bias`, [width]),
  ];
  const activated = (name: string, x: Var): Var => silu(groupNorm(x, ...affine(name, x.shape[1])));

  const e = linear('time_embed.2', silu(linear('time_embed.0', time, embedding)), embedding);
  const told = silu(e);
  const residual = (name: string, x: Var, width: number, resampled: (v: Var) => Var = (v) => v): Var => {
    const n = x.shape[0];
    const first = conv(`${name}.in_layers.2`, resampled(activated(`${name}.in_layers.0`, x)), width);
    const modulation = linear(`${name}.emb_layers.1`, told, film ? 2 * width : width);
    let h: Var;
    if (film) {
      const [gamma, beta] = affine(`${name}.out_layers.0`, width);
      const factor = add(slice(modulation, 1, 0, width), scalar(x.graph, 1));
      h = silu(groupNorm(first, mul(factor, gamma), add(mul(factor, beta), slice(modulation, 1, width, width))));
    } else {
      h = activated(`${name}.out_layers.0`, add(first, reshape(modulation, [n, width, 1, 1, 1])));
    }
    const skip = resampled(x);
    const residue = conv(`${name}.out_layers.3`, h, width);
    return add(x.shape[1] === width ? skip : conv(`${name}.skip_connection`, skip, width, 1), residue);
  };
  const attend = (name: string, x: Var): Var => {
    const [n, c, d, h, w] = x.shape;
    const { headChannels, headOrder } = architecture;
    const rows = reshape(groupNorm(x, ...affine(`${name}.norm`, c)), [n, c, d * h * w]);
    const pointwise = (part: string, v: Var, width: number): Var =>
      add(
        emit('MatMul', [reshape(weight(`${name}.${part}.weight`, [width, c, 1]), [width, c]), v], [n, width, d * h * w]),
        reshape(weight(`${name}.${part}.bias`, [width]), [width, 1]),
      );
    const mixed = attention(pointwise('qkv', rows, 3 * c), headChannels ?? c, headOrder);
    return add(x, reshape(pointwise('proj_out', mixed, c), x.shape));
  };
  const down = (name: string, x: Var): Var => {
    if (resampling === 'residual') return residual(`${name}.0`, x, x.shape[1], halved);
    return resampling === 'convolution' ? conv(`${name}.0.op`, x, x.shape[1], 3, 2) : halved(x);
  };
  const up = (name: string, x: Var): Var => {
    if (resampling === 'residual') return residual(name, x, x.shape[1], doubled);
    return resampling === 'convolution' ? conv(`${name}.conv`, doubled(x), x.shape[1]) : doubled(x);
  };
  const attends = (level: number): boolean => architecture.attention.levels.includes(level);

  let h = conv('input_blocks.0.0', x, widths[0]);
  const stack = [h];
  let block = 1;
  widths.forEach((width, level) => {
    for (let i = 0; i < blocks; i++, block++) {
      h = residual(`input_blocks.${block}.0`, h, width);
      if (attends(level)) h = attend(`input_blocks.${block}.1`, h);
      stack.push(h);
    }
    if (level < widths.length - 1) stack.push((h = down(`input_blocks.${block++}`, h)));
  });
  h = residual('middle_block.0', h, h.shape[1]);
  if (architecture.attention.middle) h = attend('middle_block.1', h);
  h = residual(`middle_block.${architecture.attention.middle ? 2 : 1}`, h, h.shape[1]);
  block = 0;
  for (let level = widths.length - 1; level >= 0; level--) {
    for (let i = 0; i <= blocks; i++, block++) {
      const skip = stack.pop()!;
      const width = decoder === 'standard' ? widths[level] : (stack.at(-1) ?? skip).shape[1];
      h = residual(`output_blocks.${block}.0`, concat([h, skip], 1), width);
      if (attends(level)) h = attend(`output_blocks.${block}.1`, h);
      if (level > 0 && i === blocks) h = up(`output_blocks.${block}.${attends(level) ? 2 : 1}`, h);
    }
  }
  return conv('out.2', activated('out.0', h), outputChannels);
}

/** Per group of channels to mean 0 and variance 1, then γ x̂ + β. @param gamma, beta [C], or [N, C] each sample its own. */
function groupNorm(x: Var, gamma: Var, beta: Var): Var {
  const [n, c, ...grid] = x.shape;
  if (c % groups !== 0) throw new ModelError('Width of a normalised layer', { expected: `a multiple of ${groups}`, found: c });
  const rows = reshape(x, [n, groups, (c / groups) * grid.reduce((a, b) => a * b, 1)]);
  const one = emit('Expand', [scalar(x.graph, 1), ints(x.graph, [groups])], [groups]);
  const zero = emit('Expand', [scalar(x.graph, 0), ints(x.graph, [groups])], [groups]);
  const normal = emit('InstanceNormalization', [rows, one, zero], rows.shape, { epsilon: { float: epsilon } });
  const perChannel = (v: Var): Var => reshape(v, [v.shape.length === 1 ? 1 : n, c, 1, 1, 1]);
  return add(mul(reshape(normal, x.shape), perChannel(gamma)), perChannel(beta));
}

/** Mean of each 2 × 2 within the plane. */
function halved(x: Var): Var {
  const [n, c, d, h, w] = x.shape;
  return emit('AveragePool', [x], [n, c, d, h / 2, w / 2], { kernel_shape: { ints: [1, 2, 2] }, strides: { ints: [1, 2, 2] } });
}

/** Each voxel becomes 2 × 2 within the plane. */
function doubled(x: Var): Var {
  const [n, c, d, h, w] = x.shape;
  const seeds = reshape(x, [n * c * d, h, 1, w, 1]);
  const spread = [n * c * d, h, 2, w, 2];
  return reshape(emit('Expand', [seeds, ints(x.graph, spread)], spread), [n, c, d, 2 * h, 2 * w]);
}

/** Height and width of a patch are multiples of this; its depth is free in 3D, 1 in 2D. */
export function planeMultiple({ widths }: GuidedDiffusion): number {
  return 2 ** (widths.length - 1);
}

/**
 * The patch itself.
 * @throws ModelError when the network cannot take it.
 */
export function checkedGuidedPatch(architecture: GuidedDiffusion, patch: Shape3): Shape3 {
  const multiple = planeMultiple(architecture);
  const [d, ...plane] = patch;
  const whole = (n: number): boolean => Number.isInteger(n) && n > 0;
  if (
    patch.length !== 3 ||
    !whole(d) ||
    (architecture.dimensions === 2 && d !== 1) ||
    !plane.every((n) => whole(n) && n % multiple === 0)
  ) {
    throw new ModelError('Patch does not fit the network', {
      key: 'patch',
      expected: `${architecture.dimensions === 2 ? '1 plane' : 'any number of planes'}, height and width multiples of ${multiple}`,
      found: [...patch],
    });
  }
  return patch;
}
