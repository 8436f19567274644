/** @file  Laws that every implementation of an interface obeys, for tests to share. */
import { expect } from 'vitest';
import { array, fill, type NdArray, size } from '../src/core/array.js';
import type { LinearOperator } from '../src/core/interfaces.js';
import { random } from '../src/core/random.js';

/** max |a − b| / max |b|. */
export function maxDifference(a: NdArray, b: NdArray): number {
  expect([...a.shape]).toEqual([...b.shape]);
  let largest = 0;
  let difference = 0;
  for (let i = 0; i < b.data.length; i++) {
    largest = Math.max(largest, Math.abs(b.data[i]!));
    difference = Math.max(difference, Math.abs(a.data[i]! - b.data[i]!));
  }
  return difference / (largest || 1);
}

/** Normal noise of a shape. */
export function noise(shape: readonly number[], seed = 1): NdArray {
  const { normal } = random(seed);
  return fill(shape, normal);
}

/** The adjoint is the transpose of the forward operator, entry by entry. For tiny operators. */
export async function expectMatchedTranspose(operator: LinearOperator, tolerance = 1e-6): Promise<void> {
  const rows = size(operator.outShape);
  const columns = size(operator.inShape);
  const unit = (shape: readonly number[], at: number): NdArray => fill(shape, (i) => (i === at ? 1 : 0));
  const matrix = array([rows, columns]);
  let largest = 0;
  for (let c = 0; c < columns; c++) {
    const { data } = await operator.forward(unit(operator.inShape, c));
    for (let r = 0; r < rows; r++) matrix.data[r * columns + c] = data[r]!;
  }
  for (const value of matrix.data) largest = Math.max(largest, Math.abs(value));
  expect(largest).toBeGreaterThan(0);
  for (let r = 0; r < rows; r++) {
    const { data } = await operator.adjoint(unit(operator.outShape, r));
    for (let c = 0; c < columns; c++) {
      const difference = Math.abs(data[c]! - matrix.data[r * columns + c]!);
      if (difference > tolerance * largest) expect.fail(`entry [${r}, ${c}]: ${matrix.data[r * columns + c]} and ${data[c]}`);
    }
  }
}

/** An aborted call rejects with the reason it was given, within a second. */
export async function expectAbort(call: (signal: AbortSignal) => Promise<unknown>, after = 30): Promise<void> {
  const controller = new AbortController();
  const reason = new Error('enough');
  let abortedAt = 0;
  setTimeout(() => {
    abortedAt = performance.now();
    controller.abort(reason);
  }, after);
  await expect(call(controller.signal)).rejects.toBe(reason);
  expect(abortedAt).toBeGreaterThan(0);
  expect(performance.now() - abortedAt).toBeLessThan(1000);
}
