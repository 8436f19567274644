import ndarray from 'ndarray';
import { describe, expect, it } from 'vitest';
import { array, contiguous, dot, expectShape, fill, isContiguous, total } from '../../src/core/array.js';
import { FormatError, ShapeError } from '../../src/core/errors.js';
import { affineOf, centredGrid, petImage } from '../../src/core/image.js';
import { last, turn } from '../../src/core/iterate.js';

describe('array', () => {
  it('lets the last index run fastest', () => {
    expect(fill([2, 3, 4], (i) => i).get(1, 2, 3)).toBe(23);
    expect(fill([2, 3, 4], (i) => i).get(1, 0, 2)).toBe(14);
  });
  it('refuses data that do not fill the shape, and says how many would', () => {
    expect(() => array([2, 3], new Float32Array(5))).toThrow(/6 values for \[2, 3\], found 5/);
  });
  it('brings any strided view to C order, and leaves what already is', () => {
    const x = fill([2, 3, 4], (i) => i);
    expect(contiguous(x)).toBe(x);
    const transposed = contiguous(x.transpose(2, 0, 1));
    expect(transposed.shape).toEqual([4, 2, 3]);
    expect(transposed.get(3, 1, 2)).toBe(23);
    const cut = contiguous(x.lo(1, 1, 1).step(1, 1, 2));
    expect([...cut.data]).toEqual([17, 19, 21, 23]);
    expect(isContiguous(ndarray(new Float32Array(8), [2, 3], [3, 1], 1))).toBe(false);
  });
  it('names the array that has the wrong shape', () => {
    expect(() => expectShape(array([2, 3]), [3, 2], 'prompts')).toThrow(ShapeError);
    expect(() => expectShape(array([2, 3]), [3, 2], 'prompts')).toThrow(/prompts.*\[3, 2\].*\[2, 3\]/);
  });
  it('sums in double', () => {
    const big = fill([3], (i) => (i === 0 ? 2 ** 25 : 1));
    expect(total(big)).toBe(2 ** 25 + 2);
    expect(
      dot(
        big,
        fill([3], () => 1),
      ),
    ).toBe(2 ** 25 + 2);
  });
});

describe('errors', () => {
  it('say file, key, expectation, finding and the likely slip, and keep the cause', () => {
    const cause = new Error('inner');
    const error = new FormatError('Header', {
      file: 'a.hs',
      key: 'matrix size [1]',
      expected: 'a number',
      found: 'x',
      hint: 'A comma?',
      cause,
    });
    expect(error.message).toBe('a.hs: Header (matrix size [1]): expected a number, found "x". A comma?');
    expect(error.name).toBe('FormatError');
    expect(error.cause).toBe(cause);
  });
});

describe('images', () => {
  it('are centred on the origin, odd or even', () => {
    const grid = centredGrid([3, 4, 5], [2, 3, 1]);
    expect(grid.origin).toEqual([-2, -4.5, -2]);
    expect([...affineOf(grid)]).toEqual([1, 0, 0, -2, 0, 3, 0, -4.5, 0, 0, 2, -2, 0, 0, 0, 1]);
  });
  it('refuse a voxel size that cannot be', () => {
    expect(() => petImage(centredGrid([1, 1, 1], [2, 0, 2]), array([1, 1, 1]), 'SUV')).toThrow(/Voxel size/);
  });
});

describe('iteration', () => {
  async function* count(n: number, signal?: AbortSignal): AsyncGenerator<number> {
    for (let i = 1; i <= n; i++) {
      await turn(signal);
      yield i;
    }
  }
  it('returns the last step and shows every step', async () => {
    const seen: number[] = [];
    expect(await last(count(3), (step) => seen.push(step))).toBe(3);
    expect(seen).toEqual([1, 2, 3]);
    await expect(last(count(0))).rejects.toThrow(RangeError);
  });
  it('stops with the given reason although nothing but promises is awaited', async () => {
    const controller = new AbortController();
    const reason = new Error('enough');
    setTimeout(() => controller.abort(reason), 5);
    await expect(last(count(1e7, controller.signal))).rejects.toBe(reason);
  });
});
