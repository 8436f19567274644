/** @file  Convolution with a separable, symmetric kernel, the image [z][y][x] zero outside, in place: along x and y plane by plane, along z
 *  strip by strip. A kernel is k₀, k₁, … k_radius; the same sums as in src/projector/psf.ts. */
import { madd } from './madd';

/** Floats of a strip of neighbouring columns along z. */
const strip: i32 = 64;

/** Planes z0 … z1 − 1. Scratch: a plane with `radiusY` rows of zeros above and below, rows of `width` floats (a multiple of 16), and a row with
 *  `radiusX` zeros before and after. */
export function blurPlanes(
  image: usize,
  scratch: usize,
  width: i32,
  kernelX: usize,
  radiusX: i32,
  kernelY: usize,
  radiusY: i32,
  ny: i32,
  nx: i32,
  z0: i32,
  z1: i32,
): void {
  const rowBytes = (<usize>width) << 2;
  const bytes = (<usize>nx) << 2;
  const first = scratch + <usize>radiusY * rowBytes;
  const after = first + <usize>ny * rowBytes;
  const line = after + <usize>radiusY * rowBytes + ((<usize>radiusX) << 2);
  memory.fill(scratch, 0, <usize>radiusY * rowBytes);
  memory.fill(after, 0, <usize>(radiusY + 1) * rowBytes + ((<usize>radiusX) << 3));
  for (let z = z0; z < z1; z++) {
    const plane = image + <usize>(z * ny) * bytes;
    for (let y = 0; y < ny; y++) {
      memory.copy(line, plane + <usize>y * bytes, bytes);
      convolve(line, first + <usize>y * rowBytes, width, kernelX, radiusX, 4);
    }
    for (let y = 0; y < ny; y++) {
      convolve(first + <usize>y * rowBytes, line, width, kernelY, radiusY, rowBytes);
      memory.copy(plane + <usize>y * bytes, line, bytes);
    }
    memory.fill(line + bytes, 0, rowBytes - bytes);
  }
}

/** Columns from … to − 1 of the planes' `pixels`. Scratch: strips of all planes, with `radius` strips of zeros before and after, and one more. */
export function blurColumns(
  image: usize,
  scratch: usize,
  kernel: usize,
  radius: i32,
  nz: i32,
  pixels: i32,
  from: i32,
  to: i32,
): void {
  const stripBytes = (<usize>strip) << 2;
  const planeBytes = (<usize>pixels) << 2;
  const first = scratch + <usize>radius * stripBytes;
  const out = first + <usize>(nz + radius) * stripBytes;
  memory.fill(scratch, 0, <usize>(nz + 2 * radius + 1) * stripBytes);
  for (let at = from; at < to; at += strip) {
    const bytes = (<usize>min(strip, to - at)) << 2;
    const column = image + ((<usize>at) << 2);
    for (let z = 0; z < nz; z++) memory.copy(first + <usize>z * stripBytes, column + <usize>z * planeBytes, bytes);
    for (let z = 0; z < nz; z++) {
      convolve(first + <usize>z * stripBytes, out, strip, kernel, radius, stripBytes);
      memory.copy(column + <usize>z * planeBytes, out, bytes);
    }
  }
}

/** to[i] = k₀ from[i] + Σ_t k_t (from[i − t] + from[i + t]) for `count` floats, a multiple of 16; `step`: bytes from tap to tap. */
function convolve(from: usize, to: usize, count: i32, kernel: usize, radius: i32, step: usize): void {
  const bytes = (<usize>count) << 2;
  const k0 = v128.load32_splat(kernel);
  for (let at: usize = 0; at < bytes; at += 64) {
    const middle = from + at;
    let s0 = f32x4.mul(k0, v128.load(middle));
    let s1 = f32x4.mul(k0, v128.load(middle, 16));
    let s2 = f32x4.mul(k0, v128.load(middle, 32));
    let s3 = f32x4.mul(k0, v128.load(middle, 48));
    let below = middle;
    let above = middle;
    for (let t = 1; t <= radius; t++) {
      below -= step;
      above += step;
      const k = v128.load32_splat(kernel + ((<usize>t) << 2));
      s0 = madd(k, f32x4.add(v128.load(below), v128.load(above)), s0);
      s1 = madd(k, f32x4.add(v128.load(below, 16), v128.load(above, 16)), s1);
      s2 = madd(k, f32x4.add(v128.load(below, 32), v128.load(above, 32)), s2);
      s3 = madd(k, f32x4.add(v128.load(below, 48), v128.load(above, 48)), s3);
    }
    v128.store(to + at, s0);
    v128.store(to + at, s1, 16);
    v128.store(to + at, s2, 32);
    v128.store(to + at, s3, 48);
  }
}
