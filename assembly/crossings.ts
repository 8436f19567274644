/** @file  Where a line's position in each segment passes an integer plane. With s(τ) = A + S τ, plane k is passed at τ = (k − A) / S whatever
 *  the line, so that one table sorted by τ serves all lines; a line that starts at the other end walks through it backwards. */
import { tauBase, tauStep } from './ray';
import { crossingCount, crossings, offsetOf, slopeOf } from './sinogram-table';

/** 1 / tauStep: steps from start to end of the line. */
let span: f64 = 0;
/** Crossings that lie before the walker, in the order of steps. */
let passed: i32 = 0;
/** The crossing that `forth` or `back` found: its segment (bytes from the first row of the table), its plane, its place in steps. */
export let segmentOf: usize = 0;
export let plane: i32 = 0;
export let place: f64 = 0;

/** Place in steps of crossing number `index`, in the order of steps. */
function placeOf(index: i32): f64 {
  return (load<f64>(addressOf(index)) - tauBase) * span;
}

function addressOf(index: i32): usize {
  return crossings + ((<usize>(tauStep > 0 ? index : crossingCount - 1 - index)) << 4);
}

/** Stands at step i: crossings up to it, i included, lie behind. */
export function standAt(i: i32): void {
  span = 1 / tauStep;
  let low = 0;
  let high = crossingCount;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (placeOf(middle) <= <f64>i) low = middle + 1;
    else high = middle;
  }
  passed = low;
}

/** Walks over the next crossing if it lies at step `to` or before. */
export function forth(to: f64): bool {
  if (passed === crossingCount) return false;
  const at = addressOf(passed);
  place = (load<f64>(at) - tauBase) * span;
  if (place > to) return false;
  segmentOf = <usize>load<u32>(at, 8);
  plane = load<i32>(at, 12);
  passed++;
  return true;
}

/** Walks back over the last crossing if it lies behind step `to`. */
export function back(to: f64): bool {
  if (passed === 0) return false;
  const at = addressOf(passed - 1);
  place = (load<f64>(at) - tauBase) * span;
  if (place <= to) return false;
  segmentOf = <usize>load<u32>(at, 8);
  plane = load<i32>(at, 12);
  passed--;
  return true;
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
