/** @file  The binary part of Interfile: value = sample · scaling factor. Byte order is big-endian unless the header says otherwise. */
import { FormatError } from '../core/errors.js';
import { findText, type InterfileHeader, integerOf, numberOf, parseInterfile, textOf, wordOf } from './interfile.js';
import { bytesOf, bytesPerSample, decodeSamples, finiteSamples, type SampleType } from './samples.js';

/** How the header says that the data file is written. */
export interface InterfileEncoding {
  readonly type: SampleType;
  readonly littleEndian: boolean;
  /** Bytes before the first sample. */
  readonly offset: number;
  readonly scale: number;
}

const types: Readonly<Record<string, SampleType>> = {
  'signed integer 1': 'int8',
  'signed integer 2': 'int16',
  'signed integer 4': 'int32',
  'unsigned integer 1': 'uint8',
  'unsigned integer 2': 'uint16',
  'unsigned integer 4': 'uint32',
  'float 4': 'float32',
  'float 8': 'float64',
};
const formats = ['unsigned integer', 'signed integer', 'float', 'short float', 'long float', 'bit', 'ascii'] as const;

/**
 * @param frame 1-based index of the vectorised keys.
 * @throws FormatError when a key is missing or names a format that is not supported.
 */
export function interfileEncoding(header: InterfileHeader, frame = 1): InterfileEncoding {
  const format = wordOf(header, 'number format', formats, 'unsigned integer').replace(/^(short|long) /, '');
  const width = integerOf(header, 'number of bytes per pixel', { high: 8 });
  const type = types[`${format} ${width}`];
  if (!type) {
    throw new FormatError('Number format is not supported', {
      file: header.file,
      key: 'number format',
      expected: 'signed or unsigned integer of 1, 2, 4 bytes or float of 4, 8 bytes',
      found: `${format} of ${width} bytes`,
    });
  }
  const key = `image scaling factor [${frame}]`;
  const scale = numberOf(header, key, 1);
  if (scale === 0) throw new FormatError('The scaling factor is 0', { file: header.file, key });
  return {
    type,
    littleEndian: wordOf(header, 'imagedata byte order', ['LITTLEENDIAN', 'BIGENDIAN'], 'BIGENDIAN') === 'LITTLEENDIAN',
    offset: integerOf(header, `data offset in bytes [${frame}]`, { low: 0, high: Number.MAX_SAFE_INTEGER, absent: 0 }),
    scale,
  };
}

/**
 * `count` values.
 * @throws FormatError when the data are shorter or longer than the header says, or not finite.
 */
export function decodeInterfile(header: InterfileHeader, data: Uint8Array | ArrayBuffer, count: number): Float32Array {
  const { type, littleEndian, offset, scale } = interfileEncoding(header);
  const bytes = bytesOf(data);
  const file = findText(header, 'name of data file') ?? header.file;
  const end = offset + count * bytesPerSample(type);
  if (bytes.length !== end) {
    throw new FormatError(bytes.length < end ? 'The data are cut short' : 'There are more data than the header says', {
      file,
      key: 'matrix size',
      expected: `${end} bytes (${offset} + ${count} × ${bytesPerSample(type)})`,
      found: bytes.length,
      hint: `The header is ${header.file}: does it belong to these data?`,
    });
  }
  return finiteSamples(decodeSamples(bytes.subarray(offset), type, littleEndian, { scale }), file, 'number format');
}

/** Keys that describe what `encodeFloat32` writes. */
export const float32Keys: readonly (readonly [string, string | number])[] = [
  ['imagedata byte order', 'LITTLEENDIAN'],
  ['!number format', 'float'],
  ['!number of bytes per pixel', 4],
];

/** Name of the data file that a header names; it lies beside the header unless it is absolute. @throws FormatError when there is none. */
export function interfileDataFile(header: string | Uint8Array, file: string): string {
  return textOf(parseInterfile(header, file, { requireEnd: false }), 'name of data file');
}
