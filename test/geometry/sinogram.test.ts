import { describe, expect, it } from 'vitest';
import { array, fill } from '../../src/core/array.js';
import { GeometryError, OptionError } from '../../src/core/errors.js';
import { checkedScan } from '../../src/geometry/scan.js';
import { parseScanner } from '../../src/geometry/scanner.js';
import { findScanner, scannerByName, scanners } from '../../src/geometry/scanners.js';
import {
  gatherViews,
  planeCount,
  sameLayout,
  segmentNumbers,
  sinogramLayout,
  sinogramShape,
} from '../../src/geometry/sinogram.js';
import { orderedSubsets } from '../../src/geometry/subsets.js';

describe('sinogramLayout', () => {
  const sizes = (name: string, options: Parameters<typeof sinogramLayout>[1]): number[] =>
    sinogramLayout(scannerByName(name), options).segments.map(({ axialPositions }) => axialPositions);

  it('has the published sizes', () => {
    expect(sizes('GE Discovery 690', { span: 2, maxRingDifference: 3 })).toEqual([47, 43, 43]);
    expect(sizes('mMR', { span: 11, maxRingDifference: 60 })).toEqual([127, 115, 115, 93, 93, 71, 71, 49, 49, 27, 27]);
    expect(planeCount(sinogramLayout(scannerByName('mMR'), { span: 11, maxRingDifference: 60 }))).toBe(837);
    expect(planeCount(sinogramLayout(scannerByName('mMR')))).toBe(4096);
    expect(sinogramShape(sinogramLayout(scannerByName('mMR'), { span: 1, maxRingDifference: 0 }))).toEqual([1, 64, 252, 344]);
    expect(sinogramShape(sinogramLayout(scannerByName('mCT'), { tofMash: 1, maxRingDifference: 0 }))).toEqual([13, 55, 336, 400]);
  });

  it('numbers segments as STIR does', () => {
    expect(segmentNumbers(sinogramLayout(scannerByName('small'), { span: 3, maxRingDifference: 7 }))).toEqual([0, 1, -1, 2, -2]);
  });

  it.each([
    { span: 0 },
    { span: 1.5 },
    { maxRingDifference: 16 },
    { viewMash: 5 },
    { tangential: 0 },
    { tangential: 192 },
    { tofMash: 1 },
  ])('refuses %j', (options) => {
    expect(() => sinogramLayout(scannerByName('small'), options)).toThrow(GeometryError);
  });

  it('is compared by what decides the bins', () => {
    const small = scannerByName('small');
    const layout = sinogramLayout(small, { span: 3 });
    expect(sameLayout(layout, sinogramLayout({ ...small, name: 'other' }, { span: 3 }))).toBe(true);
    expect(sameLayout(layout, sinogramLayout({ ...small, ringSpacing: 8.1 }, { span: 3 }))).toBe(false);
    expect(sameLayout(layout, sinogramLayout(small, { span: 1 }))).toBe(false);
  });
});

describe('gatherViews', () => {
  it('picks views of every plane in the order asked for', () => {
    const layout = sinogramLayout(scannerByName('small'), { maxRingDifference: 0 });
    const values = fill(sinogramShape(layout), (i) => i % 99991);
    const some = gatherViews({ layout, values }, [7, 3]);
    expect([...some.shape]).toEqual([1, 16, 2, layout.tangential]);
    expect(some.get(0, 5, 1, 11)).toBe(values.get(0, 5, 3, 11));
    expect(some.get(0, 15, 0, 70)).toBe(values.get(0, 15, 7, 70));
  });
});

describe('orderedSubsets', () => {
  it.each([
    [96, 8],
    [252, 21],
    [22, 5],
    [7, 7],
    [5, 1],
  ])('divides %d views into %d subsets of equally spaced views', (views, n) => {
    const subsets = orderedSubsets(views, n);
    expect(subsets.length).toBe(n);
    expect(subsets.flat().sort((a, b) => a - b)).toEqual(Array.from({ length: views }, (_, v) => v));
    for (const subset of subsets) subset.slice(1).forEach((view, i) => void expect(view - subset[i]!).toBe(n));
  });

  it('visits them in the order of Herman and Meyer', () => {
    expect(orderedSubsets(8, 8).flat()).toEqual([0, 4, 2, 6, 1, 5, 3, 7]);
    expect(orderedSubsets(12, 6).map(([first]) => first)).toEqual([0, 3, 1, 4, 2, 5]);
  });

  it.each([0, 9, 2.5])('refuses %d subsets of 8 views', (n) => {
    expect(() => orderedSubsets(8, n)).toThrow(OptionError);
  });
});

describe('scanners', () => {
  it('are found by name and alias, whatever the case and the spaces', () => {
    for (const name of ['mMR', 'siemens_mmr', 'Siemens mMR', '2008']) expect(findScanner(name)?.detectorsPerRing).toBe(504);
    expect(findScanner('ecat 962')?.name).toBe('ECAT HR+');
    expect(findScanner('nothing like it')).toBeUndefined();
    expect(() => scannerByName('nothing like it')).toThrow(/Known: small/);
  });

  it('have no two of one name, and all pass the check of a description', () => {
    const names = scanners.flatMap(({ name, aliases }) =>
      [name, ...aliases].map((n) => n.toLowerCase().replace(/[\s_/-]+/g, '')),
    );
    const repeated = scanners.filter(({ name }) => findScanner(name)!.name !== name);
    expect(repeated).toEqual([]);
    expect(names.length).toBeGreaterThan(40);
    for (const scanner of scanners) expect(parseScanner(scanner).name).toBe(scanner.name);
  });

  it('say what is wrong with a description', () => {
    const good = { ...scannerByName('small') };
    expect(() => parseScanner({ ...good, rings: 0 })).toThrow(/rings/);
    expect(() => parseScanner({ ...good, innerRadius: 4.12 })).toThrow(/cm/);
    expect(() => parseScanner({ ...good, tilt: 15 })).toThrow(/degrees/);
    expect(() => parseScanner({ ...good, detectorsPerRing: 191 })).toThrow(/even/);
    expect(() => parseScanner('small')).toThrow(GeometryError);
  });
});

describe('checkedScan', () => {
  const layout = sinogramLayout(scannerByName('small'), { maxRingDifference: 0 });
  const prompts = { layout, values: fill(sinogramShape(layout), () => 1) };

  it('passes a scan that can be, and refuses other layouts, impossible values and no counts', () => {
    const scan = { prompts, position: 'HFS' } as const;
    expect(checkedScan(scan)).toBe(scan);
    const other = sinogramLayout(scannerByName('small'), { maxRingDifference: 0, arcCorrected: true });
    const additive = { layout: other, values: array(sinogramShape(other)) };
    expect(() => checkedScan({ ...scan, additive })).toThrow(/additive: /);
    const negative = { layout, values: fill(sinogramShape(layout), (i) => (i === 5 ? -1 : 1)) };
    expect(() => checkedScan({ ...scan, prompts: negative }, { prompts: 'prompts.hs' })).toThrow(/prompts\.hs: Bin 5/);
    expect(() => checkedScan({ ...scan, prompts: { layout, values: array(sinogramShape(layout)) } })).toThrow(/no counts/);
  });
});
