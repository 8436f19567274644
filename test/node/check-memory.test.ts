import { describe, expect, it } from 'vitest';
import { array } from '../../src/core/array.js';
import { DeviceError } from '../../src/core/errors.js';
import { centredGrid } from '../../src/core/image.js';
import { defaultGrid } from '../../src/geometry/grid.js';
import { scannerByName } from '../../src/geometry/scanners.js';
import { sinogramLayout, sinogramShape } from '../../src/geometry/sinogram.js';
import { checkMemory } from '../../src/node/check-memory.js';
import { reconstruct } from '../../src/node/reconstruct.js';
import { referenceEngine } from '../../src/projector/engine.js';

const layout = sinogramLayout(scannerByName('GE Advance'), { maxRingDifference: 1 });
const gpu = { name: 'gpu' } as const;

describe('checkMemory', () => {
  it('counts OSEM’s images: one a subset and five', () => {
    const grid = centredGrid([2, 3, 5], [4, 4, 4]);
    const bytes = 4 * 30 * (2 + 5);
    expect(() => checkMemory(layout, grid, gpu, { subsets: 2, memory: bytes })).not.toThrow();
    expect(() => checkMemory(layout, grid, gpu, { subsets: 2, memory: bytes - 1 })).toThrow(DeviceError);
    expect(() => checkMemory(layout, grid, gpu, { subsets: 3, memory: bytes })).toThrow(DeviceError);
    expect(() => checkMemory(layout, grid, gpu, { subsets: 2, beside: 1, memory: bytes + 120 })).not.toThrow();
    expect(() => checkMemory(layout, grid, gpu, { subsets: 2, beside: 1, memory: bytes + 119 })).toThrow(DeviceError);
    // The kernels' copy, rows of voxels all round.
    expect(() => checkMemory(layout, grid, { name: 'cpu' }, { subsets: 2, memory: bytes + 120 })).toThrow(DeviceError);
    // More subsets than views are refused elsewhere, with other words.
    const all = 4 * 30 * (layout.views + 5);
    expect(() => checkMemory(layout, grid, gpu, { subsets: 1e9, memory: all })).not.toThrow();
  });

  it('says what was asked for, what there is and what the scanner has of its own', () => {
    const own = defaultGrid(layout);
    const fine = defaultGrid(layout, { voxel: own.voxelSize[2] / 64 });
    const gib = (voxels: number): string => ((4 * voxels * 13) / 2 ** 30).toFixed(1);
    const [nz, n] = fine.shape;
    expect(() => checkMemory(layout, fine, gpu, { subsets: 8, memory: 2 ** 33 })).toThrow(
      new RegExp(
        `at most 8\\.0 GiB, found "${n} × ${n} × ${nz} voxels, ${gib(nz * n * n)} GiB of images for 8 subsets".* ${own.shape[2]} × ${own.shape[1]} × ${nz} voxels of ${own.voxelSize[2].toPrecision(3)} mm across`,
      ),
    );
    expect(() => checkMemory(layout, own, gpu, { subsets: 8, memory: 1000 })).toThrow(/larger voxels, a smaller field/);
  });

  it('refuses for the processor what its kernels cannot address', () => {
    const options = { subsets: 1, memory: Number.POSITIVE_INFINITY };
    // 2 GiB are 2^29 voxels.
    const grid = centredGrid([32, 4096, 4096], [4, 0.1, 0.1]);
    expect(() => checkMemory(layout, grid, { name: 'cpu' }, options)).toThrow(/kernels.*4096 × 4096 × 32/);
    expect(() => checkMemory(layout, grid, gpu, options)).not.toThrow();
    expect(() => checkMemory(layout, centredGrid([32, 1024, 1024], [4, 1, 1]), { name: 'cpu' }, options)).not.toThrow();
  });

  it('comes before any work', async () => {
    const idle = new Proxy(referenceEngine(), {
      get: (engine, key) => {
        if (key === 'name') return engine.name;
        throw new Error(`asked for ${String(key)}`);
      },
    });
    const scan = { prompts: { layout, values: array(sinogramShape(layout)) }, position: 'HFS' } as const;
    const grid = centredGrid([35, 1e7, 1e7], [4.25, 1e-4, 1e-4]);
    await expect(reconstruct(scan, grid, idle)).rejects.toThrow(/too large for the memory.*10000000 × 10000000 × 35/);
    await expect(reconstruct(scan, centredGrid([35, 9, 9], [4.25, 60, 60]), idle)).rejects.toThrow(/asked for/);
  });
});
