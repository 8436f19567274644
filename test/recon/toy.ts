/** Small dense systems whose every entry is known: y ~ Poisson(A x + b), bins dealt to the subsets in turn. */
import { array, fill, type NdArray, type Volume } from '../../src/core/array.js';
import type { LinearOperator, PoissonSubset } from '../../src/core/interfaces.js';
import { random } from '../../src/core/random.js';

/** Rows of A. */
export type Matrix = readonly (readonly number[])[];

export function volume(values: ArrayLike<number>): Volume {
  return fill([1, 1, values.length], (i) => values[i]!);
}

export function matrixOperator(rows: Matrix, inShape: readonly number[] = [1, 1, rows[0]!.length]): LinearOperator {
  const n = rows[0]!.length;
  const a = Float64Array.from(rows.flat());
  return {
    inShape,
    outShape: [rows.length],
    forward: async (x) =>
      fill([rows.length], (i) => {
        let sum = 0;
        for (let j = 0; j < n; j++) sum += a[i * n + j]! * x.data[j]!;
        return sum;
      }),
    adjoint: async (y) => {
      const sum = new Float64Array(n);
      for (let i = 0; i < rows.length; i++) for (let j = 0; j < n; j++) sum[j]! += a[i * n + j]! * y.data[i]!;
      return array(inShape, Float32Array.from(sum));
    },
  };
}

/** K subsets of the rows: i belongs to i mod K. */
export function subsetsOf(a: Matrix, y: ArrayLike<number>, b: ArrayLike<number>, count: number): PoissonSubset[] {
  return Array.from({ length: count }, (_, k) => {
    const bins = a.map((_, i) => i).filter((i) => i % count === k);
    const part = (values: ArrayLike<number>): NdArray => fill([bins.length], (i) => values[bins[i]!]!);
    const rows = bins.map((i) => a[i]!);
    const sensitivity = volume(rows[0]!.map((_, j) => rows.reduce((sum, row) => sum + row[j]!, 0)));
    return { model: matrixOperator(rows), prompts: part(y), background: part(b), sensitivity };
  });
}

export function times(a: Matrix, x: ArrayLike<number>, b: ArrayLike<number> = []): number[] {
  return a.map((row, i) => row.reduce((sum, aij, j) => sum + aij * x[j]!, b[i] ?? 0));
}

/** Non-negative, sparse, without symmetry. */
export function randomMatrix(bins: number, voxels: number, seed: number): Matrix {
  const r = random(seed);
  return Array.from({ length: bins }, () => Array.from({ length: voxels }, () => (r.uniform() < 0.5 ? 0 : r.uniform())));
}

/** One-dimensional "tomography": each bin sees a smooth window of the line, of uneven width, place and efficiency. */
export function windowMatrix(bins: number, voxels: number, seed: number, scale = 1): Matrix {
  const r = random(seed);
  return Array.from({ length: bins }, (_, i) => {
    const centre = ((i + 0.3 + 0.5 * r.uniform()) * voxels) / bins;
    const width = 1.2 + 2.5 * r.uniform();
    const efficiency = scale * (0.6 + 0.8 * r.uniform());
    return Array.from({ length: voxels }, (_, j) => efficiency * Math.exp(-(((j - centre) / width) ** 2) / 2));
  });
}

export function poissonDraw(mean: readonly number[], seed: number): number[] {
  const r = random(seed);
  return mean.map((m) => r.poisson(m));
}

export function maxDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  return Array.from(a, (value, i) => Math.abs(value - b[i]!)).reduce((most, d) => Math.max(most, d), 0);
}
