/** @file  The description of a simulated cohort: which anatomies, tracers, scanners and doses, and which are kept out of training. */
import { z } from 'zod';
import { FormatError } from '../core/errors.js';
import { type Tracer, tracers } from '../simulate/tissues.js';
import { virtualScannerNames } from '../simulate/virtual-scanners.js';
import { type Region, regionNames } from './regions.js';

/** Raised with every change of what a configuration gives. */
const simulation = 2;

/** Simulated subjects: phantom → scan → OSEM, drawn from these lists. */
export interface CohortConfig {
  /** Version of the simulation, so that subjects kept by another one are not taken for these. */
  readonly simulation: typeof simulation;
  /** Part of the body, and phantom, that a subject shows. @default neck, chest, abdomen, pelvis, thighs, thorax */
  readonly regions: readonly Region[];
  /** @default ['fdg', 'psma', 'fapi'] */
  readonly tracers: readonly Tracer[];
  /** Virtual scanners. @default ['legacy', 'clinical', 'digital', 'totalbody'] */
  readonly scanners: readonly string[];
  /** What training must never see: an error if a list above holds it. @default the brain; DOTATATE and amyloid; petmr */
  readonly keptOut: {
    readonly regions: readonly Region[];
    readonly tracers: readonly Tracer[];
    readonly scanners: readonly string[];
  };
  /** Training subjects. @default 96 */
  readonly subjects: number;
  /** Validation subjects, of the same lists and other seeds. @default 6 */
  readonly validation: number;
  /** Low-dose images of each subject. @default 4 */
  readonly draws: number;
  /** Lowest and highest share of the full dose; log-uniform between. @default [0.01, 0.5] */
  readonly doses: readonly [number, number];
  /** Smallest and largest voxel, mm; log-uniform between, heads at 0.7 of it. @default [2.8, 4.5] */
  readonly voxel: readonly [number, number];
  /** Voxels that a subject has about; it is as wide as the body and as long as they allow. @default 260 000 */
  readonly voxels: number;
  /** Share of the low-dose images that are reconstructed with the scanner's resolution in the model. @default 0.5 */
  readonly psfShare: number;
  /** Share of the low-dose images that are filtered (Gaussian of 2 … 6 mm FWHM) as many clinics do. @default 0.25 */
  readonly filteredShare: number;
  /** Share of the subjects whose anatomy is like MR instead of μ. @default 0.3 */
  readonly mrShare: number;
}

const count = z.int().positive();
const share = z.number().min(0).max(1);
const named = <T extends string>(names: readonly T[]) => z.array(z.enum(names as [T, ...T[]]));

/** Of the field `cohort` of a training configuration; unknown fields are errors. */
export const cohortSchema: z.ZodType<CohortConfig> = z
  .strictObject({
    simulation: z.literal(simulation).default(simulation),
    regions: named(regionNames).min(1).default(['neck', 'chest', 'abdomen', 'pelvis', 'thighs', 'thorax']),
    tracers: named(tracers).min(1).default(['fdg', 'psma', 'fapi']),
    scanners: named(virtualScannerNames).min(1).default(['legacy', 'clinical', 'digital', 'totalbody']),
    keptOut: z
      .strictObject({
        regions: named(regionNames).default(['brain']),
        tracers: named(tracers).default(['dotatate', 'amyloid']),
        scanners: named(virtualScannerNames).default(['petmr']),
      })
      .prefault({}),
    subjects: count.max(400_000).default(96),
    validation: count.max(100_000).default(6),
    draws: count.max(100).default(4),
    doses: z.tuple([z.number().positive().max(1), z.number().positive().max(1)]).default([0.01, 0.5]),
    voxel: z.tuple([z.number().min(1).max(10), z.number().min(1).max(10)]).default([2.8, 4.5]),
    voxels: count.min(20_000).default(260_000),
    psfShare: share.default(0.5),
    filteredShare: share.default(0.25),
    mrShare: share.default(0.3),
  })
  .prefault({});

/**
 * The cohort, if it is consistent.
 * @throws FormatError when a range runs backwards, or a list holds what is kept out of training.
 */
export function checkedCohort(cohort: CohortConfig, file?: string): CohortConfig {
  for (const key of ['doses', 'voxel'] as const) {
    const [low, high] = cohort[key];
    if (low > high)
      throw new FormatError('Cohort', { file, key: `cohort.${key}`, expected: 'lowest, highest', found: cohort[key] });
  }
  for (const key of ['regions', 'tracers', 'scanners'] as const) {
    const both = (cohort[key] as readonly string[]).find((name) => (cohort.keptOut[key] as readonly string[]).includes(name));
    if (both === undefined) continue;
    throw new FormatError('Training would see what is kept out of it', {
      ...{ file, key: `cohort.${key}`, found: both },
      hint: `Take it off the list, or off cohort.keptOut.${key}.`,
    });
  }
  return cohort;
}
