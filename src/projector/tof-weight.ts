/** @file  Time of flight along a line. A sample at distance x (in bins) from the middle of a bin counts in it with
 *    ω(x) = κ(x) / Σ_m κ(x − m),   κ(x) = ½ erf((x + ½) w/(√2 σ)) − ½ erf((x − ½) w/(√2 σ)),
 *  w the width of a bin, the sum over the bins m that the Gaussian, cut at ±n σ, reaches from there: ⌊x − M⌋ … ⌈x + M⌉, M = n σ/w.
 *  A sample is shared out whole, so that bins wide enough together add up to the line without time of flight. */
import { GeometryError } from '../core/errors.js';

/** Lengths along the line, mm: 1 ps of time difference is c/2 = 0.1499 mm. */
export interface TofResponse {
  /** Width of a bin. */
  readonly width: number;
  /** Standard deviation of the Gaussian; FWHM / 2.3548. */
  readonly sigma: number;
  /** The Gaussian is cut at this many σ. @default 3 */
  readonly sigmas?: number | undefined;
}

/**
 * The response itself.
 * @throws GeometryError when a length is not positive and finite.
 */
export function checkedTof(tof: TofResponse): TofResponse {
  for (const [key, value] of Object.entries({ width: tof.width, sigma: tof.sigma, sigmas: tof.sigmas ?? 3 })) {
    if (!(value > 0 && value < Number.POSITIVE_INFINITY)) {
      throw new GeometryError('Time of flight', { key, expected: 'a positive number', found: value, hint: 'Lengths are in mm.' });
    }
  }
  return tof;
}

/** Distance from the middle of its bin beyond which a sample does not count in it, mm. */
export function tofReach({ width, sigma, sigmas = 3 }: TofResponse): number {
  return sigmas * sigma + width;
}

/** ω at a distance in mm. */
export function tofWeight(tof: TofResponse, distance: number): number {
  if (!(Math.abs(distance) < tofReach(tof))) return 0;
  const x = distance / tof.width;
  const m = ((tof.sigmas ?? 3) * tof.sigma) / tof.width;
  return share(tof, x, Math.floor(x - m), Math.ceil(x + m));
}

/** κ(x) / Σ κ(x − m) over the bins low … high. */
function share({ width, sigma }: TofResponse, x: number, low: number, high: number): number {
  const scale = width / (Math.SQRT2 * sigma);
  // Neighbours share their borders: the sum is a difference of two.
  const sum = erf((x - low + 0.5) * scale) - erf((x - high - 0.5) * scale);
  return (erf((x + 0.5) * scale) - erf((x - 0.5) * scale)) / sum;
}

/**
 * ω as the kernels read it. It jumps where a bin more comes within reach: at M and −M mod 1 (in bins). Between these places it is one
 * smooth function near whole numbers and another near halves, and there are tables of both, a power of 2 of places per bin.
 */
export interface TofTable {
  /** Near whole numbers; then, as long again, near halves. Fine enough that lines between places are right to 1e-5 of the largest. */
  readonly values: Float32Array;
  /** log₂ of the places per bin. */
  readonly bits: number;
  /** Place of x = 0. */
  readonly zero: number;
  /** The first table holds within this distance of a whole number, in bins; at most ½. */
  readonly near: number;
}

export function tofTable(tof: TofResponse): TofTable {
  const { width, sigma, sigmas = 3 } = tof;
  const m = (sigmas * sigma) / width;
  const above = m - Math.floor(m);
  const near = Math.min(above, 1 - above);
  const bits = Math.ceil(Math.log2(128 * Math.max(1, width / sigma)));
  const perBin = 2 ** bits;
  const zero = Math.ceil(m + 1) * perBin + 2;
  const length = 2 * zero + 1;
  const values = new Float32Array(2 * length);
  // The windows' bins next to x, as many on both sides: about the nearest whole number, and about the nearest half.
  const whole = Math.ceil(m);
  const halves = Math.floor(m + 0.5);
  for (let i = 0; i < length; i++) {
    const x = (i - zero) / perBin;
    const nearest = Math.round(x);
    values[i] = share(tof, x, nearest - whole, nearest + whole);
    values[length + i] = share(tof, x, Math.floor(x) - halves, Math.floor(x) + 1 + halves);
  }
  return { values, bits, zero, near };
}

/** Error function to about 1e-15: 2/√π e^(−x²) Σ 2ⁿ x^(2n+1) / (1·3·5…(2n+1)), whose terms are all of one sign. */
export function erf(x: number): number {
  if (Math.abs(x) > 6) return Math.sign(x);
  let term = x;
  let sum = x;
  for (let n = 1; Math.abs(term) > 1e-17 * Math.abs(sum); n++) sum += term *= (2 * x * x) / (2 * n + 1);
  return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * sum;
}
