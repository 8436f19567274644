import { describe, expect, it } from 'vitest';
import { total } from '../../src/core/array.js';
import { FormatError, GeometryError, OptionError } from '../../src/core/errors.js';
import { crystalPairCounts, detectorsOf } from '../../src/geometry/bins.js';
import { scannerByName } from '../../src/geometry/scanners.js';
import { sinogramLayout } from '../../src/geometry/sinogram.js';
import { histogramMmr } from '../../src/io/mmr-histogram.js';
import { mmrBin, readMmrListModeHeader } from '../../src/io/mmr-listmode.js';
import { sharedFile } from './shared-data.js';

const mmr = scannerByName('Siemens mMR');
const seg2 = sinogramLayout(mmr, { maxRingDifference: 2 });
const small = sinogramLayout(mmr, { maxRingDifference: 0, viewMash: 252 });
const event = (address: number, prompt = true): number => (address | (prompt ? 0x40000000 : 0)) >>> 0;
const tag = (ms: number): number => (0x80000000 | ms) >>> 0;
const addressOf = (sinogram: number, view: number, index: number): number => (sinogram * 252 + view) * 344 + index;

// Golden numbers: decoded independently of this code from small_listmode_file.l of the STIR test pack (shared/reference, section 6.4).
describe('the list mode of the STIR test pack', () => {
  const name = 'small_listmode_file.l';

  it('has the header of an mMR', (ctx) => {
    const header = readMmrListModeHeader(sharedFile(ctx, 'PET_ACQ_small.l.hdr.STIR'), 'PET_ACQ_small.l.hdr.STIR');
    expect(header).toMatchObject({ dataFile: name, offset: 0, words: 331257106 });
    expect(header.exam).toMatchObject({ position: 'HFS', energyWindow: [430, 610], duration: 900 });
  });

  it.for([
    [undefined, 218881, 35320, [2639, 2625, 2740, 2654, 2585], [533, 557, 572, 564, 546], 0.612],
    [[0.1, 0.6], 178563, 28856, [2188, 2114, 2243, 2184, 2137], [430, 473, 455, 457, 448], 0.5],
    [[0, 0.1], 35876, 5730, [393, 461, 444, 422, 394], [93, 74, 102, 96, 87], 0.1],
  ] as const)(
    'counts of the frame %j',
    async ([frame, prompts, delayeds, promptsBySegment, delayedsBySegment, duration], ctx) => {
      const words = sharedFile(ctx, name);
      const result = await histogramMmr(words, seg2, { frame });
      expect(result.counts).toEqual({ prompts, delayeds });
      expect([-2, -1, 0, 1, 2].map((segment) => result.perSegment.get(segment)!.prompts)).toEqual(promptsBySegment);
      expect([-2, -1, 0, 1, 2].map((segment) => result.perSegment.get(segment)!.delayeds)).toEqual(delayedsBySegment);
      const sum = (counts: readonly number[]): number => counts.reduce((a, b) => a + b);
      expect(result.inLayout).toEqual({ prompts: sum(promptsBySegment), delayeds: sum(delayedsBySegment) });
      expect([total(result.prompts.values), total(result.delayeds.values)]).toEqual([
        result.inLayout.prompts,
        result.inLayout.delayeds,
      ]);
      expect(result.duration).toBeCloseTo(duration, 9);
    },
  );

  it('sorts the STIR frame into as many distinct bins as it should', async (ctx) => {
    const words = sharedFile(ctx, name);
    for (const [maxRingDifference, count, distinct, most] of [
      [2, 10866, 10853, 2],
      [1, 6541, 6533, 2],
    ] as const) {
      const { prompts } = await histogramMmr(words, sinogramLayout(mmr, { maxRingDifference }), { frame: [0.1, 0.6] });
      expect(total(prompts.values)).toBe(count);
      expect(prompts.values.data.filter((n) => n > 0).length).toBe(distinct);
      expect(prompts.values.data.reduce((a, b) => Math.max(a, b))).toBe(most);
    }
  });

  it('decodes addresses: sums, first events, and no event on a gap crystal', (ctx) => {
    const words = new Uint32Array(Uint8Array.from(sharedFile(ctx, name)).buffer);
    const residues = new Array<number>(9).fill(0);
    const sums = [0, 0];
    const first: number[][] = [];
    for (const word of words) {
      if (word >= 0x80000000) continue;
      const address = word & 0x3fffffff;
      sums[word >>> 30]! += address;
      const { segment, axial, ring1, ring2, view, t } = mmrBin(address);
      expect(ring2 - ring1).toBe(segment);
      if (first.length < 3) first.push([segment, axial, view, t]);
      const { detector1, detector2 } = detectorsOf(504, view, t);
      residues[detector1 % 9]!++;
      residues[detector2 % 9]!++;
    }
    expect(sums).toEqual([6124821712461, 41918701929556]);
    expect(first).toEqual([
      [-14, 15, 54, -42],
      [16, 41, 67, -14],
      [27, 28, 123, -38],
    ]);
    expect(residues).toEqual([0, 56153, 65321, 64938, 67449, 67768, 64665, 65235, 56873]);
  });

  it('puts nothing into bins that the gap leaves without crystal pairs, whatever the span', async (ctx) => {
    const words = sharedFile(ctx, name);
    const layout = sinogramLayout(mmr, { span: 11, maxRingDifference: 16, tangential: 301 });
    const { prompts, inLayout } = await histogramMmr(words, layout);
    const pairs = crystalPairCounts(layout);
    let dead = 0;
    prompts.values.data.forEach((n, i) => {
      if (pairs[i % pairs.length] === 0) dead += n;
    });
    expect(dead).toBe(0);
    expect(pairs.filter((n) => n === 0).length).toBeGreaterThan(10000);
    expect(inLayout.prompts).toBeGreaterThan(50000);
  });
});

describe('histogramMmr', () => {
  it('keeps ring pairs when sinograms are merged, and mashes neighbouring views', async () => {
    // Sinogram 64 is the first of segment −1: rings 1 → 0; sinogram 127 the first of +1: rings 0 → 1; both merge with ring sum 1.
    const layout = sinogramLayout(mmr, { span: 3, maxRingDifference: 1, viewMash: 2, tangential: 5 });
    const words = Uint32Array.of(
      event(addressOf(64, 7, 171)),
      event(addressOf(127, 6, 171)),
      event(addressOf(1, 251, 174), false),
    );
    const { prompts, delayeds } = await histogramMmr(words, layout);
    expect(prompts.values.get(0, 1, 3, 1)).toBe(2);
    expect(delayeds.values.get(0, 2, 125, 4)).toBe(1);
  });

  it('tells a segment from its mirror', async () => {
    const { prompts } = await histogramMmr(Uint32Array.of(event(addressOf(64 + 5, 0, 172))), seg2);
    expect(prompts.values.get(0, 64 + 63 + 5, 0, 172)).toBe(1); // layout order 0, +1, −1
  });

  it('includes the start of a frame and not its end; events before the first tag are at 0', async () => {
    const words = Uint32Array.of(event(0), tag(0), event(1), tag(100), event(2), tag(200), event(3), tag(300));
    const prompts = async (frame: readonly [number, number]): Promise<number> =>
      (await histogramMmr(words, small, { frame })).counts.prompts;
    expect(await prompts([0.1, 0.2])).toBe(1);
    expect(await prompts([0, 0.1])).toBe(2);
    expect(await prompts([0.05, 9])).toBe(2);
    expect((await histogramMmr(words, small, { frame: [0.05, 9] })).duration).toBeCloseTo(0.25, 9);
  });

  it('counts and leaves out what the layout does not hold', async () => {
    const words = Uint32Array.of(event(addressOf(4083, 0, 172)), event(addressOf(0, 0, 0), false));
    const result = await histogramMmr(words, sinogramLayout(mmr, { maxRingDifference: 0, tangential: 9 }));
    expect([result.counts, result.inLayout]).toEqual([
      { prompts: 1, delayeds: 1 },
      { prompts: 0, delayeds: 0 },
    ]);
    expect(result.perSegment.get(60)).toEqual({ prompts: 1, delayeds: 0 });
  });

  it('reads bytes that do not lie on a word boundary', async () => {
    const bytes = new Uint8Array(9);
    new DataView(bytes.buffer).setUint32(1, event(172), true);
    expect((await histogramMmr(bytes.subarray(1), small)).prompts.values.data[172]).toBe(1);
  });

  it.each([
    [
      'cut word',
      () => histogramMmr(new Uint8Array(7), small, { file: 'a.l' }),
      FormatError,
      /^a\.l: The last word is cut.*found 7/,
    ],
    ['address', () => histogramMmr(Uint32Array.of(tag(1), event(354033792)), small), FormatError, /word 1 .*below 354033792/],
    ['scanner', () => histogramMmr(new Uint32Array(0), sinogramLayout(scannerByName('RPT'))), GeometryError, /64 rings/],
    [
      'arc-corrected',
      () => histogramMmr(new Uint32Array(0), sinogramLayout(mmr, { arcCorrected: true, maxRingDifference: 0 })),
      GeometryError,
      /arcCorrected/,
    ],
    ['frame', () => histogramMmr(new Uint32Array(0), small, { frame: [2, 1] }), OptionError, /frame/],
    ['frame NaN', () => histogramMmr(new Uint32Array(0), small, { frame: [0, Number.NaN] }), OptionError, /frame/],
  ])('refuses: %s', async (_, run, type, message) => {
    await expect(run()).rejects.toThrow(type);
    await expect(run()).rejects.toThrow(message);
  });

  it('stops with the reason it is given, and tells its progress', async () => {
    const words = new Uint32Array(3 * 2 ** 20).fill(event(5));
    const stop = new AbortController();
    const seen: number[] = [];
    const onProgress = (fraction: number): void => {
      seen.push(fraction);
      stop.abort(new Error('enough'));
    };
    await expect(histogramMmr(words, small, { signal: stop.signal, onProgress })).rejects.toThrow('enough');
    expect(seen).toEqual([1 / 3]);
  });
});

describe('readMmrListModeHeader', () => {
  const header = [
    '!INTERFILE:=',
    'name of data file:=a.l',
    'data format:=CoincidenceList',
    '%LM event and tag words format (bits):=32',
    'number of rings:=64',
    '%number of projections:=344',
    '%number of views:=252',
    '%axial compression:=1',
    '%maximum ring difference:=60',
  ].join('\r\n');
  it('accepts it', () => expect(readMmrListModeHeader(header, 'h').dataFile).toBe('a.l'));
  it.each([
    ['(bits):=32', '(bits):=64', /LM event and tag words format/],
    ['projections:=344', 'projections:=400', /number of projections/],
    ['views:=252', 'views:=168', /number of views/],
    ['CoincidenceList', 'Sinogram', /data format/],
    ['name of data file', 'nome', /name of data file/],
  ])('refuses %s → %s', (from, to, message) => {
    expect(() => readMmrListModeHeader(header.replace(from, to), 'h')).toThrow(message);
  });
});
