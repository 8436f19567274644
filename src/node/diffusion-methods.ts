/** @file  The diffusion family as settings of one loop (`hqs.ts`). Each preset is a published method, moved where a small 3D network asks for
 *  it: fewer levels, a start from an image; `post` is ours: the network's mean of OSEM, then the data, trusting it by a
 *  relative deviation, and its error to be smooth. The network's own mean of the OSEM image was the best start that was tried, and BSREM the best
 *  without one; from it each further level of the diffusion mode lost, so DiffPIR goes up a little way only, and ends with the data. Everything can be set by hand. */
import type { Volume } from '../core/array.js';
import { OptionError } from '../core/errors.js';
import type { Unit } from '../core/image.js';
import type { CallOptions } from '../core/iterate.js';
import type { OpenModel } from '../denoise/open-model.js';
import type { NoiseRule } from '../recon/hqs.js';

export type DiffusionMethod = 'diffpir' | 'pnp-hqs' | 'dds' | 'post';
export const diffusionMethods: readonly DiffusionMethod[] = ['diffpir', 'pnp-hqs', 'dds', 'post'];

/** What the sampler starts from: BSREM with the relative difference prior, filtered OSEM, the network's mean of OSEM, or noise alone. */
export const startImages = ['rdp', 'osem', 'mean', 'noise'] as const;
export type StartImage = (typeof startImages)[number];

export interface DiffusionOptions extends CallOptions {
  /** Unit that the scan's calibration gives the image. @default 'counts' */
  readonly unit?: Unit | undefined;
  /** Network time at which the sampler starts, in (0, 1). @default 0.15; pnp-hqs 0.3, dds 0.95 */
  readonly start?: number | undefined;
  /** What it starts from. @default 'mean', or 'rdp' for models without a mean mode; dds 'noise'; post 'osem' */
  readonly startFrom?: StartImage | undefined;
  /** Filter of an OSEM start, mm FWHM; 0 is none. @default 1.5 voxels; post 0 */
  readonly startFwhm?: number | undefined;
  /** Passes of BSREM for an RDP start, and its strength, see `PenalisedOptions`. @default 5 */
  readonly startIterations?: number | undefined;
  /** Noise levels. @default 3; pnp-hqs 8; dds 50; post 1 */
  readonly steps?: number | undefined;
  /** λ: weight of the prior, ρ = λ/σ²; post: of the network's image, 1/(its relative standard deviation)², see `relative-prox.ts`. @default 1; pnp-hqs 0.3, post 5 */
  readonly lambda?: number | undefined;
  /** dds: weight of the anchor, the same at all levels, in the curvature that the data have at the mean activity. @default 0.1 */
  readonly anchor?: number | undefined;
  /** dds: strength of a relative difference prior between neighbouring slices, no unit. @default 0 */
  readonly rdpz?: number | undefined;
  /** ζ. @default 0.3 */
  readonly zeta?: number | undefined;
  /** η of DDIM, in place of ζ. @default none; dds 0.1 */
  readonly eta?: number | undefined;
  /** Which noise goes on to the next level. @default 'rederived'; pnp-hqs and post 'none'; dds 'network' */
  readonly eps?: NoiseRule | undefined;
  /** The network as a diffusion denoiser, or its mean mode. @default 'diffusion'; post 'mean' */
  readonly prior?: 'diffusion' | 'mean' | undefined;
  /** Whether the diffusion network is given the scan's OSEM image too, which uses the data twice. @default 'none' */
  readonly condition?: 'none' | 'osem' | undefined;
  /** Anatomy on the grid of the reconstruction (μ, CT or MR, 0 in air), for models that know one. @default none */
  readonly anatomy?: Volume | undefined;
  /** Subset updates of a data step; the count runs on from level to level. @default 2; dds 5; post 24 */
  readonly updates?: number | undefined;
  /** Updates with all data of the last levels' data steps. @default 3; post 2 */
  readonly exactIterations?: number | undefined;
  /** Share of the levels, the last ones, that take all data. @default 0.2 */
  readonly exactShare?: number | undefined;
  /** Weight of the samples' mean in a last step with all data, as λ of post; 0 for no such step. @default 5; dds, pnp-hqs, post 0 */
  readonly final?: number | undefined;
  /** post, and the last step of the samples' mean: strength of a quadratic penalty on what the data change, no unit, as β of map-em but among the six nearest neighbours; 0 for none. @default 0.1 */
  readonly smooth?: number | undefined;
  /** Samples that are averaged. @default 4; dds, pnp-hqs, post 1 */
  readonly samples?: number | undefined;
  /** @default 1 */
  readonly seed?: number | undefined;
}

/** The settings, complete but for what has no default. */
export type DiffusionSettings = Required<
  Pick<
    { [K in keyof DiffusionOptions]: Exclude<DiffusionOptions[K], undefined> },
    | ('start' | 'startFrom' | 'startIterations' | 'steps' | 'lambda' | 'zeta' | 'eps' | 'prior' | 'condition')
    | ('updates' | 'exactIterations' | 'exactShare' | 'samples' | 'seed' | 'anchor' | 'rdpz' | 'final' | 'smooth')
  >
> &
  Pick<DiffusionOptions, 'eta'>;

const common: DiffusionSettings = {
  ...{ start: 0.3, startFrom: 'mean', startIterations: 5, steps: 8, lambda: 0.3, anchor: 0.1, rdpz: 0 },
  ...{ zeta: 0.3, eta: undefined, eps: 'rederived', prior: 'diffusion', condition: 'none' },
  ...{ updates: 2, exactIterations: 3, exactShare: 0.2, samples: 1, final: 0, smooth: 0.1, seed: 1 },
};
const presets: Readonly<Record<DiffusionMethod, DiffusionSettings>> = {
  diffpir: { ...common, start: 0.15, steps: 3, lambda: 1, samples: 4, final: 5 },
  'pnp-hqs': { ...common, eps: 'none' },
  dds: { ...common, start: 0.95, startFrom: 'noise', steps: 50, eta: 0.1, eps: 'network', updates: 5 },
  post: {
    ...common,
    start: 0.1,
    startFrom: 'osem',
    steps: 1,
    lambda: 5,
    eps: 'none',
    prior: 'mean',
    updates: 24,
    exactIterations: 2,
  },
};

/** @param can of the model. @throws OptionError for settings that contradict one another. */
export function diffusionSettings(
  method: DiffusionMethod,
  options: DiffusionOptions,
  can: OpenModel['can'] = ['mean'],
): DiffusionSettings {
  const preset = presets[method];
  const given = Object.fromEntries(
    Object.keys(preset).flatMap((key) => {
      const value = options[key as keyof DiffusionOptions];
      return value === undefined ? [] : [[key, value]];
    }),
  );
  // ζ by hand takes the place of a preset's η.
  const eta = options.zeta !== undefined && options.eta === undefined ? { eta: undefined } : {};
  const start = preset.startFrom === 'mean' && !can.includes('mean') ? { startFrom: 'rdp' as const } : {};
  const settings: DiffusionSettings = { ...preset, ...start, ...eta, ...given };
  const { samples, eps, startFrom, prior, condition } = settings;
  if (!(Number.isInteger(samples) && samples > 0))
    throw new OptionError('Number of samples', { key: 'samples', expected: 'a positive integer', found: samples });
  for (const key of ['final', 'smooth'] as const) {
    if (!(settings[key] >= 0 && settings[key] < Infinity))
      throw new OptionError('Weight in the last step', { key, expected: 'a finite number ≥ 0', found: settings[key] });
  }
  if (eps === 'none' && samples > 1)
    throw new OptionError('Without fresh noise all samples are the same', { key: 'samples', expected: '1', found: samples });
  if (eps === 'none' && startFrom === 'noise')
    throw new OptionError('Without noise there is no start from noise', { key: 'startFrom', expected: 'rdp, osem or mean' });
  if (prior === 'mean' && condition !== 'none')
    throw new OptionError('The mean mode has its condition already', { key: 'condition', expected: 'none', found: condition });
  return settings;
}
