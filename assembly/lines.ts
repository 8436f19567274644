/** @file  Lines in any place, four planes at a time. Positions are taken in double at every fourth plane, so that float32 only
 *  holds the short way from there. */
import {
  column,
  first,
  last,
  lateralStride,
  length2,
  narrow,
  pitch,
  planeStride,
  setUp,
  tauBase,
  tauStep,
  uBase,
  uStep,
} from './ray';

/** Axial position in voxels at plane i: vBase + i · vStep; weight of a sample, mm. */
let vBase: f64 = 0;
let vStep: f64 = 0;
let weight: f32 = 0;

/** Line number `line` of rows z, y, x of float32. */
function begin(g: usize, start: usize, end: usize, line: i32): bool {
  const s = start + <usize>line * 12;
  const e = end + <usize>line * 12;
  if (!setUp(g, <f64>load<f32>(s, 8), <f64>load<f32>(s, 4), <f64>load<f32>(e, 8), <f64>load<f32>(e, 4))) return false;
  const z1 = <f64>load<f32>(s);
  const z2 = <f64>load<f32>(e);
  const dz = load<f64>(g, 32);
  const v1 = (z1 - load<f64>(g, 56)) / dz;
  const v2 = (z2 - load<f64>(g, 56)) / dz;
  vStep = (v2 - v1) * tauStep;
  vBase = v1 + (v2 - v1) * tauBase;
  narrow(vBase, vStep, load<f64>(g));
  weight = <f32>(pitch * Math.sqrt(length2 + (z2 - z1) * (z2 - z1)));
  return first <= last;
}

/** out[line] = line integral, for lines from … to − 1. */
export function forwardLines(g: usize, start: usize, end: usize, out: usize, from: i32, to: i32): void {
  for (let line = from; line < to; line++) {
    const sum: f32 = begin(g, start, end, line) ? gather() : 0;
    store<f32>(out + ((<usize>line) << 2), sum * weight);
  }
}

function gather(): f32 {
  const across = <usize>lateralStride;
  const lanes = f32x4(0, 1, 2, 3);
  const uLanes = f32x4.mul(lanes, f32x4.splat(<f32>uStep));
  const vLanes = f32x4.mul(lanes, f32x4.splat(<f32>vStep));
  const planeLanes = i32x4(0, planeStride, 2 * planeStride, 3 * planeStride);
  let sums = f32x4.splat(0);
  let i = first;
  for (; i + 3 <= last; i += 4) {
    const u = uBase + uStep * <f64>i;
    const v = vBase + vStep * <f64>i;
    const j = Math.floor(u);
    const k = Math.floor(v);
    const us = f32x4.add(f32x4.splat(<f32>(u - j)), uLanes);
    const vs = f32x4.add(f32x4.splat(<f32>(v - k)), vLanes);
    const js = f32x4.floor(us);
    const ks = f32x4.floor(vs);
    const wu = f32x4.sub(us, js);
    const wv = f32x4.sub(vs, ks);
    const offsets = i32x4.add(
      i32x4.add(i32x4.mul(i32x4.trunc_sat_f32x4_s(js), i32x4.splat(lateralStride)), i32x4.shl(i32x4.trunc_sat_f32x4_s(ks), 2)),
      planeLanes,
    );
    const base = column + i * planeStride + <i32>j * lateralStride + ((<i32>k) << 2);
    const p0 = base + i32x4.extract_lane(offsets, 0);
    const p1 = base + i32x4.extract_lane(offsets, 1);
    const p2 = base + i32x4.extract_lane(offsets, 2);
    const p3 = base + i32x4.extract_lane(offsets, 3);
    // Each 64-bit load brings a voxel and the one above it.
    const a01 = v128.load_lane<u64>(p1, v128.load64_zero(p0), 1);
    const a23 = v128.load_lane<u64>(p3, v128.load64_zero(p2), 1);
    const b01 = v128.load_lane<u64>(p1 + across, v128.load64_zero(p0 + across), 1);
    const b23 = v128.load_lane<u64>(p3 + across, v128.load64_zero(p2 + across), 1);
    const a = blend(v128.shuffle<f32>(a01, a23, 0, 2, 4, 6), v128.shuffle<f32>(a01, a23, 1, 3, 5, 7), wv);
    const b = blend(v128.shuffle<f32>(b01, b23, 0, 2, 4, 6), v128.shuffle<f32>(b01, b23, 1, 3, 5, 7), wv);
    sums = f32x4.add(sums, blend(a, b, wu));
  }
  let sum = f32x4.extract_lane(sums, 0) + f32x4.extract_lane(sums, 1) + f32x4.extract_lane(sums, 2) + f32x4.extract_lane(sums, 3);
  for (; i <= last; i++) {
    const u = uBase + uStep * <f64>i;
    const v = vBase + vStep * <f64>i;
    const j = Math.floor(u);
    const k = Math.floor(v);
    const wu = <f32>(u - j);
    const wv = <f32>(v - k);
    const p = column + i * planeStride + <i32>j * lateralStride + ((<i32>k) << 2);
    const a = load<f32>(p) + wv * (load<f32>(p, 4) - load<f32>(p));
    const b = load<f32>(p + across) + wv * (load<f32>(p + across, 4) - load<f32>(p + across));
    sum += a + wu * (b - a);
  }
  return sum;
}

function blend(a: v128, b: v128, w: v128): v128 {
  return f32x4.add(a, f32x4.mul(w, f32x4.sub(b, a)));
}

/** The transpose: adds values[line] along each line to the column image that `g` names. */
export function adjointLines(g: usize, start: usize, end: usize, values: usize, from: i32, to: i32): void {
  for (let line = from; line < to; line++) {
    const value = load<f32>(values + ((<usize>line) << 2));
    if (value !== 0 && begin(g, start, end, line)) scatter(value * weight);
  }
}

function scatter(value: f32): void {
  const across = <usize>lateralStride;
  for (let i = first; i <= last; i++) {
    const u = uBase + uStep * <f64>i;
    const v = vBase + vStep * <f64>i;
    const j = Math.floor(u);
    const k = Math.floor(v);
    const b = <f32>(u - j) * value;
    const wv = <f32>(v - k);
    const p = column + i * planeStride + <i32>j * lateralStride + ((<i32>k) << 2);
    const pair = f32x4(1 - wv, wv, 0, 0);
    v128.store64_lane(p, f32x4.add(v128.load64_zero(p), f32x4.mul(pair, f32x4.splat(value - b))), 0);
    v128.store64_lane(p + across, f32x4.add(v128.load64_zero(p + across), f32x4.mul(pair, f32x4.splat(b))), 0);
  }
}
