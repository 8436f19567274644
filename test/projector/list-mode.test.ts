import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { array, fill, type NdArray } from '../../src/core/array.js';
import { GeometryError, OptionError } from '../../src/core/errors.js';
import { centredGrid } from '../../src/core/image.js';
import type { PoissonSubset } from '../../src/core/interfaces.js';
import { last } from '../../src/core/iterate.js';
import { random } from '../../src/core/random.js';
import { detectorsOf, ringPairs } from '../../src/geometry/bins.js';
import { type EventList, listedBins, listMode } from '../../src/geometry/event-list.js';
import { binsOfEvents, type CoincidenceEvents } from '../../src/geometry/events.js';
import { scannerByName } from '../../src/geometry/scanners.js';
import { firstTangential, type SinogramLayout, sinogramLayout, sinogramShape } from '../../src/geometry/sinogram.js';
import { histogramMmr } from '../../src/io/mmr-histogram.js';
import { mmrEvents } from '../../src/io/mmr-listmode.js';
import { openCpuEngine } from '../../src/node/kernel-pool.js';
import { gaussianDenoiser } from '../../src/prior/gaussian-denoiser.js';
import { adjointError } from '../../src/projector/adjoint-error.js';
import type { ProjectorEngine } from '../../src/projector/engine.js';
import { expectedEvents, listModeModel, listModeProjector } from '../../src/projector/list-mode.js';
import { systemModel } from '../../src/projector/system-model.js';
import { hqs } from '../../src/recon/hqs.js';
import { deviance } from '../../src/recon/likelihood.js';
import { osem } from '../../src/recon/osem.js';
import { kappa } from '../../src/recon/penalised.js';
import { poissonProx } from '../../src/recon/poisson-prox.js';
import { sharedFile } from '../io/shared-data.js';
import { expectAbort, maxDifference, noise } from '../laws.js';
import { engines, oddScanner } from './engines.js';

const tofScanner = { ...oddScanner, tof: { bins: 6, binWidth: 200, resolution: 300 } };

/** One event of given bins: any ring pair and any detector pair that the bin holds, in either order. */
function eventsIn(layout: SinogramLayout, bins: readonly number[], seed = 1): CoincidenceEvents {
  const { integer } = random(seed);
  const [tofBins, planes, views, tangential] = sinogramShape(layout);
  const n = layout.scanner.detectorsPerRing;
  const mash = n / 2 / views;
  const rows = bins.map((bin) => {
    const plane = Math.floor(bin / (views * tangential)) % planes;
    let segment = 0;
    let axial = plane;
    while (axial >= layout.segments[segment]!.axialPositions) axial -= layout.segments[segment++]!.axialPositions;
    const pairs = ringPairs(layout, segment, axial);
    const [ring1, ring2] = pairs[integer(pairs.length)]!;
    const view = (Math.floor(bin / tangential) % views) * mash + integer(mash);
    const { detector1, detector2 } = detectorsOf(n, view, (bin % tangential) + firstTangential(layout));
    const k = Math.floor(bin / (planes * views * tangential));
    const fine = k * layout.tofMash + integer(layout.tofMash);
    return integer(2) === 0
      ? { ring1, detector1, ring2, detector2, tof: fine }
      : { ring1: ring2, detector1: detector2, ring2: ring1, detector2: detector1, tof: tofBins * layout.tofMash - 1 - fine };
  });
  const field = (key: 'ring1' | 'detector1' | 'ring2' | 'detector2' | 'tof') => Uint16Array.from(rows, (row) => row[key]);
  const [ring1, detector1, ring2, detector2] = [field('ring1'), field('detector1'), field('ring2'), field('detector2')];
  return { ring1, detector1, ring2, detector2, ...(tofBins > 1 ? { tof: field('tof') } : {}) };
}

describe('binsOfEvents', () => {
  it.each([
    ['span 1', sinogramLayout(oddScanner, { maxRingDifference: 5 })],
    ['span 3, mashed, trimmed', sinogramLayout(oddScanner, { span: 3, viewMash: 2, tangential: 21 })],
    ['time of flight', sinogramLayout(tofScanner, { span: 3, tofMash: 2 })],
    ['time of flight, odd', sinogramLayout({ ...tofScanner, tof: { ...tofScanner.tof, bins: 5 } }, { tofMash: 1 })],
  ])('finds the bin of a detector pair, in whichever order it comes: %s', (_, layout) => {
    const { integer } = random(2);
    const total = sinogramShape(layout).reduce((a, b) => a * b, 1);
    const bins = Array.from({ length: 3000 }, () => integer(total));
    expect([...binsOfEvents(layout, eventsIn(layout, bins))]).toEqual(bins);
  });

  it('leaves out what the layout does not hold, and refuses layouts without places for events', () => {
    const layout = sinogramLayout(oddScanner, { maxRingDifference: 2, tangential: 5 });
    const one = (...v: number[]) => ({
      ...{
        ring1: Uint16Array.of(v[0]!),
        detector1: Uint16Array.of(v[1]!),
        ring2: Uint16Array.of(v[2]!),
        detector2: Uint16Array.of(v[3]!),
      },
    });
    expect(binsOfEvents(layout, one(0, 0, 3, 22))[0]).toBe(-1);
    expect(binsOfEvents(layout, one(0, 0, 2, 30))[0]).toBe(-1);
    expect(binsOfEvents(layout, one(9, 0, 9, 22))[0]).toBe(-1);
    expect(binsOfEvents(layout, one(0, 0, 2, 22))[0]).toBeGreaterThanOrEqual(0);
    expect(() => binsOfEvents(sinogramLayout(oddScanner, { arcCorrected: true }), one(0, 0, 0, 22))).toThrow(GeometryError);
    expect(() => binsOfEvents(sinogramLayout(tofScanner, { tofMash: 1 }), one(0, 0, 0, 22))).toThrow(/time of flight/);
  });
});

/** The list of events in these bins. */
function listOf(layout: SinogramLayout, bins: readonly number[]): EventList {
  const [tofBins, planes, views, tangential] = sinogramShape(layout);
  const perPlane = views * tangential;
  const events = bins.map((bin) => {
    const row = Math.floor(bin / perPlane);
    return { place: bin % perPlane, row: (row % planes) * tofBins + Math.floor(row / planes) };
  });
  events.sort((a, b) => a.place - b.place || a.row - b.row);
  const offsets = new Uint32Array(perPlane + 1);
  for (const { place } of events) offsets[place + 1]!++;
  for (let i = 0; i < perPlane; i++) offsets[i + 1]! += offsets[i]!;
  return { layout, offsets, rows: Uint32Array.from(events, ({ row }) => row) };
}

/** Events drawn from the bins with these means, and their histogram. */
function drawn(layout: SinogramLayout, mean: NdArray, seed = 3): { bins: number[]; histogram: NdArray } {
  const { poisson } = random(seed);
  const histogram = fill(sinogramShape(layout), (i) => poisson(mean.data[i]!));
  const bins: number[] = [];
  histogram.data.forEach((n, bin) => {
    for (let k = 0; k < n; k++) bins.push(bin);
  });
  const { integer } = random(seed + 1);
  for (let i = bins.length - 1; i > 0; i--) {
    const j = integer(i + 1);
    [bins[i], bins[j]] = [bins[j]!, bins[i]!];
  }
  return { bins, histogram };
}

describe('listMode', () => {
  it('sorts by view, tangential position, plane and bin of time of flight', async () => {
    const layout = sinogramLayout(tofScanner, { span: 3, tofMash: 2 });
    const [, planes, views, tangential] = sinogramShape(layout);
    const { bins } = drawn(
      layout,
      fill(sinogramShape(layout), () => 0.03),
    );
    const half = Math.floor(bins.length / 2);
    const list = await listMode(layout, [eventsIn(layout, bins.slice(0, half)), eventsIn(layout, bins.slice(half))]);
    const key = (bin: number): number[] => [
      Math.floor(bin / tangential) % views,
      bin % tangential,
      Math.floor(bin / (tangential * views)) % planes,
      Math.floor(bin / (tangential * views * planes)),
    ];
    const expected = bins.toSorted((a, b) => key(a).reduce((order, at, i) => order || at - key(b)[i]!, 0));
    expect([...listedBins(list)]).toEqual(expected);
    expect(list.occupancy).toBeCloseTo(new Set(bins).size / sinogramShape(layout).reduce((a, b) => a * b, 1), 12);
    expect([list.outside, list.note]).toEqual([0, undefined]);
  });

  it('stops when it is told to', async () => {
    const layout = sinogramLayout(oddScanner, { span: 3 });
    const piece = eventsIn(layout, [1, 2, 3]);
    const endless = function* (): Generator<CoincidenceEvents> {
      for (;;) yield piece;
    };
    await expectAbort((signal) => listMode(layout, endless(), { signal }));
  });

  it('says when a sinogram would be faster, and how many events do not fit', async () => {
    const layout = sinogramLayout(oddScanner, { span: 3 });
    const { bins } = drawn(
      layout,
      fill(sinogramShape(layout), () => 0.3),
    );
    const { note, occupancy } = await listMode(layout, [eventsIn(layout, bins)]);
    expect(occupancy).toBeCloseTo(1 - Math.exp(-0.3), 2);
    expect(note).toMatch(/^2[567] % of the bins.*histogram/);
    const narrow = sinogramLayout(oddScanner, { span: 3, tangential: 11 });
    const list = await listMode(narrow, [eventsIn(layout, bins)]);
    expect(list.rows.length + list.outside).toBe(bins.length);
    expect(list.outside / bins.length).toBeCloseTo(20 / 31, 1);
  });
});

describe.each(engines)('list mode on the %s engine', (_, open) => {
  let engine: ProjectorEngine;
  beforeAll(async () => {
    engine = await open();
  });
  afterAll(() => engine.dispose());
  const layout = sinogramLayout(oddScanner, { span: 3 });
  const grid = centredGrid([17, 15, 14], [3, 8, 9]);
  const allViews = Array.from({ length: layout.views }, (_, view) => view);
  const body = fill(grid.shape, (i) => (((i % 14) - 6) ** 2 + ((Math.floor(i / 14) % 15) - 7) ** 2 < 30 ? 1 : 0.05));

  it('sees what the sinogram sees, both ways', async () => {
    const sinogram = engine.sinogramProjector(layout, allViews, grid);
    const { bins, histogram } = drawn(
      layout,
      fill(sinogramShape(layout), () => 0.04),
    );
    const list = await listMode(layout, [eventsIn(layout, bins)]);
    const events = listModeProjector(engine, list, grid);
    const listed = listedBins(list);
    const image = noise(grid.shape, 5);
    const projected = (await sinogram.forward(image)).data;
    expect(
      maxDifference(
        await events.forward(image),
        fill([bins.length], (i) => projected[listed[i]!]!),
      ),
    ).toBeLessThan(5e-6);
    const back = await events.adjoint(fill([bins.length], () => 1));
    expect(maxDifference(back, await sinogram.adjoint(histogram))).toBeLessThan(5e-6);
    expect(await adjointError(events, { trials: 2 })).toBeLessThan(1e-6);
  });

  it('reconstructs what the histogram reconstructs, with factors, background, resolution and subsets', async () => {
    const views = sinogramShape(layout)[2];
    const multiplicative = { layout, values: fill(sinogramShape(layout), (i) => 0.5 + ((i * 7) % 11) / 11) };
    multiplicative.values.data[1234] = 0;
    const additive = { layout, values: fill(sinogramShape(layout), (i) => 2 + (i % 5)) };
    const mean = (await engine.sinogramProjector(layout, allViews, grid).forward(body)).data;
    const { bins, histogram } = drawn(
      layout,
      fill(sinogramShape(layout), (i) => 0.01 * multiplicative.values.data[i]! * (mean[i]! + additive.values.data[i]!)),
    );
    const options = { subsets: 4, psf: 9 };
    const list = await listMode(layout, [eventsIn(layout, bins)]);
    const scan = { prompts: { layout, values: histogram }, multiplicative, additive, position: 'HFS' } as const;
    const run = async (subsets: readonly PoissonSubset[]): Promise<NdArray> => (await last(osem(subsets, { epochs: 2 }))).image;
    const expected = await run(await systemModel(scan, engine, grid, options));
    const found = await run(await listModeModel(list, { multiplicative, additive }, engine, grid, options));
    expect(maxDifference(found, expected)).toBeLessThan(5e-4);
    expect(views).toBeGreaterThan(4);
  });

  it('reconstructs what the histogram does, with time of flight', async () => {
    const timed = sinogramLayout(tofScanner, { span: 3, maxRingDifference: 1, viewMash: 2, tangential: 15, tofMash: 2 });
    const views = Array.from({ length: timed.views }, (_, view) => view);
    const mean = (await engine.sinogramProjector(timed, views, grid).forward(body)).data;
    const { bins, histogram } = drawn(
      timed,
      fill(sinogramShape(timed), (i) => 0.01 * mean[i]! + 0.01),
    );
    const additive = { layout: timed, values: fill(histogram.shape, () => 0.01) };
    const list = await listMode(timed, [eventsIn(timed, bins)]);
    const scan = { prompts: { layout: timed, values: histogram }, additive, position: 'HFS' } as const;
    const run = async (subsets: readonly PoissonSubset[]): Promise<NdArray> => (await last(osem(subsets, { epochs: 1 }))).image;
    const expected = await run(await systemModel(scan, engine, grid, { subsets: 2 }));
    const found = await run(await listModeModel(list, { additive }, engine, grid, { subsets: 2 }));
    expect(maxDifference(found, expected)).toBeLessThan(5e-4);
  });

  it('makes the data step of HQS, κ, and HQS, what they are with the histogram', async () => {
    const multiplicative = { layout, values: fill(sinogramShape(layout), (i) => 0.5 + ((i * 7) % 11) / 11) };
    const additive = { layout, values: fill(sinogramShape(layout), (i) => 2 + (i % 5)) };
    const mean = (await engine.sinogramProjector(layout, allViews, grid).forward(body)).data;
    const { bins, histogram } = drawn(
      layout,
      fill(sinogramShape(layout), (i) => 0.01 * multiplicative.values.data[i]! * (mean[i]! + additive.values.data[i]!)),
    );
    const list = await listMode(layout, [eventsIn(layout, bins)]);
    const scan = { prompts: { layout, values: histogram }, multiplicative, additive, position: 'HFS' } as const;
    const expected = await systemModel(scan, engine, grid, { subsets: 3 });
    const found = await listModeModel(list, { multiplicative, additive }, engine, grid, { subsets: 3 });
    const v = fill(grid.shape, (i) => 0.01 * (body.data[i]! - 0.3));
    for (const exact of [false, true]) {
      const [a, b] = [found, expected].map((subsets) => poissonProx(subsets)(v, 2e5, { exact }));
      expect(maxDifference(await a!, await b!)).toBeLessThan(5e-4);
    }
    // What penalised methods weigh their penalties with.
    const [k, l] = await Promise.all([found, expected].map((subsets) => kappa(subsets, body)));
    expect(maxDifference(k!, l!)).toBeLessThan(5e-4);
    // With an exact denoiser: x ~ N(mean, 0.003²) in every voxel.
    const denoiser = gaussianDenoiser(v, 0.003 ** 2);
    const noiseOf = (level: number): NdArray => noise(grid.shape, level + 9);
    const [a, b] = [found, expected].map((subsets) =>
      last(hqs(denoiser, poissonProx(subsets), [0.01, 0.004, 0.001, 0], v, { noise: noiseOf })),
    );
    expect(maxDifference((await a!).image, (await b!).image)).toBeLessThan(5e-4);
  });

  it('expects as many events as the sinogram expects counts, background and bins without events included', async () => {
    const multiplicative = { layout, values: fill(sinogramShape(layout), (i) => (i % 5 === 0 ? 0 : 0.5 + ((i * 7) % 11) / 11)) };
    const additive = { layout, values: fill(sinogramShape(layout), (i) => i % 3) };
    const { bins, histogram } = drawn(
      layout,
      fill(sinogramShape(layout), () => 0.02),
    );
    const list = await listMode(layout, [eventsIn(layout, bins)]);
    const scan = { prompts: { layout, values: histogram }, multiplicative, additive, position: 'HFS' } as const;
    const options = { subsets: 3, psf: 7 };
    const subsets = await listModeModel(list, { multiplicative, additive }, engine, grid, options);
    const { expected } = await deviance(await systemModel(scan, engine, grid, options), body);
    expect(expectedEvents(subsets, body) / expected).toBeCloseTo(1, 5);
    // Events in bins that cannot count are left out.
    const used = subsets.reduce((sum, { prompts }) => sum + prompts.data.length, 0);
    expect(used).toBe(bins.filter((bin) => bin % 5 !== 0).length);
    expect(used).toBeLessThan(bins.length);
  });

  it('has no model of no events', async () => {
    const none = await listMode(layout, []);
    await expect(listModeModel(none, {}, engine, grid)).rejects.toThrow(OptionError);
  });
});

it('list mode does not depend on the number of threads, bit for bit', async () => {
  for (const layout of [sinogramLayout(oddScanner, { span: 3 }), sinogramLayout(tofScanner, { span: 3, tofMash: 1 })]) {
    const total = sinogramShape(layout).reduce((a, b) => a * b, 1);
    const { integer } = random(5);
    const list = listOf(
      layout,
      Array.from({ length: 3000 }, () => integer(total)),
    );
    const bytes: string[] = [];
    for (const threads of [1, 2, 3]) {
      const engine = await openCpuEngine({ threads });
      const events = listModeProjector(engine, list, centredGrid([17, 23, 21], [3, 6, 7]));
      const [forward, back] = [await events.forward(noise(events.inShape)), await events.adjoint(noise(events.outShape))];
      bytes.push(
        [forward, back].map(({ data }) => Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('hex')).join(),
      );
      await engine.dispose();
    }
    expect(new Set(bytes).size).toBe(1);
  }
});

describe('list mode with time of flight', () => {
  const layout = sinogramLayout(tofScanner, { span: 3, tofMash: 1 });
  const grid = centredGrid([17, 31, 31], [3, 6, 6]);
  it('adds up to the events without, where the bins reach', async () => {
    const engine = await engines[1]![1]();
    const wide = sinogramLayout({ ...tofScanner, tof: { ...tofScanner.tof, bins: 16 } }, { span: 3, tofMash: 1 });
    const image = noise(grid.shape);
    const total = sinogramShape(wide).reduce((a, b) => a * b, 1) / 16;
    const { integer } = random(6);
    const lines = Array.from({ length: 200 }, () => integer(total));
    const sum = new Float64Array(200);
    for (let k = 0; k < 16; k++) {
      const list = listOf(
        wide,
        Array.from(lines, (line) => line + k * total),
      );
      (await listModeProjector(engine, list, grid).forward(image)).data.forEach((value, i) => {
        sum[i]! += value;
      });
    }
    const plain = sinogramLayout(oddScanner, { span: 3 });
    const whole = await listModeProjector(engine, listOf(plain, lines), grid).forward(image);
    expect(
      maxDifference(
        fill([200], (i) => sum[i]!),
        whole,
      ),
    ).toBeLessThan(1e-5);
    await engine.dispose();
  });

  it('puts high bins near detector 1', async () => {
    const engine = await engines[1]![1]();
    // View 0, position 0: detector 1 lies at −y (turned by the tilt).
    const point = fill(grid.shape, (i) => (i === (8 * 31 + 6) * 31 + 15 ? 1 : 0));
    const [, planes, views, tangential] = sinogramShape(layout);
    const line = 8 * views * tangential + 15;
    const bins = Array.from({ length: 6 }, (_, k) => k * planes * views * tangential + line);
    const { data } = await listModeProjector(engine, listOf({ ...layout, tilt: 0 }, bins), grid).forward(point);
    // 54 mm towards detector 1 is 1.8 bins of 30 mm: between bins 4 (0 + 1.5) and 3 (0 + 0.5) of 0 … 5.
    expect(data.indexOf(Math.max(...data))).toBe(4);
    expect(data[5]!).toBeGreaterThan(data[2]!);
    await engine.dispose();
  });
});

describe('the list mode of the STIR test pack', () => {
  it('reconstructs what its histogram does', async (ctx) => {
    const words = Uint8Array.from(sharedFile(ctx, 'small_listmode_file.l'));
    const frame = [0.1, 0.6] as const;
    const layout = sinogramLayout(scannerByName('mMR'), { maxRingDifference: 1 });
    const { prompts } = await histogramMmr(words, layout, { frame });
    const list = await listMode(layout, mmrEvents(words, { frame }));
    expect(list.rows.length).toBe(6541);
    expect(list.outside).toBe(178563 - 6541);
    const counted = array(prompts.values.shape);
    for (const bin of listedBins(list)) counted.data[bin]!++;
    expect(maxDifference(counted, prompts.values)).toBe(0);
    // As in STIR's own test: one sub-iteration of one subset, a small constant background, 100 × 100 voxels across.
    const grid = centredGrid([127, 100, 100], [2.03125, 4, 4]);
    const additive = { layout, values: fill(prompts.values.shape, () => 2 / 50) };
    const engine = await engines[1]![1]();
    const scan = { prompts, additive, position: 'HFS' } as const;
    const run = async (subsets: readonly PoissonSubset[]): Promise<NdArray> => (await last(osem(subsets, { epochs: 1 }))).image;
    const expected = await run(await systemModel(scan, engine, grid));
    const found = await run(await listModeModel(list, { additive }, engine, grid));
    await engine.dispose();
    const difference = maxDifference(found, expected);
    console.log(`list mode against histogram: ${difference.toExponential(1)} of the maximum`);
    expect(difference).toBeLessThan(5e-4);
    expect(Math.max(...expected.data.slice(600000, 640000))).toBeGreaterThan(0);
  });
});
