/** @file  The resolution model on kernels, in place in the workspace; the same numbers as src/projector/psf.ts to float32's rounding. */
import { array, expectShape, type Point, size, type Volume } from '../../core/array.js';
import type { Grid } from '../../core/image.js';
import type { LinearOperator } from '../../core/interfaces.js';
import type { CallOptions } from '../../core/iterate.js';
import { gaussianKernels } from '../psf.js';
import { type KernelCall, type KernelPool, pieces, ranges } from './pool.js';

const lanes = 64;
/** Columns that the kernel takes at a time, and in one call. */
const strip = 64;
const perCall = 16 * strip;
const planesPerCall = 4;

/** @throws GeometryError when a FWHM is negative or not finite. */
export function cpuGaussianPsf(pool: KernelPool, grid: Grid, fwhm: number | Point): LinearOperator {
  const { shape } = grid;
  const [nz, ny, nx] = shape;
  const kernels = gaussianKernels(grid, fwhm);
  const [rz, ry, rx] = kernels.map((kernel) => kernel.length - 1) as [number, number, number];
  const width = Math.ceil(nx / 16) * 16;
  const scratchBytes = 4 * Math.max((ny + 2 * ry + 1) * width + 2 * rx, (nz + 2 * rz + 1) * strip) + 64;
  const plan = (base: number) => {
    const { take, total } = pieces(base);
    const image = take(4 * size(shape));
    const at = kernels.map((kernel) => take(4 * kernel.length));
    const scratch = Array.from({ length: lanes }, () => take(scratchBytes));
    return { image, at, scratch, bytes: total() };
  };
  const blur = (x: Volume, { signal }: CallOptions = {}): Promise<Volume> => {
    const { data } = expectShape(x, shape, 'image');
    return pool.use(plan(0).bytes, async (space) => {
      const { image, at, scratch } = plan(space.base);
      kernels.forEach((kernel, axis) => {
        new Float32Array(space.buffer, at[axis], kernel.length).set(kernel);
      });
      new Float32Array(space.buffer, image, data.length).set(data);
      const planes = ranges(nz, lanes).map(([from, to], lane): KernelCall[] =>
        ranges(to - from, Math.ceil((to - from) / planesPerCall)).map(([a, b]) => [
          ...(['blurPlanes', image, scratch[lane]!, width, at[2]!, rx, at[1]!, ry] as const),
          ...[ny, nx, from + a, from + b],
        ]),
      );
      const pixels = ny * nx;
      const columns = ranges(pixels, lanes, strip).map(([from, to], lane): KernelCall[] =>
        ranges(to - from, Math.ceil((to - from) / perCall), strip).map(([a, b]) => [
          ...(['blurColumns', image, scratch[lane]!, at[0]!, rz, nz, pixels] as const),
          ...[from + a, from + b],
        ]),
      );
      if (rx > 0 || ry > 0) await space.run(planes, signal);
      if (rz > 0) await space.run(columns, signal);
      return array(shape, new Float32Array(space.buffer, image, data.length).slice());
    });
  };
  return { inShape: shape, outShape: shape, forward: blur, adjoint: blur };
}
