/** @file  Digital phantoms: activity, attenuation and labels on a grid in the patient's world, from lists of analytic solids.
 *  Seed 0 is the canonical subject: fixed, without texture, so that every region is exactly uniform away from its borders. With another
 *  seed everything differs, within what subjects differ by: sizes, places, a smooth bending of the whole, uptakes, texture, lesions. */
import type { Point, Shape3, Volume } from '../core/array.js';
import { OptionError } from '../core/errors.js';
import { centredGrid, checkedGrid, type Grid, type PetImage, petImage } from '../core/image.js';
import { type Anatomy, type PhantomContext, warpOf } from './anatomy.js';
import { brain } from './phantoms/brain.js';
import { cylinderPhantom } from './phantoms/cylinder.js';
import { nemaIq } from './phantoms/nema-iq.js';
import { thorax } from './phantoms/thorax.js';
import { wholeBody, wholeBodyMiddle } from './phantoms/whole-body.js';
import { type Tracer, tissueLibrary, tissueNames, tracers } from './tissues.js';
import { variation } from './variation.js';
import { voxelise } from './voxelise.js';
import { waves } from './waves.js';

export type PhantomKind = 'cylinder' | 'nema-iq' | 'thorax' | 'brain' | 'wholebody';

export interface PhantomOptions {
  /** @default voxels of 4 mm: 31 × 95 × 95 centred on 0; the whole body from the crown to the thighs */
  readonly grid?: Grid | undefined;
  /** Which subject: an integer; 0 is the canonical one. @default 0 */
  readonly seed?: number | undefined;
  /** Decides the uptake of every organ. @default 'fdg' */
  readonly tracer?: Tracer | undefined;
  /** NEMA phantom: the two largest spheres cold, as in NU 2-2007, instead of hot. @default false; by chance with a seed */
  readonly coldSpheres?: boolean | undefined;
  /** Whole body: where the arms are. @default up in the canonical subject, by chance in others */
  readonly arms?: 'up' | 'down' | undefined;
}

export interface Phantom {
  /** SUV. */
  readonly activity: PetImage;
  /** 1/cm at 511 keV. */
  readonly mu: PetImage;
  /** Label of the part at each voxel's centre; 0 outside. */
  readonly labels: PetImage;
  /** What each label that can occur is; lesions and spheres from 101. */
  readonly names: Readonly<Record<number, string>>;
}

const makers: Record<PhantomKind, (context: PhantomContext) => Anatomy> = {
  cylinder: cylinderPhantom,
  'nema-iq': nemaIq,
  thorax,
  brain,
  wholebody: wholeBody,
};
/** The phantoms there are. */
export const phantomKinds: readonly PhantomKind[] = Object.keys(makers) as PhantomKind[];

/** A grid that shows the phantom: the field of view of the scanner `small`, or the whole body. @param voxel mm. */
export function phantomGrid(kind: PhantomKind, voxel = 4): Grid {
  const extent: Point = kind === 'wholebody' ? [1180, 320, 640] : [124, 380, 380];
  const shape = extent.map((mm) => Math.max(1, Math.round(mm / voxel))) as unknown as Shape3;
  const { origin, voxelSize } = centredGrid(shape, [voxel, voxel, voxel]);
  return { shape, voxelSize, origin: kind === 'wholebody' ? [origin[0] + wholeBodyMiddle, origin[1], origin[2]] : origin };
}

// Streams of random numbers of one seed.
const forAnatomy = 0;
const forUptake = 1;
const forLesions = 2;
const forWarp = 3;
const forTexture = 4;

/**
 * A phantom on a grid. It is defined in mm, so that any grid shows the same subject, or as much of it as fits.
 * @throws OptionError for an unknown kind or tracer, or a seed that is not an integer.
 * @throws GeometryError for a grid that cannot be.
 */
export function phantom(kind: PhantomKind, options: PhantomOptions = {}): Phantom {
  const { seed = 0, tracer = 'fdg', coldSpheres, arms } = options;
  if (!Object.hasOwn(makers, kind)) {
    throw new OptionError('Unknown phantom', { expected: `one of ${phantomKinds.join(', ')}`, found: kind });
  }
  if (!tracers.includes(tracer)) {
    throw new OptionError('Unknown tracer', { expected: `one of ${tracers.join(', ')}`, found: tracer });
  }
  if (!Number.isSafeInteger(seed)) throw new OptionError('Seed', { key: 'seed', expected: 'an integer', found: seed });
  const grid = checkedGrid(options.grid ?? phantomGrid(kind));
  const anatomy = makers[kind]({
    tissue: tissueLibrary(tracer, variation(seed, forUptake)),
    anatomy: variation(seed, forAnatomy),
    lesions: variation(seed, forLesions),
    seed,
    tracer,
    arms,
    coldSpheres,
  });
  const voxels = voxelise(anatomy.parts, grid, {
    warp: warpOf(anatomy.bending, variation(seed, forWarp), seed),
    texture: seed === 0 ? undefined : waves(seed, forTexture, { wavelengths: [22, 90], count: 12 }),
  });
  const used = new Set(anatomy.parts.map(({ label }) => label));
  const names = [...tissueNames(), ...anatomy.inserts].filter(([label]) => used.has(label));
  const meta = { phantom: kind, seed, tracer };
  const image = (values: Volume, unit: PetImage['unit']): PetImage => petImage(grid, values, unit, meta);
  return {
    activity: image(voxels.activity, 'SUV'),
    mu: image(voxels.mu, '1/cm'),
    labels: image(voxels.labels, 'label'),
    names: Object.fromEntries(names),
  };
}
