/** List mode from a file, event by event, against its histogram: the same numbers on the way, and the same image. */
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, type TestContext } from 'vitest';
import { array, type NdArray } from '../../src/core/array.js';
import { FormatError, GeometryError, OptionError } from '../../src/core/errors.js';
import { centredGrid } from '../../src/core/image.js';
import { random } from '../../src/core/random.js';
import { filledBins } from '../../src/geometry/bin-values.js';
import { detectorsOf } from '../../src/geometry/bins.js';
import { listedBins } from '../../src/geometry/event-list.js';
import type { Scan } from '../../src/geometry/scan.js';
import { scannerByName } from '../../src/geometry/scanners.js';
import { type SinogramLayout, sinogramLayout, sinogramShape } from '../../src/geometry/sinogram.js';
import { histogramMmr } from '../../src/io/mmr-histogram.js';
import { estimateRandoms } from '../../src/io/randoms.js';
import { openEngine } from '../../src/node/devices.js';
import { listModeLayout, readListMode, readMmrWords } from '../../src/node/list-mode-file.js';
import { reconstruct } from '../../src/node/reconstruct.js';
import { detectionFactors, randomsTerm, writeScan } from '../../src/node/scan-folder.js';
import type { ProjectorEngine } from '../../src/projector/engine.js';
import { sharedFile } from '../io/shared-data.js';
import { maxDifference } from '../laws.js';

const dir = mkdtempSync(join(tmpdir(), 'list-mode-'));
const mmr = scannerByName('mMR');
const options = { span: 3, maxRingDifference: 1, viewMash: 36 };
const layout = sinogramLayout(mmr, options);
const grid = centredGrid([31, 15, 13], [8, 23, 25]);
let engine: ProjectorEngine;

/** A file of events near the middle, some randoms, a time tag every few; none on a gap crystal. Its data begin after `offset` bytes. */
function file(name: string, offset = 0): string {
  const { integer, uniform, normal } = random(7);
  const words: number[] = [];
  for (let i = 0; words.length < 30000; i++) {
    if (i % 50 === 0) words.push((0x80000000 | (i / 50)) >>> 0);
    const view = integer(252);
    const t = Math.round((uniform() < 0.7 ? 25 : 90) * normal());
    if (Math.abs(t) >= 172) continue;
    const { detector1, detector2 } = detectorsOf(504, view, t);
    if (detector1 % 9 === 0 || detector2 % 9 === 0) continue;
    const sinogram = integer(64 + 2 * 63);
    words.push((((sinogram * 252 + view) * 344 + t + 172) | (uniform() < 0.85 ? 0x40000000 : 0)) >>> 0);
  }
  const data = new Uint8Array(offset + 4 * words.length);
  new Uint8Array(data.buffer, offset).set(new Uint8Array(Uint32Array.from(words).buffer));
  writeFileSync(join(dir, `${name}.l`), data);
  const header = [
    '!INTERFILE :=',
    '%data format := CoincidenceList',
    'LM event and tag words format (bits) := 32',
    'number of rings := 64',
    'number of projections := 344',
    'number of views := 252',
    'axial compression := 1',
    'maximum ring difference := 60',
    `data offset in bytes [1] := ${offset}`,
    `name of data file := ${name}.l`,
    'patient orientation := FFP',
  ];
  writeFileSync(join(dir, `${name}.l.hdr`), `${header.join('\r\n')}\r\n`);
  return join(dir, `${name}.l.hdr`);
}

/** The way through the histogram, as the command line goes it. */
async function histogrammed(header: string, at: SinogramLayout, frame?: readonly [number, number]): Promise<Scan> {
  const { words } = await readMmrWords(header);
  const { prompts, delayeds } = await histogramMmr(words, at, { frame });
  const multiplicative = await filledBins(detectionFactors(at));
  return { prompts, multiplicative, additive: randomsTerm(await estimateRandoms(delayeds), multiplicative), position: 'FFP' };
}

beforeAll(async () => {
  engine = await openEngine({ device: 'cpu', threads: 2 });
});
afterAll(() => engine.dispose());

describe('list mode from a file', () => {
  it('holds the counts, factors and randoms of the histogram', async () => {
    const header = file('plain');
    const frame = [0.05, 0.4] as const;
    const { scan, duration, additive } = await readListMode(header, { layout: options, frame });
    const expected = await histogrammed(header, layout, frame);
    const counted = array(sinogramShape(layout));
    for (const bin of listedBins(scan.events)) counted.data[bin]!++;
    expect(maxDifference(counted, expected.prompts.values)).toBe(0);
    expect(scan.events.rows.length).toBeGreaterThan(5000);
    const filled = async (key: 'multiplicative' | 'additive'): Promise<NdArray> => {
      const term = scan[key]!;
      return 'at' in term ? (await filledBins(term)).values : term.values;
    };
    expect(maxDifference(await filled('multiplicative'), expected.multiplicative!.values)).toBe(0);
    expect(maxDifference(await filled('additive'), expected.additive!.values)).toBeLessThan(1e-6);
    expect(Math.max(...expected.additive!.values.data.slice(0, 1e5))).toBeGreaterThan(0);
    expect([scan.position, duration, additive]).toEqual(['FFP', 0.35, 'delayeds']);
  });

  it('becomes the image that the histogram becomes, with factors of its own or of a scan folder', async () => {
    const header = file('image', 12);
    expect((await readMmrWords(header)).words).toEqual((await readMmrWords(file('unshifted'))).words);
    const settings = { subsets: 3, iterations: 2, psf: 12 };
    const scan = await histogrammed(header, layout);
    const expected = await reconstruct(scan, grid, engine, settings);
    const plain = await reconstruct((await readListMode(header, { layout: options })).scan, grid, engine, settings);
    expect(maxDifference(plain.image.values, expected.image.values)).toBeLessThan(5e-4);
    expect([...plain.image.affine]).toEqual([...expected.image.affine]);
    expect(plain.listMode).toMatchObject({ events: expected.prompts, leftOut: 0 });
    expect(plain.explained / expected.explained).toBeCloseTo(1, 4);
    expect(plain.parameters).toMatchObject({ data: 'list mode', subsets: 3 });

    // Factors that only the folder can know.
    const { uniform } = random(3);
    scan.multiplicative!.values.data.forEach((m, i, all) => {
      all[i] = m * (0.5 + uniform());
    });
    const folder = join(dir, 'scan');
    await writeScan(folder, { scan, meta: { unit: 'counts' } });
    const read = await readListMode(header, { factors: folder });
    expect(read.additive).toBe('the scan folder');
    // Headers alone tell the layout.
    expect(await listModeLayout({ factors: folder })).toEqual(read.scan.events.layout);
    expect(await listModeLayout({ layout: options })).toEqual(scan.prompts.layout);
    const found = await reconstruct(read.scan, grid, engine, settings);
    const other = await reconstruct(scan, grid, engine, settings);
    expect(maxDifference(found.image.values, other.image.values)).toBeLessThan(5e-4);
    expect(maxDifference(other.image.values, expected.image.values)).toBeGreaterThan(0.01);
  });

  it('refuses what it cannot read, and says why', async (ctx) => {
    const header = file('refused');
    await expect(readListMode(header, { frame: [90, 99] })).rejects.toThrow(FormatError);
    await expect(readListMode(header, { frame: [3, 2] })).rejects.toThrow(OptionError);
    await expect(readListMode(header, { factors: dir })).rejects.toThrow(/no factors/);
    const scan = { ...(await histogrammed(header, layout)), position: 'HFS' } as const;
    const folder = join(dir, 'arc');
    const arc = { ...layout, arcCorrected: true };
    await writeScan(folder, { scan: { prompts: { ...scan.prompts, layout: arc }, position: 'HFS' }, meta: { unit: 'counts' } });
    await expect(readListMode(header, { factors: folder })).rejects.toThrow(GeometryError);
    await expect(readListMode(header, { factors: folder, layout: { span: 3 } })).rejects.toThrow(/found "span 3"/);
    sharedFile(ctx as TestContext, 'coincidencesLM.clm.safir');
    const safir = resolve(import.meta.dirname, '../../../shared/data/stir/coincidencesLM.clm.safir');
    await expect(readListMode(safir)).rejects.toThrow(/SAFIR list mode is not supported/);
  });
});
