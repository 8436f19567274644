/** @file  Flat segments, by events. With the running sums over steps P ← P + T_i, Q ← Q + P, that is P = Σ T_m, Q = Σ (i + 1 − m) T_m,
 *  the weights of interpolation, linear in the position s_i = A + S τ_i between two integer planes K and K + 1, need no work per step:
 *    Σ_m (K + 1 − s_m) T_m[z] + (s_m − K) T_m[z + 1] = (K + 1 − s) P[z] + (s − K) P[z + 1] + σ (Q[z] − Q[z + 1]),
 *  s being the position one step after the last and σ = S dτ/di. Where the line passes plane k, at step n ≤ i_k ≤ n + 1, the weights bend:
 *  with α = i_k − (n + 1) the steps before have to be mended by
 *    |σ| (X[z − 1] − 2 X[z] + X[z + 1]),   X = Q + α P,   z = p r + k.
 *  The second difference is taken once for all events, of B[j] = Σ X[j + k]. P, Q and B start anew every some steps, because they grow and
 *  their rounding with them. Some steps and their events are first written down, then run for sixteen voxels at a time, P and Q in
 *  registers. */
import { eventBytes, forth, shiftAt, standAt } from './crossings';
import { blend, madd } from './madd';
import { column, first, last, lateralStride, planeStride, tauBase, tauStep, uBase, uStep } from './ray';
import {
  accPlace,
  crossingCount,
  eventSegments,
  kindOf,
  latticeBytes,
  latticePlace,
  offsetOf,
  pieceSteps,
  planesOf,
  row,
  slopeOf,
  table,
} from './sinogram-table';

/** Bytes from P to Q: a constant, so that it becomes part of the instructions. */
export const distance: usize = 24640;
/** Steps that are written down at a time. */
export const runSteps: i32 = 16;
/** Bytes of a step: address of its first column, where its events end, weight of its second column; 32 bits each. */
export const stepBytes: usize = 16;

/** Bytes for the steps and events of a run. */
export function programBytes(): usize {
  return <usize>runSteps * stepBytes + <usize>crossingCount * eventBytes;
}

/** Steps of a piece; the line is cut into equal ones. */
export function pieceLength(): i32 {
  const steps = last - first + 1;
  const pieces = (steps + pieceSteps - 1) / pieceSteps;
  return (steps + pieces - 1) / pieces;
}

/** Step i, whose events end at `events`; brings its columns near, all at once. */
export function writeStep(step: usize, i: i32, events: usize): void {
  const u = uBase + uStep * <f64>i;
  const j = Math.floor(u);
  store<i32>(step, <i32>column + i * planeStride + <i32>j * lateralStride);
  store<usize>(step, events, 4);
  store<f32>(step, <f32>(u - j), 8);
}

/** Brings the columns of some steps near, from `low` on: as many at a time as the processor can ask for. */
export function touch(steps: usize, end: usize, low: usize, bytes: usize): void {
  const lateral = lateralStride;
  for (let z = low; z < low + bytes; z += 64) {
    for (let s = steps; s < end; s += stepBytes) {
      const a = load<usize>(s) + z;
      load<u8>(a);
      load<u8>(a + lateral);
    }
  }
}

/** Adds the line's sums to all flat segments, without the length of a sample. `p`: P at z = 0; `b`: rows B; `program`: programBytes(). */
export function forwardEvents(values: usize, p: usize, b: usize, program: usize, nzp: i32): void {
  const bytes = (<usize>nzp) << 2;
  const events = program + <usize>runSteps * stepBytes;
  const length = pieceLength();
  standAt(first);
  for (let start = first; start <= last; start += length) {
    const end = min(start + length - 1, last);
    memory.fill(p, 0, bytes);
    memory.fill(p + distance, 0, bytes);
    memory.fill(b, 0, latticeBytes);
    // What was passed on the way to a piece needs no mending in it.
    forth(start, events, b);
    for (let from = start; from <= end; from += runSteps) {
      const to = min(from + runSteps - 1, end);
      let step = program;
      let e = events;
      for (let i = from; i <= to; i++) {
        e = forth(i, e, b);
        writeStep(step, i, e);
        step += stepBytes;
      }
      touch(program, step, 0, bytes);
      run(p, bytes, program, step, events);
    }
    for (let d = 0; d < eventSegments; d++) {
      const t = table + <usize>d * row;
      finish(t, values + accPlace(t), p, b + latticePlace(t), shiftAt(t, end), end + 1);
    }
  }
}

/** For each step its events, B[j] += Q[j + k] + α P[j + k], and then P ← P + T, Q ← Q + P. */
function run(p: usize, bytes: usize, steps: usize, end: usize, events: usize): void {
  const lateral = lateralStride;
  for (let z: usize = 0; z < bytes; z += 64) {
    const at = p + z;
    let p0 = v128.load(at);
    let p1 = v128.load(at, 16);
    let p2 = v128.load(at, 32);
    let p3 = v128.load(at, 48);
    let q0 = v128.load(at, distance);
    let q1 = v128.load(at, distance + 16);
    let q2 = v128.load(at, distance + 32);
    let q3 = v128.load(at, distance + 48);
    let e = events;
    for (let s = steps; s < end; s += stepBytes) {
      for (const stop = load<usize>(s, 4); e < stop; e += eventBytes) {
        if (<u32>(z - load<u32>(e, 8)) >= load<u32>(e, 12)) continue;
        const b = load<usize>(e) + z;
        const alpha = v128.load32_splat(e, 4);
        v128.store(b, f32x4.add(v128.load(b), madd(alpha, p0, q0)));
        v128.store(b, f32x4.add(v128.load(b, 16), madd(alpha, p1, q1)), 16);
        v128.store(b, f32x4.add(v128.load(b, 32), madd(alpha, p2, q2)), 32);
        v128.store(b, f32x4.add(v128.load(b, 48), madd(alpha, p3, q3)), 48);
      }
      const a = load<usize>(s) + z;
      const c = a + lateral;
      const w = v128.load32_splat(s, 8);
      p0 = f32x4.add(p0, blend(v128.load(a), v128.load(c), w));
      p1 = f32x4.add(p1, blend(v128.load(a, 16), v128.load(c, 16), w));
      p2 = f32x4.add(p2, blend(v128.load(a, 32), v128.load(c, 32), w));
      p3 = f32x4.add(p3, blend(v128.load(a, 48), v128.load(c, 48), w));
      q0 = f32x4.add(q0, p0);
      q1 = f32x4.add(q1, p1);
      q2 = f32x4.add(q2, p2);
      q3 = f32x4.add(q3, p3);
    }
    v128.store(at, p0);
    v128.store(at, p1, 16);
    v128.store(at, p2, 32);
    v128.store(at, p3, 48);
    v128.store(at, q0, distance);
    v128.store(at, q1, distance + 16);
    v128.store(at, q2, distance + 32);
    v128.store(at, q3, distance + 48);
  }
}

/** The end of a piece: y += (K + 1 − s) P[z] + (s − K) P[z + 1] + σ (Q[z] − Q[z + 1]) + |σ| (B[z − 1] − 2 B[z] + B[z + 1]). */
function finish(t: usize, y: usize, p: usize, b: usize, shift: i32, i: i32): void {
  const change = slopeOf(t) * tauStep;
  const s = offsetOf(t) + slopeOf(t) * (tauBase + tauStep * <f64>i);
  const k = clampShift(t, shift);
  const upper = f32x4.splat(<f32>(s - <f64>k));
  const lower = f32x4.splat(<f32>(<f64>k + 1 - s));
  const sigma = f32x4.splat(<f32>change);
  const bend = f32x4.splat(<f32>Math.abs(change));
  const end = y + ((<usize>planesOf(t)) << 2);
  p += k << 2;
  if (kindOf(t) === 1) {
    for (; y < end; y += 16) {
      const q = f32x4.mul(sigma, f32x4.sub(v128.load(p, distance), v128.load(p, distance + 4)));
      const ends = madd(lower, v128.load(p), f32x4.mul(upper, v128.load(p, 4)));
      const middle = v128.load(b, 4);
      const bends = f32x4.add(f32x4.sub(v128.load(b), middle), f32x4.sub(v128.load(b, 8), middle));
      v128.store(y, f32x4.add(v128.load(y), f32x4.add(f32x4.add(ends, q), f32x4.mul(bend, bends))));
      p += 16;
      b += 16;
    }
    return;
  }
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

/** Beyond these shifts the whole segment lies outside the image and K does not matter: rows need not reach further. */
export function clampShift(t: usize, k: i32): i32 {
  return max(<i32>load<f64>(t, 72), min(<i32>load<f64>(t, 80), k));
}
