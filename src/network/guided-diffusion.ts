/** @file  The U-Net of the guided-diffusion family, for evaluation with weights that others trained, under their names.
 *
 *    Conv;  at each level: `blocks` × (Res, attention where there is one) → stack;  ↓2 → stack
 *    Res, attention, Res
 *    at each level, coarsest first: (blocks + 1) × (concat(h, stack.pop()) → Res, attention);  ↑2
 *    GroupNorm → SiLU → Conv
 *
 *  Dhariwal & Nichol 2021, arXiv:2105.05233; Nichol & Dhariwal 2021, arXiv:2102.09672. ↓2 and ↑2 stay within the plane: the 3D networks of
 *  this family convolve in three dimensions over a pyramid in two. The denoiser of Yu et al. 2025, doi:10.1007/s00259-025-07122-4, is one of
 *  them, with a decoder of its own (`hybrid`). In 2D all kernels have one plane. What the layers are is told by `Layers`: nodes of a graph
 *  (guided-layers.ts), or stages that go through a large volume slab by slab (guided-stages.ts). */
import type { Shape3 } from '../core/array.js';
import { ModelError } from '../core/errors.js';
import type { AttentionOrder } from './attention.js';

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

/** What happens to the plane: the mean of each 2 × 2, or every voxel becoming 2 × 2. */
export type Move = 'stay' | 'halve' | 'double';

/** What the network is made of; M stands for a map of channels over the volume. */
export interface Layers<M> {
  width(map: M): number;
  /** Conv 3, after the move; with 'halve' in its stride. */
  conv(name: string, x: M, width: number, move: Move): M;
  /** Res of the maps joined along the channels. */
  residual(name: string, parts: readonly M[], width: number, move: Move): M;
  attention(name: string, x: M): M;
  move(x: M, move: Move): M;
  /** GroupNorm → SiLU → Conv 3, under the names out.0 and out.2. */
  head(x: M, width: number): M;
}

/** [cos(t f_0) …, sin(t f_0) …], f_k = 10000^(−k/K), k = 0 … K − 1. @param count 2K: `features` of the network. */
export function timestepFeatures(t: number, count: number): Float32Array {
  const K = count / 2;
  const f = Array.from({ length: K }, (_, k) => Math.fround(Math.exp((-Math.log(10000) * k) / K)));
  return Float32Array.from({ length: count }, (_, i) => (i < K ? Math.cos(t * f[i]) : Math.sin(t * f[i - K])));
}

/** The network, from its input to its output. */
export function guidedDiffusion<M>(architecture: GuidedDiffusion, x: M, layers: Layers<M>): M {
  const { outputChannels, widths, blocks, resampling, decoder, attention } = architecture;
  const attends = (level: number): boolean => attention.levels.includes(level);
  const resampled = (name: string, map: M, move: Move): M => {
    if (resampling === 'residual') return layers.residual(name, [map], layers.width(map), move);
    const suffix = move === 'halve' ? 'op' : 'conv';
    return resampling === 'convolution' ? layers.conv(`${name}.${suffix}`, map, layers.width(map), move) : layers.move(map, move);
  };

  let h = layers.conv('input_blocks.0.0', x, widths[0], 'stay');
  const stack = [h];
  let block = 1;
  widths.forEach((width, level) => {
    for (let i = 0; i < blocks; i++, block++) {
      h = layers.residual(`input_blocks.${block}.0`, [h], width, 'stay');
      if (attends(level)) h = layers.attention(`input_blocks.${block}.1`, h);
      stack.push(h);
    }
    if (level < widths.length - 1) stack.push((h = resampled(`input_blocks.${block++}.0`, h, 'halve')));
  });
  h = layers.residual('middle_block.0', [h], layers.width(h), 'stay');
  if (attention.middle) h = layers.attention('middle_block.1', h);
  h = layers.residual(`middle_block.${attention.middle ? 2 : 1}`, [h], layers.width(h), 'stay');
  block = 0;
  for (let level = widths.length - 1; level >= 0; level--) {
    for (let i = 0; i <= blocks; i++, block++) {
      const skip = stack.pop()!;
      const width = decoder === 'standard' ? widths[level] : layers.width(stack.at(-1) ?? skip);
      h = layers.residual(`output_blocks.${block}.0`, [h, skip], width, 'stay');
      if (attends(level)) h = layers.attention(`output_blocks.${block}.1`, h);
      if (level > 0 && i === blocks) h = resampled(`output_blocks.${block}.${attends(level) ? 2 : 1}`, h, 'double');
    }
  }
  return layers.head(h, outputChannels);
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
  const flat = architecture.dimensions === 2;
  const [d, ...plane] = patch;
  const whole = (n: number): boolean => Number.isInteger(n) && n > 0;
  if (patch.length !== 3 || !whole(d) || (flat && d !== 1) || !plane.every((n) => whole(n) && n % multiple === 0)) {
    throw new ModelError('Patch does not fit the network', {
      key: 'patch',
      expected: `${flat ? '1 plane' : 'any number of planes'}, height and width multiples of ${multiple}`,
      found: [...patch],
    });
  }
  return patch;
}
