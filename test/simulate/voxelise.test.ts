import { describe, expect, it } from 'vitest';
import { type Point, total } from '../../src/core/array.js';
import { centredGrid, type Grid } from '../../src/core/image.js';
import { box, clip, cylinder, ellipsoid, ring, type Solid, sphere, spheroid, tube } from '../../src/simulate/solids.js';
import { voxelise } from '../../src/simulate/voxelise.js';

const material = { label: 3, activity: 1, mu: 0.1, texture: 0.2 };
/** Anisotropic, odd, off-centre; 12 · 11 · 10 cm at least. */
function gridOf(voxel: number): Grid {
  const shape: [number, number, number] = [
    Math.ceil(110 / voxel),
    Math.ceil(130 / (1.1 * voxel)),
    Math.ceil(120 / (0.9 * voxel)),
  ];
  const { origin, voxelSize } = centredGrid(shape, [voxel, 1.1 * voxel, 0.9 * voxel]);
  return { shape, voxelSize, origin: [origin[0] + 1, origin[1] - 2, origin[2] + 1.5] };
}
const volumeOf = (solid: Solid, grid: Grid): number =>
  total(voxelise([{ solid, ...material }], grid).activity) * grid.voxelSize[0] * grid.voxelSize[1] * grid.voxelSize[2];

const solids: [string, Solid, number][] = [
  ['ellipsoid, turned', ellipsoid([3, -4, 5], [20, 35, 14], { yaw: 0.5 }), (4 / 3) * Math.PI * 20 * 35 * 14],
  ['small sphere', sphere([1.3, 2.1, -7.7], 6.5), (4 / 3) * Math.PI * 6.5 ** 3],
  ['elliptic cylinder, turned', cylinder([-5, 4, 3], [30, 25, 12], { yaw: -0.8 }), Math.PI * 60 * 25 * 12],
  ['box, turned', box([2, 3, -4], [22, 15, 31], { yaw: 0.3 }), 8 * 22 * 15 * 31],
  ['oblique tube', tube([-20, 10, -15], [25, -12, 18], 9), Math.PI * 81 * Math.hypot(45, 22, 33) + (4 / 3) * Math.PI * 729],
  ['oblique spheroid', spheroid([-20, 10, -15], [25, -12, 18], 13), ((4 / 3) * Math.PI * 169 * Math.hypot(45, 22, 33)) / 2],
  ['half a ball', clip(sphere([0, 0, 0], 30), [-50, 0, -50], [50, 50, 50]), (2 / 3) * Math.PI * 30 ** 3],
  // A torus has 2π² R r²; a slope shears it and keeps its volume.
  ['sloping half ring', ring([2, 3, 4], [40, 40], 7, 0.4, { side: -1, from: -50, to: 50 }), Math.PI ** 2 * 40 * 49],
];

describe('voxelise', () => {
  it.each(solids)('keeps the volume of the %s, the better the finer the grid', (_, solid, volume) => {
    const error = (voxel: number): number => Math.abs(volumeOf(solid, gridOf(voxel)) / volume - 1);
    expect(error(5)).toBeLessThan(0.04);
    expect(error(2)).toBeLessThan(0.015);
  });

  it('does not lose parts that are smaller than a voxel', () => {
    const grid = centredGrid([6, 6, 6], [5, 5, 5]);
    let sum = 0;
    for (let k = 0; k < 60; k++) sum += volumeOf(sphere([0.31 * k - 8, 0.73 * (k % 12) - 4, 1.17 * (k % 7) - 4], 2.2), grid);
    expect(sum / 60 / ((4 / 3) * Math.PI * 2.2 ** 3)).toBeCloseTo(1, 1);
  });

  it('keeps the volume of a superellipsoid', () => {
    // |x|ᵉ + |y|ᵉ + |z|ᵉ ≤ 1 with e = 4 holds 8 Γ(5/4)³ / Γ(7/4).
    const volume = (8 * 0.9064024771 ** 3) / 0.9190625268;
    expect(volumeOf(ellipsoid([1, 2, 3], [20, 30, 25], { exponent: 4 }), gridOf(2)) / 15000).toBeCloseTo(volume, 1);
  });

  it('finds what lies in a solid by its box: points outside the box are outside', () => {
    for (const [, { inside, low, high }] of solids) {
      let seen = 0;
      let outside = 0;
      for (let i = 0; i < 8000; i++) {
        const p: Point = [(i % 20) * 5 - 47, (Math.floor(i / 20) % 20) * 5 - 47, Math.floor(i / 400) * 5 - 47];
        if (!inside(...p)) continue;
        seen++;
        if (!p.every((value, axis) => value >= low[axis]! - 1e-9 && value <= high[axis]! + 1e-9)) outside++;
      }
      expect(outside).toBe(0);
      expect(seen).toBeGreaterThan(0);
    }
  });

  it('lets later parts override earlier ones, and averages at their border', () => {
    const grid = centredGrid([1, 1, 3], [2, 2, 2]);
    const left = { solid: box([0, 0, -5], [5, 5, 5]), ...material, activity: 3, mu: 0.3, label: 1 };
    const all = { solid: box([0, 0, 0], [50, 50, 50]), ...material, activity: 6, label: 2 };
    const { activity, mu, labels } = voxelise([all, left], grid);
    // x = 0 lies on the border: of three sample columns at −⅔, 0, ⅔ two are on the left (its face included).
    expect([...activity.data]).toEqual([3, (2 * 3 + 6) / 3, 6].map(Math.fround));
    for (const [i, value] of [0.3, (2 * 0.3 + 0.1) / 3, 0.1].entries()) expect(mu.data[i]).toBeCloseTo(value, 6);
    expect([...labels.data]).toEqual([1, 1, 2]);
    expect([...voxelise([left, all], grid).labels.data]).toEqual([2, 2, 2]);
  });

  it('tests parts where the map sends a voxel', () => {
    const grid = centredGrid([20, 22, 24], [3, 3, 3]);
    const solid = sphere([0, 0, 0], 12);
    const shifted = voxelise([{ solid, ...material }], grid, {
      warp: (z, y, x, out, at) => out.set([2 * z, y - 6, x + 9], at),
    });
    // Half as long along z, moved to y = 6, x = −9.
    const direct = voxelise([{ solid: ellipsoid([0, 6, -9], [6, 12, 12]), ...material }], grid);
    expect([...shifted.activity.data].filter((v, i) => v !== direct.activity.data[i])).toEqual([]);
  });

  it('modulates activity, not attenuation, by the texture', () => {
    const grid = centredGrid([3, 3, 3], [2, 2, 2]);
    const { activity, mu } = voxelise([{ solid: sphere([0, 0, 0], 50), ...material }], grid, { texture: (_z, _y, x) => x });
    for (const i of [0, 1, 2]) expect(activity.get(1, 1, i)).toBeCloseTo(1 + 0.2 * (2 * i - 2), 6);
    expect(new Set(mu.data).size).toBe(1);
  });
});
