/** coincide view on the command line; its page is tested in test/browser. */
import { spawn } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, it } from 'vitest';
import { fill } from '../../src/core/array.js';
import { petImage } from '../../src/core/image.js';
import { writeNifti } from '../../src/io/nifti.js';
import type { ViewSession } from '../../src/node/view-session.js';
import { coincide, scratch } from './run.js';

const dist = resolve(import.meta.dirname, '../../dist');
const built = existsSync(join(dist, 'view/index.html'));
const dir = scratch();
const grid = { shape: [2, 3, 4], voxelSize: [5, 3, 2], origin: [10, 20, 30] } as const;
writeFileSync(
  join(dir, 'a.nii.gz'),
  writeNifti(
    petImage(
      grid,
      fill(grid.shape, (i) => i),
      'SUV',
    ),
    { gzip: true },
  ),
);
writeFileSync(join(dir, 'a.json'), '{"parameters":{"method":"osem"}}');

it('serves the images, bits and all, until Ctrl-C, which ends it well', async (ctx) => {
  if (!built) return ctx.skip('the viewer’s page was not built: npm ci && npm run build');
  const child = spawn(process.execPath, [join(dist, 'cli/main.js'), 'view', 'a.nii.gz', '--json', '--quiet'], { cwd: dir });
  const { url } = JSON.parse(await new Promise<string>((done) => child.stdout.once('data', (text) => done(String(text))))) as {
    url: string;
  };
  const session = (await (await fetch(`${url}session.json`)).json()) as ViewSession;
  expect(session.images[0]).toMatchObject({
    name: 'a.nii.gz',
    unit: 'SUV',
    shape: [2, 3, 4],
    voxelSize: [5, 3, 2],
    onFirstGrid: true,
  });
  // World → voxel: x = 30 + 2 i.
  expect(session.images[0]!.toVoxel.slice(0, 4).map((v) => v.toFixed(6))).toEqual([
    '0.500000',
    '0.000000',
    '0.000000',
    '-15.000000',
  ]);
  expect(session.provenance).toContainEqual(['parameters.method', 'osem']);
  const bytes = await (await fetch(`${url}${session.images[0]!.file}`)).arrayBuffer();
  expect([...new Float32Array(bytes, 352)]).toEqual(Array.from({ length: 24 }, (_, i) => i));
  expect(await (await fetch(url)).text()).toContain('<title>coincide view</title>');
  child.kill('SIGINT');
  expect(await new Promise((done) => child.once('close', done))).toBe(0);
  await expect(fetch(url)).rejects.toThrow();
});

it('says what is wrong before it serves anything', async () => {
  const gone = await coincide(['view', 'a.nii.gz', 'nothing.nii'], dir);
  if (built) expect(gone.stderr).toContain('nothing.nii: There is no such file');
  expect(gone).toMatchObject({ code: 2, stdout: '' });
  const many = await coincide(['view', ...Array.from({ length: 7 }, () => 'a.nii.gz')], dir);
  expect(many.code).toBe(2);
  expect(many.stderr).toContain('at most 6');
  const frame = await coincide(['view', 'a.nii.gz', '--frame', '3'], dir);
  if (built) expect(frame.stderr).toContain('no such frame (frame)');
  expect(frame.code).toBe(2);
});
