import { describe, expect, it } from 'vitest';
import { fill, size, total } from '../../src/core/array.js';
import { CoincideError, FormatError, GeometryError } from '../../src/core/errors.js';
import type { Scanner } from '../../src/geometry/scanner.js';
import { scannerByName, scanners } from '../../src/geometry/scanners.js';
import {
  type Sinogram,
  type SinogramLayout,
  sameLayout,
  segmentNumbers,
  sinogramLayout,
  sinogramShape,
} from '../../src/geometry/sinogram.js';
import { readInterfileLayout, readInterfileProjData, writeInterfileProjData } from '../../src/io/interfile-projdata.js';
import { sharedFile } from './shared-data.js';

const mini: Scanner = {
  ...scannerByName('small'),
  name: 'mini',
  rings: 5,
  detectorsPerRing: 24,
  innerRadius: 60.3,
  depthOfInteraction: 1.7,
  maxTangential: 11,
  defaultArcCorrected: 13,
  binSize: 7.77,
  tilt: (-4.399 * Math.PI) / 180,
};
const miniTof: Scanner = { ...mini, tof: { bins: 15, binWidth: 89.5, resolution: 550 } };

const layouts: Record<string, SinogramLayout> = {
  'span 1': sinogramLayout(mini),
  'span 3, mashed, trimmed': sinogramLayout(mini, { span: 3, viewMash: 2, tangential: 7 }),
  'even span': sinogramLayout(mini, { span: 2, maxRingDifference: 3 }),
  'arc-corrected': sinogramLayout(mini, { arcCorrected: true }),
  'time of flight': sinogramLayout(miniTof, { tofMash: 3 }),
  'time of flight mashed to one bin': sinogramLayout(miniTof, { tofMash: 15 }),
  'no time of flight on a scanner that has it': sinogramLayout(miniTof),
};
const shuffled = (layout: SinogramLayout): SinogramLayout => ({
  ...layout,
  segments: layout.segments.map((_, i, all) => all[(i * 2 + 1) % all.length]!),
});
const filled = (layout: SinogramLayout): Sinogram => ({ layout, values: fill(sinogramShape(layout), (i) => i + 0.25) });

/** The same data as a viewgram-order file, written here by the definition of that order. */
function asViewgrams({ layout, values }: Sinogram, header: string): { header: string; data: Uint8Array } {
  const out: number[] = [];
  let plane0 = 0;
  for (let tof = 0; tof < layout.tofBins; tof++) {
    plane0 = 0;
    for (const { axialPositions } of layout.segments) {
      for (let view = 0; view < layout.views; view++) {
        for (let axial = 0; axial < axialPositions; axial++) {
          for (let t = 0; t < layout.tangential; t++) out.push(values.get(tof, plane0 + axial, view, t));
        }
      }
      plane0 += axialPositions;
    }
  }
  const swapped = header.replace(/\[([23])\]/g, (_, n) => (n === '2' ? '[3]' : '[2]'));
  return { header: swapped, data: new Uint8Array(Float32Array.from(out).buffer) };
}

describe('projection data', () => {
  const cases = Object.entries(layouts).flatMap(([name, layout]) => [
    [name, layout] as const,
    [`${name}, segments shuffled`, shuffled(layout)] as const,
  ]);
  it.each(cases)('%s: both axis orders come back exactly', (_, layout) => {
    const sinogram = filled(layout);
    const exam = { position: 'FFS', energyWindow: [435, 650], start: 0, duration: 12.5 } as const;
    const written = writeInterfileProjData(sinogram, { dataFile: 'p.s', exam });
    for (const { header, data } of [written, asViewgrams(sinogram, written.header)]) {
      const back = readInterfileProjData(header, data, 'p.hs');
      expect(back.order).toBe(header === written.header ? 'sinogram' : 'viewgram');
      expect(sameLayout(back.layout, layout)).toBe(true);
      expect(back.layout.scanner).toMatchObject({ ...layout.scanner, aliases: [] });
      expect(back.exam).toEqual(exam);
      expect(back.warnings).toEqual([]);
      expect(back.sinogram.values.shape).toEqual([...sinogramShape(layout)]);
      expect(Buffer.compare(Buffer.from(back.sinogram.values.data.buffer), Buffer.from(sinogram.values.data.buffer))).toBe(0);
    }
  });

  it('reads big-endian 16-bit integers with an offset and a scale too', () => {
    const { header } = writeInterfileProjData(filled(layouts['span 1']!), { dataFile: 'p.s' });
    const changed = header
      .replace('LITTLEENDIAN', 'BIGENDIAN')
      .replace(':= float', ':= signed integer')
      .replace('per pixel := 4', 'per pixel := 2\ndata offset in bytes [1] := 6\nimage scaling factor [1] := 2');
    const n = size(sinogramShape(layouts['span 1']!));
    const data = new Uint8Array(6 + 2 * n);
    new DataView(data.buffer).setInt16(6 + 2 * 5, -300, false);
    expect(readInterfileProjData(changed, data, 'p.hs').sinogram.values.data[5]).toBe(-600);
  });

  it.each(scanners.map((scanner) => [scanner.name, scanner] as const))('%s is found again by its name', (_, scanner) => {
    const layout = sinogramLayout(scanner, { maxRingDifference: 1 });
    const { header } = writeInterfileProjData({ layout, values: fill([0], () => 0) }, { dataFile: 'p.s' });
    const back = readInterfileLayout(header, 'p.hs').layout;
    expect(sameLayout(back, layout)).toBe(true);
    expect(back.scanner).toEqual(scanner);
  });

  const header = writeInterfileProjData(filled(layouts['span 1']!), { dataFile: 'p.s' }).header;
  const without = (key: string): string => header.replace(new RegExp(`^${key}.*\n`, 'm'), '');

  it('takes data as arc-corrected, and says so, when the header does not say', () => {
    const { layout, warnings } = readInterfileLayout(without('applied corrections'), 'p.hs');
    expect(layout.arcCorrected).toBe(true);
    expect(warnings.join()).toMatch(/p\.hs.*arc-corrected/);
  });

  it.each([
    ['{arc correction}', true],
    ['{radioactive decay correction, arc corrected}', true],
    ['{None}', false],
    ['None', false],
    ['{normalised}', false],
  ])('applied corrections %s: arc-corrected %j', (corrections, expected) => {
    const text = header.replace(/applied corrections := .*/, `applied corrections := ${corrections}`);
    expect(readInterfileLayout(text, 'p.hs').layout.arcCorrected).toBe(expected);
  });

  it.each([
    ['no scanner known and no rings', without('Number of rings'), /Number of rings/i],
    ['no diameter', without('Inner ring diameter'), /inner ring diameter \(cm\)/],
    ['diameter 0', header.replace(/diameter \(cm\) := .*/, 'diameter (cm) := 0'), /inner ring diameter/],
    ['segment sizes', header.replace(/(!matrix size \[3\] := \{)\d+/, '$13'), /matrix size \[3\].*expected 5/],
    ['too few sizes', header.replace(/(!matrix size \[3\] := \{)\d+,/, '$1'), /matrix size \[3\].*9 items/],
    ['views', header.replace('!matrix size [2] := 12', '!matrix size [2] := 10'), /matrix size \[2\].*divisor of 12/],
    ['ring difference beyond the rings', header.replace(/(maximum ring.*)4/, '$19'), /ring difference/],
    ['minimum above maximum', header.replace(/(maximum ring difference.*:= \{)0/, '$1-1'), /maximum ring difference/],
    ['tangential', header.replace('!matrix size [1] := 11', '!matrix size [1] := 24'), /matrix size \[1\]/],
    ['axis label', header.replace(':= tangential coordinate', ':= bins'), /matrix axis label \[1\]/],
    ['both axes are views', header.replace(':= axial coordinate', ':= view'), /matrix axis label \[3\]/],
    ['3 dimensions', header.replace('dimensions := 4', 'dimensions := 3'), /number of dimensions/],
    ['modality', header.replace('modality := PT', 'modality := NM'), /imaging modality/],
    ['TOF without bins', header.replace('of dimensions := 4', 'of dimensions := 5'), /matrix axis label \[5\]/],
    ['no end', header.slice(0, 600), /a\.hs/],
    ['empty', '', /Empty/],
  ])('refuses: %s', (_, text, message) => {
    const read = () => readInterfileLayout(text, 'a.hs');
    expect(read).toThrow(CoincideError);
    expect(read).toThrow(/^a\.hs: /);
    expect(read).toThrow(message);
  });

  it('refuses overlapping segments and a missing segment 0', () => {
    const one = sinogramLayout(mini, { maxRingDifference: 1 });
    const text = writeInterfileProjData(filled(one), { dataFile: 'p.s' }).header;
    expect(() => readInterfileLayout(text.replaceAll('{0,1,-1}', '{0,1,1}').replace('{5,4,4}', '{5,4,4}'), 'a.hs')).toThrow(
      /in two segments/,
    );
    expect(() => readInterfileLayout(text.replaceAll('{0,1,-1}', '{1,2,-1}').replace('{5,4,4}', '{4,3,4}'), 'a.hs')).toThrow(
      /Segment 0/,
    );
  });

  it('refuses a mashing factor that does not fit, and data cut short', () => {
    const { header: text, data } = writeInterfileProjData(filled(layouts['time of flight']!), { dataFile: 'p.s' });
    expect(() => readInterfileLayout(text.replace('mashing factor := 3', 'mashing factor := 2'), 'a.hs')).toThrow(
      /TOF mashing factor/,
    );
    expect(() => readInterfileProjData(text, data.subarray(1), 'a.hs')).toThrow(FormatError);
    expect(() => readInterfileProjData(text, new Uint8Array(0), 'a.hs')).toThrow(/cut short/);
  });
});

describe('headers of the STIR test pack', () => {
  it('Siemens_mMR_seg2.hs', (ctx) => {
    const { layout, order, exam } = readInterfileLayout(sharedFile(ctx, 'Siemens_mMR_seg2.hs'), 'Siemens_mMR_seg2.hs');
    expect(order).toBe('viewgram');
    expect(exam.position).toBe('HFS');
    expect(layout.segments.map((s) => s.axialPositions)).toEqual([62, 63, 64, 63, 62]);
    expect(segmentNumbers(layout)).toEqual([-2, -1, 0, 1, 2]);
    expect(layout.scanner).toEqual(scannerByName('Siemens mMR'));
    const ours = sinogramLayout(scannerByName('mMR'), { maxRingDifference: 2 });
    expect(sameLayout(layout, { ...ours, segments: [4, 2, 0, 1, 3].map((i) => ours.segments[i]!) })).toBe(true);
  });

  it('Utahscat600k_ca_seg4.hs', (ctx) => {
    const { layout, order, exam } = readInterfileLayout(sharedFile(ctx, 'Utahscat600k_ca_seg4.hs'), 'Utah.hs');
    expect(order).toBe('sinogram');
    expect(layout).toMatchObject({ views: 96, tangential: 128, arcCorrected: true, binSize: 3.1088, tofBins: 1 });
    expect(layout.tilt).toBeCloseTo(-Math.PI / 384, 12); // takes back the half-view of mashing
    expect(layout.scanner).toMatchObject({ name: 'RPT', rings: 16, innerRadius: 373, depthOfInteraction: 7, ringSpacing: 6.75 });
    expect(4 * size(sinogramShape(layout))).toBe(6094848);
    expect(exam).toMatchObject({ start: 100, duration: 60 });
  });

  it('safir_20.hs, a cylinder known by its numbers alone', (ctx) => {
    const { layout } = readInterfileLayout(sharedFile(ctx, 'safir_20.hs'), 'safir_20.hs');
    expect(layout.segments.length).toBe(181);
    expect(layout.scanner).toMatchObject({ name: 'SAFIR_20', rings: 91, innerRadius: 63, binSize: 1.1 });
  });

  it('muppet.hs has a geometry that is not supported', (ctx) => {
    const header = sharedFile(ctx, 'muppet.hs');
    expect(() => readInterfileLayout(header, 'muppet.hs')).toThrow(GeometryError);
    expect(() => readInterfileLayout(header, 'muppet.hs')).toThrow(/muppet\.hs: .*not supported.*Scanner geometry.*Generic/);
  });

  it('scatter_cylinder: viewgrams of a scanner of no name', (ctx) => {
    const data = sharedFile(ctx, 'scatter_cylinder.s');
    const { sinogram, exam } = readInterfileProjData(sharedFile(ctx, 'scatter_cylinder.hs'), data, 'scatter_cylinder.hs');
    const { layout, values } = sinogram;
    expect(layout.scanner.binSize).toBeCloseTo(22.1541, 4); // "default bin size := -1"; the header's effective central one
    expect(exam.energyWindow).toEqual([350, 650]);
    expect(values.shape).toEqual([1, 8, 32, 35]);
    expect(total(values)).toBeCloseTo(6996.6195, 3);
    expect(values.data.filter((x) => x !== 0).length).toBe(8734);
    const max = values.data.reduce((a, b) => Math.max(a, b), 0);
    expect(max).toBeCloseTo(1.98944938, 6);
    expect(values.get(0, 3, 1, 18)).toBe(max); // view 1, axial 3, tangential 18
  });
});
