/** @file  The 3D U-Net, described once: evaluate, train and external-gradient graphs and the list of parameters all come from here.
 *
 *    volumes → fold 2×2×2 → Conv 3³
 *    down, at each level:   block → skip;  fold 2×2×2 → Conv 1³
 *    up, at each level:     Conv 1³ → nearest ×2;  concat skip → block
 *    GroupNorm → SiLU → Conv 3³ (starts at zero) → unfold = F;   v = F − skip · c,  c the second volume
 *
 *    block(x, e) = S x + Conv( SiLU( GroupNorm( Conv( SiLU( GroupNorm(x) ) ) + W e ) ) ),  S a Conv 1³ where the width changes
 *    e = SiLU(W₂ SiLU(W₁ features))
 *
 *  After Ronneberger et al. 2015, arXiv:1505.04597, with the residual blocks of Ho et al. 2020, arXiv:2006.11239; no attention. Folding
 *  the volume into channels first makes a pass about three times cheaper. */
import type { Shape3 } from '../core/array.js';
import { ModelError } from '../core/errors.js';
import { conv3d } from './conv3d.js';
import type { Var } from './graph.js';
import { groupNorm } from './group-norm.js';
import { add, concat, fold, matmul, mul, reshape, silu, slice, sub, unfold, upsample } from './ops.js';

/** What a model card says about its network. */
export interface Architecture {
  readonly kind: 'unet3d';
  /** Input volumes: the noisy one, the condition, and any further ones. At least 2. */
  readonly inputChannels: number;
  /** Edge of the blocks of voxels that become channels before the first convolution. */
  readonly fold: 2;
  /** Width of each level, finest first; every one a multiple of `groups`. */
  readonly channels: readonly number[];
  /** Length of the embedding of time and presence. */
  readonly embedding: number;
  /** Length of `timeFeatures`; odd. */
  readonly features: number;
  /** Groups of every normalisation. */
  readonly groups: number;
}

/** How a parameter starts: normal deviates of a standard deviation, or one value. */
export type Start = { readonly deviation: number } | { readonly value: number };
/** Gives the parameter of that name to the network that asks for it. */
export type ParameterSource = (name: string, shape: readonly number[], start: Start) => Var;
export interface UnetInputs {
  /** [N, inputChannels, D, H, W]: x_t, condition c times its presence flag, … */
  readonly x: Var;
  /** [N, features] from `timeFeatures`. */
  readonly features: Var;
  /** [N, 1, 1, 1, 1]: the weight of the condition's skip, e.g. σ_t times the presence flag. */
  readonly skip: Var;
}

/**
 * Emits the network.
 * @returns v, [N, 1, D, H, W].
 */
export function unet(
  { channels, embedding, groups }: Architecture,
  { x, features, skip }: UnetInputs,
  parameter: ParameterSource,
): Var {
  const fan = (inputs: number): Start => ({ deviation: Math.sqrt(1 / inputs) });
  const conv = (name: string, x: Var, width: number, kernel: 1 | 3, start: Start = fan(kernel ** 3 * x.shape[1])): Var =>
    conv3d(
      x,
      parameter(`${name}.weight`, [width, x.shape[1], kernel, kernel, kernel], start),
      parameter(`${name}.bias`, [width], { value: 0 }),
    );
  const linear = (name: string, x: Var, width: number): Var =>
    add(
      matmul(x, parameter(`${name}.weight`, [x.shape[1], width], fan(x.shape[1]))),
      parameter(`${name}.bias`, [width], { value: 0 }),
    );
  const activated = (name: string, x: Var): Var => {
    const shape = [x.shape[1]];
    return silu(
      groupNorm(x, parameter(`${name}.gamma`, shape, { value: 1 }), parameter(`${name}.beta`, shape, { value: 0 }), groups),
    );
  };
  const e = silu(linear('time2', silu(linear('time1', features, embedding)), embedding));
  const block = (name: string, x: Var, width: number): Var => {
    const shift = reshape(linear(`${name}.time`, e, width), [x.shape[0], width, 1, 1, 1]);
    const h = add(conv(`${name}.conv1`, activated(`${name}.norm1`, x), width, 3), shift);
    const residual = conv(`${name}.conv2`, activated(`${name}.norm2`, h), width, 3);
    return add(x.shape[1] === width ? x : conv(`${name}.skip`, x, width, 1), residual);
  };

  let h = conv('stem', fold(x), channels[0], 3);
  const skips: Var[] = [];
  channels.forEach((width, level) => {
    if (level > 0) h = conv(`down${level}`, fold(h), width, 1);
    h = block(`encoder${level}`, h, width);
    skips.push(h);
  });
  for (let level = channels.length - 2; level >= 0; level--) {
    // The convolution before the repetition: the same numbers as after it, for an eighth of the work.
    h = upsample(conv(`up${level}`, h, channels[level], 1));
    h = block(`decoder${level}`, concat([h, skips[level]], 1), channels[level]);
  }
  const F = unfold(conv('head', activated('head.norm', h), 8, 3, { value: 0 }));
  return sub(F, mul(slice(x, 1, 1, 1), skip));
}

/** Every edge of a patch is a multiple of this. */
export function patchMultiple({ fold, channels }: Architecture): number {
  return fold * 2 ** (channels.length - 1);
}

/**
 * The architecture itself.
 * @throws ModelError when no network can be made from it.
 */
export function checkedArchitecture(architecture: Architecture): Architecture {
  const { kind, inputChannels, fold, channels, embedding, features, groups } = architecture;
  const positive = (n: number): boolean => Number.isInteger(n) && n > 0;
  const demand = (fine: boolean, key: string, expected: string, found: unknown): void => {
    if (!fine) throw new ModelError('Network architecture', { key, expected, found });
  };
  demand(kind === 'unet3d', 'kind', 'unet3d', kind);
  demand(positive(inputChannels) && inputChannels >= 2, 'inputChannels', 'an integer of at least 2', inputChannels);
  demand(fold === 2, 'fold', '2', fold);
  demand(positive(groups), 'groups', 'a positive integer', groups);
  demand(
    channels.length > 0 && channels.every((width) => positive(width) && width % groups === 0),
    'channels',
    `one or more multiples of groups = ${groups}`,
    [...channels],
  );
  demand(positive(embedding), 'embedding', 'a positive integer', embedding);
  demand(positive(features) && features % 2 === 1, 'features', 'an odd positive integer', features);
  return architecture;
}

/**
 * The patch itself.
 * @throws ModelError when an edge is not a multiple of `patchMultiple`.
 */
export function checkedPatch(architecture: Architecture, patch: Shape3): Shape3 {
  const multiple = patchMultiple(architecture);
  if (patch.length !== 3 || !patch.every((n) => Number.isInteger(n) && n > 0 && n % multiple === 0)) {
    throw new ModelError('Patch does not fit the network', {
      key: 'patch',
      expected: `three positive multiples of ${multiple}`,
      found: [...patch],
      hint: 'Pad the volume, or choose another patch.',
    });
  }
  return patch;
}
