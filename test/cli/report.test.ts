/** coincide report, as a user calls it. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { fill } from '../../src/core/array.js';
import { centredGrid, petImage } from '../../src/core/image.js';
import { writeNifti } from '../../src/io/nifti.js';
import { coincide, scratch } from './run.js';

const dir = scratch();
function write(name: string, size: readonly [number, number, number], value: (i: number) => number, sidecar?: object): void {
  const grid = centredGrid(size, [4, 4, 4]);
  writeFileSync(join(dir, `${name}.nii`), writeNifti(petImage(grid, fill(grid.shape, value), 'SUV')));
  if (sidecar) writeFileSync(join(dir, `${name}.json`), JSON.stringify(sidecar));
}
write('truth', [12, 13, 14], (i) => i % 7);
write('one', [12, 13, 14], (i) => (i % 7) * 1.1, { coincide: '0.0.9', parameters: { method: 'osem' }, warnings: ['a warning'] });
write('other', [12, 13, 15], (i) => i % 7);

it('writes one page with metrics, warnings and provenance', async () => {
  const { code, stdout, stderr } = await coincide(
    ['report', 'one.nii', '--reference', 'truth.nii', '--spread', 'truth.nii', '--title', 'Mine', '-o', 'out.html', '--json'],
    dir,
  );
  expect(stderr + code).toBe('0');
  expect(JSON.parse(stdout)).toMatchObject({ output: 'out.html', results: ['one.nii'] });
  const page = readFileSync(join(dir, 'out.html'), 'utf8');
  for (const text of [
    '<h1>Mine</h1>',
    'PSNR, dB',
    'a warning',
    '0.0.9',
    'parameters.method',
    'OSEM',
    'id="difference"',
    'id="spread"',
  ])
    expect(page).toContain(text);
});

it('says what is missing, and refuses what cannot be compared', async () => {
  const plain = await coincide(['report', 'truth.nii', 'one.nii', '-o', 'plain.html'], dir);
  expect(plain.code).toBe(0);
  expect(plain.stderr).toContain('no sidecar, hence no provenance: truth.nii');
  const unfit = await coincide(['report', 'other.nii', '--reference', 'truth.nii', '-o', 'x.html'], dir);
  expect(unfit.code).toBe(2);
  expect(unfit.stderr).toContain('other');
  const name = await coincide(['report', 'one.nii', '-o', 'x.pdf'], dir);
  expect(name.code).toBe(2);
  expect(name.stderr).toContain('.html');
  const gone = await coincide(['report', 'nothing.nii', '-o', 'x.html'], dir);
  expect(gone.code).toBe(2);
  expect(gone.stderr).toContain('nothing.nii: There is no such file');
});
