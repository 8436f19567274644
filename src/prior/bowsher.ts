/** @file  Anatomical neighbourhoods: of its 26 neighbours a voxel counts the n whose anatomical value is nearest to its own; a pair weighs
 *  1, ½ or 0 as both, one or none of the two count the other. Bowsher et al. 2004, doi:10.1109/NSSMIC.2004.1462760. Ties are all counted, so
 *  that a flat anatomical image leaves the penalty as it was, with no direction of its own. */
import { expectShape, type Volume } from '../core/array.js';
import { OptionError } from '../core/errors.js';
import type { Grid } from '../core/image.js';
import { type CallOptions, turn } from '../core/iterate.js';
import { directions, forEachRun, type Neighbourhood } from './neighbours.js';

export interface BowsherOptions extends CallOptions {
  /** Neighbours that a voxel counts, of 26. @default 7 */
  readonly neighbours?: number | undefined;
}

/**
 * @param anatomy MR, CT or μ map on the grid of the reconstruction; only differences matter, not the unit.
 * @returns for `rdp` and `quadratic`.
 * @throws ShapeError when the anatomical image does not fit. @throws OptionError for `neighbours` outside 1 to 26.
 */
export async function bowsher(
  anatomy: Volume,
  grid: Grid,
  { neighbours = 7, signal }: BowsherOptions = {},
): Promise<Neighbourhood> {
  if (!(Number.isInteger(neighbours) && neighbours >= 1 && neighbours <= 26)) {
    throw new OptionError('Neighbours that count', { key: 'neighbours', expected: 'an integer from 1 to 26', found: neighbours });
  }
  const { shape } = grid;
  const a = expectShape(anatomy, shape, 'anatomy').data;
  const steps = directions(grid).map(({ step }) => step);
  const farthest = await nthNearest(a, shape, steps, neighbours, signal);
  return steps.map((step) => {
    const counted = new Uint8Array(a.length);
    forEachRun(shape, step, (first, other, n) => {
      for (let i = 0; i < n; i++) {
        const d = Math.fround(Math.abs(a[first + i]! - a[other + i]!));
        counted[first + i] = Number(d <= farthest[first + i]!) + Number(d <= farthest[other + i]!);
      }
    });
    return counted;
  });
}

/** For each voxel the n-th smallest |difference| to a neighbour; Infinity where it has fewer. Kept as n sorted values a voxel, one slab at a time. */
async function nthNearest(
  a: Float32Array,
  shape: readonly [number, number, number],
  steps: readonly (readonly [number, number, number])[],
  n: number,
  signal: AbortSignal | undefined,
): Promise<Float32Array> {
  const [nz, ny, nx] = shape;
  const out = new Float32Array(a.length);
  const nearest = new Float32Array(27);
  for (let z = 0; z < nz; z++) {
    await turn(signal);
    for (let y = 0; y < ny; y++) {
      for (let x = 0; x < nx; x++) {
        const j = (z * ny + y) * nx + x;
        nearest.fill(Infinity);
        for (const [dz, dy, dx] of steps) {
          for (const sign of [1, -1]) {
            const [kz, ky, kx] = [z + sign * dz, y + sign * dy, x + sign * dx];
            if (kz < 0 || kz >= nz || ky < 0 || ky >= ny || kx < 0 || kx >= nx) continue;
            insert(nearest, n, Math.abs(a[j]! - a[(kz * ny + ky) * nx + kx]!));
          }
        }
        out[j] = nearest[n - 1]!;
      }
    }
  }
  return out;
}

/** Puts d in its place among the n smallest, ascending. */
function insert(smallest: Float32Array, n: number, d: number): void {
  let at = n - 1;
  if (d >= smallest[at]!) return;
  for (; at > 0 && smallest[at - 1]! > d; at--) smallest[at] = smallest[at - 1]!;
  smallest[at] = d;
}
