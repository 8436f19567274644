import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { readManifest, shardOf } from '../../src/node/manifest.js';

const dir = mkdtempSync(join(tmpdir(), 'coincide-'));
const read = (text: string) => {
  writeFileSync(join(dir, 'm.csv'), text);
  return readManifest(join(dir, 'm.csv'));
};

it('reads one study a line: quotes, commas, empty cells, and the line ends of all systems', async () => {
  const studies = await read(
    '\uFEFFid,input,output,mode,verb\r\n\r\n,"a, ""b"".nii.gz",out/a.nii.gz,,\r\ntwo,/abs/x,y,samples,recon\r\n',
  );
  expect(studies).toEqual([
    { id: 'out_a', verb: 'denoise', input: join(dir, 'a, "b".nii.gz'), output: join(dir, 'out/a.nii.gz'), options: {} },
    { id: 'two', verb: 'recon', input: '/abs/x', output: join(dir, 'y'), options: { mode: 'samples' } },
  ]);
  expect(await read('input,output\n"a\nb",c')).toMatchObject([{ input: join(dir, 'a\nb') }]);
});

it.each([
  ['in,output\na,b', /m\.csv.*column is missing.*input.*in,output/],
  ['input,output\na', /line 2.*expected 2.*found 1/],
  ['input,output\n\na,b,c', /line 3.*found 3/],
  ['input,output\na,', /line 2/],
  ['input,output\na,b\nc,b', /line 3.*another id than line 2/],
  ['id,input,output\n1,a,b\n2,c,b', /line 3.*another output than line 2/],
  ['input,output,mode,mode\n', /one name.*mode/],
  ['input,output\n"a,b\n', /quote is not closed.*line 2/],
])('refuses %j', async (text, says) => {
  await expect(read(text)).rejects.toThrow(says);
});

it('deals studies to shards: each to one', () => {
  const studies = [0, 1, 2, 3, 4, 5, 6];
  expect([1, 2, 3].map((i) => shardOf(studies, `${i}/3`))).toEqual([
    [0, 3, 6],
    [1, 4],
    [2, 5],
  ]);
  expect(shardOf(studies, '9/9')).toEqual([]);
  for (const shard of ['0/3', '4/3', '1', 'a/b', '1/3x']) expect(() => shardOf(studies, shard), shard).toThrow(/\(shard\)/);
});
