import { describe, expect, it } from 'vitest';
import { defaultGrid, fieldOfViewMask } from '../../src/geometry/grid.js';
import { scannerByName } from '../../src/geometry/scanners.js';
import { sinogramLayout } from '../../src/geometry/sinogram.js';

describe('fieldOfViewMask', () => {
  it('is the cylinder that the tangential positions reach, on any grid', () => {
    const layout = sinogramLayout(scannerByName('small'), { tangential: 41, arcCorrected: true });
    const grid = { shape: [2, 60, 50], voxelSize: [4, 3, 5], origin: [-2, -80, -130] } as const;
    const mask = fieldOfViewMask(layout, grid);
    for (let y = 0; y < 60; y++) {
      for (let x = 0; x < 50; x++) {
        const inside = Math.hypot(-130 + 5 * x, -80 + 3 * y) <= 20 * 4;
        expect(mask.get(1, y, x)).toBe(inside ? 1 : 0);
      }
    }
  });
});

describe('defaultGrid', () => {
  it('has planes half a ring apart and covers what the data see', () => {
    const layout = sinogramLayout(scannerByName('Siemens mMR'), { span: 11, maxRingDifference: 60 });
    const { shape, voxelSize, origin } = defaultGrid(layout);
    expect(shape[0]).toBe(127);
    expect(voxelSize).toEqual([2.03125, 2.08626, 2.08626]);
    expect(origin.map((o, axis) => o + ((shape[axis]! - 1) / 2) * voxelSize[axis]!)).toEqual([0, 0, 0]);
    expect(((shape[2] - 1) / 2) * voxelSize[2]).toBeGreaterThanOrEqual(335 * Math.sin((172 * Math.PI) / 504));
  });
});
