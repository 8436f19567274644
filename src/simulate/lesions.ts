/** @file  Lesions put into an anatomy: so many a subject, log-uniform in diameter, log-normal in SUV; one in twelve is cold, and some large
 *  ones have a necrotic core. */
import type { Point } from '../core/array.js';
import { ellipsoid } from './solids.js';
import { firstInsertLabel } from './tissues.js';
import type { Variation } from './variation.js';
import { type Part, partAt } from './voxelise.js';

/** Where a lesion can be: points of this ellipsoid (centre, half axes, mm) at which the host tissue is on top. */
export interface Host {
  readonly name: string;
  readonly label: number;
  readonly centre: Point;
  readonly radii: Point;
  /** Attenuation of the lesion, 1/cm. */
  readonly mu: number;
}

export interface LesionSpec {
  readonly name: string;
  readonly centre: Point;
  /** mm. */
  readonly diameter: number;
  /** SUV. */
  readonly activity: number;
  readonly mu: number;
}

/** Adds lesions of given place and uptake, as in canonical subjects; labels count from 101. */
export function placeLesions(
  parts: readonly Part[],
  specs: readonly LesionSpec[],
): { parts: Part[]; inserts: Map<number, string> } {
  const out = [...parts];
  const inserts = new Map<number, string>();
  specs.forEach(({ name, centre, diameter, activity, mu }, i) => {
    const r = diameter / 2;
    const label = firstInsertLabel + i;
    out.push({ solid: ellipsoid(centre, [r, r, r]), label, activity, mu, texture: 0 });
    inserts.set(label, name);
  });
  return { parts: out, inserts };
}

export interface LesionOptions {
  /** Largest number of lesions. @default 6 */
  readonly most?: number | undefined;
  /** Median SUV of hot lesions. @default 6 */
  readonly median?: number | undefined;
  /** Smallest and largest diameter, mm; log-uniform between. @default [8, 30] */
  readonly diameters?: readonly [smallest: number, largest: number] | undefined;
  /** Highest SUV. @default 25 */
  readonly highest?: number | undefined;
  /** Share of lesions that attenuate as what they lie in does: the μ map does not show them. @default 0 */
  readonly unseen?: number | undefined;
}

/** Adds random lesions of random shape. Hosts are equally likely; a host in which no place is found in 50 tries gets none. */
export function randomLesions(
  parts: readonly Part[],
  hosts: readonly Host[],
  vary: Variation,
  { most = 6, median = 6, diameters: [smallest, largest] = [8, 30], highest = 25, unseen = 0 }: LesionOptions = {},
): { parts: Part[]; inserts: Map<number, string> } {
  const out = [...parts];
  const inserts = new Map<number, string>();
  const count = Math.floor(vary.between(0, most + 1, 0));
  for (let n = 0; n < count; n++) {
    const host = hosts[Math.floor(vary.between(0, hosts.length, 0))]!;
    const at = placeIn(parts, host, vary);
    if (!at) continue;
    const { activity: around, mu: muAround } = partAt(parts, at)!;
    const diameter = smallest * (largest / smallest) ** vary.between(0, 1, 0);
    const hot = Math.min(highest, Math.max(1.6 * around, median * Math.exp(vary.spread(0.55))));
    const isCold = vary.chance(1 / 12);
    const activity = isCold ? around * vary.between(0.05, 0.5, 0) : hot;
    const radii: Point = [vary.size(diameter / 2, 0.15), vary.size(diameter / 2, 0.15), vary.size(diameter / 2, 0.15)];
    const options = { yaw: vary.between(0, Math.PI, 0) };
    const label = firstInsertLabel + inserts.size;
    const mu = unseen > 0 && vary.chance(unseen) ? muAround : host.mu;
    const material = { label, activity, mu, texture: 0.1 };
    out.push({ solid: ellipsoid(at, radii, options), ...material });
    if (diameter > 18 && !isCold && vary.chance(0.3)) {
      const core = radii.map((r) => r * vary.between(0.3, 0.6, 0)) as unknown as Point;
      out.push({ solid: ellipsoid(at, core, options), ...material, activity: activity * 0.25 });
    }
    inserts.set(label, `${isCold ? 'cold ' : ''}lesion, ${host.name}`);
  }
  return { parts: out, inserts };
}

function placeIn(parts: readonly Part[], { centre, radii, label }: Host, vary: Variation): Point | undefined {
  for (let attempt = 0; attempt < 50; attempt++) {
    const u = [0, 1, 2].map(() => vary.between(-1, 1, 0));
    if (u[0]! ** 2 + u[1]! ** 2 + u[2]! ** 2 > 1) continue;
    const p: Point = [centre[0] + u[0]! * radii[0], centre[1] + u[1]! * radii[1], centre[2] + u[2]! * radii[2]];
    if (partAt(parts, p)?.label === label) return p;
  }
  return undefined;
}
