/** @file  Lines in any place, one after the other, with and without time of flight. */
import { readGrid, readTof, rise, weight, within } from './line';
import { first, last, setUp } from './ray';
import { addAlong, layOut, sumAlong } from './walk';

/** Line number `line` of rows z, y, x of float32; `centres`: the middle of its bin of time of flight, mm, or 0. */
function begin(g: usize, start: usize, end: usize, centres: usize, line: i32): bool {
  const s = start + <usize>line * 12;
  const e = end + <usize>line * 12;
  if (!setUp(g, load<f32>(s, 8), load<f32>(s, 4), load<f32>(e, 8), load<f32>(e, 4))) return false;
  const z1 = <f64>load<f32>(s);
  const z2 = <f64>load<f32>(e);
  if (!rise(z1, z2, first, last)) return false;
  return centres === 0 || within(z1, z2, load<f32>(centres + ((<usize>line) << 2)));
}

/** out[line] = line integral, for lines from … to − 1. Scratch: 8 bytes for each plane of x or y, and 32. */
export function forwardLines(
  g: usize,
  start: usize,
  end: usize,
  tof: usize,
  centres: usize,
  scratch: usize,
  out: usize,
  from: i32,
  to: i32,
): void {
  readGrid(g);
  readTof(tof);
  for (let line = from; line < to; line++) {
    let sum: f32 = 0;
    if (begin(g, start, end, centres, line)) {
      layOut(scratch, first, first, last);
      sum = sumAlong(tof !== 0, scratch, first, first, last);
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
  centres: usize,
  scratch: usize,
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
    if (value === 0 || dx >= dy !== (alongX === 1) || !begin(g, start, end, centres, line)) continue;
    const low = max(first, plane0);
    const high = min(last, plane1 - 1);
    layOut(scratch, first, low, high);
    addAlong(tof !== 0, scratch, first, low, high, value * weight);
  }
}
