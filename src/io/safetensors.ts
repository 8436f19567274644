/** @file  safetensors: 8 bytes of header length (little-endian), a JSON header, then the tensors one after the other.
 *  https://huggingface.co/docs/safetensors. Read: F32, F16, BF16 as float32. Written: F32. */
import { array, type NdArray, size } from '../core/array.js';
import { FormatError } from '../core/errors.js';
import { bytesOf, decodeSamples, encodeFloat32 } from './samples.js';

const bytesPerElement = {
  F64: 8,
  F32: 4,
  F16: 2,
  BF16: 2,
  I64: 8,
  I32: 4,
  I16: 2,
  I8: 1,
  U64: 8,
  U32: 4,
  U16: 2,
  U8: 1,
  BOOL: 1,
  F8_E4M3: 1,
  F8_E5M2: 1,
} as const;
type Dtype = keyof typeof bytesPerElement;

export interface Safetensors {
  /** By name, in the order of the data. */
  readonly tensors: ReadonlyMap<string, NdArray>;
  readonly metadata: Readonly<Record<string, string>>;
  /** Tensors of other types than F32, F16, BF16 (counters, say), which were checked and not read: name → dtype. */
  readonly skipped: ReadonlyMap<string, string>;
}

interface Entry {
  readonly name: string;
  readonly dtype: Dtype;
  readonly shape: readonly number[];
  readonly from: number;
  readonly until: number;
}

/** @throws FormatError naming the tensor when sizes, offsets or types contradict one another, or the file is cut short. */
export function readSafetensors(data: Uint8Array | ArrayBuffer, file: string): Safetensors {
  const bytes = bytesOf(data);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const length = bytes.length >= 8 ? Number(view.getBigUint64(0, true)) : Number.NaN;
  if (!(length >= 2 && length <= bytes.length - 8)) {
    throw new FormatError('Not safetensors, or cut short', {
      file,
      key: 'header length',
      expected: `2 … ${Math.max(2, bytes.length - 8)}`,
      found: bytes.length >= 8 ? length : `${bytes.length} bytes in all`,
    });
  }
  const { __metadata__: metadata = {}, ...described } = parseHeader(bytes.subarray(8, 8 + length), file);
  if (typeof metadata !== 'object' || metadata === null || !Object.values(metadata).every((text) => typeof text === 'string')) {
    throw new FormatError('Metadata', { file, key: '__metadata__', expected: 'texts by name', found: JSON.stringify(metadata) });
  }
  const body = bytes.subarray(8 + length);
  const entries = Object.entries(described).map(([name, entry]) => checkedEntry(name, entry, file));
  entries.sort((a, b) => a.from - b.from || a.until - b.until);
  let end = 0;
  for (const { name, from, until } of entries) {
    if (from !== end) {
      throw new FormatError(from < end ? 'Tensors overlap' : 'There is a hole between tensors', {
        file,
        key: `${name}.data_offsets`,
        expected: `from ${end}`,
        found: from,
      });
    }
    end = until;
  }
  if (end !== body.length) {
    throw new FormatError(end > body.length ? 'The tensors are cut short' : 'There are more data than the header says', {
      file,
      key: 'data_offsets',
      expected: `${end} bytes of tensors`,
      found: body.length,
    });
  }
  const tensors = new Map<string, NdArray>();
  const skipped = new Map<string, string>();
  for (const { name, dtype, shape, from, until } of entries) {
    const values = decodeTensor(body.subarray(from, until), dtype);
    if (values) tensors.set(name, array(shape, values));
    else skipped.set(name, dtype);
  }
  return { tensors, metadata: metadata as Record<string, string>, skipped };
}

function parseHeader(bytes: Uint8Array, file: string): Record<string, unknown> {
  let header: unknown;
  try {
    header = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new FormatError('The header is not JSON', { file, key: 'header', cause });
  }
  if (typeof header !== 'object' || header === null || Array.isArray(header)) {
    throw new FormatError('The header is no object', { file, key: 'header', expected: '{name: {dtype, shape, data_offsets}}' });
  }
  return header as Record<string, unknown>;
}

function checkedEntry(name: string, entry: unknown, file: string): Entry {
  const { dtype, shape, data_offsets: offsets } = (entry ?? {}) as Record<string, unknown>;
  const whole = (value: unknown): value is number[] =>
    Array.isArray(value) && value.every((n) => Number.isSafeInteger(n) && n >= 0);
  if (typeof dtype !== 'string' || !Object.hasOwn(bytesPerElement, dtype)) {
    throw new FormatError('Unknown type of tensor', {
      file,
      key: `${name}.dtype`,
      expected: Object.keys(bytesPerElement).join(' | '),
      found: dtype,
    });
  }
  if (!whole(shape))
    throw new FormatError('Shape of a tensor', { file, key: `${name}.shape`, expected: 'whole numbers ≥ 0', found: shape });
  const bytes = size(shape) * bytesPerElement[dtype as Dtype];
  if (!whole(offsets) || offsets.length !== 2 || offsets[1]! - offsets[0]! !== bytes) {
    throw new FormatError('Offsets of a tensor do not fit its shape', {
      file,
      key: `${name}.data_offsets`,
      expected: `[from, from + ${bytes}]`,
      found: offsets,
    });
  }
  return { name, dtype: dtype as Dtype, shape, from: offsets[0]!, until: offsets[1]! };
}

/** undefined: a type that is not read. */
function decodeTensor(bytes: Uint8Array, dtype: Dtype): Float32Array | undefined {
  if (dtype === 'F32') return decodeSamples(bytes, 'float32', true);
  if (dtype !== 'F16' && dtype !== 'BF16') return undefined;
  const out = new Float32Array(bytes.length / 2);
  const words = new Uint32Array(out.buffer); // the bits of the floats
  for (let i = 0; i < out.length; i++) {
    const half = bytes[2 * i]! | (bytes[2 * i + 1]! << 8);
    if (dtype === 'BF16') words[i] = half << 16;
    else out[i] = halfToNumber(half);
  }
  return out;
}

/** IEEE 754 binary16: sign, 5 bits of exponent, 10 of fraction. */
function halfToNumber(half: number): number {
  const sign = half & 0x8000 ? -1 : 1;
  const exponent = (half >> 10) & 31;
  const fraction = half & 1023;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction ? Number.NaN : sign * Infinity;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** F32, in the order given; the header is padded with spaces so that the tensors start at a multiple of 8. */
export function writeSafetensors(
  tensors: ReadonlyMap<string, NdArray>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array {
  let end = 0;
  const header: Record<string, unknown> = Object.keys(metadata).length > 0 ? { __metadata__: metadata } : {};
  for (const [name, { shape, data }] of tensors) {
    header[name] = { dtype: 'F32', shape: [...shape], data_offsets: [end, (end += 4 * data.length)] };
  }
  const text = new TextEncoder().encode(JSON.stringify(header));
  const start = 8 + Math.ceil(text.length / 8) * 8;
  const bytes = new Uint8Array(start + end).fill(0x20, 8, start);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(start - 8), true);
  bytes.set(text, 8);
  let at = start;
  for (const { data } of tensors.values()) {
    bytes.set(encodeFloat32(data), at);
    at += 4 * data.length;
  }
  return bytes;
}
