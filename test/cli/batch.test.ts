import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { fill } from '../../src/core/array.js';
import { centredGrid, petImage } from '../../src/core/image.js';
import { writeNifti } from '../../src/io/nifti.js';
import { coincide, scratch } from './run.js';

function studies(names: readonly string[]): string {
  const dir = scratch();
  mkdirSync(join(dir, 'in'));
  for (const [k, name] of names.entries()) {
    const image = petImage(
      centredGrid([6, 12, 12], [4, 4, 4]),
      fill([6, 12, 12], (i) => 1 + k + 0.2 * Math.sin(i)),
      'SUV',
    );
    writeFileSync(join(dir, 'in', `${name}.nii`), writeNifti(image));
  }
  const lines = names.map((name) => `in/${name}.nii,out/${name}.nii`);
  writeFileSync(join(dir, 'm.csv'), ['input,output', ...lines].join('\n'));
  return dir;
}
const json = (...names: string[]) => JSON.parse(readFileSync(join(...names), 'utf8'));

it('does each study once, over shards and restarts, and goes on past one that fails', async () => {
  const dir = studies(['a', 'b', 'c', 'd']);
  writeFileSync(join(dir, 'in', 'c.nii'), 'no image');
  const second = await coincide(['batch', 'm.csv', '--shard', '2/2', '--json'], dir);
  expect([second.code, JSON.parse(second.stdout)]).toMatchObject([
    0,
    { shard: '2/2', studies: 2, done: 2, skipped: 0, failed: 0 },
  ]);
  expect(readdirSync(join(dir, 'out')).sort()).toEqual(['b.json', 'b.nii', 'd.json', 'd.nii']);
  const made = statSync(join(dir, 'out', 'b.nii')).mtimeMs;

  const whole = await coincide(['batch', 'm.csv', '--json'], dir);
  expect([whole.code, JSON.parse(whole.stdout)]).toMatchObject([1, { done: 1, skipped: 2, failed: 1, failures: ['out_c'] }]);
  expect(whole.stderr).toMatch(/out_c: failed.*c\.nii/);
  expect(statSync(join(dir, 'out', 'b.nii')).mtimeMs).toBe(made);
  expect(json(dir, 'm.csv.log', 'out_a.json')).toMatchObject({ status: 'done', code: 0, result: { mode: 'mean', seed: 1 } });
  expect(json(dir, 'm.csv.log', 'out_c.json')).toMatchObject({ status: 'failed', code: 2 });
  expect(json(dir, 'm.csv.log', 'out_c.json').messages).toMatch(/c\.nii/);

  // What is no longer there, or asked for otherwise, is done again.
  rmSync(join(dir, 'out', 'd.nii'));
  const again = await coincide(['batch', 'm.csv', '--shard', '2/2', '--json'], dir);
  expect(JSON.parse(again.stdout)).toMatchObject({ done: 1, skipped: 1 });
  const other = await coincide(['batch', 'm.csv', '--shard', '2/2', '--json', '--', '--voxels', 'image'], dir);
  expect(JSON.parse(other.stdout)).toMatchObject({ done: 2, skipped: 0 });
  expect(json(dir, 'out', 'b.json').voxels).toBe('image');
}, 120_000);

it('refuses a manifest with a slip before any work', async () => {
  const dir = studies(['a']);
  for (const [text, says] of [
    ['input,output,modes\nin/a.nii,out.nii,mean', /modes.*option of denoise/],
    ['input,output,verb\nin/a.nii,out.nii,train', /verb.*denoise or recon.*train/],
    ['input,outptu\nin/a.nii,out.nii', /column is missing.*output/],
  ] as const) {
    writeFileSync(join(dir, 'm.csv'), text);
    const { code, stderr } = await coincide(['batch', 'm.csv'], dir);
    expect(stderr).toMatch(says);
    expect([code, existsSync(join(dir, 'out.nii'))]).toEqual([2, false]);
  }
}, 60_000);

it('stops when it is told to, and goes on from there', async () => {
  const dir = studies(['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h']);
  const stopped = await coincide(['batch', 'm.csv'], dir, 1500);
  expect(stopped.code).toBe(130);
  const before = existsSync(join(dir, 'out')) ? readdirSync(join(dir, 'out')).filter((name) => name.endsWith('.nii')).length : 0;
  expect(before).toBeLessThan(8);
  expect(existsSync(join(dir, 'out')) ? readdirSync(join(dir, 'out')).filter((name) => name.endsWith('.tmp')) : []).toEqual([]);
  const rest = await coincide(['batch', 'm.csv', '--json', '--quiet'], dir);
  expect(JSON.parse(rest.stdout)).toMatchObject({ done: 8 - before, skipped: before, failed: 0 });
}, 120_000);
