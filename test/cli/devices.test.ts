/** --device: which engine runs is what was asked for, and the sidecar says which it was. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { readImage } from '../../src/node/images.js';
import { gpu, noGpu } from '../gpu.js';
import { maxDifference } from '../laws.js';
import { coincide, scratch } from './run.js';

const dir = scratch();
/** A reconstruction of the scan on few voxels: its sidecar. */
async function recon(device: string): Promise<Record<string, unknown>> {
  const few = ['--size', '11', '--voxel', '20', '--subsets', '4', '--iterations', '1'];
  const { code, stderr } = await coincide(
    ['recon', 's', '--method', 'osem', '--device', device, ...few, '-o', `${device}.nii.gz`, '--quiet'],
    dir,
  );
  expect(stderr + code).toBe('0');
  return JSON.parse(readFileSync(join(dir, `${device}.json`), 'utf8')).parameters;
}

beforeAll(async () => {
  await coincide(['phantom', '--kind', 'cylinder', '-o', 'p'], dir);
  const made = await coincide(
    [
      ...['simulate', '--activity', 'p/activity.nii.gz', '--counts', '3e5', '--device', 'cpu', '-o', 's', '--quiet'],
      ...['--view-mash', '4', '--max-ring-difference', '4'],
    ],
    dir,
  );
  expect(made.stderr + made.code).toBe('0');
});

// A program does a card's work here: long where all cores are busy.
describe('recon', { timeout: 180_000 }, () => {
  it('takes the cpu engine by itself where the only adapter is software', async (ctx) => {
    if (gpu && !gpu.software) return ctx.skip('there is a graphics card');
    expect(await recon('auto')).toMatchObject({ engine: 'cpu', device: expect.stringMatching(/thread.*SIMD/) });
  });

  it('says what to install where the engine that was asked for is not there', async (ctx) => {
    if (process.platform !== 'linux') return ctx.skip('the names of drivers are those of Linux');
    const before = { ...process.env };
    process.env.VK_DRIVER_FILES = '/nowhere.json';
    process.env.VK_ICD_FILENAMES = '/nowhere.json';
    try {
      const { code, stderr } = await coincide(
        ['recon', 's', '--method', 'osem', '--device', 'gpu', '-o', 'none.nii.gz', '--quiet'],
        dir,
      );
      expect(stderr).toMatch(/driver.*Install/s);
      expect(stderr).not.toMatch(/\bat .*\.js:\d+/);
      expect(code).toBe(2);
      expect(existsSync(join(dir, 'none.nii.gz'))).toBe(false);
    } finally {
      process.env = before;
    }
  });

  it('runs on the adapter when asked to, names it, and gives the image of the cpu engine', async (ctx) => {
    if (!gpu) return ctx.skip(noGpu);
    expect(await recon('gpu')).toMatchObject({ engine: 'gpu', device: gpu.name });
    expect(await recon('cpu')).toMatchObject({ engine: 'cpu' });
    const [onGpu, onCpu] = await Promise.all(['gpu', 'cpu'].map((name) => readImage(join(dir, `${name}.nii.gz`))));
    expect(maxDifference(onGpu!.values, onCpu!.values)).toBeLessThan(1e-4);
  });
});
