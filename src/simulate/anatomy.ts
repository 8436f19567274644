/** @file  What a phantom's file is given and gives; and the smooth map that makes a subject of it,
 *    q = D R (p − shift) + b(p):  sizes along the axes, roll about z, and bending by smooth random fields. */
import type { Point } from '../core/array.js';
import type { Material, Tissue, Tracer } from './tissues.js';
import type { Variation } from './variation.js';
import type { Part, Warp } from './voxelise.js';
import { waves } from './waves.js';

export interface PhantomContext {
  /** Material of a tissue in this subject. */
  readonly tissue: (tissue: Tissue) => Material;
  /** Draws sizes and places. */
  readonly anatomy: Variation;
  /** Draws lesions. */
  readonly lesions: Variation;
  readonly seed: number;
  readonly tracer: Tracer;
  /** @default by chance */
  readonly arms?: 'up' | 'down' | undefined;
  readonly coldSpheres?: boolean | undefined;
}

export interface Anatomy {
  /** Later parts override earlier ones. */
  readonly parts: readonly Part[];
  /** Labels and names of lesions and other inserts. */
  readonly inserts: ReadonlyMap<number, string>;
  readonly bending: Bending;
}

/** How much subjects differ as a whole. */
export interface Bending {
  /** SD of the relative size along z, y, x. */
  readonly size: Point;
  /** Largest shift along z, y, x, mm. */
  readonly shift: Point;
  /** SD of the roll about z, rad. */
  readonly roll: number;
  /** SD of the bending, mm, and its wavelengths, mm. */
  readonly bend: number;
  readonly wavelengths: readonly [shortest: number, longest: number];
}

/** Nothing but roll and shift: for phantoms made of plastic. */
export const rigid: Bending = { size: [0, 0, 0], shift: [4, 6, 6], roll: 0.05, bend: 0, wavelengths: [100, 200] };

/** The map of a subject; undefined (the identity) for the canonical one. */
export function warpOf({ size, shift, roll, bend, wavelengths }: Bending, vary: Variation, seed: number): Warp | undefined {
  if (vary.canonical) return undefined;
  const scale = size.map((sd) => 1 / vary.size(1, sd));
  const [z0, y0, x0] = shift.map((most) => vary.between(-most, most, 0)) as unknown as Point;
  const angle = vary.spread(roll);
  const c = Math.cos(angle);
  const s = Math.sin(angle);
  // Streams 10 … 12 of the seed, one for each component.
  const [bz, by, bx] = [10, 11, 12].map((stream) => waves(seed, stream, { wavelengths, count: 5 }));
  return (z, y, x, out, at) => {
    const dy = y - y0;
    const dx = x - x0;
    out[at] = scale[0]! * (z - z0);
    out[at + 1] = scale[1]! * (c * dy - s * dx);
    out[at + 2] = scale[2]! * (s * dy + c * dx);
    if (bend === 0) return;
    out[at] += bend * bz!(z, y, x);
    out[at + 1]! += bend * by!(z, y, x);
    out[at + 2]! += bend * bx!(z, y, x);
  };
}
