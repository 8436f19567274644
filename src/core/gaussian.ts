/** @file  Separable convolution with a Gaussian: its kernel, and one pass along an axis. */
import { size } from './array.js';
import { turn } from './iterate.js';

/** FWHM = 2 √(2 ln 2) σ. */
export const fwhmPerSigma: number = 2 * Math.sqrt(2 * Math.log(2));
/** The kernel is cut at this many σ. */
const reach = 4;

/** Weights at 0, 1, 2, … voxels from the centre: k₀ + 2 Σ k_i = 1. */
export function gaussianKernel(sigma: number): Float64Array {
  const kernel = Float64Array.from({ length: Math.ceil(reach * sigma) + 1 }, (_, i) =>
    sigma === 0 ? 1 : Math.exp(-0.5 * (i / sigma) ** 2),
  );
  const sum = kernel.reduce((total, weight, i) => total + (i === 0 ? weight : 2 * weight), 0);
  return kernel.map((weight) => weight / sum);
}

/** Convolution with a symmetric kernel (weights at 0, 1, 2, …), the image zero outside. Along an axis it is [outer][n][inner]; whole runs of `inner` are added, so that memory is read in order. */
export async function convolvedAlong(
  image: Float32Array<ArrayBuffer>,
  shape: readonly number[],
  axis: number,
  kernel: Float64Array,
  signal: AbortSignal | undefined,
): Promise<Float32Array<ArrayBuffer>> {
  const n = shape[axis]!;
  const inner = size(shape.slice(axis + 1));
  const outer = size(shape.slice(0, axis));
  const out = new Float32Array(image.length);
  const workPerTurn = 2e7;
  let work = 0;
  for (let o = 0; o < outer; o++) {
    for (let i = 0; i < n; i++) {
      const to = (o * n + i) * inner;
      for (let tap = Math.max(-kernel.length + 1, -i); tap <= Math.min(kernel.length - 1, n - 1 - i); tap++) {
        const weight = kernel[Math.abs(tap)]!;
        const from = to + tap * inner;
        for (let c = 0; c < inner; c++) out[to + c]! += weight * image[from + c]!;
      }
      if ((work += inner * kernel.length) > workPerTurn) {
        work = 0;
        await turn(signal);
      }
    }
  }
  return out;
}
