import { describe, expect, it } from 'vitest';
import { logFactorial, noiseField, philox, random } from '../../src/core/random.js';

const hex = (block: Uint32Array): string => [...block].map((b) => b.toString(16).padStart(8, '0')).join(' ');

describe('Philox4x32-10', () => {
  // Known answers of the Random123 distribution, kat_vectors (D. E. Shaw Research).
  it.each([
    [[0, 0, 0, 0, 0, 0], '6627e8d5 e169c58d bc57ac4c 9b00dbd8'],
    [[-1, -1, -1, -1, -1, -1], '408f276d 41c83b0e a20bc7c6 6d5451fd'],
    [[0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344, 0xa4093822, 0x299f31d0], 'd16cfe09 94fdcceb 5001e420 24126ea1'],
  ])('gives the published block for %j', (words, expected) => {
    const out = new Uint32Array(4);
    philox(out, ...(words as [number, number, number, number, number, number]));
    expect(hex(out)).toBe(expected);
  });
});

/** Chi-square of observed counts against probabilities, in units of its standard deviation. */
function chiSquareScore(observed: Map<number, number>, n: number, probability: (k: number) => number): number {
  let chi = 0;
  let cells = 0;
  for (const [k, count] of observed) {
    const expected = n * probability(k);
    if (expected < 5) continue;
    chi += (count - expected) ** 2 / expected;
    cells++;
  }
  return (chi - cells) / Math.sqrt(2 * cells);
}

describe('random', () => {
  it('repeats for the same seed and differs between seeds and streams', () => {
    const draw = (seed: number, stream?: number): number[] => {
      const r = random(seed, stream);
      return [r.uniform(), r.normal(), r.poisson(3), r.poisson(3e4)];
    };
    expect(draw(7)).toEqual(draw(7));
    expect(draw(7)).not.toEqual(draw(8));
    expect(draw(7, 1)).not.toEqual(draw(7));
    expect(draw(2 ** 40 + 7)).not.toEqual(draw(7));
  });

  it.each([0.3, 4, 9.99, 10.01, 37, 1e3])('draws Poisson deviates of mean %d from the exact distribution', (mean) => {
    const r = random(11);
    const n = 60000;
    const counts = new Map<number, number>();
    for (let i = 0; i < n; i++) {
      const k = r.poisson(mean);
      counts.set(k, (counts.get(k) ?? 0) + 1);
    }
    const probability = (k: number): number => Math.exp(k * Math.log(mean) - mean - logFactorial(k));
    expect(Math.abs(chiSquareScore(counts, n, probability))).toBeLessThan(4);
  });

  it('keeps mean and variance of Poisson deviates at very large means', () => {
    const r = random(3);
    const mean = 2.5e8;
    let sum = 0;
    let squares = 0;
    for (let i = 0; i < 20000; i++) {
      const d = (r.poisson(mean) - mean) / Math.sqrt(mean);
      sum += d;
      squares += d * d;
    }
    expect(Math.abs(sum / 20000)).toBeLessThan(0.03);
    expect(Math.abs(squares / 20000 - 1)).toBeLessThan(0.04);
  });

  it('returns 0 for a mean of 0 and refuses means that cannot be', () => {
    const r = random(1);
    expect(r.poisson(0)).toBe(0);
    expect(() => r.poisson(-1)).toThrow(RangeError);
    expect(() => r.poisson(Number.NaN)).toThrow(RangeError);
  });
});

describe('noiseField', () => {
  it('belongs to the volume: a tile of the field is the field of the tile', () => {
    const whole = noiseField([7, 9, 11], 5, 2);
    const tile = noiseField([3, 4, 5], 5, 2, [2, 3, 6]);
    for (let z = 0; z < 3; z++)
      for (let y = 0; y < 4; y++) for (let x = 0; x < 5; x++) expect(tile.get(z, y, x)).toBe(whole.get(z + 2, y + 3, x + 6));
  });

  it('is standard normal, and another field at another step', () => {
    const a = noiseField([20, 40, 50], 1, 0);
    const b = noiseField([20, 40, 50], 1, 1);
    const moment = (f: (i: number) => number): number => a.data.reduce((sum, _, i) => sum + f(i), 0) / a.data.length;
    expect(Math.abs(moment((i) => a.data[i]!))).toBeLessThan(0.02);
    expect(Math.abs(moment((i) => a.data[i]! ** 2) - 1)).toBeLessThan(0.03);
    expect(Math.abs(moment((i) => a.data[i]! ** 4) - 3)).toBeLessThan(0.3);
    expect(Math.abs(moment((i) => a.data[i]! * b.data[i]!))).toBeLessThan(0.02);
  });
});

describe('logFactorial', () => {
  it('equals the sum of logarithms', () => {
    let sum = 0;
    for (let k = 1; k <= 300; k++) expect(logFactorial(k)).toBeCloseTo((sum += Math.log(k)), 9);
  });
});
