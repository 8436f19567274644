/** @file  Lines in any place, four planes at a time, with and without time of flight. Groups of four start at multiples of four. Planes of
 *  a group that the line does not have are sent to the border of the image, which is zero going forward and ignored going back. */
import { blend, madd } from './madd';

/** What a walk does, and whether it weighs with time of flight: types, so that each combination is compiled on its own. */
type Forward = i32;
type Adjoint = f32;
type Plain = i32;
type Tof = f32;

/** The grid in doubles: see src/projector/cpu/tables.ts. Reciprocals, because every line needs them. */
let nz: f64 = 0;
let ny: f64 = 0;
let nx: f64 = 0;
let perZ: f64 = 0;
let perY: f64 = 0;
let perX: f64 = 0;
let originZ: f64 = 0;
let originY: f64 = 0;
let originX: f64 = 0;
let border: usize = 0;
let columnBytes: i32 = 0;
let rowBytes: i32 = 0;

function readGrid(g: usize): void {
  nz = load<f64>(g);
  ny = load<f64>(g, 8);
  nx = load<f64>(g, 16);
  columnBytes = <i32>load<f64>(g, 24) * 4;
  perZ = 1 / load<f64>(g, 32);
  perY = 1 / load<f64>(g, 40);
  perX = 1 / load<f64>(g, 48);
  originZ = load<f64>(g, 56);
  originY = load<f64>(g, 64);
  originX = load<f64>(g, 72);
  border = <usize>load<f64>(g, 80);
  rowBytes = (<i32>nx + 2) * columnBytes;
}

/** Time of flight, in doubles: address of the events' bins (middles, mm along their lines), of the table of weights near whole numbers, bytes
 *  from there to that near halves, log2 of the places per bin, place of 0, distance from whole numbers where the first table ends, width of
 *  a bin, reach; see src/projector/tof-weight.ts. */
let centres: usize = 0;
let table: i32 = 0;
let tableBytes: i32 = 0;
let tableBits: i32 = 0;
let near: i32 = 0;
let binWidth: f64 = 0;
let reach: f64 = 0;

function readTof(tof: usize): void {
  if (tof === 0) return;
  centres = <usize>load<f64>(tof);
  tableBits = <i32>load<f64>(tof, 24);
  table = <i32>load<f64>(tof, 8) + ((<i32>load<f64>(tof, 32)) << 2);
  tableBytes = <i32>load<f64>(tof, 16);
  near = <i32>Math.min(load<f64>(tof, 40) * 4294967296.0, 2147483647.0);
  binWidth = load<f64>(tof, 48);
  reach = load<f64>(tof, 56);
}

/** Planes of the principal axis that the line meets; none if last < first. */
let first: i32 = 0;
let last: i32 = -1;
/** Positions across and along z in voxels, and distance from the bin in bins, at plane i: base + i · step. */
let uBase: f64 = 0;
let uStep: f64 = 0;
let vBase: f64 = 0;
let vStep: f64 = 0;
let xBase: f64 = 0;
let xStep: f64 = 0;
/** Weight of a sample, mm. */
let weight: f32 = 0;
/** Address of the column at plane 0, position 0, and distances in bytes between neighbours. */
let column: usize = 0;
let planeStride: i32 = 0;
let lateralStride: i32 = 0;

/** Line number `line` of rows z, y, x of float32: the formulas of src/projector/joseph.ts. @returns false when it meets no plane. */
function begin(start: usize, end: usize, tof: usize, line: i32): bool {
  const s = start + <usize>line * 12;
  const e = end + <usize>line * 12;
  const z1 = <f64>load<f32>(s);
  const y1 = <f64>load<f32>(s, 4);
  const x1 = <f64>load<f32>(s, 8);
  const dz = <f64>load<f32>(e) - z1;
  const dy = <f64>load<f32>(e, 4) - y1;
  const dx = <f64>load<f32>(e, 8) - x1;
  const alongX = Math.abs(dx) >= Math.abs(dy);
  const along = alongX ? dx * perX : dy * perY;
  if (along === 0) return false;
  const across = alongX ? dy * perY : dx * perX;
  const x0 = (x1 - originX) * perX;
  const y0 = (y1 - originY) * perY;
  const i0 = alongX ? x0 : y0;
  const inverse = 1 / along;
  const v = dz * perZ;
  uStep = across * inverse;
  vStep = v * inverse;
  uBase = (alongX ? y0 : x0) - i0 * uStep;
  vBase = (z1 - originZ) * perZ - i0 * vStep;
  column = border + <usize>(rowBytes + columnBytes);
  planeStride = alongX ? columnBytes : rowBytes;
  lateralStride = alongX ? rowBytes : columnBytes;
  const low = Math.max(0, Math.ceil(Math.min(i0, i0 + along)));
  const high = Math.min((alongX ? nx : ny) - 1, Math.floor(Math.max(i0, i0 + along)));
  if (!(low <= high)) return false;
  first = <i32>low;
  last = <i32>high;
  narrow(uBase, uStep, along / across, alongX ? ny : nx);
  narrow(vBase, vStep, along / v, nz);
  const length = Math.sqrt(dx * dx + dy * dy + dz * dz);
  weight = <f32>(length * Math.abs(inverse));
  if (tof !== 0) {
    const step = length * inverse;
    const base = -(i0 * inverse + 0.5) * length - <f64>load<f32>(centres + ((<usize>line) << 2));
    narrow(base / reach, step / reach, (reach * along) / length, 1);
    xBase = base / binWidth;
    xStep = step / binWidth;
  }
  return first <= last;
}

/** Leaves only planes where −1 < base + i · step < n, and none so near to either that float32 could not tell. */
function narrow(base: f64, step: f64, inverse: f64, n: f64): void {
  const bottom = -1 + 2e-6;
  const top = n - 2e-6;
  if (step !== 0) {
    const a = (bottom - base) * inverse;
    const b = (top - base) * inverse;
    const low = Math.floor(Math.min(a, b));
    const high = Math.ceil(Math.max(a, b));
    if (low > <f64>last || high < <f64>first) {
      last = first - 1;
      return;
    }
    first = <i32>Math.max(<f64>first, low);
    last = <i32>Math.min(<f64>last, high);
  }
  while (first <= last && outside(base + step * <f64>first, bottom, top)) first++;
  while (first <= last && outside(base + step * <f64>last, bottom, top)) last--;
}

function outside(position: f64, bottom: f64, top: f64): bool {
  return !(position > bottom && position < top);
}

/** out[line] = line integral, for lines from … to − 1. */
export function forwardLines(g: usize, start: usize, end: usize, tof: usize, out: usize, from: i32, to: i32): void {
  readGrid(g);
  readTof(tof);
  for (let line = from; line < to; line++) {
    let sum: f32 = 0;
    if (begin(start, end, tof, line)) {
      sum = tof === 0 ? walk<Forward, Plain>(first, first, last, 0) : walk<Forward, Tof>(first, first, last, 0);
    }
    store<f32>(out + ((<usize>line) << 2), sum * weight);
  }
}

/**
 * The transpose: adds values[line] along each line to the column image that `g` names. Only lines whose principal axis is x (`alongX` 1)
 * or y (0), and of those only planes plane0 … plane1 − 1: such slabs of planes share no voxel.
 */
export function adjointLines(
  g: usize,
  start: usize,
  end: usize,
  tof: usize,
  values: usize,
  from: i32,
  to: i32,
  alongX: i32,
  plane0: i32,
  plane1: i32,
): void {
  readGrid(g);
  readTof(tof);
  for (let line = from; line < to; line++) {
    const value = load<f32>(values + ((<usize>line) << 2));
    const s = start + <usize>line * 12;
    const e = end + <usize>line * 12;
    const dx = Math.abs(<f64>load<f32>(e, 8) - <f64>load<f32>(s, 8));
    const dy = Math.abs(<f64>load<f32>(e, 4) - <f64>load<f32>(s, 4));
    if (value === 0 || dx >= dy !== (alongX === 1) || !begin(start, end, tof, line)) continue;
    const low = max(first, plane0);
    const high = min(last, plane1 - 1);
    if (tof === 0) walk<Adjoint, Plain>(first, low, high, value * weight);
    else walk<Adjoint, Tof>(first, low, high, value * weight);
  }
}

/**
 * Σ of the samples from plane `low` to `high`, or `value` added to each of them. Positions are in fixed point, 32 bits before and after
 * the point: their whole part is the upper half, and steps add up without rounding from the line's first plane on, wherever `low` is.
 */
function walk<D, T>(start: i32, low: i32, high: i32, value: f32): f32 {
  const across = <usize>lateralStride;
  const values = f32x4.splat(value);
  let sums = f32x4.splat(0);
  if (low > high) return 0;
  let i = low & ~3;
  const du = fixed(uStep);
  const dv = fixed(vStep);
  const u = fixed(uBase + uStep * <f64>start) + <i64>(i - start) * du;
  const v = fixed(vBase + vStep * <f64>start) + <i64>(i - start) * dv;
  let u01 = i64x2.replace_lane(i64x2.splat(u), 1, u + du);
  let v01 = i64x2.replace_lane(i64x2.splat(v), 1, v + dv);
  let u23 = i64x2.add(u01, i64x2.splat(2 * du));
  let v23 = i64x2.add(v01, i64x2.splat(2 * dv));
  const u4 = i64x2.splat(4 * du);
  const v4 = i64x2.splat(4 * dv);
  let x01 = u01;
  let x23 = u01;
  let x4 = u4;
  if (isFloat<T>()) {
    const dx = fixed(xStep);
    const x = fixed(xBase + xStep * <f64>start) + <i64>(i - start) * dx;
    x01 = i64x2.replace_lane(i64x2.splat(x), 1, x + dx);
    x23 = i64x2.add(x01, i64x2.splat(2 * dx));
    x4 = i64x2.splat(4 * dx);
  }
  const lateral = i32x4.splat(lateralStride);
  const scale = f32x4.splat(<f32>(1.0 / 2147483648.0));
  let planes = i32x4.add(i32x4.splat(<i32>column + i * planeStride), i32x4(0, planeStride, 2 * planeStride, 3 * planeStride));
  const planes4 = i32x4.splat(4 * planeStride);
  for (; i <= high; i += 4) {
    const js = v128.shuffle<i32>(u01, u23, 1, 3, 5, 7);
    const ks = v128.shuffle<i32>(v01, v23, 1, 3, 5, 7);
    const wu = f32x4.mul(f32x4.convert_i32x4_s(i32x4.shr_u(v128.shuffle<i32>(u01, u23, 0, 2, 4, 6), 1)), scale);
    const wv = f32x4.mul(f32x4.convert_i32x4_s(i32x4.shr_u(v128.shuffle<i32>(v01, v23, 0, 2, 4, 6), 1)), scale);
    let at = i32x4.add(i32x4.add(i32x4.mul(js, lateral), i32x4.shl(ks, 2)), planes);
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
      // As a signed number the fraction is the distance from the nearest whole number.
      const far = i32x4.gt_s(i32x4.abs(below), i32x4.splat(near));
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
    u01 = i64x2.add(u01, u4);
    u23 = i64x2.add(u23, u4);
    v01 = i64x2.add(v01, v4);
    v23 = i64x2.add(v23, v4);
    planes = i32x4.add(planes, planes4);
  }
  return f32x4.extract_lane(sums, 0) + f32x4.extract_lane(sums, 1) + f32x4.extract_lane(sums, 2) + f32x4.extract_lane(sums, 3);
}

/** x · 2³². A step too long for it leads out of the image at once. */
function fixed(x: f64): i64 {
  return <i64>Math.floor(x * 4294967296.0 + 0.5);
}

/** The addresses of planes low … high, and `nowhere` for the others. */
function among(at: v128, nowhere: usize, i: i32, low: i32, high: i32): v128 {
  const index = i32x4.add(i32x4.splat(i), i32x4(0, 1, 2, 3));
  const there = v128.and(i32x4.ge_s(index, i32x4.splat(low)), i32x4.le_s(index, i32x4.splat(high)));
  return v128.bitselect(at, i32x4.splat(<i32>nowhere), there);
}
