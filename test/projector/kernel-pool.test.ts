import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { DeviceError, OptionError } from '../../src/core/errors.js';
import { centredGrid } from '../../src/core/image.js';
import { sinogramLayout } from '../../src/geometry/sinogram.js';
import { openCpuEngine, openKernelPool } from '../../src/node/kernel-pool.js';
import { noise } from '../laws.js';
import { tinyScanner } from './engines.js';

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
