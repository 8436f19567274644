/** @file  Sharing an image out among threads that project lines back: slabs of planes of x, and of y. */
import type { Grid } from '../../core/image.js';
import { type EndPoints, traceLine } from '../joseph.js';

/** Lines looked at to share out planes fairly. */
const sample = 1024;

export type Slab = readonly [low: number, high: number];

/** Planes of y, and of x, in as many slabs as there are threads, each with about the same share of the lines' samples. */
export function slabsOf(
  grid: Grid,
  count: number,
  endsOf: (line: number) => EndPoints,
  threads: number,
): readonly [alongY: readonly Slab[], alongX: readonly Slab[]] {
  const [, ny, nx] = grid.shape;
  const samples = [new Float64Array(ny), new Float64Array(nx)] as const;
  const every = Math.max(1, Math.floor(count / sample));
  for (let line = 0; threads > 1 && line < count; line += every) {
    const ends = endsOf(line);
    const alongX = Math.abs(ends[5] - ends[2]) >= Math.abs(ends[4] - ends[1]);
    traceLine(grid, ends, (voxel) => {
      samples[Number(alongX) as 0 | 1][alongX ? voxel % nx : Math.floor(voxel / nx) % ny]!++;
    });
  }
  return [fairSlabs(samples[0], threads), fairSlabs(samples[1], threads)];
}

/** Cut where the kernels' groups of four begin, so that no group is walked twice. */
function fairSlabs(samples: Float64Array, parts: number): Slab[] {
  const total = samples.reduce((sum, n) => sum + n + 1, 0);
  const slabs: Slab[] = [];
  let low = 0;
  let sum = 0;
  samples.forEach((n, plane) => {
    sum += n + 1;
    const end = plane + 1 === samples.length;
    if (end || (plane % 4 === 3 && sum * parts >= total * (slabs.length + 1))) {
      slabs.push([low, plane + 1]);
      low = plane + 1;
    }
  });
  return slabs;
}
