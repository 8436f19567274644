import { describe, expect, it } from 'vitest';
import { fill, type NdArray, type Point, total } from '../../src/core/array.js';
import { GeometryError } from '../../src/core/errors.js';
import { centredGrid, type Grid } from '../../src/core/image.js';
import { random } from '../../src/core/random.js';
import type { Lines } from '../../src/geometry/lines.js';
import { scannerByName } from '../../src/geometry/scanners.js';
import { sinogramLayout, sinogramShape } from '../../src/geometry/sinogram.js';
import { adjointError } from '../../src/projector/adjoint-error.js';
import { josephProjector } from '../../src/projector/joseph.js';
import { siddonProjector, siddonSinogramProjector, traceSiddon } from '../../src/projector/siddon.js';
import { sharedFile } from '../io/shared-data.js';
import { expectAbort, expectMatchedTranspose, maxDifference, noise } from '../laws.js';
import { oddScanner, shifted, tinyScanner } from './engines.js';

const ones = (grid: Grid): NdArray => fill(grid.shape, () => 1);
const line = (start: Point, end: Point): Lines => ({ start: Float32Array.from(start), end: Float32Array.from(end) });
const project = async (grid: Grid, lines: Lines, image = ones(grid)): Promise<number[]> => [
  ...(await siddonProjector(lines, grid).forward(image)).data,
];

describe('Siddon', () => {
  it('has an adjoint that is the transpose, entry by entry', async () => {
    const grid = shifted(centredGrid([4, 3, 5], [5, 20, 13]), [2, 7, -9]);
    const layout = sinogramLayout(tinyScanner, { span: 3 });
    await expectMatchedTranspose(siddonSinogramProjector(layout, [0, 2, 5], grid));
    await expectMatchedTranspose(
      siddonSinogramProjector(layout, [1], grid, { tangentialRays: 3, axialRays: 2, fieldRadius: 25 }),
    );
    expect(await adjointError(siddonSinogramProjector(sinogramLayout(oddScanner, { span: 3 }), [3, 17], grid))).toBeLessThan(
      1e-6,
    );
  });

  it('finds the length of any line in a box, from face to face or from end point to end point', async () => {
    const grid = shifted(centredGrid([7, 9, 5], [4, 3, 6]), [3, -2, 5]);
    const low = grid.origin.map((at, axis) => at - grid.voxelSize[axis]! / 2);
    const high = low.map((at, axis) => at + grid.shape[axis]! * grid.voxelSize[axis]!);
    const { normal } = random(4);
    for (let trial = 0; trial < 300; trial++) {
      const [start, end] = [0, 1].map(() => low.map((at, axis) => Math.fround((at + high[axis]!) / 2 + 20 * normal())));
      const d = end!.map((to, axis) => to - start![axis]!);
      const faces = d.map((slope, axis) =>
        [low[axis]!, high[axis]!].map((face) => (face - start![axis]!) / slope).sort((p, q) => p - q),
      );
      const from = Math.max(0, ...faces.map(([near]) => near!));
      const to = Math.min(1, ...faces.map(([, far]) => far!));
      const [found] = await project(grid, line(start as unknown as Point, end as unknown as Point));
      expect(found).toBeCloseTo(Math.max(0, to - from) * Math.hypot(...d), 4);
    }
  });

  it('finds each voxel’s own length: a sum over slabs cut at its faces', async () => {
    const grid = centredGrid([3, 4, 5], [2, 3, 4]);
    const visited: [number, number][] = [];
    traceSiddon(grid, [-2, -5, -9, 2.5, 5.5, 8.5], (voxel, length) => visited.push([voxel, length]));
    const place = (i: number): Point => [Math.floor(i / 20), Math.floor(i / 5) % 4, i % 5];
    for (const [voxel, length] of visited) {
      const middle = place(voxel).map((at, axis) => grid.origin[axis]! + at * grid.voxelSize[axis]!) as unknown as Point;
      const cell: Grid = { shape: [1, 1, 1], voxelSize: grid.voxelSize, origin: middle };
      const [own] = await project(cell, line([-2, -5, -9], [2.5, 5.5, 8.5]));
      expect(length).toBeCloseTo(own!, 5);
    }
    // Neighbours in the walk share a face.
    visited.slice(1).forEach(([voxel], i) => {
      const [a, b] = [place(voxel), place(visited[i]![0])];
      expect(a.reduce((sum, at, axis) => sum + Math.abs(at - b[axis]!), 0)).toBe(1);
    });
    expect(visited.length).toBeGreaterThan(8);
  });

  it('shares a line in a face between both voxels, and half of it with nothing at the border', async () => {
    const grid = centredGrid([2, 2, 2], [1, 1, 1]);
    const image = fill(grid.shape, (i) => 2 ** i);
    const found = (y: number, z: number): Promise<number[]> => project(grid, line([z, y, -9], [z, y, 9]), image);
    expect(await found(0, -0.5)).toEqual([(1 + 2 + 4 + 8) / 2]);
    expect(await found(0, 0)).toEqual([255 / 4]);
    expect(await found(1, -0.5)).toEqual([(4 + 8) / 2]);
    expect(await found(1.001, -0.5)).toEqual([0]);
  });

  it('agrees with Joseph on smooth images, and sees along the axis what Joseph cannot', async () => {
    const grid = centredGrid([41, 41, 41], [2, 2, 2]);
    const smooth = fill(grid.shape, (i) => {
      const r2 = [Math.floor(i / 1681), Math.floor(i / 41) % 41, i % 41].reduce((sum, at) => sum + (at - 20) ** 2, 0);
      return Math.exp(-r2 / 72);
    });
    const { uniform } = random(8);
    const lines: Lines = {
      start: Float32Array.from({ length: 300 }, (_, i) => (i % 3 === 2 ? -90 : 40 * uniform() - 20)),
      end: Float32Array.from({ length: 300 }, (_, i) => (i % 3 === 2 ? 90 : 40 * uniform() - 20)),
    };
    const [siddon, joseph] = await Promise.all(
      [siddonProjector(lines, grid), josephProjector(lines, grid)].map((a) => a.forward(smooth)),
    );
    // Siddon's voxels are constant, half a voxel off at most.
    expect(maxDifference(siddon!, joseph!)).toBeLessThan(0.05);
    expect(await project(grid, line([-100, 0.3, 0.3], [100, 0.3, 0.3]))).toEqual([82]);
  });

  it('averages sub-rays over the width of a bin', async () => {
    const layout = sinogramLayout(oddScanner, { span: 1, arcCorrected: true });
    const grid = centredGrid([17, 40, 40], [3, 3, 3]);
    const image = noise(grid.shape);
    // Three tangential rays are the rays of a scanner with bins a third as wide, three by three.
    const finer = sinogramLayout(
      { ...oddScanner, binSize: oddScanner.binSize / 3, defaultArcCorrected: 99 },
      { span: 1, arcCorrected: true },
    );
    const mean = (await siddonSinogramProjector(layout, [2, 9], grid, { tangentialRays: 3 }).forward(image)).data;
    const rays = (await siddonSinogramProjector(finer, [2, 9], grid).forward(image)).data;
    let largest = 0;
    for (let row = 0; row < mean.length / 33; row++) {
      for (let t = 0; t < 33; t++) {
        const at = row * 99 + 3 * t;
        largest = Math.max(largest, Math.abs(mean[row * 33 + t]! - (rays[at]! + rays[at + 1]! + rays[at + 2]!) / 3));
      }
    }
    // Far rays end on the ring at slightly other places: their slopes differ a little.
    const scale = Math.max(...rays.map(Math.abs));
    expect(largest).toBeLessThan(0.05 * scale);
    const direct = 33 * 2 * 9;
    let worst = 0;
    for (let i = 0; i < direct; i++) {
      const at = Math.floor(i / 33) * 99 + 3 * (i % 33);
      worst = Math.max(worst, Math.abs(mean[i]! - (rays[at]! + rays[at + 1]! + rays[at + 2]!) / 3));
    }
    expect(worst).toBeLessThan(1e-5 * scale);
  });

  it('counts whole chords of the voxels it touches within a radius', async () => {
    const grid = centredGrid([1, 1, 9], [2, 2, 2]);
    const layout = sinogramLayout({ ...tinyScanner, rings: 1, tilt: Math.PI / 2 }, { arcCorrected: true, tangential: 1 });
    const found = async (fieldRadius?: number) =>
      (await siddonSinogramProjector(layout, [0], grid, { fieldRadius }).forward(ones(grid))).data[0];
    expect(await found()).toBeCloseTo(18, 4);
    expect(await found(2)).toBeCloseTo(6, 4);
    expect(await found(3.5)).toBeCloseTo(10, 4);
  });

  it('refuses what cannot be, and stops when told to', async () => {
    const layout = sinogramLayout(scannerByName('mMR'), { span: 11 });
    const grid = centredGrid([127, 60, 60], [2.03125, 8, 8]);
    expect(() => siddonSinogramProjector(layout, [0], grid, { axialRays: 0 })).toThrow(GeometryError);
    expect(() => siddonSinogramProjector(layout, [252], grid)).toThrow(GeometryError);
    expect(() => siddonSinogramProjector(sinogramLayout(scannerByName('mCT'), { span: 11, tofMash: 1 }), [0], grid)).toThrow(
      /time of flight/,
    );
    const operator = siddonSinogramProjector(layout, [0, 1, 2], grid);
    const data = fill(operator.outShape, () => 1);
    await expectAbort((signal) => operator.adjoint(data, { signal }));
  });
});

describe('the sensitivity image of STIR’s test pack', () => {
  // RPTsens_seg3_PM: PRT-1, segments −3 … 3, end planes of segment 0 left out, 2 tangential rays, ray tracing within the circle of
  // ⌊60/2⌋ − 1 voxels. The header's view offset, −0.46875°, takes back the half view of mashing; values are in voxels.
  it('is reproduced within 0.05 % of its maximum', async (ctx) => {
    const bytes = Uint8Array.from(sharedFile(ctx, 'RPTsens_seg3_PM.v'));
    const golden = new Float32Array(bytes.buffer);
    const voxel = 3.1088 / 0.7;
    const scanner = { ...scannerByName('RPT'), tilt: (-0.46875 * Math.PI) / 180 };
    const layout = sinogramLayout(scanner, { maxRingDifference: 3, viewMash: 2, arcCorrected: true });
    const grid: Grid = { shape: [31, 60, 60], voxelSize: [3.375, voxel, voxel], origin: [-15 * 3.375, -30 * voxel, -30 * voxel] };
    const views = Array.from({ length: layout.views }, (_, v) => v);
    const rays = { tangentialRays: 2, axialRays: 2, fieldRadius: 29 * voxel };
    const perPlane = layout.views * layout.tangential;
    const endPlanes = [0, 15];
    const data = fill(sinogramShape(layout), (i) => (endPlanes.includes(Math.floor(i / perPlane)) ? 0 : 1));
    const { data: found } = await siddonSinogramProjector(layout, views, grid, rays).adjoint(data);
    const sensitivity = fill(grid.shape, (i) => found[i]! / voxel);
    const reference = fill(grid.shape, (i) => golden[i]!);
    const difference = maxDifference(sensitivity, reference);
    console.log(`largest difference ${(100 * difference).toFixed(5)} % of the maximum`);
    expect(difference).toBeLessThan(5e-4);
    expect(sensitivity.data.filter((value) => value > 0).length).toBe(85591);
    expect(total(sensitivity) / total(reference)).toBeCloseTo(1, 5);
  });
});
