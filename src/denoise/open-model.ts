/** @file  A model applied to whole volumes: tiles in, tiles out, and from there the three things it can do.
 *    mean        x̂₀ at t = 1 from x_t = 0: E[x₀ | condition] in one evaluation, or two (`second-look.ts`)
 *    conditional a `Denoiser` given the low-count image
 *    prior       a `Denoiser` without one: what HQS takes */
import { array, contiguous, expectShape, fill, type Shape3, type Volume } from '../core/array.js';
import { ModelError, OptionError } from '../core/errors.js';
import type { Denoiser } from '../core/interfaces.js';
import type { CallOptions } from '../core/iterate.js';
import { networkFeatures, type Situation } from '../network/features.js';
import type { CommonCard, ModelCard } from '../network/model-card.js';
import type { Evaluator } from '../network/runner.js';
import { type Architecture, patchMultiple } from '../network/unet.js';
import { precondition, scaledDenoiser } from '../prior/precondition.js';
import { cosine, type Schedule } from '../prior/schedule.js';
import { normalisedAnatomy } from './anatomy.js';
import { secondLook } from './second-look.js';
import { blendTiles, cutTile, tilesOf } from './tiles.js';

/** Tiles evaluated at once; each worker takes one. */
const CHUNK = 4;

/** What a model can be given beside the image. */
export interface Given {
  /** Anatomy on the grid of the image, 0 in air. @default none. @throws ModelError from a model that knows no anatomy. */
  readonly anatomy?: Volume | undefined;
  /** `noiseLevel` of the low-count image; 0 where it is not known. @default not told */
  readonly noise?: number | undefined;
}

/** How a volume goes through the network. */
export interface Passage {
  /**
   * model: in the card's tiles, which it was trained on, blended where they overlap. whole: in one piece, without seams, for the memory that this
   * takes. Group normalisation sees what is evaluated together, so the two are not the same. Imported models have slabs of their own. @default 'model'
   */
  readonly tiles?: 'model' | 'whole' | undefined;
}
/** How the mean mode looks at an image. */
export interface Looks {
  /** 2: around what the first evaluation finds extremely hot, a second one with that turned down: see `second-look.ts`. @default 1 */
  readonly looks?: 1 | 2 | undefined;
}
/** A `Passage` through many evaluations that are neighbours: one trajectory. */
export interface PassageInTime extends Passage {
  /** Only every so many evaluations all of the network; between them the finest level alone, on what the coarser ones made before. @default 1 */
  readonly reuse?: number | undefined;
}

/** How samples are drawn where nobody says otherwise; see `DenoiseOptions`. */
export interface SamplingDefaults {
  readonly samples: number;
  readonly steps: number;
  readonly start: number;
}

/** A model that is ready to use, trained here or imported. */
export interface OpenModel<C extends CommonCard = CommonCard> {
  readonly card: C;
  /** What it can do: `mean`; `denoiser` given an image; `denoiser` without one. */
  readonly can: readonly ('mean' | 'conditional' | 'prior')[];
  /** What its times mean: sampling spaces its levels evenly in them. */
  readonly schedule: Schedule;
  readonly sampling: SamplingDefaults;
  /**
   * E[x₀ | condition], in one evaluation or two.
   * @param condition low-count image. @param unit SUV of one unit of the image. @default 1
   * @throws ModelError when the model cannot.
   */
  mean(condition: Volume, unit?: number, options?: Given & Passage & Looks & CallOptions): Promise<Volume>;
  /**
   * D(x, σ), in the units of the image.
   * @param unit SUV of one unit of the image. @default 1
   * @param condition low-count image, in the same unit; undefined for the unconditional prior.
   * @throws ModelError when the model cannot, with or without a condition, or cannot reuse.
   */
  denoiser(unit?: number, condition?: Volume, given?: Given, passage?: PassageInTime): Denoiser;
}

/** Joins a card and an evaluator of its weights. The evaluator stays the caller's to dispose. */
export function openModel(card: ModelCard, evaluator: Evaluator): OpenModel<ModelCard> {
  const { intensity, architecture } = card;

  /** v̂ of a whole volume, network units, and of its tiles. */
  const predict = async (
    inputs: readonly (Volume | undefined)[],
    situation: Situation,
    skipWeight: number,
    { kept, spared, ...options }: Passage & CallOptions & Reuse,
  ): Promise<{ readonly v: Volume; readonly tiles: readonly Float32Array[] }> => {
    const shape = inputs.find((volume) => volume !== undefined)!.shape as unknown as Shape3;
    const { patch, overlap } = options.tiles === 'whole' ? { patch: coveringPatch(architecture, shape), overlap: 0 } : card;
    const features = networkFeatures(architecture, situation);
    const skip = Float32Array.of(skipWeight);
    const voxels = patch[0] * patch[1] * patch[2];
    const evaluate = async (at: Shape3, tile: number): Promise<Float32Array> => {
      const known = spared?.(at, patch, tile);
      if (known) return known;
      const x = array([1, architecture.inputChannels, ...patch]);
      inputs.forEach((volume, channel) => {
        if (volume) cutTile(volume, at, patch, x.data.subarray(channel * voxels, (channel + 1) * voxels));
      });
      if (kept === undefined) return (await evaluator.evaluate(x, features, skip, options)).data;
      const { v, deep } = await evaluator.reuse!(x, features, skip, kept.fresh ? undefined : kept.deep[tile], options);
      kept.deep[tile] = deep;
      return v.data;
    };
    const places = tilesOf(shape, patch, overlap);
    const tiles: Float32Array[] = [];
    for (let i = 0; i < places.length; i += CHUNK)
      tiles.push(...(await Promise.all(places.slice(i, i + CHUNK).map((at, k) => evaluate(at, i + k)))));
    return { v: blendTiles(shape, patch, overlap, tiles), tiles };
  };
  const prepared = (anatomy: Volume | undefined, like: Volume | undefined): Volume | undefined => {
    if (anatomy === undefined) return undefined;
    if (!architecture.knows?.includes('anatomy'))
      throw new ModelError(`${card.name} knows no anatomy`, { key: 'anatomy', hint: 'Leave it out, or take another model.' });
    const a = like === undefined ? contiguous(anatomy) : expectShape(anatomy, like.shape, 'anatomy');
    return array(a.shape, normalisedAnatomy(a));
  };

  const { modes = ['mean', 'diffusion'] } = card;
  const demand = (mode: 'mean' | 'diffusion'): void => {
    if (!modes.includes(mode))
      throw new ModelError(`${card.name} was not trained for this`, { key: 'modes', expected: mode, found: card.modes });
  };

  return {
    card,
    can: [
      ...(modes.includes('mean') ? ['mean' as const] : []),
      ...(modes.includes('diffusion') ? (['conditional', 'prior'] as const) : []),
    ],
    schedule: cosine,
    sampling: { samples: 4, steps: 2, start: 0.3 },
    async mean(condition, unit = 1, { anatomy, noise, tiles, looks = 1, signal } = {}) {
      demand('mean');
      if (looks !== 1 && looks !== 2)
        throw new OptionError('Looks at an image', { key: 'looks', expected: '1 or 2', found: looks });
      const k = intensity.scale * unit;
      const a = prepared(anatomy, condition);
      const situation = { t: 1, condition: true, anatomy: a !== undefined, mean: true, noise };
      const c = scaled(condition, k);
      const { v, tiles: seen } = await predict([undefined, c, a], situation, 1, { tiles, signal });
      const first = scaled(v, -1);
      const again = looks === 2 ? secondLook(c, first) : undefined;
      if (again === undefined) return scaled(first, 1 / k);
      const spared: Reuse['spared'] = (at, patch, tile) => (again.within(at, patch) ? undefined : seen[tile]);
      const second = await predict([undefined, again.turnedDown, a], situation, 1, { tiles, spared, signal });
      return scaled(again.joined(scaled(second.v, -1)), 1 / k);
    },
    denoiser(unit = 1, condition, { anatomy, noise } = {}, { reuse = 1, tiles } = {}) {
      demand('diffusion');
      const kept = reuse === 1 ? () => undefined : keeper(checkedReuse(reuse, card, evaluator));
      const k = intensity.scale * unit;
      const c = condition && scaled(condition, k);
      const a = prepared(anatomy, condition);
      const known = { condition: c !== undefined, anatomy: a !== undefined, ...(c === undefined ? {} : { noise }) };
      const skip = (t: number): number => (c === undefined ? 0 : Math.sin((Math.PI * t) / 2));
      return scaledDenoiser(
        precondition(
          async (xt, t, signal) => (await predict([xt, c, a], { t, ...known }, skip(t), { tiles, signal, kept: kept() })).v,
        ),
        1 / k,
      );
    },
  };
}

/** What an evaluation takes over from others. */
interface Reuse {
  readonly kept?: Kept | undefined;
  /** v̂ of a tile that is not evaluated. */
  readonly spared?: ((at: Shape3, patch: Shape3, tile: number) => Float32Array | undefined) | undefined;
}

/** The smallest patch that a volume fits into. */
function coveringPatch(architecture: Architecture, shape: Shape3): Shape3 {
  const multiple = patchMultiple(architecture);
  const [d, h, w] = shape.map((n, axis) => Math.ceil(n / multiple[axis]!) * multiple[axis]!);
  return [d!, h!, w!];
}

/** What is kept of an evaluation for the next ones, tile by tile. */
interface Kept {
  readonly deep: Float32Array[];
  /** Whether it is to be made anew. */
  readonly fresh: boolean;
}

/** What every evaluation of a trajectory is given: at the first and then at every `reuse`-th nothing is taken over. */
function keeper(reuse: number): () => Kept {
  const deep: Float32Array[] = [];
  let evaluations = 0;
  return () => ({ deep, fresh: evaluations++ % reuse === 0 });
}

function checkedReuse(reuse: number, { name, architecture }: ModelCard, evaluator: Evaluator): number {
  if (!(Number.isInteger(reuse) && reuse > 0))
    throw new OptionError('Reuse', { key: 'reuse', expected: 'a positive integer', found: reuse });
  if (evaluator.reuse === undefined || architecture.channels.length < 2) {
    throw new ModelError(`${name} cannot reuse features here`, {
      ...{ key: 'reuse', expected: '1', found: reuse },
      hint: 'It takes a network of two or more levels, in float32, on onnxruntime-node.',
    });
  }
  return reuse;
}

function scaled(x: Volume, k: number): Volume {
  return fill(x.shape, (i) => k * x.data[i]!);
}
