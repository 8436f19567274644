/** @file  Segments whose planes are not one or two voxels apart: every plane has its own shift and weight. */
import { blend } from './madd';
import { tauBase, tauStep } from './ray';
import { offsetOf, planesOf, slopeOf, tBytes } from './sinogram-table';

/** Any p: planes whose position is in (−1, nz) are firstPlane … lastPlane. */
let firstPlane: i32 = 0;
let lastPlane: i32 = 0;

function seenPlanes(t: usize, start: f64, bottom: f64, top: f64): void {
  const planes = <f64>planesOf(t);
  const spacing = load<f64>(t, 56);
  firstPlane = <i32>Math.min(planes, Math.max(0, Math.floor((bottom - start) / spacing) + 1));
  lastPlane = <i32>Math.max(-1, Math.min(planes, Math.ceil((top - start) / spacing)) - 1);
}

/** Interpolation at four places of a row, each pair of neighbours by one load. */
export function neighbours(column: usize, positions: v128): v128 {
  const floors = f32x4.floor(positions);
  const k = i32x4.shl(i32x4.trunc_sat_f32x4_s(floors), 2);
  const a = v128.load_lane<u64>(column + i32x4.extract_lane(k, 1), v128.load64_zero(column + i32x4.extract_lane(k, 0)), 1);
  const b = v128.load_lane<u64>(column + i32x4.extract_lane(k, 3), v128.load64_zero(column + i32x4.extract_lane(k, 2)), 1);
  return blend(v128.shuffle<f32>(a, b, 0, 2, 4, 6), v128.shuffle<f32>(a, b, 1, 3, 5, 7), f32x4.sub(positions, floors));
}

/** Interpolation at four planes r … r + 3 of a segment that is at `start` with plane 0; zero outside the image. */
export function positionsAnywhere(t: usize, column: usize, start: f64, r: i32): v128 {
  const spacing = load<f64>(t, 56);
  const at = Math.min(Math.max(start + spacing * <f64>r, -1 - 4 * spacing), load<f64>(t, 80) + 1);
  const whole = Math.floor(at);
  const positions = f32x4.add(f32x4.splat(<f32>(at - whole)), f32x4.mul(f32x4(0, 1, 2, 3), f32x4.splat(<f32>spacing)));
  const low = f32x4.splat(<f32>(load<f64>(t, 72) - whole));
  const high = f32x4.splat(<f32>(load<f64>(t, 80) - whole));
  return neighbours(column + ((<i32>whole) << 2), f32x4.min(f32x4.max(positions, low), high));
}

/** Four planes at a time. */
export function lerpAnywhere(t: usize, out: usize, t0: usize, i: i32, count: i32): void {
  const spacing = load<f64>(t, 56);
  const lanes = f32x4.mul(f32x4(0, 1, 2, 3), f32x4.splat(<f32>spacing));
  for (let c = 0; c < count; c++) {
    const start = offsetOf(t) + slopeOf(t) * (tauBase + tauStep * <f64>(i + c));
    seenPlanes(t, start, load<f64>(t, 72), load<f64>(t, 80));
    const column = t0 + <usize>c * tBytes;
    let r = firstPlane;
    for (; r + 3 <= lastPlane; r += 4) {
      const at = start + spacing * <f64>r;
      const whole = Math.floor(at);
      const positions = f32x4.add(f32x4.splat(<f32>(at - whole)), lanes);
      const o = out + ((<usize>r) << 2);
      v128.store(o, f32x4.add(v128.load(o), neighbours(column + ((<i32>whole) << 2), positions)));
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

/** Any p, one plane at a time; the two voxels in work stay in registers until the planes have passed them. */
export function scatterAnywhere(t: usize, y: usize, u: usize, i: i32, z0: i32, z1: i32): void {
  const spacing = load<f64>(t, 56);
  const start = offsetOf(t) + slopeOf(t) * (tauBase + tauStep * <f64>i);
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
