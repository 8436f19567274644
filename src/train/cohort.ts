/** @file  Training subjects by simulation: phantom → scan → thinned to a low dose → OSEM, all by this library, so that the noise is that of
 *  PET. The scan is projected once; each low-dose image is a Poisson draw of a fraction of its mean, which is what thinning a full scan
 *  gives. Truth and scan are on the same grid: what the voxels of the truth cannot show, the scan does not hold either. */
import { array, fill, type NdArray, type Volume } from '../core/array.js';
import { centredGrid, type Grid, type PetImage, petImage } from '../core/image.js';
import type { PoissonSubset } from '../core/interfaces.js';
import { type CallOptions, last, turn } from '../core/iterate.js';
import { type Random, random } from '../core/random.js';
import { fromWorld, toWorld } from '../geometry/frame.js';
import { fieldOfViewMask } from '../geometry/grid.js';
import { gatherViews } from '../geometry/sinogram.js';
import { orderedSubsets } from '../geometry/subsets.js';
import { compose } from '../projector/compose.js';
import type { ProjectorEngine } from '../projector/engine.js';
import { gaussianPsf } from '../projector/psf.js';
import { significant } from '../projector/system-model.js';
import { osem, uniformStart } from '../recon/osem.js';
import { type ExpectedScan, expectedScan } from '../simulate/acquisition.js';
import { magneticResonance } from '../simulate/magnetic.js';
import { phantom } from '../simulate/phantom.js';
import { relativeActivity, type Tracer } from '../simulate/tissues.js';
import { virtualLayout, virtualScanner } from '../simulate/virtual-scanners.js';
import type { CohortConfig } from './cohort-config.js';
import { type Region, regionGrid } from './regions.js';
import type { Subject } from './subject.js';

/** What is simulated. */
export interface Recipe {
  readonly region: Region;
  readonly tracer: Tracer;
  /** Name of a virtual scanner. */
  readonly scanner: string;
  readonly seed: number;
  /** mm. */
  readonly voxel: number;
  /** Thickness of a slice, relative to the voxel. */
  readonly thickness: number;
  /** Place along the region, 0 … 1. */
  readonly along: number;
  /** Full dose of this subject, relative to the usual one. */
  readonly exposure: number;
  /** What the anatomy is: μ in 1/cm, or something like MR. */
  readonly anatomy: 'mu' | 'mr';
  readonly draws: readonly Draw[];
  /** An odd number. @default as many as the voxels allow, from 33 to 81 */
  readonly slices?: number | undefined;
}

/** How one low-dose image is made. */
export interface Draw {
  /** Share of the full dose. */
  readonly dose: number;
  readonly iterations: number;
  /** Whether the reconstruction models the resolution. */
  readonly psf: boolean;
  /** Gaussian after the reconstruction, mm FWHM; 0 none. */
  readonly filter: number;
  readonly seed: number;
}

/** A subject with what its evaluation needs. */
export interface SimulatedSubject extends Subject {
  readonly recipe: Recipe;
  readonly anatomy: Float32Array;
  readonly labels: Float32Array;
  readonly names: Readonly<Record<number, string>>;
  /** Expected trues at full dose. */
  readonly trues: number;
}

export type Group = 'training' | 'validation' | 'test';
const firstOf: Readonly<Record<Group, number>> = { training: 0, validation: 400_000, test: 500_000 };

/** The seed of a subject: groups never share one. @param number from 1. */
export function subjectSeed(seed: number, group: Group, number: number): number {
  return seed * 1_000_000 + firstOf[group] + number;
}

/** Draws a subject from the lists of a cohort. */
export function recipeOf(config: Omit<CohortConfig, 'keptOut'>, seed: number): Recipe {
  const r = random(seed, 40);
  const pick = <T>(list: readonly T[]): T => list[r.integer(list.length)]!;
  const recipe = {
    ...{ region: pick(config.regions), tracer: pick(config.tracers), scanner: pick(config.scanners), seed },
    ...{ voxel: logUniform(config.voxel, r), thickness: 0.75 + 0.5 * r.uniform(), along: r.uniform() },
    exposure: Math.exp(0.3 * r.normal()),
    anatomy: random(seed, 41).uniform() < config.mrShare ? ('mr' as const) : ('mu' as const),
  };
  const draws = Array.from({ length: config.draws }, (_, k): Draw => {
    const [psf, filtered] = [r.uniform() < config.psfShare, r.uniform() < config.filteredShare];
    const [dose, iterations, fwhm] = [logUniform(config.doses, r), 2 + r.integer(2), 2 + 4 * r.uniform()];
    return { dose, iterations, psf, filter: filtered ? fwhm : 0, seed: seed * 100 + k };
  });
  return { ...recipe, draws };
}

/**
 * The subject of that number: those of training come first, then those of validation.
 * @param number from 1 to subjects + validation.
 */
export function simulateSubject(
  config: CohortConfig,
  seed: number,
  number: number,
  engine: ProjectorEngine,
  options: CallOptions = {},
): Promise<SimulatedSubject> {
  const own =
    number <= config.subjects ? subjectSeed(seed, 'training', number) : subjectSeed(seed, 'validation', number - config.subjects);
  return simulateRecipe(recipeOf(config, own), config.voxels, engine, options);
}

/** A subject before it is scanned: all that the dice of a realisation do not decide. */
export interface RecipeScan extends Pick<SimulatedSubject, 'shape' | 'voxelSize' | 'truth' | 'anatomy' | 'labels' | 'names'> {
  /** Of the reconstruction, in the frame of the scanner; patient position HFS. */
  readonly grid: Grid;
  /** At full dose; with its factors, images are in SUV. */
  readonly scan: ExpectedScan;
  /** Resolution of the scanner, mm FWHM. */
  readonly psf: number;
}

/** What the scanner of a recipe would count of its subject on average; `draws` take no part. @param voxels that images have about. */
export async function recipeScan(
  recipe: Recipe,
  voxels: number,
  engine: ProjectorEngine,
  options: CallOptions = {},
): Promise<RecipeScan> {
  const { region, tracer, seed } = recipe;
  const who = { seed, tracer };
  const { kind, grid: place } = regionGrid(region, who, { ...recipe, voxels });
  const { activity, mu, labels, names } = phantom(kind, { ...who, grid: place });
  const scanner = virtualScanner(recipe.scanner);
  // The bed brings the region to the middle of the scanner.
  const centred = ({ values, unit }: PetImage): PetImage => petImage(centredGrid(place.shape, place.voxelSize), values, unit);
  const scan = await expectedScan({
    ...{ activity: centred(activity), mu: centred(mu), layout: virtualLayout(scanner, place), engine, ...options },
    ...{ psf: scanner.psf, randomsFraction: scanner.randomsFraction, scatterFraction: scanner.scatterFraction },
    sensitivity: scanner.sensitivity * relativeActivity[tracer] * recipe.exposure,
  });
  const anatomy = recipe.anatomy === 'mu' ? mu.values : await magneticResonance(labels, seed, options);
  return {
    ...{ shape: place.shape, voxelSize: place.voxelSize, truth: activity.values.data, anatomy: anatomy.data },
    ...{ labels: labels.values.data, names, scan, psf: scanner.psf, grid: fromWorld(centred(activity), 'HFS').grid },
  };
}

/** A subject as its recipe says. @param voxels that its images have about. */
export async function simulateRecipe(
  recipe: Recipe,
  voxels: number,
  engine: ProjectorEngine,
  options: CallOptions = {},
): Promise<SimulatedSubject> {
  const { grid, scan, psf, ...subject } = await recipeScan(recipe, voxels, engine, options);
  const mask = fieldOfViewMask(scan.mean.layout, grid);
  const lowDose: Float32Array[] = [];
  const models = new Map<boolean, readonly Undrawn[]>();
  for (const draw of recipe.draws) {
    const known = models.get(draw.psf) ?? (await subsetsOf(scan, grid, engine, draw.psf ? psf : 0, options));
    models.set(draw.psf, known);
    const image = await reconstructDraw(known, mask, grid, draw, options);
    lowDose.push(toWorld(image, grid, 'HFS', 'SUV').values.data);
  }
  return { ...subject, recipe, lowDose, trues: scan.expected.trues };
}

/** A subset whose data are still to be drawn. */
interface Undrawn extends Omit<PoissonSubset, 'prompts'> {
  /** Expected prompts at full dose. */
  readonly mean: NdArray;
}

/**
 * The scan's subsets. The factors m cancel between Aᵀ m and y / (m (A x + a)), so that the model is A alone and only the sensitivity
 * knows them: two passes over the data less.
 */
async function subsetsOf(
  { multiplicative, additive, mean }: ExpectedScan,
  grid: Grid,
  engine: ProjectorEngine,
  psf: number,
  options: CallOptions,
): Promise<Undrawn[]> {
  const { layout } = multiplicative;
  const made: Undrawn[] = [];
  for (const views of orderedSubsets(layout.views, subsetCount)) {
    const lines = engine.sinogramProjector(layout, views, grid);
    const model = psf === 0 ? lines : compose(lines, engine.gaussianPsf(grid, psf));
    const sensitivity = significant(await model.adjoint(gatherViews(multiplicative, views), options));
    made.push({ model, background: gatherViews(additive, views), sensitivity, mean: gatherViews(mean, views) });
  }
  return made;
}
const subsetCount = 8;

/** One noisy image: y ~ Poisson(dose · ȳ), reconstructed as y / dose, then filtered. */
async function reconstructDraw(
  undrawn: readonly Undrawn[],
  mask: NdArray,
  grid: Grid,
  { dose, iterations, filter, seed }: Draw,
  options: CallOptions,
): Promise<Volume> {
  const { poisson } = random(seed, 103);
  const subsets: PoissonSubset[] = [];
  for (const { mean, ...subset } of undrawn) {
    await turn(options.signal);
    subsets.push({
      ...subset,
      prompts: array(
        mean.shape,
        mean.data.map((y) => poisson(dose * y) / dose),
      ),
    });
  }
  const start = uniformStart(subsets).data;
  const initial = fill(grid.shape, (i) => start[i]! * mask.data[i]!);
  const { image } = await last(osem(subsets, { epochs: iterations, initial, ...options }));
  return filter === 0 ? image : gaussianPsf(grid, filter).forward(image, options);
}

function logUniform([low, high]: readonly [number, number], r: Random): number {
  return low * (high / low) ** r.uniform();
}
