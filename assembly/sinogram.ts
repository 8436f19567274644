/** @file  All bins of some (view, tangential) lines: Joseph's projector, vectorised axially. The lateral interpolation of a step,
 *    T_i[z] = (1 − w) f[j][z] + w f[j+1][z],
 *  is done once for all planes; plane r of a segment lies at A + p r + S τ_i = p r + k + g, so that with an integer p the shift k and
 *  the weight g are common to the segment:
 *    y[r] = c Σ_i (1 − g_i) T_i[p r + k_i] + g_i T_i[p r + k_i + 1]
 *  and the sum is over contiguous vectors. Flat segments go by events, steep ones step by step (p = 1 and p = 2); any other p is not
 *  vectorised over planes. */
import { first, last } from './ray';
import { lerpAnywhere, scatterAnywhere } from './sinogram-anywhere';
import { gatherEverySecond, gatherPlain, interpolate, lerp, lerpEverySecond, shifts, spread } from './sinogram-direct';
import { forwardEvents } from './sinogram-event';
import { adjointEvents, latticeRows } from './sinogram-event-back';
import {
  accBytes,
  accPlace,
  bins,
  chunk,
  eventSegments,
  kindOf,
  latticeBytes,
  latticePlace,
  planesOf,
  prefixLead,
  read,
  row,
  rowsBytes,
  rowsPlace,
  sampleLength,
  segments,
  setUpBin,
  sinogram,
  table,
  tBytes,
  tLead,
} from './sinogram-table';
import { transpose } from './transpose';

/** Bins whose values are held at a time; lines of the cache are so long. */
const block: i32 = 16;
/** Bytes for P and Q, see sinogram-event.ts. */
const prefixBytes: usize = 2 * 24640;

/** Sinogram bins bin0 … bin1 − 1 of every plane. Scratch: accumulators, T, differences of T, shifts and weights, P, Q, rows B,
 *  steps and events. */
export function forwardSinogram(g: usize, s: usize, scratch: usize, bin0: i32, bin1: i32): void {
  read(s);
  const nzp = <i32>load<f64>(g, 24);
  const lead = scratch + <usize>block * accBytes;
  const t0 = lead + tLead;
  const steps = lead + <usize>(2 * chunk) * tBytes;
  const prefix = steps + 64;
  const rowsB = prefix + prefixBytes;
  const program = rowsB + latticeBytes;
  memory.fill(lead, 0, <usize>(2 * chunk) * tBytes);
  memory.fill(prefix, 0, prefixBytes);
  for (let from = bin0; from < bin1; from += block) {
    const count = min(block, bin1 - from);
    for (let b = 0; b < count; b++) {
      const acc = scratch + <usize>b * accBytes;
      memory.fill(acc, 0, accBytes);
      if (!setUpBin(g, s, from + b)) continue;
      if (eventSegments > 0) forwardEvents(acc, prefix + prefixLead, rowsB, program, nzp);
      if (eventSegments < segments) forwardSteps(acc, t0, steps, nzp);
      for (let d = 0; d < segments; d++) {
        const t = table + <usize>d * row;
        scale(acc + accPlace(t), planesOf(t), sampleLength(t));
      }
    }
    for (let d = 0; d < segments; d++) {
      const t = table + <usize>d * row;
      const out = sinogram + ((<usize>load<f64>(t) * bins + from) << 2);
      transpose(scratch + accPlace(t), accBytes, out, bins << 2, count, planesOf(t));
    }
  }
}

function scale(at: usize, planes: i32, by: f32): void {
  const weight = f32x4.splat(by);
  const end = at + ((<usize>planes) << 2);
  for (; at < end; at += 16) v128.store(at, f32x4.mul(weight, v128.load(at)));
}

/** Adds the line's sums to the segments that go step by step. */
function forwardSteps(acc: usize, t0: usize, steps: usize, nzp: i32): void {
  const differences = <usize>chunk * tBytes;
  for (let i = first; i <= last; i += chunk) {
    const count = min(chunk, last - i + 1);
    for (let c = 0; c < count; c++) interpolate(t0 + <usize>c * tBytes, differences, i + c, nzp);
    for (let d = eventSegments; d < segments; d++) {
      const t = table + <usize>d * row;
      const kind = kindOf(t);
      const out = acc + accPlace(t);
      if (kind === 0) {
        lerpAnywhere(t, out, t0, i, count);
        continue;
      }
      shifts(t, steps, i, t0, <i32>tBytes, 4);
      if (kind === 1) lerp(out, planesOf(t), steps, count, differences);
      else lerpEverySecond(out, planesOf(t), steps, count);
    }
  }
}

/**
 * The transpose for voxels z0 … z1 − 1 (multiples of 16) of every column: adds bins bin0 … bin1 − 1 to the column image that `g` names.
 * Scratch: values of bins, padded rows, their differences, rows on the lattice, their second differences, P, Q, steps and events or one
 * column, shifts and weights.
 */
export function adjointSinogram(g: usize, s: usize, scratch: usize, bin0: i32, bin1: i32, z0: i32, z1: i32): void {
  read(s);
  const rows = scratch + <usize>block * accBytes;
  memory.fill(scratch, 0, <usize>block * accBytes + 2 * rowsBytes + 2 * latticeBytes);
  for (let from = bin0; from < bin1; from += block) {
    const count = min(block, bin1 - from);
    for (let d = 0; d < segments; d++) {
      const t = table + <usize>d * row;
      const source = sinogram + ((<usize>load<f64>(t) * bins + from) << 2);
      transpose(source, bins << 2, scratch + accPlace(t), accBytes, planesOf(t), count);
    }
    for (let b = 0; b < count; b++) {
      if (setUpBin(g, s, from + b)) backProjectBin(scratch + <usize>b * accBytes, rows, z0, z1);
    }
  }
}

function backProjectBin(values: usize, rows: usize, z0: i32, z1: i32): void {
  const y = rows + 2 * rowsBytes;
  const b = y + latticeBytes;
  const prefix = b + latticeBytes;
  const program = prefix + prefixBytes;
  if (eventSegments > 0) {
    for (let d = 0; d < eventSegments; d++) {
      const t = table + <usize>d * row;
      latticeRows(t, values + accPlace(t), y + latticePlace(t), b + latticePlace(t), sampleLength(t));
    }
    adjointEvents(y, b, prefix + 64, program, z0, z1);
  }
  // One voxel of border for what belongs to the slabs beside this one.
  if (eventSegments < segments) backProjectSteps(values, rows, program + 32, z0, z1);
}

/** Adds the segments that go step by step. Scratch at `u`: a column, shifts and weights. */
function backProjectSteps(values: usize, rows: usize, u: usize, z0: i32, z1: i32): void {
  const bytes = (<usize>(z1 - z0)) << 2;
  const steps = u + bytes + 16;
  let plain = eventSegments;
  let second = eventSegments;
  for (let d = eventSegments; d < segments; d++) {
    const t = table + <usize>d * row;
    const kind = kindOf(t);
    if (kind === 1) plain = d + 1;
    else if (kind === 2) second = d + 1;
    weighRow(t, values + accPlace(t), rows + rowsPlace(t), z0, z1);
  }
  second = max(second, plain);
  for (let i = last; i >= first; i--) {
    const c = (i - first) & (chunk - 1);
    if (i === last || c === chunk - 1) shiftsOfChunk(second, rows, steps, i - c, z0);
    gatherPlain(eventSegments, plain, u, steps + ((<usize>c) << 3), bytes);
    if (second > plain) gatherEverySecond(plain, second, rows, u, steps, c, z0, bytes);
    for (let d = second; d < segments; d++) {
      const t = table + <usize>d * row;
      scatterAnywhere(t, rows + rowsPlace(t), u, i, z0, z1);
    }
    spread(i, u, z0, bytes);
  }
}

function shiftsOfChunk(second: i32, rows: usize, steps: usize, i: i32, z0: i32): void {
  for (let d = eventSegments; d < second; d++) {
    const t = table + <usize>d * row;
    // With p = 2 the pair is (k, g) itself: even and odd shifts go different ways.
    if (kindOf(t) === 1) shifts(t, steps + ((<usize>d) << 6), i, rows + rowsPlace(t) + ((<usize>z0) << 2), 0, -4);
    else shifts(t, steps + ((<usize>d) << 6), i, 0, 0, 1);
  }
}

/** The segment's values times their weight, and beside them the differences y[r − 1] − y[r]; zeros before and after. Only planes that the
 *  slab may see: p r + k in (z0 − 2, z1 + 1) for some shift k of the segment. */
function weighRow(t: usize, values: usize, to: usize, z0: i32, z1: i32): void {
  const planes = planesOf(t);
  const p = kindOf(t);
  const from = p === 0 ? 0 : max(0, min(planes, (z0 - 2 - <i32>load<f64>(t, 80)) / max(p, 1) - 1));
  const end = p === 0 ? planes : min(planes, (z1 + 1 - <i32>load<f64>(t, 72)) / max(p, 1) + 2);
  const weight = sampleLength(t);
  let before: f32 = 0;
  for (let r = from; r < end; r++) {
    const value = weight * load<f32>(values + ((<usize>r) << 2));
    store<f32>(to + ((<usize>r) << 2), value);
    store<f32>(to + ((<usize>r) << 2) + rowsBytes, before - value);
    before = value;
  }
  if (from < end) store<f32>(to + ((<usize>end) << 2) + rowsBytes, before);
}
