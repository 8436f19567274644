/** @file  A processed PET series as DICOM files: every element of the source slice as it was, byte for byte, except those that say what the
 *  image is, who it is, and its pixels. Stored value = round( value / slope ), slope = the slice's maximum / 65535, intercept 0.
 *  DICOM PS3.5 section 7 (elements), PS3.3 C.8.9 (PET), C.12.4 (derivation), PS3.5 annex B.2 (UIDs of 2.25). */
import type { DataSet, Element } from 'dicom-parser';
import { expectShape } from '../core/array.js';
import { OptionError } from '../core/errors.js';
import type { PetImage } from '../core/image.js';
import { type DicomFile, type DicomKeyword, number, tags, text, texts } from './dicom-file.js';
import type { DicomSeries, DicomSlice } from './dicom-series.js';
import { turnedValues } from './nifti-affine.js';

export interface WriteDicomOptions {
  /** What was done, for DerivationDescription: ASCII. */
  readonly derivation: string;
  /** Appended to the description of the series. @default 'denoised' */
  readonly label?: string | undefined;
  /** Added to the number of the series. @default 1000 */
  readonly seriesNumberOffset?: number | undefined;
  /** Makes a UID that nobody else has. @default 2.25 and 128 random bits */
  readonly uid?: (() => string) | undefined;
  /** @default now */
  readonly created?: Date | undefined;
}

/** This implementation, in the header of its files. */
const implementationUid = '2.25.147302814946209836127470391748206593827';
const explicitLittle = '1.2.840.10008.1.2.1';
const implicitLittle = '1.2.840.10008.1.2';

/** Elements that are not true of other pixels: smallest and largest pixel values, padding, real-world value mapping. */
const stale = new Set(['x00280106', 'x00280107', 'x00280108', 'x00280109', 'x00280120', 'x00280121', 'x00409096', 'x00281055']);
/** Value representations with a length of four bytes. */
const longVrs = new Set(['OB', 'OD', 'OF', 'OL', 'OV', 'OW', 'SQ', 'SV', 'UC', 'UN', 'UR', 'UT', 'UV']);

/**
 * Files of a new series in the study of the source, same patient, geometry and unit.
 * @param images one per frame of the series, as it was read: same grid, same unit.
 * @param source series whose slices they stand for.
 * @returns names IM0001.dcm … and bytes.
 * @throws ShapeError when an image is on another grid. @throws OptionError for another unit or number of frames.
 */
export function writeDicomSeries(
  images: readonly PetImage[],
  source: DicomSeries,
  options: WriteDicomOptions,
): Record<string, Uint8Array> {
  const { uid = randomUid, created = new Date() } = options;
  if (images.length !== source.images.length) {
    throw new OptionError('Number of frames', { key: 'images', expected: `${source.images.length}`, found: images.length });
  }
  const seriesUid = uid();
  const files: Record<string, Uint8Array> = {};
  images.forEach((image, frame) => {
    const like = source.images[frame]!;
    if (image.unit !== like.unit)
      throw new OptionError('Unit of the image', { key: 'images', expected: like.unit, found: image.unit });
    const values = expectShape(image.values, like.grid.shape, 'image').data;
    const stored = turnedValues(values, source.turn, source.dims, true);
    const pixels = source.dims[0] * source.dims[1];
    source.slices[frame]!.forEach((slice, k) => {
      const name = `IM${String(Object.keys(files).length + 1).padStart(4, '0')}.dcm`;
      const own = { seriesUid, instanceUid: uid(), created };
      files[name] = writeSlice(slice, stored.subarray(k * pixels, (k + 1) * pixels), own, options);
    });
  });
  return files;
}

/** '2.25.' and a random UUID as a decimal number. */
export function randomUid(): string {
  return `2.25.${BigInt(`0x${globalThis.crypto.randomUUID().replaceAll('-', '')}`)}`;
}

interface Own {
  readonly seriesUid: string;
  readonly instanceUid: string;
  readonly created: Date;
}

function writeSlice({ file, gain }: DicomSlice, values: Float32Array, own: Own, options: WriteDicomOptions): Uint8Array {
  const { label = 'denoised', seriesNumberOffset = 1000, derivation } = options;
  const { slope, signed, stored } = quantised(values, gain);
  const [, , ...rest] = texts(file, 'ImageType');
  const stamp = own.created.toISOString().replace(/[-:T]/g, '');
  const description = `${(text(file, 'SeriesDescription') ?? 'PET').slice(0, 62 - label.length)}, ${label}`;
  const fresh = new Map<string, Uint8Array>();
  const put = (keyword: DicomKeyword, vr: string, value: Uint8Array | string): void => {
    fresh.set(tags[keyword], element(tags[keyword], vr, typeof value === 'string' ? padded(value, vr) : value, file.explicit));
  };
  // Value 2 of a PET image is always PRIMARY, PS3.3 C.8.9.4.1.1: derived, but no screenshot.
  put('ImageType', 'CS', ['DERIVED', 'PRIMARY', ...rest].join('\\'));
  put('InstanceCreationDate', 'DA', stamp.slice(0, 8));
  put('InstanceCreationTime', 'TM', stamp.slice(8, 14));
  put('SOPInstanceUID', 'UI', own.instanceUid);
  put('SeriesInstanceUID', 'UI', own.seriesUid);
  put('SeriesDescription', 'LO', description);
  put('SeriesNumber', 'IS', String((number(file, 'SeriesNumber') || 0) + seriesNumberOffset));
  put('DerivationDescription', 'ST', derivation.replace(/[^ -~]/g, '?').slice(0, 1024));
  put('SourceImageSequence', 'SQ', sourceImage(file));
  put('BitsAllocated', 'US', Uint8Array.of(16, 0));
  put('BitsStored', 'US', Uint8Array.of(16, 0));
  put('HighBit', 'US', Uint8Array.of(15, 0));
  put('PixelRepresentation', 'US', Uint8Array.of(signed ? 1 : 0, 0));
  put('RescaleIntercept', 'DS', '0');
  put('RescaleSlope', 'DS', slope);
  put('PixelData', 'OW', stored);
  return joined([...header(file, own.instanceUid), ...merged(file, fresh)]);
}

/**
 * 16 bit, unsigned where nothing is negative. The slope is rounded to the 16 characters it has before the values are divided by it.
 * @param gain of the image's unit over the file's
 */
function quantised(values: Float32Array, gain: number): { slope: string; signed: boolean; stored: Uint8Array } {
  let [low, high] = [0, 0];
  for (const value of values) {
    low = Math.min(low, value / gain);
    high = Math.max(high, value / gain);
  }
  const signed = low < 0;
  const [least, most] = signed ? [-32768, 32767] : [0, 65535];
  const largest = Math.max(high / most, signed ? low / least : 0);
  const slope = largest > 0 ? largest.toExponential(9) : '1';
  const stored = new Uint8Array(2 * values.length);
  const view = new DataView(stored.buffer);
  for (let i = 0; i < values.length; i++) {
    const sample = Math.min(most, Math.max(least, Math.round(values[i]! / gain / Number(slope))));
    view.setUint16(2 * i, sample & 0xffff, true);
  }
  return { slope, signed, stored };
}

/** One item that refers to the source slice. */
function sourceImage(file: DicomFile): Uint8Array {
  const refer = (tag: string, uid: string): Uint8Array => element(tag, 'UI', padded(uid, 'UI'), file.explicit);
  const inside = joined([
    refer('x00081150', text(file, 'SOPClassUID') ?? ''),
    refer('x00081155', text(file, 'SOPInstanceUID') ?? ''),
  ]);
  return joined([Uint8Array.of(0xfe, 0xff, 0x00, 0xe0), uint32(inside.length), inside]);
}

/** Preamble, mark and group 0002, which is always explicit. */
function header(file: DicomFile, instanceUid: string): Uint8Array[] {
  const meta = joined([
    element('x00020001', 'OB', Uint8Array.of(0, 1), true),
    element('x00020002', 'UI', padded(text(file, 'SOPClassUID')!, 'UI'), true),
    element('x00020003', 'UI', padded(instanceUid, 'UI'), true),
    element('x00020010', 'UI', padded(file.explicit ? explicitLittle : implicitLittle, 'UI'), true),
    element('x00020012', 'UI', padded(implementationUid, 'UI'), true),
    element('x00020013', 'SH', padded('COINCIDE', 'SH'), true),
  ]);
  return [new Uint8Array(128), ascii('DICM'), element('x00020000', 'UL', uint32(meta.length), true), meta];
}

/** The source's elements with the fresh ones in their places, in the order of tags. */
function merged(file: DicomFile, fresh: ReadonlyMap<string, Uint8Array>): Uint8Array[] {
  const kept = extents(file).filter(({ tag }) => {
    const groupLength = tag.endsWith('0000'); // retired, and no longer true
    const signature = tag === 'xfffafffa' || tag === 'x4ffe0001'; // of the bytes before
    const padding = tag === 'xfffcfffc';
    return !(groupLength || signature || padding || stale.has(tag) || fresh.has(tag) || tag.startsWith('x0002'));
  });
  const all = [...kept, ...[...fresh].map(([tag, bytes]) => ({ tag, bytes }))];
  return all.sort((a, b) => (a.tag < b.tag ? -1 : 1)).map(({ bytes }) => bytes);
}

/** The bytes of each element of the first level, header and all: from its beginning to that of the next. */
function extents({ data, explicit }: DicomFile): { tag: string; bytes: Uint8Array }[] {
  const found = Object.values(data.elements)
    .filter(({ tag }) => !tag.startsWith('x0002'))
    .map((each) => ({ tag: each.tag, start: each.dataOffset - headerLength(each, explicit) }))
    .sort((a, b) => a.start - b.start);
  return found.map(({ tag, start }, i) => ({ tag, bytes: bytesOf(data).subarray(start, found[i + 1]?.start) }));
}

function headerLength({ vr }: Element, explicit: boolean): number {
  return explicit && vr !== undefined && longVrs.has(vr) ? 12 : 8;
}

function bytesOf({ byteArray }: DataSet): Uint8Array {
  return byteArray;
}

function element(tag: string, vr: string, value: Uint8Array, explicit: boolean): Uint8Array {
  const [group, number] = [Number.parseInt(tag.slice(1, 5), 16), Number.parseInt(tag.slice(5), 16)];
  const name = Uint8Array.of(group & 0xff, group >> 8, number & 0xff, number >> 8);
  if (!explicit) return joined([name, uint32(value.length), value]);
  if (longVrs.has(vr)) return joined([name, ascii(vr), Uint8Array.of(0, 0), uint32(value.length), value]);
  return joined([name, ascii(vr), Uint8Array.of(value.length & 0xff, value.length >> 8), value]);
}

/** Even length: UIDs end in a zero byte, other texts in a space. */
function padded(value: string, vr: string): Uint8Array {
  return ascii(value.length % 2 === 0 ? value : value + (vr === 'UI' ? '\0' : ' '));
}

/** One byte a letter: what is kept of the source's texts stays in its character set. */
function ascii(value: string): Uint8Array {
  return Uint8Array.from(value, (letter) => letter.charCodeAt(0) & 0xff);
}

function uint32(value: number): Uint8Array {
  return Uint8Array.of(value & 0xff, (value >> 8) & 0xff, (value >> 16) & 0xff, value >>> 24);
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
