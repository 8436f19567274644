/** Real Siemens mMR list mode through the command line; skipped, aloud, where the data are absent. */
import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readImage } from '../../src/node/images.js';
import { maxDifference } from '../laws.js';
import { coincide, scratch } from './run.js';

const header = resolve(import.meta.dirname, '../../../shared/data/stir/PET_ACQ_small.l.hdr.STIR');
const dir = scratch();
const layout = ['--span', '11', '--max-ring-difference', '5', '--view-mash', '4'];

describe('mMR list mode', () => {
  it('becomes a scan with the counts that are known, and an image that explains them', async (ctx) => {
    if (!existsSync(header)) ctx.skip('shared/data absent');
    const framed = await coincide(
      ['histogram', header, '--frame', '0.1,0.6', ...layout, '-o', 'frame', '--json', '--quiet'],
      dir,
    );
    expect(JSON.parse(framed.stdout)).toMatchObject({ prompts: 178563, delayeds: 28856 });
    const whole = await coincide(['histogram', header, ...layout, '-o', 'scan', '--json', '--quiet'], dir);
    const counts = JSON.parse(whole.stdout);
    expect(counts).toMatchObject({ prompts: 218881, delayeds: 35320 });
    expect([-2, -1, 0, 1, 2].map((segment) => counts.perSegment[segment].prompts)).toEqual([2639, 2625, 2740, 2654, 2585]);
    expect([-2, -1, 0, 1, 2].map((segment) => counts.perSegment[segment].delayeds)).toEqual([533, 557, 572, 564, 546]);

    const args = [
      'recon',
      'scan',
      '--method',
      'osem',
      '--subsets',
      '2',
      '--iterations',
      '3',
      '--voxel',
      '8.3',
      '-o',
      'osem.nii.gz',
      '--json',
      '--quiet',
    ];
    const { code, stdout } = await coincide(args, dir);
    expect(code).toBe(0);
    const report = JSON.parse(stdout);
    expect(report.prompts).toBe(counts.inLayout.prompts);
    // So few counts (0.1 a voxel) let an early image take some randoms for trues, so that a little more than the prompts is explained.
    expect(Math.abs(report.explained / report.prompts - 1)).toBeLessThan(0.15);
    // … and many voxels follow the noise of few counts: the deviance is below, never above, what noise alone would give.
    const ratio = report.deviancePerBin / report.expectedDeviancePerBin;
    expect(ratio).toBeGreaterThan(0.7);
    expect(ratio).toBeLessThan(1.05);
    const { values } = await readImage(resolve(dir, 'osem.nii.gz'));
    expect(values.data.every((value) => value >= 0 && value < Infinity)).toBe(true);
    // The object lies in the middle of the field of view, and nothing at its edge outshines it.
    const at = values.data.indexOf(values.data.reduce((a, b) => Math.max(a, b)));
    const [, ny, nx] = values.shape as [number, number, number];
    expect(Math.hypot((at % nx) - (nx - 1) / 2, (Math.floor(at / nx) % ny) - (ny - 1) / 2) * 8.3).toBeLessThan(150);
  });

  it('is the same image event by event, and the sidecar says how it was made', async (ctx) => {
    if (!existsSync(header)) ctx.skip('shared/data absent');
    const coarse = ['--span', '11', '--max-ring-difference', '5', '--view-mash', '12'];
    const settings = ['--method', 'osem', '--subsets', '2', '--iterations', '1', '--voxel', '16', '--quiet'];
    const runs = [
      ['histogram', header, ...coarse, '-o', 'coarse', '--quiet'],
      ['recon', 'coarse', ...settings, '-o', 'histogram.nii.gz'],
      ['recon', header, ...coarse, ...settings, '-o', 'list.nii.gz'],
      ['recon', 'coarse', '--list-mode', header, ...settings, '-o', 'both.nii.gz'],
    ];
    for (const args of runs) expect((await coincide(args, dir)).code).toBe(0);
    const { values } = await readImage(resolve(dir, 'histogram.nii.gz'));
    expect(maxDifference((await readImage(resolve(dir, 'list.nii.gz'))).values, values)).toBeLessThan(5e-4);
    expect(maxDifference((await readImage(resolve(dir, 'both.nii.gz'))).values, values)).toBeLessThan(5e-4);
    const sidecar = JSON.parse(readFileSync(resolve(dir, 'list.json'), 'utf8'));
    expect(sidecar).toMatchObject({
      events: { header, frame: null, seconds: 0.612, additive: 'delayeds' },
      parameters: { data: 'list mode', engine: 'cpu' },
    });
    const { events, leftOut } = sidecar.listMode;
    expect(events + leftOut).toBe(218881);
    expect(events).toBe(sidecar.prompts);
    // A crowded layout is said to be one, on stderr; options of list mode are refused where there is none.
    const crowded = ['--span', '127', '--max-ring-difference', '60', '--view-mash', '126'];
    const said = await coincide(['recon', header, ...crowded, ...settings.slice(0, -1), '-o', 'crowded.nii.gz'], dir);
    expect(said.stderr).toMatch(/warning: \d+ % of the bins hold events.*coincide histogram/);
    const refused = await coincide(['recon', 'coarse', '--span', '1', '-o', 'x.nii.gz'], dir);
    expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining('--list-mode')]);
  });
});
