/** The whole line on a scan that is small enough for every method, with a network made up on the spot. */
import { existsSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fill, type Shape3, type Volume } from '../../src/core/array.js';
import { centredGrid } from '../../src/core/image.js';
import { random } from '../../src/core/random.js';
import type { Given, OpenModel } from '../../src/denoise/open-model.js';
import { flipped } from '../../src/geometry/frame.js';
import type { Scan } from '../../src/geometry/scan.js';
import { sinogramLayout, sinogramShape } from '../../src/geometry/sinogram.js';
import type { ModelCard } from '../../src/network/model-card.js';
import { initialParameters } from '../../src/network/parameters.js';
import type { StartImage } from '../../src/node/diffusion-methods.js';
import { writeFiles } from '../../src/node/files.js';
import { openCpuEngine } from '../../src/node/kernel-pool.js';
import { encodeLora, readLora } from '../../src/node/lora-file.js';
import { loadModel, type TrainableModel, writeModel } from '../../src/node/model-folder.js';
import { type Method, type Reconstruction, type ReconstructOptions, reconstruct } from '../../src/node/reconstruct.js';
import { cosine } from '../../src/prior/schedule.js';
import type { ProjectorEngine } from '../../src/projector/engine.js';
import { maxDifference } from '../laws.js';
import { oddScanner } from '../projector/engines.js';

const layout = sinogramLayout(oddScanner, { span: 3 });
const grid = centredGrid([7, 9, 8], [6, 14, 15]);
const dir = mkdtempSync(join(tmpdir(), 'coincide-recon-'));
const patch: Shape3 = [4, 4, 8];
const card: ModelCard = {
  ...{ name: 'toy', version: '1', licence: 'MIT', parameterisation: 'v', schedule: 'cosine', condition: 'low-count OSEM image' },
  architecture: { kind: 'unet3d', inputChannels: 2, fold: 2, channels: [8], embedding: 8, features: 5, groups: 2 },
  ...{ intensity: { unit: 'SUV', scale: 0.5, bodyMean: 2 }, voxelSize: [6, 14, 15], patch, overlap: 1, training: {}, sha256: '' },
};
const truth = fill(grid.shape, (i) => 1 + Math.sin(i) ** 2 + (i === 250 ? 60 : 0));
const anatomy = fill(grid.shape, (i) => 1 + (i % 3));
let engine: ProjectorEngine;
let trainable: TrainableModel;
beforeAll(async () => {
  engine = await openCpuEngine({ threads: 1 });
  await writeModel(join(dir, 'toy'), { card, parameters: initialParameters(card.architecture, 3) });
  trainable = (await loadModel(join(dir, 'toy'), { threads: 1 })) as TrainableModel;
});
afterAll(async () => {
  await trainable.dispose();
  await engine.dispose();
});

/** A network that pulls towards 2 of its SUV, and notes what it is given. */
function made(): { model: OpenModel; given: (Given & { condition: boolean; unit: number })[] } {
  const given: (Given & { condition: boolean; unit: number })[] = [];
  const model: OpenModel = {
    ...{ card, can: ['mean', 'conditional', 'prior'], schedule: cosine, sampling: { samples: 4, steps: 2, start: 0.3 } },
    mean: async (x, unit = 1, known = {}) => {
      given.push({ ...known, condition: true, unit });
      return fill(x.shape, (i) => 0.95 * x.data[i]! + 0.1 / unit);
    },
    denoiser: (unit = 1, condition, known = {}) => {
      given.push({ ...known, condition: condition !== undefined, unit });
      const weight = (sigma: number): number => (unit * sigma) ** 2 / (1 + (unit * sigma) ** 2);
      const denoise = async (x: Volume, sigma: number): Promise<Volume> =>
        fill(x.shape, (i) => x.data[i]! + weight(sigma) * (2 / unit - x.data[i]!));
      return { sigmaMin: 0, sigmaMax: Number.POSITIVE_INFINITY, denoise };
    },
  };
  return { model, given };
}

/** A scan of the truth whose calibration makes its unit 1/q. */
async function scanOf(q = 1, where = grid): Promise<Scan> {
  const shape = sinogramShape(layout);
  const views = Array.from({ length: layout.views }, (_, view) => view);
  const lines = await engine.sinogramProjector(layout, views, where).forward(truth);
  const factor = fill(shape, (i) => 0.02 * (1 + 0.3 * Math.sin(i)));
  const { poisson } = random(5);
  const prompts = { layout, values: fill(shape, (i) => poisson(factor.data[i]! * (lines.data[i]! + 20))) };
  const multiplicative = { layout, values: fill(shape, (i) => factor.data[i]! / q) };
  return { prompts, multiplicative, additive: { layout, values: fill(shape, () => 20 * q) }, position: 'HFS' };
}

const quick = {
  startFrom: 'rdp',
  lambda: 0.3,
  subsets: 4,
  steps: 3,
  startIterations: 1,
  penalisedIterations: 4,
  updates: 3, // no divisor of the subsets, so that a resumed run has to know the next one
  samples: 2,
} as const;
const ddip = { levels: 3, fits: 2, rank: 2, learningRate: 0.05 } as const;
const alone = ['pnp-hqs', 'dds', 'post'];
const starts: Partial<Record<Method, StartImage>> = { dds: 'noise', post: 'osem', 'pnp-hqs': 'mean' };
const optionsOf = (method: Method): ReconstructOptions => ({
  ...{ ...quick, method, ddip, startFrom: starts[method] ?? 'rdp' },
  ...(alone.includes(method) ? { samples: 1 } : {}),
});
describe('reconstruct', () => {
  const all: Method[] = ['osem', 'mlem', 'bsrem', 'svrg', 'map-em', 'diffpir', 'hqs', 'pnp-hqs', 'dds', 'post', 'ddip'];
  it.each(all)(
    '%s: not negative, hot voxels above the range of the network, nothing where nothing is seen; every step traced',
    async (method) => {
      const wide = centredGrid([7, 9, 8], [6, 30, 32]);
      const scan = await scanOf(1, wide);
      const model = method === 'ddip' ? trainable : made().model;
      const { image, trace, parameters } = await reconstruct(scan, wide, engine, { ...optionsOf(method), model });
      const { data } = flipped(image.values, 'HFS');
      expect(data.every((value) => value >= 0 && value < 1e3)).toBe(true);
      expect(data[0]).toBe(0); // a corner, outside the field of view
      // The quadratic prior smooths what is hot as it smooths everything.
      expect(Math.max(...data)).toBeGreaterThan(method === 'map-em' ? 5 : 8);
      expect(parameters.method).toBe(method === 'hqs' ? 'diffpir' : method);
      expect(trace.length).toBeGreaterThan(0);
      for (const entry of trace) expect(Object.values(entry).every((value) => typeof value === 'string' || Number.isFinite(value))).toBe(true); // biome-ignore format: short
      expect(trace.every(({ seconds }, i) => i === 0 || seconds >= trace[i - 1]!.seconds)).toBe(true);
    },
  );

  it.each(['diffpir', 'pnp-hqs', 'dds', 'post'] as const)(
    '%s knows no unit: a scan calibrated otherwise gives the same image',
    async (method) => {
      const run = async (q: number): Promise<Reconstruction> =>
        reconstruct(await scanOf(q), grid, engine, { ...optionsOf(method), model: made().model });
      const [one, other] = [await run(1), await run(512)];
      const back = fill(grid.shape, (i) => other.image.values.data[i]! / 512);
      expect(maxDifference(back, one.image.values) / Math.max(...one.image.values.data)).toBeLessThan(1e-4);
    },
  );

  it('an image in SUV is taken as it is; one in counts is brought to the body of the training data', async () => {
    const scan = await scanOf();
    const suv = made();
    await reconstruct(scan, grid, engine, {
      ...quick,
      method: 'post',
      startFrom: 'osem',
      samples: 1,
      model: suv.model,
      unit: 'SUV',
    });
    expect(suv.given[0]!.unit).toBe(1);
    const counts = made();
    const { parameters } = await reconstruct(scan, grid, engine, {
      ...quick,
      method: 'post',
      startFrom: 'osem',
      samples: 1,
      model: counts.model,
    });
    expect(counts.given[0]!.unit).toBe(parameters.suvPerUnit);
    expect(parameters.suvPerUnit).not.toBe(1);
  });

  it('gives the network the anatomy in the world’s axes, and the OSEM image and its noise level where asked, with a warning', async () => {
    const scan = await scanOf();
    const { model, given } = made();
    await reconstruct(scan, grid, engine, { ...quick, method: 'diffpir', model, anatomy });
    expect(given[0]!.anatomy!.data).toEqual(flipped(anatomy, 'HFS').data);
    expect(given[0]).toMatchObject({ condition: false, noise: undefined });
    const conditioned = made();
    const { warnings } = await reconstruct(scan, grid, engine, {
      ...quick,
      method: 'diffpir',
      model: conditioned.model,
      condition: 'osem',
    });
    expect(conditioned.given[0]!.condition).toBe(true);
    expect(conditioned.given[0]!.noise).toBeGreaterThan(0);
    expect(warnings.join()).toMatch(/count twice/);
    await reconstruct(scan, grid, engine, {
      ...quick,
      method: 'post',
      startFrom: 'osem',
      samples: 1,
      model: made().model,
      anatomy,
    });
  });

  it.each([
    ['osem', 3],
    ['bsrem', 11],
    ['svrg', 17],
    ['map-em', 10],
    ['diffpir', 9],
    ['diffpir', 13],
    ['diffpir', 14],
    ['diffpir', 17],
    ['ddip', 14],
    ['ddip', 17],
  ] as const)('%s, stopped after step %d, goes on to the same image', async (method, stop) => {
    const scan = await scanOf();
    const model = method === 'ddip' ? trainable : made().model;
    const checkpoint = join(dir, `${method}.partial`);
    const options = { ...optionsOf(method), model, checkpoint };
    const whole = await reconstruct(scan, grid, engine, options);
    const control = new AbortController();
    const reason = new Error('enough');
    let steps = 0;
    const onImage = (): void => {
      if (++steps === stop) control.abort(reason);
    };
    await expect(reconstruct(scan, grid, engine, { ...options, onImage, signal: control.signal })).rejects.toBe(reason);
    expect(existsSync(checkpoint)).toBe(true);
    let after = 0;
    const resumed = await reconstruct(scan, grid, engine, { ...options, onImage: () => after++ });
    expect(resumed.image.values.data).toEqual(whole.image.values.data);
    expect(resumed.spread?.values.data).toEqual(whole.spread?.values.data);
    expect(after).toBeLessThan(steps + after - 1);
    expect(resumed.trace.map(({ phase, step }) => [phase, step])).toEqual(whole.trace.map(({ phase, step }) => [phase, step]));
    expect(existsSync(checkpoint)).toBe(false);
  });

  it('ddip without samples lets the mean mode learn, goes on where it was stopped, and is post with what was learned', async () => {
    const scan = await scanOf();
    const checkpoint = join(dir, 'mean.partial');
    const plain = { subsets: 4, model: trainable, checkpoint };
    for (const heldOut of [0, 0.2]) {
      const options = { ...plain, method: 'ddip', ddip: { ...ddip, heldOut } } as const;
      const whole = await reconstruct(scan, grid, engine, options);
      expect(whole.trace.filter(({ phase }) => phase === 'adapter')).toHaveLength(ddip.levels);
      const rounds = whole.trace.filter(({ phase }) => phase === 'adapter');
      expect(typeof rounds[0]!.heldOut).toBe(heldOut > 0 ? 'number' : 'undefined');
      if (heldOut === 0) expect(rounds.at(-1)!.likelihood).toBeLessThan(Number(rounds[0]!.likelihood));
      const control = new AbortController();
      let steps = 0;
      const onImage = (): void => {
        if (++steps === 10) control.abort(new Error('enough'));
      };
      await expect(reconstruct(scan, grid, engine, { ...options, onImage, signal: control.signal })).rejects.toThrow('enough');
      const { image, trace, adapter } = await reconstruct(scan, grid, engine, options);
      expect(image.values.data).toEqual(whole.image.values.data);
      expect(trace.map(({ phase, step }) => [phase, step])).toEqual(whole.trace.map(({ phase, step }) => [phase, step]));
      const post = await reconstruct(scan, grid, engine, plain);
      expect(post.parameters.method).toBe('post');
      expect(maxDifference(image.values, post.image.values)).toBeGreaterThan(1e-4);
      expect((await reconstruct(scan, grid, engine, { ...plain, adapter })).image.values.data).toEqual(image.values.data);
    }
    const wrong = { ...plain, method: 'ddip', samples: 2, ddip: { prior: 'mean' } } as const;
    await expect(reconstruct(scan, grid, engine, wrong)).rejects.toThrow(/one image/);
  });

  it('ddip learns from the counts that are not held out alone', async () => {
    const scan = await scanOf();
    // The first loss is the distance of the network, not yet adapted, from the image that the data make: other data, another distance.
    const loss = async (heldOut: number): Promise<unknown> =>
      (
        await reconstruct(scan, grid, engine, { ...optionsOf('ddip'), model: trainable, ddip: { ...ddip, levels: 1, heldOut } })
      ).trace.find(({ phase }) => phase === 'adapter')!.loss;
    expect(await loss(0.5)).not.toBe(await loss(0));
  });

  it('keeps smooth what the data change of the network’s image', async () => {
    const scan = await scanOf();
    const run = async (lambda: number, smooth?: number): Promise<Float32Array> =>
      (await reconstruct(scan, grid, engine, { model: made().model, subsets: 4, lambda, smooth })).image.values.data;
    const network = await run(1e9, 0);
    const roughness = async (smooth?: number): Promise<number> => {
      const change = (await run(5, smooth)).map((value, i) => value - network[i]!);
      return change.reduce((sum, d, i) => sum + (i % 8 === 0 ? 0 : (d - change[i - 1]!) ** 2), 0);
    };
    const rough = await roughness(0);
    expect(await roughness()).toBeLessThan(0.95 * rough);
    expect(await roughness(1)).toBeLessThan(0.5 * rough);
  });

  it('ends the samples of diffpir with the data, where asked', async () => {
    const scan = await scanOf();
    const run = async (final: number): Promise<Reconstruction> =>
      reconstruct(scan, grid, engine, { ...quick, method: 'diffpir', model: made().model, final });
    const [without, weak, strong] = [await run(0), await run(10), await run(1e9)];
    expect(maxDifference(strong.image.values, without.image.values)).toBeLessThan(1e-4);
    expect(weak.deviancePerBin).toBeLessThan(without.deviancePerBin);
    expect(weak.spread!.values.data).toEqual(without.spread!.values.data);
    await expect(run(-1)).rejects.toThrow(/final/);
  });

  it('refuses the checkpoint of other options, unless it may be replaced', async () => {
    const scan = await scanOf();
    const checkpoint = join(dir, 'other.partial');
    const control = new AbortController();
    const run = reconstruct(scan, grid, engine, { ...quick, checkpoint, onImage: () => control.abort(), signal: control.signal });
    await expect(run).rejects.toThrow();
    await expect(reconstruct(scan, grid, engine, { ...quick, checkpoint, psf: 6 })).rejects.toThrow(
      /another scan, or of other options/,
    );
    const told: string[] = [];
    await reconstruct(scan, grid, engine, {
      ...quick,
      checkpoint,
      psf: 6,
      replaceCheckpoint: true,
      say: (text) => told.push(text),
    });
    expect(told.join()).toMatch(/is replaced/);
  });

  it('what ddip learned can be kept and used again, and leaves the model as it was', async () => {
    const scan = await scanOf();
    const options = { ...optionsOf('ddip'), model: trainable };
    const plain = { ...quick, method: 'diffpir', model: trainable } as const;
    const before = await reconstruct(scan, grid, engine, plain);
    const adapted = await reconstruct(scan, grid, engine, options);
    expect(maxDifference(adapted.image.values, before.image.values)).toBeGreaterThan(1e-4);
    expect((await reconstruct(scan, grid, engine, plain)).image.values.data).toEqual(before.image.values.data);
    const file = join(dir, 'scan.lora');
    const { lora, values } = adapted.adapter!;
    await writeFiles({ [file]: encodeLora(card.architecture, lora, values, trainable.card.sha256) });
    const adapter = await readLora(trainable.card, file);
    const again = await reconstruct(scan, grid, engine, { ...plain, adapter });
    expect(again.image.values.data).toEqual(adapted.image.values.data);
    await expect(reconstruct(scan, grid, engine, { ...options, model: made().model })).rejects.toThrow(/adapted/);
  });
});
