/** @file  What phantoms are made of: label, attenuation at 511 keV, and uptake per tracer.
 *  Attenuation from density, as in NIST's tables (water 0.096 1/cm). Uptakes are typical SUVs an hour after injection, rounded; single
 *  subjects vary, see `spread`. What the columns were held against (means over patients; the organs that these do not give are estimates):
 *    FDG       Wang et al. 2007, doi:10.1007/s11307-006-0075-y: SUVmean cerebellum 8.0 ± 2.2, tonsils 3.5 ± 1.4, sublingual 3.3 ± 1.5,
 *              testes 2.6 ± 0.6; liver 2.2, blood 1.6, grey matter about three times white
 *    PSMA      Muchnik Kurash et al. 2020, doi:10.1038/s41598-020-60099-y: SUVmean kidneys 42, parotid 14.5, submandibular 13, prostate 2.4
 *    DOTATATE  Kuyumcu et al. 2013, doi:10.1007/s12149-013-0718-4: SUVmax spleen 25, kidneys 14, adrenals 14, pituitary 10, liver 9, of
 *              which means are taken to be two thirds to nine tenths
 *    FAPI      Mu et al. 2022, doi:10.3389/fnume.2022.927843: SUVmean gallbladder, uterus, submandibular 2.9 … 4.2, soft tissue 0.9 … 1.5,
 *              bone 0.3 … 0.7
 *    amyloid   no single source: white above grey matter in negative scans, cortex raised in positive ones, excretion by liver and bile */
import type { Variation } from './variation.js';

/** `amyloid` is negative in the canonical subject (white matter above grey), and positive in two of five others. */
export type Tracer = 'fdg' | 'psma' | 'dotatate' | 'amyloid' | 'fapi';

export interface Material {
  readonly label: number;
  /** SUV. */
  readonly activity: number;
  /** 1/cm. */
  readonly mu: number;
  /** Relative amplitude (SD) of the smooth texture. */
  readonly texture: number;
}

// biome-ignore format: a list
export type Tissue =
  | 'fat' | 'muscle' | 'lung' | 'mediastinum' | 'blood' | 'myocardium' | 'liver'
  | 'spleen' | 'stomach' | 'kidney' | 'abdomen' | 'bone' | 'marrow' | 'air'
  | 'oesophagus' | 'breast' | 'bowel' | 'spinal cord' | 'grey matter' | 'white matter' | 'CSF'
  | 'basal ganglia' | 'thalamus' | 'cerebellum' | 'brainstem' | 'skull' | 'water' | 'plastic'
  | 'low density' | 'urine' | 'prostate' | 'uterus' | 'thyroid' | 'parotid gland' | 'submandibular gland'
  | 'sublingual gland' | 'lacrimal gland' | 'pituitary' | 'adrenal' | 'pancreas' | 'duodenum' | 'colon'
  | 'gallbladder' | 'testis' | 'tonsil' | 'tongue' | 'nasal mucosa';

// biome-ignore format: a list
type Row = readonly [
  label: number, mu: number,
  fdg: number, psma: number, dotatate: number, amyloid: number, fapi: number,
  spread: number, texture: number,
];

// Columns: label, μ (1/cm), SUV for FDG, PSMA, DOTATATE, amyloid, FAPI, standard deviation of ln SUV over subjects, texture.
// biome-ignore format: a table
const table: Readonly<Record<Tissue, Row>> = {
  'fat':                  [ 1, 0.088,  0.3,  0.3,  0.3,  0.4,  0.3, 0.20, 0.10],
  'muscle':               [ 2, 0.096,  0.7,  0.5,  0.7,  0.8,  1.1, 0.20, 0.12],
  'lung':                 [ 3, 0.030,  0.5,  0.4,  0.5,  0.4,  0.5, 0.25, 0.15],
  'mediastinum':          [ 4, 0.094,  0.9,  0.6,  0.8,  0.7,  1.0, 0.20, 0.12],
  'blood':                [ 5, 0.100,  1.6,  1.4,  1.1,  1.2,  1.5, 0.20, 0.04],
  'myocardium':           [ 6, 0.100,  6.0,  1.4,  1.2,  1.3,  1.3, 0.25, 0.09],
  'liver':                [ 7, 0.100,  2.2,  5.5,  6.5,  8.0,  1.2, 0.20, 0.08],
  'spleen':               [ 8, 0.100,  1.9,  7.0,   20,  1.5,  1.2, 0.25, 0.08],
  'stomach':              [ 9, 0.098,  1.7,  2.5,    4,  1.5,  1.3, 0.40, 0.15],
  'kidney':               [10, 0.100,  4.0,   40,   13,  4.0,  2.2, 0.35, 0.15],
  'abdomen':              [11, 0.094,  0.8,  1.2,  0.9,  0.8,  0.8, 0.25, 0.15],
  'bone':                 [12, 0.140,  0.6,  0.3,  0.5,  0.5,  0.4, 0.20, 0.08],
  'marrow':               [13, 0.112,  1.2,  0.5,  0.9,  0.9,  0.7, 0.30, 0.12],
  'air':                  [14,     0,    0,    0,    0,    0,    0,    0,    0],
  'oesophagus':           [15, 0.096,  1.5,  0.8,  1.1,  1.0,  1.2, 0.30, 0.10],
  'breast':               [16, 0.094,  0.6,  0.5,  0.7,  0.5,  0.9, 0.30, 0.15],
  'bowel':                [17, 0.096,  1.6,  6.0,    3,  2.0,  1.1, 0.50, 0.15],
  'spinal cord':          [18, 0.096,  1.5,  0.5,  0.6,  1.2,  0.6, 0.20, 0.05],
  'grey matter':          [20, 0.097,  8.0,  0.4,  0.3,  1.1, 0.15, 0.20, 0.10],
  'white matter':         [21, 0.097,  2.5,  0.3, 0.25,  1.9, 0.12, 0.15, 0.06],
  'CSF':                  [22, 0.096,  0.4,  0.2,  0.2,  0.3,  0.1, 0.20,    0],
  'basal ganglia':        [23, 0.097,  8.8,  0.4,  0.3,  1.3, 0.15, 0.20, 0.08],
  'thalamus':             [24, 0.097,  7.6,  0.4,  0.3,  1.6, 0.15, 0.20, 0.08],
  'cerebellum':           [25, 0.097,  6.8,  0.4,  0.3,  1.0, 0.15, 0.20, 0.10],
  'brainstem':            [26, 0.097,  4.2,  0.4,  0.3,  2.0,  0.2, 0.20, 0.06],
  'skull':                [27, 0.155,  0.7,  0.4,  0.5,  0.5,  0.5, 0.20, 0.10],
  'water':                [30, 0.096,  1.0,  1.0,  1.0,  1.0,  1.0,    0,    0],
  'plastic':              [31, 0.110,    0,    0,    0,    0,    0,    0,    0],
  'low density':          [32, 0.029,    0,    0,    0,    0,    0,    0,    0],
  'urine':                [40, 0.097,   18,   25,   12,    8,    6,  0.8,    0],
  'prostate':             [41, 0.098,  1.6,  2.4,    3,    1,  1.5, 0.35, 0.12],
  'uterus':               [42, 0.097,    2,  1.2,  2.5,    1,  3.8,  0.4, 0.12],
  'thyroid':              [43, 0.103,  1.3,  1.2,  2.6,  1.2,  1.6, 0.35, 0.08],
  'parotid gland':        [44, 0.096,  1.8, 14.5,  1.6,    1,  1.6,  0.3,  0.1],
  'submandibular gland':  [45, 0.097,  2.2,   13,    2,    1,  3.2,  0.3, 0.08],
  'sublingual gland':     [46, 0.097,  3.3,    6,  1.5,    1,  1.5,  0.4, 0.08],
  'lacrimal gland':       [47, 0.096,  1.2,    6,    1,  0.8,    1,  0.4,    0],
  'pituitary':            [48, 0.097,  2.8,  0.9,  6.5,  1.2,  0.8,  0.4,    0],
  'adrenal':              [49, 0.097,  1.6,    3,    9,  2.5,    1, 0.35,    0],
  'pancreas':             [50, 0.097,  1.5,    2,    4,  2.5,  1.8, 0.35, 0.12],
  'duodenum':             [51, 0.096,  1.8,   10,    4,    3,  1.2,  0.4, 0.15],
  'colon':                [52, 0.092,  1.7,  1.8,    2,    2,    1,  0.6,  0.2],
  'gallbladder':          [53, 0.097,  0.8,    4,  2.5,   15,  3.5,  0.7,    0],
  'testis':               [54, 0.097,  2.6,  0.9,  1.2,  0.8,    1, 0.25, 0.05],
  'tonsil':               [55, 0.097,  3.4,  1.5,    2,  0.9,  1.2,  0.4, 0.05],
  'tongue':               [56, 0.097,  1.4,    1,    1,  0.8,    1,  0.3,  0.1],
  'nasal mucosa':         [57,  0.06,  1.7,  2.2,  1.2,  0.8,  1.2,  0.3,  0.1],
};

/** Labels of lesions, and of other inserts, begin here: 101, 102, … */
export const firstInsertLabel: number = 101;

const column: Readonly<Record<Tracer, 2 | 3 | 4 | 5 | 6>> = { fdg: 2, psma: 3, dotatate: 4, amyloid: 5, fapi: 6 };
/** The tracers there are. */
export const tracers: readonly Tracer[] = Object.keys(column) as Tracer[];

/** Median SUV of hot lesions. */
export const lesionUptake: Readonly<Record<Tracer, number>> = { fdg: 6, psma: 10, dotatate: 14, amyloid: 3, fapi: 8 };

/** Positron emitters in the patient during the scan, per SUV, relative to FDG's: injected activity, decay until the scan, branching. */
export const relativeActivity: Readonly<Record<Tracer, number>> = { fdg: 1, psma: 0.5, dotatate: 0.5, amyloid: 1.2, fapi: 0.6 };

/** Tissues that bind amyloid tracers in positive scans. */
const amyloidTissues: readonly Tissue[] = ['grey matter', 'basal ganglia'];

/** The tissue in this subject: its uptake drawn once, so that all its parts agree. */
export function tissueLibrary(tracer: Tracer, { spread, chance, between }: Variation): (tissue: Tissue) => Material {
  const drawn = new Map<Tissue, Material>();
  // All are drawn at once: which parts a phantom has must not change the uptake of the others.
  for (const tissue of Object.keys(table) as Tissue[]) {
    const row: Row = table[tissue];
    const [label, mu, , , , , , variation, texture] = row;
    drawn.set(tissue, { label, mu, texture, activity: row[column[tracer]] * Math.exp(spread(variation)) });
  }
  if (tracer === 'amyloid' && chance(0.4)) {
    const load = between(1.4, 2.4, 1);
    for (const tissue of amyloidTissues)
      drawn.set(tissue, { ...drawn.get(tissue)!, activity: load * drawn.get(tissue)!.activity });
  }
  return (tissue) => drawn.get(tissue)!;
}

/** Name of every tissue label. */
export function tissueNames(): Map<number, string> {
  return new Map(Object.entries(table).map(([name, [label]]) => [label, name]));
}
