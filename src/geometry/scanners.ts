/** @file  Scanners by name. Figures from the STIR scanner table (UCL/STIR src/buildblock/Scanner.cxx, commit 9a59610aa849); the gap of
 *  the mMR was confirmed on its list-mode data. `small` is no product: it is the scanner of our demonstrations, fast to compute. */
import { GeometryError } from '../core/errors.js';
import type { Scanner, ScannerTof } from './scanner.js';

type Row = readonly [
  name: string,
  aliases: string,
  rings: number,
  detectorsPerRing: number,
  innerRadius: number,
  depthOfInteraction: number,
  ringSpacing: number,
  maxTangential: number,
  defaultArcCorrected: number,
  binSize: number,
  tiltDegrees: number,
  tof?: readonly [bins: number, binWidth: number, resolution: number],
];

// biome-ignore format: a table
const rows: readonly Row[] = [
  ['small', '', 16, 192, 323, 7, 8, 75, 95, 4, 0],
  ['ECAT 931', 'E931', 8, 512, 510, 7, 13.5, 192, 192, 3.129, 0],
  ['ECAT 951', 'E951', 16, 512, 510, 7, 6.75, 192, 192, 3.12932, 0],
  ['ECAT 953', 'E953', 16, 384, 382.5, 7, 6.75, 160, 160, 3.12932, -15],
  ['ECAT EXACT', 'E921,ECAT 921,EXACT', 24, 384, 412.5, 7, 6.75, 192, 192, 3.375, -15],
  ['ECAT HR', 'E961,ECAT 961', 24, 784, 412, 7, 6.25, 336, 336, 1.65, -13],
  ['ECAT HR+', 'E962,ECAT 962,HR+', 32, 576, 412, 7, 4.85, 288, 288, 2.25, 0],
  ['ECAT EXACT 3D', 'E966,EXACT 3D,ECAT HR++,ECAT 966', 48, 576, 412, 7, 4.85, 288, 288, 2.25, 0],
  ['Biograph 16', 'E1080,ECAT 1080,1080', 41, 672, 412, 7, 4, 336, 336, 2, 0],
  ['Siemens mMR', 'Siemens_mMR,mMR,2008', 64, 504, 328, 7, 4.0625, 344, 344, 2.08626, 0],
  ['Siemens mCT', 'Siemens_mCT,mCT,2011,1104,1094', 55, 672, 421, 7, 4.054, 400, 336, 2.005, 0, [13, 312, 555]],
  ['Siemens Vision 600', 'Siemens_Vision_600,Vision 600,1208', 80, 798, 410, 7, 3.29114, 520, 520, 1.6, 1.85638, [264, 17.9039, 214]],
  ['Siemens Quadra', 'Siemens_Quadra,Quadra,1232', 323, 798, 410, 7, 3.29114, 520, 520, 1.6, 1.85638, [264, 17.9039, 214]],
  ['RPT', 'PRT-1', 16, 384, 373, 7, 6.75, 128, 128, 3.1088, 0],
  ['GE Advance', 'Advance', 18, 672, 463.475, 8.4, 8.5, 283, 281, 1.97018, 0],
  ['GE Discovery LS', 'DiscoveryLS,Discovery LS', 18, 672, 463.475, 8.4, 8.5, 283, 281, 1.97018, 0],
  ['GE Discovery ST', 'DiscoveryST,Discovery ST', 24, 420, 443.1, 8.4, 6.54, 249, 221, 3.195, -4.54224],
  ['GE Discovery STE', 'DiscoverySTE,Discovery STE', 24, 560, 443.1, 8.4, 6.54, 329, 293, 2.397, -4.549],
  ['GE Discovery RX', 'DiscoveryRX,Discovery RX', 24, 630, 443.1, 9.4, 6.54, 367, 331, 2.13, -4.595],
  ['GE Discovery 600', 'Discovery600,Discovery 600', 24, 512, 404.95, 8.4, 6.54, 339, 293, 2.3974, -4.549],
  ['GE Signa PET/MR', 'PETMR_Signa,PET/MR Signa,Signa PET/MR', 45, 448, 311.8, 8.5, 5.56, 357, 331, 2.01565, -5.23, [351, 13.02, 390]],
  ['GE Discovery 690', 'Discovery690,Discovery 690,GE Discovery 710,Discovery 710', 24, 576, 405.1, 9.4, 6.54, 381, 331, 2.1306, -5.021, [55, 89, 550]],
  ['GE Discovery MI 3 rings', 'DiscoveryMI3ring,Discovery MI3', 27, 544, 371.1, 9.4, 5.52296, 415, 401, 2.206, -4.399, [377, 13, 375.4]],
  ['GE Discovery MI 4 rings', 'DiscoveryMI4ring,Discovery MI4', 36, 544, 371.1, 9.4, 5.52296, 415, 401, 2.206, -4.399, [377, 13, 375.4]],
  ['GE Discovery MI 5 rings', 'DiscoveryMI5ring,Discovery MI5', 45, 544, 371.1, 9.4, 5.52296, 415, 401, 2.206, -4.399, [377, 13, 375.4]],
  ['GE Discovery MI 6 rings', 'DiscoveryMI6ring,Discovery MI6', 54, 544, 371.1, 9.4, 5.52296, 415, 401, 2.206, -4.399, [377, 13, 375.4]],
  ['Philips Allegro', 'Allegro', 29, 644, 430.05, 12, 6.3, 295, 644, 4.3, 0],
  ['Philips GeminiTF', 'GeminiTF', 44, 644, 450.17, 8, 4, 322, 287, 4, 0],
  ['UPENN 5 rings', 'UPENN_5rings', 280, 594, 382, 7, 3.9655, 331, 331, 2, 0, [512, 19.5312, 272.55]],
];

/** All scanners known by name. */
export const scanners: readonly Scanner[] = rows.map(
  ([
    name,
    aliases,
    rings,
    detectorsPerRing,
    innerRadius,
    depthOfInteraction,
    ringSpacing,
    maxTangential,
    arc,
    binSize,
    tilt,
    tof,
  ]) => ({
    name,
    aliases: aliases === '' ? [] : aliases.split(','),
    rings,
    detectorsPerRing,
    innerRadius,
    depthOfInteraction,
    ringSpacing,
    maxTangential,
    defaultArcCorrected: arc,
    binSize,
    tilt: (tilt * Math.PI) / 180,
    ...(name === 'Siemens mMR' ? { gap: { period: 9, residue: 0 } } : {}),
    ...(tof ? { tof: { bins: tof[0], binWidth: tof[1], resolution: tof[2] } satisfies ScannerTof } : {}),
  }),
);

const plain = (name: string): string => name.toLowerCase().replace(/[\s_/-]+/g, '');

/** The scanner of that name or alias, whatever its case, spaces and underscores; undefined if there is none. */
export function findScanner(name: string): Scanner | undefined {
  return scanners.find((scanner) => [scanner.name, ...scanner.aliases].some((known) => plain(known) === plain(name)));
}

/**
 * The scanner of that name.
 * @throws GeometryError listing the known names.
 */
export function scannerByName(name: string): Scanner {
  const found = findScanner(name);
  if (found) return found;
  throw new GeometryError('Unknown scanner', {
    found: name,
    hint: `Known: ${scanners.map((s) => s.name).join(', ')}; or give your own as a JSON file.`,
  });
}
