/** @file  The transpose of sinogram-event.ts: the same program backwards. From the end of a piece,
 *    P[z] += (K + 1 − s) y[r], P[z + 1] += (s − K) y[r], Q[z] += σ y[r], Q[z + 1] −= σ y[r],   z = p r + K;
 *  then, step by step back, the events that lie after the step, with B̂ = |σ| (y[j − 1] − 2 y[j] + y[j + 1]),
 *    P[j + k] += α B̂[j], Q[j + k] += B̂[j];
 *  and P ← P + Q is what T_i's values receive. */
import { back, eventBytes, shiftAt, standAt } from './crossings';
import { madd } from './madd';
import { first, last, lateralStride, tauBase, tauStep } from './ray';
import { clampShift, distance, pieceLength, runSteps, stepBytes, touch, writeStep } from './sinogram-event';
import { eventSegments, kindOf, latticeLength, latticePlace, offsetOf, planesOf, row, slopeOf, table } from './sinogram-table';

/** Adds all flat segments to the voxels z0 … z1 − 1 of the line's columns. `y`, `b`: rows of latticeRows; `p`: P at z0; `program`: programBytes(). */
export function adjointEvents(y: usize, b: usize, p: usize, program: usize, z0: i32, z1: i32): void {
  const bytes = (<usize>(z1 - z0)) << 2;
  const events = program + <usize>runSteps * stepBytes;
  const length = pieceLength();
  standAt(last);
  for (let start = first + ((last - first) / length) * length; start >= first; start -= length) {
    const end = min(start + length - 1, last);
    memory.fill(p - 64, 0, bytes + 128);
    memory.fill(p + distance - 64, 0, bytes + 128);
    back(end, events, b, z0 << 2);
    for (let d = 0; d < eventSegments; d++) {
      const t = table + <usize>d * row;
      begin(t, p, y + latticePlace(t), shiftAt(t, end), end + 1, z0, z1);
    }
    for (let to = end; to >= start; to -= runSteps) {
      const from = max(to - runSteps + 1, start);
      let step = program;
      let e = events;
      for (let i = to; i >= from; i--) {
        e = back(i, e, b, z0 << 2);
        writeStep(step, i, e);
        step += stepBytes;
      }
      touch(program, step, z0 << 2, bytes);
      run(p, bytes, program, step, events, z0);
    }
  }
}

function run(p: usize, bytes: usize, steps: usize, end: usize, events: usize, z0: i32): void {
  const lateral = lateralStride;
  const low = (<usize>z0) << 2;
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
        const b0 = v128.load(b);
        const b1 = v128.load(b, 16);
        const b2 = v128.load(b, 32);
        const b3 = v128.load(b, 48);
        p0 = madd(alpha, b0, p0);
        p1 = madd(alpha, b1, p1);
        p2 = madd(alpha, b2, p2);
        p3 = madd(alpha, b3, p3);
        q0 = f32x4.add(q0, b0);
        q1 = f32x4.add(q1, b1);
        q2 = f32x4.add(q2, b2);
        q3 = f32x4.add(q3, b3);
      }
      const a = load<usize>(s) + z + low;
      const c = a + lateral;
      const wc = v128.load32_splat(s, 8);
      const wa = f32x4.sub(f32x4.splat(1), wc);
      p0 = f32x4.add(p0, q0);
      p1 = f32x4.add(p1, q1);
      p2 = f32x4.add(p2, q2);
      p3 = f32x4.add(p3, q3);
      v128.store(a, madd(wa, p0, v128.load(a)));
      v128.store(a, madd(wa, p1, v128.load(a, 16)), 16);
      v128.store(a, madd(wa, p2, v128.load(a, 32)), 32);
      v128.store(a, madd(wa, p3, v128.load(a, 48)), 48);
      v128.store(c, madd(wc, p0, v128.load(c)));
      v128.store(c, madd(wc, p1, v128.load(c, 16)), 16);
      v128.store(c, madd(wc, p2, v128.load(c, 32)), 32);
      v128.store(c, madd(wc, p3, v128.load(c, 48)), 48);
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

/** P and Q at the end of a piece, i being the step after it; only what the slab sees. */
function begin(t: usize, p: usize, y: usize, shift: i32, i: i32, z0: i32, z1: i32): void {
  const s = offsetOf(t) + slopeOf(t) * (tauBase + tauStep * <f64>i);
  const k = clampShift(t, shift);
  const upper = f32x4.splat(<f32>(s - <f64>k));
  const lower = f32x4.splat(<f32>(<f64>k + 1 - s));
  const sigma = f32x4.splat(<f32>(slopeOf(t) * tauStep));
  const from = (<usize>(max(0, z0 + 1 - k) & ~3)) << 2;
  const to = min(latticeLength(t), (<usize>((max(0, z1 + 1 - k) + 3) & ~3)) << 2);
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

/**
 * Rows on the lattice of voxels, one voxel before the first plane to one after the last, zeros around them: `y`, the segment's values with
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
