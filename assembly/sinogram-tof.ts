/** @file  Sinograms with time of flight. The weight of a TOF bin depends on the step and on the length of the line, not on the plane, so
 *  that for each segment the sum over steps is a product of matrices,
 *    y[t][r] = Σ_i W[i][t] L[i][r],   L[i][r] = (1 − g_i) T_i[p r + k_i] + g_i T_i[p r + k_i + 1],
 *  of which W is a narrow band: W[i][t] = c ω(x_i − t), ω of src/projector/tof-weight.ts, x_i the place of step i in TOF bins, which count
 *  from the end of the line to its start. Twelve planes and three bins at a time. */

import { blend } from './madd';
import { first, last, length2, tauBase, tauStep } from './ray';
import { neighbours, positionsAnywhere } from './sinogram-anywhere';
import { interpolateRow, shifts, spread } from './sinogram-direct';
import {
  accBytes,
  accPlace,
  bins,
  chunk,
  kindOf,
  offsetOf,
  planesOf,
  read,
  row,
  sampleLength,
  segments,
  setUpBin,
  sinogram,
  slopeOf,
  table,
  tBytes,
  tLead,
} from './sinogram-table';
import { transpose } from './transpose';

/** Bins of the sinogram at a time; planes, in bytes, at a time; bytes of a row of L, which has four zeros at either end. */
const block: i32 = 16;
const planeBytes: usize = 48;
const lineBytes: usize = 80;

/** TOF bins; planes of the whole sinogram; width of a bin and σ in mm; the Gaussian's cumulative at −6σ, −6σ + σ/256, …, +6σ. */
let tofBins: i32 = 0;
let allPlanes: usize = 0;
let width: f64 = 0;
let sigma: f64 = 0;
let cumulative: usize = 0;
/** Bytes of a row of W; scratch: T or its transpose, L, W, first and last TOF bin of each step, steps of each three bins, shifts, borders of bins. */
let weightBytes: usize = 0;
let rows: usize = 0;
let lines: usize = 0;
let weights: usize = 0;
let windows: usize = 0;
let bands: usize = 0;
let steps: usize = 0;
let borders: usize = 0;

function readTof(s: usize, scratch: usize, maxSteps: usize): usize {
  read(s);
  tofBins = <i32>load<f64>(s, 120);
  allPlanes = <usize>load<f64>(s, 128);
  width = load<f64>(s, 136);
  sigma = load<f64>(s, 144);
  cumulative = <usize>load<f64>(s, 152);
  // A multiple of three, and four more: whole vectors may be written past the last.
  weightBytes = <usize>((tofBins + 6) / 3) * 12 + 12;
  rows = scratch + tLead;
  lines = scratch + maxSteps * tBytes;
  weights = lines + maxSteps * lineBytes + 16;
  windows = weights + maxSteps * weightBytes;
  bands = windows + maxSteps * 8;
  steps = bands + (weightBytes << 1);
  borders = steps + (maxSteps + <usize>chunk) * 8;
  const values = borders + weightBytes + 64;
  memory.fill(scratch, 0, values - scratch);
  return values;
}

function maxStepsOf(g: usize): usize {
  return <usize>Math.max(load<f64>(g, 8), load<f64>(g, 16)) + 2;
}

/** Sinogram bins bin0 … bin1 − 1 of every plane and TOF bin. */
export function forwardTof(g: usize, s: usize, scratch: usize, bin0: i32, bin1: i32): void {
  const values = readTof(s, scratch, maxStepsOf(g));
  const nzp = <i32>load<f64>(g, 24);
  const stride = <usize>tofBins * accBytes;
  for (let from = bin0; from < bin1; from += block) {
    const count = min(block, bin1 - from);
    for (let b = 0; b < count; b++) {
      const acc = values + <usize>b * stride;
      memory.fill(acc, 0, stride);
      if (setUpBin(g, s, from + b)) projectLine(acc, nzp);
    }
    for (let t = 0; t < tofBins; t++) {
      for (let d = 0; d < segments; d++) {
        const segment = table + <usize>d * row;
        const plane = <usize>t * allPlanes + <usize>load<f64>(segment);
        const acc = values + <usize>t * accBytes + accPlace(segment);
        transpose(acc, stride, sinogram + ((plane * bins + from) << 2), bins << 2, count, planesOf(segment));
      }
    }
  }
}

function projectLine(acc: usize, nzp: i32): void {
  for (let i = first; i <= last; i++) interpolateRow(rows + <usize>(i - first) * tBytes, i, nzp);
  let axial2: f64 = -1;
  for (let d = 0; d < segments; d++) {
    const t = table + <usize>d * row;
    if (load<f64>(t, 48) !== axial2) weigh(t);
    axial2 = load<f64>(t, 48);
    locate(t);
    const bytes = (<usize>planesOf(t)) << 2;
    for (let r: usize = 0; r < bytes; r += planeBytes) {
      sample(t, r);
      for (let bin = 0; bin < tofBins; bin += 3) multiply(bin, acc + accPlace(t) + r);
    }
  }
}

/** The Gaussian's cumulative at four borders of bins, `at` and `apart` in places of its table. */
function cumulativeAt(at: f64, apart: f32): v128 {
  const places = f32x4.add(f32x4.splat(<f32>at), f32x4.mul(f32x4(0, 1, 2, 3), f32x4.splat(apart)));
  return neighbours(cumulative, f32x4.min(f32x4.max(places, f32x4.splat(0)), f32x4.splat(3072)));
}

/** W, the TOF bins that each step sees, and the steps that each three bins see. */
function weigh(t: usize): void {
  const length = Math.sqrt(length2 + load<f64>(t, 48));
  const sample = sampleLength(t);
  const apart = (256 * width) / sigma;
  const reach = (3 * sigma) / width;
  memory.fill(weights, 0, <usize>(last - first + 1) * weightBytes);
  for (let bin = 0; bin < tofBins; bin += 3) {
    const band = bands + ((<usize>(bin / 3)) << 3);
    store<i32>(band, last + 1);
    store<i32>(band, first - 1, 4);
  }
  for (let i = first; i <= last; i++) {
    const x = ((0.5 - (tauBase + tauStep * <f64>i)) * length) / width + 0.5 * <f64>(tofBins - 1);
    const from = <i32>Math.floor(x - reach);
    const to = <i32>Math.ceil(x + reach);
    const low = max(0, from);
    const high = min(tofBins - 1, to);
    const n = <usize>(i - first);
    store<i32>(windows + (n << 3), low);
    store<i32>(windows + (n << 3), high, 4);
    if (low > high) continue;
    const zero = 1536 - (x + 0.5) * apart;
    const ends = cumulativeAt(zero + <f64>from * apart, <f32>(<f64>(to + 1 - from) * apart));
    const weight = f32x4.splat(sample / (f32x4.extract_lane(ends, 1) - f32x4.extract_lane(ends, 0)));
    // Borders beyond the window's are worked out with it, four at a time, and their weights put back to zero.
    for (let bin = low; bin <= high + 1; bin += 4) {
      v128.store(borders + ((<usize>bin) << 2), cumulativeAt(zero + <f64>bin * apart, <f32>apart));
    }
    const w = weights + n * weightBytes;
    for (let bin = low; bin <= high; bin += 4) {
      const b = borders + ((<usize>bin) << 2);
      v128.store(w + ((<usize>bin) << 2), f32x4.mul(weight, f32x4.sub(v128.load(b, 4), v128.load(b))));
    }
    v128.store(w + ((<usize>(high + 1)) << 2), f32x4.splat(0));
    for (let third = low / 3; third <= high / 3; third++) {
      const band = bands + ((<usize>third) << 3);
      store<i32>(band, min(load<i32>(band), i));
      store<i32>(band, i, 4);
    }
  }
}

/** For each step the address of T at r = 0 and the weight g. */
function locate(t: usize): void {
  if (kindOf(t) === 0) return;
  for (let i = first; i <= last; i += chunk) {
    const n = <usize>(i - first);
    shifts(t, steps + (n << 3), i, rows + n * tBytes, <i32>tBytes, 4);
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
    a0 = f32x4.add(a0, f32x4.mul(wa, l0));
    a1 = f32x4.add(a1, f32x4.mul(wa, l1));
    a2 = f32x4.add(a2, f32x4.mul(wa, l2));
    const wb = v128.load32_splat(w, 4);
    b0 = f32x4.add(b0, f32x4.mul(wb, l0));
    b1 = f32x4.add(b1, f32x4.mul(wb, l1));
    b2 = f32x4.add(b2, f32x4.mul(wb, l2));
    const wc = v128.load32_splat(w, 8);
    c0 = f32x4.add(c0, f32x4.mul(wc, l0));
    c1 = f32x4.add(c1, f32x4.mul(wc, l1));
    c2 = f32x4.add(c2, f32x4.mul(wc, l2));
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
  const values = readTof(s, scratch, maxStepsOf(g));
  const nzBytes = (<usize>load<f64>(g, 24)) << 2;
  const stride = <usize>tofBins * accBytes;
  memory.fill(values, 0, <usize>block * stride);
  for (let from = bin0; from < bin1; from += block) {
    const count = min(block, bin1 - from);
    for (let t = 0; t < tofBins; t++) {
      for (let d = 0; d < segments; d++) {
        const segment = table + <usize>d * row;
        const plane = <usize>t * allPlanes + <usize>load<f64>(segment);
        const to = values + <usize>t * accBytes + accPlace(segment);
        transpose(sinogram + ((plane * bins + from) << 2), bins << 2, to, stride, planesOf(segment), count);
      }
    }
    for (let b = 0; b < count; b++) {
      if (setUpBin(g, s, from + b)) backProjectLine(values + <usize>b * stride, nzBytes, <i32>load<f64>(g));
    }
  }
}

function backProjectLine(values: usize, nzBytes: usize, nz: i32): void {
  memory.fill(rows - tLead, 0, <usize>(last - first + 1) * tBytes);
  let axial2: f64 = -1;
  for (let d = 0; d < segments; d++) {
    const t = table + <usize>d * row;
    if (load<f64>(t, 48) !== axial2) weigh(t);
    axial2 = load<f64>(t, 48);
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
    a0 = f32x4.add(a0, f32x4.mul(wa, y0));
    a1 = f32x4.add(a1, f32x4.mul(wa, y1));
    a2 = f32x4.add(a2, f32x4.mul(wa, y2));
    const wb = v128.load32_splat(w + second);
    b0 = f32x4.add(b0, f32x4.mul(wb, y0));
    b1 = f32x4.add(b1, f32x4.mul(wb, y1));
    b2 = f32x4.add(b2, f32x4.mul(wb, y2));
    const wc = v128.load32_splat(w + third);
    c0 = f32x4.add(c0, f32x4.mul(wc, y0));
    c1 = f32x4.add(c1, f32x4.mul(wc, y1));
    c2 = f32x4.add(c2, f32x4.mul(wc, y2));
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
