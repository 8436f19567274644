/** @file  An imported guided-diffusion network applied to volumes: slabs of slices in, predictions out. The plane is padded with zeros to what
 *  the network takes, and cut again. */
import { array, expectShape, fill, type Shape3, type Volume } from '../core/array.js';
import { ModelError } from '../core/errors.js';
import type { GuidedCard } from '../network/guided-card.js';
import { planeMultiple, timestepFeatures } from '../network/guided-diffusion.js';
import type { GuidedEvaluator } from '../network/runner.js';
import type { PredictNoise } from '../prior/ddpm.js';
import { precondition, scaledDenoiser } from '../prior/precondition.js';
import { discrete, linearAlphaBar } from '../prior/schedule.js';
import type { OpenModel } from './open-model.js';
import { cutSlab, joinSlabs, slabStarts } from './slabs.js';

/** An imported model: a `Denoiser` given a low-dose image, and the network itself. Slabs are joined at every evaluation; nothing is clipped. */
export interface GuidedModel extends OpenModel<GuidedCard> {
  /** ᾱ of its schedule. */
  readonly alphaBar: Float64Array;
  /**
   * The network given a low-dose image, for volumes of that shape and as one patch.
   * @param condition network units. @returns noise and, where the network was trained to, variance; network units.
   */
  predict(condition: Volume): PredictNoise;
}

/**
 * Joins a card and an evaluator of its weights. The evaluator stays the caller's to dispose.
 * @throws ModelError when the network is not one of image and condition in, one noise (and variance) out.
 */
export function guidedModel(card: GuidedCard, evaluator: GuidedEvaluator): GuidedModel {
  const { architecture, schedule, tile, intensity } = card;
  const { inputChannels, outputChannels, features } = architecture;
  if (inputChannels !== 2 || outputChannels > 2) {
    throw new ModelError(`${card.name} does not denoise volumes of one channel given a low-dose image`, {
      key: 'architecture',
      expected: '2 input channels, 1 or 2 output channels',
      found: `${inputChannels} and ${outputChannels}`,
    });
  }
  const alphaBar = linearAlphaBar(schedule.steps, schedule.first, schedule.last);
  const levels = discrete(alphaBar);
  const refuse = (key: string, expected: string, hint: string): never => {
    throw new ModelError(`${card.name} was not trained for this`, { key, expected, hint });
  };
  const multiple = planeMultiple(architecture);

  const predict =
    (condition: Volume): PredictNoise =>
    async (xt, time, options) => {
      const [d, h, w] = condition.shape as [number, number, number];
      const [ph, pw] = [h, w].map((n) => Math.ceil(n / multiple) * multiple) as [number, number];
      const voxels = d * ph * pw;
      const x = array([1, 2, d, ph, pw]);
      padded(expectShape(xt, condition.shape, 'x'), ph, pw, x.data.subarray(0, voxels));
      padded(condition, ph, pw, x.data.subarray(voxels));
      const out = await evaluator.evaluate(x, timestepFeatures(time, features), options);
      const channel = (c: number): Volume => cropped(array([d, ph, pw], out.data.subarray(c * voxels, (c + 1) * voxels)), h, w);
      return outputChannels === 2 ? { eps: channel(0), variance: channel(1) } : { eps: channel(0) };
    };

  return {
    card,
    alphaBar,
    predict,
    can: ['conditional'],
    schedule: levels,
    // One evaluation is dear here, and starts from an image that still has its noise: one sample, more steps.
    sampling: { samples: 1, steps: 20, start: 0.3 },
    mean: async () => refuse('mode', 'samples', 'It estimates no mean in one evaluation; draw samples.'),
    denoiser(unit = 1, image, { anatomy } = {}, { reuse = 1 } = {}) {
      if (reuse !== 1) refuse('reuse', '1', 'Features are reused by models trained here only.');
      const condition = image ?? refuse('condition', 'a low-dose image', 'It is no prior of images alone.');
      if (anatomy !== undefined) refuse('anatomy', 'none', 'It knows no anatomy.');
      const k = intensity.scale * unit;
      const c = fill(condition.shape, (i) => k * condition.data[i]!);
      const [nz, ny, nx] = c.shape as [number, number, number];
      const starts = slabStarts(nz, tile.slices, tile.overlap);
      const eps = async (xt: Volume, time: number, signal?: AbortSignal): Promise<Volume> => {
        const join = joinSlabs([nz, ny, nx], tile.slices, tile.overlap);
        for (const start of starts) {
          const part = predict(cutSlab(c, start, tile.slices));
          join.add((await part(cutSlab(xt, start, tile.slices), time, { signal })).eps);
        }
        return join.volume;
      };
      return scaledDenoiser(precondition(eps, { parameterisation: 'eps', schedule: levels }), 1 / k);
    },
  };
}

/** How a volume on voxels of the model goes through the network: first slices of its slabs, and the largest patch [D, H, W]. */
export function guidedPatches([nz, ny, nx]: Shape3, { tile, architecture }: GuidedCard): { slabs: number[]; patch: Shape3 } {
  const multiple = planeMultiple(architecture);
  const [h, w] = [ny, nx].map((n) => Math.ceil(n / multiple) * multiple) as [number, number];
  return { slabs: slabStarts(nz, tile.slices, tile.overlap), patch: [Math.min(nz, tile.slices), h, w] };
}

/** Into a larger plane, zeros behind and beside. */
function padded({ shape, data }: Volume, ph: number, pw: number, out: Float32Array): void {
  const [d, h, w] = shape as [number, number, number];
  for (let z = 0; z < d; z++) {
    for (let y = 0; y < h; y++) {
      const row = (z * h + y) * w;
      out.set(data.subarray(row, row + w), (z * ph + y) * pw);
    }
  }
}

/** The first h rows and w columns of each slice. */
function cropped({ shape, data }: Volume, h: number, w: number): Volume {
  const [d, ph, pw] = shape as [number, number, number];
  const out = array([d, h, w]);
  for (let z = 0; z < d; z++) {
    for (let y = 0; y < h; y++) {
      const row = (z * ph + y) * pw;
      out.data.set(data.subarray(row, row + w), (z * h + y) * w);
    }
  }
  return out;
}
