import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { expect, it } from 'vitest';
import { fill } from '../../src/core/array.js';
import { defaultGrid } from '../../src/geometry/grid.js';
import { scannerByName } from '../../src/geometry/scanners.js';
import { sinogramLayout } from '../../src/geometry/sinogram.js';
import { openCpuEngine } from '../../src/node/kernel-pool.js';
import { localCpuEngine } from '../../src/projector/cpu/local-pool.js';
import { expectAbort, noise } from '../laws.js';

const bytes = (): Buffer<ArrayBuffer> =>
  readFileSync(resolve(import.meta.dirname, '../../dist/kernel.wasm')) as Buffer<ArrayBuffer>;
const layout = sinogramLayout(scannerByName('small'), { span: 3, maxRingDifference: 4 });
const grid = defaultGrid(layout);

it('gives the bits of the engine with threads, several calls at once', async () => {
  const [here, threaded] = [await localCpuEngine(bytes()), await openCpuEngine({ threads: 2, relaxed: false })];
  const x = noise(grid.shape);
  const results = [here, threaded].map((engine) => {
    const A = engine.sinogramProjector(layout, [3, 40], grid);
    const y = fill(A.outShape, (i) => Math.cos(i));
    return Promise.all([A.forward(x), A.adjoint(y), engine.gaussianPsf(grid, 6).forward(x)]);
  });
  const [ours, theirs] = await Promise.all(results);
  ours!.forEach(({ data }, i) => {
    expect(data.some((value) => value !== 0)).toBe(true);
    expect(data.every((value, at) => value === theirs![i]!.data[at])).toBe(true);
  });
  await Promise.all([here.dispose(), threaded.dispose()]);
});

it('lets the event loop turn, and stops when asked to', async () => {
  const engine = await localCpuEngine(bytes());
  const A = engine.sinogramProjector(
    layout,
    Array.from({ length: layout.views }, (_, v) => v),
    grid,
  );
  const x = fill(A.inShape, () => 1);
  await expectAbort(async (signal) => {
    for (;;) await A.forward(x, { signal });
  });
  expect((await A.forward(x)).data.some((value) => value > 0)).toBe(true);
  await engine.dispose();
  await expect(A.forward(x)).rejects.toThrow('disposed');
});

it('refuses what are not its kernels', async () => {
  await expect(localCpuEngine(new Uint8Array(8))).rejects.toThrow(/do not compile.*coincide\/kernel\.wasm/s);
});
