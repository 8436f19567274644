/** @file  A stand-in for scatter: trues per pair, half of them averaged over all views, smoothed until nothing of the object but its
 *  bulk is left (near-Gaussian, 200 mm FWHM across, 80 mm along the axis), times the pairs of each bin. It reaches beyond the object as
 *  scatter does. No physics: no energy, no single-scatter integral. */
import { array, type NdArray } from '../core/array.js';
import { type CallOptions, turn } from '../core/iterate.js';
import { fieldOfViewRadius } from '../geometry/lines.js';
import { firstPlanes, planeCount, type Sinogram } from '../geometry/sinogram.js';

const acrossFwhm = 200;
const axialFwhm = 80;

/**
 * @param pairs detector pairs of each bin, shape of the data; gaps (0) stay 0.
 * @returns the shape of the tail, in no scale.
 */
export async function smoothTail({ layout, values }: Sinogram, pairs: NdArray, { signal }: CallOptions = {}): Promise<NdArray> {
  const { segments, views, tangential, scanner, tofBins } = layout;
  const planes = planeCount(layout);
  const first = firstPlanes(layout);
  const binSize = (2 * fieldOfViewRadius(layout)) / Math.max(1, tangential - 1);
  const out = array(values.shape);
  const row = new Float64Array(tangential);
  const perPlane = views * tangential;
  for (let plane = 0; plane < tofBins * planes; plane++) {
    if (plane % 16 === 0) await turn(signal);
    const start = plane * perPlane;
    const average = new Float64Array(tangential);
    const found = new Float64Array(tangential);
    for (let i = 0; i < perPlane; i++) {
      if (pairs.data[start + i]! === 0) continue;
      average[i % tangential]! += values.data[start + i]! / pairs.data[start + i]!;
      found[i % tangential]! += 1;
    }
    for (let t = 0; t < tangential; t++) average[t]! /= Math.max(1, found[t]!);
    for (let view = 0; view < views; view++) {
      const at = start + view * tangential;
      for (let t = 0; t < tangential; t++) {
        // A gap knows nothing: the average stands in for it.
        const own = pairs.data[at + t]! === 0 ? average[t]! : values.data[at + t]! / pairs.data[at + t]!;
        row[t] = (own + average[t]!) / 2;
      }
      smooth(row, acrossFwhm / binSize);
      out.data.set(row, at);
    }
  }
  for (let tof = 0; tof < tofBins; tof++) {
    for (let s = 0; s < segments.length; s++) {
      const { axialPositions, minRingDifference, maxRingDifference } = segments[s]!;
      const spacing = minRingDifference === maxRingDifference ? scanner.ringSpacing : scanner.ringSpacing / 2;
      const column = new Float64Array(axialPositions);
      await turn(signal);
      for (let i = 0; i < perPlane; i++) {
        const at = (tof * planes + first[s]!) * perPlane + i;
        for (let a = 0; a < axialPositions; a++) column[a] = out.data[at + a * perPlane]!;
        smooth(column, axialFwhm / spacing);
        for (let a = 0; a < axialPositions; a++) out.data[at + a * perPlane] = column[a]! * pairs.data[at + a * perPlane]!;
      }
    }
  }
  return out;
}

/** Near-Gaussian smoothing in place, by three running means; the ends are continued by their last value. */
export function smooth(line: Float64Array, fwhm: number): void {
  // Variance of a running mean over w = 2h + 1 elements is (w² − 1)/12; three of them should give (fwhm / 2.355)².
  const half = Math.round((Math.sqrt(4 * (fwhm / 2.3548) ** 2 + 1) - 1) / 2);
  if (half < 1 || line.length < 2) return;
  const last = line.length - 1;
  const sums = new Float64Array(line.length + 1);
  for (let pass = 0; pass < 3; pass++) {
    for (let i = 0; i <= last; i++) sums[i + 1] = sums[i]! + line[i]!;
    const [start, end] = [line[0]!, line[last]!];
    for (let i = 0; i <= last; i++) {
      const low = i - half;
      const high = i + half;
      const before = Math.max(0, -low) * start;
      const after = Math.max(0, high - last) * end;
      line[i] = (before + after + sums[Math.min(last, high) + 1]! - sums[Math.max(0, low)]!) / (2 * half + 1);
    }
  }
}
