/** @file  A PET series: its slices in order, in one unit, where they are. value = (stored · slope + intercept), each slice with its own. */
import { array } from '../core/array.js';
import { type CoincideError, FormatError } from '../core/errors.js';
import { checkedGrid, type PetImage, type Unit } from '../core/image.js';
import { acquisitionTime, firstAcquisition, needed, suvFacts } from './dicom-exam.js';
import { type DicomFile, type DicomKeyword, number, parsePetFile, tagged, tags, text, texts } from './dicom-file.js';
import { placed, type SlicePlace, stacked } from './dicom-stack.js';
import { columnLengths, type Turn, turnedMatrix, turnedValues, turnOf } from './nifti-affine.js';
import { type SuvFactor, suvFactor } from './suv.js';

/** A slice as it was read. */
export interface DicomSlice extends SlicePlace {
  readonly file: DicomFile;
  /** Unit of the image per unit of the file: the SUV factor, or 1. */
  readonly gain: number;
}

export interface DicomSeries {
  /** Frames in the order of time; one for a static series. Their `meta.dicom` is not needed to write them: the series is. */
  readonly images: readonly PetImage[];
  /** How SUV is computed (of the first slice), or why it is not. */
  readonly suv: SuvFactor | CoincideError;
  /** Slices of each frame, in the direction of the stack. */
  readonly slices: readonly (readonly DicomSlice[])[];
  /** Rows and columns of a slice, and number of slices, as the file counts: columns, rows, slices. */
  readonly dims: readonly [number, number, number];
  readonly turn: Turn;
  readonly warnings: readonly string[];
}

export interface ReadDicomOptions {
  /** 'SUV': computed, or refused. 'file': what the voxels are in. @default 'SUV' */
  readonly unit?: 'SUV' | 'file' | undefined;
}

/** What all slices of a series must agree in. */
const shared: readonly DicomKeyword[] = [
  'SeriesInstanceUID',
  'FrameOfReferenceUID',
  'Rows',
  'Columns',
  'Units',
  'DecayCorrection',
  'CorrectedImage',
  'SeriesDate',
  'SeriesTime',
  'PatientWeight',
];

/**
 * Reads the files of one PET series, in any order.
 * @returns images in RAS+ order [z, y, x], oblique series staying oblique.
 * @throws FormatError naming the file, the element, and what is wrong with it.
 */
export function readDicomSeries(
  files: readonly { readonly name: string; readonly bytes: Uint8Array }[],
  { unit = 'SUV' }: ReadDicomOptions = {},
): DicomSeries {
  const parsed = files.flatMap(({ name, bytes }) => parsePetFile(bytes, name) ?? []);
  const first = parsed[0];
  if (!first) throw new FormatError('There is no DICOM image', { key: 'files', expected: 'a PET series', found: files.length });
  agree(parsed);
  const frames = stacked(parsed.map((file) => placed(file, acquisitionTime(file))));
  const [rows, columns] = [first.data.uint16(tags.Rows), first.data.uint16(tags.Columns)];
  if (!rows || !columns) {
    throw new FormatError('The slice has no size', {
      file: first.name,
      key: tagged('Rows'),
      expected: 'rows and columns',
      found: `${rows}, ${columns}`,
    });
  }
  const whole = { firstAcquisition: firstAcquisition(parsed), dynamic: frames.length > 1 };
  const factor = (slice: SlicePlace): SuvFactor => suvFactor(suvFacts(slice.file, whole), slice.file.name);
  const suv = attempt(() => factor(frames[0]![0]!));
  if (unit === 'SUV' && suv instanceof Error) throw suv;
  const slices = frames.map((stack) =>
    stack.map((slice): DicomSlice => ({ ...slice, gain: unit === 'SUV' ? factor(slice).suvPerUnit : 1 })),
  );
  if (text(first, 'DecayCorrection') !== 'NONE') oneFactor(slices.flat());

  const dims = [columns, rows, frames[0]!.length] as const;
  const affine = affineOf(frames[0]!);
  const turn = turnOf(affine);
  const turned = turnedMatrix(affine, turn, dims);
  const [dx, dy, dz] = columnLengths(turned);
  const [nx, ny, nz] = turn.axis.map((axis) => dims[axis]!) as [number, number, number];
  const grid = checkedGrid({ shape: [nz, ny, nx], voxelSize: [dz, dy, dx], origin: [turned[11]!, turned[7]!, turned[3]!] });
  const images = slices.map((stack): PetImage => {
    const values = new Float32Array(columns * rows * stack.length);
    stack.forEach((slice, k) => {
      decodeSlice(slice, values.subarray(k * columns * rows, (k + 1) * columns * rows));
    });
    return {
      ...{ grid, affine: turned, values: array([nz, ny, nx], turnedValues(values, turn, dims)) },
      ...{ unit: unit === 'SUV' ? 'SUV' : unitOf(first), meta: {} },
    };
  });
  return { images, suv, slices, dims, turn, warnings: suv instanceof Error ? [] : suv.warnings };
}

function attempt<T>(work: () => T): T | CoincideError {
  try {
    return work();
  } catch (error) {
    if (error instanceof FormatError) return error;
    throw error;
  }
}

/** @throws FormatError naming what differs, and in which files. */
function agree(files: readonly DicomFile[]): void {
  const [first] = files as readonly [DicomFile];
  const said = (file: DicomFile, keyword: DicomKeyword): string =>
    keyword === 'Rows' || keyword === 'Columns' ? String(file.data.uint16(tags[keyword])) : (text(file, keyword) ?? 'none');
  for (const file of files) {
    for (const keyword of shared) {
      if (said(file, keyword) === said(first, keyword)) continue;
      const series = new Set(files.map((each) => said(each, 'SeriesInstanceUID')));
      const hint = series.size > 1 ? `There are ${series.size} series: put each in a folder of its own.` : undefined;
      throw new FormatError('The files are not of one series', {
        ...{
          file: file.name,
          key: tagged(keyword),
          expected: `${said(first, keyword)}, as in ${first.name}`,
          found: said(file, keyword),
        },
        hint,
      });
    }
  }
  const gated = files.find((file) => texts(file, 'SeriesType')[0] === 'GATED');
  if (gated) {
    const hint = 'Give one gate, or an ungated series.';
    throw new FormatError('A gated series', {
      file: gated.name,
      key: tagged('SeriesType'),
      expected: 'STATIC, WHOLE BODY or DYNAMIC',
      found: 'GATED',
      hint,
    });
  }
}

function unitOf(file: DicomFile): Unit {
  const units = text(file, 'Units');
  if (units === 'BQML') return 'Bq/mL';
  if (units === 'GML' && (text(file, 'SUVType') ?? 'BW') === 'BW') return 'SUV';
  return units === 'CNTS' || units === 'PROPCNTS' || units === 'PROPCPS' || units === 'CPS' ? 'counts' : 'unknown';
}

/** (column, row, slice, 1) → RAS+ mm; DICOM's own world runs towards left, posterior, superior. */
function affineOf(stack: readonly SlicePlace[]): Float64Array {
  const { position, across, down, spacing, step } = stack[0]!;
  const between = stack.length > 1 ? stack.at(-1)!.position.map((p, i) => (p - position[i]!) / (stack.length - 1)) : step;
  const ras = [-1, -1, 1];
  return Float64Array.from(
    [0, 1, 2, 3].flatMap((row) =>
      row === 3
        ? [0, 0, 0, 1]
        : [across[row]! * spacing[1], down[row]! * spacing[0], between[row]!, position[row]!].map((value) => ras[row]! * value),
    ),
  );
}

/** @throws FormatError when the slices lead to different SUV factors though decay was corrected to one time. */
function oneFactor(slices: readonly DicomSlice[]): void {
  const [first] = slices as readonly [DicomSlice];
  const other = slices.find(({ gain }) => Math.abs(gain / first.gain - 1) > 1e-3);
  if (!other) return;
  throw new FormatError('The slices say different things of dose or times', {
    ...{ file: other.file.name, key: tagged('RadiopharmaceuticalInformationSequence') },
    expected: `an SUV factor of ${first.gain.toPrecision(6)}, as in ${first.file.name}`,
    found: other.gain.toPrecision(6),
  });
}

/** Stored integers to values, row by row. */
function decodeSlice({ file, gain }: DicomSlice, out: Float32Array): void {
  const { data, name } = file;
  const [allocated, stored, high] = [tags.BitsAllocated, tags.BitsStored, tags.HighBit].map((tag) => data.uint16(tag));
  const signed = data.uint16(tags.PixelRepresentation) === 1;
  const refuse = (keyword: DicomKeyword, expected: string, found: unknown): never => {
    throw new FormatError('The pixels are not readable', { file: name, key: tagged(keyword), expected, found });
  };
  if ((data.uint16(tags.SamplesPerPixel) ?? 1) !== 1) refuse('SamplesPerPixel', '1', data.uint16(tags.SamplesPerPixel));
  const bytes = (allocated ?? 0) / 8;
  if (bytes !== 1 && bytes !== 2 && bytes !== 4) refuse('BitsAllocated', '8, 16 or 32', allocated ?? 'none');
  if (!stored || stored > 8 * bytes || (high ?? stored - 1) !== stored - 1) {
    refuse('BitsStored', `at most ${allocated}, HighBit one less`, `${stored}, HighBit ${high}`);
  }
  const slope = needed(file, 'RescaleSlope');
  if (!(slope > 0)) refuse('RescaleSlope', 'above 0', slope);
  const intercept = number(file, 'RescaleIntercept') ?? 0;
  if (!Number.isFinite(intercept)) refuse('RescaleIntercept', 'a number', text(file, 'RescaleIntercept'));
  const pixels = data.elements[tags.PixelData];
  if (!pixels || pixels.encapsulatedPixelData || pixels.length < out.length * bytes) {
    refuse(
      'PixelData',
      `${out.length * bytes} bytes`,
      pixels?.encapsulatedPixelData ? 'compressed data' : (pixels?.length ?? 'none'),
    );
  }
  const source = data.byteArray;
  const view = new DataView(source.buffer, source.byteOffset + pixels!.dataOffset, out.length * bytes);
  const spare = 32 - stored!; // shifted out: what lies above the stored bits is not the pixel's
  for (let i = 0; i < out.length; i++) {
    const raw = bytes === 2 ? view.getUint16(2 * i, true) : bytes === 1 ? view.getUint8(i) : view.getUint32(4 * i, true);
    const sample = signed ? (raw << spare) >> spare : (raw << spare) >>> spare;
    out[i] = (sample * slope + intercept) * gain;
  }
}
