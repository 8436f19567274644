/** @file  A network of fixed patch size applied to any volume: overlapping tiles, blended with weights that fall off linearly.
 *  The volume's edge is continued beyond it, so that a patch may be larger than the volume. */
import { array, type Shape3, type Volume } from '../core/array.js';

/** How a volume is cut. */
export interface Tiling {
  /** Voxels of a tile. */
  readonly tile: Shape3;
  /** Voxels that neighbours share. */
  readonly overlap: number;
  /** First voxel of every tile. */
  readonly places: readonly Shape3[];
}

/**
 * Tiles for a network that was trained on crops: twice as wide as those, or as the volume where that is less; half of the borders, and normalised over
 * more of the same. They begin at multiples of what the network makes one voxel of, so that its blocks are the same in every tile.
 * @param multiple of the edges of what the network takes: `patchMultiple`.
 */
export function tiling(shape: Shape3, crop: Shape3, overlap: number, multiple: Shape3): Tiling {
  const covering = wholeTiling(shape, multiple).tile;
  const edges = crop.map((n, axis) => (n === 1 ? 1 : Math.min(2 * n, covering[axis]!)));
  const [zs, ys, xs] = shape.map((n, axis) => tileStarts(n, edges[axis]!, 2 * overlap, multiple[axis]!));
  const places = zs!.flatMap((z) => ys!.flatMap((y) => xs!.map((x): Shape3 => [z, y, x])));
  return { tile: edges as unknown as Shape3, overlap: 2 * overlap, places };
}

/** One tile, the smallest that the volume fits into. */
export function wholeTiling(shape: Shape3, multiple: Shape3): Tiling {
  const edges = shape.map((n, axis) => Math.ceil(n / multiple[axis]!) * multiple[axis]!);
  return { tile: edges as unknown as Shape3, overlap: 0, places: [[0, 0, 0]] };
}

/** First voxels of the tiles along an axis, multiples of `step`: about evenly spaced, the last reaches the end of the axis or beyond, and neighbours
 *  share ≥ overlap voxels as far as the step lets them; none if a tile is one voxel. */
export function tileStarts(n: number, tile: number, wanted: number, step: number): number[] {
  if (n <= tile) return [0];
  const overlap = tile === 1 ? 0 : wanted;
  const last = Math.ceil((n - tile) / step);
  const stride = Math.max(1, Math.floor((tile - overlap) / step));
  const tiles = Math.ceil(last / stride) + 1;
  return Array.from({ length: tiles }, (_, i) => step * Math.round((i * last) / (tiles - 1)));
}

/** Copies a tile out of a volume into `out`; beyond the volume its edge goes on. */
export function cutTile(volume: Volume, [z0, y0, x0]: Shape3, [pz, py, px]: Shape3, out: Float32Array): void {
  const [nz, ny, nx] = volume.shape as [number, number, number];
  for (let z = 0, at = 0; z < pz; z++) {
    for (let y = 0; y < py; y++) {
      const row = (Math.min(z0 + z, nz - 1) * ny + Math.min(y0 + y, ny - 1)) * nx;
      for (let x = 0; x < px; x++) out[at++] = volume.data[row + Math.min(x0 + x, nx - 1)]!;
    }
  }
}

/** The weighted mean of tiles, in the order of their places. */
export function blendTiles(shape: Shape3, { tile, overlap, places }: Tiling, tiles: readonly Float32Array[]): Volume {
  const [nz, ny, nx] = shape;
  const [pz, py, px] = tile;
  const [wz, wy, wx] = tile.map((n) => ramp(n, overlap)) as [Float64Array, Float64Array, Float64Array];
  const sum = new Float64Array(nz * ny * nx);
  const weight = new Float64Array(sum.length);
  places.forEach(([z0, y0, x0], i) => {
    const values = tiles[i]!;
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
