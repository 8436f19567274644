import { describe, expect, it } from 'vitest';
import { dot, fill, type NdArray, total } from '../../src/core/array.js';
import { random } from '../../src/core/random.js';
import { crystalPairCounts, detectorsOf, ringPairs } from '../../src/geometry/bins.js';
import { scannerByName } from '../../src/geometry/scanners.js';
import { firstTangential, type SinogramLayout, sinogramLayout, sinogramShape, viewMash } from '../../src/geometry/sinogram.js';
import { estimateRandoms } from '../../src/io/randoms.js';

const gapped = { ...scannerByName('small'), rings: 6, detectorsPerRing: 36, maxTangential: 15, gap: { period: 9, residue: 4 } };
const tof = { bins: 3, binWidth: 500, resolution: 500 };

/** The model itself, with ring rates that differ and a source off centre. */
function truth(layout: SinogramLayout, mean: number): NdArray {
  const rate = (ring: number): number => 1 + 0.3 * ring + (ring === 2 ? 2 : 0);
  const around = (c: number): number => (c % 9 === 4 ? 0 : 1 + 0.4 * Math.cos((2 * Math.PI * (c - 5)) / 36));
  const planes = layout.segments.flatMap(({ axialPositions }, s) =>
    Array.from({ length: axialPositions }, (_, a) => ringPairs(layout, s, a).reduce((sum, [p, q]) => sum + rate(p) * rate(q), 0)),
  );
  const mash = viewMash(layout);
  const places = Array.from({ length: layout.views * layout.tangential }, (_, i) => {
    const [view, t] = [Math.floor(i / layout.tangential), (i % layout.tangential) + firstTangential(layout)];
    return Array.from({ length: mash }, (_, k) => detectorsOf(36, view * mash + k, t)).reduce(
      (sum, { detector1, detector2 }) => sum + around(detector1) * around(detector2),
      0,
    );
  });
  return fill(
    sinogramShape(layout),
    (i) => mean * planes[Math.floor(i / places.length) % planes.length]! * places[i % places.length]!,
  );
}

describe('estimateRandoms', () => {
  it.each([
    ['span 1', sinogramLayout(gapped)],
    ['span 3, mashed', sinogramLayout(gapped, { span: 3, viewMash: 2 })],
    ['time of flight', sinogramLayout({ ...gapped, tof }, { span: 3, tofMash: 1 })],
  ])('%s: data that follow the model are returned', async (_, layout) => {
    const values = truth(layout, 0.01);
    const { values: mean } = await estimateRandoms({ layout, values });
    mean.data.forEach((x, i) => {
      expect(Math.abs(x - values.data[i]!)).toBeLessThan(2e-3 * values.data[i]! + 1e-6);
    });
  });

  it('keeps the sum of sparse delayeds, is 0 where no pair can detect, and is near the truth', async () => {
    const layout = sinogramLayout(gapped, { span: 3 });
    const mean = truth(layout, 0.02);
    const draw = random(3);
    const values = fill(mean.shape, (i) => draw.poisson(mean.data[i]!));
    const estimate = (await estimateRandoms({ layout, values })).values;
    expect(total(estimate) / total(values)).toBeCloseTo(1, 5);
    const pairs = crystalPairCounts(layout);
    expect(estimate.data.every((x, i) => x >= 0 && x < 100 && (pairs[i % pairs.length]! > 0 || x === 0))).toBe(true);
    const difference = fill(mean.shape, (i) => estimate.data[i]! - mean.data[i]!);
    const noise = fill(mean.shape, (i) => values.data[i]! - mean.data[i]!);
    expect(dot(difference, difference) / dot(noise, noise)).toBeLessThan(0.03); // of the variance of the delayeds themselves
  });

  it('spreads arc-corrected delayeds evenly within a plane', async () => {
    const layout = sinogramLayout(gapped, { arcCorrected: true, tangential: 9, maxRingDifference: 1 });
    const values = fill(sinogramShape(layout), (i) => i % 2);
    const { values: mean } = await estimateRandoms({ layout, values });
    expect(mean.get(0, 3, 1, 2)).toBe(mean.get(0, 3, 5, 7));
    expect(total(mean) / total(values)).toBeCloseTo(1, 5);
  });

  it('is 0 without delayeds, and stops when told', async () => {
    const layout = sinogramLayout(gapped);
    const none = { layout, values: fill(sinogramShape(layout), () => 0) };
    expect(total((await estimateRandoms(none)).values)).toBe(0);
    await expect(estimateRandoms(none, { signal: AbortSignal.abort(new Error('enough')) })).rejects.toThrow('enough');
  });
});
