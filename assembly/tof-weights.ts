/** @file  The weights of TOF bins, W[i][t] = c ω(x_i − t), ω of src/projector/tof-weight.ts, x_i the place of step i in TOF bins, which count
 *  from the end of the line to its start; and where what the kernels of TOF sinograms need lies in their scratch. */
import { first, last, length2, tauBase, tauStep } from './ray';
import { neighbours } from './sinogram-anywhere';
import { shifts } from './sinogram-direct';
import { chunk, kindOf, read, sampleLength, tBytes, tLead } from './sinogram-table';

/** Bytes of a row of L: twelve planes, and four zeros at either end. */
export const lineBytes: usize = 80;

/** TOF bins; planes of the whole sinogram; width of a bin and σ in mm; the Gaussian's cumulative at −6σ, −6σ + σ/256, …, +6σ. */
export let tofBins: i32 = 0;
export let allPlanes: usize = 0;
let width: f64 = 0;
let sigma: f64 = 0;
let cumulative: usize = 0;
/** Bytes of a row of W; scratch: T or its transpose, L, W, first and last TOF bin of each step, steps of each three bins, shifts, borders of bins. */
export let weightBytes: usize = 0;
export let rows: usize = 0;
export let lines: usize = 0;
export let weights: usize = 0;
export let windows: usize = 0;
export let bands: usize = 0;
export let steps: usize = 0;
let borders: usize = 0;

/** Reads the grid's and the sinogram's tables, lays out the scratch and returns where in it values of bins may lie. */
export function readTof(g: usize, s: usize, scratch: usize): usize {
  read(s);
  const maxSteps = <usize>Math.max(load<f64>(g, 8), load<f64>(g, 16)) + 2;
  tofBins = <i32>load<f64>(s, 120);
  allPlanes = <usize>load<f64>(s, 128);
  width = load<f64>(s, 136);
  sigma = load<f64>(s, 144);
  cumulative = <usize>load<f64>(s, 152);
  // A multiple of three, and four more: whole vectors may be written past the last.
  weightBytes = <usize>((tofBins + 6) / 3) * 12 + 12;
  rows = scratch + tLead;
  lines = scratch + maxSteps * tBytes;
  weights = lines + maxSteps * lineBytes + 16;
  windows = weights + maxSteps * weightBytes;
  bands = windows + maxSteps * 8;
  steps = bands + (weightBytes << 1);
  borders = steps + (maxSteps + <usize>chunk) * 8;
  const values = borders + weightBytes + 64;
  memory.fill(scratch, 0, values - scratch);
  return values;
}

/** The Gaussian's cumulative at four borders of bins, `at` and `apart` in places of its table. */
function cumulativeAt(at: f64, apart: f32): v128 {
  const places = f32x4.add(f32x4.splat(<f32>at), f32x4.mul(f32x4(0, 1, 2, 3), f32x4.splat(apart)));
  return neighbours(cumulative, f32x4.min(f32x4.max(places, f32x4.splat(0)), f32x4.splat(3072)));
}

/** Squared axial length of the segment whose weights W holds. */
let weighed: f64 = 0;

/** W, the TOF bins that each step sees, and the steps that each three bins see; they stay for the next segment if it is as steep. */
export function weigh(t: usize, anew: bool): void {
  if (!anew && load<f64>(t, 48) === weighed) return;
  weighed = load<f64>(t, 48);
  const length = Math.sqrt(length2 + load<f64>(t, 48));
  const sample = sampleLength(t);
  const apart = (256 * width) / sigma;
  const reach = (3 * sigma) / width;
  memory.fill(weights, 0, <usize>(last - first + 1) * weightBytes);
  for (let bin = 0; bin < tofBins; bin += 3) {
    const band = bands + ((<usize>(bin / 3)) << 3);
    store<i32>(band, last + 1);
    store<i32>(band, first - 1, 4);
  }
  for (let i = first; i <= last; i++) {
    const x = ((0.5 - (tauBase + tauStep * <f64>i)) * length) / width + 0.5 * <f64>(tofBins - 1);
    const from = <i32>Math.floor(x - reach);
    const to = <i32>Math.ceil(x + reach);
    const low = max(0, from);
    const high = min(tofBins - 1, to);
    const n = <usize>(i - first);
    store<i32>(windows + (n << 3), low);
    store<i32>(windows + (n << 3), high, 4);
    if (low > high) continue;
    const zero = 1536 - (x + 0.5) * apart;
    const ends = cumulativeAt(zero + <f64>from * apart, <f32>(<f64>(to + 1 - from) * apart));
    const weight = f32x4.splat(sample / (f32x4.extract_lane(ends, 1) - f32x4.extract_lane(ends, 0)));
    // Borders beyond the window's are worked out with it, four at a time, and their weights put back to zero.
    for (let bin = low; bin <= high + 1; bin += 4) {
      v128.store(borders + ((<usize>bin) << 2), cumulativeAt(zero + <f64>bin * apart, <f32>apart));
    }
    const w = weights + n * weightBytes;
    for (let bin = low; bin <= high; bin += 4) {
      const b = borders + ((<usize>bin) << 2);
      v128.store(w + ((<usize>bin) << 2), f32x4.mul(weight, f32x4.sub(v128.load(b, 4), v128.load(b))));
    }
    v128.store(w + ((<usize>(high + 1)) << 2), f32x4.splat(0));
    for (let third = low / 3; third <= high / 3; third++) {
      const band = bands + ((<usize>third) << 3);
      store<i32>(band, min(load<i32>(band), i));
      store<i32>(band, i, 4);
    }
  }
}

/** For each step the address of T at r = 0 and the weight g. */
export function locate(t: usize): void {
  if (kindOf(t) === 0) return;
  for (let i = first; i <= last; i += chunk) {
    const n = <usize>(i - first);
    shifts(t, steps + (n << 3), i, rows + n * tBytes, <i32>tBytes, 4);
  }
}
