import { expect, it } from 'vitest';
import { fill, type NdArray, total } from '../../src/core/array.js';
import { centredGrid, type Grid } from '../../src/core/image.js';
import { last } from '../../src/core/iterate.js';
import { scannerByName } from '../../src/geometry/scanners.js';
import { sinogramLayout } from '../../src/geometry/sinogram.js';
import { openCpuEngine } from '../../src/node/kernel-pool.js';
import { attenuationFactors, systemModel } from '../../src/projector/system-model.js';
import { osem } from '../../src/recon/osem.js';

/** A cylinder along z, off centre, one sample per voxel. */
function cylinder(grid: Grid, radius: number, length: number): NdArray {
  const [nz, ny, nx] = grid.shape;
  // 70 mm above the middle of the first plane, 10 and 20 mm off the axis.
  const centre = [-23 * 3.27 + 70, 10, 20];
  return fill([nz, ny, nx], (i) => {
    const index = [Math.floor(i / (ny * nx)), Math.floor(i / nx) % ny, i % nx];
    const [z, y, x] = index.map((at, axis) => grid.origin[axis]! + at * grid.voxelSize[axis]! - centre[axis]!) as [
      number,
      number,
      number,
    ];
    return Math.abs(z) <= length / 2 && x * x + y * y < radius * radius ? 1 : 0;
  });
}

// After STIR's run_test_simulate_and_recon.sh: span 2, segments 0 and ±1, attenuation of water, a constant background.
it.each([
  {
    name: 'Discovery STE',
    layout: sinogramLayout(scannerByName('Discovery STE'), { span: 2, maxRingDifference: 3 }),
    count: 14,
  },
  {
    name: 'Discovery 690, with time of flight',
    layout: sinogramLayout(scannerByName('Discovery 690'), { span: 2, maxRingDifference: 3, viewMash: 2, tofMash: 11 }),
    count: 12,
  },
])('OSEM on the cpu engine finds the activity of an attenuated cylinder within 1 percent: $name', async ({ layout, count }) => {
  const engine = await openCpuEngine({ threads: 2 });
  expect(layout.segments.map(({ axialPositions }) => axialPositions)).toEqual([47, 43, 43]);
  const truthGrid = centredGrid([47, 111, 111], [3.27, 3, 3]);
  const truth = cylinder(truthGrid, 100, 110);
  const water = { grid: truthGrid, values: fill(truth.shape, (i) => 0.096 * truth.data[i]!) };
  const survival = (await attenuationFactors(water, layout, engine)).values;
  const views = Array.from({ length: layout.views }, (_view, view) => view);
  const integrals = await engine.sinogramProjector(layout, views, truthGrid).forward(truth);
  const prompts = fill(integrals.shape, (i) => survival.data[i]! * integrals.data[i]! + 10);
  const scan = {
    prompts: { layout, values: prompts },
    multiplicative: { layout, values: survival },
    additive: { layout, values: fill(prompts.shape, (i) => 10 / survival.data[i]!) },
    position: 'HFS',
  } as const;
  // Zoom 0.5 of the scanner's bin size.
  const grid = centredGrid([47, 91, 91], [3.27, layout.binSize / 0.5, layout.binSize / 0.5]);
  const subsets = await systemModel(scan, engine, grid, { subsets: count });
  const { image } = await last(osem(subsets, { epochs: 2 }));
  await engine.dispose();
  const roi = cylinder(grid, 90, 100);
  const mean = total(fill(roi.shape, (i) => roi.data[i]! * image.data[i]!)) / total(roi);
  console.log(`mean of the region of interest ${mean.toFixed(4)}, true 1`);
  expect(Math.abs(mean - 1)).toBeLessThan(0.01);
});
