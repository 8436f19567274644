/** @file  Scan in, image out: the whole line in one call, as the command line, the demo and the examples use it.
 *    osem, mlem   x from a uniform image
 *    bsrem, svrg, map-em   OSEM → argmin L + R
 *    diffpir (hqs), pnp-hqs, dds, post   OSEM → a first image → the loop of `hqs.ts` with a network; the mean of a few samples
 *  A run that was stopped goes on from its checkpoint to the same image. */
import { OptionError } from '../core/errors.js';
import type { Grid, PetImage } from '../core/image.js';
import type { PoissonSubset } from '../core/interfaces.js';
import type { OpenModel } from '../denoise/open-model.js';
import { toWorld } from '../geometry/frame.js';
import type { ListModeScan, Scan } from '../geometry/scan.js';
import type { SinogramLayout } from '../geometry/sinogram.js';
import { mergeLora } from '../network/lora.js';
import type { ProjectorEngine } from '../projector/engine.js';
import { type PoissonProxOptions, poissonProx } from '../recon/poisson-prox.js';
import { residentProx } from '../recon/resident.js';
import { checkMemory } from './check-memory.js';
import { fingerprint, openCourse, type TraceEntry } from './course.js';
import { type DdipSamplesOptions, ddipSamples } from './ddip-samples.js';
import { type DiffusionMethod, type DiffusionOptions, diffusionMethods } from './diffusion-methods.js';
import { expectationMaximisation, withPenalty } from './em-images.js';
import { hqsSamples, type Samples, type Situation } from './hqs-samples.js';
import type { Adapter } from './lora-file.js';
import { isTrainable } from './model-folder.js';
import { type PenalisedMethod, type PenalisedOptions, penalisedMethods } from './penalised.js';
import { type ListModeFit, type SinogramFit, scanModel } from './scan-model.js';

/** `hqs` is another name of `diffpir`. */
export type Method = 'osem' | 'mlem' | PenalisedMethod | DiffusionMethod | 'hqs' | 'ddip';
export const methods: readonly Method[] = ['osem', 'mlem', ...penalisedMethods, ...diffusionMethods, 'hqs', 'ddip'];

export interface ReconstructOptions extends DiffusionOptions, Omit<PenalisedOptions, 'iterations'> {
  /** @default 'post' where there is a model, else 'osem' */
  readonly method?: Method | undefined;
  /** Ordered subsets of views; 1 for mlem. @default 8 */
  readonly subsets?: number | undefined;
  /** Passes over the data: of OSEM, or of the OSEM that the other methods start from. @default 2; mlem 20 */
  readonly iterations?: number | undefined;
  /** Passes of bsrem, svrg or map-em. @default 10; map-em 30 */
  readonly penalisedIterations?: number | undefined;
  /** Image-space resolution model, mm FWHM. @default none */
  readonly psf?: number | undefined;
  /** For the diffusion methods: the network; for ddip and with an adapter one of `loadModel`. */
  readonly model?: OpenModel | undefined;
  /** For the diffusion methods: an adapter of the network, found on this scan or another; ddip begins with it. @default none */
  readonly adapter?: Adapter | undefined;
  /** For ddip: how the network is adapted. */
  readonly ddip?: DdipSamplesOptions | undefined;
  readonly onProgress?: ((fraction: number, doing: string) => void) | undefined;
  /** File in which the run keeps its state, and from which the same call goes on; removed at the end. @default none */
  readonly checkpoint?: string | undefined;
  /** Seconds between two states in the checkpoint. @default 20 */
  readonly checkpointEvery?: number | undefined;
  /** Whether a checkpoint of another run is replaced instead of refused. @default false */
  readonly replaceCheckpoint?: boolean | undefined;
  /** Lines for people. */
  readonly say?: ((text: string) => void) | undefined;
  /** Called after each step; `image()` is what there is. */
  readonly onImage?: ((image: () => PetImage, phase: string) => void) | undefined;
}

export interface ReconstructedImage {
  readonly image: PetImage;
  /** Standard deviation over the samples of a diffusion method. */
  readonly spread?: PetImage | undefined;
  /** Of ddip: what the network learned from the scan. */
  readonly adapter?: Adapter | undefined;
  /** What the model does not know about this image, in words. */
  readonly warnings: readonly string[];
  /** What was used, for the sidecar. */
  readonly parameters: Readonly<Record<string, unknown>>;
  /** What each step did. `likelihood` is that of the first subset, but for a constant: the lower the better explained. */
  readonly trace: readonly TraceEntry[];
}
export type Reconstruction = ReconstructedImage & SinogramFit;
export type ListModeReconstruction = ReconstructedImage & ListModeFit;

/**
 * Reconstructs a scan, or its list mode event by event, on a grid of the scanner frame.
 * @throws OptionError when a diffusion method is given no model, or an option is out of range. @throws FormatError for a checkpoint of
 * another run. @throws DeviceError at once when the machine cannot hold the images of such a grid.
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
  const { psf, unit = 'counts', onProgress, signal, model } = options;
  const method = canonical(options.method ?? (model ? 'post' : 'osem'));
  const { iterations = method === 'mlem' ? 20 : 2 } = options;
  const subsetCount = subsetsOf(method, options.subsets);
  if (isDiffusion(method) && !model)
    throw new OptionError(`${method} needs a prior`, { key: 'model', expected: 'a model', found: 'none' });
  const { layout } = 'events' in scan ? scan.events : scan.prompts;
  checkGrid(layout, grid, engine, { method, subsets: subsetCount });
  const { position } = scan;
  const { subsets, resident, fitOf } = await scanModel(scan, grid, engine, {
    ...{ subsets: subsetCount, psf, signal },
    onProgress: (done) => onProgress?.(0.2 * done, 'system model'),
  });
  const course = await openCourse({
    ...{ checkpoint: options.checkpoint, every: options.checkpointEvery, replace: options.replaceCheckpoint, say: options.say },
    ...(options.checkpoint === undefined ? {} : { work: workOf(options, grid, engine, subsets) }),
    onImage: (image, phase) => options.onImage?.(() => toWorld(image, grid, position, unit), phase),
  });
  const emShare = method === 'osem' || method === 'mlem' ? 0.7 : 0.2;
  const em = { iterations, name: method === 'mlem' ? 'MLEM' : 'OSEM', signal };
  const data = 'events' in scan ? 'list mode' : 'sinogram';
  const used = {
    ...{ method, data, subsets: subsetCount, iterations, psf: psf ?? 0 },
    ...{ engine: engine.name, device: engine.details ?? 'one thread' },
  };
  try {
    const osemImage = await course.phase('osem', grid.shape, (found) =>
      expectationMaximisation(subsets, resident, course, found, em, (done, doing) => onProgress?.(0.2 + emShare * done, doing)),
    );
    const after = (done: number, doing: string): void => onProgress?.(0.4 + 0.5 * done, doing);
    let result: Samples = { image: osemImage, parameters: {}, warnings: [] };
    if (isPenalised(method)) {
      const penalty = { ...options, iterations: options.penalisedIterations };
      result = await withPenalty(method, subsets, osemImage, grid, course, penalty, after);
    }
    if (isDiffusion(method)) {
      const dataStep = (step: PoissonProxOptions) => (resident ? residentProx(resident, step) : poissonProx(subsets, step));
      const situation = {
        subsets,
        dataStep,
        osemImage,
        passes: iterations,
        grid,
        engine,
        position,
        model: model!,
        course,
        onProgress: after,
      };
      result = await withNetwork(method, situation, options);
    }
    const { image, spread, parameters, warnings, adapter } = result;
    const lost = image.data.findIndex((value) => !Number.isFinite(value));
    if (lost >= 0)
      throw new Error(`The ${method} image is not finite at voxel ${lost}: please report this, with the sidecar of the scan.`);
    onProgress?.(0.95, 'likelihood');
    const fit = await fitOf(image);
    await course.remove();
    return {
      image: toWorld(image, grid, position, unit),
      ...(spread ? { spread: toWorld(spread, grid, position, unit) } : {}),
      ...(adapter ? { adapter } : {}),
      ...fit,
      ...{ warnings, parameters: { ...used, ...parameters }, trace: course.trace },
    };
  } catch (error) {
    if (signal?.aborted) await course.flush();
    throw error;
  } finally {
    resident?.dispose();
  }
}

function subsetsOf(method: Method, subsets = 8): number {
  return method === 'mlem' ? 1 : subsets;
}

/** @throws DeviceError when the machine cannot hold the images of such a reconstruction. */
export function checkGrid(
  layout: SinogramLayout,
  grid: Grid,
  engine: ProjectorEngine,
  { method, subsets }: { readonly method: Method; readonly subsets?: number | undefined },
): void {
  // With a network: the OSEM image and its filtered copy, x, and the samples' mean and squares.
  checkMemory(layout, grid, engine, { subsets: subsetsOf(method, subsets), beside: isDiffusion(method) ? 5 : 0 });
}

function isPenalised(method: Method): method is PenalisedMethod {
  return (penalisedMethods as readonly string[]).includes(method);
}

export function isDiffusion(method: Method): method is DiffusionMethod | 'hqs' | 'ddip' {
  return method === 'ddip' || (diffusionMethods as readonly string[]).includes(canonical(method));
}

/** A method with a network, with its adapter merged into it meanwhile. */
async function withNetwork(
  method: DiffusionMethod | 'ddip',
  situation: Situation,
  options: ReconstructOptions,
): Promise<Samples> {
  const { adapter, model } = options;
  if (method === 'ddip')
    return ddipSamples(situation, { ...options, ddip: { ...options.ddip, from: options.ddip?.from ?? adapter } });
  if (adapter === undefined) return hqsSamples(method, situation, options);
  if (!model || !isTrainable(model))
    throw new OptionError('Only a model whose weights are at hand takes an adapter', {
      key: 'model',
      hint: 'Open it with loadModel.',
    });
  model.load(mergeLora(model.card.architecture, adapter.lora, model.parameters, adapter.values));
  try {
    return await hqsSamples(method, situation, options);
  } finally {
    model.load(model.parameters);
  }
}

/** The method's own name. */
export function canonical<M extends Method>(method: M | 'hqs'): Exclude<M, 'hqs'> | 'diffpir' {
  return method === 'hqs' ? 'diffpir' : (method as Exclude<M, 'hqs'>);
}

/** What a checkpoint must agree with: the data, the engine, and every option that is a number or a name. */
function workOf(options: ReconstructOptions, grid: Grid, engine: ProjectorEngine, subsets: readonly PoissonSubset[]): unknown {
  const { checkpoint: _, checkpointEvery: __, ddip, adapter, ...rest } = options;
  const plain = Object.entries(rest).filter(([, value]) => typeof value === 'number' || typeof value === 'string');
  const anatomy = options.anatomy && Array.from(options.anatomy.data.subarray(0, 1 << 16));
  const learned = adapter && Array.from(adapter.values);
  return [grid, engine.name, plain.sort(), ddip, learned, options.model?.card.sha256, anatomy, fingerprint(subsets)];
}
