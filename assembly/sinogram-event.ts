/** @file  Flat segments, by events. With the running sums over steps P ← P + T_i, Q ← Q + P, that is P = Σ T_m, Q = Σ (i + 1 − m) T_m,
 *  the weights of interpolation, linear in the position s_i = A + S τ_i between two integer planes K and K + 1, need no work per step:
 *    Σ_m (K + 1 − s_m) T_m[z] + (s_m − K) T_m[z + 1] = (K + 1 − s) P[z] + (s − K) P[z + 1] + σ (Q[z] − Q[z + 1]),
 *  s being the position one step after the last and σ = S dτ/di. Where the line passes plane k, at step n ≤ i_k ≤ n + 1, the weights bend:
 *  with α = i_k − (n + 1) the steps before have to be mended by
 *    |σ| (X[z − 1] − 2 X[z] + X[z + 1]),   X = Q + α P,   z = p r + k.
 *  The second difference is taken once for all events, of B[j] = Σ X[j + k]. P, Q and B start anew every some steps, because they grow and
 *  their rounding with them. The adjoint is the same program backwards. */
import { back, forth, place, plane, segmentOf, shiftAt, standAt } from './crossings';
import { column, first, last, lateralStride, planeStride, tauBase, tauStep, uBase, uStep } from './ray';
import {
  accPlace,
  eventSegments,
  kindOf,
  latticeLength,
  latticePlace,
  offsetOf,
  pieceSteps,
  planesOf,
  row,
  slopeOf,
  table,
} from './sinogram-table';

/** Bytes from P to Q: a constant, so that it becomes part of the instructions. */
const distance: usize = 24640;

/** Steps of a piece; the line is cut into equal ones. */
function pieceLength(): i32 {
  const steps = last - first + 1;
  const pieces = (steps + pieceSteps - 1) / pieceSteps;
  return (steps + pieces - 1) / pieces;
}

/** Adds the line's sums to all flat segments, without the length of a sample. `p`: P at z = 0; `b`: rows B, zeros; `shifts`: K of each segment. */
export function forwardEvents(values: usize, p: usize, b: usize, shifts: usize, nzp: i32): void {
  standAt(first);
  for (let d = 0; d < eventSegments; d++) store<i32>(shifts + ((<usize>d) << 2), shiftAt(table + <usize>d * row, first));
  const length = pieceLength();
  for (let start = first; start <= last; start += length) {
    const end = min(start + length - 1, last);
    for (let i = start; i <= end; i++) {
      while (forth(<f64>i)) {
        setShift(shifts);
        // At the start of a piece there is nothing to mend yet.
        if (i > start) addEvent(table + segmentOf, p, b, <f32>(place - <f64>i));
      }
      addStep(i, p, nzp, i === start);
    }
    for (let d = 0; d < eventSegments; d++) {
      const t = table + <usize>d * row;
      finish(t, values + accPlace(t), p, b + latticePlace(t), load<i32>(shifts + ((<usize>d) << 2)), end + 1);
    }
  }
}

/** K of the crossing's segment after it, in the order of steps. */
function setShift(shifts: usize): void {
  const rising = slopeOf(table + segmentOf) * tauStep > 0;
  store<i32>(shifts + ((segmentOf / row) << 2), rising ? plane : plane - 1);
}

/** K of the crossing's segment before it. */
function setShiftBefore(shifts: usize): void {
  const rising = slopeOf(table + segmentOf) * tauStep > 0;
  store<i32>(shifts + ((segmentOf / row) << 2), rising ? plane - 1 : plane);
}

/** P ← P + T, Q ← Q + P; at the start of a piece P = Q = T. */
function addStep(i: i32, p: usize, nzp: i32, anew: bool): void {
  const u = uBase + uStep * <f64>i;
  const j = Math.floor(u);
  const w = f32x4.splat(<f32>(u - j));
  let a = column + i * planeStride + <i32>j * lateralStride;
  let c = a + lateralStride;
  const end = p + ((<usize>nzp) << 2);
  if (anew) {
    for (; p < end; p += 16) {
      const va = v128.load(a);
      const sum = f32x4.add(va, f32x4.mul(w, f32x4.sub(v128.load(c), va)));
      v128.store(p, sum);
      v128.store(p, sum, distance);
      a += 16;
      c += 16;
    }
    return;
  }
  for (; p < end; p += 64) {
    const a0 = v128.load(a);
    const a1 = v128.load(a, 16);
    const a2 = v128.load(a, 32);
    const a3 = v128.load(a, 48);
    const p0 = f32x4.add(f32x4.add(v128.load(p), a0), f32x4.mul(w, f32x4.sub(v128.load(c), a0)));
    const p1 = f32x4.add(f32x4.add(v128.load(p, 16), a1), f32x4.mul(w, f32x4.sub(v128.load(c, 16), a1)));
    const p2 = f32x4.add(f32x4.add(v128.load(p, 32), a2), f32x4.mul(w, f32x4.sub(v128.load(c, 32), a2)));
    const p3 = f32x4.add(f32x4.add(v128.load(p, 48), a3), f32x4.mul(w, f32x4.sub(v128.load(c, 48), a3)));
    v128.store(p, p0);
    v128.store(p, p1, 16);
    v128.store(p, p2, 32);
    v128.store(p, p3, 48);
    v128.store(p, f32x4.add(v128.load(p, distance), p0), distance);
    v128.store(p, f32x4.add(v128.load(p, distance + 16), p1), distance + 16);
    v128.store(p, f32x4.add(v128.load(p, distance + 32), p2), distance + 32);
    v128.store(p, f32x4.add(v128.load(p, distance + 48), p3), distance + 48);
    a += 64;
    c += 64;
  }
}

/** B[j] += Q[j + k] + α P[j + k]; the row B starts at j = −1. */
function addEvent(t: usize, p: usize, b: usize, alpha: f32): void {
  const share = f32x4.splat(alpha);
  let at = b + latticePlace(t);
  const end = at + latticeLength(t);
  p += (plane - 1) << 2;
  for (; at + 64 <= end; at += 64) {
    const x0 = f32x4.add(v128.load(p, distance), f32x4.mul(share, v128.load(p)));
    const x1 = f32x4.add(v128.load(p, distance + 16), f32x4.mul(share, v128.load(p, 16)));
    const x2 = f32x4.add(v128.load(p, distance + 32), f32x4.mul(share, v128.load(p, 32)));
    const x3 = f32x4.add(v128.load(p, distance + 48), f32x4.mul(share, v128.load(p, 48)));
    v128.store(at, f32x4.add(v128.load(at), x0));
    v128.store(at, f32x4.add(v128.load(at, 16), x1), 16);
    v128.store(at, f32x4.add(v128.load(at, 32), x2), 32);
    v128.store(at, f32x4.add(v128.load(at, 48), x3), 48);
    p += 64;
  }
  for (; at < end; at += 16) {
    v128.store(at, f32x4.add(v128.load(at), f32x4.add(v128.load(p, distance), f32x4.mul(share, v128.load(p)))));
    p += 16;
  }
}

/** The end of a piece: y += (K + 1 − s) P[z] + (s − K) P[z + 1] + σ (Q[z] − Q[z + 1]) + |σ| (B[z − 1] − 2 B[z] + B[z + 1]), B ← 0. */
function finish(t: usize, y: usize, p: usize, b: usize, shift: i32, i: i32): void {
  const change = slopeOf(t) * tauStep;
  const s = offsetOf(t) + slopeOf(t) * (tauBase + tauStep * <f64>i);
  const k = clampShift(t, shift);
  const upper = f32x4.splat(<f32>(s - <f64>k));
  const lower = f32x4.splat(<f32>(<f64>k + 1 - s));
  const sigma = f32x4.splat(<f32>change);
  const bend = f32x4.splat(<f32>Math.abs(change));
  const end = y + ((<usize>planesOf(t)) << 2);
  const clear = b;
  p += k << 2;
  if (kindOf(t) === 1) {
    for (; y < end; y += 16) {
      const q = f32x4.mul(sigma, f32x4.sub(v128.load(p, distance), v128.load(p, distance + 4)));
      const ends = f32x4.add(f32x4.mul(lower, v128.load(p)), f32x4.mul(upper, v128.load(p, 4)));
      const middle = v128.load(b, 4);
      const bends = f32x4.add(f32x4.sub(v128.load(b), middle), f32x4.sub(v128.load(b, 8), middle));
      v128.store(y, f32x4.add(v128.load(y), f32x4.add(f32x4.add(ends, q), f32x4.mul(bend, bends))));
      p += 16;
      b += 16;
    }
  } else {
    for (; y < end; y += 16) {
      const p0 = v128.load(p);
      const p1 = v128.load(p, 16);
      const q0 = v128.load(p, distance);
      const q1 = v128.load(p, distance + 16);
      const q = f32x4.mul(sigma, f32x4.sub(v128.shuffle<f32>(q0, q1, 0, 2, 4, 6), v128.shuffle<f32>(q0, q1, 1, 3, 5, 7)));
      const ends = f32x4.add(
        f32x4.mul(lower, v128.shuffle<f32>(p0, p1, 0, 2, 4, 6)),
        f32x4.mul(upper, v128.shuffle<f32>(p0, p1, 1, 3, 5, 7)),
      );
      const b0 = v128.load(b);
      const b1 = v128.load(b, 16);
      const after = v128.shuffle<f32>(v128.load(b, 8), v128.load(b, 24), 0, 2, 4, 6);
      const middle = v128.shuffle<f32>(b0, b1, 1, 3, 5, 7);
      const bends = f32x4.add(f32x4.sub(v128.shuffle<f32>(b0, b1, 0, 2, 4, 6), middle), f32x4.sub(after, middle));
      v128.store(y, f32x4.add(v128.load(y), f32x4.add(f32x4.add(ends, q), f32x4.mul(bend, bends))));
      p += 32;
      b += 32;
    }
  }
  const none = f32x4.splat(0);
  const stop = clear + latticeLength(t);
  for (let at = clear; at < stop; at += 16) v128.store(at, none);
}

/** Beyond these shifts the whole segment lies outside the image and K does not matter: rows need not reach further. */
function clampShift(t: usize, k: i32): i32 {
  return max(<i32>load<f64>(t, 72), min(<i32>load<f64>(t, 80), k));
}

/** The adjoint's walk: first step of the piece it is in, steps of a piece. */
let pieceFrom: i32 = 0;
let length: i32 = 0;

/**
 * Rows of the adjoint on the lattice of voxels, one voxel before the first plane to one after the last: `y`, the segment's values with
 * zeros between planes that are two voxels apart, and `b`, |σ| times their second differences. `weight`: length of a sample.
 */
export function latticeRows(t: usize, values: usize, y: usize, b: usize, weight: f32): void {
  const w = f32x4.splat(weight);
  const planes = planesOf(t);
  const length = latticeLength(t);
  const zero = f32x4.splat(0);
  for (let at: usize = 0; at < length; at += 16) v128.store(y + at, zero);
  const end = values + ((<usize>planes) << 2);
  let to = y + 4;
  // Planes are rounded up to whole vectors; what follows the last is zero in `values`.
  if (kindOf(t) === 1) {
    for (; values < end; values += 16) {
      v128.store(to, f32x4.mul(w, v128.load(values)));
      to += 16;
    }
  } else {
    for (; values < end; values += 16) {
      const v = f32x4.mul(w, v128.load(values));
      v128.store(to, v128.shuffle<f32>(v, zero, 0, 4, 1, 5));
      v128.store(to, v128.shuffle<f32>(v, zero, 2, 6, 3, 7), 16);
      to += 32;
    }
  }
  const bend = f32x4.splat(<f32>Math.abs(slopeOf(t) * tauStep));
  for (let at: usize = 0; at < length; at += 16) {
    const middle = v128.load(y + at);
    const around = f32x4.sub(f32x4.sub(v128.load(y + at - 4), middle), f32x4.sub(middle, v128.load(y + at, 4)));
    v128.store(b + at, f32x4.mul(bend, around));
  }
}

/** Stands after the last step. */
export function beginBack(shifts: usize): void {
  standAt(last);
  for (let d = 0; d < eventSegments; d++) store<i32>(shifts + ((<usize>d) << 2), shiftAt(table + <usize>d * row, last));
  length = pieceLength();
  pieceFrom = last + 1;
}

/** Brings P and Q to step i, one before the last call's: then P is what T_i's values are to receive. Slab of voxels z0 … z1 − 1. */
export function stepBack(i: i32, p: usize, y: usize, b: usize, shifts: usize, z0: i32, z1: i32): void {
  const ends = i < pieceFrom;
  while (back(<f64>i)) {
    if (!ends) takeEvent(table + segmentOf, p, b, <f32>(place - <f64>(i + 1)), z0, z1);
    setShiftBefore(shifts);
  }
  if (ends) {
    pieceFrom = first + ((i - first) / length) * length;
    const stop = p + ((<usize>(z1 - z0)) << 2) + 64;
    const zero = f32x4.splat(0);
    for (let at = p - 64; at < stop; at += 16) {
      v128.store(at, zero);
      v128.store(at, zero, distance);
    }
    for (let d = 0; d < eventSegments; d++) {
      const t = table + <usize>d * row;
      begin(t, p, y + latticePlace(t), load<i32>(shifts + ((<usize>d) << 2)), i + 1, z0, z1);
    }
  }
}

/** Bytes of a lattice row that a slab may see: from and to, when j = 0 lies at voxel k. */
let from: usize = 0;
let to: usize = 0;

function clip(t: usize, k: i32, z0: i32, z1: i32): void {
  from = (<usize>(max(0, z0 + 1 - k) & ~3)) << 2;
  to = min(latticeLength(t), (<usize>((max(0, z1 + 1 - k) + 3) & ~3)) << 2);
}

/** P += α B̂, Q += B̂ at the plane of the crossing. */
function takeEvent(t: usize, p: usize, b: usize, alpha: f32, z0: i32, z1: i32): void {
  clip(t, plane, z0, z1);
  const share = f32x4.splat(alpha);
  const rows = b + latticePlace(t);
  let at = p + ((plane - 1 - z0) << 2) + from;
  const end = rows + to;
  let r = rows + from;
  for (; r + 32 <= end; r += 32) {
    const v0 = v128.load(r);
    const v1 = v128.load(r, 16);
    v128.store(at, f32x4.add(v128.load(at), f32x4.mul(share, v0)));
    v128.store(at, f32x4.add(v128.load(at, 16), f32x4.mul(share, v1)), 16);
    v128.store(at, f32x4.add(v128.load(at, distance), v0), distance);
    v128.store(at, f32x4.add(v128.load(at, distance + 16), v1), distance + 16);
    at += 32;
  }
  for (; r < end; r += 16) {
    const v0 = v128.load(r);
    v128.store(at, f32x4.add(v128.load(at), f32x4.mul(share, v0)));
    v128.store(at, f32x4.add(v128.load(at, distance), v0), distance);
    at += 16;
  }
}

/** The start of a piece, from its end: P[z] += (K + 1 − s) y, P[z + 1] += (s − K) y, Q[z] += σ y, Q[z + 1] −= σ y. */
function begin(t: usize, p: usize, y: usize, shift: i32, i: i32, z0: i32, z1: i32): void {
  const s = offsetOf(t) + slopeOf(t) * (tauBase + tauStep * <f64>i);
  const k = clampShift(t, shift);
  const upper = f32x4.splat(<f32>(s - <f64>k));
  const lower = f32x4.splat(<f32>(<f64>k + 1 - s));
  const sigma = f32x4.splat(<f32>(slopeOf(t) * tauStep));
  clip(t, k, z0, z1);
  let at = p + ((k - 1 - z0) << 2) + from;
  const end = y + to;
  for (let r = y + from; r < end; r += 16) {
    const here = v128.load(r);
    const before = v128.load(r - 4);
    v128.store(at, f32x4.add(v128.load(at), f32x4.add(f32x4.mul(lower, here), f32x4.mul(upper, before))));
    v128.store(at, f32x4.add(v128.load(at, distance), f32x4.mul(sigma, f32x4.sub(here, before))), distance);
    at += 16;
  }
}

/** P ← P + Q, and P to the two columns of step i. */
export function spreadEvents(i: i32, p: usize, z0: i32, z1: i32): void {
  const lateral = uBase + uStep * <f64>i;
  const j = Math.floor(lateral);
  const w = f32x4.splat(<f32>(lateral - j));
  let a = column + i * planeStride + <i32>j * lateralStride + (z0 << 2);
  let c = a + lateralStride;
  const end = p + ((<usize>(z1 - z0)) << 2);
  for (; p < end; p += 32) {
    const p0 = f32x4.add(v128.load(p), v128.load(p, distance));
    const p1 = f32x4.add(v128.load(p, 16), v128.load(p, distance + 16));
    v128.store(p, p0);
    v128.store(p, p1, 16);
    const s0 = f32x4.mul(w, p0);
    const s1 = f32x4.mul(w, p1);
    v128.store(a, f32x4.add(v128.load(a), f32x4.sub(p0, s0)));
    v128.store(a, f32x4.add(v128.load(a, 16), f32x4.sub(p1, s1)), 16);
    v128.store(c, f32x4.add(v128.load(c), s0));
    v128.store(c, f32x4.add(v128.load(c, 16), s1), 16);
    a += 32;
    c += 32;
  }
}

/** P ← P + Q, and P added to u. */
export function addEvents(p: usize, u: usize, z0: i32, z1: i32): void {
  const end = p + ((<usize>(z1 - z0)) << 2);
  for (; p < end; p += 16) {
    const sum = f32x4.add(v128.load(p), v128.load(p, distance));
    v128.store(p, sum);
    v128.store(u, f32x4.add(v128.load(u), sum));
    u += 16;
  }
}
