import { describe, expect, it } from 'vitest';
import { fromHalves, halfToNumber, numberToHalf, toHalves } from '../../src/core/half.js';

describe('half precision', () => {
  it('every half is its own nearest half', () => {
    for (let half = 0; half < 65536; half++) {
      const value = halfToNumber(half);
      if (Number.isNaN(value)) expect(Number.isNaN(halfToNumber(numberToHalf(value)))).toBe(true);
      else if (numberToHalf(value) !== half) expect.fail(`${half} → ${value} → ${numberToHalf(value)}`);
    }
  });

  it('between two halves goes to the nearer, from the middle to the even one', () => {
    for (let half = 0; half < 0x7bff; half++) {
      const [low, high] = [halfToNumber(half), halfToNumber(half + 1)];
      const even = half % 2 === 0 ? half : half + 1;
      const found = [0.25, 0.5, 0.75].map((part) => numberToHalf(low + part * (high - low)));
      if (found[0] !== half || found[1] !== even || found[2] !== half + 1) expect.fail(`between ${low} and ${high}: ${found}`);
    }
  });

  // IEEE 754-2008, binary16
  it.each([
    [1, 0x3c00],
    [-2, 0xc000],
    [65504, 0x7bff],
    [65519.9, 0x7bff],
    [65520, 0x7c00],
    [1e9, 0x7c00],
    [2 ** -24, 0x0001],
    [2 ** -26, 0x0000],
    [-0, 0x8000],
  ])('%d is 0x%s', (value, half) => {
    expect(numberToHalf(value)).toBe(half);
  });

  it('converts arrays, also parts of larger ones', () => {
    const values = Float32Array.of(9, 1.5, -3, 0.1, 9).subarray(1, 4);
    const out = new Float32Array(5);
    fromHalves(toHalves(values), out, 2);
    expect([...out]).toEqual([0, 0, 1.5, -3, 0.0999755859375]);
  });
});
