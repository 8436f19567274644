import { describe, expect, it } from 'vitest';
import { fill } from '../../src/core/array.js';
import { centredGrid } from '../../src/core/image.js';
import { axialLines, transaxialLines } from '../../src/geometry/lines.js';
import { scannerByName } from '../../src/geometry/scanners.js';
import { sinogramLayout } from '../../src/geometry/sinogram.js';
import { orderedSubsets } from '../../src/geometry/subsets.js';
import { openCpuEngine, openKernelPool } from '../../src/node/kernel-pool.js';
import { cpuEngine } from '../../src/projector/cpu/engine.js';
import type { KernelPool } from '../../src/projector/cpu/pool.js';
import { traceLine } from '../../src/projector/joseph.js';
import { plan, probeSpeed, secondsPerIteration } from '../../src/projector/plan.js';
import { oddScanner } from './engines.js';

describe('plan', () => {
  it('allows the kernels what they will use, and little more', async () => {
    const pool = await openKernelPool({ threads: 16 });
    let most = 0;
    const watched: KernelPool = {
      ...pool,
      use: (bytes, work) => {
        most = Math.max(most, bytes);
        return pool.use(bytes, work);
      },
    };
    const engine = cpuEngine(watched);
    for (const [layout, grid, subsets] of [
      [sinogramLayout(scannerByName('mMR'), { span: 11 }), centredGrid([127, 172, 172], [2.03125, 4, 4]), 63],
      [sinogramLayout(scannerByName('GE Advance'), { maxRingDifference: 3 }), centredGrid([35, 90, 90], [4.25, 5, 5]), 28],
      // With time of flight, where the kernels' scratch is most of it; many bins for a small image, that is, partial images.
      [
        sinogramLayout(scannerByName('Quadra'), { maxRingDifference: 3, tofMash: 1, tangential: 20 }),
        centredGrid([645, 12, 12], [1.645, 40, 40]),
        200,
      ],
      [sinogramLayout(scannerByName('GE Advance'), { maxRingDifference: 3 }), centredGrid([35, 30, 30], [4.25, 16, 16]), 4],
    ] as const) {
      most = 0;
      const operator = engine.sinogramProjector(layout, orderedSubsets(layout.views, subsets)[0]!, grid);
      await operator.adjoint(await operator.forward(fill(operator.inShape, () => 1)));
      const { workspaceBytes } = plan(layout, grid, subsets);
      expect(most).toBeLessThanOrEqual(workspaceBytes);
      expect(most).toBeGreaterThan(0.97 * workspaceBytes);
    }
    await engine.dispose();
  });

  it('counts the samples of all lines', () => {
    const layout = sinogramLayout(oddScanner, { span: 3, maxRingDifference: 4 });
    const grid = centredGrid([60, 21, 18], [3, 5, 6]);
    const views = Array.from({ length: layout.views }, (_, view) => view);
    const [transaxial, axial] = [transaxialLines(layout, views), axialLines(layout)];
    const steps = new Set<number>();
    for (let plane = 0; plane < axial.length; plane += 2) {
      for (let i = 0; i < transaxial.length; i += 4) {
        const [x1, y1, x2, y2] = transaxial.subarray(i, i + 4) as unknown as [number, number, number, number];
        traceLine(grid, [axial[plane]!, y1, x1, axial[plane + 1]!, y2, x2], (_voxel, _weight, tau) => {
          steps.add((plane * transaxial.length + i) * 4 + tau);
        });
      }
    }
    expect(plan(layout, grid).samples / steps.size).toBeCloseTo(1, 1.5);
  });

  it('says how many subsets a scan needs of which one fits no array', () => {
    const layout = sinogramLayout(scannerByName('Quadra'), { maxRingDifference: 85 });
    const grid = centredGrid([645, 440, 440], [1.645, 1.65, 1.65]);
    const whole = plan(layout, grid);
    expect([whole.fits, whole.bins]).toEqual([false, 47923 * 399 * 520]);
    expect(plan(layout, grid, whole.fewestSubsets).fits).toBe(true);
    expect(plan(layout, grid, whole.fewestSubsets - 1).fits).toBe(false);
    expect(plan(layout, grid, whole.fewestSubsets).workspaceBytes).toBeLessThan(2 ** 32);
    // Columns of 656 floats at 442 × 442 places, and never a whole sinogram.
    expect(plan(layout, grid, 13).workspaceBytes).toBeGreaterThan(4 * 656 * 442 * 442);
    expect(plan(layout, grid, 13).workspaceBytes).toBeLessThan(4 * 656 * 442 * 442 + 2 ** 27);
    expect(plan(layout, grid, 400).fits).toBe(false);
    // Nothing helps an image that is itself too large.
    expect(plan(layout, centredGrid([645, 1200, 1200], [1, 1, 1])).fewestSubsets).toBe(400);
  });

  it('measures how fast the engine is', async () => {
    const engine = await openCpuEngine({ threads: 2 });
    const layout = sinogramLayout(scannerByName('mMR'), { span: 11 });
    const grid = centredGrid([127, 172, 172], [2.03125, 4, 4]);
    const speed = await probeSpeed(engine, layout, grid);
    // Between 0.01 and 100 ns for a sample, there and back.
    expect(speed.perSample).toBeGreaterThan(1e-11);
    expect(speed.perSample).toBeLessThan(1e-7);
    const [one, many] = [plan(layout, grid, 1), plan(layout, grid, 21)].map((sizes) => secondsPerIteration(sizes, speed));
    expect(many! - one!).toBeCloseTo(20 * 127 * 172 * 172 * speed.perVoxel, 6);
    await engine.dispose();
  });
});
