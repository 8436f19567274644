/** @file  The 3D U-Net, described once: evaluate, train and external-gradient graphs and the list of parameters all come from here.
 *
 *    volumes → fold 2×2×2 → Conv 3³
 *    down, at each level:   block → skip;  fold 2×2×2 → Conv 1³
 *    up, at each level:     Conv 1³ → nearest ×2;  concat skip → block
 *    GroupNorm → SiLU → Conv 3³ (starts at zero) → unfold = F;   v = F − skip · c,  c the second volume
 *
 *    block(x, e) = S x + Conv( SiLU( N( Conv( SiLU( GroupNorm(x) ) ), e ) ) ),  S a Conv 1³ where the width changes
 *    N(h, e) = GroupNorm(h + W e), or with `film` GroupNorm(h) (1 + W₁ e) + W₂ e
 *    e = SiLU(W₂ SiLU(W₁ features))
 *
 *  After Ronneberger et al. 2015, arXiv:1505.04597, with the residual blocks of Ho et al. 2020, arXiv:2006.11239, and the feature-wise
 *  modulation (FiLM) of Perez et al. 2018, arXiv:1709.07871; no attention. Folding the volume into channels first makes a pass about
 *  three times cheaper. */
import { type Shape3, size } from '../core/array.js';
import { ModelError } from '../core/errors.js';
import { conv3d } from './conv3d.js';
import { type Knowledge, knowledgeLength, meanFlag } from './features.js';
import { scalar, type Var } from './graph.js';
import { groupNorm } from './group-norm.js';
import { add, concat, matmul, mul, reshape, scale, silu, slice, sub } from './ops.js';
import { type Block, fold, unfold, upsample } from './resampling.js';

/** What a model card says about its network. */
export interface Architecture {
  readonly kind: 'unet3d';
  /** Input volumes: the noisy one, the condition, and the anatomy if the network knows it. At least 2. */
  readonly inputChannels: number;
  /** What the features tell beside time: see `networkFeatures`. @default ['condition'] */
  readonly knows?: readonly Knowledge[] | undefined;
  /** Edge of the blocks of voxels that become channels before the first convolution. */
  readonly fold: 2;
  /** Slices are seen one by one: kernels of 1×3×3, blocks of 1×2×2; a network in 2D. @default false */
  readonly planar?: boolean | undefined;
  /** Width of each level, finest first; every one a multiple of `groups`. */
  readonly channels: readonly number[];
  /** Blocks at each level, on the way down and again on the way up. @default one each */
  readonly blocks?: readonly number[] | undefined;
  /** The embedding scales and shifts what was normalised, instead of being added before. @default false */
  readonly film?: boolean | undefined;
  /** Last convolutions: 2 gives the mean mode one of its own. @default 1 */
  readonly heads?: 1 | 2 | undefined;
  /** Length of the embedding of the features. */
  readonly embedding: number;
  /** Length of `networkFeatures`. */
  readonly features: number;
  /** Groups of every normalisation. */
  readonly groups: number;
}

/** How a parameter starts: normal deviates of a standard deviation, or one value. */
export type Start = { readonly deviation: number } | { readonly value: number };
/** Gives the parameter of that name to the network that asks for it. */
export type ParameterSource = (name: string, shape: readonly number[], start: Start) => Var;
/** How a convolution is made, given its name: plainly, or adapted. */
export type Convolve = (name: string, x: Var, weight: Var, bias: Var) => Var;
const plainly: Convolve = (_, x, weight, bias) => conv3d(x, weight, bias);
export interface UnetInputs {
  /** [N, inputChannels, D, H, W]: x_t, then condition c and anatomy, each times its presence flag. */
  readonly x: Var;
  /** [N, features] from `networkFeatures`. */
  readonly features: Var;
  /** [N, 1, 1, 1, 1]: the weight of the condition's skip, e.g. σ_t times the presence flag. */
  readonly skip: Var;
  /** `deep` of another evaluation: all levels but the finest are left out. @default none */
  readonly deep?: Var | undefined;
}
export interface UnetOutputs {
  /** [N, 1, D, H, W]. */
  readonly v: Var;
  /** What the finest level is given by the coarser ones, `deepShape`; undefined where there are none. */
  readonly deep: Var | undefined;
}

/** Emits the network. */
export function unet(
  architecture: Architecture,
  { x, features, skip, deep }: UnetInputs,
  parameter: ParameterSource,
  convolve: Convolve = plainly,
): UnetOutputs {
  const { channels, embedding, groups, film = false, heads = 1 } = architecture;
  const cell = blockOf(architecture);
  const voxels = cell[0] * cell[1] * cell[2];
  const blocks = architecture.blocks ?? channels.map(() => 1);
  const fan = (inputs: number): Start => ({ deviation: Math.sqrt(1 / inputs) });
  const conv = (name: string, x: Var, width: number, edge: 1 | 3, start?: Start): Var => {
    const kernel = cell.map((along) => (along === 1 ? 1 : edge));
    const shape = [width, x.shape[1], ...kernel];
    return convolve(
      name,
      x,
      parameter(`${name}.weight`, shape, start ?? fan(size(shape.slice(1)))),
      parameter(`${name}.bias`, [width], { value: 0 }),
    );
  };
  const linear = (name: string, x: Var, width: number, start: Start = fan(x.shape[1])): Var =>
    add(matmul(x, parameter(`${name}.weight`, [x.shape[1], width], start)), parameter(`${name}.bias`, [width], { value: 0 }));
  const affine = (name: string, width: number): [gamma: Var, beta: Var] => [
    parameter(`${name}.gamma`, [width], { value: 1 }),
    parameter(`${name}.beta`, [width], { value: 0 }),
  ];
  const activated = (name: string, x: Var): Var => silu(groupNorm(x, ...affine(name, x.shape[1]), groups));
  const e = silu(linear('time2', silu(linear('time1', features, embedding)), embedding));
  /** What a block is told of e: a shift before its second normalisation, or with FiLM a factor and a shift after it. */
  const told = (block: string, width: number): ((h: Var) => Var) => {
    const message = film ? linear(`${block}.time`, e, 2 * width, { value: 0 }) : linear(`${block}.time`, e, width);
    if (!film) return (h) => activated(`${block}.norm2`, add(h, reshape(message, [h.shape[0], width, 1, 1, 1])));
    const factor = add(slice(message, 1, 0, width), scalar(message.graph, 1));
    return (h) => {
      const [gamma, beta] = affine(`${block}.norm2`, width);
      // One multiplication and addition per voxel: x̂ (γ (1 + s)) + (β (1 + s) + b).
      return silu(groupNorm(h, mul(factor, gamma), add(mul(factor, beta), slice(message, 1, width, width)), groups));
    };
  };
  const block = (name: string, x: Var, width: number): Var => {
    const modulated = told(name, width);
    const h = conv(`${name}.conv1`, activated(`${name}.norm1`, x), width, 3);
    const residual = conv(`${name}.conv2`, modulated(h), width, 3);
    return add(x.shape[1] === width ? x : conv(`${name}.skip`, x, width, 1), residual);
  };
  const stage = (name: string, x: Var, level: number): Var => {
    let h = x;
    for (let i = 0; i < blocks[level]; i++) h = block(i === 0 ? name : `${name}.${i}`, h, channels[level]);
    return h;
  };

  let h = conv('stem', fold(x, cell), channels[0], 3);
  const skips: Var[] = [];
  let below = deep;
  channels.slice(0, deep === undefined ? undefined : 1).forEach((width, level) => {
    if (level > 0) h = conv(`down${level}`, fold(h, cell), width, 1);
    h = stage(`encoder${level}`, h, level);
    skips.push(h);
  });
  for (let level = deep === undefined ? channels.length - 2 : 0; level >= 0; level--) {
    // The convolution before the repetition: the same numbers as after it, for an eighth of the work.
    below = level === 0 && deep !== undefined ? deep : conv(`up${level}`, h, channels[level], 1);
    h = stage(`decoder${level}`, concat([upsample(below, cell), skips[level]], 1), level);
  }
  const last = conv('head', activated('head.norm', h), voxels * heads, 3, { value: 0 });
  const F = unfold(heads === 1 ? last : chosenHead(last, features, meanFlag(architecture)), cell);
  return { v: sub(F, mul(slice(x, 1, 1, 1), skip)), deep: below };
}

/** Shape of `deep` for a batch and patch. @throws ModelError for a network of one level. */
export function deepShape({ channels, planar }: Architecture, batch: number, patch: Shape3): readonly number[] {
  if (channels.length < 2)
    throw new ModelError('A network of one level has no coarser ones', { key: 'channels', found: [...channels] });
  const cell = blockOf({ planar });
  return [batch, channels[0], ...patch.map((n, axis) => n / cell[axis] ** 2)];
}

/** The second half of the channels where the flag is 1 (mean mode), the first half where it is 0. */
function chosenHead(both: Var, features: Var, at: number): Var {
  const half = both.shape[1] / 2;
  const flag = reshape(slice(features, 1, at, 1), [both.shape[0], 1, 1, 1, 1]);
  const other = add(scale(flag, -1), scalar(both.graph, 1));
  return add(mul(slice(both, 1, 0, half), other), mul(slice(both, 1, half, half), flag));
}

/** The block of voxels that a step down makes one of. */
export function blockOf({ planar = false }: Pick<Architecture, 'planar'>): Block {
  return planar ? [1, 2, 2] : [2, 2, 2];
}

/** Every edge of a patch is a multiple of this, along z, y, x. */
export function patchMultiple(architecture: Pick<Architecture, 'planar' | 'channels'>): Shape3 {
  const [z, y, x] = blockOf(architecture).map((edge) => edge ** architecture.channels.length);
  return [z, y, x];
}

/**
 * The architecture itself.
 * @throws ModelError when no network can be made from it.
 */
export function checkedArchitecture(architecture: Architecture): Architecture {
  const {
    kind,
    inputChannels,
    knows = ['condition'],
    fold,
    planar,
    channels,
    blocks,
    film,
    heads,
    embedding,
    features,
    groups,
  } = architecture;
  const positive = (n: number): boolean => Number.isInteger(n) && n > 0;
  const demand = (fine: boolean, key: string, expected: string, found: unknown): void => {
    if (!fine) throw new ModelError('Network architecture', { key, expected, found });
  };
  demand(kind === 'unet3d', 'kind', 'unet3d', kind);
  demand(positive(inputChannels) && inputChannels >= 2, 'inputChannels', 'an integer of at least 2', inputChannels);
  demand(
    Array.isArray(knows) && knows[0] === 'condition' && knows.every((k, i) => k in knowledgeLength && knows.indexOf(k) === i),
    'knows',
    `"condition", then any of ${Object.keys(knowledgeLength).slice(1).join(', ')}`,
    knows,
  );
  demand(!knows.includes('anatomy') || inputChannels >= 3, 'inputChannels', 'at least 3 to know the anatomy', inputChannels);
  demand(fold === 2, 'fold', '2', fold);
  demand(planar === undefined || typeof planar === 'boolean', 'planar', 'true or false', planar);
  demand(positive(groups), 'groups', 'a positive integer', groups);
  demand(
    channels.length > 0 && channels.every((width) => positive(width) && width % groups === 0),
    'channels',
    `one or more multiples of groups = ${groups}`,
    [...channels],
  );
  demand(
    blocks === undefined || (Array.isArray(blocks) && blocks.length === channels.length && blocks.every(positive)),
    'blocks',
    `${channels.length} positive integers, one a level`,
    blocks,
  );
  demand(film === undefined || typeof film === 'boolean', 'film', 'true or false', film);
  demand(heads === undefined || heads === 1 || heads === 2, 'heads', '1 or 2', heads);
  demand(heads !== 2 || knows.includes('mean'), 'knows', 'mean among them, for the second head', knows);
  demand(positive(embedding), 'embedding', 'a positive integer', embedding);
  const flags = knows.reduce((sum, k) => sum + knowledgeLength[k], 0);
  demand(
    positive(features) && features >= flags && (features - flags) % 2 === 0,
    'features',
    `${flags} for what it knows and an even number for time`,
    features,
  );
  return architecture;
}

/**
 * The patch itself.
 * @throws ModelError when an edge is not a multiple of `patchMultiple`.
 */
export function checkedPatch(architecture: Architecture, patch: Shape3): Shape3 {
  const multiple = patchMultiple(architecture);
  if (patch.length !== 3 || !patch.every((n, axis) => Number.isInteger(n) && n > 0 && n % multiple[axis] === 0)) {
    throw new ModelError('Patch does not fit the network', {
      key: 'patch',
      expected: `three positive multiples of ${new Set(multiple).size === 1 ? multiple[0] : `[${multiple.join(', ')}]`}`,
      found: [...patch],
      hint: 'Pad the volume, or choose another patch.',
    });
  }
  return patch;
}
