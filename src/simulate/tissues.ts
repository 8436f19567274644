/** @file  What phantoms are made of: label, attenuation at 511 keV, and uptake per tracer.
 *  Attenuation from density, as in NIST's tables (water 0.096 1/cm). Uptakes are typical SUVs of the clinical literature an hour after
 *  injection (FDG liver 2.2, blood pool 1.6, grey matter about three times white); single subjects vary, see `spread`. */
import type { Variation } from './variation.js';

/** `amyloid` is an amyloid-negative scan: white matter above grey. */
export type Tracer = 'fdg' | 'psma' | 'amyloid';

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
  | 'low density';

type Row = readonly [label: number, mu: number, fdg: number, psma: number, amyloid: number, spread: number, texture: number];

// Columns: label, μ (1/cm), SUV for FDG, PSMA, amyloid, standard deviation of ln SUV over subjects, texture.
// biome-ignore format: a table
const table: Readonly<Record<Tissue, Row>> = {
  'fat':              [ 1, 0.088, 0.3, 0.3, 0.4, 0.20, 0.10],
  'muscle':           [ 2, 0.096, 0.7, 0.5, 0.8, 0.20, 0.12],
  'lung':             [ 3, 0.030, 0.5, 0.4, 0.4, 0.25, 0.15],
  'mediastinum':      [ 4, 0.094, 0.9, 0.6, 0.7, 0.20, 0.12],
  'blood':            [ 5, 0.100, 1.6, 1.4, 1.2, 0.20, 0.04],
  'myocardium':       [ 6, 0.100, 6.0, 1.4, 1.3, 0.25, 0.09],
  'liver':            [ 7, 0.100, 2.2, 5.5, 8.0, 0.20, 0.08],
  'spleen':           [ 8, 0.100, 1.9, 7.0, 1.5, 0.25, 0.08],
  'stomach':          [ 9, 0.098, 1.7, 2.5, 1.5, 0.40, 0.15],
  'kidney':           [10, 0.100, 4.0, 32,  4.0, 0.35, 0.15],
  'abdomen':          [11, 0.094, 0.8, 1.2, 0.8, 0.25, 0.15],
  'bone':             [12, 0.140, 0.6, 0.3, 0.5, 0.20, 0.08],
  'marrow':           [13, 0.112, 1.2, 0.5, 0.9, 0.30, 0.12],
  'air':              [14, 0,     0,   0,   0,   0,    0   ],
  'oesophagus':       [15, 0.096, 1.5, 0.8, 1.0, 0.30, 0.10],
  'breast':           [16, 0.094, 0.6, 0.5, 0.5, 0.30, 0.15],
  'bowel':            [17, 0.096, 1.6, 6.0, 2.0, 0.50, 0.15],
  'spinal cord':      [18, 0.096, 1.5, 0.5, 1.2, 0.20, 0.05],
  'grey matter':      [20, 0.097, 8.0, 0.4, 1.1, 0.20, 0.10],
  'white matter':     [21, 0.097, 2.5, 0.3, 1.9, 0.15, 0.06],
  'CSF':              [22, 0.096, 0.4, 0.2, 0.3, 0.20, 0   ],
  'basal ganglia':    [23, 0.097, 8.8, 0.4, 1.3, 0.20, 0.08],
  'thalamus':         [24, 0.097, 7.6, 0.4, 1.6, 0.20, 0.08],
  'cerebellum':       [25, 0.097, 6.8, 0.4, 1.0, 0.20, 0.10],
  'brainstem':        [26, 0.097, 4.2, 0.4, 2.0, 0.20, 0.06],
  'skull':            [27, 0.155, 0.7, 0.4, 0.5, 0.20, 0.10],
  'water':            [30, 0.096, 1.0, 1.0, 1.0, 0,    0   ],
  'plastic':          [31, 0.110, 0,   0,   0,   0,    0   ],
  'low density':      [32, 0.029, 0,   0,   0,   0,    0   ],
};

/** Labels of lesions, and of other inserts, begin here: 101, 102, … */
export const firstInsertLabel: number = 101;

const column: Readonly<Record<Tracer, 2 | 3 | 4>> = { fdg: 2, psma: 3, amyloid: 4 };
/** The tracers there are. */
export const tracers: readonly Tracer[] = Object.keys(column) as Tracer[];

/** The tissue in this subject: its uptake drawn once, so that all its parts agree. */
export function tissueLibrary(tracer: Tracer, { spread }: Variation): (tissue: Tissue) => Material {
  const drawn = new Map<Tissue, Material>();
  // All are drawn at once: which parts a phantom has must not change the uptake of the others.
  for (const tissue of Object.keys(table) as Tissue[]) {
    const row: Row = table[tissue];
    const [label, mu, , , , variation, texture] = row;
    drawn.set(tissue, { label, mu, texture, activity: row[column[tracer]] * Math.exp(spread(variation)) });
  }
  return (tissue) => drawn.get(tissue)!;
}

/** Name of every tissue label. */
export function tissueNames(): Map<number, string> {
  return new Map(Object.entries(table).map(([name, [label]]) => [label, name]));
}
