import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { array, fill, type NdArray, type Point, total } from '../../src/core/array.js';
import { GeometryError, ShapeError } from '../../src/core/errors.js';
import { centredGrid, type Grid } from '../../src/core/image.js';
import { random } from '../../src/core/random.js';
import { type Lines, linesOf } from '../../src/geometry/lines.js';
import { scannerByName } from '../../src/geometry/scanners.js';
import { sinogramLayout } from '../../src/geometry/sinogram.js';
import { adjointError } from '../../src/projector/adjoint-error.js';
import { type ProjectorEngine, referenceEngine } from '../../src/projector/engine.js';
import { expectAbort, expectMatchedTranspose, maxDifference, noise } from '../laws.js';
import { blockScanner, engines, oddGrids, oddScanner, shifted, tinyScanner } from './engines.js';

const lines = (...rows: readonly (readonly [Point, Point])[]): Lines => ({
  start: Float32Array.from(rows.flatMap(([start]) => start)),
  end: Float32Array.from(rows.flatMap(([, end]) => end)),
});
const everyOther = (views: number): number[] => Array.from({ length: Math.ceil(views / 2) }, (_, i) => 2 * i);
const reference = referenceEngine();
const ones = (grid: Grid): NdArray => fill(grid.shape, () => 1);

/** Lines through, past, into, out of and within a box, in all directions. */
function mixedLines(grid: Grid, n: number, seed: number): Lines {
  const { normal } = random(seed);
  const half = grid.shape.map((count, axis) => (count * grid.voxelSize[axis]!) / 2);
  const centre = grid.origin.map((at, axis) => at + half[axis]! - grid.voxelSize[axis]! / 2);
  const points = (): Float32Array =>
    Float32Array.from({ length: 3 * n }, (_, i) => centre[i % 3]! + 1.4 * half[i % 3]! * normal());
  return { start: points(), end: points() };
}

describe.each(engines)('%s engine', (_, open) => {
  let engine: ProjectorEngine;
  beforeAll(async () => {
    engine = await open();
  });
  afterAll(() => engine.dispose());
  const project = async (grid: Grid, rays: Lines, image: NdArray = ones(grid)): Promise<number[]> => [
    ...(await engine.lineProjector(rays, grid).forward(image)).data,
  ];

  it('has an adjoint that is the transpose, entry by entry', async () => {
    for (const grid of [centredGrid([5, 4, 3], [3.5, 17, 22]), shifted(centredGrid([4, 3, 5], [5, 20, 13]), [2, 7, -9])]) {
      for (const options of [{ span: 1 }, { span: 3 }, { span: 3, arcCorrected: true }]) {
        await expectMatchedTranspose(engine.sinogramProjector(sinogramLayout(tinyScanner, options), [0, 2, 5], grid));
      }
      await expectMatchedTranspose(engine.lineProjector(mixedLines(grid, 60, 3), grid));
    }
  });

  it('keeps ⟨A x, y⟩ = ⟨x, Aᵀ y⟩ on oblique, odd-sized, anisotropic, off-centre geometry', async () => {
    const layout = sinogramLayout(oddScanner, { span: 3 });
    for (const [, grid] of oddGrids.slice(0, 4)) {
      expect(await adjointError(engine.sinogramProjector(layout, [1, 8, 15], grid), { trials: 2 })).toBeLessThan(1e-6);
      expect(await adjointError(engine.lineProjector(mixedLines(grid, 400, 4), grid), { trials: 2 })).toBeLessThan(1e-6);
    }
  });

  it('projects flat blocks with axial gaps as the lines from crystal to crystal that they are', async () => {
    for (const options of [{ span: 1 }, { span: 3, maxRingDifference: 7 }, { span: 1, viewMash: 2 }]) {
      const layout = sinogramLayout(blockScanner, options);
      for (const [, grid] of oddGrids.slice(0, 2)) {
        const operator = engine.sinogramProjector(layout, [1, 4, 9], grid);
        const x = noise(grid.shape, 3);
        const { data } = await reference.lineProjector(linesOf(layout, [1, 4, 9]), grid).forward(x);
        expect(maxDifference(await operator.forward(x), array(operator.outShape, data))).toBeLessThan(3e-5);
        expect(await adjointError(operator, { trials: 1 })).toBeLessThan(1e-6);
      }
    }
    await expectMatchedTranspose(
      engine.sinogramProjector(
        sinogramLayout({ ...tinyScanner, flatBlocks: { crystals: 3, spacing: 20 }, axialBlocks: { rings: 1, gap: 2 } }),
        [0, 2, 5],
        centredGrid([5, 4, 3], [3.5, 17, 22]),
      ),
    );
  });

  // Golden rays of libparallelproj's tests with axes turned (0, 1, 2) → (y, x, z), so that all are transaxial; values 1 … 24.
  it('finds the published values of rays through 24 voxels', async () => {
    const shape = [2, 3, 4] as const;
    const voxel = [4, 3, 2];
    const grid = centredGrid([4, 2, 3], [2, 4, 3]);
    const image = fill(grid.shape, (i) => {
      const [z, y, x] = [Math.floor(i / 6), Math.floor(i / 3) % 2, i % 3];
      return 1 + (y * 3 + x) * 4 + z;
    });
    const mm = (p: Point): Point => {
      const [a, b, c] = p.map((at, axis) => (at - shape[axis]! / 2 + 0.5) * voxel[axis]!) as [number, number, number];
      return [c, a, b];
    };
    const rays: [Point, Point, number][] = [
      [[0, -1, 0], [0, 3, 0], 45],
      [[0, -1, 1], [0, 3, 1], 54],
      [[0, -1, 0.5], [0, 3, 0.5], 49.5],
      [[-1, 0, 0], [2, 0, 0], 56],
      [[1, -1, 0], [1, 3, 0], 153],
      [[1, 3, 0], [1, -1, 0], 153],
      [[1, -1, 3], [1, 3, 3], 180],
      [[0, -1, 9], [0, 3, 9], 0],
    ];
    const found = await project(grid, lines(...rays.map(([a, b]) => [mm(a), mm(b)] as const)), image);
    rays.forEach(([, , expected], i) => {
      expect(found[i]).toBeCloseTo(expected, 4);
    });
  });

  // The box of ones of libparallelproj's tests, 100 mm wide; along z there is nothing transaxial, so that such a line sees nothing.
  it('finds the published lengths within a box of ones', async () => {
    const grid = centredGrid([25, 50, 100], [4, 2, 1]);
    const rays: [Point, Point, number][] = [
      [[0, 100, 0], [0, -100, 0], 100],
      [[0, 0, 50], [0, 0, -50], 100],
      [[0, 40, 0], [0, -40, 0], 80],
      [[0, 0, 40], [0, 0, -40], 80],
      [[0, 50, 5], [0, -50, -4], Math.hypot(100, 9)],
      [[5, 0, 50], [-4, 0, -50], Math.hypot(100, 9)],
      [[3, -50, -4], [-2, 50, 5], Math.hypot(100, 9, 5)],
      [[-2, 5, 50], [3, -4, -50], Math.hypot(100, 9, 5)],
      [[50, 0, 0], [-50, 0, 0], 0],
    ];
    const found = await project(grid, lines(...rays.map(([a, b]) => [a, b] as const)));
    rays.forEach(([, , expected], i) => {
      expect(found[i]).toBeCloseTo(expected, 4);
    });
  });

  it('sees planes × Δ / |cos| of a constant along an oblique line that stays inside', async () => {
    const grid = shifted(centredGrid([31, 23, 17], [2.5, 3, 4]), [1, -3, 2]);
    const [a, b]: [Point, Point] = [
      [-30, -200, -61],
      [32, 190, 40],
    ];
    const cosine = 390 / Math.hypot(62, 390, 101);
    const inside = await project(centredGrid([31, 23, 101], [2.5, 3, 4]), lines([a, b]));
    expect(inside[0]).toBeCloseTo((23 * 3) / cosine, 3);
    expect((await project(grid, lines([b, a])))[0]).toBeCloseTo((await project(grid, lines([a, b])))[0]!, 4);
  });

  it('scales with the geometry: all lengths times s give the data times s', async () => {
    const grid = shifted(centredGrid([7, 9, 8], [3, 4, 5]), [2, 1, -3]);
    const s = 2.5;
    const times = (p: Point): Point => [p[0] * s, p[1] * s, p[2] * s];
    const rays = mixedLines(grid, 50, 9);
    const large = { start: rays.start.map((at) => at * s), end: rays.end.map((at) => at * s) };
    const image = noise(grid.shape);
    const found = await project({ ...grid, voxelSize: times(grid.voxelSize), origin: times(grid.origin) }, large, image);
    const expected = await project(grid, rays, image);
    found.forEach((value, i) => {
      expect(value / s).toBeCloseTo(expected[i]!, 3);
    });
  });

  it('sees nothing along a line that misses by a hair, and a taper where it does not', async () => {
    const grid = centredGrid([3, 5, 7], [2, 2, 2]);
    const at = (y: number, z = 0): [Point, Point] => [
      [z, y, -50],
      [z, y, 50],
    ];
    // Voxel centres end at y = ±4 and z = ±2; the image is zero from one voxel further on.
    const found = await project(grid, lines(at(6.0001), at(-6.0001), at(0, 4.0001), at(0, -4.0001), at(5), at(0, -3)));
    expect(found.slice(0, 4)).toEqual([0, 0, 0, 0]);
    expect(found[4]).toBeCloseTo(7, 5);
    expect(found[5]).toBeCloseTo(7, 5);
    const away: [Point, Point] = [
      [0, 0, 8],
      [0, 0, 50],
    ];
    expect(
      await project(
        grid,
        lines(
          away,
          [
            [0, 1, 1],
            [2, 1, 1],
          ],
          [
            [1, 1, 1],
            [1, 1, 1],
          ],
        ),
      ),
    ).toEqual([0, 0, 0]);
  });

  it('counts planes from end point to end point, both included', async () => {
    const grid = centredGrid([3, 5, 7], [2, 2, 2]);
    const found = await project(
      grid,
      lines(
        [
          [0, 0, -4],
          [0, 0, 2],
        ],
        [
          [0, 0, -3.9],
          [0, 0, 1.9],
        ],
        [
          [0, 0, 2],
          [0, 0, -4],
        ],
      ),
    );
    expect(found).toEqual([8, 4, 8].map((v) => expect.closeTo(v, 5)));
  });

  it('agrees with the plain sum over expanded lines', async () => {
    const layout = sinogramLayout(oddScanner, { span: 3 });
    const grid = oddGrids[0]![1];
    const image = noise(grid.shape);
    const views = [3, 4, 17];
    const expanded = await engine.lineProjector(linesOf(layout, views), grid).forward(image);
    const compact = await engine.sinogramProjector(layout, views, grid).forward(image);
    expect(compact.data.length).toBe(expanded.data.length);
    compact.data.forEach((value, i) => {
      if (Math.abs(value - expanded.data[i]!) > 2e-3) expect.fail(`bin ${i}: ${value} and ${expanded.data[i]}`);
    });
  });

  it('gives the line integrals of a cylinder and an ellipsoid, better with smaller voxels', async () => {
    const errors: number[] = [];
    for (const voxel of [8, 4]) {
      const n = Math.round(128 / voxel);
      const grid = centredGrid([n, n, n], [voxel, voxel, voxel]);
      const radii: Point = [35, 30, 42];
      const fine = 3;
      const image = fill(grid.shape, (i) => {
        const index = [Math.floor(i / (n * n)), Math.floor(i / n) % n, i % n];
        let inside = 0;
        for (let k = 0; k < fine ** 3; k++) {
          const sub = [Math.floor(k / 9), Math.floor(k / 3) % 3, k % 3];
          const r2 = index.reduce(
            (sum, at, axis) => sum + ((grid.origin[axis]! + (at + (sub[axis]! - 1) / fine) * voxel) / radii[axis]!) ** 2,
            0,
          );
          if (r2 < 1) inside++;
        }
        return inside / fine ** 3;
      });
      const rays = mixedLines(centredGrid([20, 20, 20], [1, 1, 1]), 200, 5);
      // Long lines near the middle: direction from the random points, at most as steep as it is wide.
      for (let i = 0; i < 200; i++) {
        const z = 0.3 * (rays.end[3 * i]! - rays.start[3 * i]!);
        const d = [z, rays.end[3 * i + 1]! - rays.start[3 * i + 1]!, rays.end[3 * i + 2]! - rays.start[3 * i + 2]!];
        const scale = 300 / Math.hypot(...d);
        for (let axis = 0; axis < 3; axis++) {
          rays.end[3 * i + axis] = rays.start[3 * i + axis]! + d[axis]! * scale;
          rays.start[3 * i + axis]! -= d[axis]! * scale;
        }
      }
      const found = await project(grid, rays, image);
      let squares = 0;
      let reference = 0;
      found.forEach((value, i) => {
        const chord = ellipsoidChord(rays, i, radii);
        squares += (value - chord) ** 2;
        reference += chord ** 2;
      });
      errors.push(Math.sqrt(squares / reference));
    }
    expect(errors[0]).toBeLessThan(0.04);
    expect(errors[1]).toBeLessThan(0.6 * errors[0]!);
  });

  it('refuses views and lines that cannot be, and images that do not fit', async () => {
    const grid = centredGrid([3, 5, 7], [2, 2, 2]);
    const layout = sinogramLayout(tinyScanner);
    expect(() => engine.sinogramProjector(layout, [6], grid)).toThrow(GeometryError);
    expect(() => engine.lineProjector({ start: new Float32Array(6), end: new Float32Array(3) }, grid)).toThrow(ShapeError);
    const nowhere = { start: new Float32Array(3).fill(Number.NaN), end: new Float32Array(3) };
    expect(() => engine.lineProjector(nowhere, grid)).toThrow(GeometryError);
    const operator = engine.sinogramProjector(layout, [0], grid);
    await expect((async () => operator.forward(noise([3, 5, 6])))()).rejects.toThrow(ShapeError);
    await expect((async () => operator.adjoint(noise([3, 5, 7])))()).rejects.toThrow(ShapeError);
  });

  it('stops when told to', async () => {
    const layout = sinogramLayout(scannerByName('mMR'), { span: 11, maxRingDifference: 60 });
    const views = Array.from({ length: 126 }, (_, i) => i);
    const operator = engine.sinogramProjector(layout, views, centredGrid([127, 100, 100], [2.03125, 6, 6]));
    await expectAbort((signal) =>
      operator.forward(
        fill(operator.inShape, () => 1),
        { signal },
      ),
    );
    const small = engine.sinogramProjector(sinogramLayout(tinyScanner), [0], centredGrid([3, 5, 7], [2, 9, 9]));
    expect(total(await small.forward(fill(small.inShape, () => 1)))).toBeGreaterThan(0);
  });
});

/** Length of the line inside the ellipsoid at the origin. */
function ellipsoidChord({ start, end }: Lines, i: number, radii: Point): number {
  let [aa, ab, bb, length] = [0, 0, 0, 0];
  for (let axis = 0; axis < 3; axis++) {
    const p = start[3 * i + axis]! / radii[axis]!;
    const d = (end[3 * i + axis]! - start[3 * i + axis]!) / radii[axis]!;
    aa += d * d;
    ab += p * d;
    bb += p * p;
    length += (d * radii[axis]!) ** 2;
  }
  return 2 * Math.sqrt(Math.max(0, ab * ab - aa * (bb - 1)) / aa ** 2) * Math.sqrt(length);
}

describe('cpu engine against the definition', () => {
  let [one, two, four]: ProjectorEngine[] = [];
  beforeAll(async () => {
    const { openCpuEngine } = await import('../../src/node/kernel-pool.js');
    [one, two, four] = await Promise.all([1, 2, 4].map((threads) => openCpuEngine({ threads })));
  });
  afterAll(() => Promise.all([one, two, four].map((engine) => engine!.dispose())));

  const options = [
    { span: 1 },
    { span: 3 },
    { span: 2, maxRingDifference: 6 },
    { span: 3, arcCorrected: true },
    { span: 1, viewMash: 2 },
    { span: 5, maxRingDifference: 7 },
  ];
  it.each(oddGrids)('computes the same sinograms: %s', async (_, grid) => {
    for (const option of options) {
      const layout = sinogramLayout(oddScanner, option);
      const views = everyOther(layout.views);
      const fast = two!.sinogramProjector(layout, views, grid);
      const plain = reference.sinogramProjector(layout, views, grid);
      const image = noise(fast.inShape, 2);
      const data = noise(fast.outShape, 3);
      expect(maxDifference(await fast.forward(image), await plain.forward(image))).toBeLessThan(3e-6);
      expect(maxDifference(await fast.adjoint(data), await plain.adjoint(data))).toBeLessThan(3e-6);
    }
  });

  it.each(oddGrids)('computes the same lines: %s', async (_, grid) => {
    const rays = mixedLines(grid, 3000, 6);
    const fast = two!.lineProjector(rays, grid);
    const plain = reference.lineProjector(rays, grid);
    const image = noise(fast.inShape, 2);
    const data = noise(fast.outShape, 3);
    expect(maxDifference(await fast.forward(image), await plain.forward(image))).toBeLessThan(3e-6);
    expect(maxDifference(await fast.adjoint(data), await plain.adjoint(data))).toBeLessThan(3e-6);
  });

  it('does not depend on the number of threads, bit for bit', async () => {
    const layout = sinogramLayout(scannerByName('small'), { span: 3 });
    const views = everyOther(layout.views);
    const rays = mixedLines(oddGrids[1]![1], 50000, 7);
    const results: NdArray[][] = [];
    for (const engine of [one!, two!, four!]) {
      const sinogram = engine.sinogramProjector(layout, views, centredGrid([31, 47, 47], [4, 8, 8]));
      const list = engine.lineProjector(rays, oddGrids[1]![1]);
      results.push([
        await sinogram.forward(noise(sinogram.inShape)),
        await sinogram.adjoint(noise(sinogram.outShape)),
        await list.forward(noise(list.inShape)),
        await list.adjoint(noise(list.outShape)),
      ]);
    }
    for (const other of results.slice(1)) {
      other.forEach((array, i) => {
        expect(Buffer.from(array.data.buffer).equals(Buffer.from(results[0]![i]!.data.buffer))).toBe(true);
      });
    }
  });
});
