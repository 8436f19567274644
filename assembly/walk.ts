/** @file  The walk along one line, four planes at a time, with and without time of flight. Groups of four start at multiples of four.
 *  Positions are in fixed point, 32 bits before and after the point: their whole part is the upper half, and steps add up without rounding
 *  from the line's first plane on, wherever the walk begins. */
import { border, near, table, tableBits, tableBytes, vBase, vStep, xBase, xStep } from './line';
import { blend, madd } from './madd';
import { column, lateralStride, planeStride, uBase, uStep } from './ray';

/** What a walk does, and whether it weighs with time of flight: types, so that each combination is compiled on its own. */
type Forward = i32;
type Adjoint = f32;
type Plain = i32;
type Tof = f32;

/** Fixed point to the fraction in [0, 1): shifted right by one, so that it is not negative. */
const perHalf: f32 = <f32>(1.0 / 2147483648.0);

/** x · 2³². A step too long for it leads out of the image at once. */
function fixed(x: f64): i64 {
  return <i64>Math.floor(x * 4294967296.0 + 0.5);
}

/**
 * What lines at one place across the scanner share, for planes low … high, written to `steps`: the address of the column below each plane's
 * lateral position, at z = 0, and the share of the column above it. Rows of 16 + 16 bytes for four planes. `start`: their first plane.
 */
export function layOut(steps: usize, start: i32, low: i32, high: i32): void {
  let i = low & ~3;
  const du = fixed(uStep);
  const u = fixed(uBase + uStep * <f64>start) + <i64>(i - start) * du;
  let u01 = i64x2.replace_lane(i64x2.splat(u), 1, u + du);
  let u23 = i64x2.add(u01, i64x2.splat(2 * du));
  const u4 = i64x2.splat(4 * du);
  const lateral = i32x4.splat(lateralStride);
  const scale = f32x4.splat(perHalf);
  let planes = i32x4.add(i32x4.splat(<i32>column + i * planeStride), i32x4(0, planeStride, 2 * planeStride, 3 * planeStride));
  const planes4 = i32x4.splat(4 * planeStride);
  let to = steps + ((<usize>i) << 3);
  for (; i <= high; i += 4) {
    const js = v128.shuffle<i32>(u01, u23, 1, 3, 5, 7);
    v128.store(to, i32x4.add(i32x4.mul(js, lateral), planes));
    v128.store(to, f32x4.mul(f32x4.convert_i32x4_s(i32x4.shr_u(v128.shuffle<i32>(u01, u23, 0, 2, 4, 6), 1)), scale), 16);
    u01 = i64x2.add(u01, u4);
    u23 = i64x2.add(u23, u4);
    planes = i32x4.add(planes, planes4);
    to += 32;
  }
}

/** Σ of the samples from plane `low` to `high`. `start` is the first plane that was laid out from, `tof` whether to weigh them. */
export function sumAlong(tof: bool, steps: usize, start: i32, low: i32, high: i32): f32 {
  return tof ? walk<Forward, Tof>(steps, start, low, high, 0) : walk<Forward, Plain>(steps, start, low, high, 0);
}

/** The transpose: `value` added to each of the samples. */
export function addAlong(tof: bool, steps: usize, start: i32, low: i32, high: i32, value: f32): void {
  if (tof) walk<Adjoint, Tof>(steps, start, low, high, value);
  else walk<Adjoint, Plain>(steps, start, low, high, value);
}

function walk<D, T>(steps: usize, start: i32, low: i32, high: i32, value: f32): f32 {
  const across = <usize>lateralStride;
  const values = f32x4.splat(value);
  let sums = f32x4.splat(0);
  if (low > high) return 0;
  let i = low & ~3;
  const dv = fixed(vStep);
  const v = fixed(vBase + vStep * <f64>start) + <i64>(i - start) * dv;
  let v01 = i64x2.replace_lane(i64x2.splat(v), 1, v + dv);
  let v23 = i64x2.add(v01, i64x2.splat(2 * dv));
  const v4 = i64x2.splat(4 * dv);
  let x01 = v01;
  let x23 = v01;
  let x4 = v4;
  if (isFloat<T>()) {
    const dx = fixed(xStep);
    const x = fixed(xBase + xStep * <f64>start) + <i64>(i - start) * dx;
    x01 = i64x2.replace_lane(i64x2.splat(x), 1, x + dx);
    x23 = i64x2.add(x01, i64x2.splat(2 * dx));
    x4 = i64x2.splat(4 * dx);
  }
  const scale = f32x4.splat(perHalf);
  let step = steps + ((<usize>i) << 3);
  for (; i <= high; i += 4) {
    const ks = v128.shuffle<i32>(v01, v23, 1, 3, 5, 7);
    const wv = f32x4.mul(f32x4.convert_i32x4_s(i32x4.shr_u(v128.shuffle<i32>(v01, v23, 0, 2, 4, 6), 1)), scale);
    const wu = v128.load(step, 16);
    let at = i32x4.add(v128.load(step), i32x4.shl(ks, 2));
    const whole = i >= low && i + 3 <= high;
    if (!whole) at = among(at, border, i, low, high);
    const p0 = <usize>i32x4.extract_lane(at, 0);
    const p1 = <usize>i32x4.extract_lane(at, 1);
    const p2 = <usize>i32x4.extract_lane(at, 2);
    const p3 = <usize>i32x4.extract_lane(at, 3);
    // Each 64-bit load brings a voxel and the one above it.
    const a01 = v128.load_lane<u64>(p1, v128.load64_zero(p0), 1);
    const a23 = v128.load_lane<u64>(p3, v128.load64_zero(p2), 1);
    const b01 = v128.load_lane<u64>(p1 + across, v128.load64_zero(p0 + across), 1);
    const b23 = v128.load_lane<u64>(p3 + across, v128.load64_zero(p2 + across), 1);
    let tofs = values;
    if (isFloat<T>()) {
      const above = v128.shuffle<i32>(x01, x23, 1, 3, 5, 7);
      const below = v128.shuffle<i32>(x01, x23, 0, 2, 4, 6);
      const place = v128.or(i32x4.shl(above, tableBits), i32x4.shr_u(below, 32 - tableBits));
      // As a signed number the fraction is the distance from the nearest whole number; ½ has no opposite, hence the unsigned comparison.
      const far = i32x4.gt_u(i32x4.abs(below), i32x4.splat(near));
      let x = i32x4.add(i32x4.shl(place, 2), i32x4.splat(table));
      x = i32x4.add(x, v128.and(far, i32x4.splat(tableBytes)));
      if (!whole) x = among(x, table, i, low, high);
      const wx = f32x4.mul(f32x4.convert_i32x4_s(i32x4.shr_u(i32x4.shl(below, tableBits), 1)), scale);
      const t01 = v128.load_lane<u64>(i32x4.extract_lane(x, 1), v128.load64_zero(i32x4.extract_lane(x, 0)), 1);
      const t23 = v128.load_lane<u64>(i32x4.extract_lane(x, 3), v128.load64_zero(i32x4.extract_lane(x, 2)), 1);
      tofs = blend(v128.shuffle<f32>(t01, t23, 0, 2, 4, 6), v128.shuffle<f32>(t01, t23, 1, 3, 5, 7), wx);
      x01 = i64x2.add(x01, x4);
      x23 = i64x2.add(x23, x4);
    }
    if (isInteger<D>()) {
      const a = blend(v128.shuffle<f32>(a01, a23, 0, 2, 4, 6), v128.shuffle<f32>(a01, a23, 1, 3, 5, 7), wv);
      const b = blend(v128.shuffle<f32>(b01, b23, 0, 2, 4, 6), v128.shuffle<f32>(b01, b23, 1, 3, 5, 7), wv);
      if (isFloat<T>()) sums = madd(tofs, blend(a, b, wu), sums);
      else sums = f32x4.add(sums, blend(a, b, wu));
    } else {
      const share = isFloat<T>() ? f32x4.mul(values, tofs) : values;
      const b = f32x4.mul(wu, share);
      const a = f32x4.sub(share, b);
      const a1 = f32x4.mul(wv, a);
      const a0 = f32x4.sub(a, a1);
      const b1 = f32x4.mul(wv, b);
      const b0 = f32x4.sub(b, b1);
      const a01s = f32x4.add(a01, v128.shuffle<f32>(a0, a1, 0, 4, 1, 5));
      const a23s = f32x4.add(a23, v128.shuffle<f32>(a0, a1, 2, 6, 3, 7));
      const b01s = f32x4.add(b01, v128.shuffle<f32>(b0, b1, 0, 4, 1, 5));
      const b23s = f32x4.add(b23, v128.shuffle<f32>(b0, b1, 2, 6, 3, 7));
      v128.store64_lane(p0, a01s, 0);
      v128.store64_lane(p1, a01s, 1);
      v128.store64_lane(p2, a23s, 0);
      v128.store64_lane(p3, a23s, 1);
      v128.store64_lane(p0 + across, b01s, 0);
      v128.store64_lane(p1 + across, b01s, 1);
      v128.store64_lane(p2 + across, b23s, 0);
      v128.store64_lane(p3 + across, b23s, 1);
    }
    v01 = i64x2.add(v01, v4);
    v23 = i64x2.add(v23, v4);
    step += 32;
  }
  return f32x4.extract_lane(sums, 0) + f32x4.extract_lane(sums, 1) + f32x4.extract_lane(sums, 2) + f32x4.extract_lane(sums, 3);
}

/** The addresses of planes low … high, and `nowhere` for the others. */
function among(at: v128, nowhere: usize, i: i32, low: i32, high: i32): v128 {
  const index = i32x4.add(i32x4.splat(i), i32x4(0, 1, 2, 3));
  const there = v128.and(i32x4.ge_s(index, i32x4.splat(low)), i32x4.le_s(index, i32x4.splat(high)));
  return v128.bitselect(at, i32x4.splat(<i32>nowhere), there);
}
