/** @file  Analytic solids, the parts that phantoms are made of. Positions and half axes in mm, order z, y, x, world frame
 *  (x right, y anterior, z superior). */
import type { Point } from '../core/array.js';

export interface Solid {
  /** Is the point in it? */
  inside(z: number, y: number, x: number): boolean;
  /** A box that holds it: lowest and highest z, y, x. */
  readonly low: Point;
  readonly high: Point;
}

export interface SolidOptions {
  /** Turned about the z axis, rad; from right towards anterior. @default 0 */
  readonly yaw?: number | undefined;
  /** Exponent e ≥ 2 of |x/a|ᵉ + |y/b|ᵉ (+ |z/c|ᵉ) ≤ 1: 2 an ellipse, larger squarer. @default 2 */
  readonly exponent?: number | undefined;
}

/** Σ |qᵢ/rᵢ|ᵉ ≤ 1. */
export function ellipsoid(centre: Point, radii: Point, options: SolidOptions = {}): Solid {
  const { exponent = 2 } = options;
  return turned(centre, radii, options, (z, y, x) => inUnitBall(exponent, z, y, x));
}

/** Σ |qᵢ|ᵉ ≤ 1 for e ≥ 2. Powers are dear: they are taken only between the round ball within and the one around, |q|² ≤ 3^(1 − 2/e). */
function inUnitBall(e: number, z: number, y: number, x: number): boolean {
  const square = z * z + y * y + x * x;
  if (square <= 1) return true;
  // 3^(1 − 2/2.6) = 1.289; the largest, for e → ∞, is 3.
  if (e === 2 || square > (e <= 2.6 ? 1.29 : 3)) return false;
  if (z > 1 || z < -1 || y > 1 || y < -1 || x > 1 || x < -1) return false;
  return Math.abs(z) ** e + Math.abs(y) ** e + Math.abs(x) ** e <= 1;
}

export function sphere(centre: Point, radius: number): Solid {
  return ellipsoid(centre, [radius, radius, radius]);
}

/** Elliptic cylinder along z: radii are half its length, then its half axes. */
export function cylinder(centre: Point, radii: Point, options: SolidOptions = {}): Solid {
  const { exponent = 2 } = options;
  return turned(centre, radii, options, (z, y, x) => z <= 1 && z >= -1 && inUnitBall(exponent, 0, y, x));
}

/** Box; radii are half its edges. */
export function box(centre: Point, radii: Point, options: SolidOptions = {}): Solid {
  return turned(centre, radii, options, (z, y, x) => Math.abs(z) <= 1 && Math.abs(y) <= 1 && Math.abs(x) <= 1);
}

/** A test of the unit solid in coordinates that are centred, turned back and divided by the half axes. */
function turned(
  [cz, cy, cx]: Point,
  [rz, ry, rx]: Point,
  { yaw = 0 }: SolidOptions,
  unit: (z: number, y: number, x: number) => boolean,
): Solid {
  const c = Math.cos(yaw);
  const s = Math.sin(yaw);
  const halfY = Math.abs(c) * ry + Math.abs(s) * rx;
  const halfX = Math.abs(c) * rx + Math.abs(s) * ry;
  return {
    inside: (z, y, x) => unit((z - cz) / rz, (c * (y - cy) - s * (x - cx)) / ry, (c * (x - cx) + s * (y - cy)) / rx),
    low: [cz - rz, cy - halfY, cx - halfX],
    high: [cz + rz, cy + halfY, cx + halfX],
  };
}

/** Tube with round ends: all points within `radius` of the segment from a to b. */
export function tube(a: Point, b: Point, radius: number): Solid {
  const d = [b[0] - a[0], b[1] - a[1], b[2] - a[2]] as const;
  const length2 = d[0] ** 2 + d[1] ** 2 + d[2] ** 2;
  const low = (axis: 0 | 1 | 2): number => Math.min(a[axis], b[axis]) - radius;
  const high = (axis: 0 | 1 | 2): number => Math.max(a[axis], b[axis]) + radius;
  return {
    inside: (z, y, x) => {
      const pz = z - a[0];
      const py = y - a[1];
      const px = x - a[2];
      const t = Math.min(1, Math.max(0, (pz * d[0] + py * d[1] + px * d[2]) / length2));
      return (pz - t * d[0]) ** 2 + (py - t * d[1]) ** 2 + (px - t * d[2]) ** 2 <= radius * radius;
    },
    low: [low(0), low(1), low(2)],
    high: [high(0), high(1), high(2)],
  };
}

/** Ellipsoid of revolution, its long axis from a to b, `radius` across. */
export function spheroid(a: Point, b: Point, radius: number): Solid {
  const centre = [(a[0] + b[0]) / 2, (a[1] + b[1]) / 2, (a[2] + b[2]) / 2] as const;
  const half = Math.hypot(b[0] - a[0], b[1] - a[1], b[2] - a[2]) / 2;
  const u = [0, 1, 2].map((axis) => (b[axis]! - a[axis]!) / (2 * half)) as unknown as Point;
  // Half extent along an axis: √( radius² + (half² − radius²) u² ).
  const extent = (axis: 0 | 1 | 2): number => Math.sqrt(radius ** 2 + (half ** 2 - radius ** 2) * u[axis] ** 2);
  return {
    inside: (z, y, x) => {
      const pz = z - centre[0];
      const py = y - centre[1];
      const px = x - centre[2];
      const along = pz * u[0] + py * u[1] + px * u[2];
      const across2 = pz * pz + py * py + px * px - along * along;
      return across2 / (radius * radius) + (along * along) / (half * half) <= 1;
    },
    low: [centre[0] - extent(0), centre[1] - extent(1), centre[2] - extent(2)],
    high: [centre[0] + extent(0), centre[1] + extent(1), centre[2] + extent(2)],
  };
}

/** Cross-section of a loft: at z, centred on y, x, with half axes ry, rx; mm. */
export type Station = readonly [z: number, y: number, x: number, ry: number, rx: number];

/** A trunk or limb: ellipses stacked along z, linear between stations. Stations rise in z; only the exponent of the options is used. */
export function loft(stations: readonly Station[], { exponent = 2 }: Pick<SolidOptions, 'exponent'> = {}): Solid {
  const first = stations[0]!;
  const last = stations.at(-1)!;
  return {
    inside: (z, y, x) => {
      if (z < first[0] || z > last[0]) return false;
      let i = 1;
      while (i < stations.length - 1 && stations[i]![0] < z) i++;
      const a = stations[i - 1]!;
      const b = stations[i]!;
      const t = (z - a[0]) / (b[0] - a[0]);
      const at = (k: 1 | 2 | 3 | 4): number => a[k] + t * (b[k] - a[k]);
      return inUnitBall(exponent, 0, (y - at(1)) / at(3), (x - at(2)) / at(4));
    },
    low: [first[0], Math.min(...stations.map((s) => s[1] - s[3])), Math.min(...stations.map((s) => s[2] - s[4]))],
    high: [last[0], Math.max(...stations.map((s) => s[1] + s[3])), Math.max(...stations.map((s) => s[2] + s[4]))],
  };
}

/** The solid moved by mm along z, y, x. */
export function moved({ inside, low, high }: Solid, [dz, dy, dx]: Point): Solid {
  return {
    inside: (z, y, x) => inside(z - dz, y - dy, x - dx),
    low: [low[0] + dz, low[1] + dy, low[2] + dx],
    high: [high[0] + dz, high[1] + dy, high[2] + dx],
  };
}

/** A part of a ring: one side (the sign of x), from one y to another, both from the centre in mm. */
export interface Arc {
  readonly side: 1 | -1;
  readonly from: number;
  readonly to: number;
}

/**
 * Tube of `radius` along an arc of an ellipse of half axes ry, rx about the centre, the plane of the ellipse tilted so that it sinks by
 * `slope` mm for each mm towards anterior: a piece of a rib. Distances to the ellipse are taken along the ray from the centre, which
 * makes the tube a little thinner where the ellipse curves.
 */
export function ring(
  [cz, cy, cx]: Point,
  [ry, rx]: readonly [number, number],
  radius: number,
  slope: number,
  { side, from, to }: Arc,
): Solid {
  // |x| on the ellipse falls with |y|: its range over the arc, widened by the tube.
  const across = (y: number): number => rx * Math.sqrt(Math.max(0, 1 - (Math.max(0, Math.abs(y) + radius) / ry) ** 2));
  const near = across(Math.max(Math.abs(from), Math.abs(to))) - 2 * radius;
  const [innerX, outerX] = [Math.max(0, near), rx + radius];
  return {
    inside: (z, y, x) => {
      const py = y - cy;
      const px = x - cx;
      const up = z - cz + slope * py;
      if (up * up > radius * radius || py < from || py > to || px * side < 0) return false;
      const f = Math.sqrt((py / ry) ** 2 + (px / rx) ** 2);
      const out = Math.sqrt(py * py + px * px) * (1 - 1 / f);
      return out * out + up * up <= radius * radius;
    },
    low: [cz - radius - Math.max(slope * from, slope * to), cy + from, cx + (side > 0 ? innerX : -outerX)],
    high: [cz + radius - Math.min(slope * from, slope * to), cy + to, cx + (side > 0 ? outerX : -innerX)],
  };
}

/** The part of a solid between the corners of a box. */
export function clip(solid: Solid, from: Point, to: Point): Solid {
  const at = (pick: (a: number, b: number) => number, a: Point, b: Point): Point => [
    pick(a[0], b[0]),
    pick(a[1], b[1]),
    pick(a[2], b[2]),
  ];
  return {
    inside: (z, y, x) =>
      z >= from[0] && z <= to[0] && y >= from[1] && y <= to[1] && x >= from[2] && x <= to[2] && solid.inside(z, y, x),
    low: at(Math.max, solid.low, from),
    high: at(Math.min, solid.high, to),
  };
}
