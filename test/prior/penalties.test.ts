import { describe, expect, it } from 'vitest';
import { array, fill, type Shape3, type Volume } from '../../src/core/array.js';
import { OptionError, ShapeError } from '../../src/core/errors.js';
import { centredGrid, type Grid } from '../../src/core/image.js';
import type { Penalty } from '../../src/core/interfaces.js';
import { random } from '../../src/core/random.js';
import { bowsher } from '../../src/prior/bowsher.js';
import { faceNeighbours } from '../../src/prior/neighbours.js';
import { quadratic } from '../../src/prior/quadratic.js';
import { rdp, rdpEpsilon } from '../../src/prior/rdp.js';

const shape: Shape3 = [3, 4, 5];
const grid = centredGrid(shape, [4.1, 2.3, 3]);
const r = random(7);
const x = fill(shape, () => 0.2 + 3 * r.uniform());
const kappa = fill(shape, () => 0.5 + r.uniform());
const anatomy = fill(shape, () => Math.round(4 * r.uniform()));

/** Σ over ordered pairs of neighbours of w κ κ ½ φ, every voxel against every other: the definition, without directions or runs. */
function bruteForce(
  { shape: [nz, ny, nx], voxelSize }: Grid,
  image: Volume,
  phi: (a: number, b: number) => number,
  k?: Volume,
  counts: (step: readonly number[]) => boolean = () => true,
): number {
  let sum = 0;
  const place = (j: number): number[] => [Math.floor(j / (ny * nx)), Math.floor(j / nx) % ny, j % nx];
  for (let j = 0; j < nz * ny * nx; j++) {
    for (let i = 0; i < nz * ny * nx; i++) {
      const step = place(j).map((c, axis) => c - place(i)[axis]!);
      if (i === j || step.some((c) => Math.abs(c) > 1) || !counts(step)) continue;
      const weight = voxelSize[2] / Math.hypot(...step.map((c, axis) => c * voxelSize[axis]!));
      sum += (weight * (k ? k.data[i]! * k.data[j]! : 1) * phi(image.data[i]!, image.data[j]!)) / 2;
    }
  }
  return sum;
}

/** Largest difference of the derivatives from central differences of the value, as a share of the largest. */
async function derivativeError(penalty: Penalty, at: Volume): Promise<{ gradient: number; curvature: number }> {
  const { gradient, curvature } = await penalty.derivatives(at);
  const step = 2 ** -7;
  const value = await penalty.value(at);
  const errors = { gradient: 0, curvature: 0 };
  const most = (a: Volume): number => a.data.reduce((m, v) => Math.max(m, Math.abs(v)), 0);
  for (let j = 0; j < at.data.length; j++) {
    const moved = (by: number): Promise<number> => penalty.value(fill(shape, (i) => at.data[i]! + (i === j ? by : 0)));
    const [up, down] = [await moved(step), await moved(-step)];
    errors.gradient = Math.max(errors.gradient, Math.abs((up - down) / (2 * step) - gradient.data[j]!) / most(gradient));
    errors.curvature = Math.max(
      errors.curvature,
      Math.abs((up - 2 * value + down) / step ** 2 - curvature.data[j]!) / most(curvature),
    );
  }
  return errors;
}

describe('relative difference prior', () => {
  it('is its definition over all ordered pairs of the 26-neighbourhood, anisotropic, with κ', async () => {
    const [gamma, epsilon] = [1.7, 0.05];
    const phi = (a: number, b: number): number => (a - b) ** 2 / (a + b + gamma * Math.abs(a - b) + epsilon);
    const value = await rdp(grid, { beta: 0.3, gamma, epsilon, kappa }).value(x);
    expect(value / (0.3 * bruteForce(grid, x, phi, kappa))).toBeCloseTo(1, 6);
  });

  it('has the gradient and the diagonal of the Hessian that finite differences give', async () => {
    const neighbourhood = await bowsher(anatomy, grid, { neighbours: 6 });
    for (const options of [{ beta: 1 }, { beta: 2, gamma: 0.5, epsilon: 0.1, kappa, neighbourhood }]) {
      const errors = await derivativeError(rdp(grid, options), x);
      expect(errors.gradient).toBeLessThan(5e-4);
      expect(errors.curvature).toBeLessThan(5e-3);
    }
  });

  it('is degree one: twice the activity costs twice as much; flat images cost nothing', async () => {
    const penalty = rdp(grid, { beta: 1 });
    const doubled = await penalty.value(fill(shape, (i) => 2 * x.data[i]!));
    expect(doubled / (await penalty.value(x))).toBeCloseTo(2, 6);
    expect(await penalty.value(fill(shape, () => 3))).toBe(0);
  });

  it('is the quadratic penalty with weight 2/(a + b) for small differences', async () => {
    const near = fill(shape, (i) => 5 + 1e-2 * x.data[i]!);
    const ratio = (await rdp(grid, { beta: 1 }).value(near)) / (await quadratic(grid, { beta: 2 / 10.036 }).value(near));
    expect(ratio).toBeCloseTo(1, 2);
  });

  it('is finite where the image is 0, with and without ε', async () => {
    const half = fill(shape, (i) => (i % 3 === 0 ? x.data[i]! : 0));
    for (const epsilon of [0, rdpEpsilon(half)]) {
      const penalty = rdp(grid, { beta: 1, epsilon });
      const { gradient, curvature } = await penalty.derivatives(half);
      expect([...gradient.data, ...curvature.data, await penalty.value(half)].every(Number.isFinite)).toBe(true);
    }
  });

  it('refuses what cannot be', async () => {
    expect(() => rdp(grid, { beta: -1 })).toThrow(OptionError);
    expect(() => rdp(grid, { beta: 1, gamma: Number.NaN })).toThrow(/gamma/);
    expect(() => rdp(grid, { beta: 1, kappa: array([1, 2, 3]) })).toThrow(ShapeError);
    expect(() => rdp(grid, { beta: 1, kappa: fill(shape, () => -1) })).toThrow(/kappa/);
    await expect(rdp(grid, { beta: 1 }).value(array([2, 2, 2]))).rejects.toThrow(ShapeError);
    const elsewhere = await bowsher(array([2, 2, 2]), centredGrid([2, 2, 2], [1, 1, 1]));
    expect(() => rdp(grid, { beta: 1, neighbourhood: elsewhere })).toThrow(ShapeError);
  });
});

describe('quadratic penalty', () => {
  it('is its definition, and has its derivatives', async () => {
    const penalty = quadratic(grid, { beta: 0.7, kappa });
    expect((await penalty.value(x)) / (0.7 * bruteForce(grid, x, (a, b) => (a - b) ** 2 / 2, kappa))).toBeCloseTo(1, 6);
    const errors = await derivativeError(penalty, x);
    expect(errors.gradient).toBeLessThan(1e-4);
    expect(errors.curvature).toBeLessThan(1e-3);
  });

  it('counts only the steps asked for: those through a face, those along z', async () => {
    const square = (a: number, b: number): number => (a - b) ** 2 / 2;
    const faces = (step: readonly number[]): boolean => step.reduce((sum, c) => sum + Math.abs(c), 0) === 1;
    const near = await quadratic(grid, { beta: 1, kappa, steps: faceNeighbours }).value(x);
    expect(near / bruteForce(grid, x, square, kappa, faces)).toBeCloseTo(1, 6);
    const alongZ = await quadratic(grid, { beta: 1, steps: ([, y, x]) => y === 0 && x === 0 }).value(x);
    expect(alongZ / bruteForce(grid, x, square, undefined, ([, y, x]) => y === 0 && x === 0)).toBeCloseTo(1, 6);
  });

  it('lies below its surrogate everywhere, and touches it where it was made', async () => {
    const penalty = quadratic(grid, { beta: 0.7, kappa });
    const { rho, anchor } = await penalty.surrogate(x);
    const above = (image: Volume): number =>
      image.data.reduce((sum, value, j) => sum + (rho.data[j]! / 2) * (value - anchor.data[j]!) ** 2, 0);
    const here = (await penalty.value(x)) - above(x);
    for (let trial = 0; trial < 20; trial++) {
      const other = fill(shape, () => 4 * r.uniform());
      expect((await penalty.value(other)) - above(other)).toBeLessThan(here + 1e-4);
    }
    const { gradient } = await penalty.derivatives(x);
    for (let j = 0; j < x.data.length; j++) {
      expect(rho.data[j]! * (x.data[j]! - anchor.data[j]!)).toBeCloseTo(gradient.data[j]!, 4);
    }
  });
});

describe('Bowsher neighbourhoods', () => {
  it('leave the penalty as it was where the anatomy is flat', async () => {
    const neighbourhood = await bowsher(
      fill(shape, () => 2),
      grid,
      { neighbours: 3 },
    );
    expect(await rdp(grid, { beta: 1, neighbourhood }).value(x)).toBe(await rdp(grid, { beta: 1 }).value(x));
  });

  it('let an edge of the anatomy cost nothing, and an edge elsewhere as much as before', async () => {
    const big = centredGrid([4, 8, 8], [2, 2, 2]);
    const along = (axis: (i: number) => number): Volume => fill(big.shape, (i) => (axis(i) < 4 ? 1 : 3));
    const edgeX = along((i) => i % 8);
    const edgeY = along((i) => Math.floor(i / 8) % 8);
    const guided = rdp(big, { beta: 1, neighbourhood: await bowsher(edgeX, big, { neighbours: 7 }) });
    expect(await guided.value(edgeX)).toBe(0);
    expect((await guided.value(edgeY)) / (await rdp(big, { beta: 1 }).value(edgeY))).toBeGreaterThan(0.7);
  });

  it('count, of 26, the nearest in anatomy: checked voxel by voxel against a sorted list', async () => {
    const line = centredGrid([1, 1, 9], [1, 1, 1]);
    const values = fill([1, 1, 9], (i) => [0, 5, 6, 1, 9, 9.5, 2, 2.1, 7][i]!);
    const counted = (await bowsher(values, line, { neighbours: 1 }))[0]!;
    // Nearest neighbour on the line: 0→1, 1→2, 2→1, 3→2 (5 < 8), 4→5, 5→4, 6→7, 7→6, 8→7.
    expect([...counted]).toEqual([1, 2, 1, 0, 2, 0, 2, 1, 0]);
  });

  it('refuses anatomies that do not fit', async () => {
    await expect(bowsher(array([1, 2, 3]), grid)).rejects.toThrow(ShapeError);
    await expect(bowsher(anatomy, grid, { neighbours: 0 })).rejects.toThrow(OptionError);
  });
});
