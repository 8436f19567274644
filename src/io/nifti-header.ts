/** @file  NIfTI-1 and NIfTI-2 headers: bytes ↔ fields. The two differ in where a field is and how wide; `fields` says both.
 *  https://nifti.nimh.nih.gov/pub/dist/src/niftilib/nifti1.h and nifti2.h. */
import { FormatError } from '../core/errors.js';

export interface NiftiHeader {
  readonly version: 1 | 2;
  readonly littleEndian: boolean;
  /** dim[0 … 7]: number of dimensions, then sizes. */
  readonly dim: readonly number[];
  readonly datatype: number;
  readonly bitpix: number;
  /** pixdim[0 … 7]: qfac, then spacings. */
  readonly pixdim: readonly number[];
  readonly voxOffset: number;
  readonly slope: number;
  readonly intercept: number;
  readonly qformCode: number;
  readonly sformCode: number;
  /** quatern_b, _c, _d. */
  readonly quaternion: readonly number[];
  readonly qoffset: readonly number[];
  /** srow_x, srow_y, srow_z. */
  readonly srow: readonly number[];
  readonly units: number;
  readonly description: string;
}

type Width = 'i1' | 'i2' | 'i4' | 'i8' | 'f4' | 'f8';
type Field = readonly [at: number, width: Width];

const fields = {
  1: {
    headerBytes: 348,
    magic: [344, 'n+1'],
    pair: 'ni1',
    dim: [40, 'i2'],
    datatype: [70, 'i2'],
    bitpix: [72, 'i2'],
    pixdim: [76, 'f4'],
    voxOffset: [108, 'f4'],
    slope: [112, 'f4'],
    intercept: [116, 'f4'],
    units: [123, 'i1'],
    description: 148,
    qformCode: [252, 'i2'],
    sformCode: [254, 'i2'],
    quaternion: [256, 'f4'],
    qoffset: [268, 'f4'],
    srow: [280, 'f4'],
  },
  2: {
    headerBytes: 540,
    magic: [4, 'n+2'],
    pair: 'ni2',
    dim: [16, 'i8'],
    datatype: [12, 'i2'],
    bitpix: [14, 'i2'],
    pixdim: [104, 'f8'],
    voxOffset: [168, 'i8'],
    slope: [176, 'f8'],
    intercept: [184, 'f8'],
    units: [500, 'i4'],
    description: 240,
    qformCode: [344, 'i4'],
    sformCode: [348, 'i4'],
    quaternion: [352, 'f8'],
    qoffset: [376, 'f8'],
    srow: [400, 'f8'],
  },
} as const;

const widths: Record<
  Width,
  readonly [
    bytes: number,
    get: (v: DataView, at: number, le: boolean) => number,
    set: (v: DataView, at: number, x: number) => void,
  ]
> = {
  i1: [1, (v, at) => v.getUint8(at), (v, at, x) => v.setUint8(at, x)],
  i2: [2, (v, at, le) => v.getInt16(at, le), (v, at, x) => v.setInt16(at, x, true)],
  i4: [4, (v, at, le) => v.getInt32(at, le), (v, at, x) => v.setInt32(at, x, true)],
  i8: [8, (v, at, le) => Number(v.getBigInt64(at, le)), (v, at, x) => v.setBigInt64(at, BigInt(x), true)],
  f4: [4, (v, at, le) => v.getFloat32(at, le), (v, at, x) => v.setFloat32(at, x, true)],
  f8: [8, (v, at, le) => v.getFloat64(at, le), (v, at, x) => v.setFloat64(at, x, true)],
};

/** First byte of the voxels in a file without extensions: header, then four bytes that say there are none. */
export function niftiDataStart(version: 1 | 2): number {
  return fields[version].headerBytes + 4;
}

/** @throws FormatError when it is no single-file NIfTI, or cut short. */
export function readNiftiHeader(bytes: Uint8Array, file: string): NiftiHeader {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const found = ([1, 2] as const).flatMap((version) =>
    [true, false].flatMap((littleEndian) =>
      bytes.length >= 4 && view.getInt32(0, littleEndian) === fields[version].headerBytes ? [{ version, littleEndian }] : [],
    ),
  )[0];
  if (!found) {
    throw new FormatError('Not a NIfTI file', {
      file,
      key: 'sizeof_hdr',
      expected: '348 or 540',
      found: bytes.length >= 4 ? view.getInt32(0, true) : `${bytes.length} bytes`,
      hint: 'Is it another format under this name? dcm2niix makes NIfTI of DICOM; a DICOM series is also read as it is, by its folder.',
    });
  }
  const { version, littleEndian } = found;
  const place = fields[version];
  if (bytes.length < place.headerBytes) {
    throw new FormatError('The header is cut short', {
      file,
      key: 'sizeof_hdr',
      expected: `${place.headerBytes} bytes`,
      found: bytes.length,
    });
  }
  const text = (at: number, length: number): string =>
    new TextDecoder('latin1').decode(bytes.subarray(at, at + length)).split('\0', 1)[0]!;
  const magic = text(place.magic[0], 4);
  if (magic !== place.magic[1]) {
    throw new FormatError('Not a single-file NIfTI', {
      file,
      key: 'magic',
      expected: place.magic[1],
      found: magic,
      ...(magic === place.pair ? { hint: 'A pair of .hdr and .img: join them into one .nii first.' } : {}),
    });
  }
  const numbers = ([at, width]: Field, count: number): number[] =>
    Array.from({ length: count }, (_, i) => widths[width][1](view, at + i * widths[width][0], littleEndian));
  const number = (field: Field): number => numbers(field, 1)[0]!;
  return {
    version,
    littleEndian,
    dim: numbers(place.dim, 8),
    datatype: number(place.datatype),
    bitpix: number(place.bitpix),
    pixdim: numbers(place.pixdim, 8),
    voxOffset: number(place.voxOffset),
    slope: number(place.slope),
    intercept: number(place.intercept),
    qformCode: number(place.qformCode),
    sformCode: number(place.sformCode),
    quaternion: numbers(place.quaternion, 3),
    qoffset: numbers(place.qoffset, 3),
    srow: numbers(place.srow, 12),
    units: number(place.units),
    description: text(place.description, 80),
  };
}

/** Little-endian header, with the four bytes after it, at the start of `bytes`. */
export function writeNiftiHeader(bytes: Uint8Array, header: NiftiHeader): void {
  const place = fields[header.version];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const put = ([at, width]: Field, values: readonly number[]): void =>
    values.forEach((value, i) => {
      widths[width][2](view, at + i * widths[width][0], value);
    });
  const write = (at: number, text: string, length: number): void =>
    bytes.set(
      Uint8Array.from(text.slice(0, length - 1), (letter) => letter.charCodeAt(0) & 0xff),
      at,
    );
  view.setInt32(0, place.headerBytes, true);
  write(place.magic[0], place.magic[1], 4);
  if (header.version === 2) bytes.set([0x0d, 0x0a, 0x1a, 0x0a], 8); // shows damage by text-mode transfer
  for (const key of ['dim', 'pixdim', 'quaternion', 'qoffset', 'srow'] as const) put(place[key], header[key]);
  for (const key of ['datatype', 'bitpix', 'voxOffset', 'slope', 'intercept', 'units', 'qformCode', 'sformCode'] as const) {
    put(place[key], [header[key]]);
  }
  write(place.description, header.description, 80);
}
