/** @file  All bins of some (view, tangential) lines: Joseph's projector, vectorised axially. The lateral interpolation of a step,
 *    T_i[z] = (1 − w) f[j][z] + w f[j+1][z],
 *  is done once for all planes; plane r of a segment lies at A + p r + S τ_i = p r + k + g, so that with an integer p the shift k and
 *  the weight g are common to the segment:
 *    y[r] = c Σ_i (1 − g_i) T_i[p r + k_i] + g_i T_i[p r + k_i + 1]
 *  and the sum is over contiguous vectors. p = 1 and p = 2 (planes half a ring and a ring apart) are vectorised; any other p is not. */
import { column, first, last, lateralStride, length2, pitch, planeStride, setUp, tauBase, tauStep, uBase, uStep } from './ray';

/** Steps whose T is held at a time; bins transposed at a time; planes, or voxels, in one turn of the inner loops. */
const chunk: i32 = 8;
const block: i32 = 16;

/** Bytes of a row of the table of segments; see src/projector/cpu/tables.ts. */
const row: usize = 96;

let segments: i32 = 0;
let table: usize = 0;
/** Bytes of a row of T, of the accumulators of one bin, of all padded rows. */
let tBytes: usize = 0;
let accBytes: usize = 0;
let rowsBytes: usize = 0;

function read(s: usize): void {
  segments = <i32>load<f64>(s, 24);
  table = <usize>load<f64>(s, 32);
  tBytes = (<usize>load<f64>(s, 40)) << 2;
  accBytes = (<usize>load<f64>(s, 56)) << 2;
  rowsBytes = (<usize>load<f64>(s, 64)) << 2;
}

function setUpBin(g: usize, s: usize, bin: i32): bool {
  const at = <usize>load<f64>(s) + ((<usize>bin) << 5);
  return setUp(g, load<f64>(at), load<f64>(at, 8), load<f64>(at, 16), load<f64>(at, 24));
}

/** Sinogram bins bin0 … bin1 − 1 of every plane. Scratch, in this order: T, differences of T, accumulators, shifts and weights. */
export function forwardSinogram(g: usize, s: usize, scratch: usize, bin0: i32, bin1: i32): void {
  read(s);
  const bins = <usize>load<f64>(s, 8);
  const sinogram = <usize>load<f64>(s, 16);
  const nzp = <i32>load<f64>(g, 24);
  const lead = scratch + ((<usize>load<f64>(s, 48)) << 2);
  const acc = scratch + <usize>(2 * chunk) * tBytes;
  const steps = acc + <usize>block * accBytes;
  memory.fill(scratch, 0, <usize>(2 * chunk) * tBytes);
  for (let from = bin0; from < bin1; from += block) {
    const count = min(block, bin1 - from);
    for (let b = 0; b < count; b++) projectBin(g, s, from + b, lead, acc + <usize>b * accBytes, steps, nzp);
    for (let d = 0; d < segments; d++) {
      const t = table + <usize>d * row;
      const planes = <i32>load<f64>(t, 8);
      let out = sinogram + ((<usize>load<f64>(t) * bins + from) << 2);
      let at = acc + ((<usize>load<f64>(t, 40)) << 2);
      for (let r = 0; r < planes; r++) {
        for (let b = 0; b < count; b++) store<f32>(out + ((<usize>b) << 2), load<f32>(at + <usize>b * accBytes));
        out += bins << 2;
        at += 4;
      }
    }
  }
}

function projectBin(g: usize, s: usize, bin: i32, t0: usize, acc: usize, steps: usize, nzp: i32): void {
  memory.fill(acc, 0, accBytes);
  if (!setUpBin(g, s, bin)) return;
  const differences = <usize>chunk * tBytes;
  for (let i = first; i <= last; i += chunk) {
    const count = min(chunk, last - i + 1);
    for (let c = 0; c < count; c++) interpolate(t0 + <usize>c * tBytes, differences, i + c, nzp);
    for (let d = 0; d < segments; d++) {
      const t = table + <usize>d * row;
      const kind = <i32>load<f64>(t, 32);
      const out = acc + ((<usize>load<f64>(t, 40)) << 2);
      const planes = <i32>load<f64>(t, 8);
      if (kind === 0) {
        lerpAnywhere(t, out, t0, i, count);
        continue;
      }
      shifts(t, steps, i, t0, <i32>tBytes, 4);
      if (kind === 1) lerp(out, planes, steps, count, differences);
      else lerpEverySecond(out, planes, steps, count);
    }
  }
  for (let d = 0; d < segments; d++) {
    const t = table + <usize>d * row;
    const weight = f32x4.splat(<f32>(pitch * Math.sqrt(length2 + load<f64>(t, 48))));
    const out = acc + ((<usize>load<f64>(t, 40)) << 2);
    const bytes = (<usize>load<f64>(t, 8)) << 2;
    for (let at: usize = 0; at < bytes; at += 16) v128.store(out + at, f32x4.mul(weight, v128.load(out + at)));
  }
}

/** T at plane i, and beside it T[z + 1] − T[z] from z = −1 on. */
function interpolate(t: usize, differences: usize, i: i32, nzp: i32): void {
  const u = uBase + uStep * <f64>i;
  const j = Math.floor(u);
  const w = f32x4.splat(<f32>(u - j));
  const a = column + i * planeStride + <i32>j * lateralStride;
  const b = a + lateralStride;
  const bytes = (<usize>nzp) << 2;
  for (let z: usize = 0; z < bytes; z += 16) {
    const va = v128.load(a + z);
    v128.store(t + z, f32x4.add(va, f32x4.mul(w, f32x4.sub(v128.load(b + z), va))));
  }
  for (let at = t - 16; at < t + bytes; at += 16) v128.store(at + differences, f32x4.sub(v128.load(at, 4), v128.load(at)));
}

/** For each of `chunk` steps the address of T (or of a row) at r = 0 and the weight g: pairs of 32 bits. `step`: bytes from step to step. */
function shifts(t: usize, steps: usize, i: i32, base: usize, step: i32, bytesPerVoxel: i32): void {
  const offset = load<f64>(t, 16);
  const slope = load<f64>(t, 24);
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
function lerp(out: usize, planes: i32, steps: usize, count: i32, differences: usize): void {
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
      s0 = f32x4.add(s0, f32x4.add(v128.load(t), f32x4.mul(w, v128.load(d))));
      s1 = f32x4.add(s1, f32x4.add(v128.load(t, 16), f32x4.mul(w, v128.load(d, 16))));
      s2 = f32x4.add(s2, f32x4.add(v128.load(t, 32), f32x4.mul(w, v128.load(d, 32))));
      s3 = f32x4.add(s3, f32x4.add(v128.load(t, 48), f32x4.mul(w, v128.load(d, 48))));
    }
    v128.store(out + r, s0);
    v128.store(out + r, s1, 16);
    v128.store(out + r, s2, 32);
    v128.store(out + r, s3, 48);
  }
}

/** p = 2: even and odd elements of two neighbouring vectors are the lower and upper neighbours of four planes. */
function lerpEverySecond(out: usize, planes: i32, steps: usize, count: i32): void {
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
      s0 = f32x4.add(s0, f32x4.add(a0, f32x4.mul(w, f32x4.sub(v128.shuffle<f32>(v0, v1, 1, 3, 5, 7), a0))));
      s1 = f32x4.add(s1, f32x4.add(a1, f32x4.mul(w, f32x4.sub(v128.shuffle<f32>(v2, v3, 1, 3, 5, 7), a1))));
    }
    v128.store(out + r, s0);
    v128.store(out + r, s1, 16);
  }
}

/** Any p: planes whose position is in (−1, nz) are firstPlane … lastPlane. */
let firstPlane: i32 = 0;
let lastPlane: i32 = 0;

function seenPlanes(t: usize, start: f64, bottom: f64, top: f64): void {
  const planes = load<f64>(t, 8);
  const spacing = load<f64>(t, 56);
  firstPlane = <i32>Math.min(planes, Math.max(0, Math.floor((bottom - start) / spacing) + 1));
  lastPlane = <i32>Math.max(-1, Math.min(planes, Math.ceil((top - start) / spacing)) - 1);
}

function blend(a: v128, b: v128, w: v128): v128 {
  return f32x4.add(a, f32x4.mul(w, f32x4.sub(b, a)));
}

/** Four planes at a time, each pair of neighbours by one load. */
function lerpAnywhere(t: usize, out: usize, t0: usize, i: i32, count: i32): void {
  const spacing = load<f64>(t, 56);
  const lanes = f32x4.mul(f32x4(0, 1, 2, 3), f32x4.splat(<f32>spacing));
  for (let c = 0; c < count; c++) {
    const start = load<f64>(t, 16) + load<f64>(t, 24) * (tauBase + tauStep * <f64>(i + c));
    seenPlanes(t, start, load<f64>(t, 72), load<f64>(t, 80));
    const column = t0 + <usize>c * tBytes;
    let r = firstPlane;
    for (; r + 3 <= lastPlane; r += 4) {
      const at = start + spacing * <f64>r;
      const whole = Math.floor(at);
      const positions = f32x4.add(f32x4.splat(<f32>(at - whole)), lanes);
      const floors = f32x4.floor(positions);
      const k = i32x4.shl(i32x4.trunc_sat_f32x4_s(floors), 2);
      const base = column + ((<i32>whole) << 2);
      const a = v128.load_lane<u64>(base + i32x4.extract_lane(k, 1), v128.load64_zero(base + i32x4.extract_lane(k, 0)), 1);
      const b = v128.load_lane<u64>(base + i32x4.extract_lane(k, 3), v128.load64_zero(base + i32x4.extract_lane(k, 2)), 1);
      const below = v128.shuffle<f32>(a, b, 0, 2, 4, 6);
      const above = v128.shuffle<f32>(a, b, 1, 3, 5, 7);
      const o = out + ((<usize>r) << 2);
      v128.store(o, f32x4.add(v128.load(o), blend(below, above, f32x4.sub(positions, floors))));
    }
    for (; r <= lastPlane; r++) {
      const position = start + spacing * <f64>r;
      const k = Math.floor(position);
      const at = column + ((<i32>k) << 2);
      const a = load<f32>(at);
      const o = out + ((<usize>r) << 2);
      store<f32>(o, load<f32>(o) + a + <f32>(position - k) * (load<f32>(at, 4) - a));
    }
  }
}

/**
 * The transpose for voxels z0 … z1 − 1 (multiples of 16) of every column: adds bins bin0 … bin1 − 1 to the column image that `g` names.
 * Scratch, in this order: bins transposed, padded rows, their differences, one column, shifts and weights.
 */
export function adjointSinogram(g: usize, s: usize, scratch: usize, bin0: i32, bin1: i32, z0: i32, z1: i32): void {
  read(s);
  const bins = <usize>load<f64>(s, 8);
  const sinogram = <usize>load<f64>(s, 16);
  const rows = scratch + <usize>block * accBytes;
  memory.fill(rows, 0, 2 * rowsBytes);
  for (let from = bin0; from < bin1; from += block) {
    const count = min(block, bin1 - from);
    for (let d = 0; d < segments; d++) {
      const t = table + <usize>d * row;
      const planes = <i32>load<f64>(t, 8);
      let source = sinogram + ((<usize>load<f64>(t) * bins + from) << 2);
      let to = scratch + ((<usize>load<f64>(t, 40)) << 2);
      for (let r = 0; r < planes; r++) {
        for (let b = 0; b < count; b++) store<f32>(to + <usize>b * accBytes, load<f32>(source + ((<usize>b) << 2)));
        source += bins << 2;
        to += 4;
      }
    }
    for (let b = 0; b < count; b++) {
      if (setUpBin(g, s, from + b)) backProjectBin(scratch + <usize>b * accBytes, rows, z0, z1);
    }
  }
}

function backProjectBin(values: usize, rows: usize, z0: i32, z1: i32): void {
  // One voxel of border for what belongs to the slabs beside this one.
  const u = rows + 2 * rowsBytes + 16;
  const bytes = (<usize>(z1 - z0)) << 2;
  const steps = u + bytes + 16;
  let plain = 0;
  let second = 0;
  for (let d = 0; d < segments; d++) {
    const t = table + <usize>d * row;
    const kind = <i32>load<f64>(t, 32);
    if (kind === 1) plain = d + 1;
    else if (kind === 2) second = d + 1;
    weighRow(t, values + ((<usize>load<f64>(t, 40)) << 2), rows + ((<usize>load<f64>(t, 64)) << 2), z0, z1);
  }
  second = max(second, plain);
  for (let i = first; i <= last; i++) {
    const c = (i - first) & (chunk - 1);
    if (c === 0) {
      for (let d = 0; d < second; d++) {
        const t = table + <usize>d * row;
        const kind = <i32>load<f64>(t, 32);
        const y = rows + ((<usize>load<f64>(t, 64)) << 2);
        // With p = 2 the pair is (k, g) itself: even and odd shifts go different ways.
        if (kind === 1) shifts(t, steps + ((<usize>d) << 6), i, y + ((<usize>z0) << 2), 0, -4);
        else shifts(t, steps + ((<usize>d) << 6), i, 0, 0, 1);
      }
    }
    gatherPlain(plain, u, steps + ((<usize>c) << 3), bytes);
    if (second > plain) gatherEverySecond(plain, second, rows, u, steps, c, z0, bytes);
    for (let d = second; d < segments; d++) {
      const t = table + <usize>d * row;
      scatterAnywhere(t, rows + ((<usize>load<f64>(t, 64)) << 2), u, i, z0, z1);
    }
    const lateral = uBase + uStep * <f64>i;
    const j = Math.floor(lateral);
    const w = f32x4.splat(<f32>(lateral - j));
    const a = column + i * planeStride + <i32>j * lateralStride + (z0 << 2);
    const b = a + lateralStride;
    for (let z: usize = 0; z < bytes; z += 16) {
      const value = v128.load(u + z);
      const share = f32x4.mul(w, value);
      v128.store(a + z, f32x4.add(v128.load(a + z), f32x4.sub(value, share)));
      v128.store(b + z, f32x4.add(v128.load(b + z), share));
    }
  }
}

/** The planes r that the slab may see: p r + k in (z0 − 2, z1 + 1) for some shift k of the segment. */
function slabPlanes(t: usize, z0: i32, z1: i32): void {
  const planes = <i32>load<f64>(t, 8);
  const p = <i32>load<f64>(t, 32);
  firstPlane = p === 0 ? 0 : max(0, min(planes, (z0 - 2 - <i32>load<f64>(t, 80)) / max(p, 1) - 1));
  lastPlane = p === 0 ? planes - 1 : min(planes, (z1 + 1 - <i32>load<f64>(t, 72)) / max(p, 1) + 2) - 1;
}

/** The segment's values times their weight, and beside them the differences y[r − 1] − y[r]; zeros before and after. */
function weighRow(t: usize, values: usize, to: usize, z0: i32, z1: i32): void {
  slabPlanes(t, z0, z1);
  const weight = <f32>(pitch * Math.sqrt(length2 + load<f64>(t, 48)));
  let before: f32 = 0;
  for (let r = firstPlane; r <= lastPlane; r++) {
    const value = weight * load<f32>(values + ((<usize>r) << 2));
    store<f32>(to + ((<usize>r) << 2), value);
    store<f32>(to + ((<usize>r) << 2) + rowsBytes, before - value);
    before = value;
  }
  if (firstPlane <= lastPlane) store<f32>(to + ((<usize>(lastPlane + 1)) << 2) + rowsBytes, before);
}

/** p = 1: u[z] = Σ_d (1 − g) y_d[z − k] + g y_d[z − k − 1], segments 0 … end − 1. */
function gatherPlain(end: i32, u: usize, steps: usize, bytes: usize): void {
  const stop = steps + ((<usize>end) << 6);
  for (let z: usize = 0; z < bytes; z += 64) {
    let s0 = f32x4.splat(0);
    let s1 = s0;
    let s2 = s0;
    let s3 = s0;
    for (let c = steps; c < stop; c += 64) {
      const y = load<usize>(c) + z;
      const d = y + rowsBytes;
      const w = v128.load32_splat(c, 4);
      s0 = f32x4.add(s0, f32x4.add(v128.load(y), f32x4.mul(w, v128.load(d))));
      s1 = f32x4.add(s1, f32x4.add(v128.load(y, 16), f32x4.mul(w, v128.load(d, 16))));
      s2 = f32x4.add(s2, f32x4.add(v128.load(y, 32), f32x4.mul(w, v128.load(d, 32))));
      s3 = f32x4.add(s3, f32x4.add(v128.load(y, 48), f32x4.mul(w, v128.load(d, 48))));
    }
    v128.store(u + z, s0);
    v128.store(u + z, s1, 16);
    v128.store(u + z, s2, 32);
    v128.store(u + z, s3, 48);
  }
}

/** p = 2: with k = 2m, even voxels 2q get (1 − g) y[q − m] and odd ones g y[q − m]; with k = 2m + 1, odd (1 − g) y[q − m], even g y[q − m − 1]. */
function gatherEverySecond(start: i32, end: i32, rows: usize, u: usize, steps: usize, c: i32, z0: i32, bytes: usize): void {
  const pairs = steps + ((<usize>segments) << 6);
  let at = pairs;
  for (let d = start; d < end; d++) {
    const pair = steps + ((<usize>d) << 6) + ((<usize>c) << 3);
    const k = load<i32>(pair);
    const w = load<f32>(pair, 4);
    const odd = k & 1;
    const y = rows + ((<usize>load<f64>(table + <usize>d * row, 64)) << 2) + ((<usize>z0) << 1) - ((k >> 1) << 2);
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
      e0 = f32x4.add(e0, f32x4.mul(we, v128.load(even)));
      e1 = f32x4.add(e1, f32x4.mul(we, v128.load(even, 16)));
      o0 = f32x4.add(o0, f32x4.mul(wo, v128.load(odd)));
      o1 = f32x4.add(o1, f32x4.mul(wo, v128.load(odd, 16)));
    }
    v128.store(u + z, f32x4.add(v128.load(u + z), v128.shuffle<f32>(e0, o0, 0, 4, 1, 5)));
    v128.store(u + z, f32x4.add(v128.load(u + z, 16), v128.shuffle<f32>(e0, o0, 2, 6, 3, 7)), 16);
    v128.store(u + z, f32x4.add(v128.load(u + z, 32), v128.shuffle<f32>(e1, o1, 0, 4, 1, 5)), 32);
    v128.store(u + z, f32x4.add(v128.load(u + z, 48), v128.shuffle<f32>(e1, o1, 2, 6, 3, 7)), 48);
  }
}

/** Any p, one plane at a time; the two voxels in work stay in registers until the planes have passed them. */
function scatterAnywhere(t: usize, y: usize, u: usize, i: i32, z0: i32, z1: i32): void {
  const spacing = load<f64>(t, 56);
  const start = load<f64>(t, 16) + load<f64>(t, 24) * (tauBase + tauStep * <f64>i);
  seenPlanes(t, start, <f64>(z0 - 1), <f64>z1);
  if (firstPlane > lastPlane) return;
  let k = <i32>Math.floor(start + spacing * <f64>firstPlane);
  let at = u + ((k - z0) << 2);
  let below = load<f32>(at);
  let above = load<f32>(at, 4);
  for (let r = firstPlane; r <= lastPlane; r++) {
    const position = start + spacing * <f64>r;
    const floor = <i32>Math.floor(position);
    if (floor !== k) {
      store<f32>(at, below);
      store<f32>(at, above, 4);
      below = floor === k + 1 ? above : load<f32>(u + ((floor - z0) << 2));
      k = floor;
      at = u + ((k - z0) << 2);
      above = load<f32>(at, 4);
    }
    const value = load<f32>(y + ((<usize>r) << 2));
    const share = <f32>(position - <f64>floor) * value;
    below += value - share;
    above += share;
  }
  store<f32>(at, below);
  store<f32>(at, above, 4);
}
