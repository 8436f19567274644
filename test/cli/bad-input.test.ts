/** Bad input ends with exit code 2, one message that names the file and the slip, and no output. */
import { cpSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { coincide, scratch } from './run.js';

const dir = scratch();
const at = (...names: string[]): string => join(dir, ...names);

beforeAll(async () => {
  await coincide(['phantom', '--kind', 'cylinder', '--voxel', '12', '-o', 'p'], dir);
  await coincide(['simulate', '--activity', 'p/activity.nii.gz', '--counts', '1e5', '--span', '15', '-o', 's'], dir);
  expect(existsSync(at('s', 'prompts.hs'))).toBe(true);
});

const outputs = ['out', 'out.html', 'out.nii.gz', 'out.json', 'out.png', 'out.training'];
beforeEach(() => {
  for (const output of outputs) rmSync(at(output), { recursive: true, force: true });
});

/** A copy of the good scan, one file of it changed. */
function spoiled(name: string, file: string, change: (bytes: Buffer) => Buffer): string {
  cpSync(at('s'), at(name), { recursive: true });
  writeFileSync(at(name, file), change(readFileSync(at('s', file))));
  return name;
}
const header =
  (change: (text: string) => string) =>
  (bytes: Buffer): Buffer =>
    Buffer.from(change(bytes.toString('latin1')), 'latin1');
const filled =
  (value: number) =>
  (bytes: Buffer): Buffer => {
    const floats = new Float32Array(bytes.length / 4).fill(value);
    return Buffer.from(floats.buffer);
  };

const scans: [what: string, make: () => string, says: RegExp][] = [
  ['an empty data file', () => spoiled('empty', 'prompts.s', () => Buffer.alloc(0)), /prompts\.s.*empty/],
  ['a truncated data file', () => spoiled('short', 'prompts.s', (b) => b.subarray(0, b.length - 100)), /prompts/],
  ['an empty header', () => spoiled('headless', 'prompts.hs', () => Buffer.alloc(0)), /prompts\.hs.*empty/],
  ['a header that is something else', () => spoiled('other', 'prompts.hs', () => Buffer.from('GIF89a')), /prompts\.hs/],
  [
    'the wrong byte order',
    () =>
      spoiled(
        'endian',
        'prompts.hs',
        header((t) => t.replace('LITTLEENDIAN', 'BIGENDIAN')),
      ),
    /byte order/i,
  ],
  ['data full of NaN', () => spoiled('nan', 'prompts.s', filled(Number.NaN)), /prompts.*(NaN|finite)/],
  ['negative prompts', () => spoiled('negative', 'prompts.s', filled(-1)), /prompts.*≥ 0/],
  ['no counts at all', () => spoiled('zero', 'prompts.s', filled(0)), /no counts/],
  [
    'multiplicative factors of another shape',
    () =>
      spoiled(
        'mismatch',
        'mult_factors.hs',
        header((t) => t.replace(/(matrix size \[1\]\s*:=\s*)\d+/, '$174')),
      ),
    /mult_factors/,
  ],
  [
    'a header that lies about its ring differences',
    () =>
      spoiled(
        'lie',
        'prompts.hs',
        header((t) => t.replace(/(maximum ring difference per segment\s*:=\s*\{\s*)/, '$19, ')),
      ),
    /prompts\.hs/,
  ],
  ['a folder that is no scan', () => '.', /no scan folder/],
  ['a scan that is not there', () => 'nowhere', /no such scan.*coincide simulate/],
  ['an image', () => 'p/activity.nii.gz', /an image, not raw data.*coincide denoise/],
  ['the data of a scan instead of its header', () => 's/prompts.s', /prompts\.s.*no text.*\.hs/],
  [
    'a header of counts under another name',
    () => {
      cpSync(at('s'), at('renamed'), { recursive: true });
      renameSync(at('renamed', 'prompts.hs'), at('renamed', 'sinogram.hs'));
      return 'renamed';
    },
    /no prompts\.hs.*Name the header/,
  ],
];

describe('recon refuses', () => {
  it.each(scans)('%s', async (_what, make, says) => {
    const { code, stdout, stderr } = await coincide(['recon', make(), '-o', 'out.nii.gz', '--quiet'], dir);
    expect(stderr).toMatch(says);
    expect(stderr.trim().split('\n').length).toBeLessThanOrEqual(2);
    expect(stderr).not.toMatch(/\bat .*\.js:\d+/);
    expect([code, stdout]).toEqual([2, '']);
    for (const output of outputs) expect(existsSync(at(output)), output).toBe(false);
  });

  it('voxels of which memory cannot hold enough, before it reads the data', async () => {
    const scan = spoiled('fine', 'prompts.s', () => Buffer.alloc(0));
    const { code, stderr } = await coincide(['recon', scan, '--voxel', '0.001', '-o', 'out.nii.gz'], dir);
    expect(stderr).toMatch(/grid.*at most [\d.]+ GiB, found "(\d+) × \1 × \d+ voxels, [\d.]+ GiB of images for 8 subsets"/);
    expect(stderr).toMatch(/\(--voxel, --size\): (\d+) × \1 × \d+ voxels of [\d.]+ mm across, [\d.]+ GiB/);
    expect([code, existsSync(at('out.nii.gz'))]).toEqual([2, false]);
  });
});

const calls: [what: string, args: string[], says: RegExp][] = [
  ['an image that is not there', ['denoise', 'nowhere.nii.gz', '-o', 'out.nii.gz'], /nowhere\.nii\.gz.*no such file/i],
  ['a text file as an image', ['denoise', 'text.nii', '-o', 'out.nii.gz'], /text\.nii/],
  ['an image whose unit is not SUV', ['denoise', 'counts.nii.gz', '-o', 'out.nii.gz', '--unit', 'counts'], /SUV/],
  ['a spread of the mean mode', ['denoise', 'p/activity.nii.gz', '--spread', 'spread.nii.gz', '-o', 'out.nii.gz'], /samples/],
  ['an output that is not NIfTI', ['recon', 's', '-o', 'out.png'], /\.nii/],
  [
    'a guide for a method that takes none',
    ['recon', 's', '--method', 'osem', '--anatomy', 'p/mu.nii.gz', '-o', 'out.nii.gz'],
    /--anatomy.*bsrem.*osem/,
  ],
  [
    'no iteration at all',
    ['recon', 's', '--method', 'osem', '--iterations', '0', '-o', 'out.nii.gz'],
    /--iterations.*at least 1/,
  ],
  [
    'a model for a method without',
    ['recon', 's', '--method', 'osem', '--model', 'm', '-o', 'out.nii.gz'],
    /--model.*diffpir.*found "osem"/,
  ],
  ['an option of another method', ['recon', 's', '--method', 'map-em', '--gamma', '2', '-o', 'out.nii.gz'], /--gamma.*bsrem/],
  [
    'a model that is not there',
    ['denoise', 'p/activity.nii.gz', '--model', 'm', '-o', 'out.nii.gz'],
    /m: There is no such model/,
  ],
  ['to write over its input', ['denoise', 'p/activity.nii.gz', '-o', './p/../p/activity.nii.gz'], /would replace an input/],
  [
    'the spread in the place of the image',
    ['denoise', 'p/activity.nii.gz', '--mode', 'samples', '--spread', 'out.nii.gz', '-o', 'out.nii.gz'],
    /would replace another output/,
  ],
  ['a folder without DICOM', ['denoise', 'p', '-o', 'out.nii.gz'], /no DICOM.*p\/activity\.nii\.gz/],
  ['raw data to denoise', ['denoise', 's/prompts.hs', '-o', 'out.nii.gz'], /projection data.*coincide recon/],
  ['a μ map to denoise', ['denoise', 'p/mu.nii.gz', '-o', 'out.nii.gz'], /attenuation map/],
  [
    'activity that is attenuation',
    ['simulate', '--activity', 'p/mu.nii.gz', '--counts', '1e5', '-o', 'out'],
    /--activity.*SUV.*1\/cm/,
  ],
  [
    'labels for attenuation',
    ['simulate', '--activity', 'p/activity.nii.gz', '--mu', 'p/labels.nii.gz', '--counts', '1e5', '-o', 'out'],
    /--mu.*1\/cm.*label/,
  ],
  [
    'a dose in percent',
    ['simulate', '--activity', 'p/activity.nii.gz', '--counts', '1e5', '--dose', '5', '-o', 'out'],
    /--dose.*0\.05/,
  ],
  ['a reference in another unit', ['evaluate', 'p/activity.nii.gz', '--reference', 'p/mu.nii.gz'], /unit.*1\/cm.*SUV/],
  [
    'an image for labels',
    ['evaluate', 'p/activity.nii.gz', '--reference', 'p/activity.nii.gz', '--labels', 'p/activity.nii.gz'],
    /no label image/,
  ],
  [
    'a background without labels',
    ['evaluate', 'p/activity.nii.gz', '--reference', 'p/activity.nii.gz', '--background', 'water'],
    /--background.*--labels/,
  ],
  ['a point beside the image', ['report', 'p/activity.nii.gz', '--at', '900,0,0', '-o', 'out.html'], /--at.*900/],
  ['a port that is none', ['view', 'p/activity.nii.gz', '--port', '70000'], /port.*70000/],
  ['a plan without --plan', ['info', 's', '--voxel', '3'], /--plan/],
  ['a folder of nothing known', ['info', 'nothing'], /an empty folder/],
  ['a manifest by semicolons', ['batch', 'semicolons.csv'], /commas/],
  ['a manifest without studies', ['batch', 'none.csv'], /no study/],
  ['sinograms for list mode', ['histogram', 's/prompts.hs', '-o', 'out'], /not that of list mode.*coincide recon/],
  ['a scan for list mode', ['histogram', 's', '-o', 'out'], /scan folder already/],
  ['text for a checkpoint', ['import', 'text.nii', '-o', 'out'], /Not safetensors/],
  ['too many subsets', ['recon', 's', '--method', 'osem', '--subsets', '1000', '-o', 'out.nii.gz'], /subsets.*1000/],
  [
    'a scanner nobody knows',
    ['simulate', '--activity', 'p/activity.nii.gz', '--scanner', 'magic', '--counts', '1e5', '-o', 'out'],
    /magic[\s\S]*Known/,
  ],
  ['a list-mode header that is none', ['histogram', 'text.nii', '-o', 'out'], /text\.nii/],
  [
    'a reference of another shape',
    ['evaluate', 'p/activity.nii.gz', '--reference', 'small.nii.gz'],
    /expected 13 × 13 × \d+ voxels of 30/,
  ],
  ['a configuration with a slip', ['train', 'train.json', '-o', 'out'], /stepz/],
  ['a number that is none', ['simulate', '--activity', 'p/activity.nii.gz', '--counts', 'many', '-o', 'out'], /number.*many/],
  ['a verb that is not there', ['reconstruct', 's'], /unknown command/],
  ['a missing option', ['recon', 's'], /--output/],
  ['an engine nobody knows', ['recon', 's', '--device', 'tpu', '-o', 'out.nii.gz'], /auto, cpu, gpu, reference/],
  ['a folder that holds other files', ['phantom', '--kind', 'cylinder', '-o', '.'], /other files/],
];

describe('the command line refuses', () => {
  beforeAll(async () => {
    writeFileSync(at('text.nii'), 'this is no image, and it is long enough to be mistaken for a header'.repeat(12));
    mkdirSync(at('nothing'));
    writeFileSync(at('semicolons.csv'), 'input;output\na;b\n');
    writeFileSync(at('none.csv'), 'input,output\n');
    writeFileSync(at('train.json'), '{ "name": "x", "stepz": 3 }');
    cpSync(at('p', 'activity.nii.gz'), at('counts.nii.gz'));
    await coincide(['phantom', '--kind', 'cylinder', '--voxel', '30', '-o', 'q'], dir);
    cpSync(at('q', 'activity.nii.gz'), at('small.nii.gz'));
  });
  it.each(calls)('%s', async (_what, args, says) => {
    const { code, stderr } = await coincide([...args, '--quiet'], dir);
    expect(stderr).toMatch(says);
    expect(stderr).not.toMatch(/\bat .*\.js:\d+/);
    expect(code).toBe(2);
    for (const output of outputs) expect(existsSync(at(output)), output).toBe(false);
  });
});
