/** @file  DDIP for a whole reconstruction. What learns is the network's mean mode: at every level its mean of OSEM is brought nearer to the
 *  image that the data make of it, x_EM; then `post` with the adapted network. Or its diffusion mode, as published: a first image → + σ₁ n →
 *  `ddip.ts`, down the levels; then, with the adapted network, a few samples of DiffPIR on all counts, and their mean. The published preset ends
 *  with the first descent. */
import { array, fill, type Shape3, type Volume } from '../core/array.js';
import { ModelError, OptionError } from '../core/errors.js';
import type { PoissonSubset } from '../core/interfaces.js';
import type { CallOptions } from '../core/iterate.js';
import { last } from '../core/iterate.js';
import { noiseField } from '../core/random.js';
import { mergeLora } from '../network/lora.js';
import { discrete, sigmaLadder } from '../prior/schedule.js';
import { type DdipProgress, ddip } from '../recon/ddip.js';
import { holdOut } from '../recon/held-out.js';
import { eventLikelihood } from '../recon/likelihood.js';
import { osem, uniformStart } from '../recon/osem.js';
import { poissonProx } from '../recon/poisson-prox.js';
import { relativeProx } from '../recon/relative-prox.js';
import { type AdaptationOptions, type AdaptedPrior, adaptedPrior } from './adapted-prior.js';
import type { State } from './course.js';
import type { DiffusionOptions, StartImage } from './diffusion-methods.js';
import {
  constantWeight,
  hqsSamples,
  type Samples,
  type Situation,
  scaleOf,
  seen,
  smoothCorrection,
  startImage,
} from './hqs-samples.js';
import type { Adapter } from './lora-file.js';
import { isTrainable } from './model-folder.js';
import { type NetworkScale, timeLadder } from './network-prior.js';

export interface DdipSamplesOptions extends Omit<AdaptationOptions, 'signal'> {
  /** Ours, or the values published for two dimensions: 200 levels, two rounds of five EM-MAP updates and one step of AdamW at each. @default 'fast' */
  readonly preset?: 'fast' | 'published' | undefined;
  /** Levels of the adaptation. @default 3, more fit noise; diffusion 10, published 200 */
  readonly levels?: number | undefined;
  /** Rounds of estimate, EM and fit at each level. @default 1; published 2 */
  readonly rounds?: number | undefined;
  /** EM updates of a round: of one subset each; published: of all data. @default 16; diffusion 8, published 5 */
  readonly emUpdates?: number | undefined;
  /** Share of the counts that the adaptation does not see and is judged by; 0 for no guard. @default 0; diffusion 0.1, published 0 */
  readonly heldOut?: number | undefined;
  /** η of the adaptation's descent. @default 0.85 */
  readonly ddipEta?: number | undefined;
  /** Adapter to begin with, of an earlier scan. @default none */
  readonly from?: Adapter | undefined;
}

interface DdipSettings {
  readonly levels: number;
  readonly rounds: number;
  readonly emUpdates: number;
  readonly heldOut: number;
  readonly ddipEta: number;
  readonly adaptation: AdaptationOptions;
  readonly published: boolean;
  readonly startFrom: StartImage;
  readonly samples: number;
  readonly mean: boolean;
}

function ddipSettings(options: DdipSamplesOptions & DiffusionOptions, can: Situation['model']['can']): DdipSettings {
  const published = options.preset === 'published';
  // Samples are of the diffusion mode, which then has to learn too.
  const { samples = published ? 0 : 1 } = options;
  const { prior = !published && can.includes('mean') && samples === 1 ? 'mean' : 'diffusion' } = options;
  const mean = prior === 'mean';
  const {
    levels = published ? 200 : mean ? 3 : 10,
    rounds = published ? 2 : 1,
    emUpdates = published ? 5 : mean ? 16 : 8,
    heldOut = published || mean ? 0 : 0.1,
    ddipEta = 0.85,
    startFrom = published ? 'osem' : can.includes('mean') ? 'mean' : 'rdp',
  } = options;
  const { rank = 4, layers, biases = true, patches = 2, seed = 1 } = options;
  const { learningRate = published ? 5e-4 : 1e-3, weightDecay = published ? 0.01 : 0, fits = published ? 1 : 6 } = options;
  if (!(Number.isInteger(samples) && samples >= 0))
    throw new OptionError('Number of samples', { key: 'samples', expected: 'a whole number', found: samples });
  if (!(heldOut >= 0 && heldOut < 1))
    throw new OptionError('Counts held out', { key: 'heldOut', expected: 'a share in [0, 1)', found: heldOut });
  if (mean && samples !== 1)
    throw new OptionError('An adapted mean mode gives one image', { key: 'samples', expected: '1', found: samples });
  const adaptation = { prior, rank, layers, biases, patches, seed, learningRate, weightDecay, fits };
  return { levels, rounds, emUpdates, heldOut, ddipEta, startFrom, samples, published, mean, adaptation };
}

/** What an adapted reconstruction leaves besides its image. */
export interface AdaptedSamples extends Samples {
  readonly adapter: Adapter;
}

/**
 * Adapts the model to the scan and reconstructs with it. The model has its own weights again afterwards.
 * @throws ModelError when the model is none that was loaded from a folder.
 */
export async function ddipSamples(
  situation: Situation,
  options: DiffusionOptions & { readonly ddip?: DdipSamplesOptions | undefined },
): Promise<AdaptedSamples> {
  const { model, course } = situation;
  const { signal } = options;
  if (!isTrainable(model))
    throw new ModelError('Only a model whose weights are at hand can be adapted', {
      key: 'model',
      hint: 'Open it with loadModel.',
    });
  const settings = ddipSettings({ ...options, ...options.ddip }, model.can);
  const { scale } = await scaleOf(situation, options);
  const split =
    settings.heldOut > 0 ? await holdOut(situation.subsets, settings.heldOut, { seed: options.seed ?? 1, signal }) : undefined;
  const condition = await conditionOf(situation, settings, split?.fit, options);
  let prior: AdaptedPrior | undefined;
  try {
    const known = { anatomy: options.anatomy, condition };
    const made = await adaptedPrior(model, scale, known, { ...settings.adaptation, signal }, options.ddip?.from);
    prior = made;
    const count = made.adapter().values.length;
    let image: Volume | undefined;
    const values = await course.phase('adapter', [1, 1, count], async (found) => {
      image = await descend(situation, settings, scale, made, split, options, found);
      return array([1, 1, count], made.adapter().values);
    });
    const adapter = { lora: made.adapter().lora, values: values.data };
    const adaptation = { ...settings, adapterParameters: count, ...outcome(course.trace) };
    if (settings.samples > 0 || !image) {
      model.load(mergeLora(model.card.architecture, adapter.lora, model.parameters, adapter.values));
      const onProgress: Situation['onProgress'] = (done, doing) => situation.onProgress(0.6 + 0.4 * done, doing);
      const { samples, mean } = settings;
      const how = { ...options, startFrom: mean ? undefined : options.startFrom, samples: Math.max(1, samples) };
      const result = await hqsSamples(mean ? 'post' : 'diffpir', { ...situation, onProgress }, how);
      return { ...result, adapter, parameters: { ...result.parameters, adaptation } };
    }
    const parameters = { adaptation, suvPerUnit: scale.suvPerUnit, model: model.card.name, modelSha256: model.card.sha256 };
    return { image: seen(image, situation.osemImage, situation.subsets), adapter, parameters, warnings: [] };
  } finally {
    model.load(model.parameters);
    await prior?.dispose();
  }
}

/** What the network is given besides x: where the mean mode learns, OSEM of the counts that it learns from. */
async function conditionOf(
  { osemImage, passes }: Situation,
  { mean }: DdipSettings,
  fit: readonly PoissonSubset[] | undefined,
  { condition, signal }: DiffusionOptions,
): Promise<Volume | undefined> {
  if (!mean) return condition === 'osem' ? osemImage : undefined;
  if (fit === undefined) return osemImage;
  return (await last(osem(fit, { epochs: passes, initial: uniformStart(fit), signal }))).image;
}

/** The descent that adapts. @returns the adapted network's image at its end. */
async function descend(
  situation: Situation,
  settings: DdipSettings,
  scale: NetworkScale,
  prior: AdaptedPrior,
  split: Awaited<ReturnType<typeof holdOut>> | undefined,
  options: DiffusionOptions & CallOptions,
  found: State | undefined,
): Promise<Volume> {
  const { subsets, grid, course, onProgress } = situation;
  const { published, mean, levels, rounds, emUpdates, ddipEta } = settings;
  const { signal, seed = 1, start = 0.3, lambda = mean ? 5 : 0.3, smooth = 0.1 } = options;
  const shape = grid.shape as Shape3;
  const sigmas = published
    ? sigmaLadder(199, levels, discrete()).map((sigma) => sigma / scale.noise)
    : // The mean mode knows no levels: they count the rounds.
      mean
      ? Float64Array.from({ length: levels + 1 }, (_, i) => levels - i)
      : timeLadder(scale, start, levels);
  const noise = (level: number): Volume => noiseField(shape, seed, 1_000_000 + level + 1);
  const held = split?.held;
  const heldOut = held && ((image: Volume, call: CallOptions) => likelihoodOf(held, image, call));
  const numbers = found?.numbers ?? {};
  const fit = split?.fit ?? subsets;
  const firstSubset = numbers.nextSubset ?? 0;
  const prox = mean
    ? relativeProx(fit, {
        updates: emUpdates,
        exactIterations: 0,
        firstSubset,
        smooth: await smoothCorrection({ smooth }, situation, signal),
      })
    : poissonProx(fit, { updates: emUpdates, exactIterations: emUpdates, firstSubset });
  if (found) prior.restore(arraysOf(found, 'now '));
  const first = found ? undefined : mean ? situation.osemImage : await startImage({ startFrom: settings.startFrom, startIterations: options.startIterations ?? 5 }, situation, scale, { ...options, ...(published ? { startFwhm: 0 } : {}) }); // biome-ignore format: one call
  const n = noise(-1).data;
  const from = first ? fill(shape, (i) => first.data[i]! + sigmas[0]! * n[i]!) : array(shape, found!.arrays.x);
  let image = found ? array(shape, found.arrays.image) : first!;
  for await (const step of ddip(prior, (v, rho, call) => prox(v, rho, { ...call, exact: published }), sigmas, from, {
    ...{ rounds, eta: mean ? 0 : ddipEta, noise, restart: published, heldOut, signal },
    weight: published ? constantWeight(subsets, 1e-5) : (sigma) => (mean ? lambda : lambda / sigma ** 2),
    progress: found && progressOf(found),
  })) {
    image = step.image;
    const { sigma, rho, loss } = step;
    const likelihood = await eventLikelihood(subsets[0]!, image, { signal });
    const says = { level: step.level + 1, sigma, rho, loss, likelihood, heldOut: step.heldOut };
    const known = Object.fromEntries(Object.entries(says).filter(([, value]) => Number.isFinite(value)));
    await course.step(
      'adapter',
      step.level + 1,
      stateOf(step.progress, step.next, image, prior, prox.nextSubset()),
      image,
      known,
    );
    onProgress(0.6 * step.fraction, `DDIP ${step.level + 1}`);
  }
  return image;
}

function stateOf(progress: DdipProgress, x: Volume, image: Volume, prior: AdaptedPrior, nextSubset: number): State {
  const { level, best, worse, learning, bestState = {} } = progress;
  const prefixed = (beginning: string, arrays: Readonly<Record<string, Float32Array>>) =>
    Object.fromEntries(Object.entries(arrays).map(([name, values]) => [`${beginning}${name}`, values]));
  return {
    numbers: { level, worse, learning: Number(learning), nextSubset, ...(Number.isFinite(best) ? { best } : {}) },
    arrays: { x: x.data, image: image.data, ...prefixed('now ', prior.state()), ...prefixed('best ', bestState) },
  };
}

function progressOf(found: State): DdipProgress {
  const { level, best = Number.POSITIVE_INFINITY, worse, learning } = found.numbers;
  const bestState = arraysOf(found, 'best ');
  const known = Object.keys(bestState).length > 0 ? { bestState } : {};
  return { level: level!, best, worse: worse!, learning: learning === 1, ...known };
}

function arraysOf({ arrays }: State, beginning: string): Record<string, Float32Array> {
  const own = Object.entries(arrays).filter(([name]) => name.startsWith(beginning));
  return Object.fromEntries(own.map(([name, values]) => [name.slice(beginning.length), values]));
}

/** How the guard judged. */
function outcome(trace: Situation['course']['trace']): Record<string, unknown> {
  const held = trace.flatMap(({ phase, heldOut }) => (phase === 'adapter' && typeof heldOut === 'number' ? [heldOut] : []));
  if (held.length === 0) return {};
  return { bestLevel: held.indexOf(Math.min(...held)) + 1 };
}

async function likelihoodOf(subsets: readonly PoissonSubset[], image: Volume, options: CallOptions): Promise<number> {
  let sum = 0;
  for (const subset of subsets) sum += await eventLikelihood(subset, image, options);
  return sum;
}
