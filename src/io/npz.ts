/** @file  NumPy's .npy and .npz (a zip of .npy). https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
 *  And volumes as the published whole-body DDPM denoiser keeps them (doi:10.1007/s00259-025-07122-4): `arr_0`, axes [row, column, axial], or
 *  [2, row, column, axial] with the low dose first; SUV; 1.65 mm. Such a file says nothing of orientation: rows are taken for y, columns for x. */
import { zipSync } from 'fflate';
import { array, type NdArray, type Shape3, size, type Volume } from '../core/array.js';
import { memorySource } from '../core/bytes.js';
import { FormatError } from '../core/errors.js';
import { centredGrid, type PetImage, petImage } from '../core/image.js';
import { bytesOf, decodeSamples, encodeFloat32, finiteSamples, type SampleType } from './samples.js';
import { readZipDirectory, readZipEntry } from './zip.js';

const types: Readonly<Record<string, SampleType>> = {
  i1: 'int8',
  u1: 'uint8',
  i2: 'int16',
  u2: 'uint16',
  i4: 'int32',
  u4: 'uint32',
  i8: 'int64',
  u8: 'uint64',
  f2: 'float16',
  f4: 'float32',
  f8: 'float64',
};
const magic = '\x93NUMPY';
/** Voxel size of the published data, mm. */
const PUBLISHED_VOXEL = 1.65;

/** Names (without .npy) and arrays of an .npz. @throws FormatError naming file and entry. */
export async function readNpz(data: Uint8Array | ArrayBuffer, file: string): Promise<Map<string, NdArray>> {
  const source = memorySource(bytesOf(data), file);
  const arrays = new Map<string, NdArray>();
  for (const [name, entry] of await readZipDirectory(source)) {
    arrays.set(name.replace(/\.npy$/, ''), readNpy(await readZipEntry(source, entry), `${file}:${name}`));
  }
  return arrays;
}

/** An uncompressed .npz of float32 arrays. */
export function writeNpz(arrays: Readonly<Record<string, NdArray>>): Uint8Array {
  const entries = Object.entries(arrays).map(([name, values]) => [`${name}.npy`, writeNpy(values)] as const);
  return zipSync(Object.fromEntries(entries), { level: 0, mtime: new Date(1980, 0, 1) });
}

/**
 * Any real numbers of 8 to 64 bits, either byte order, C or Fortran order; as float32, C order.
 * @throws FormatError for objects, complex numbers, structured types, and what is cut short.
 */
export function readNpy(data: Uint8Array | ArrayBuffer, file: string): NdArray {
  const bytes = bytesOf(data);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const latin = (from: number, until: number): string => new TextDecoder('latin1').decode(bytes.subarray(from, until));
  if (bytes.length < 12 || latin(1, 6) !== magic.slice(1) || bytes[0] !== 0x93) {
    throw new FormatError('This is no NumPy array', { file, key: 'magic', expected: '\\x93NUMPY' });
  }
  const long = bytes[6]! >= 2;
  const start = long ? 12 : 10;
  const from = start + (long ? view.getUint32(8, true) : view.getUint16(8, true));
  const header = latin(start, from);
  const [, order, code] = /'descr':\s*'([<>|=])([a-z]\d+)'/.exec(header) ?? [];
  const type = types[code ?? ''];
  if (!type) {
    const found = /'descr':\s*([^,]+(?:,[^F]*)?),/.exec(header)?.[1] ?? header.slice(0, 60);
    throw new FormatError('The array is of another type', { file, key: 'descr', expected: 'real numbers', found });
  }
  const fortran = /'fortran_order':\s*True/.test(header);
  const shape = (/'shape':\s*\(([^)]*)\)/.exec(header)?.[1] ?? '?')
    .split(',')
    .filter((n) => n.trim() !== '')
    .map(Number);
  if (!shape.every((n) => Number.isSafeInteger(n) && n >= 0)) {
    throw new FormatError('The array has no shape', {
      file,
      key: 'shape',
      expected: 'whole numbers',
      found: header.slice(0, 80),
    });
  }
  const length = size(shape) * Number(code!.slice(1));
  if (bytes.length - from < length) {
    throw new FormatError('The array is cut short', {
      file,
      key: 'shape',
      expected: `${length} bytes`,
      found: bytes.length - from,
    });
  }
  const values = decodeSamples(bytes.subarray(from, from + length), type, order !== '>');
  return array(shape, fortran ? transposed(values, shape) : values);
}

/** Version 1.0, float32, C order, header padded to 64 bytes. */
export function writeNpy({ data, shape }: NdArray): Uint8Array {
  const text = `{'descr': '<f4', 'fortran_order': False, 'shape': (${shape.join(', ')}${shape.length === 1 ? ',' : ''}), }`;
  const header = `${text.padEnd(64 * Math.ceil((10 + text.length + 1) / 64) - 11)}\n`;
  const start = `${magic}\x01\0${String.fromCharCode(header.length & 255, header.length >> 8)}${header}`;
  const bytes = new Uint8Array(start.length + 4 * data.length);
  bytes.set(Uint8Array.from(start, (letter) => letter.charCodeAt(0)));
  bytes.set(encodeFloat32(data), start.length);
  return bytes;
}

/** First index fastest → last index fastest. */
function transposed(values: Float32Array, shape: readonly number[]): Float32Array {
  const out = new Float32Array(values.length);
  const strides = shape.map((_, axis) => size(shape.slice(0, axis)));
  const index = new Array<number>(shape.length).fill(0);
  for (let i = 0; i < out.length; i++) {
    out[i] = values[index.reduce((sum, k, axis) => sum + k * strides[axis]!, 0)]!;
    for (let axis = shape.length - 1; axis >= 0 && ++index[axis]! === shape[axis]; axis--) index[axis] = 0;
  }
  return out;
}

/**
 * The low-dose volume of a file of the published denoiser.
 * @throws FormatError when there is no `arr_0` of three axes, or of four with the low dose first.
 */
export async function readNpzImage(data: Uint8Array | ArrayBuffer, file: string): Promise<PetImage> {
  const arrays = await readNpz(data, file);
  const found = arrays.get('arr_0');
  const shape = found?.shape.slice(-3) ?? [];
  if (!found || shape.length !== 3 || found.shape.length > 4 || size(shape) === 0) {
    throw new FormatError('There is no volume', {
      ...{ file, key: 'arr_0', expected: '[row, column, axial] or [2, row, column, axial]' },
      found: found ? [...found.shape] : [...arrays.keys()],
    });
  }
  const [rows, columns, slices] = shape as [number, number, number];
  const values = finiteSamples(found.data.subarray(0, size(shape)), file, 'arr_0');
  const out = new Float32Array(values.length);
  for (let i = 0; i < rows * columns; i++) {
    for (let z = 0; z < slices; z++) out[z * rows * columns + i] = values[i * slices + z]!;
  }
  const grid = centredGrid([slices, rows, columns], [PUBLISHED_VOXEL, PUBLISHED_VOXEL, PUBLISHED_VOXEL]);
  return petImage(grid, array(grid.shape, out), 'SUV');
}

/** `arr_0` with axes [row, column, axial], in the unit of the image (SUV; the published scripts wrote SUV/16). */
export function writeNpzImage({ values, grid }: PetImage): Uint8Array {
  return writeNpz({ arr_0: axialLast(values, grid.shape) });
}

function axialLast({ data }: Volume, [slices, rows, columns]: Shape3): NdArray {
  const out = array([rows, columns, slices]);
  for (let z = 0; z < slices; z++) {
    for (let i = 0; i < rows * columns; i++) out.data[i * slices + z] = data[z * rows * columns + i]!;
  }
  return out;
}
