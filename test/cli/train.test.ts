/** Training through the command line: interrupted and given again, it makes the very weights of an unbroken run. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { array, fill, type Shape3, size } from '../../src/core/array.js';
import { centredGrid, petImage } from '../../src/core/image.js';
import { readSafetensors } from '../../src/io/safetensors.js';
import { parameterManifest } from '../../src/network/parameters.js';
import { readImage, writeImage } from '../../src/node/images.js';
import { withLora } from '../../src/node/lora-file.js';
import { readModel } from '../../src/node/model-folder.js';
import { coincide, scratch } from './run.js';

// Many runs of the command, each from the start of a process: minutes on a busy machine.
it('goes on where it was interrupted, to the same weights', { timeout: 600_000 }, async () => {
  const dir = scratch();
  const config = {
    ...{ name: 'tiny', seed: 3, steps: 30, checkpointEvery: 10, batch: 2, patch: [16, 16, 16] },
    ...{ cohort: { subjects: 1, validation: 1, draws: 1, voxel: [10, 10], voxels: 20_000 } },
    network: { channels: [8, 16], embedding: 16, groups: 4 },
  };
  writeFileSync(join(dir, 'tiny.json'), JSON.stringify(config));
  const whole = await coincide(['train', 'tiny.json', '-o', 'whole', '--json', '--quiet'], dir);
  expect(whole.stderr + whole.code).toBe('0');

  const weights = (name: string): string => readFileSync(join(dir, name, 'weights.safetensors')).toString('base64');
  // SIGINT keeps the last step; SIGKILL leaves what there was, at any moment. Each time a little later, until it gets through.
  for (const [name, signal, code] of [
    ['broken', 'SIGINT', 130],
    ['killed', 'SIGKILL', null],
  ] as const) {
    let last: { code: number | null; stderr: string } = { code, stderr: '' };
    let interruptions = 0;
    // A process that is still starting has no handler: SIGINT ends it without a code too.
    for (let after = 1500; (last.code === code || last.code === null) && after < 60_000; after *= 1.6) {
      last = await coincide(['train', 'tiny.json', '-o', name, '--quiet', '--cohort', 'cohort'], dir, after, signal);
      if (last.code === code) interruptions++;
      expect(last.stderr).not.toMatch(/terminate|Napi|internal error/);
    }
    expect(last.stderr + last.code).toBe('0');
    expect(interruptions).toBeGreaterThan(0);
    expect(weights(name)).toBe(weights('whole'));
  }
  const log = readFileSync(join(dir, 'killed.training', 'log.jsonl'), 'utf8')
    .trim()
    .split('\n');
  expect(log.map((line) => JSON.parse(line).step)).toEqual([10, 20, 30]);
  const { sha256 } = JSON.parse(readFileSync(join(dir, 'broken', 'model.json'), 'utf8'));
  expect(JSON.parse(whole.stdout).sha256).toBe(sha256);

  // From the trained model, low-rank updates of one block alone; what is exported gives the same model when it is merged.
  const tuned = { ...config, steps: 4, from: 'whole', lora: { rank: 2, layers: ['decoder0'] }, meanFirst: 0 };
  writeFileSync(join(dir, 'tuned.json'), JSON.stringify(tuned));
  const ran = await coincide(['train', 'tuned.json', '-o', 'tuned', '--quiet', '--cohort', 'cohort'], dir);
  expect(ran.stderr + ran.code).toBe('0');
  const base = await readModel(join(dir, 'whole'));
  const adapted = await readModel(join(dir, 'tuned'));
  expect(adapted.card.training.from).toMatchObject({ name: 'tiny', sha256 });
  expect((await withLora(base, join(dir, 'tuned', 'lora.safetensors'))).parameters).toEqual(adapted.parameters);
  await expect(withLora(adapted, join(dir, 'tuned', 'lora.safetensors'))).rejects.toThrow(/does not belong to the model/);
  for (const { name, shape, offset } of parameterManifest(base.card.architecture)) {
    const [before, after] = [base, adapted].map(({ parameters }) => parameters.slice(offset, offset + size(shape)).join());
    expect(after !== before, name).toBe(/^decoder0\.(conv[12]|skip)\.weight$/.test(name));
  }

  // The trained model as a denoiser: an anatomy of other voxels than the image's, and a draft in 8-bit integers.
  const [subject] = readdirSync(join(dir, 'cohort')).filter((file) => file.startsWith('subject'));
  const { tensors } = readSafetensors(readFileSync(join(dir, 'cohort', subject!)), subject!);
  const low = tensors.get('low-dose 0')!;
  const shape = low.shape as unknown as Shape3;
  const image = petImage(centredGrid(shape, [10, 10, 10]), array(shape, low.data), 'SUV');
  await writeImage(join(dir, 'low.nii'), image, {});
  const hounsfield = fill([8, 8, 8], (i) => (i % 3 === 0 ? -1000 : 40));
  const fieldOfView = shape.map((n) => (10 * n) / 8) as unknown as Shape3;
  await writeImage(join(dir, 'ct.nii'), petImage(centredGrid([8, 8, 8], fieldOfView), hounsfield, 'unknown'), {});
  const denoised = async (name: string, ...how: string[]) => {
    const ran = await coincide(
      ['denoise', 'low.nii', '--unit', 'SUV', '--model', 'whole', '--json', ...how, '-o', `${name}.nii`],
      dir,
    );
    expect(ran.code, ran.stderr).toBe(0);
    return { values: (await readImage(join(dir, `${name}.nii`))).values.data, report: JSON.parse(ran.stdout) };
  };
  const plain = await denoised('plain');
  const draft = await denoised('draft', '--draft');
  const guided = await denoised('guided', '--anatomy', 'ct.nii');
  expect([plain.report.precision, draft.report.precision]).toEqual(['float32', 'int8']);
  expect(guided.report).toMatchObject({ anatomyFile: 'ct.nii', anatomyUnit: 'HU + 1000' });
  const difference = (a: Float32Array): number => {
    const squares = (of: (i: number) => number): number => a.reduce((sum, _, i) => sum + of(i) ** 2, 0);
    return Math.sqrt(squares((i) => a[i]! - plain.values[i]!) / squares((i) => plain.values[i]!));
  };
  expect(difference(draft.values)).toBeGreaterThan(0);
  expect(difference(draft.values)).toBeLessThan(0.1);
  expect(difference(guided.values)).toBeGreaterThan(0);
});
