/** Subjects, their scans and the dice, for bench/reconstruction.ts; and what a method costs on them. */
import * as coincide from 'coincide';
import { type LoadedModel, type ReconstructOptions, reconstruct } from 'coincide/node';
import { firstLesion } from './robustness-cell.js';

/** A kind of subjects. */
export interface Study {
  readonly name: string;
  readonly regions: readonly coincide.Recipe['region'][];
  readonly tracer: coincide.Recipe['tracer'];
  readonly scanners: readonly string[];
  /** What the guide of the anatomical methods is. */
  readonly anatomy: coincide.Recipe['anatomy'];
  /** What of it training on the default cohort does not see. */
  readonly unseen: 'nothing' | 'anatomy' | 'tracer' | 'tracer and anatomy';
  /** Which of the studies, from 0; seeds follow it. */
  readonly number: number;
}

/** mm; heads are imaged at 0.7 of it. */
const voxel = 4.4;
/** As long as a tile of the network. */
const slices = 31;

export interface Subject extends coincide.RecipeScan {
  readonly recipe: coincide.Recipe;
  /** The anatomy without its lesions: what only PET sees. */
  readonly guide: coincide.PetImage;
}

/** Subject of that number, from 1: the first of its seeds that has a lesion in the field of view. */
export async function subjectOf(
  study: Study,
  group: 'validation' | 'test',
  number: number,
  engine: coincide.ProjectorEngine,
): Promise<Subject> {
  for (let attempt = 0; attempt < 20; attempt++) {
    const seed = coincide.subjectSeed(1, group, 60_000 + 1000 * study.number + 20 * number + attempt);
    const one = <T>(list: readonly T[]): T => list[(number - 1) % list.length]!;
    const recipe: coincide.Recipe = {
      ...{ region: one(study.regions), tracer: study.tracer, scanner: one(study.scanners), seed, voxel, thickness: 1 },
      ...{ along: coincide.random(seed, 42).uniform(), exposure: 1, anatomy: study.anatomy, draws: [], slices },
    };
    const scan = await coincide.recipeScan(recipe, 0, engine);
    if (scan.labels.some((label) => label >= firstLesion)) return { ...scan, recipe, guide: guideOf(scan) };
  }
  throw new Error(`No subject ${number} of ${study.name} has a lesion`);
}

/** The anatomy, each lesion filled with the mean of the tissue that is most of its neighbourhood. */
function guideOf({ shape, voxelSize, anatomy, labels }: coincide.RecipeScan): coincide.PetImage {
  const [, ny, nx] = shape;
  const out = anatomy.slice();
  const inside = new Map<number, number[]>();
  labels.forEach((label, i) => {
    if (label >= firstLesion) inside.set(label, [...(inside.get(label) ?? []), i]);
  });
  const reach = 3;
  for (const voxels of inside.values()) {
    const around = new Set<number>();
    for (const i of voxels)
      for (let dz = -reach; dz <= reach; dz++)
        for (let dy = -reach; dy <= reach; dy++)
          for (let dx = -reach; dx <= reach; dx++) {
            const j = i + (dz * ny + dy) * nx + dx;
            if (labels[j]! > 0 && labels[j]! < firstLesion) around.add(j);
          }
    const tally = new Map<number, number>();
    for (const j of around) tally.set(labels[j]!, (tally.get(labels[j]!) ?? 0) + 1);
    const host = [...tally].sort(([, a], [, b]) => b - a)[0]?.[0];
    const tissue = [...around].filter((j) => labels[j] === host);
    const mean = tissue.reduce((sum, j) => sum + anatomy[j]!, 0) / tissue.length;
    // Also a layer around it, which the imaging has blurred.
    for (const i of voxels) for (const step of [0, 1, -1, nx, -nx, ny * nx, -ny * nx]) out[i + step] = mean;
  }
  return coincide.petImage(coincide.centredGrid(shape, voxelSize), coincide.array(shape, out), '1/cm');
}

/** What a run cost: passes of all data through the projector, forward or back; evaluations of the network on the whole volume. */
export interface Cost {
  readonly projections: number;
  readonly evaluations: number;
  readonly cpuSeconds: number;
}

/** Counts what goes through an engine and a model while `run` runs. */
export interface Meter {
  readonly engine: coincide.ProjectorEngine;
  readonly model: LoadedModel;
  measure<T>(run: () => Promise<T>): Promise<{ result: T; cost: Cost }>;
}

export function meter(engine: coincide.ProjectorEngine, model: LoadedModel): Meter {
  let projections = 0;
  let evaluations = 0;
  const counted = <A extends unknown[], R>(call: (...args: A) => R, count: () => void) => {
    return (...args: A): R => {
      count();
      return call(...args);
    };
  };
  return {
    engine: {
      ...engine,
      sinogramProjector(layout, views, grid) {
        const { inShape, outShape, forward, adjoint } = engine.sinogramProjector(layout, views, grid);
        const count = (): void => {
          projections += views.length / layout.views;
        };
        return { inShape, outShape, forward: counted(forward, count), adjoint: counted(adjoint, count) };
      },
    },
    model: {
      ...model,
      mean: counted(model.mean, () => evaluations++),
      denoiser(...args) {
        const denoiser = model.denoiser(...args);
        return { ...denoiser, denoise: counted(denoiser.denoise, () => evaluations++) };
      },
    },
    async measure(run) {
      const before = { projections, evaluations, cpu: process.cpuUsage() };
      const result = await run();
      const { user, system } = process.cpuUsage(before.cpu);
      return {
        result,
        cost: {
          projections: projections - before.projections,
          evaluations: evaluations - before.evaluations,
          cpuSeconds: (user + system) / 1e6,
        },
      };
    },
  };
}

/** What a method gives: SUV, axes of the world. */
export interface Result {
  readonly image: coincide.Volume;
  /** Standard deviation over samples, and how many they were. */
  readonly spread?: coincide.Volume | undefined;
  readonly samples?: number | undefined;
}

/** One draw of the noise, as methods see it. */
export interface Realisation {
  readonly subject: Subject;
  readonly dose: number;
  readonly seed: number;
  readonly model: LoadedModel;
  reconstruct(options: ReconstructOptions): Promise<Result>;
  /** OSEM with the scanner's resolution, once; what it cost is added to every method that asks. */
  osem(): Promise<coincide.PetImage>;
  /** Deviance over that of the truth, under the model with the scanner's resolution. */
  devianceRatio(image: coincide.Volume): Promise<number>;
  /** Cost of the shared OSEM, if it was asked for since the last call, and was there already. */
  shared(): Cost;
}

const none: Cost = { projections: 0, evaluations: 0, cpuSeconds: 0 };
export const osemPasses = 3;

/** The scan at a dose, in the draw of that number. */
export function realisation(subject: Subject, dose: number, number: number, used: Meter): Realisation {
  const { scan, grid, psf, recipe } = subject;
  const seed = recipe.seed * 1000 + Math.round(1 / dose) * 20 + number;
  const { poisson } = coincide.random(seed, 106);
  const { layout } = scan.mean;
  const scaled = (values: coincide.NdArray, value: (x: number) => number): coincide.NdArray =>
    coincide.array(values.shape, Float32Array.from(values.data, value));
  const drawn: coincide.Scan = {
    prompts: { layout, values: scaled(scan.mean.values, (y) => poisson(dose * y)) },
    multiplicative: { layout, values: scaled(scan.multiplicative.values, (m) => dose * m) },
    additive: scan.additive,
    position: 'HFS',
  };
  let first: Promise<{ result: coincide.PetImage; cost: Cost }> | undefined;
  let owed = none;
  let fit: Promise<(image: coincide.Volume) => Promise<number>> | undefined;
  const makeFit = async (): Promise<(image: coincide.Volume) => Promise<number>> => {
    const mask = coincide.fieldOfViewMask(layout, grid);
    const subsets = await coincide.systemModel(drawn, used.engine, grid, { psf, mask });
    const of = async (image: coincide.Volume): Promise<number> => {
      const world = coincide.petImage(coincide.centredGrid(subject.shape, subject.voxelSize), image, 'SUV');
      const found = await coincide.deviance(subsets, coincide.fromWorld(world, 'HFS').values);
      return found.deviance / found.bins;
    };
    const truth = await of(coincide.array(subject.shape, subject.truth));
    return async (image) => (await of(image)) / truth;
  };
  const base = { unit: 'SUV', subsets: 8, iterations: osemPasses, psf, seed } as const;
  return {
    subject,
    dose,
    seed,
    model: used.model,
    async reconstruct(options) {
      const samples = options.samples ?? 4;
      const { image, spread } = await reconstruct(drawn, grid, used.engine, { ...base, model: used.model, ...options });
      return { image: image.values, ...(spread ? { spread: spread.values, samples } : {}) };
    },
    async osem() {
      if (first) owed = (await first).cost;
      else first = used.measure(async () => (await reconstruct(drawn, grid, used.engine, base)).image);
      return (await first).result;
    },
    async devianceRatio(image) {
      fit ??= makeFit();
      return (await fit)(image);
    },
    shared() {
      const cost = owed;
      owed = none;
      return cost;
    },
  };
}
