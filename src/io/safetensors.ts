/** @file  safetensors: 8 bytes of header length (little-endian), a JSON header, then the tensors one after the other.
 *  https://huggingface.co/docs/safetensors. Read: F32, F16, BF16 as float32. Written: F32, F16. */
import { array, type NdArray, size } from '../core/array.js';
import type { ByteSource } from '../core/bytes.js';
import { FormatError } from '../core/errors.js';
import type { CheckpointTensor } from './checkpoint.js';
import { bytesOf, decodeSamples, encodeFloat16, encodeFloat32, type SampleType } from './samples.js';

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
/** Headers beyond this are absurd: the limit of the format's own library. */
const maxHeader = 100_000_000;
/** What is read as numbers. */
const sampleType: Partial<Record<Dtype, SampleType>> = { F32: 'float32', F16: 'float16', BF16: 'bfloat16' };

export interface Safetensors {
  /** By name, in the order of the data. */
  readonly tensors: ReadonlyMap<string, NdArray>;
  readonly metadata: Readonly<Record<string, string>>;
  /** Tensors of other types than F32, F16, BF16 (counters, say), which were checked and not read: name → dtype. */
  readonly skipped: ReadonlyMap<string, string>;
}

/** One tensor of a file. */
export interface Entry {
  readonly name: string;
  readonly dtype: Dtype;
  readonly shape: readonly number[];
  readonly from: number;
  readonly until: number;
}

/** What a header says: which tensors there are, and where in the file. */
export interface SafetensorsHeader {
  /** In the order of the data; bytes [from, until) of the file. */
  readonly entries: readonly Entry[];
  readonly metadata: Readonly<Record<string, string>>;
}

/** @throws FormatError naming the tensor when sizes, offsets or types contradict one another, or the file is cut short. */
export function readSafetensors(data: Uint8Array | ArrayBuffer, file: string): Safetensors {
  const bytes = bytesOf(data);
  const { entries, metadata } = readSafetensorsHeader(bytes, bytes.length, file);
  const tensors = new Map<string, NdArray>();
  const skipped = new Map<string, string>();
  for (const { name, dtype, shape, from, until } of entries) {
    const type = sampleType[dtype];
    if (type === undefined) skipped.set(name, dtype);
    else tensors.set(name, array(shape, decodeSamples(bytes.subarray(from, until), type, true)));
  }
  return { tensors, metadata, skipped };
}

/** As `readSafetensors`, without the values: each tensor is read when it is asked for. Types that are not read are left out. */
export async function openSafetensors(source: ByteSource): Promise<Map<string, CheckpointTensor>> {
  const first = await source.read(0, Math.min(8, source.size));
  const length = headerLength(first, Math.min(source.size, 8 + maxHeader), source.name);
  const { entries } = readSafetensorsHeader(await source.read(0, 8 + length), source.size, source.name);
  return new Map(
    entries.flatMap(({ name, dtype, shape, from, until }): [string, CheckpointTensor][] => {
      const type = sampleType[dtype];
      if (type === undefined) return [];
      const read = async (): Promise<Float32Array> => decodeSamples(await source.read(from, until - from), type, true);
      return [[name, { shape, type, read }]];
    }),
  );
}

/** @param total bytes of the whole file. */
function headerLength(bytes: Uint8Array, total: number, file: string): number {
  const length =
    bytes.length >= 8 ? Number(new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getBigUint64(0, true)) : Number.NaN;
  if (!(length >= 2 && length <= total - 8)) {
    throw new FormatError('Not safetensors, or cut short', {
      file,
      key: 'header length',
      expected: total < 10 ? '10 bytes or more' : `2 … ${total - 8}`,
      found: bytes.length >= 8 ? length : `${total} bytes in all`,
      hint: 'Weights are read from .safetensors, and from the .pt and .ckpt of PyTorch: is it another kind of file?',
    });
  }
  return length;
}

/**
 * Reads the header alone, for files of which only parts are wanted.
 * @param bytes the beginning of the file, the whole header at least. @param fileLength bytes in the file.
 * @throws FormatError as `readSafetensors`.
 */
export function readSafetensorsHeader(bytes: Uint8Array, fileLength: number, file: string): SafetensorsHeader {
  const length = headerLength(bytes, fileLength, file);
  const start = 8 + length;
  const { __metadata__: metadata = {}, ...described } = parseHeader(bytes.subarray(8, start), file);
  if (typeof metadata !== 'object' || metadata === null || !Object.values(metadata).every((text) => typeof text === 'string')) {
    throw new FormatError('Metadata', { file, key: '__metadata__', expected: 'texts by name', found: JSON.stringify(metadata) });
  }
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
  const body = fileLength - start;
  if (end !== body) {
    throw new FormatError(end > body ? 'The tensors are cut short' : 'There are more data than the header says', {
      file,
      key: 'data_offsets',
      expected: `${end} bytes of tensors`,
      found: body,
    });
  }
  return {
    entries: entries.map(({ from, until, ...rest }) => ({ ...rest, from: start + from, until: start + until })),
    metadata: metadata as Record<string, string>,
  };
}

function parseHeader(bytes: Uint8Array, file: string): Record<string, unknown> {
  let header: unknown;
  try {
    header = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new FormatError('Not safetensors: the header is not JSON', { file, key: 'header', cause });
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

/** F32, in the order given. */
export function writeSafetensors(
  tensors: ReadonlyMap<string, NdArray>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array {
  const shapes = new Map([...tensors].map(([name, { shape }]) => [name, shape]));
  const parts = [safetensorsHeader(shapes, 'F32', metadata), ...[...tensors.values()].map(({ data }) => encodeFloat32(data))];
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

/**
 * The beginning of a file, for writing large ones piece by piece: the tensors follow in this order, each as `encodeTensor` gives it. Padded with
 * spaces so that they start at a multiple of 8.
 */
export function safetensorsHeader(
  shapes: ReadonlyMap<string, readonly number[]>,
  dtype: 'F32' | 'F16',
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array {
  let end = 0;
  const header: Record<string, unknown> = Object.keys(metadata).length > 0 ? { __metadata__: metadata } : {};
  for (const [name, shape] of shapes) {
    header[name] = { dtype, shape: [...shape], data_offsets: [end, (end += bytesPerElement[dtype] * size(shape))] };
  }
  const text = new TextEncoder().encode(JSON.stringify(header));
  const start = 8 + Math.ceil(text.length / 8) * 8;
  const bytes = new Uint8Array(start).fill(0x20, 8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(start - 8), true);
  bytes.set(text, 8);
  return bytes;
}

/** Values as a file keeps them; F16 rounds to the nearest. */
export function encodeTensor(values: Float32Array, dtype: 'F32' | 'F16'): Uint8Array {
  return dtype === 'F32' ? encodeFloat32(values) : encodeFloat16(values);
}
