/** The whole line through the command line: phantom → scan → image → evaluation. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { coincide, scratch } from './run.js';

const dir = scratch();
const json = (text: string): Record<string, never> => JSON.parse(text);

beforeAll(async () => {
  expect((await coincide(['phantom', '--kind', 'thorax', '-o', 'p'], dir)).code).toBe(0);
  const made = await coincide(
    ['simulate', '--activity', 'p/activity.nii.gz', '--mu', 'p/mu.nii.gz', '--counts', '8e5', '--seed', '2', '-o', 's', '--json'],
    dir,
  );
  expect(made.stderr + made.code).toBe('0');
});

describe('the line', () => {
  it('makes an image that is quantitative, in SUV, and explains the counts', async () => {
    const { code, stdout, stderr } = await coincide(
      ['recon', 's', '--method', 'osem', '--psf', '5', '--iterations', '8', '-o', 'osem.nii.gz', '--json', '--quiet'],
      dir,
    );
    expect(stderr + code).toBe('0');
    const report = json(stdout) as unknown as Record<string, number> & { unit: string };
    expect(report.unit).toBe('SUV');
    expect(Math.abs(report.explained! / report.prompts! - 1)).toBeLessThan(0.02);
    expect(Math.abs(report.deviancePerBin! / report.expectedDeviancePerBin! - 1)).toBeLessThan(0.1);
    const evaluated = await coincide(
      ['evaluate', 'osem.nii.gz', '--reference', 'p/activity.nii.gz', '--labels', 'p/labels.nii.gz', '--json'],
      dir,
    );
    const { regions } = json(evaluated.stdout) as unknown as { regions: Record<string, { biasPercent: number; voxels: number }> };
    for (const organ of ['blood', 'mediastinum', 'lung']) {
      expect(regions[organ]!.voxels).toBeGreaterThan(200);
      expect(Math.abs(regions[organ]!.biasPercent), organ).toBeLessThan(6);
    }
  });

  it('reconstructs with a penalty, with and without a guide, nearer to the truth than OSEM', async () => {
    const error = async (image: string): Promise<number> =>
      json((await coincide(['evaluate', image, '--reference', 'p/activity.nii.gz', '--json'], dir)).stdout).nrmse!;
    const early = ['recon', 's', '--psf', '5', '--quiet', '--json'];
    expect((await coincide([...early, '--method', 'osem', '-o', 'early.nii.gz'], dir)).code).toBe(0);
    const few = ['--penalised-iterations', '2', '--beta', '0.1'];
    for (const more of [
      ['--method', 'bsrem'],
      ['--method', 'map-em', '--anatomy', 'p/mu.nii.gz', '--neighbours', '12'],
    ]) {
      const { code, stdout, stderr } = await coincide([...early, ...few, ...more, '-o', `${more[1]}.nii.gz`], dir);
      expect(stderr + code).toBe('0');
      expect(json(stdout).parameters).toMatchObject({ method: more[1], beta: 0.1, penalisedIterations: 2 });
      expect(await error(`${more[1]}.nii.gz`)).toBeLessThan(0.9 * (await error('early.nii.gz')));
    }
  });

  it('repeats its result for the same seed, whatever the number of threads, and differs for another', async () => {
    const bytes = async (name: string, ...more: string[]): Promise<string> => {
      await coincide(['simulate', '--activity', 'p/activity.nii.gz', '--counts', '1e5', '-o', name, ...more], dir);
      return readFileSync(join(dir, name, 'prompts.s')).toString('base64');
    };
    const one = await bytes('s1', '--seed', '5', '--threads', '1');
    expect(await bytes('s2', '--seed', '5', '--threads', '2')).toBe(one);
    expect(await bytes('s3', '--seed', '6')).not.toBe(one);
  });

  it('keeps a sidecar that names engine and parameters', () => {
    const sidecar = JSON.parse(readFileSync(join(dir, 'osem.json'), 'utf8'));
    expect(sidecar).toMatchObject({ unit: 'SUV', parameters: { method: 'osem', engine: 'cpu', subsets: 8 } });
    expect(sidecar.coincide).toMatch(/^\d+\.\d+\.\d+$/);
  });

  it('stops on Ctrl-C within a second, with exit code 130, what there was, and no half file', async () => {
    let told = 0;
    const { code, stderr } = await coincide(
      ['recon', 's', '--method', 'mlem', '--iterations', '2000', '-o', 'mlem.nii.gz'],
      dir,
      {
        after: '  MLEM ', // not the title, which begins a line: a step was made
        told: () => (told = performance.now()),
      },
    );
    expect(code).toBe(130);
    expect(stderr).toContain('Interrupted');
    expect(performance.now() - told).toBeLessThan(1500);
    expect(existsSync(join(dir, 'mlem.nii.gz'))).toBe(true);
    expect(JSON.parse(readFileSync(join(dir, 'mlem.json'), 'utf8'))).toMatchObject({ unfinished: 'osem' });
    expect(existsSync(join(dir, 'mlem.nii.gz.partial'))).toBe(true);
    expect(readdirSync(dir).filter((name) => name.endsWith('.tmp'))).toEqual([]);
  });

  it('describes what it made', async () => {
    expect(json((await coincide(['info', 's', '--json'], dir)).stdout)).toMatchObject({
      kind: 'scan',
      scanner: 'small',
      unit: 'SUV',
      views: 96,
    });
    expect((await coincide(['info', 'p/mu.nii.gz'], dir)).stdout).toContain('1/cm');
  });
});
