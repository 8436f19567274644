/** Networks in a page give what they give in Node. */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { afterAll, describe, expect, it, type TestContext } from 'vitest';
import { type Architecture, initialParameters, type ModelCard, openModel, random, writeSafetensors } from '../../src/index.js';
import { namedParameters } from '../../src/network/model-card.js';
import { openEvaluator } from '../../src/node/ort-evaluator.js';
import { bundled, noBrowser, type OpenPage, openPage, type Served } from './chromium.js';
import { type Denoising, denoising } from './web-work.js';

const runtime = resolve(import.meta.dirname, '../../node_modules/onnxruntime-web/dist');
const absent = noBrowser ?? (existsSync(runtime) ? undefined : 'onnxruntime-web is not installed');
if (absent && process.env.COINCIDE_TEST_GPU === 'software') throw new Error(absent);

const architecture: Architecture = {
  ...{ kind: 'unet3d', inputChannels: 3, knows: ['condition', 'anatomy', 'mean', 'noise'], fold: 2, channels: [8, 16] },
  ...{ blocks: [1, 2], film: true, heads: 2, embedding: 16, features: 9, groups: 4 },
};
const { normal } = random(5);
// What starts at zero or one does not stay there, or the network would do nothing.
const parameters = initialParameters(architecture, 1).map((value) => value + 0.05 * normal());
const weights = Buffer.from(writeSafetensors(namedParameters({ card: { architecture }, parameters })));
const card: ModelCard = {
  ...{ name: 'toy', version: '1', licence: 'MIT', architecture, parameterisation: 'v', schedule: 'cosine' },
  ...{ intensity: { unit: 'SUV', scale: 0.5, bodyMean: 1.5 }, voxelSize: [4, 4, 4], patch: [8, 8, 8], overlap: 2 },
  ...{ condition: 'low-count OSEM image', training: {}, sha256: createHash('sha256').update(weights).digest('hex') },
};
const served: Served = {
  '/model.json': ['application/json', () => JSON.stringify(card)],
  '/weights.safetensors': ['application/octet-stream', () => weights],
  ...Object.fromEntries(
    ['ort.wasm.min.mjs', 'ort-wasm-simd-threaded.mjs', 'ort-wasm-simd-threaded.wasm'].map((name) => [
      `/ort/${name}`,
      [name.endsWith('.wasm') ? 'application/wasm' : 'text/javascript', () => readFileSync(resolve(runtime, name))] as const,
    ]),
  ),
};

it('coincide/web bundles for pages: nothing of it needs Node, and no runtime is inside', async () => {
  const files = await bundled(resolve(import.meta.dirname, '../../src/web/index.ts'));
  for (const text of files.values()) expect(text).not.toMatch(/(?:from|import)\s*\(?\s*["'](?:node:|onnxruntime)/);
});

describe('in a page', { timeout: 120_000 }, () => {
  let opened: Promise<OpenPage> | undefined;
  afterAll(async () => (await opened)?.close());
  const page = (ctx: TestContext): Promise<OpenPage> => {
    if (absent) ctx.skip(absent);
    return (opened ??= openPage('web-page.ts', served));
  };
  let node: Promise<Denoising> | undefined;
  const inNode = async (): Promise<Denoising> => {
    const evaluator = openEvaluator(architecture, parameters, card.patch, { threads: 1 });
    return denoising(openModel(card, evaluator)).finally(() => evaluator.dispose());
  };

  // Threads are the runtime's for as long as the page lives, so the second asks another page.
  it.for([1, 2])('denoiseVolume gives what onnxruntime-node gives, with %i threads', async (threads, ctx) => {
    const open = threads === 1 ? await page(ctx) : absent ? ctx.skip(absent) : await openPage('web-page.ts', served);
    try {
      const found = await open.page.evaluate((n) => window.denoiseInPage(n), threads);
      expect(open.errors).toEqual([]);
      const expected = await (node ??= inNode());
      for (const name of ['mean', 'samples', 'spread'] as const) {
        const largest = Math.max(...expected[name]);
        expect(largest, name).toBeGreaterThan(0.01);
        expect(found[name].length).toBe(expected[name].length);
        const worst = Math.max(...found[name].map((value, i) => Math.abs(value - expected[name][i]!)));
        expect(worst, name).toBeLessThan(1e-4);
      }
      expect(found.progress).toEqual([0.25, 0.5, 0.75, 1]);
    } finally {
      if (threads > 1) await open.close();
    }
  });

  it('it stops within a second, with the reason', async (ctx) => {
    const { late, reason } = await (await page(ctx)).page.evaluate(() => window.abortInPage());
    expect(reason).toBe('Error: enough');
    expect(late).toBeLessThan(1000);
  });

  it('it refuses weights that are not the card’s, imported models, wrong cards and threads', async (ctx) => {
    const says = await (await page(ctx)).page.evaluate(() => window.refusals());
    for (const [i, expected] of [/not those of the card.*sha256/, /Imported models/, /schedule.*"cosine"/, /threads/].entries())
      expect(says[i]).toMatch(expected);
  });
});
