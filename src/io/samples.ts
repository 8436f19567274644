/** @file  Numbers as files keep them ↔ float32. Integers beyond 2²⁴ and doubles are rounded to float32, as everything inside is. */
import { FormatError } from '../core/errors.js';
import { halfToNumber, toHalves } from '../core/half.js';

export type SampleType =
  | 'int8'
  | 'uint8'
  | 'int16'
  | 'uint16'
  | 'int32'
  | 'uint32'
  | 'int64'
  | 'uint64'
  | 'float16'
  | 'bfloat16'
  | 'float32'
  | 'float64';

type Reader = (view: DataView, at: number, littleEndian: boolean) => number;

const readers: Record<SampleType, readonly [bytes: number, read: Reader]> = {
  int8: [1, (view, at) => view.getInt8(at)],
  uint8: [1, (view, at) => view.getUint8(at)],
  int16: [2, (view, at, little) => view.getInt16(at, little)],
  uint16: [2, (view, at, little) => view.getUint16(at, little)],
  int32: [4, (view, at, little) => view.getInt32(at, little)],
  uint32: [4, (view, at, little) => view.getUint32(at, little)],
  int64: [8, (view, at, little) => Number(view.getBigInt64(at, little))],
  uint64: [8, (view, at, little) => Number(view.getBigUint64(at, little))],
  float16: [2, (view, at, little) => halfToNumber(view.getUint16(at, little))],
  bfloat16: [2, (view, at, little) => bfloatToNumber(view.getUint16(at, little))],
  float32: [4, (view, at, little) => view.getFloat32(at, little)],
  float64: [8, (view, at, little) => view.getFloat64(at, little)],
};

const nativeIsLittle = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;

const bits = new Uint32Array(1);
const float = new Float32Array(bits.buffer);

/** The upper half of a float32. */
function bfloatToNumber(half: number): number {
  bits[0] = half << 16;
  return float[0]!;
}

export function bytesPerSample(type: SampleType): number {
  return readers[type][0];
}

/** The bytes themselves, whichever way they came. */
export function bytesOf(data: Uint8Array | ArrayBuffer): Uint8Array {
  return data instanceof Uint8Array ? data : new Uint8Array(data);
}

/** value = sample · scale + shift, all of `bytes`, which is not modified and not kept. */
export function decodeSamples(
  bytes: Uint8Array,
  type: SampleType,
  littleEndian: boolean,
  { scale = 1, shift = 0 }: { readonly scale?: number | undefined; readonly shift?: number | undefined } = {},
): Float32Array {
  const [width, read] = readers[type];
  const count = Math.floor(bytes.length / width);
  if (type === 'float32' && littleEndian === nativeIsLittle && scale === 1 && shift === 0) {
    const values = new Float32Array(count); // a copy: bytes may lie anywhere in a larger buffer, as Node's do
    new Uint8Array(values.buffer).set(bytes.subarray(0, count * 4));
    return values;
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const out = new Float32Array(count);
  for (let i = 0; i < count; i++) out[i] = read(view, i * width, littleEndian) * scale + shift;
  return out;
}

/** float16, little-endian, rounded to the nearest. */
export function encodeFloat16(values: Float32Array): Uint8Array {
  const out = new Uint8Array(values.length * 2);
  toHalves(values).forEach((half, i) => {
    out[2 * i] = half & 255;
    out[2 * i + 1] = half >> 8;
  });
  return out;
}

/** float32, little-endian. */
export function encodeFloat32(values: Float32Array): Uint8Array {
  const out = new Uint8Array(values.length * 4);
  if (nativeIsLittle) {
    out.set(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
  } else {
    const view = new DataView(out.buffer);
    for (let i = 0; i < values.length; i++) view.setFloat32(4 * i, values[i]!, true);
  }
  return out;
}

/**
 * The values themselves.
 * @throws FormatError telling how many are NaN or infinite.
 */
export function finiteSamples(values: Float32Array, file: string, key: string): Float32Array {
  let bad = 0;
  for (let i = 0; i < values.length; i++) if (!Number.isFinite(values[i]!)) bad++;
  if (bad > 0) {
    throw new FormatError(`${bad} of ${values.length} values are not finite`, {
      file,
      key,
      expected: 'finite numbers within float32',
      found: `${values.find((value) => !Number.isFinite(value))}`,
      hint: 'Is the byte order or the number format wrong? Otherwise replace NaN and infinity first.',
    });
  }
  return values;
}
