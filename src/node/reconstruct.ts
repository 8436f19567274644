/** @file  Scan in, image out: the whole line in one call, as the command line, the demo and the examples use it.
 *    osem, mlem   x from a uniform image
 *    bsrem, svrg, map-em   OSEM → argmin L + R
 *    hqs          OSEM → Gaussian filter → + σ₁ n → HQS with the unconditional prior; the mean of a few samples */
import type { Volume } from '../core/array.js';
import { OptionError } from '../core/errors.js';
import type { Grid, PetImage } from '../core/image.js';
import type { Prox } from '../core/interfaces.js';
import { last } from '../core/iterate.js';
import type { OpenModel } from '../denoise/open-model.js';
import { resampledNote, workingGrid } from '../denoise/unlike.js';
import { toWorld } from '../geometry/frame.js';
import { fieldOfViewMask } from '../geometry/grid.js';
import type { ListModeScan, Scan } from '../geometry/scan.js';
import type { ProjectorEngine } from '../projector/engine.js';
import { expectedEvents, listModeModel } from '../projector/list-mode.js';
import { type SystemModelOptions, systemModel } from '../projector/system-model.js';
import { deviance, expectedDeviance } from '../recon/likelihood.js';
import { type OsemStep, osem, uniformStart } from '../recon/osem.js';
import { poissonProx } from '../recon/poisson-prox.js';
import { residentOsem, residentProx } from '../recon/resident.js';
import { type HqsSamplesOptions, hqsSamples } from './hqs-samples.js';
import { type PenalisedMethod, type PenalisedOptions, penalised, penalisedMethods } from './penalised.js';

export type Method = 'osem' | 'mlem' | PenalisedMethod | 'hqs';
export const methods: readonly Method[] = ['osem', 'mlem', ...penalisedMethods, 'hqs'];

export interface ReconstructOptions extends HqsSamplesOptions, Omit<PenalisedOptions, 'iterations'> {
  /** @default 'osem' */
  readonly method?: Method | undefined;
  /** Ordered subsets of views; 1 for mlem. @default 8 */
  readonly subsets?: number | undefined;
  /** Passes over the data: of OSEM, or of the OSEM that the other methods start from. @default 2; mlem 20 */
  readonly iterations?: number | undefined;
  /** Passes of bsrem, svrg or map-em. @default 10; map-em 30 */
  readonly penalisedIterations?: number | undefined;
  /** Image-space resolution model, mm FWHM. @default none */
  readonly psf?: number | undefined;
  /** For hqs: the prior. */
  readonly model?: OpenModel | undefined;
  readonly onProgress?: ((fraction: number, doing: string) => void) | undefined;
}

/** The image as the sinogram sees it. */
export interface SinogramFit {
  /** 2 KL(y; ȳ) per bin, and what Poisson noise alone would give. */
  readonly deviancePerBin: number;
  readonly expectedDeviancePerBin: number;
  /** Σ y and Σ ȳ. */
  readonly prompts: number;
  readonly explained: number;
}

/** The image as list mode sees it: ȳ is known for the bins that hold events alone, and its sum. */
export interface ListModeFit {
  /** Events used, and Σ ȳ over all bins. */
  readonly prompts: number;
  readonly explained: number;
  readonly listMode: {
    readonly events: number;
    /** Events that the layout does not hold, or that lie in bins that cannot count. */
    readonly leftOut: number;
    /** Share of the bins that hold events. */
    readonly occupancy: number;
  };
}

export interface ReconstructedImage {
  readonly image: PetImage;
  /** Standard deviation over the samples of hqs. */
  readonly spread?: PetImage | undefined;
  /** What the model does not know about this image, in words. */
  readonly warnings: readonly string[];
  /** What was used, for the sidecar. */
  readonly parameters: Readonly<Record<string, unknown>>;
}
export type Reconstruction = ReconstructedImage & SinogramFit;
export type ListModeReconstruction = ReconstructedImage & ListModeFit;

/**
 * Reconstructs a scan, or its list mode event by event, on a grid of the scanner frame.
 * @throws OptionError when hqs is given no model, or an option is out of range.
 */
export function reconstruct(
  scan: Scan,
  grid: Grid,
  engine: ProjectorEngine,
  options?: ReconstructOptions,
): Promise<Reconstruction>;
export function reconstruct(
  scan: ListModeScan,
  grid: Grid,
  engine: ProjectorEngine,
  options?: ReconstructOptions,
): Promise<ListModeReconstruction>;
export async function reconstruct(
  scan: Scan | ListModeScan,
  grid: Grid,
  engine: ProjectorEngine,
  options: ReconstructOptions = {},
): Promise<Reconstruction | ListModeReconstruction> {
  const { method = 'osem', psf, unit = 'counts', onProgress, signal } = options;
  const { iterations = method === 'mlem' ? 20 : 2 } = options;
  const subsetCount = method === 'mlem' ? 1 : (options.subsets ?? 8);
  if (method === 'hqs' && !options.model)
    throw new OptionError('HQS needs a prior', { key: 'model', expected: 'a model', found: 'none' });
  const { samples = 4 } = options;
  if (!(Number.isInteger(samples) && samples > 0)) {
    throw new OptionError('Number of samples', { key: 'samples', expected: 'a positive integer', found: samples });
  }
  const { subsets, resident, fitOf, position } = await dataOf(scan, grid, engine, {
    ...{ subsets: subsetCount, psf, signal },
    onProgress: (done) => onProgress?.(0.2 * done, 'system model'),
  });
  const emShare = method === 'osem' || method === 'mlem' ? 0.7 : 0.2;
  const seen = ({ epoch, subset, fraction }: Omit<OsemStep, 'image'>): void =>
    onProgress?.(0.2 + emShare * fraction, `${method === 'mlem' ? 'MLEM' : 'OSEM'} ${epoch + 1}.${subset + 1}`);
  let image = uniformStart(subsets);
  let spread: Volume | undefined;
  const data = 'events' in scan ? 'list mode' : 'sinogram';
  let parameters: Record<string, unknown> = {
    ...{ method, data, subsets: subsetCount, iterations, psf: psf ?? 0 },
    ...{ engine: engine.name, device: engine.details ?? 'one thread' },
  };
  try {
    const em = { epochs: iterations, initial: image, signal };
    if (iterations > 0 && resident) image = await (await last(residentOsem(resident, em), seen)).image();
    else if (iterations > 0) ({ image } = await last(osem(subsets, em), seen));
    if (isPenalised(method)) {
      const result = await penalised(
        method,
        subsets,
        image,
        grid,
        { ...options, iterations: options.penalisedIterations },
        (step) => onProgress?.(0.4 + 0.5 * step.fraction, `${method.toUpperCase()} ${step.epoch + 1}.${step.subset + 1}`),
      );
      image = result.image;
      parameters = { ...parameters, ...result.parameters };
    }
    if (method === 'hqs') {
      const dataStep = (): Prox => (resident ? residentProx(resident) : poissonProx(subsets));
      const result = await hqsSamples(subsets, dataStep, image, grid, engine, position, options.model!, options, (done) =>
        onProgress?.(0.4 + 0.5 * done, 'HQS'),
      );
      ({ image, spread } = result);
      parameters = { ...parameters, ...result.parameters };
    }
  } finally {
    resident?.dispose();
  }
  const lost = image.data.findIndex((value) => !Number.isFinite(value));
  if (lost >= 0)
    throw new Error(`The ${method} image is not finite at voxel ${lost}: please report this, with the sidecar of the scan.`);
  onProgress?.(0.95, 'likelihood');
  return {
    image: toWorld(image, grid, position, unit),
    ...(spread ? { spread: toWorld(spread, grid, position, unit) } : {}),
    ...(await fitOf(image)),
    warnings:
      method === 'hqs'
        ? resampledNote(grid.voxelSize, workingGrid(grid, options.model!.card).voxelSize, options.model!.card)
        : [],
    parameters,
  };
}

function isPenalised(method: Method): method is PenalisedMethod {
  return (penalisedMethods as readonly string[]).includes(method);
}

/** The model of the data, and how well an image explains them. */
async function dataOf(scan: Scan | ListModeScan, grid: Grid, engine: ProjectorEngine, options: SystemModelOptions) {
  const { signal } = options;
  const { position } = scan;
  if ('events' in scan) {
    const { layout, rows, outside, occupancy } = scan.events;
    const subsets = await listModeModel(scan.events, scan, engine, grid, { ...options, mask: fieldOfViewMask(layout, grid) });
    const used = subsets.reduce((sum, { prompts }) => sum + prompts.data.length, 0);
    const fitOf = async (image: Volume): Promise<ListModeFit> => ({
      prompts: used,
      explained: expectedEvents(subsets, image),
      listMode: { events: used, leftOut: outside + rows.length - used, occupancy },
    });
    return { subsets, resident: undefined, fitOf, position };
  }
  const mask = fieldOfViewMask(scan.prompts.layout, grid);
  const subsets = await systemModel(scan, engine, grid, { ...options, mask });
  // Where the engine has memory of its own, the scan and its images stay there.
  const resident = await engine.residentModel?.(scan, grid, subsets, { psf: options.psf, mask, signal });
  const fitOf = async (image: Volume): Promise<SinogramFit> => {
    const found = await deviance(subsets, image, { signal });
    const expected = await expectedDeviance(subsets, image, { signal });
    return {
      deviancePerBin: found.deviance / found.bins,
      expectedDeviancePerBin: expected.deviance / expected.bins,
      prompts: found.prompts,
      explained: found.expected,
    };
  };
  return { subsets, resident, fitOf, position };
}
