/** @file  One DICOM file: what it may be, and its elements by name. DICOM PS3.10 (file), PS3.5 (transfer syntaxes), PS3.6 (tags). */
import dicomParser, { type DataSet } from 'dicom-parser';
import { inflateSync } from 'fflate';
import { FormatError } from '../core/errors.js';

/** A parsed file. `data.byteArray` is what its elements point into. */
export interface DicomFile {
  readonly name: string;
  readonly data: DataSet;
  /** Are the value representations written out? Else they are implied by the tags. */
  readonly explicit: boolean;
}

/** Elements by their DICOM keywords, as dicom-parser spells tags. */
export const tags = {
  TransferSyntaxUID: 'x00020010',
  ImageType: 'x00080008',
  InstanceCreationDate: 'x00080012',
  InstanceCreationTime: 'x00080013',
  SOPClassUID: 'x00080016',
  SOPInstanceUID: 'x00080018',
  SeriesDate: 'x00080021',
  AcquisitionDate: 'x00080022',
  SeriesTime: 'x00080031',
  AcquisitionTime: 'x00080032',
  Modality: 'x00080060',
  Manufacturer: 'x00080070',
  SeriesDescription: 'x0008103e',
  ManufacturerModelName: 'x00081090',
  DerivationDescription: 'x00082111',
  SourceImageSequence: 'x00082112',
  TimezoneOffsetFromUTC: 'x00080201',
  PatientWeight: 'x00101030',
  Radiopharmaceutical: 'x00180031',
  SliceThickness: 'x00180050',
  RadiopharmaceuticalStartTime: 'x00181072',
  RadionuclideTotalDose: 'x00181074',
  RadionuclideHalfLife: 'x00181075',
  RadiopharmaceuticalStartDateTime: 'x00181078',
  ActualFrameDuration: 'x00181242',
  StudyInstanceUID: 'x0020000d',
  SeriesInstanceUID: 'x0020000e',
  SeriesNumber: 'x00200011',
  ImagePositionPatient: 'x00200032',
  ImageOrientationPatient: 'x00200037',
  FrameOfReferenceUID: 'x00200052',
  SamplesPerPixel: 'x00280002',
  NumberOfFrames: 'x00280008',
  Rows: 'x00280010',
  Columns: 'x00280011',
  PixelSpacing: 'x00280030',
  CorrectedImage: 'x00280051',
  BitsAllocated: 'x00280100',
  BitsStored: 'x00280101',
  HighBit: 'x00280102',
  PixelRepresentation: 'x00280103',
  RescaleIntercept: 'x00281052',
  RescaleSlope: 'x00281053',
  RadiopharmaceuticalInformationSequence: 'x00540016',
  RadionuclideCodeSequence: 'x00540300',
  CodeMeaning: 'x00080104',
  SeriesType: 'x00541000',
  Units: 'x00541001',
  SUVType: 'x00541006',
  DecayCorrection: 'x00541102',
  FrameReferenceTime: 'x00541300',
  PixelData: 'x7fe00010',
} as const;
export type DicomKeyword = keyof typeof tags;

export const petImageStorage = '1.2.840.10008.5.1.4.1.1.128';
/** The index of a folder of DICOM files; no image. */
const directory = '1.2.840.10008.1.3.10';
const otherClasses: Readonly<Record<string, string>> = {
  '1.2.840.10008.5.1.4.1.1.130': 'Enhanced PET (multi-frame)',
  '1.2.840.10008.5.1.4.1.1.128.1': 'Legacy Converted Enhanced PET (multi-frame)',
  '1.2.840.10008.5.1.4.1.1.2': 'CT',
  '1.2.840.10008.5.1.4.1.1.2.1': 'Enhanced CT',
  '1.2.840.10008.5.1.4.1.1.4': 'MR',
  '1.2.840.10008.5.1.4.1.1.4.1': 'Enhanced MR',
  '1.2.840.10008.5.1.4.1.1.20': 'Nuclear Medicine (SPECT)',
  '1.2.840.10008.5.1.4.1.1.7': 'Secondary Capture (a picture)',
  '1.2.840.10008.5.1.4.1.1.66.4': 'Segmentation',
  '1.2.840.10008.5.1.4.1.1.481.3': 'RT Structure Set',
  '1.2.840.10008.5.1.4.1.1.88.22': 'Enhanced Structured Report',
};

const implicitLittle = '1.2.840.10008.1.2';
const deflatedLittle = '1.2.840.10008.1.2.1.99';
const readable = [implicitLittle, '1.2.840.10008.1.2.1', deflatedLittle];
const jpeg = '1.2.840.10008.1.2.4';
const unreadable: Readonly<Record<string, string>> = {
  '1.2.840.10008.1.2.2': 'Explicit VR Big Endian (retired)',
  '1.2.840.10008.1.2.5': 'RLE Lossless',
  [`${jpeg}.50`]: 'JPEG Baseline',
  [`${jpeg}.51`]: 'JPEG Extended',
  [`${jpeg}.57`]: 'JPEG Lossless',
  [`${jpeg}.70`]: 'JPEG Lossless, First-Order Prediction',
  [`${jpeg}.80`]: 'JPEG-LS Lossless',
  [`${jpeg}.81`]: 'JPEG-LS Near-Lossless',
  [`${jpeg}.90`]: 'JPEG 2000 Lossless',
  [`${jpeg}.91`]: 'JPEG 2000',
  [`${jpeg}.201`]: 'High-Throughput JPEG 2000 Lossless',
  [`${jpeg}.203`]: 'High-Throughput JPEG 2000',
};

/** Is it a DICOM file, by the mark after its preamble? */
export function isDicom(bytes: Uint8Array): boolean {
  return bytes[128] === 0x44 && bytes[129] === 0x49 && bytes[130] === 0x43 && bytes[131] === 0x4d;
}

/**
 * Parses a file of a PET series.
 * @returns undefined for a DICOMDIR, which is no image.
 * @throws FormatError naming what the file is, when it is no single-frame PET image in a syntax that can be read.
 */
export function parsePetFile(bytes: Uint8Array, name: string): DicomFile | undefined {
  if (!isDicom(bytes))
    throw new FormatError('This is no DICOM file', { file: name, key: 'preamble', expected: 'DICM at byte 128' });
  const syntax = transferSyntax(bytes, name);
  let data: DataSet;
  try {
    data = dicomParser.parseDicom(syntax === deflatedLittle ? inflated(bytes) : bytes);
  } catch (cause) {
    const found = cause instanceof Error ? cause.message : String((cause as { exception?: unknown }).exception ?? cause);
    throw new FormatError('The DICOM file is damaged or cut short', { file: name, found, cause });
  }
  const file: DicomFile = { name, data, explicit: syntax !== implicitLittle };
  const sopClass = text(file, 'SOPClassUID') ?? data.string('x00020002');
  if (sopClass === directory) return undefined;
  if (sopClass !== petImageStorage) {
    const multiFrame = (otherClasses[sopClass ?? ''] ?? '').includes('multi-frame');
    throw new FormatError('This is no PET image', {
      ...{ file: name, key: tagged('SOPClassUID'), expected: `PET Image Storage, ${petImageStorage}` },
      found: `${otherClasses[sopClass ?? ''] ?? 'another class'}, ${sopClass ?? 'none'}`,
      hint: multiFrame ? 'Export it as single-frame PET images.' : 'Give a folder that holds the PET series alone.',
    });
  }
  const frames = number(file, 'NumberOfFrames');
  if (frames !== undefined && frames !== 1) {
    throw new FormatError('A multi-frame image', {
      ...{ file: name, key: tagged('NumberOfFrames'), expected: '1', found: frames },
      hint: 'Export the series as single-frame PET images.',
    });
  }
  return file;
}

/** @throws FormatError naming the syntax when it cannot be read. */
function transferSyntax(bytes: Uint8Array, name: string): string {
  let syntax: string | undefined;
  try {
    syntax = dicomParser.readPart10Header(bytes).string(tags.TransferSyntaxUID)?.trim();
  } catch (cause) {
    throw new FormatError('The DICOM header is damaged', { file: name, cause });
  }
  if (syntax !== undefined && readable.includes(syntax)) return syntax;
  throw new FormatError('The pixels are in a transfer syntax that is not read', {
    ...{ file: name, key: tagged('TransferSyntaxUID'), expected: 'Implicit or Explicit VR Little Endian, or Deflated' },
    found: syntax === undefined ? 'none' : `${unreadable[syntax] ?? 'another'}, ${syntax}`,
    hint: 'Decompress the series first, e.g. with gdcmconv --raw, or dcmdjpeg, dcmdjpls, dcmdrle or dcmconv +te of DCMTK.',
  });
}

/** The file as if it had not been deflated: the parser alone cannot tell the header that is before from what comes out. */
function inflated(bytes: Uint8Array): Uint8Array {
  const { position } = dicomParser.readPart10Header(bytes) as DataSet & { readonly position: number };
  const rest = inflateSync(bytes.subarray(position));
  const mark = 'DICM\x02\0\x10\0UI\x14\x001.2.840.10008.1.2.1\0';
  const whole = new Uint8Array(128 + mark.length + rest.length);
  whole.set(
    Uint8Array.from(mark, (letter) => letter.charCodeAt(0)),
    128,
  );
  whole.set(rest, 128 + mark.length);
  return whole;
}

/** 'PatientWeight (0010,1030)', as people look it up. */
export function tagged(keyword: DicomKeyword): string {
  const tag = tags[keyword];
  return `${keyword} (${tag.slice(1, 5)},${tag.slice(5)})`;
}

/** Where elements are looked up: a file, or an item of one of its sequences. */
export type Elements = Pick<DicomFile, 'data'>;

/** A text value without its padding; undefined when absent or empty. */
export function text({ data }: Elements, keyword: DicomKeyword, index?: number): string | undefined {
  const value = data.string(tags[keyword], index)?.trim();
  return value === '' ? undefined : value;
}

/** All values of a text element. */
export function texts(elements: Elements, keyword: DicomKeyword): string[] {
  return (
    text(elements, keyword)
      ?.split('\\')
      .map((value) => value.trim()) ?? []
  );
}

/** A number written as text (DS, IS); undefined when absent or empty, NaN when it is none. */
export function number(elements: Elements, keyword: DicomKeyword, index = 0): number | undefined {
  const value = texts(elements, keyword)[index];
  return value === undefined || value === '' ? undefined : Number(value);
}

/** The items of a sequence; none when it is absent. */
export function items({ data }: Elements, keyword: DicomKeyword): Elements[] {
  return (data.elements[tags[keyword]]?.items ?? []).flatMap(({ dataSet }) => (dataSet ? [{ data: dataSet }] : []));
}
