/** @file  Parts of the body that a simulated scan shows: a phantom, where along it the scan is, and a grid as wide as the body there. */
import type { Point, Shape3 } from '../core/array.js';
import { centredGrid, type Grid } from '../core/image.js';
import { type PhantomKind, type PhantomOptions, phantom } from '../simulate/phantom.js';

interface Place {
  readonly kind: PhantomKind;
  /** Range of the middle of the scan, z in mm. */
  readonly middle: readonly [number, number];
  /** Voxels relative to those of the trunk: small parts are imaged finely. */
  readonly fineness: number;
}

/** `head` … `thighs` are parts of `wholebody`; the others are phantoms of their own. The brain of `head` is plain, that of `brain` folded. */
export type Region = 'head' | 'neck' | 'chest' | 'abdomen' | 'pelvis' | 'thighs' | 'thorax' | 'brain' | 'nema-iq';

const places: Readonly<Record<Region, Place>> = {
  head: { kind: 'wholebody', middle: [330, 380], fineness: 0.7 },
  neck: { kind: 'wholebody', middle: [190, 250], fineness: 0.9 },
  chest: { kind: 'wholebody', middle: [-20, 110], fineness: 1 },
  abdomen: { kind: 'wholebody', middle: [-240, -90], fineness: 1 },
  pelvis: { kind: 'wholebody', middle: [-440, -330], fineness: 1 },
  thighs: { kind: 'wholebody', middle: [-600, -520], fineness: 1 },
  thorax: { kind: 'thorax', middle: [-40, 40], fineness: 1 },
  brain: { kind: 'brain', middle: [0, 0], fineness: 0.7 },
  'nema-iq': { kind: 'nema-iq', middle: [0, 0], fineness: 1 },
};

/** The regions there are. */
export const regionNames: readonly Region[] = Object.keys(places) as Region[];

export interface RegionGrid {
  /** Size of the trunk's voxels across, mm; those of small parts are smaller. */
  readonly voxel: number;
  /** Thickness of a slice, relative to that. */
  readonly thickness: number;
  /** Place of the middle, 0 … 1 of the region's range. */
  readonly along: number;
  /** Voxels wanted in all. */
  readonly voxels: number;
  /** An odd number. @default as many as the voxels allow, from 33 to 81 */
  readonly slices?: number | undefined;
}

/** Half of a scanner's bore, mm: what of the arms lies outside it is not there. */
const widest = 300;

/** The phantom of a region, and a grid that holds all of the body across and an odd number of slices. */
export function regionGrid(
  region: Region,
  subject: Pick<PhantomOptions, 'seed' | 'tracer' | 'arms'>,
  { voxel, thickness, along, voxels, slices: given }: RegionGrid,
): { readonly kind: PhantomKind; readonly grid: Grid } {
  const { kind, middle, fineness } = places[region];
  const d = voxel * fineness;
  const dz = d * thickness;
  const z0 = middle[0] + along * (middle[1] - middle[0]);
  const [ry, rx, y0, x0] = halfWidths(kind, subject, z0);
  const across = [ry, rx].map((r) => 2 * Math.floor(Math.min(r + 2 * d, widest) / d) + 1) as [number, number];
  const odd = (n: number): number => 2 * Math.floor(n / 2) + 1;
  const slices = given ?? Math.min(81, Math.max(33, odd(voxels / (across[0] * across[1]))));
  const shape: Shape3 = [slices, ...across];
  const { origin, voxelSize } = centredGrid(shape, [dz, d, d]);
  const at: Point = [origin[0] + z0, origin[1] + y0, origin[2] + x0];
  return { kind, grid: { shape, voxelSize, origin: at } };
}

/** Half widths and middle of the body along y and x, mm, from a coarse look at it. */
function halfWidths(
  kind: PhantomKind,
  subject: Pick<PhantomOptions, 'seed' | 'tracer' | 'arms'>,
  z0: number,
): [ry: number, rx: number, y0: number, x0: number] {
  const pitch = 9;
  const { origin, shape, voxelSize } = centredGrid([9, 41, 69], [18, pitch, pitch]);
  const { mu } = phantom(kind, { ...subject, grid: { shape, voxelSize, origin: [origin[0] + z0, origin[1], origin[2]] } });
  const [, ny, nx] = shape;
  let [minY, maxY, minX, maxX] = [ny, 0, nx, 0];
  mu.values.data.forEach((value, i) => {
    if (value < 0.01) return;
    const [y, x] = [Math.floor(i / nx) % ny, i % nx];
    [minY, maxY, minX, maxX] = [Math.min(minY, y), Math.max(maxY, y), Math.min(minX, x), Math.max(maxX, x)];
  });
  const half = (from: number, to: number): number => ((to - from + 1) / 2) * pitch;
  const middle = (from: number, to: number, axis: 1 | 2): number => origin[axis] + ((from + to) / 2) * pitch;
  return [half(minY, maxY), half(minX, maxX), middle(minY, maxY, 1), middle(minX, maxX, 2)];
}
