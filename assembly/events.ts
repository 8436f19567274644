/** @file  Events of list mode, in the order of their places across the scanner: what lines at one place share is set up once for them all. */
import { readGrid, readTof, rise, weight, within } from './line';
import { first, last, setUp } from './ray';
import { addAlong, layOut, sumAlong } from './walk';

/** The list: see src/projector/cpu/events.ts. */
let places: usize = 0;
let offsets: usize = 0;
let rows: usize = 0;
let wide: bool = false;
let axial: usize = 0;
let tofBins: i32 = 0;
let centres: usize = 0;

function readEvents(e: usize): void {
  places = <usize>load<f64>(e);
  offsets = <usize>load<f64>(e, 8);
  rows = <usize>load<f64>(e, 16);
  wide = load<f64>(e, 24) === 4;
  axial = <usize>load<f64>(e, 32);
  tofBins = <i32>load<f64>(e, 40);
  centres = <usize>load<f64>(e, 48);
}

/** Number of the first event at a place. */
function firstAt(place: i32): i32 {
  return load<i32>(offsets + ((<usize>place) << 2));
}

/** The lines at a place, transaxially. @returns false when they meet no plane. */
function setUpPlace(g: usize, place: i32): bool {
  const at = places + ((<usize>place) << 5);
  return setUp(g, load<f64>(at), load<f64>(at, 8), load<f64>(at, 16), load<f64>(at, 24));
}

/** Event number `event` on the planes low … high of its place. @returns false when it meets none. */
function begin(event: i32, low: i32, high: i32): bool {
  const row = wide ? load<i32>(rows + ((<usize>event) << 2)) : <i32>load<u16>(rows + ((<usize>event) << 1));
  const plane = tofBins === 1 ? row : row / tofBins;
  const at = axial + ((<usize>plane) << 4);
  const z1 = load<f64>(at);
  const z2 = load<f64>(at, 8);
  if (!rise(z1, z2, low, high)) return false;
  return tofBins === 1 || within(z1, z2, load<f64>(centres + ((<usize>(row - plane * tofBins)) << 3)));
}

/** out[event] = line integral, for the events at places from … to − 1. Scratch: 8 bytes for each plane of x or y, and 32. */
export function forwardEvents(g: usize, e: usize, tof: usize, scratch: usize, out: usize, from: i32, to: i32): void {
  readGrid(g);
  readTof(tof);
  readEvents(e);
  for (let place = from; place < to; place++) {
    let event = firstAt(place);
    const end = firstAt(place + 1);
    if (event === end) continue;
    const seen = setUpPlace(g, place);
    const low = first;
    const high = last;
    if (seen) layOut(scratch, low, low, high);
    for (; event < end; event++) {
      let sum: f32 = 0;
      if (seen && begin(event, low, high)) {
        sum = weight * sumAlong(tof !== 0, scratch, low, first, last);
      }
      store<f32>(out + ((<usize>event) << 2), sum);
    }
  }
}

/**
 * The transpose: adds values[event] along the lines at places from … to − 1 to the column image that `g` names. Only lines whose principal
 * axis is x (`alongX` 1) or y (0), and of those only planes plane0 … plane1 − 1: such slabs of planes share no voxel.
 */
export function adjointEvents(
  g: usize,
  e: usize,
  tof: usize,
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
  readEvents(e);
  for (let place = from; place < to; place++) {
    let event = firstAt(place);
    const end = firstAt(place + 1);
    if (event === end) continue;
    const at = places + ((<usize>place) << 5);
    const isX = Math.abs(load<f64>(at, 16) - load<f64>(at)) >= Math.abs(load<f64>(at, 24) - load<f64>(at, 8));
    if (isX !== (alongX === 1) || !setUpPlace(g, place)) continue;
    const start = first;
    const low = max(first, plane0);
    const high = min(last, plane1 - 1);
    if (low > high) continue;
    layOut(scratch, start, low, high);
    for (; event < end; event++) {
      const value = load<f32>(values + ((<usize>event) << 2));
      if (value === 0 || !begin(event, low, high)) continue;
      addAlong(tof !== 0, scratch, start, first, last, value * weight);
    }
  }
}
