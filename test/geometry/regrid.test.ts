import { describe, expect, it } from 'vitest';
import { array, fill, type Shape3 } from '../../src/core/array.js';
import { GeometryError } from '../../src/core/errors.js';
import { centredGrid, type PetImage, petImage } from '../../src/core/image.js';
import { toWorld } from '../../src/geometry/frame.js';
import { regrid } from '../../src/geometry/regrid.js';

const grid = centredGrid([5, 6, 7], [3, 2.5, 2]);
const plane = (x: number, y: number, z: number): number => 3 + 0.2 * x - 0.3 * y + 0.11 * z;

/** An image of `plane` with any affine. */
function sampled(shape: Shape3, affine: number[]): PetImage {
  const [, ny, nx] = shape;
  const values = fill(shape, (at) => {
    const [i, j, k] = [at % nx, Math.floor(at / nx) % ny, Math.floor(at / (nx * ny))];
    const [x, y, z] = [0, 4, 8].map((r) => affine[r]! * i + affine[r + 1]! * j + affine[r + 2]! * k + affine[r + 3]!);
    return plane(x!, y!, z!);
  });
  return { ...petImage(centredGrid(shape, [1, 1, 1]), values, 'unknown'), affine: Float64Array.from(affine) };
}

describe('regrid', () => {
  it('gives an image back that is on the grid already, in every position of the patient', () => {
    const values = fill(grid.shape, (i) => Math.sin(i));
    for (const position of ['HFS', 'HFP', 'FFS', 'FFP'] as const) {
      const back = regrid(toWorld(values, grid, position, 'unknown'), grid, position);
      for (let i = 0; i < values.data.length; i++) expect(back.data[i]).toBeCloseTo(values.data[i]!, 5);
    }
  });

  it('is exact for a plane, whatever the pitch, the place and the tilt of its voxels', () => {
    const [c, s] = [Math.cos(0.4), Math.sin(0.4)];
    const tilted = [1.7 * c, -1.3 * s, 0, -6, 1.7 * s, 1.3 * c, 0.1, -22, 0.2, 0, 2.1, -18, 0, 0, 0, 1];
    const out = regrid(sampled([18, 34, 28], tilted), grid, 'HFS');
    const world = toWorld(out, grid, 'HFS', 'unknown');
    const [, ny, nx] = grid.shape;
    const [z0, y0, x0] = world.grid.origin;
    for (let at = 0; at < out.data.length; at++) {
      const [i, j, k] = [at % nx, Math.floor(at / nx) % ny, Math.floor(at / (nx * ny))];
      expect(world.values.data[at]).toBeCloseTo(plane(x0 + 2 * i, y0 + 2.5 * j, z0 + 3 * k), 4);
    }
  });

  it('is 0 outside the image, and takes single slices', () => {
    const one = petImage(
      centredGrid([1, 6, 7], [3, 2.5, 2]),
      fill([1, 6, 7], () => 2),
      'unknown',
    );
    const out = regrid(one, grid, 'HFS');
    expect([...out.data].filter((v) => v !== 0)).toEqual(new Array(42).fill(2));
    expect(out.data[2 * 42]).toBe(2);
  });

  it('refuses an image that lies elsewhere, or that is flat', () => {
    const away = petImage({ ...grid, origin: [900, 0, 0] }, array(grid.shape), 'unknown');
    expect(() => regrid(away, grid, 'HFS')).toThrow(/outside the grid.*same examination/s);
    expect(() => regrid({ ...away, affine: new Float64Array(16) }, grid, 'HFS')).toThrow(GeometryError);
  });
});
