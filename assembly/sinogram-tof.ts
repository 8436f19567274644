/** @file  Sinograms with time of flight. The weight of a TOF bin depends on the step and on the length of the line, not on the plane, so
 *  that for each segment the sum over steps is a product of matrices,
 *    y[t][r] = Σ_i W[i][t] L[i][r],   L[i][r] = (1 − g_i) T_i[p r + k_i] + g_i T_i[p r + k_i + 1],
 *  of which W is a narrow band: W[i][t] = c ω(x_i − t), ω of src/projector/tof-weight.ts, x_i the place of step i in TOF bins, which count
 *  from the end of the line to its start. Twelve planes and three bins at a time. */

import { blend, madd } from './madd';
import { first, last, tauBase, tauStep } from './ray';
import { positionsAnywhere } from './sinogram-anywhere';
import { interpolateRow, spread } from './sinogram-direct';
import {
  accBytes,
  accPlace,
  bins,
  kindOf,
  offsetOf,
  planesOf,
  row,
  segments,
  setUpBin,
  sinogram,
  slopeOf,
  table,
  tBytes,
  tLead,
} from './sinogram-table';
import {
  allPlanes,
  bands,
  lineBytes,
  lines,
  locate,
  readTof,
  rows,
  steps,
  tofBins,
  weigh,
  weightBytes,
  weights,
  windows,
} from './tof-weights';
import { transpose } from './transpose';

/** Bins of the sinogram at a time; planes, in bytes, at a time. */
const block: i32 = 16;
const planeBytes: usize = 48;

/** Sinogram bins bin0 … bin1 − 1 of every plane and TOF bin. */
export function forwardTof(g: usize, s: usize, scratch: usize, bin0: i32, bin1: i32): void {
  const values = readTof(g, s, scratch);
  const nzp = <i32>load<f64>(g, 24);
  const stride = <usize>tofBins * accBytes;
  for (let from = bin0; from < bin1; from += block) {
    const count = min(block, bin1 - from);
    for (let b = 0; b < count; b++) {
      const acc = values + <usize>b * stride;
      memory.fill(acc, 0, stride);
      if (setUpBin(g, s, from + b)) projectLine(acc, nzp);
    }
    exchange(values, from, count, true);
  }
}

/** Values of some bins from [bin][tof][plane] to the sinogram, or to there from it. */
function exchange(values: usize, from: i32, count: i32, out: bool): void {
  const stride = <usize>tofBins * accBytes;
  for (let t = 0; t < tofBins; t++) {
    for (let d = 0; d < segments; d++) {
      const segment = table + <usize>d * row;
      const plane = <usize>t * allPlanes + <usize>load<f64>(segment);
      const inside = values + <usize>t * accBytes + accPlace(segment);
      const outside = sinogram + ((plane * bins + from) << 2);
      if (out) transpose(inside, stride, outside, bins << 2, count, planesOf(segment));
      else transpose(outside, bins << 2, inside, stride, planesOf(segment), count);
    }
  }
}

function projectLine(acc: usize, nzp: i32): void {
  for (let i = first; i <= last; i++) interpolateRow(rows + <usize>(i - first) * tBytes, i, nzp);
  for (let d = 0; d < segments; d++) {
    const t = table + <usize>d * row;
    weigh(t, d === 0);
    locate(t);
    const bytes = (<usize>planesOf(t)) << 2;
    for (let r: usize = 0; r < bytes; r += planeBytes) {
      sample(t, r);
      for (let bin = 0; bin < tofBins; bin += 3) multiply(bin, acc + accPlace(t) + r);
    }
  }
}

/** L for twelve planes from byte r on. */
function sample(t: usize, r: usize): void {
  const kind = kindOf(t);
  const count = <usize>(last - first + 1);
  for (let n: usize = 0; n < count; n++) {
    const out = lines + n * lineBytes + 16;
    if (kind === 0) {
      const start = offsetOf(t) + slopeOf(t) * (tauBase + tauStep * <f64>(first + <i32>n));
      for (let v: usize = 0; v < planeBytes; v += 16) {
        v128.store(out + v, positionsAnywhere(t, rows + n * tBytes, start, <i32>((r + v) >> 2)));
      }
      continue;
    }
    const w = v128.load32_splat(steps + (n << 3), 4);
    const at = load<usize>(steps + (n << 3)) + r * <usize>kind;
    if (kind === 1) {
      v128.store(out, blend(v128.load(at), v128.load(at, 4), w));
      v128.store(out, blend(v128.load(at, 16), v128.load(at, 20), w), 16);
      v128.store(out, blend(v128.load(at, 32), v128.load(at, 36), w), 32);
    } else {
      for (let v: usize = 0; v < planeBytes; v += 16) {
        const a = v128.load(at + 2 * v);
        const b = v128.load(at + 2 * v, 16);
        v128.store(out + v, blend(v128.shuffle<f32>(a, b, 0, 2, 4, 6), v128.shuffle<f32>(a, b, 1, 3, 5, 7), w));
      }
    }
  }
}

/** Three TOF bins of twelve planes. */
function multiply(bin: i32, out: usize): void {
  const band = bands + ((<usize>(bin / 3)) << 3);
  const from = load<i32>(band);
  const to = load<i32>(band, 4);
  if (from > to) return;
  let a0 = f32x4.splat(0);
  let a1 = a0;
  let a2 = a0;
  let b0 = a0;
  let b1 = a0;
  let b2 = a0;
  let c0 = a0;
  let c1 = a0;
  let c2 = a0;
  let l = lines + <usize>(from - first) * lineBytes + 16;
  let w = weights + <usize>(from - first) * weightBytes + ((<usize>bin) << 2);
  for (let i = from; i <= to; i++) {
    const l0 = v128.load(l);
    const l1 = v128.load(l, 16);
    const l2 = v128.load(l, 32);
    const wa = v128.load32_splat(w);
    a0 = madd(wa, l0, a0);
    a1 = madd(wa, l1, a1);
    a2 = madd(wa, l2, a2);
    const wb = v128.load32_splat(w, 4);
    b0 = madd(wb, l0, b0);
    b1 = madd(wb, l1, b1);
    b2 = madd(wb, l2, b2);
    const wc = v128.load32_splat(w, 8);
    c0 = madd(wc, l0, c0);
    c1 = madd(wc, l1, c1);
    c2 = madd(wc, l2, c2);
    l += lineBytes;
    w += weightBytes;
  }
  out += <usize>bin * accBytes;
  put(out, a0, a1, a2);
  if (bin + 1 < tofBins) put(out + accBytes, b0, b1, b2);
  if (bin + 2 < tofBins) put(out + 2 * accBytes, c0, c1, c2);
}

function put(out: usize, v0: v128, v1: v128, v2: v128): void {
  v128.store(out, v0);
  v128.store(out, v1, 16);
  v128.store(out, v2, 32);
}

/** The transpose: adds bins bin0 … bin1 − 1 to the column image that `g` names. */
export function adjointTof(g: usize, s: usize, scratch: usize, bin0: i32, bin1: i32): void {
  const values = readTof(g, s, scratch);
  const nzBytes = (<usize>load<f64>(g, 24)) << 2;
  const stride = <usize>tofBins * accBytes;
  memory.fill(values, 0, <usize>block * stride);
  for (let from = bin0; from < bin1; from += block) {
    const count = min(block, bin1 - from);
    exchange(values, from, count, false);
    for (let b = 0; b < count; b++) {
      if (setUpBin(g, s, from + b)) backProjectLine(values + <usize>b * stride, nzBytes, <i32>load<f64>(g));
    }
  }
}

function backProjectLine(values: usize, nzBytes: usize, nz: i32): void {
  memory.fill(rows - tLead, 0, <usize>(last - first + 1) * tBytes);
  for (let d = 0; d < segments; d++) {
    const t = table + <usize>d * row;
    weigh(t, d === 0);
    locate(t);
    const bytes = (<usize>planesOf(t)) << 2;
    for (let r: usize = 0; r < bytes; r += planeBytes) {
      for (let i = first; i <= last; i += 3) gather(i, values + accPlace(t) + r);
      if (kindOf(t) === 0) scatterAnyRow(t, <i32>(r >> 2), nz);
      else scatterRow(t, r);
    }
  }
  for (let i = first; i <= last; i++) spread(i, rows + <usize>(i - first) * tBytes, 0, nzBytes);
}

/** Twelve planes of three steps of L. */
function gather(i: i32, y: usize): void {
  const n = <usize>(i - first);
  const window = windows + (n << 3);
  let low = load<i32>(window);
  let high = load<i32>(window, 4);
  const count = min(3, last - i + 1);
  for (let c = 1; c < count; c++) {
    low = min(low, load<i32>(window + ((<usize>c) << 3)));
    high = max(high, load<i32>(window + ((<usize>c) << 3), 4));
  }
  let a0 = f32x4.splat(0);
  let a1 = a0;
  let a2 = a0;
  let b0 = a0;
  let b1 = a0;
  let b2 = a0;
  let c0 = a0;
  let c1 = a0;
  let c2 = a0;
  // Rows of W that do not exist are never kept.
  const second = count > 1 ? weightBytes : 0;
  const third = count > 2 ? weightBytes << 1 : 0;
  let w = weights + n * weightBytes + (low << 2);
  y += <usize>low * accBytes;
  for (let bin = low; bin <= high; bin++) {
    const y0 = v128.load(y);
    const y1 = v128.load(y, 16);
    const y2 = v128.load(y, 32);
    const wa = v128.load32_splat(w);
    a0 = madd(wa, y0, a0);
    a1 = madd(wa, y1, a1);
    a2 = madd(wa, y2, a2);
    const wb = v128.load32_splat(w + second);
    b0 = madd(wb, y0, b0);
    b1 = madd(wb, y1, b1);
    b2 = madd(wb, y2, b2);
    const wc = v128.load32_splat(w + third);
    c0 = madd(wc, y0, c0);
    c1 = madd(wc, y1, c1);
    c2 = madd(wc, y2, c2);
    w += 4;
    y += accBytes;
  }
  const out = lines + n * lineBytes + 16;
  put(out, a0, a1, a2);
  if (count > 1) put(out + lineBytes, b0, b1, b2);
  if (count > 2) put(out + 2 * lineBytes, c0, c1, c2);
}

/** L to the steps' rows: (1 − g) L to voxel p r + k, g L to the one after. */
function scatterRow(t: usize, r: usize): void {
  const kind = <usize>kindOf(t);
  const count = <usize>(last - first + 1);
  for (let n: usize = 0; n < count; n++) {
    const w = v128.load32_splat(steps + (n << 3), 4);
    let to = load<usize>(steps + (n << 3)) + r * kind;
    const from = lines + n * lineBytes + 16;
    if (kind === 1) {
      for (let v: usize = 0; v < planeBytes + 16; v += 16) {
        v128.store(to + v, f32x4.add(v128.load(to + v), blend(v128.load(from + v), v128.load(from + v - 4), w)));
      }
    } else {
      for (let v: usize = 0; v < planeBytes; v += 16) {
        const value = v128.load(from + v);
        const upper = f32x4.mul(w, value);
        const lower = f32x4.sub(value, upper);
        v128.store(to, f32x4.add(v128.load(to), v128.shuffle<f32>(lower, upper, 0, 4, 1, 5)));
        v128.store(to, f32x4.add(v128.load(to, 16), v128.shuffle<f32>(lower, upper, 2, 6, 3, 7)), 16);
        to += 32;
      }
    }
  }
}

function scatterAnyRow(t: usize, r: i32, nz: i32): void {
  const end = min(planesOf(t), r + 12);
  for (let i = first; i <= last; i++) {
    const n = <usize>(i - first);
    const start = offsetOf(t) + slopeOf(t) * (tauBase + tauStep * <f64>i);
    for (let plane = r; plane < end; plane++) {
      const position = start + load<f64>(t, 56) * <f64>plane;
      const k = Math.floor(position);
      if (k < -1 || k >= <f64>nz) continue;
      const value = load<f32>(lines + n * lineBytes + 16 + ((<usize>(plane - r)) << 2));
      const upper = <f32>(position - k) * value;
      const at = rows + n * tBytes + ((<i32>k) << 2);
      store<f32>(at, load<f32>(at) + value - upper);
      store<f32>(at, load<f32>(at, 4) + upper, 4);
    }
  }
}
