/** @file  Self-attention over all voxels:  a = v softmax( qᵀ k / √c )ᵀ  for each head of c channels.
 *  Vaswani et al. 2017, arXiv:1706.03762, as in Dhariwal & Nichol 2021, arXiv:2105.05233. */
import { ModelError } from '../core/errors.js';
import type { Var } from './graph.js';
import { matmul, reshape, scale, slice, softmax, transpose } from './ops.js';

/** head-first: channels are [head][q k v][c]. kind-first: [q k v][head][c]. */
export type AttentionOrder = 'head-first' | 'kind-first';

/**
 * @param qkv [N, 3C, T]. @param headChannels c, a divisor of C.
 * @returns [N, C, T].
 * @throws ModelError when the heads do not divide the channels.
 */
export function attention(qkv: Var, headChannels: number, order: AttentionOrder = 'head-first'): Var {
  const [n, all, length] = qkv.shape;
  const channels = all / 3;
  const heads = channels / headChannels;
  if (!Number.isInteger(heads)) {
    throw new ModelError('Channels of an attention head', {
      key: 'headChannels',
      expected: `a divisor of ${channels}`,
      found: headChannels,
    });
  }
  const part = (i: number): Var =>
    order === 'head-first'
      ? slice(reshape(qkv, [n * heads, 3 * headChannels, length]), 1, i * headChannels, headChannels)
      : reshape(slice(qkv, 1, i * channels, channels), [n * heads, headChannels, length]);
  // Queries and keys are each scaled by the fourth root, which keeps the products small in half precision.
  const [q, k] = [0, 1].map((i) => scale(part(i), headChannels ** -0.25));
  const weights = softmax(matmul(transpose(q, [0, 2, 1]), k));
  const mixed = matmul(part(2), transpose(weights, [0, 2, 1]));
  return reshape(mixed, [n, channels, length]);
}
