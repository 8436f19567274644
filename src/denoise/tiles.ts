/** @file  A network of fixed patch size applied to any volume: overlapping tiles, blended with weights that fall off linearly.
 *  The volume's edge is continued beyond it, so that a patch may be larger than the volume. */
import { array, type Shape3, type Volume } from '../core/array.js';

/** First voxels of the tiles along an axis: evenly spaced, the last ends with the axis, neighbours share ≥ overlap voxels; none if a tile
 *  is one voxel. */
export function tileStarts(n: number, patch: number, wanted: number): number[] {
  if (n <= patch) return [0];
  const overlap = patch === 1 ? 0 : wanted;
  const tiles = Math.ceil((n - overlap) / (patch - overlap));
  return Array.from({ length: tiles }, (_, i) => Math.round((i * (n - patch)) / (tiles - 1)));
}

/** Where the tiles of a volume begin, [z, y, x] each. */
export function tilesOf(shape: Shape3, patch: Shape3, overlap: number): Shape3[] {
  const [zs, ys, xs] = shape.map((n, axis) => tileStarts(n, patch[axis]!, overlap)) as [number[], number[], number[]];
  return zs.flatMap((z) => ys.flatMap((y) => xs.map((x): Shape3 => [z, y, x])));
}

/** Copies a tile out of a volume into `out` (patch voxels); beyond the volume its edge goes on. */
export function cutTile(volume: Volume, [z0, y0, x0]: Shape3, [pz, py, px]: Shape3, out: Float32Array): void {
  const [nz, ny, nx] = volume.shape as [number, number, number];
  for (let z = 0, at = 0; z < pz; z++) {
    for (let y = 0; y < py; y++) {
      const row = (Math.min(z0 + z, nz - 1) * ny + Math.min(y0 + y, ny - 1)) * nx;
      for (let x = 0; x < px; x++) out[at++] = volume.data[row + Math.min(x0 + x, nx - 1)]!;
    }
  }
}

/** The weighted mean of tiles, in the order of `tilesOf`. */
export function blendTiles(shape: Shape3, patch: Shape3, overlap: number, tiles: readonly Float32Array[]): Volume {
  const [nz, ny, nx] = shape;
  const [pz, py, px] = patch;
  const [wz, wy, wx] = patch.map((n) => ramp(n, overlap)) as [Float64Array, Float64Array, Float64Array];
  const sum = new Float64Array(nz * ny * nx);
  const weight = new Float64Array(sum.length);
  tilesOf(shape, patch, overlap).forEach(([z0, y0, x0], tile) => {
    const values = tiles[tile]!;
    for (let z = 0; z < Math.min(pz, nz - z0); z++) {
      for (let y = 0; y < Math.min(py, ny - y0); y++) {
        const row = ((z0 + z) * ny + y0 + y) * nx + x0;
        const from = (z * py + y) * px;
        for (let x = 0; x < Math.min(px, nx - x0); x++) {
          const w = wz[z]! * wy[y]! * wx[x]!;
          sum[row + x]! += w * values[from + x]!;
          weight[row + x]! += w;
        }
      }
    }
  });
  return array(
    shape,
    Float32Array.from(sum, (value, i) => value / weight[i]!),
  );
}

/** 1 in the middle, falling to 1/(overlap + 1) at both ends. */
function ramp(n: number, overlap: number): Float64Array {
  return Float64Array.from({ length: n }, (_, i) => Math.min(i + 1, n - i, overlap + 1) / (overlap + 1));
}
