import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { fill } from '../../src/core/array.js';
import { DeviceError, OptionError } from '../../src/core/errors.js';
import { centredGrid } from '../../src/core/image.js';
import { linesOf } from '../../src/geometry/lines.js';
import { scannerByName } from '../../src/geometry/scanners.js';
import { sinogramLayout } from '../../src/geometry/sinogram.js';
import { openCpuEngine, openKernelPool } from '../../src/node/kernel-pool.js';
import { cpuEngine } from '../../src/projector/cpu/engine.js';
import type { KernelCall } from '../../src/projector/cpu/pool.js';
import { expectAbort, maxDifference, noise } from '../laws.js';
import { oddScanner, tinyScanner } from './engines.js';

describe('kernel pool', () => {
  it('serves many calls at once, in turn', async () => {
    const engine = await openCpuEngine({ threads: 2 });
    const operator = engine.sinogramProjector(sinogramLayout(tinyScanner), [0, 1, 2], centredGrid([5, 9, 9], [3.5, 9, 9]));
    const images = [1, 2, 3, 4].map((seed) => noise(operator.inShape, seed));
    const together = await Promise.all(images.map((image) => operator.forward(image)));
    for (const [i, image] of images.entries()) expect(together[i]!.data).toEqual((await operator.forward(image)).data);
    await engine.dispose();
  });

  it('reports a thread that fails, and refuses further work', async () => {
    const pool = await openKernelPool({ threads: 2 });
    const outside = pool.use(64, (space) => space.run([[['zero', 2 ** 31, 64]], [['zero', space.base, 64]]]));
    await expect(outside).rejects.toThrow(DeviceError);
    await expect(pool.use(64, async () => 1)).rejects.toThrow(DeviceError);
    await pool.dispose();
  });

  it('ends the work of the other threads when one crashes, and says so to whoever calls next', async () => {
    const pool = await openKernelPool({ threads: 2 });
    const engine = cpuEngine(pool);
    const operator = engine.sinogramProjector(sinogramLayout(tinyScanner), [0], centredGrid([5, 9, 9], [3.5, 9, 9]));
    const long = (base: number): KernelCall[] => new Array<KernelCall>(1e5).fill(['zero', base, 2 ** 24]);
    const crash = pool.use(2 ** 25, (space) => space.run([long(space.base), [['zero', 2 ** 31, 64]]]));
    const started = performance.now();
    await expect(crash).rejects.toThrow(/thread failed.*memory/);
    await expect(operator.forward(noise(operator.inShape))).rejects.toThrow(DeviceError);
    await engine.dispose();
    expect(performance.now() - started).toBeLessThan(5000);
  });

  it('stops an adjoint within a second, and works on afterwards', async () => {
    const engine = await openCpuEngine({ threads: 2 });
    const mmr = sinogramLayout(scannerByName('mMR'), { span: 11, maxRingDifference: 60 });
    const grid = centredGrid([127, 172, 172], [2.03125, 4, 4]);
    const sinogram = engine.sinogramProjector(mmr, [0, 50, 100, 150, 200, 250], grid);
    const lines = engine.lineProjector(linesOf(mmr, [7, 90]), grid);
    for (const operator of [sinogram, lines]) {
      await expectAbort((signal) =>
        operator.adjoint(
          fill(operator.outShape, () => 1),
          { signal },
        ),
      );
    }
    const psf = engine.gaussianPsf(centredGrid([5, 5, 5], [2, 2, 2]), 0);
    const image = noise([5, 5, 5]);
    expect((await psf.adjoint(image)).data).toEqual(image.data);
    await engine.dispose();
  });

  it('gives its memory and threads back when disposed, even while the engine is held', async () => {
    const url = new URL('../../dist/node/kernel-pool.js', import.meta.url).href;
    const program = `import(${JSON.stringify(url)}).then(async ({ openKernelPool }) => {
      const pool = await openKernelPool({ threads: 2 });
      await pool.use(2 ** 29, (space) => space.run([[['zero', space.base, 2 ** 29]]]));
      const used = process.memoryUsage().rss;
      await pool.dispose();
      for (let i = 0; i < 20; i++) { gc(); await new Promise((go) => setTimeout(go, 20)); }
      console.log(JSON.stringify({ freed: used - process.memoryUsage().rss, threads: pool.threads }));
    })`;
    const { stdout } = await promisify(execFile)(process.execPath, ['--expose-gc', '-e', program]);
    expect(JSON.parse(stdout).freed).toBeGreaterThan(0.9 * 2 ** 29);
  });

  it('says that there is not enough memory', async () => {
    const pool = await openKernelPool({ threads: 1 });
    await expect(pool.use(2 ** 32, async () => 1)).rejects.toThrow(/subsets/);
    expect(await pool.use(64, async () => 1)).toBe(1);
    await pool.dispose();
    await expect(pool.use(64, async () => 1)).rejects.toThrow(/disposed/);
  });

  it('refuses a number of threads that cannot be', async () => {
    await expect(openKernelPool({ threads: 0 })).rejects.toThrow(OptionError);
  });

  it('runs the relaxed kernels where the runtime has them, to the same numbers', async () => {
    const plain = await openCpuEngine({ threads: 2, relaxed: false });
    expect(plain.details).toBe('2 threads, SIMD');
    const url = (file: string): string => JSON.stringify(new URL(`../../dist/${file}`, import.meta.url).href);
    const program = `Promise.all([import(${url('node/kernel-pool.js')}), import(${url('core/image.js')}), import(${url('core/array.js')}),
      import(${url('geometry/sinogram.js')}), import(${url('geometry/lines.js')})]).then(async ([pool, image, array, sinogram, lines]) => {
      const engine = await pool.openCpuEngine({ threads: 1 });
      const grid = image.centredGrid([9, 21, 23], [3, 6, 5]);
      const layout = sinogram.sinogramLayout(${JSON.stringify(oddScanner)}, { span: 3 });
      const x = array.fill(grid.shape, (i) => ((i * 7919) % 101) / 101);
      const out = [];
      for (const a of [engine.sinogramProjector(layout, [2, 9], grid), engine.lineProjector(lines.linesOf(layout, [2, 9]), grid),
        engine.gaussianPsf(grid, 9)]) {
        out.push([...(await a.forward(x)).data], [...(await a.adjoint(array.fill(a.outShape, (i) => (i % 5) / 5))).data]);
      }
      console.log(JSON.stringify({ details: engine.details, out }));
      await engine.dispose();
    })`;
    // Newer runtimes have it without being asked and may not know the flag.
    const flags = process.allowedNodeEnvironmentFlags.has('--experimental-wasm-relaxed-simd') || process.versions.v8 < '11.4';
    const arguments_ = [...(flags ? ['--experimental-wasm-relaxed-simd'] : []), '-e', program];
    const { stdout } = await promisify(execFile)(process.execPath, arguments_, { maxBuffer: 2 ** 28 });
    const { details, out } = JSON.parse(stdout) as { details: string; out: number[][] };
    expect(details).toBe('1 thread, relaxed SIMD');
    const grid = centredGrid([9, 21, 23], [3, 6, 5]);
    const layout = sinogramLayout(oddScanner, { span: 3 });
    const x = fill(grid.shape, (i) => ((i * 7919) % 101) / 101);
    const operators = [
      ...[plain.sinogramProjector(layout, [2, 9], grid), plain.lineProjector(linesOf(layout, [2, 9]), grid)],
      plain.gaussianPsf(grid, 9),
    ];
    for (const [i, a] of operators.entries()) {
      const forward = await a.forward(x);
      const adjoint = await a.adjoint(fill(a.outShape, (k) => (k % 5) / 5));
      expect(
        maxDifference(
          fill(forward.shape, (k) => out[2 * i]![k]!),
          forward,
        ),
      ).toBeLessThan(1e-5);
      expect(
        maxDifference(
          fill(adjoint.shape, (k) => out[2 * i + 1]![k]!),
          adjoint,
        ),
      ).toBeLessThan(1e-5);
    }
    await plain.dispose();
  });

  it('does not keep the process alive', async () => {
    const url = new URL('../../dist/node/kernel-pool.js', import.meta.url).href;
    const program = `import(${JSON.stringify(url)}).then(async ({ openKernelPool }) => {
      const pool = await openKernelPool({ threads: 2 });
      if (process.argv[1] === 'used') await pool.use(64, (space) => space.run([[['zero', space.base, 64]]]));
      console.log('open');
    })`;
    const run = (argument: string) => promisify(execFile)(process.execPath, ['-e', program, argument], { timeout: 10_000 });
    for (const argument of ['idle', 'used']) expect((await run(argument)).stdout).toBe('open\n');
  });
});
