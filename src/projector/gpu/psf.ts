/** @file  The resolution model on a graphics card: the sums of src/projector/psf.ts along z, y and x, in float32. The kernel is symmetric
 *  and what lies outside the image is left out, so that it stays its own transpose. */
import { array, expectShape, type Point, size, type Volume } from '../../core/array.js';
import type { Grid } from '../../core/image.js';
import type { LinearOperator } from '../../core/interfaces.js';
import type { CallOptions } from '../../core/iterate.js';
import { gaussianKernels } from '../psf.js';
import type { GpuDevice, GpuKernel, Own } from './device.js';
import type { GpuArray } from './gpu-js.js';
import type { GpuImages } from './image.js';
import { lead } from './tables.js';

/** Multiplications of one dispatch: some hundredths of a second on a small card. */
const dispatchWork = 1e9;

/** Σ_t k_|t| f[… + t], along one axis; `from` is the first x of this part. */
const along = (axis: 0 | 1 | 2): string => /* js */ `function blur(image, weights, from) {
  const x = this.thread.z + from;
  const y = this.thread.y;
  const z = this.thread.x;
  let sum = 0;
  if (x > 0 && x <= this.constants.nx && y > 0 && y <= this.constants.ny &&
      z >= this.constants.lead && z < this.constants.lead + this.constants.nz) {
    const at = ${['z - this.constants.lead', 'y - 1', 'x - 1'][axis]};
    for (let tap = 0; tap < this.constants.taps; tap++) {
      const t = tap - this.constants.reach;
      if (at + t >= 0 && at + t < this.constants.${['nz', 'ny', 'nx'][axis]}) {
        sum += weights[Math.abs(t)] * image[${['x][y][z + t', 'x][y + t][z', 'x + t][y][z'][axis]}];
      }
    }
  }
  return sum;
}`;

export interface GpuBlur {
  apply(image: GpuArray, own: Own, signal?: AbortSignal): Promise<GpuArray>;
  dispose(): void;
}

/**
 * @param work multiplications of one dispatch.
 * @throws GeometryError when a FWHM is negative or not finite.
 */
export function gpuBlur(
  device: GpuDevice,
  grid: Grid,
  fwhm: number | Point,
  shape: readonly number[],
  work: number = dispatchWork,
): GpuBlur {
  const [nz, ny, nx] = grid.shape;
  const passes = gaussianKernels(grid, fwhm).flatMap(
    (weights, axis): { kernel: GpuKernel; weights: GpuArray; taps: number }[] => {
      const reach = weights.length - 1;
      if (reach === 0) return [];
      const taps = 2 * reach + 1;
      const kernel = device.kernel(along(axis as 0 | 1 | 2), { integers: { nx, ny, nz, lead, reach, taps } });
      return [{ kernel, taps, weights: device.array([weights.length], Float32Array.from(weights)) }];
    },
  );
  const [width, ...plane] = shape as [number, number, number];
  return {
    async apply(image, own, signal) {
      let from = image;
      for (const { kernel, weights, taps } of passes) {
        const part = Math.max(1, Math.min(width, Math.floor(work / (taps * size(plane)))));
        const to = part < width ? own(device.array(shape)) : own(await kernel(shape, from, weights, 0));
        for (let x = 0; part < width && x < width; x += part) {
          await device.settle(signal);
          const slab = own(await kernel([Math.min(part, width - x), ...plane], from, weights, x));
          device.copy(slab, to, x * size(plane));
          slab.delete();
        }
        if (from !== image) from.delete();
        from = to;
      }
      return from;
    },
    dispose() {
      for (const { kernel, weights } of passes) {
        kernel.destroy();
        weights.delete();
      }
    },
  };
}

/**
 * @param kernelsOf gives the kernels, made when they are first needed.
 * @throws GeometryError when a FWHM is negative or not finite.
 */
export function gpuGaussianPsf(
  device: GpuDevice,
  kernelsOf: () => { readonly images: GpuImages; readonly blur: GpuBlur },
  grid: Grid,
  fwhm: number | Point,
): LinearOperator {
  gaussianKernels(grid, fwhm);
  const blurred = (x: Volume, { signal }: CallOptions = {}): Promise<Volume> => {
    const { data } = expectShape(x, grid.shape, 'image');
    return device.use(async (own) => {
      const { images, blur } = kernelsOf();
      const image = await images.load(data, own);
      return array(grid.shape, await images.read(await blur.apply(image, own, signal), own, signal));
    });
  };
  return { inShape: grid.shape, outShape: grid.shape, forward: blurred, adjoint: blurred };
}
