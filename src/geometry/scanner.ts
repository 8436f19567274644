/** @file  A PET scanner of rings, round or of flat blocks, described by the numbers that decide where its lines of response are. Lengths mm, times ps. */
import { GeometryError } from '../core/errors.js';

/** Time of flight as the scanner records it, before mashing. */
export interface ScannerTof {
  readonly bins: number;
  /** Width of one bin, ps of time difference; 1 ps is c/2 = 0.1499 mm along the line. */
  readonly binWidth: number;
  /** Coincidence timing resolution, ps FWHM. */
  readonly resolution: number;
}

/** Flat blocks round the ring, one face each: crystal 0 is the first of a block, and a block's middle is where the circle has the middle of
 *  its crystals, `innerRadius + depthOfInteraction` from the axis. */
export interface FlatBlocks {
  /** Crystals side by side on a block. */
  readonly crystals: number;
  /** Distance between them, mm. */
  readonly spacing: number;
}

/** Rings in blocks with gaps between: ring distances are `ringSpacing` in a block, and so much more from block to block. */
export interface AxialBlocks {
  /** Rings of a block. */
  readonly rings: number;
  /** mm. */
  readonly gap: number;
}

export interface Scanner {
  readonly name: string;
  /** Other names that `originating system` uses for it. */
  readonly aliases: readonly string[];
  readonly rings: number;
  readonly detectorsPerRing: number;
  /** Inner radius of the crystal ring, mm. */
  readonly innerRadius: number;
  /** Average depth of interaction, mm; lines end at innerRadius + depthOfInteraction. */
  readonly depthOfInteraction: number;
  /** Distance between rings, mm. */
  readonly ringSpacing: number;
  /** Largest number of tangential positions without arc correction. */
  readonly maxTangential: number;
  /** Number of tangential positions of arc-corrected data. */
  readonly defaultArcCorrected: number;
  /** Tangential size of an arc-corrected bin, mm; also the default transaxial voxel size. */
  readonly binSize: number;
  /** Angle of detector 0, rad (the field's "view offset"). */
  readonly tilt: number;
  /** Crystals with index ≡ residue (mod period) around the ring are gaps: they are counted and never detect. */
  readonly gap?: { readonly period: number; readonly residue: number } | undefined;
  /** @default crystals on a circle */
  readonly flatBlocks?: FlatBlocks | undefined;
  /** @default rings equally spaced */
  readonly axialBlocks?: AxialBlocks | undefined;
  readonly tof?: ScannerTof | undefined;
}

/** Radius at which lines of response end, mm. */
export function effectiveRadius({ innerRadius, depthOfInteraction }: Scanner): number {
  return innerRadius + depthOfInteraction;
}

/** Place of a ring along the axis, mm from the middle of the scanner; between rings, and beyond the last, in a straight line. */
export function ringPosition({ rings, ringSpacing, axialBlocks }: Scanner, ring: number): number {
  if (!axialBlocks) return (ring - (rings - 1) / 2) * ringSpacing;
  const perBlock = axialBlocks.rings;
  const place = (r: number): number => r * ringSpacing + Math.floor(r / perBlock) * axialBlocks.gap;
  const low = Math.min(Math.max(Math.floor(ring), 0), Math.max(0, rings - 2));
  const step = ring < 0 || ring > rings - 1 || rings === 1 ? ringSpacing : place(low + 1) - place(low);
  const from = ring > rings - 1 ? rings - 1 : low;
  return place(from) + (ring - from) * step - place(rings - 1) / 2;
}

/** Transaxial place of a crystal, mm: crystal d of N at the angle 2π d/N + tilt from −y towards x, or on the flat face of its block. */
export function crystalPosition(scanner: Scanner, crystal: number, tilt: number): readonly [x: number, y: number] {
  const { detectorsPerRing, flatBlocks } = scanner;
  const n = flatBlocks?.crystals ?? 1;
  const inBlock = crystal % n;
  const angle = (2 * Math.PI * (crystal - inBlock + (n - 1) / 2)) / detectorsPerRing + tilt;
  const side = (inBlock - (n - 1) / 2) * (flatBlocks?.spacing ?? 0);
  const [c, s, radius] = [Math.cos(angle), Math.sin(angle), effectiveRadius(scanner)];
  return [radius * s + side * c, side * s - radius * c];
}

const counts = ['rings', 'detectorsPerRing', 'maxTangential', 'defaultArcCorrected'] as const;
const lengths = ['innerRadius', 'ringSpacing', 'binSize'] as const;

/**
 * A scanner from plain data, e.g. the user's own JSON. `aliases`, `tilt`, `depthOfInteraction` may be left out (none, 0, 0).
 * @throws GeometryError naming the field, the value found and what it should be.
 */
export function parseScanner(data: unknown, file?: string): Scanner {
  if (typeof data !== 'object' || data === null) throw new GeometryError('Scanner', { file, expected: 'an object', found: data });
  const given: Partial<Record<keyof Scanner, unknown>> = data;
  const fail = (key: string, expected: string, found: unknown, hint?: string): never => {
    throw new GeometryError('Scanner description', { file, key, expected, found, hint });
  };
  const { name, aliases = [], depthOfInteraction = 0, tilt = 0, gap, flatBlocks, axialBlocks, tof } = given;
  if (typeof name !== 'string' || name === '') fail('name', 'a name', name);
  for (const key of counts) {
    if (!Number.isInteger(given[key]) || (given[key] as number) < 1) fail(key, 'a positive integer', given[key]);
  }
  for (const key of lengths) {
    if (typeof given[key] !== 'number' || !(given[key] > 0)) fail(key, 'a positive length in mm', given[key]);
  }
  const scanner = { ...given, aliases, depthOfInteraction, tilt, gap, flatBlocks, axialBlocks, tof } as Scanner;
  if (!(scanner.depthOfInteraction >= 0)) fail('depthOfInteraction', 'a length in mm ≥ 0', depthOfInteraction);
  if (!(Math.abs(scanner.tilt) <= 2 * Math.PI)) fail('tilt', 'an angle in rad', tilt, 'Is it in degrees?');
  if (scanner.detectorsPerRing % 2 !== 0) fail('detectorsPerRing', 'an even number', scanner.detectorsPerRing);
  if (scanner.maxTangential > scanner.detectorsPerRing) {
    fail('maxTangential', `at most detectorsPerRing = ${scanner.detectorsPerRing}`, scanner.maxTangential);
  }
  if (scanner.innerRadius < 10) fail('innerRadius', 'a length in mm', scanner.innerRadius, 'Is it in cm?');
  if (scanner.tof && !(scanner.tof.bins >= 1 && scanner.tof.binWidth > 0 && scanner.tof.resolution > 0)) {
    fail('tof', 'bins ≥ 1, binWidth and resolution in ps', JSON.stringify(scanner.tof), 'Are times in seconds?');
  }
  checkBlocks(scanner, fail);
  return scanner;
}

function checkBlocks(scanner: Scanner, fail: (key: string, expected: string, found: unknown, hint?: string) => never): void {
  const { detectorsPerRing, rings, flatBlocks, axialBlocks } = scanner;
  const divides = (n: number, all: number): boolean => Number.isInteger(n) && n > 0 && all % n === 0;
  if (flatBlocks) {
    const { crystals, spacing } = flatBlocks;
    if (!divides(crystals, detectorsPerRing)) {
      fail('flatBlocks.crystals', `a divisor of detectorsPerRing = ${detectorsPerRing}`, crystals);
    }
    const sides = detectorsPerRing / crystals;
    if (sides < 3) fail('flatBlocks.crystals', 'three blocks or more', `${sides} blocks`);
    const most = (2 * effectiveRadius(scanner) * Math.tan(Math.PI / sides)) / crystals;
    if (!(spacing > 0 && spacing <= most * 1.001)) {
      fail('flatBlocks.spacing', `above 0 and at most ${most.toFixed(3)} mm, where blocks touch`, spacing, 'Is it in cm?');
    }
  }
  if (axialBlocks) {
    if (!divides(axialBlocks.rings, rings)) fail('axialBlocks.rings', `a divisor of rings = ${rings}`, axialBlocks.rings);
    if (!(axialBlocks.gap >= 0)) fail('axialBlocks.gap', 'a length in mm ≥ 0', axialBlocks.gap);
  }
}
