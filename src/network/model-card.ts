/** @file  A model: its card (model.json) and its weights. */

import { array, type NdArray, type Point, type Shape3, size } from '../core/array.js';
import { ModelError } from '../core/errors.js';
import { parameterCount, parameterManifest } from './parameters.js';
import type { Activations } from './quantise.js';
import { type Architecture, checkedArchitecture, checkedPatch } from './unet.js';

/** Smallest and largest voxels that the model was trained on, mm [z, y, x]. */
export function knownVoxels({ voxelSize, range }: Pick<CommonCard, 'voxelSize' | 'range'>): readonly [least: Point, most: Point] {
  return range?.voxelSize ?? [voxelSize, voxelSize];
}

/** What the card of every model says, trained here or imported. */
export interface CommonCard {
  readonly name: string;
  readonly version: string;
  /** Licence of the weights. */
  readonly licence: string;
  readonly intensity: {
    readonly unit: 'SUV';
    /** Network value = scale · SUV. */
    readonly scale: number;
    /** Mean of the truth over the bodies of the training subjects, SUV; images in no absolute unit are brought to it. @default not known */
    readonly bodyMean?: number | undefined;
    /** SUV above this were cut off in training. @default none were */
    readonly ceiling?: number | undefined;
  };
  /** Of the training data, mm [z, y, x]. */
  readonly voxelSize: Point;
  /** Tiles to evaluate, voxels. @default the plane is evaluated whole */
  readonly patch?: Shape3 | undefined;
  /** What the training images were like; images far outside are warned of. @default not known */
  readonly range?:
    | {
        /** Least and largest `noiseLevel` of the low-count images. */
        readonly noise: readonly [least: number, most: number];
        /** Hottest voxel of the truth, SUV. */
        readonly maximum: number;
        /** Smallest and largest voxels along each axis, mm [z, y, x]. @default the card's voxelSize */
        readonly voxelSize?: readonly [least: Point, most: Point] | undefined;
        /** Largest field of view, mm [z, y, x], where there is more of the body that was never seen. @default not limited */
        readonly fieldOfView?: Point | undefined;
      }
    | undefined;
  /** SHA-256 of weights.safetensors. */
  readonly sha256: string;
}

/** Everything that must be known to use the weights of a model that was trained here. */
export interface ModelCard extends CommonCard {
  readonly architecture: Architecture;
  /** What the network predicts. */
  readonly parameterisation: 'v';
  /** α = cos(πt/2), σ = sin(πt/2). */
  readonly schedule: 'cosine';
  readonly intensity: CommonCard['intensity'] & { readonly bodyMean: number };
  readonly patch: Shape3;
  /** Voxels that neighbouring tiles share. */
  readonly overlap: number;
  /** What the condition volume is. */
  readonly condition: 'low-count OSEM image';
  /** Magnitudes inside the network, by which drafts in 8-bit integers are scaled. @default no drafts */
  readonly activations?: Activations | undefined;
  /** What the weights were trained for: the mean mode, and diffusion with or without the low-count image. @default both */
  readonly modes?: readonly ('mean' | 'diffusion')[] | undefined;
  /** How it was made: configuration, command, compute, measured results. */
  readonly training: Readonly<Record<string, unknown>>;
}

export interface Model {
  readonly card: ModelCard;
  /** Flat, in the order of `parameterManifest`. */
  readonly parameters: Float32Array;
}

/**
 * A card from parsed JSON.
 * @throws ModelError naming what is missing or wrong.
 */
export function parseModelCard(data: unknown, file?: string): ModelCard {
  const card = data as ModelCard;
  const demand = (fine: boolean, key: string, expected: string, found: unknown): void => {
    if (!fine) throw new ModelError('Model card', { file, key, expected, found });
  };
  demand(typeof data === 'object' && data !== null, 'card', 'an object', data);
  for (const key of ['name', 'version', 'licence', 'sha256'] as const)
    demand(typeof card[key] === 'string', key, 'a text', card[key]);
  demand(card.parameterisation === 'v', 'parameterisation', '"v"', card.parameterisation);
  demand(card.schedule === 'cosine', 'schedule', '"cosine"', card.schedule);
  demand(card.intensity?.unit === 'SUV', 'intensity.unit', '"SUV"', card.intensity?.unit);
  for (const key of ['scale', 'bodyMean'] as const)
    demand(card.intensity[key] > 0, `intensity.${key}`, 'a positive number', card.intensity[key]);
  demand(Array.isArray(card.voxelSize) && card.voxelSize.every((d) => d > 0), 'voxelSize', 'three lengths in mm', card.voxelSize);
  if (card.range !== undefined) {
    const { noise, maximum, fieldOfView, voxelSize } = card.range;
    const lengths = (point: unknown): boolean => Array.isArray(point) && point.length === 3 && point.every((d) => d > 0);
    demand(Array.isArray(noise) && noise.length === 2 && noise[0] <= noise[1], 'range.noise', 'least and most', noise);
    demand(maximum > 0, 'range.maximum', 'a positive SUV', maximum);
    demand(fieldOfView === undefined || lengths(fieldOfView), 'range.fieldOfView', 'three lengths in mm', fieldOfView);
    const ends = voxelSize === undefined || (Array.isArray(voxelSize) && voxelSize.length === 2 && voxelSize.every(lengths));
    demand(ends, 'range.voxelSize', 'least and most, three lengths in mm each', voxelSize);
  }
  demand(typeof card.architecture === 'object' && card.architecture !== null, 'architecture', 'an object', card.architecture);
  demand(Array.isArray(card.architecture.channels), 'architecture.channels', 'a list of widths', card.architecture.channels);
  demand(Array.isArray(card.patch), 'patch', 'three sizes', card.patch);
  demand(
    Number.isInteger(card.overlap) && card.overlap >= 0 && card.patch.every((n) => n === 1 || n > card.overlap),
    'overlap',
    'less than the patch',
    card.overlap,
  );
  const { modes, activations = {} } = card;
  demand(
    typeof activations === 'object' &&
      Object.values(activations).every((pair) => Array.isArray(pair) && pair.length === 2 && pair.every((most) => most > 0)),
    'activations',
    'two positive magnitudes for each convolution',
    activations,
  );
  demand(
    modes === undefined ||
      (Array.isArray(modes) && modes.length > 0 && modes.every((mode) => mode === 'mean' || mode === 'diffusion')),
    'modes',
    '"mean", "diffusion", or both',
    modes,
  );
  checkedPatch(checkedArchitecture(card.architecture), card.patch);
  return card;
}

/** The parameters as named tensors, for a safetensors file. */
export function namedParameters({
  card,
  parameters,
}: Pick<Model, 'parameters'> & { readonly card: Pick<ModelCard, 'architecture'> }): Map<string, NdArray> {
  return new Map(
    parameterManifest(card.architecture).map(({ name, shape, offset }) => [
      name,
      array(shape, parameters.slice(offset, offset + size(shape))),
    ]),
  );
}

/**
 * The flat array from named tensors.
 * @throws ModelError naming a tensor that is missing, superfluous or of another shape.
 */
export function flatParameters(architecture: Architecture, tensors: ReadonlyMap<string, NdArray>, file?: string): Float32Array {
  const flat = new Float32Array(parameterCount(architecture));
  const known = new Set<string>();
  for (const { name, shape, offset } of parameterManifest(architecture)) {
    known.add(name);
    const tensor = tensors.get(name);
    if (!tensor) throw new ModelError('A weight is missing', { file, key: name, expected: `shape [${shape.join(', ')}]` });
    if (tensor.shape.join() !== shape.join()) {
      throw new ModelError('A weight has another shape', {
        file,
        key: name,
        expected: `[${shape.join(', ')}]`,
        found: [...tensor.shape],
      });
    }
    flat.set(tensor.data, offset);
  }
  const extra = [...tensors.keys()].filter((name) => !known.has(name));
  if (extra.length > 0)
    throw new ModelError('Weights that the architecture does not have', { file, found: extra.slice(0, 3).join(', ') });
  return flat;
}
