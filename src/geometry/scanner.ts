/** @file  A cylindrical PET scanner, described by the numbers that decide where its lines of response are. Lengths mm, times ps. */
import { GeometryError } from '../core/errors.js';

/** Time of flight as the scanner records it, before mashing. */
export interface ScannerTof {
  readonly bins: number;
  /** Width of one bin, ps of time difference; 1 ps is c/2 = 0.1499 mm along the line. */
  readonly binWidth: number;
  /** Coincidence timing resolution, ps FWHM. */
  readonly resolution: number;
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
  readonly tof?: ScannerTof | undefined;
}

/** Radius at which lines of response end, mm. */
export function effectiveRadius({ innerRadius, depthOfInteraction }: Scanner): number {
  return innerRadius + depthOfInteraction;
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
  const { name, aliases = [], depthOfInteraction = 0, tilt = 0, gap, tof } = given;
  if (typeof name !== 'string' || name === '') fail('name', 'a name', name);
  for (const key of counts) {
    if (!Number.isInteger(given[key]) || (given[key] as number) < 1) fail(key, 'a positive integer', given[key]);
  }
  for (const key of lengths) {
    if (typeof given[key] !== 'number' || !(given[key] > 0)) fail(key, 'a positive length in mm', given[key]);
  }
  const scanner = { ...given, aliases, depthOfInteraction, tilt, gap, tof } as Scanner;
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
  return scanner;
}
