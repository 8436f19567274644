/** @file  Interfile projection data (.hs + .s). Read in sinogram order (tangential, view, axial, segment; fastest first) and viewgram
 *  order (tangential, axial, view, segment), timing positions slowest; written in sinogram order, which is the order inside. */
import { array, size } from '../core/array.js';
import { FormatError } from '../core/errors.js';
import { type Segment, type Sinogram, type SinogramLayout, segment, sinogramShape } from '../geometry/sinogram.js';
import {
  centimetres,
  findCentimetres,
  findList,
  formatInterfile,
  type InterfileHeader,
  integerOf,
  integersOf,
  parseInterfile,
  plainKey,
  wordOf,
} from './interfile.js';
import { decodeInterfile, float32Keys } from './interfile-data.js';
import { type Exam, examKeys, readExam } from './interfile-exam.js';
import { centralBinSize, readInterfileScanner, scannerKeys } from './interfile-scanner.js';
import { encodeFloat32 } from './samples.js';

export interface InterfileLayout {
  readonly layout: SinogramLayout;
  readonly order: 'sinogram' | 'viewgram';
  readonly exam: Exam;
  /** What had to be assumed; to be shown to the user. */
  readonly warnings: readonly string[];
}
export interface InterfileProjData extends InterfileLayout {
  /** Values in the order [tof][segment][axial][view][tangential]. */
  readonly sinogram: Sinogram;
}

/**
 * What a header alone says, e.g. that of a template without data.
 * @throws FormatError naming the file and the key; GeometryError when the scanner is not supported.
 */
export function readInterfileLayout(header: string | Uint8Array, file: string): InterfileLayout {
  return layoutOf(parseInterfile(header, file));
}

/**
 * @param header text of the header
 * @param data the bytes of the file that it names
 * @param file name of the header, for messages
 * @throws FormatError naming the file and the key; GeometryError when the scanner is not supported.
 */
export function readInterfileProjData(
  header: string | Uint8Array,
  data: Uint8Array | ArrayBuffer,
  file: string,
): InterfileProjData {
  const keys = parseInterfile(header, file);
  const parsed = layoutOf(keys);
  const shape = sinogramShape(parsed.layout);
  const values = decodeInterfile(keys, data, size(shape));
  const ordered = parsed.order === 'sinogram' ? values : fromViewgrams(values, parsed.layout);
  return { ...parsed, sinogram: { layout: parsed.layout, values: array(shape, ordered) } };
}

function layoutOf(header: InterfileHeader): InterfileLayout {
  const { file } = header;
  wordOf(header, 'type of data', ['PET'], 'PET');
  wordOf(header, 'imaging modality', ['PT', 'PET'], 'PT');
  const warnings: string[] = [];
  const tofKey = integerOf(header, 'number of dimensions', { low: 4, high: 5 }) === 5;
  const order = axisOrder(header, tofKey);
  const scanner = readInterfileScanner(header);

  const size1 = integerOf(header, 'matrix size [1]', { high: 65536 });
  const viewKey = order === 'sinogram' ? 'matrix size [2]' : 'matrix size [3]';
  const views = integerOf(header, viewKey, { high: 65536 });
  if ((scanner.detectorsPerRing / 2) % views !== 0) {
    throw new FormatError('Views do not divide half the detectors of a ring', {
      file,
      key: viewKey,
      expected: `a divisor of ${scanner.detectorsPerRing / 2}`,
      found: views,
    });
  }
  const segments = readSegments(header, scanner.rings, order === 'sinogram' ? 'matrix size [3]' : 'matrix size [2]');

  const corrections = findList(header, 'applied corrections');
  const arcCorrected = corrections === undefined || corrections.some((item) => /^arc correct(ion|ed)$/.test(plainKey(item)));
  if (corrections === undefined) warnings.push(`${file}: no "applied corrections", so the data are taken as arc-corrected`);
  if (!arcCorrected && size1 >= scanner.detectorsPerRing) {
    throw new FormatError('More tangential positions than detectors', {
      file,
      key: 'matrix size [1]',
      expected: `at most ${scanner.detectorsPerRing - 1}`,
      found: size1,
    });
  }
  const central = findCentimetres(header, 'effective central bin size (cm)') ?? 0;
  const binSize = arcCorrected && central > 0 ? central : scanner.binSize;
  const layout: SinogramLayout = {
    scanner,
    segments,
    views,
    tangential: size1,
    arcCorrected,
    binSize,
    tilt: scanner.tilt,
    ...readTofBins(header, tofKey, scanner.tof?.bins),
  };
  return { layout, order, exam: readExam(header), warnings };
}

function axisOrder(header: InterfileHeader, tof: boolean): 'sinogram' | 'viewgram' {
  wordOf(header, 'matrix axis label [1]', ['tangential coordinate']);
  wordOf(header, 'matrix axis label [4]', ['segment']);
  if (tof) wordOf(header, 'matrix axis label [5]', ['timing positions']);
  const second = wordOf(header, 'matrix axis label [2]', ['view', 'axial coordinate']);
  wordOf(header, 'matrix axis label [3]', [second === 'view' ? 'axial coordinate' : 'view']);
  return second === 'view' ? 'sinogram' : 'viewgram';
}

/** Segments in file order, once they are what their ring differences say and do not overlap. */
function readSegments(header: InterfileHeader, rings: number, sizeKey: string): Segment[] {
  const { file } = header;
  const n = integerOf(header, 'matrix size [4]', { high: 4096 });
  const [lowKey, highKey] = ['minimum ring difference per segment', 'maximum ring difference per segment'];
  const low = integersOf(header, lowKey!, n);
  const high = integersOf(header, highKey!, n);
  const sizes = integersOf(header, sizeKey, n);
  const taken = new Set<number>();
  const segments = low.map((least, i) => {
    const most = high[i]!;
    if (least > most || least <= -rings || most >= rings) {
      throw new FormatError('Ring differences of a segment', {
        file,
        key: highKey,
        expected: `minimum ≤ maximum, both within ±${rings - 1}`,
        found: `${least} … ${most}`,
      });
    }
    for (let difference = least; difference <= most; difference++) {
      if (taken.has(difference))
        throw new FormatError('A ring difference is in two segments', { file, key: lowKey, found: difference });
      taken.add(difference);
    }
    const expected = segment(rings, least, most);
    if (sizes[i] !== expected.axialPositions) {
      throw new FormatError('Axial positions of a segment do not fit its ring differences', {
        file,
        key: sizeKey,
        expected: `${expected.axialPositions} for ring differences ${least} … ${most} of ${rings} rings`,
        found: sizes[i],
      });
    }
    return expected;
  });
  if (n % 2 === 0 || !segments.some((s) => s.minRingDifference + s.maxRingDifference === 0)) {
    throw new FormatError('Segment 0 is missing', {
      file,
      key: lowKey,
      expected: 'an odd number of segments, one centred on ring difference 0',
    });
  }
  return segments;
}

function readTofBins(header: InterfileHeader, tof: boolean, unmashed: number | undefined): { tofBins: number; tofMash: number } {
  if (!tof) return { tofBins: 1, tofMash: 1 };
  const { file } = header;
  const tofBins = integerOf(header, 'matrix size [5]', { high: 4096 });
  if (unmashed === undefined) {
    if (tofBins === 1) return { tofBins, tofMash: 1 };
    throw new FormatError('Time of flight, but the scanner has none', {
      file,
      key: 'Maximum number of (unmashed) TOF time bins',
      expected: 'the number of bins',
    });
  }
  const key = 'TOF mashing factor';
  const tofMash = integerOf(header, key, { absent: 1 });
  if (tofBins * tofMash !== unmashed) {
    throw new FormatError('TOF bins × mashing factor is not the number of unmashed bins', {
      file,
      key,
      expected: String(unmashed / tofBins),
      found: tofMash,
    });
  }
  return { tofBins, tofMash };
}

/** [view][axial] → [axial][view] inside each segment. */
function fromViewgrams(values: Float32Array, { tofBins, segments, views, tangential }: SinogramLayout): Float32Array {
  const out = new Float32Array(values.length);
  let first = 0;
  for (let tof = 0; tof < tofBins; tof++) {
    for (const { axialPositions } of segments) {
      for (let view = 0; view < views; view++) {
        for (let axial = 0; axial < axialPositions; axial++) {
          const from = first + (view * axialPositions + axial) * tangential;
          out.set(values.subarray(from, from + tangential), first + (axial * views + view) * tangential);
        }
      }
      first += axialPositions * views * tangential;
    }
  }
  return out;
}

export interface InterfileProjDataOptions {
  /** Name of the data file, relative to the header. */
  readonly dataFile: string;
  /** @default nothing known */
  readonly exam?: Exam | undefined;
}

/** A header and float32 data that STIR reads. */
export function writeInterfileProjData(
  { layout, values }: Sinogram,
  { dataFile, exam = {} }: InterfileProjDataOptions,
): { readonly header: string; readonly data: Uint8Array } {
  const { scanner, segments, views, tangential, arcCorrected, binSize, tilt, tofBins, tofMash } = layout;
  const tof = scanner.tof !== undefined && tofBins * tofMash === scanner.tof.bins && scanner.tof.bins > 1;
  const list = (item: (s: Segment) => number): string => `{${segments.map(item).join(',')}}`;
  const { patient, frame } = examKeys(exam);
  const header = formatInterfile([
    ['!imaging modality', 'PT'],
    ['name of data file', dataFile],
    ['originating system', scanner.name],
    ['!version of keys', 'STIR6.0'],
    ['!GENERAL DATA', ''],
    ...patient,
    ['!GENERAL IMAGE DATA', ''],
    ['!type of data', 'PET'],
    ...float32Keys,
    ['!PET STUDY (General)', ''],
    ['!PET data type', 'Emission'],
    ['applied corrections', arcCorrected ? '{arc correction}' : '{None}'],
    ['number of dimensions', tof ? 5 : 4],
    ...(tof
      ? ([
          ['matrix axis label [5]', 'timing positions'],
          ['!matrix size [5]', tofBins],
        ] as const)
      : []),
    ['matrix axis label [4]', 'segment'],
    ['!matrix size [4]', segments.length],
    ['matrix axis label [3]', 'axial coordinate'],
    ['!matrix size [3]', list((s) => s.axialPositions)],
    ['matrix axis label [2]', 'view'],
    ['!matrix size [2]', views],
    ['matrix axis label [1]', 'tangential coordinate'],
    ['!matrix size [1]', tangential],
    ['minimum ring difference per segment', list((s) => s.minRingDifference)],
    ['maximum ring difference per segment', list((s) => s.maxRingDifference)],
    ...(tof ? ([['TOF mashing factor', tofMash]] as const) : []),
    ...scannerKeys(scanner, tilt),
    ['effective central bin size (cm)', centimetres(arcCorrected ? binSize : centralBinSize(scanner))],
    ...frame,
  ]);
  return { header, data: encodeFloat32(values.data) };
}
