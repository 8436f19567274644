/** @file  Where a line's position in each segment passes an integer plane. With s(τ) = A + S τ, plane k is passed at τ = (k − A) / S whatever
 *  the line, so that one table sorted by τ serves all lines; a line that starts at the other end walks through it backwards.
 *  Rows of the table, 32 bytes: τ; then 32 bits each: where voxel 0 lies in the segment's row on the lattice, first block of voxels that the
 *  row reaches and length of all these, bytes. */
import { tauBase, tauStep } from './ray';
import { crossingCount, crossings, offsetOf, slopeOf } from './sinogram-table';

/** 1 / tauStep: steps from start to end of the line. */
let span: f64 = 0;
/** Crossings that lie before the walker, in the order of steps. */
let passed: i32 = 0;

/** Bytes of an event: address at voxel 0, α, first block of voxels and length of all, 32 bits each. */
export const eventBytes: usize = 16;

function addressOf(index: i32): usize {
  return crossings + ((<usize>(tauStep > 0 ? index : crossingCount - 1 - index)) << 5);
}

/** Place in steps of the crossing at this address. */
function placeOf(at: usize): f64 {
  return (load<f64>(at) - tauBase) * span;
}

/** Stands at step i: crossings up to it, i included, lie behind. */
export function standAt(i: i32): void {
  span = 1 / tauStep;
  let low = 0;
  let high = crossingCount;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (placeOf(addressOf(middle)) <= <f64>i) low = middle + 1;
    else high = middle;
  }
  passed = low;
}

/** Walks on to step i. Writes an event for each crossing passed on the way to `events`, for rows at `rows`, and returns where they end. */
export function forth(i: i32, events: usize, rows: usize): usize {
  while (passed < crossingCount) {
    const at = addressOf(passed);
    const place = placeOf(at);
    if (place > <f64>i) break;
    write(events, at, <f32>(place - <f64>i), rows, 0);
    events += eventBytes;
    passed++;
  }
  return events;
}

/** Walks back to step i, in the same way; voxels are counted from z0 on, in bytes. */
export function back(i: i32, events: usize, rows: usize, z0: i32): usize {
  while (passed > 0) {
    const at = addressOf(passed - 1);
    const place = placeOf(at);
    if (place <= <f64>i) break;
    write(events, at, <f32>(place - <f64>(i + 1)), rows, z0);
    events += eventBytes;
    passed--;
  }
  return events;
}

function write(event: usize, crossing: usize, alpha: f32, rows: usize, z0: i32): void {
  store<i32>(event, <i32>rows + load<i32>(crossing, 8) + z0);
  store<f32>(event, alpha, 4);
  store<i32>(event, load<i32>(crossing, 12) - z0, 8);
  store<i32>(event, load<i32>(crossing, 16), 12);
}

/** K of a segment with the crossings up to step i behind it: its planes' positions lie in [K, K + 1]. The comparisons are those of the
 *  table, to the last bit. */
export function shiftAt(t: usize, i: i32): i32 {
  const slope = slopeOf(t);
  let k = Math.floor(offsetOf(t) + slope * (tauBase + tauStep * <f64>i));
  if (slope === 0) return <i32>k;
  const rising = slope * tauStep > 0;
  while (isPassed(t, k + 1, i) === rising) k++;
  while (isPassed(t, k, i) !== rising) k--;
  return <i32>k;
}

function isPassed(t: usize, k: f64, i: i32): bool {
  return ((k - offsetOf(t)) * load<f64>(t, 104) - tauBase) * span <= <f64>i;
}
