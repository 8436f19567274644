/** @file  A model applied to whole volumes: tiles in, tiles out, and from there the three things it can do.
 *    mean        x̂₀ at t = 1 from x_t = 0: E[x₀ | condition] in one evaluation
 *    conditional a `Denoiser` given the low-count image
 *    prior       a `Denoiser` without one: what HQS takes */
import { array, fill, type Shape3, type Volume } from '../core/array.js';
import type { Denoiser } from '../core/interfaces.js';
import type { CallOptions } from '../core/iterate.js';
import { timeFeatures } from '../network/features.js';
import type { ModelCard } from '../network/model-card.js';
import type { Evaluator } from '../network/runner.js';
import { precondition, scaledDenoiser } from '../prior/precondition.js';
import { blendTiles, cutTile, tilesOf } from './tiles.js';

/** Tiles evaluated at once; each worker takes one. */
const CHUNK = 4;

export interface OpenModel {
  readonly card: ModelCard;
  /**
   * E[x₀ | condition].
   * @param condition low-count image. @param unit SUV of one unit of the image. @default 1
   */
  mean(condition: Volume, unit?: number, options?: CallOptions): Promise<Volume>;
  /**
   * D(x, σ), in the units of the image.
   * @param unit SUV of one unit of the image. @default 1
   * @param condition low-count image, in the same unit; undefined for the unconditional prior.
   */
  denoiser(unit?: number, condition?: Volume): Denoiser;
}

/** Joins a card and an evaluator of its weights. The evaluator stays the caller's to dispose. */
export function openModel(card: ModelCard, evaluator: Evaluator): OpenModel {
  const { patch, overlap, intensity, architecture } = card;

  /** v̂ of a whole volume, network units. */
  const predict = async (xt: Volume, t: number, condition: Volume | undefined, options: CallOptions): Promise<Volume> => {
    const shape = xt.shape as unknown as Shape3;
    const present = condition === undefined ? 0 : 1;
    const features = timeFeatures(t, present, architecture.features);
    const skip = Float32Array.of(present * Math.sin((Math.PI * t) / 2));
    const voxels = patch[0] * patch[1] * patch[2];
    const evaluate = async (at: Shape3): Promise<Float32Array> => {
      const x = array([1, 2, ...patch]);
      cutTile(xt, at, patch, x.data.subarray(0, voxels));
      if (condition) cutTile(condition, at, patch, x.data.subarray(voxels));
      return (await evaluator.evaluate(x, features, skip, options)).data;
    };
    const places = tilesOf(shape, patch, overlap);
    const tiles: Float32Array[] = [];
    for (let i = 0; i < places.length; i += CHUNK) tiles.push(...(await Promise.all(places.slice(i, i + CHUNK).map(evaluate))));
    return blendTiles(shape, patch, overlap, tiles);
  };

  return {
    card,
    async mean(condition, unit = 1, options = {}) {
      const k = intensity.scale * unit;
      const v = await predict(array(condition.shape), 1, scaled(condition, k), options);
      return fill(v.shape, (i) => -v.data[i]! / k);
    },
    denoiser(unit = 1, condition) {
      const k = intensity.scale * unit;
      const c = condition && scaled(condition, k);
      return scaledDenoiser(
        precondition((xt, t, signal) => predict(xt, t, c, { signal })),
        1 / k,
      );
    },
  };
}

function scaled(x: Volume, k: number): Volume {
  return fill(x.shape, (i) => k * x.data[i]!);
}
