/** @file  Steep segments, step by step. With T_i the lateral interpolation of step i and k, g the shift and weight of the segment there,
 *    y[r] = Σ_i (1 − g_i) T_i[p r + k_i] + g_i T_i[p r + k_i + 1],
 *  some steps at a time so that the sum stays in registers. Planes one or two voxels apart. */
import { blend, madd } from './madd';
import { column, lateralStride, planeStride, tauBase, tauStep, uBase, uStep } from './ray';
import { chunk, offsetOf, row, rowsBytes, rowsPlace, segments, slopeOf, table } from './sinogram-table';

/** T at plane i. */
export function interpolateRow(t: usize, i: i32, nzp: i32): void {
  const u = uBase + uStep * <f64>i;
  const j = Math.floor(u);
  const w = f32x4.splat(<f32>(u - j));
  const a = column + i * planeStride + <i32>j * lateralStride;
  const b = a + lateralStride;
  const bytes = (<usize>nzp) << 2;
  for (let z: usize = 0; z < bytes; z += 16) {
    const va = v128.load(a + z);
    v128.store(t + z, blend(va, v128.load(b + z), w));
  }
}

/** T at plane i, and beside it T[z + 1] − T[z] from z = −1 on. */
export function interpolate(t: usize, differences: usize, i: i32, nzp: i32): void {
  interpolateRow(t, i, nzp);
  const end = t + ((<usize>nzp) << 2);
  for (let at = t - 16; at < end; at += 16) v128.store(at + differences, f32x4.sub(v128.load(at, 4), v128.load(at)));
}

/** u, voxels z0 on, to the two columns of step i. */
export function spread(i: i32, u: usize, z0: i32, bytes: usize): void {
  const lateral = uBase + uStep * <f64>i;
  const j = Math.floor(lateral);
  const w = f32x4.splat(<f32>(lateral - j));
  const rest = f32x4.sub(f32x4.splat(1), w);
  const a = column + i * planeStride + <i32>j * lateralStride + (z0 << 2);
  const b = a + lateralStride;
  for (let z: usize = 0; z < bytes; z += 16) {
    const value = v128.load(u + z);
    v128.store(a + z, madd(rest, value, v128.load(a + z)));
    v128.store(b + z, madd(w, value, v128.load(b + z)));
  }
}

/** For each of `chunk` steps the address of T (or of a row) at r = 0 and the weight g: pairs of 32 bits. `step`: bytes from step to step. */
export function shifts(t: usize, steps: usize, i: i32, base: usize, step: i32, bytesPerVoxel: i32): void {
  const offset = offsetOf(t);
  const slope = slopeOf(t);
  const low = f32x4.splat(<f32>load<f64>(t, 72));
  const high = f32x4.splat(<f32>load<f64>(t, 80));
  const lanes = f32x4.mul(f32x4(0, 1, 2, 3), f32x4.splat(<f32>(slope * tauStep)));
  const size = i32x4.splat(bytesPerVoxel);
  for (let c = 0; c < chunk; c += 4) {
    // In double at every fourth step, in float32 the short way from there.
    const start = offset + slope * (tauBase + tauStep * <f64>(i + c));
    const whole = Math.floor(start);
    const positions = f32x4.add(f32x4.splat(<f32>(start - whole)), lanes);
    const floors = f32x4.floor(positions);
    const weights = f32x4.sub(positions, floors);
    const k = f32x4.min(f32x4.max(f32x4.add(floors, f32x4.splat(<f32>whole)), low), high);
    const first = <i32>base + c * step;
    const bases = i32x4(first, first + step, first + 2 * step, first + 3 * step);
    const addresses = i32x4.add(i32x4.mul(i32x4.trunc_sat_f32x4_s(k), size), bases);
    v128.store(steps, v128.shuffle<f32>(addresses, weights, 0, 4, 1, 5));
    v128.store(steps, v128.shuffle<f32>(addresses, weights, 2, 6, 3, 7), 16);
    steps += 32;
  }
}

/** p = 1. */
export function lerp(out: usize, planes: i32, steps: usize, count: i32, differences: usize): void {
  const end = steps + ((<usize>count) << 3);
  const bytes = (<usize>planes) << 2;
  for (let r: usize = 0; r < bytes; r += 64) {
    let s0 = v128.load(out + r);
    let s1 = v128.load(out + r, 16);
    let s2 = v128.load(out + r, 32);
    let s3 = v128.load(out + r, 48);
    for (let c = steps; c < end; c += 8) {
      const t = load<usize>(c) + r;
      const d = t + differences;
      const w = v128.load32_splat(c, 4);
      s0 = f32x4.add(s0, madd(w, v128.load(d), v128.load(t)));
      s1 = f32x4.add(s1, madd(w, v128.load(d, 16), v128.load(t, 16)));
      s2 = f32x4.add(s2, madd(w, v128.load(d, 32), v128.load(t, 32)));
      s3 = f32x4.add(s3, madd(w, v128.load(d, 48), v128.load(t, 48)));
    }
    v128.store(out + r, s0);
    v128.store(out + r, s1, 16);
    v128.store(out + r, s2, 32);
    v128.store(out + r, s3, 48);
  }
}

/** p = 2: even and odd elements of two neighbouring vectors are the lower and upper neighbours of four planes. */
export function lerpEverySecond(out: usize, planes: i32, steps: usize, count: i32): void {
  const end = steps + ((<usize>count) << 3);
  const bytes = (<usize>planes) << 2;
  for (let r: usize = 0; r < bytes; r += 32) {
    let s0 = v128.load(out + r);
    let s1 = v128.load(out + r, 16);
    for (let c = steps; c < end; c += 8) {
      const t = load<usize>(c) + 2 * r;
      const w = v128.load32_splat(c, 4);
      const v0 = v128.load(t);
      const v1 = v128.load(t, 16);
      const v2 = v128.load(t, 32);
      const v3 = v128.load(t, 48);
      const a0 = v128.shuffle<f32>(v0, v1, 0, 2, 4, 6);
      const a1 = v128.shuffle<f32>(v2, v3, 0, 2, 4, 6);
      s0 = f32x4.add(s0, blend(a0, v128.shuffle<f32>(v0, v1, 1, 3, 5, 7), w));
      s1 = f32x4.add(s1, blend(a1, v128.shuffle<f32>(v2, v3, 1, 3, 5, 7), w));
    }
    v128.store(out + r, s0);
    v128.store(out + r, s1, 16);
  }
}

/** p = 1: u[z] = Σ_d (1 − g) y_d[z − k] + g y_d[z − k − 1], segments start … end − 1. */
export function gatherPlain(start: i32, end: i32, u: usize, steps: usize, bytes: usize): void {
  const begin = steps + ((<usize>start) << 6);
  const stop = steps + ((<usize>end) << 6);
  for (let z: usize = 0; z < bytes; z += 64) {
    let s0 = f32x4.splat(0);
    let s1 = s0;
    let s2 = s0;
    let s3 = s0;
    for (let c = begin; c < stop; c += 64) {
      const y = load<usize>(c) + z;
      const d = y + rowsBytes;
      const w = v128.load32_splat(c, 4);
      s0 = f32x4.add(s0, madd(w, v128.load(d), v128.load(y)));
      s1 = f32x4.add(s1, madd(w, v128.load(d, 16), v128.load(y, 16)));
      s2 = f32x4.add(s2, madd(w, v128.load(d, 32), v128.load(y, 32)));
      s3 = f32x4.add(s3, madd(w, v128.load(d, 48), v128.load(y, 48)));
    }
    v128.store(u + z, s0);
    v128.store(u + z, s1, 16);
    v128.store(u + z, s2, 32);
    v128.store(u + z, s3, 48);
  }
}

/** p = 2: with k = 2m, even voxels 2q get (1 − g) y[q − m] and odd ones g y[q − m]; with k = 2m + 1, odd (1 − g) y[q − m], even g y[q − m − 1]. */
export function gatherEverySecond(
  start: i32,
  end: i32,
  rows: usize,
  u: usize,
  steps: usize,
  c: i32,
  z0: i32,
  bytes: usize,
): void {
  const pairs = steps + ((<usize>segments) << 6);
  let at = pairs;
  for (let d = start; d < end; d++) {
    const pair = steps + ((<usize>d) << 6) + ((<usize>c) << 3);
    const k = load<i32>(pair);
    const w = load<f32>(pair, 4);
    const odd = k & 1;
    const y = rows + rowsPlace(table + <usize>d * row) + ((<usize>z0) << 1) - ((k >> 1) << 2);
    store<usize>(at, y - (odd << 2));
    store<usize>(at, y, 4);
    store<f32>(at, odd ? w : 1 - w, 8);
    store<f32>(at, odd ? 1 - w : w, 12);
    at += 16;
  }
  for (let z: usize = 0; z < bytes; z += 64) {
    let e0 = f32x4.splat(0);
    let e1 = e0;
    let o0 = e0;
    let o1 = e0;
    const half = z >> 1;
    for (let q = pairs; q < at; q += 16) {
      const even = load<usize>(q) + half;
      const odd = load<usize>(q, 4) + half;
      const we = v128.load32_splat(q, 8);
      const wo = v128.load32_splat(q, 12);
      e0 = madd(we, v128.load(even), e0);
      e1 = madd(we, v128.load(even, 16), e1);
      o0 = madd(wo, v128.load(odd), o0);
      o1 = madd(wo, v128.load(odd, 16), o1);
    }
    v128.store(u + z, f32x4.add(v128.load(u + z), v128.shuffle<f32>(e0, o0, 0, 4, 1, 5)));
    v128.store(u + z, f32x4.add(v128.load(u + z, 16), v128.shuffle<f32>(e0, o0, 2, 6, 3, 7)), 16);
    v128.store(u + z, f32x4.add(v128.load(u + z, 32), v128.shuffle<f32>(e1, o1, 0, 4, 1, 5)), 32);
    v128.store(u + z, f32x4.add(v128.load(u + z, 48), v128.shuffle<f32>(e1, o1, 2, 6, 3, 7)), 48);
  }
}
