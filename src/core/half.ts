/** @file  IEEE 754 binary16 (half precision): sign, 5 bits of exponent, 10 of fraction. */

const bits = new Uint32Array(1);
const float = new Float32Array(bits.buffer);

export function halfToNumber(half: number): number {
  const sign = half & 0x8000 ? -1 : 1;
  const exponent = (half >> 10) & 31;
  const fraction = half & 1023;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction ? Number.NaN : sign * Infinity;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** The nearest, ties to even; from 65520 infinite. */
export function numberToHalf(value: number): number {
  float[0] = value;
  return wordToHalf(bits[0]!);
}

/** From the bits of a float32. */
function wordToHalf(word: number): number {
  const sign = (word >>> 16) & 0x8000;
  const magnitude = word & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00;
  if (magnitude >= 0x47800000) return sign | 0x7c00;
  if (magnitude >= 0x38800000) return sign | ((magnitude - 0x38000000 + 0xfff + ((magnitude >>> 13) & 1)) >>> 13);
  bits[0] = magnitude;
  return sign | roundHalfEven(float[0]! * 2 ** 24); // subnormal
}

/** To the nearest integer, ties to even. */
function roundHalfEven(x: number): number {
  const below = Math.floor(x);
  const rest = x - below;
  return rest > 0.5 || (rest === 0.5 && below % 2 !== 0) ? below + 1 : below;
}

export function toHalves(values: Float32Array): Uint16Array {
  const words = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const out = new Uint16Array(values.length);
  for (let i = 0; i < out.length; i++) out[i] = wordToHalf(words[i]!);
  return out;
}

let table: Float32Array | undefined;

/** Writes the values of `halves` into `out` from `at` on. */
export function fromHalves(halves: Uint16Array, out: Float32Array, at = 0): void {
  table ??= Float32Array.from({ length: 65536 }, (_, half) => halfToNumber(half));
  for (let i = 0; i < halves.length; i++) out[at + i] = table[halves[i]!]!;
}
