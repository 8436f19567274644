import { describe, expect, it } from 'vitest';
import { array, fill, total } from '../../src/core/array.js';
import { GeometryError, OptionError } from '../../src/core/errors.js';
import { centredGrid, type Grid, type PetImage, petImage } from '../../src/core/image.js';
import { crystalPairCounts, ringPairCounts } from '../../src/geometry/bins.js';
import { fromWorld } from '../../src/geometry/frame.js';
import { checkedScan } from '../../src/geometry/scan.js';
import { parseScanner } from '../../src/geometry/scanner.js';
import { scannerByName } from '../../src/geometry/scanners.js';
import { sinogramLayout } from '../../src/geometry/sinogram.js';
import { referenceEngine } from '../../src/projector/engine.js';
import { type Acquisition, acquire, expectedScan, poissonCounts } from '../../src/simulate/acquisition.js';
import { smooth } from '../../src/simulate/scatter.js';
import { virtualLayout, virtualScanner } from '../../src/simulate/virtual-scanners.js';

const engine = referenceEngine();
const scanner = parseScanner({
  name: 'tiny',
  rings: 4,
  detectorsPerRing: 36,
  innerRadius: 80,
  ringSpacing: 8,
  maxTangential: 17,
  defaultArcCorrected: 17,
  binSize: 5,
});
const layout = sinogramLayout(scanner, { span: 3, maxRingDifference: 3 });
const grid: Grid = centredGrid([7, 13, 15], [5, 8, 7]);

/** Off-centre ellipse, hotter towards the patient's left and front; mu of water in it. */
function body(of: (y: number, x: number) => number, unit: 'SUV' | '1/cm'): PetImage {
  const [, ny, nx] = grid.shape;
  return petImage(
    grid,
    fill(grid.shape, (i) => {
      const y = (Math.floor(i / nx) % ny) - 5;
      const x = (i % nx) - 8;
      return (y / 4) ** 2 + (x / 5) ** 2 <= 1 ? of(y, x) : 0;
    }),
    unit,
  );
}
const activity = body((y, x) => 2 + 0.2 * y - 0.3 * x, 'SUV');
const mu = body(() => 0.096, '1/cm');
const run = (more: Partial<Acquisition> = {}): ReturnType<typeof acquire> =>
  acquire({ activity, mu, layout, engine, counts: 2e4, seed: 1, ...more });

describe('acquire', () => {
  it('expects counts × dose trues, and the fractions of the prompts', async () => {
    const { expected, mean } = await run({ dose: 0.25, randomsFraction: 0.3, scatterFraction: 0.1 });
    expect(expected.trues / 5000).toBeCloseTo(1, 5);
    expect(expected.randoms / expected.prompts).toBeCloseTo(0.3, 5);
    expect(expected.scatter / expected.prompts).toBeCloseTo(0.1, 5);
    expect(expected.prompts / (5000 / 0.6)).toBeCloseTo(1, 5);
    expect(total(mean.values)).toBeCloseTo(expected.prompts, 1);
  });

  it('gives a scan whose model has the truth as its mean: m (A x + a), with m = k · exp(−∫μ) · pairs', async () => {
    const { scan, mean, expected } = await run({ position: 'FFP' });
    expect(checkedScan(scan).position).toBe('FFP');
    const x = fromWorld(activity, 'FFP');
    const map = fromWorld(mu, 'FFP');
    const views = [...Array(layout.views).keys()];
    const operator = engine.sinogramProjector(layout, views, x.grid);
    const [ax, integrals] = [await operator.forward(x.values), await operator.forward(map.values)];
    const m = scan.multiplicative!.values.data;
    const a = scan.additive!.values.data;
    const rings = ringPairCounts(layout);
    const bins = layout.views * layout.tangential;
    const k = m.map((value, i) => value / Math.exp(-integrals.data[i]! / 10) / rings[Math.floor(i / bins)]!);
    expect(Math.max(...k) / Math.min(...k)).toBeCloseTo(1, 4);
    let worst = 0;
    m.forEach((value, i) => {
      worst = Math.max(worst, Math.abs(value * (ax.data[i]! + a[i]!) - mean.values.data[i]!) / mean.values.data[i]!);
    });
    expect(worst).toBeLessThan(1e-5);
    expect(total(fill(ax.shape, (i) => m[i]! * ax.data[i]!)) / expected.trues).toBeCloseTo(1, 5);
  });

  it('attenuates: without μ every factor is the same but for pairs', async () => {
    const { scan } = await run({ mu: undefined });
    const m = scan.multiplicative!.values;
    const rings = ringPairCounts(layout);
    const bins = layout.views * layout.tangential;
    const k = m.data.map((value, i) => value / rings[Math.floor(i / bins)]!);
    expect(Math.max(...k) / Math.min(...k)).toBeCloseTo(1, 5);
  });

  it('blurs the truth by the resolution of the scanner', async () => {
    const point = petImage(
      grid,
      fill(grid.shape, (i) => (i === (3 * 13 + 6) * 15 + 7 ? 1 : 0)),
      'SUV',
    );
    const none = { mu: undefined, activity: point, randomsFraction: 0, scatterFraction: 0 };
    const peak = async (psf: number): Promise<number> => Math.max(...(await run({ ...none, psf })).mean.values.data);
    expect(await peak(20)).toBeLessThan(0.6 * (await peak(0)));
  });

  it('draws Poisson counts: mean and variance over seeds are those of the bin', async () => {
    const mean = array([3], Float32Array.of(0.7, 6, 40));
    const n = 4000;
    const sums = [0, 0, 0];
    const squares = [0, 0, 0];
    for (let seed = 0; seed < n; seed++) {
      (await poissonCounts(mean, seed)).data.forEach((y, i) => {
        sums[i]! += y;
        squares[i]! += y * y;
      });
    }
    mean.data.forEach((lambda, i) => {
      const average = sums[i]! / n;
      expect(Math.abs(average - lambda)).toBeLessThan(4 * Math.sqrt(lambda / n));
      const variance = squares[i]! / n - average ** 2;
      expect(Math.abs(variance / lambda - 1)).toBeLessThan(4 * Math.sqrt((2 + 1 / lambda) / n));
    });
  });

  it('repeats for a seed, differs between seeds, and scatters about its mean as Poisson does', async () => {
    const [one, again, other] = [await run(), await run(), await run({ seed: 2 })];
    const differing = ({ scan }: typeof one): number =>
      scan.prompts.values.data.reduce((n, y, i) => n + (y === one.scan.prompts.values.data[i] ? 0 : 1), 0);
    expect(differing(again)).toBe(0);
    expect(differing(other)).toBeGreaterThan(100);
    const { data } = one.mean.values;
    const chi = data.reduce((sum, mean, i) => sum + (one.scan.prompts.values.data[i]! - mean) ** 2 / mean, 0);
    expect(Math.abs(chi - data.length)).toBeLessThan(5 * Math.sqrt(2 * data.length));
  });

  it('keeps bins of gap crystals empty', async () => {
    const mmr = scannerByName('Siemens mMR');
    const gapped = sinogramLayout({ ...mmr, rings: 2 }, { tangential: 61, viewMash: 1 });
    const { scan, mean } = await acquire({
      ...{ layout: gapped, engine, counts: 1e6, seed: 3 },
      activity: petImage(
        centredGrid([3, 9, 9], [2, 10, 10]),
        fill([3, 9, 9], () => 1),
        'SUV',
      ),
    });
    const pairs = crystalPairCounts(gapped);
    const gaps = pairs.reduce((n, p) => n + (p === 0 ? 1 : 0), 0);
    expect(gaps).toBeGreaterThan(1000);
    const inGaps = (values: { data: Float32Array }): number =>
      values.data.reduce((sum, v, i) => sum + (pairs[i % pairs.length] === 0 ? v : 0), 0);
    for (const s of [scan.prompts, scan.multiplicative!, scan.additive!, mean]) expect(inGaps(s.values)).toBe(0);
    expect(scan.prompts.values.data.filter((y, i) => pairs[i % pairs.length]! > 0 && y === 0).length).toBeLessThan(9);
  });

  it('scatter reaches beyond the object and is smoother than it', async () => {
    const { scan } = await run({ randomsFraction: 0, scatterFraction: 0.5 });
    const m = scan.multiplicative!.values.data;
    const scatter = scan.additive!.values.data.map((a, i) => a * m[i]!);
    expect(Math.min(...scatter)).toBeGreaterThan(0);
    const row = scatter.subarray(0, layout.tangential);
    expect(Math.max(...row) / Math.min(...row)).toBeLessThan(3);
    // Planes add up one ring pair or two in turn, and so does their scatter.
    const rings = ringPairCounts(layout);
    const bins = layout.views * layout.tangential;
    const plane = (p: number): number => scatter.subarray(p * bins, (p + 1) * bins).reduce((sum, v) => sum + v, 0) / rings[p]!;
    expect(new Set(rings.slice(0, 7)).size).toBe(2);
    for (let p = 1; p < 7; p++) expect(Math.abs(plane(p) / plane(p - 1) - 1)).toBeLessThan(0.25);
  });

  it('counts what the sensitivity says, less what is attenuated', async () => {
    const millilitres = total(activity.values) * (grid.voxelSize[0] * grid.voxelSize[1] * grid.voxelSize[2]) * 1e-3;
    const sensitive = { counts: undefined, sensitivity: 40 };
    const bare = await run({ ...sensitive, mu: undefined });
    expect(bare.expected.trues / (40 * millilitres)).toBeCloseTo(1, 5);
    const half = await run({ ...sensitive, dose: 0.5 });
    expect(half.expected.trues).toBeLessThan(0.49 * bare.expected.trues);
    // A dense body survives as the mean of its attenuation factors over the pairs that meet in it.
    const { mean, scan } = await run({ ...sensitive, randomsFraction: 0, scatterFraction: 0 });
    expect(2 * half.expected.trues).toBeCloseTo(total(mean.values), -1);
    expect(scan.multiplicative!.values.data.some((m) => m > 0)).toBe(true);
    await expect(run({ sensitivity: 3 })).rejects.toThrow(/counts/);
    await expect(run({ counts: undefined })).rejects.toThrow(/counts/);
  });

  it('spreads background over the TOF bins, and none of it is lost', async () => {
    const tof = virtualLayout(virtualScanner('clinical'), grid);
    const options = { ...{ activity, mu, layout: tof, engine, counts: 5e4 }, randomsFraction: 0.3, scatterFraction: 0.2 };
    const { mean, additive, multiplicative, expected } = await expectedScan(options);
    expect(tof.tofBins).toBeGreaterThan(1);
    const background = additive.values.data.reduce((sum, a, i) => sum + a * multiplicative.values.data[i]!, 0);
    expect(background / (expected.randoms + expected.scatter)).toBeCloseTo(1, 3);
    expect(total(mean.values)).toBeCloseTo(1e5, -2);
  });

  it('refuses what cannot be', async () => {
    await expect(run({ counts: 0 })).rejects.toThrow(OptionError);
    await expect(run({ dose: -1 })).rejects.toThrow(OptionError);
    await expect(run({ randomsFraction: 0.6, scatterFraction: 0.4 })).rejects.toThrow(OptionError);
    await expect(run({ activity: petImage(grid, array(grid.shape), 'SUV') })).rejects.toThrow(GeometryError);
    const turned = Float64Array.from(activity.affine);
    turned[0] = -turned[0]!;
    await expect(run({ activity: { ...activity, affine: turned } })).rejects.toThrow(/activity/);
    const negative = body(() => -1, '1/cm');
    await expect(run({ mu: negative })).rejects.toThrow(/mu/);
  });

  it('stops with the reason of its signal', async () => {
    const reason = new Error('enough');
    await expect(run({ signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  });
});

describe('smooth', () => {
  it('has the width it is asked for, and keeps sum and constants', () => {
    const line = new Float64Array(301);
    line[150] = 1;
    smooth(line, 40);
    const variance = line.reduce((sum, v, i) => sum + v * (i - 150) ** 2, 0);
    expect(line.reduce((sum, v) => sum + v, 0)).toBeCloseTo(1, 12);
    expect((Math.sqrt(variance) * 2.3548) / 40).toBeCloseTo(1, 1);
    const constant = new Float64Array(9).fill(3);
    smooth(constant, 30);
    for (const v of constant) expect(v).toBeCloseTo(3, 12);
  });
});
