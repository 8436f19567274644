/** @file  The scanner in Interfile headers: named by `originating system`, each number of the header overriding the table.
 *  Lengths are in cm there, in mm here. */
import { FormatError, GeometryError } from '../core/errors.js';
import { parseScanner, type Scanner, type ScannerTof } from '../geometry/scanner.js';
import { findScanner } from '../geometry/scanners.js';
import {
  centimetres,
  degrees,
  findCentimetres,
  findDegrees,
  findNumber,
  findText,
  type InterfileHeader,
  integerOf,
  wordOf,
} from './interfile.js';

const geometryKey = 'Scanner geometry (BlocksOnCylindrical/Cylindrical/Generic)';

/**
 * @throws FormatError when the scanner is not known by name and a number it needs is missing.
 * @throws GeometryError when it is not a cylinder of one layer, or cannot be.
 */
export function readInterfileScanner(header: InterfileHeader): Scanner {
  const { file } = header;
  const names = [findText(header, 'originating system'), findText(header, 'scanner type')].filter((name) => name !== undefined);
  const known = names.map(findScanner).find((scanner) => scanner !== undefined);
  const unsupported = (key: string, expected: string, found: unknown): never => {
    throw new GeometryError('This scanner geometry is not supported', { file, key, expected, found });
  };
  const shape = wordOf(header, geometryKey, ['Cylindrical', 'BlocksOnCylindrical', 'Generic'], 'Cylindrical');
  const blocks = readBlocks(header);
  if (shape !== 'Cylindrical' && !(shape === 'Generic' && (blocks.flatBlocks || blocks.axialBlocks))) {
    unsupported(geometryKey, 'Cylindrical', shape);
  }
  const layers = integerOf(header, 'number of detector layers', { absent: 1 });
  if (layers !== 1) unsupported('number of detector layers', '1', layers);

  const required = <T>(key: string, value: T | undefined): T => {
    if (value !== undefined) return value;
    throw new FormatError('A key is missing', {
      file,
      key,
      expected: 'a value, because the scanner is not known by name',
      found: names[0] ?? 'no originating system',
    });
  };
  const count = (key: string, table: number | undefined): number =>
    required(key, findNumber(header, key) === undefined ? table : integerOf(header, key));
  const length = (key: string, table: number | undefined): number => {
    const value = required(key, findCentimetres(header, key) ?? table);
    if (!(value > 0 && value < 1e4))
      throw new FormatError('Out of range', { file, key, expected: 'a length in cm above 0', found: value / 10 });
    return value;
  };
  const rings = count('number of rings', known?.rings);
  const detectorsPerRing = count('number of detectors per ring', known?.detectorsPerRing);
  const innerRadius = length('inner ring diameter (cm)', known && 2 * known.innerRadius) / 2;
  const depthOfInteraction = findCentimetres(header, 'average depth of interaction (cm)') ?? known?.depthOfInteraction ?? 0;
  const given = findCentimetres(header, 'default bin size (cm)') ?? known?.binSize ?? 0;
  const most = findNumber(header, 'maximum number of non-arc-corrected bins') ?? known?.maxTangential ?? 0;
  const arcCorrected = findNumber(header, 'default number of arc-corrected bins') ?? known?.defaultArcCorrected ?? 0;
  const maxTangential = most > 0 ? most : detectorsPerRing / 2;
  const sameRing = known?.detectorsPerRing === detectorsPerRing;
  return parseScanner(
    {
      name: known?.name ?? names[0] ?? 'unknown',
      aliases: known?.aliases ?? [],
      rings,
      detectorsPerRing,
      innerRadius,
      depthOfInteraction,
      ringSpacing: length('distance between rings (cm)', known?.ringSpacing),
      maxTangential,
      defaultArcCorrected: arcCorrected > 0 ? arcCorrected : maxTangential,
      // Not set (≤ 0) means the size at the centre.
      binSize: given > 0 ? given : centralBinSize({ innerRadius, depthOfInteraction, detectorsPerRing }),
      tilt: findDegrees(header, 'view offset (degrees)') ?? known?.tilt ?? 0,
      ...(sameRing && known.gap ? { gap: known.gap } : {}),
      ...blocks,
      ...readTof(header, known?.tof),
    },
    file,
  );
}

/** Blocks have no keys in STIR's headers that place them as ours do: such scanners are `Generic` there, with keys of our own. */
const blockKeys = {
  crystals: 'coincide crystals per flat block',
  spacing: 'coincide distance between crystals of a block (cm)',
  rings: 'coincide rings per axial block',
  gap: 'coincide gap between axial blocks (cm)',
} as const;

function readBlocks(header: InterfileHeader): Pick<Scanner, 'flatBlocks' | 'axialBlocks'> {
  const crystals = findNumber(header, blockKeys.crystals);
  const rings = findNumber(header, blockKeys.rings);
  return {
    ...(crystals === undefined ? {} : { flatBlocks: { crystals, spacing: findCentimetres(header, blockKeys.spacing) ?? 0 } }),
    ...(rings === undefined ? {} : { axialBlocks: { rings, gap: findCentimetres(header, blockKeys.gap) ?? 0 } }),
  };
}

function blockEntries({ flatBlocks, axialBlocks }: Scanner): (readonly [string, string | number])[] {
  return [
    [geometryKey, flatBlocks || axialBlocks ? 'Generic' : 'Cylindrical'],
    ...(flatBlocks
      ? ([
          [blockKeys.crystals, flatBlocks.crystals],
          [blockKeys.spacing, centimetres(flatBlocks.spacing)],
        ] as const)
      : []),
    ...(axialBlocks
      ? ([
          [blockKeys.rings, axialBlocks.rings],
          [blockKeys.gap, centimetres(axialBlocks.gap)],
        ] as const)
      : []),
  ];
}

/** Distance between the tangential positions 0 and 1 without arc correction, mm. */
export function centralBinSize(scanner: Pick<Scanner, 'innerRadius' | 'depthOfInteraction' | 'detectorsPerRing'>): number {
  return (scanner.innerRadius + scanner.depthOfInteraction) * Math.sin(Math.PI / scanner.detectorsPerRing);
}

const tofKeys = {
  bins: 'Maximum number of (unmashed) TOF time bins',
  binWidth: 'Size of unmashed TOF time bins (ps)',
  resolution: 'TOF timing resolution (ps)',
} as const;

function readTof(header: InterfileHeader, known: ScannerTof | undefined): { tof?: ScannerTof } {
  const bins = findNumber(header, tofKeys.bins) ?? findNumber(header, 'Number of TOF time bins') ?? known?.bins ?? 1;
  const binWidth = findNumber(header, tofKeys.binWidth) ?? findNumber(header, 'Size of timing bin (ps)') ?? known?.binWidth ?? 0;
  const resolution =
    findNumber(header, tofKeys.resolution) ?? findNumber(header, 'Timing resolution (ps)') ?? known?.resolution ?? 0;
  if (bins <= 1) return {};
  for (const [key, value] of [
    [tofKeys.binWidth, binWidth],
    [tofKeys.resolution, resolution],
  ] as const) {
    if (!(value > 0))
      throw new FormatError('Time of flight is not fully described', {
        file: header.file,
        key,
        expected: 'ps above 0',
        found: value,
      });
  }
  return { tof: { bins, binWidth, resolution } };
}

/** The keys that `readInterfileScanner` reads; the tilt is the layout's. */
export function scannerKeys(scanner: Scanner, tilt: number): readonly (readonly [string, string | number])[] {
  return [
    ['Scanner parameters', ''],
    ['Scanner type', scanner.name],
    ['Number of rings', scanner.rings],
    ['Number of detectors per ring', scanner.detectorsPerRing],
    ['Inner ring diameter (cm)', centimetres(2 * scanner.innerRadius)],
    ['Average depth of interaction (cm)', centimetres(scanner.depthOfInteraction)],
    ['Distance between rings (cm)', centimetres(scanner.ringSpacing)],
    ['Default bin size (cm)', centimetres(scanner.binSize)],
    ['View offset (degrees)', degrees(tilt)],
    ['Maximum number of non-arc-corrected bins', scanner.maxTangential],
    ['Default number of arc-corrected bins', scanner.defaultArcCorrected],
    ['Number of detector layers', 1],
    ...(scanner.tof
      ? ([
          [tofKeys.bins, scanner.tof.bins],
          [tofKeys.binWidth, scanner.tof.binWidth],
          [tofKeys.resolution, scanner.tof.resolution],
        ] as const)
      : []),
    ...blockEntries(scanner),
    ['end scanner parameters', ''],
  ];
}
