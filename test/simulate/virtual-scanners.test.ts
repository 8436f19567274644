import { describe, expect, it } from 'vitest';
import { OptionError } from '../../src/core/errors.js';
import { centredGrid } from '../../src/core/image.js';
import { fieldOfViewRadius } from '../../src/geometry/lines.js';
import { tofCentres, tofLengths } from '../../src/geometry/tof.js';
import { virtualLayout, virtualScanner, virtualScannerNames } from '../../src/simulate/virtual-scanners.js';

describe.each(virtualScannerNames)('virtual scanner %s', (name) => {
  const scanner = virtualScanner(name);
  const grid = centredGrid([35, 61, 113], [3.3, 4.1, 4.1]);
  const layout = virtualLayout(scanner, grid);

  it('sees the whole width and length of the image', () => {
    expect(fieldOfViewRadius(layout)).toBeGreaterThanOrEqual((113 * 4.1) / 2 - 4.1);
    expect(layout.segments[0]!.axialPositions).toBe(35);
    expect(layout.scanner.ringSpacing).toBeCloseTo(6.6, 12);
  });

  it('samples about as finely as the voxels are', () => {
    const spacing = (Math.PI * scanner.radius) / layout.scanner.detectorsPerRing;
    expect(spacing / 4.1).toBeGreaterThan(0.6);
    expect(spacing / 4.1).toBeLessThan(1.4);
    expect(layout.views % 8).toBe(0);
  });

  it('has TOF bins over the whole image if it has any', () => {
    if (scanner.timing === undefined) return expect(layout.tofBins).toBe(1);
    const { width } = tofLengths(layout);
    expect(Math.max(...tofCentres(layout)) + width / 2).toBeGreaterThanOrEqual((113 * 4.1) / 2);
  });
});

it('are of four classes at least, and differ as such', () => {
  const [legacy, clinical, digital, totalbody] = ['legacy', 'clinical', 'digital', 'totalbody'].map(virtualScanner);
  expect(legacy!.timing).toBe(undefined);
  expect(digital!.timing!).toBeLessThan(clinical!.timing!);
  expect(legacy!.psf).toBeGreaterThan(digital!.psf);
  expect(totalbody!.sensitivity).toBeGreaterThan(2 * digital!.sensitivity);
});

it('refuses what it cannot scan', () => {
  expect(() => virtualScanner('teapot')).toThrow(OptionError);
  expect(() => virtualLayout(virtualScanner('petmr'), centredGrid([35, 61, 200], [4, 4, 4]))).toThrow(/bore/);
  expect(() => virtualLayout(virtualScanner('legacy'), centredGrid([36, 61, 61], [4, 4, 4]))).toThrow(/odd/);
});
