/** --device: which engine runs is what was asked for, and the sidecar says which it was. */
import { readFileSync } from 'node:fs';
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
  const { code, stderr } = await coincide(['recon', 's', '--device', device, ...few, '-o', `${device}.nii.gz`, '--quiet'], dir);
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

  it('runs on the adapter when asked to, names it, and gives the image of the cpu engine', async (ctx) => {
    if (!gpu) return ctx.skip(noGpu);
    expect(await recon('gpu')).toMatchObject({ engine: 'gpu', device: gpu.name });
    expect(await recon('cpu')).toMatchObject({ engine: 'cpu' });
    const [onGpu, onCpu] = await Promise.all(['gpu', 'cpu'].map((name) => readImage(join(dir, `${name}.nii.gz`))));
    expect(maxDifference(onGpu!.values, onCpu!.values)).toBeLessThan(1e-4);
  });
});
