import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { array, fill, type NdArray } from '../../src/core/array.js';
import { centredGrid, petImage } from '../../src/core/image.js';
import { denoiseVolume } from '../../src/denoise/denoise-volume.js';
import type { OpenModel } from '../../src/denoise/open-model.js';
import { defaultGrid } from '../../src/geometry/grid.js';
import { scannerByName } from '../../src/geometry/scanners.js';
import { sinogramLayout } from '../../src/geometry/sinogram.js';
import { writeNifti } from '../../src/io/nifti.js';
import { readSafetensors, writeSafetensors } from '../../src/io/safetensors.js';
import { parseGuidedCard } from '../../src/network/guided-card.js';
import type { GuidedDiffusion } from '../../src/network/guided-diffusion.js';
import { guidedWeights } from '../../src/network/guided-diffusion-graph.js';
import { loadGuidedModel } from '../../src/node/guided-folder.js';
import { readImage } from '../../src/node/images.js';
import { defaultModel, loadModel } from '../../src/node/model-folder.js';
import { reconstruct } from '../../src/node/reconstruct.js';
import { referenceEngine } from '../../src/projector/engine.js';
import { acquire } from '../../src/simulate/acquisition.js';
import { torchSave } from '../io/torch-writer.js';
import { published, sineWeights } from '../network/guided-models.js';
import { coincide, scratch } from './run.js';

const dir = scratch();
const architecture: GuidedDiffusion = { ...published(32), widths: [32, 64], blocks: 1 };
const shapes = guidedWeights(architecture);
const tensors = (prefix = ''): Map<string, NdArray> =>
  new Map(Object.entries(sineWeights(architecture)).map(([name, data]) => [prefix + name, array(shapes.get(name)!, data)]));
const put = (name: string, bytes: Uint8Array): string => {
  writeFileSync(join(dir, name), bytes);
  return name;
};

beforeAll(() => {
  put('model.pt', torchSave(tensors()));
  const image = petImage(
    centredGrid([3, 6, 5], [1.65, 1.65, 1.65]),
    fill([3, 6, 5], (i) => 4 + 3 * Math.sin(i / 7)),
    'SUV',
  );
  put('low.nii', writeNifti(image));
});

describe('coincide import', () => {
  it('makes a model folder with which the published pipeline runs, the licence shown', async () => {
    const { code, stdout, stderr } = await coincide(
      ['import', 'model.pt', '-o', 'model', '--licence', 'CC-BY-NC-SA-4.0', '--json'],
      dir,
    );
    expect(stderr).toContain(`matched ${shapes.size}, missing 0, unexpected 0`);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ licence: 'CC-BY-NC-SA-4.0', matched: shapes.size, architecture });
    const card = parseGuidedCard(JSON.parse(readFileSync(join(dir, 'model/model.json'), 'utf8')));
    expect(card.source).toMatchObject({ file: 'model.pt', format: 'torch', types: ['float32'] });

    const call = ['denoise', 'low.nii', '--preset', 'yu2025', '--model', 'model', '--steps', '3', '-o'];
    const first = await coincide([...call, 'a.nii'], dir);
    expect(first.stderr).toMatch(/model: model 1; licence of the weights: CC-BY-NC-SA-4\.0/);
    expect(first.stderr).toMatch(/plan: 1 × 3 × 6 × 6 voxels, 3 steps each.*of memory/);
    expect(first.code).toBe(0);
    const again = await coincide([...call, 'b.nii', '--seed', '10', '--threads', '1'], dir);
    const other = await coincide([...call, 'c.nii', '--seed', '11'], dir);
    expect([again.code, other.code]).toEqual([0, 0]);
    const [a, b, c] = await Promise.all(['a.nii', 'b.nii', 'c.nii'].map((name) => readImage(join(dir, name))));
    expect(a!.values.shape).toEqual([3, 6, 5]);
    const apart = (p: NdArray, q: NdArray): number =>
      p.data.reduce((most, value, i) => Math.max(most, Math.abs(value - q.data[i]!)), 0);
    expect(apart(a!.values, b!.values)).toBeLessThan(1e-3);
    expect(apart(a!.values, c!.values)).toBeGreaterThan(0.01);
    const sidecar = JSON.parse(readFileSync(join(dir, 'a.json'), 'utf8')) as Record<string, unknown>;
    expect(sidecar).toMatchObject({
      preset: 'yu2025',
      steps: 3,
      seed: 10,
      model: { licence: 'CC-BY-NC-SA-4.0', sha256: card.sha256 },
    });
  });

  it('denoises with it as with any model, and says the same about it', async () => {
    const call = ['denoise', 'low.nii', '--model', 'model', '--steps', '3'];
    const { code, stderr } = await coincide([...call, '-o', 'plain.nii', '--memory', '4GB'], dir);
    expect(stderr).toMatch(/licence of the weights: CC-BY-NC-SA-4\.0[\s\S]*plan: 1 × 3 × 6 × 6 voxels, 3 steps each/);
    expect(code).toBe(0);
    expect(JSON.parse(readFileSync(join(dir, 'plain.json'), 'utf8'))).toMatchObject({
      ...{ mode: 'samples', sampler: 'ddim', samples: 1, steps: 3, start: 0.3, plan: { evaluations: 3 } },
      model: { name: 'model', licence: 'CC-BY-NC-SA-4.0' },
    });
    // The same from the library, by the same name.
    const model = await loadModel(join(dir, 'model'), { threads: 1 });
    const { image } = await denoiseVolume(await readImage(join(dir, 'low.nii')), model, { steps: 3 });
    await model.dispose();
    const { values } = await readImage(join(dir, 'plain.nii'));
    for (let i = 0; i < 90; i++) expect(Math.abs(values.data[i]! - image.values.data[i]!)).toBeLessThan(1e-3);
    for (const [extra, says] of [
      [['--mode', 'mean'], /not trained for this.*mode.*samples/],
      [['--spread', 's.nii'], /no spread without samples/],
      [['--memory', '100MB'], /does not fit the memory/],
    ] as const) {
      const refused = await coincide([...call, ...extra, '-o', 'no.nii'], dir);
      expect(refused.stderr).toMatch(says);
      expect(refused.code).toBe(2);
    }
    const own = await coincide(['denoise', 'low.nii', '--memory', '4GB', '-o', 'no.nii'], dir);
    expect(own.stderr).toMatch(/Only of an imported model.*--memory/);
  });

  it('is a prior for HQS, given the filtered OSEM image', async () => {
    const layout = sinogramLayout(scannerByName('small'), { span: 3, maxRingDifference: 4, viewMash: 8 });
    const grid = defaultGrid(layout, { voxel: 20, size: 12 });
    const activity = petImage(
      grid,
      fill(grid.shape, (i) => Number(i % 12 > 3 && i % 12 < 9)),
      'SUV',
    );
    const engine = referenceEngine();
    const { scan } = await acquire({ activity, layout, engine, counts: 2e5, seed: 3 });
    const model = await loadModel(join(dir, 'model'), { threads: 1 });
    const given: (NdArray | undefined)[] = [];
    const watched: OpenModel = {
      ...model,
      // On voxels of its own a volume of these would take long.
      card: { ...model.card, voxelSize: grid.voxelSize },
      denoiser(unit, condition) {
        given.push(condition);
        return model.denoiser(unit, condition);
      },
    };
    const options = { method: 'hqs', model: watched, unit: 'SUV', subsets: 2, iterations: 1, steps: 2, samples: 1 } as const;
    const { image, parameters } = await reconstruct(scan, grid, engine, options);
    await model.dispose();
    expect(parameters).toMatchObject({ priorGiven: 'the filtered OSEM image', model: 'model' });
    expect(given[0]!.shape).toEqual([...grid.shape]);
    expect(image.values.data.every((value) => value >= 0)).toBe(true);
  });

  it('keeps the weights to the bit in fp32, to half precision in fp16', async () => {
    const call = ['import', 'model.pt', '--licence', 'MIT', '-o'];
    expect((await coincide([...call, 'half', '--weights', 'fp16'], dir)).code).toBe(0);
    expect((await coincide([...call, 'full'], dir)).code).toBe(0);
    const [half, full] = [
      readFileSync(join(dir, 'half/weights.safetensors')),
      readFileSync(join(dir, 'full/weights.safetensors')),
    ];
    expect(half.length).toBeLessThan(0.55 * full.length);
    const [h, f] = [readSafetensors(half, 'half').tensors, readSafetensors(full, 'full').tensors];
    for (const [name, { data }] of tensors()) {
      expect(f.get(name)!.data).toEqual(data);
      const worst = h
        .get(name)!
        .data.reduce((most, value, i) => Math.max(most, Math.abs(value - data[i]!) / (Math.abs(data[i]!) + 1e-4)), 0);
      expect(worst).toBeGreaterThan(0);
      expect(worst).toBeLessThan(2 ** -11);
    }
    const x = fill([3, 8, 6], (i) => Math.sin(i));
    const model = await loadGuidedModel(join(dir, 'half'), { threads: 1 });
    const { eps } = await model.predict(x)(x, 500, {});
    await model.dispose();
    expect(eps.data.every(Number.isFinite)).toBe(true);
  });

  it('takes safetensors, prefixes and one network of several', async () => {
    put('nested.safetensors', writeSafetensors(new Map([...tensors('ema.module.'), ...tensors('model.'), ['step', array([1])]])));
    const call = ['import', 'nested.safetensors', '-o', 'nested', '--licence', 'MIT'];
    const several = await coincide(call, dir);
    expect(several.code).toBe(2);
    expect(several.stderr).toMatch(/several networks.*--prefix.*"ema\.module\." or "model\."/);
    const one = await coincide([...call, '--prefix', 'ema.module.'], dir);
    expect(one.stderr).toMatch(/under ema\.module\.: matched.*tensors elsewhere in the file are left/);
    expect(one.code).toBe(0);
  });

  it.each([
    [
      'a weight that is missing',
      (t: Map<string, NdArray>) => t.delete('out.0.bias'),
      ['--licence', 'MIT'],
      /missing 1 \(out\.0\.bias\)[\s\S]*not those of a network/,
    ],
    [
      'a weight too many',
      (t: Map<string, NdArray>) => t.set('extra.weight', array([3])),
      ['--licence', 'MIT'],
      /unexpected 1 \(extra\.weight\)[\s\S]*--allow-unexpected/,
    ],
    [
      'another network',
      (t: Map<string, NdArray>) => t.delete('input_blocks.0.0.weight'),
      ['--licence', 'MIT'],
      /no network of the guided-diffusion family/,
    ],
    ['a licence that is not told', () => {}, [], /licence of the weights is not known.*--licence/],
  ] as const)('refuses %s', async (name, change, licence, says) => {
    const spoilt = tensors();
    change(spoilt);
    put('spoilt.pt', torchSave(spoilt));
    const { code, stderr } = await coincide(['import', 'spoilt.pt', '-o', 'spoilt', ...licence], dir);
    expect(code, name).toBe(2);
    expect(stderr).toMatch(says);
  });

  it('leaves out what is not needed when it is told to', async () => {
    put('more.pt', torchSave(new Map([...tensors(), ['extra.weight', array([3])]])));
    const { code, stdout } = await coincide(
      ['import', 'more.pt', '-o', 'more', '--licence', 'MIT', '--allow-unexpected', '--json'],
      dir,
    );
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ unexpected: ['extra.weight'] });
  });

  it('says what to do where the preset and the model do not meet', async () => {
    const preset = await coincide(['denoise', 'low.nii', '--preset', 'yu2025', '-o', 'x.nii'], dir);
    expect(preset.code).toBe(2);
    expect(preset.stderr).toMatch(/CC-BY-NC-SA-4\.0.*coincide import/);
    const small = await coincide(
      ['denoise', 'low.nii', '--preset', 'yu2025', '--model', 'model', '--memory', '100MB', '-o', 'x.nii'],
      dir,
    );
    expect(small.code).toBe(2);
    expect(small.stderr).toMatch(/does not fit the memory.*expected 0\.\d GB or more for \[3, 6, 6\], found.*0\.1 GB/);
    const shipped = await coincide(['denoise', 'low.nii', '--preset', 'yu2025', '--model', defaultModel, '-o', 'x.nii'], dir);
    expect(shipped.code).toBe(2);
    expect(shipped.stderr).toMatch(/was not imported/);
    const described = JSON.parse((await coincide(['info', 'model', '--json'], dir)).stdout) as Record<string, unknown>;
    expect(described).toMatchObject({ kind: 'imported model', licence: 'CC-BY-NC-SA-4.0', name: 'model' });
    const mixed = await coincide(
      ['denoise', 'low.nii', '--preset', 'yu2025', '--model', 'model', '--eta', '1', '-o', 'x.nii'],
      dir,
    );
    expect(mixed.stderr).toMatch(/no such choice.*--eta/);
  });
});
