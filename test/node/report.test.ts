/** The report: what it shows is what the images hold, and it needs nothing beside itself. */
import { inflateSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { fill } from '../../src/core/array.js';
import { centredGrid, type PetImage, petImage } from '../../src/core/image.js';
import { nearestVoxel, worldPoint } from '../../src/geometry/shown.js';
import { imageError } from '../../src/metrics/psnr.js';
import { diverging, hot } from '../../src/node/palettes.js';
import { picture, png } from '../../src/node/png.js';
import { lineChart, plain, ticks } from '../../src/node/report-charts.js';
import { type ReportContent, reportPage } from '../../src/node/report-page.js';
import { agreementTable, provenanceTable, regionTable } from '../../src/node/report-tables.js';

const grid = centredGrid([9, 8, 7], [3, 2, 2.5]);
const image = (value: (i: number) => number): PetImage => petImage(grid, fill(grid.shape, value), 'SUV');
const truth = image((i) => i % 5);
const result = image((i) => (i % 5) + (i % 3 === 0 ? 0.5 : 0));
const content: ReportContent = {
  ...{ title: 'A <b> & "c"', introduction: ['one < two'], at: [0, 0, 0], window: 4, tables: [], about: { coincide: '1.2.3' } },
  results: [
    {
      name: 'r<1>',
      note: '',
      image: result,
      sidecar: { parameters: { method: 'osem', eta: undefined }, warnings: ['odd <voxels>'] },
    },
  ],
};
const paint = (palette: Uint8Array, level: number): number[] => [...palette.subarray(3 * level, 3 * level + 3)];

describe('the page', () => {
  it('needs nothing from elsewhere, runs nothing, and shows names as they are', () => {
    const page = reportPage({
      ...content,
      reference: { name: 'truth', note: '', image: truth },
      spreads: [{ name: 's', note: '', image: truth }],
    });
    expect(page).not.toMatch(/https?:|<script|@import|url\(/);
    for (const [, target] of page.matchAll(/(?:src|href)="([^"]*)"/g)) expect(target).toMatch(/^(data:|#)/);
    expect(page).not.toMatch(/<b>|r<1>|<voxels>/);
    expect(page).toContain('A &lt;b&gt; &amp; &quot;c&quot;');
    expect(page).not.toMatch(/<th[^>]*><\/th>/); // nothing for a reader to say
    expect(page).not.toContain('undefined');
    expect(page).toContain('odd &lt;voxels&gt;');
    expect(page.match(/<img /g)!.length).toBe(page.match(/<img [^>]*alt="[^"]+"/g)!.length);
    for (const [, id] of page.matchAll(/href="#([^"]+)"/g)) expect(page).toContain(`<h2 id="${id}">`);
  });

  it('shows differences of images of one grid only, and sections only where there is something', () => {
    const other = petImage(centredGrid([9, 8, 7], [3, 2, 2.4]), result.values, 'SUV');
    const withReference = (of: PetImage): string => reportPage({ ...content, reference: { name: 'truth', note: '', image: of } });
    expect(withReference(truth)).toContain('id="difference"');
    expect(withReference(other)).not.toContain('id="difference"');
    expect(reportPage(content)).not.toMatch(/id="(difference|spread|convergence|measured)"/);
  });

  it('finds the voxel of a world point on oblique grids, and the point of a voxel', () => {
    const [c, s] = [Math.cos(0.4), Math.sin(0.4)];
    const oblique = { ...truth, affine: Float64Array.of(2 * c, -3 * s, 0, 10, 2 * s, 3 * c, 0, -20, 0, 0, 4, 30, 0, 0, 0, 1) };
    expect(worldPoint(oblique, [2, 1, 3])).toEqual([6 * c - 3 * s + 10, 6 * s + 3 * c - 20, 38]);
    for (const voxel of [
      [0, 0, 0],
      [8, 7, 6],
      [2, 5, 1],
    ] as const)
      expect(nearestVoxel(oblique, worldPoint(oblique, voxel))).toEqual(voxel);
    expect(nearestVoxel(oblique, [1e4, 1e4, 1e4])).toEqual([8, 7, 6]);
  });

  it('draws every number of a trace, phase by phase, and what counting noise would give', () => {
    const trace = [
      { phase: 'OSEM', step: 1, seconds: 1, deviancePerBin: 3 },
      { phase: 'OSEM', step: 2, seconds: 2, deviancePerBin: 2 },
      { phase: 'HQS', step: 1, seconds: 3, sample: 1, level: 1, deviancePerBin: 1.5, sigma: 0.25 },
      { phase: 'HQS', step: 2, seconds: 3, sample: 2, level: 1, sigma: 0.5 },
    ];
    const page = reportPage({
      ...content,
      results: [{ ...content.results[0]!, name: 'r', sidecar: { trace, expectedDeviancePerBin: 1.25 } }],
    });
    const charts = page.slice(page.indexOf('id="convergence"')).match(/aria-label="[^"]*"/g)!;
    expect(charts[0]).toContain(
      'r: OSEM: 3 to 2, largest 3; r: HQS 1: 1.5 to 1.5, largest 1.5; r: expected from counting noise: 1.25 to 1.25',
    );
    expect(charts[1]).toContain('r: HQS 1: 0.25 to 0.25, largest 0.25; r: HQS 2: 0.5 to 0.5');
    expect(page).not.toContain('seconds, ');
  });
});

describe('tables', () => {
  const images = [{ name: 'r', note: '', image: result }];
  const reference = { name: 'truth', note: '', image: truth };
  it('agree with the metrics', () => {
    const { psnr, nrmse } = imageError(result.values, truth.values);
    expect(agreementTable(images, reference).rows[0]).toMatchObject(['r', psnr.toFixed(2), expect.any(String), nrmse.toFixed(4)]);
    const half = image((i) => (i < 200 ? 1 : 2));
    const [, cells] = regionTable(images, reference, half, { '1': 'one', '2': 'two' }).rows;
    const inside = (x: PetImage): number => x.values.data.slice(200).reduce((sum, v) => sum + v, 0) / (9 * 8 * 7 - 200);
    const bias = 100 * (inside(result) / inside(truth) - 1);
    expect(cells!.slice(0, 4)).toEqual([
      'two',
      '304',
      plain(inside(truth)),
      `${plain(inside(result))} (${bias.toFixed(1)}\u00a0%)`,
    ]);
  });

  it('show nested provenance by its path, and a dash where a result has none', () => {
    const table = provenanceTable({ by: 'x' }, [
      { ...images[0]!, sidecar: { a: { b: [1, 2], c: { d: 'e' } }, trace: [{}], warnings: ['w'] } },
      { ...images[0]!, name: 's', sidecar: { z: 0.123456 } },
    ]);
    expect(table.rows).toEqual([['by', 'x', 'x'], ['a.b', '1, 2', '–'], ['a.c.d', 'e', '–'], ['z', '–', '0.1235']]); // biome-ignore format: rows
  });
});

describe('charts and colours', () => {
  it('ticks are round and inside', () => {
    expect(ticks(0, 10, 5)).toEqual([0, 2, 4, 6, 8, 10]);
    expect(ticks(-3, 7, 5).map(plain)).toEqual(['-2', '0', '2', '4', '6']);
    expect(ticks(1, 3, 5, 1)).toEqual([1, 2, 3]);
    expect(ticks(5, 5, 5)).toEqual([5]);
  });

  it('a line goes where its numbers are, mirrored or not', () => {
    const points = (mirrored: boolean): number[][] =>
      lineChart({ title: 't', xLabel: '', yLabel: '', mirrored, series: [{ name: 'a', x: [0, 1, 4], y: [0, 5, 10] }] })
        .match(/points="([^"]*)"/)![1]!
        .split(' ')
        .map((pair) => pair.split(',').map(Number));
    const [a, b, c] = points(false) as [number[], number[], number[]];
    expect((b[0]! - a[0]!) / (c[0]! - a[0]!)).toBeCloseTo(0.25, 2);
    expect((b[1]! - a[1]!) / (c[1]! - a[1]!)).toBeCloseTo(0.5, 2);
    expect(c[1]).toBeLessThan(a[1]!);
    expect(points(true)[0]![0]).toBe(c[0]);
  });

  it('palettes run from the lowest value, 255, to the highest, 0', () => {
    expect([paint(hot, 255), paint(hot, 0)]).toEqual([[0, 0, 0], [255, 255, 255]]); // biome-ignore format: pairs
    expect([paint(diverging, 255), paint(diverging, 0)]).toEqual([[0, 0, 255], [255, 0, 0]]); // biome-ignore format: pairs
    expect(Math.min(...paint(diverging, 127))).toBeGreaterThan(250);
  });

  it('a picture may begin below 0, and a palette becomes part of the file', () => {
    const signed = image((i) => (i % 2 === 0 ? -2 : 2));
    const shown = picture(signed.values, 'transaxial', 2, 0, -2);
    expect(new Set(shown.pixels)).toEqual(new Set([0, 255]));
    const bytes = Buffer.from(png(shown, hot));
    expect(bytes[25]).toBe(3); // colour type: palette
    const at = bytes.indexOf('PLTE');
    expect(bytes.readUInt32BE(at - 4)).toBe(768);
    expect([...bytes.subarray(at + 4, at + 772)]).toEqual([...hot]);
    const data = bytes.indexOf('IDAT');
    const rows = inflateSync(bytes.subarray(data + 4, data + 4 + bytes.readUInt32BE(data - 4)));
    expect([...rows.subarray(1, 8)]).toEqual([...shown.pixels.subarray(0, 7)]);
  });
});
