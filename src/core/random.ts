/** @file  Seeded random numbers: Philox4x32-10, a counter-based generator, and what is drawn with it.
 *  Salmon et al. 2011, doi:10.1145/2063384.2063405. Counter-based means that the number at a place (a voxel, a step) can be had
 *  without drawing those before it, so a noise field belongs to its volume and not to the order of the work. */
import { array, type NdArray, type Point, type Shape3 } from './array.js';

/** A stream of random numbers. */
export interface Random {
  /** Uniform in [0, 1), 32 bits. */
  uniform(): number;
  /** Standard normal deviate. */
  normal(): number;
  /** Poisson deviate, exact for every mean ≥ 0. @throws RangeError for a negative or non-finite mean. */
  poisson(mean: number): number;
  /** Integer in [0, n). */
  integer(n: number): number;
}

/**
 * @param seed any integer below 2⁵³.
 * @param stream independent streams of one seed, e.g. one for each worker or purpose.
 */
export function random(seed: number, stream = 0): Random {
  const key = keyOf(seed);
  const block = new Uint32Array(4);
  let counter = 0;
  let used = 4;
  let spare: number | undefined;
  const bits = (): number => {
    if (used === 4) {
      philox(block, counter >>> 0, Math.floor(counter / 2 ** 32), stream >>> 0, 0, key[0], key[1]);
      counter++;
      used = 0;
    }
    return block[used++]!;
  };
  const uniform = (): number => bits() / 2 ** 32;
  const normal = (): number => {
    if (spare !== undefined) {
      const deviate = spare;
      spare = undefined;
      return deviate;
    }
    const radius = Math.sqrt(-2 * Math.log((bits() + 0.5) / 2 ** 32));
    const angle = 2 * Math.PI * uniform();
    spare = radius * Math.sin(angle);
    return radius * Math.cos(angle);
  };
  return { uniform, normal, poisson: (mean) => poisson(mean, uniform), integer: (n) => Math.floor(uniform() * n) };
}

/**
 * Standard normal field over a volume, every deviate a function of (seed, step, global voxel) alone: a tile cut out of the field is
 * the field of the tile. Normal deviates by Box & Muller.
 * @param at global index [z, y, x] of the first voxel.
 */
export function noiseField(shape: Shape3, seed: number, step = 0, at: Point = [0, 0, 0]): NdArray {
  const [key0, key1] = keyOf(seed);
  const field = array(shape);
  const block = new Uint32Array(4);
  for (let z = 0, i = 0; z < shape[0]; z++) {
    for (let y = 0; y < shape[1]; y++) {
      for (let x = 0; x < shape[2]; x++, i++) {
        philox(block, at[2] + x, at[1] + y, at[0] + z, (step + 1) >>> 0, key0, key1);
        field.data[i] = Math.sqrt(-2 * Math.log((block[0]! + 0.5) / 2 ** 32)) * Math.cos((2 * Math.PI * block[1]!) / 2 ** 32);
      }
    }
  }
  return field;
}

/** Philox4x32 with 10 rounds: counter (c0 … c3) and key (k0, k1), 32 bits each, to 4 × 32 random bits. */
export function philox(out: Uint32Array, c0: number, c1: number, c2: number, c3: number, k0: number, k1: number): void {
  for (let round = 0; round < 10; round++) {
    const high0 = multiplyHigh(0xd2511f53, c0);
    const high1 = multiplyHigh(0xcd9e8d57, c2);
    const low0 = Math.imul(0xd2511f53, c0);
    const low1 = Math.imul(0xcd9e8d57, c2);
    c0 = high1 ^ c1 ^ k0;
    c1 = low1;
    c2 = high0 ^ c3 ^ k1;
    c3 = low0;
    k0 = (k0 + 0x9e3779b9) | 0;
    k1 = (k1 + 0xbb67ae85) | 0;
  }
  out[0] = c0;
  out[1] = c1;
  out[2] = c2;
  out[3] = c3;
}

/** Upper 32 bits of the unsigned product, from 16-bit halves. */
function multiplyHigh(a: number, b: number): number {
  const aHigh = a >>> 16;
  const aLow = a & 0xffff;
  const bHigh = b >>> 16;
  const bLow = b & 0xffff;
  const middle = aHigh * bLow + ((aLow * bLow) >>> 16);
  const carry = aLow * bHigh + (middle % 0x10000);
  return (aHigh * bHigh + Math.floor(middle / 0x10000) + Math.floor(carry / 0x10000)) | 0;
}

function keyOf(seed: number): [number, number] {
  if (!Number.isSafeInteger(seed)) throw new RangeError(`seed: expected an integer below 2^53, found ${seed}`);
  return [seed | 0, Math.floor(seed / 2 ** 32) | 0];
}

/** Below a mean of 10 by multiplication of uniforms (Knuth); above by Hörmann's transformed rejection PTRS,
 *  Hörmann 1993, doi:10.1016/0167-6687(93)90997-4, which is exact too. */
function poisson(mean: number, uniform: () => number): number {
  if (!(mean >= 0 && mean < Infinity)) throw new RangeError(`Poisson mean: expected a finite number ≥ 0, found ${mean}`);
  if (mean < 10) {
    const limit = Math.exp(-mean);
    let k = 0;
    for (let product = uniform(); product > limit; product *= uniform()) k++;
    return mean === 0 ? 0 : k;
  }
  const b = 0.931 + 2.53 * Math.sqrt(mean);
  const a = -0.059 + 0.02483 * b;
  const inverseAlpha = 1.1239 + 1.1328 / (b - 3.4);
  const squeeze = 0.9277 - 3.6224 / (b - 2);
  for (;;) {
    const u = uniform() - 0.5;
    const v = uniform();
    const us = 0.5 - Math.abs(u);
    const k = Math.floor(((2 * a) / us + b) * u + mean + 0.43);
    if (us >= 0.07 && v <= squeeze) return k;
    if (k < 0 || (us < 0.013 && v > us)) continue;
    if (Math.log((v * inverseAlpha) / (a / (us * us) + b)) <= k * Math.log(mean) - mean - logFactorial(k)) return k;
  }
}

const smallLogFactorials: readonly number[] = Array.from({ length: 11 }, (_, k) => {
  let product = 1;
  for (let factor = 2; factor <= k; factor++) product *= factor;
  return Math.log(product);
});

/** ln k!, by Stirling's series above 10 (error below 1e-12 there). */
export function logFactorial(k: number): number {
  if (k <= 10) return smallLogFactorials[k]!;
  const r = 1 / k;
  const series = r * (1 / 12 - r * r * (1 / 360 - r * r * (1 / 1260 - (r * r) / 1680)));
  return (k + 0.5) * Math.log(k) - k + 0.5 * Math.log(2 * Math.PI) + series;
}
