/** The engines give a page what they give Node. */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { afterAll, describe, expect, it, type TestContext } from 'vitest';
import { localCpuEngine, openGpuEngine, type ProjectorEngine } from '../../src/index.js';
import { gpu, noGpu } from '../gpu.js';
import { bundled, noBrowser, type OpenPage, openPage } from './chromium.js';
import type { PageResult } from './page.js';
import { type Work, work } from './work.js';

const root = resolve(import.meta.dirname, '../..');

it('the library bundles for pages: nothing of it needs Node', async () => {
  const files = await bundled(resolve(root, 'src/index.ts'));
  expect(files.get('main.js')).toContain('openGpuEngine');
  for (const text of files.values()) expect(text).not.toMatch(/(?:from|import)\s*\(?\s*["']node:/);
});

async function expectSame(inPage: PageResult, engine: ProjectorEngine): Promise<Work> {
  const inNode = await work(engine).finally(() => engine.dispose());
  for (const name of ['forward', 'adjoint', 'osem', 'resident'] as const) {
    const largest = Math.max(...inNode[name].map(Math.abs));
    if (name !== 'resident') expect(largest, name).toBeGreaterThan(0.1);
    expect(inPage.work[name].length).toBe(inNode[name].length);
    const worst = Math.max(0, ...inPage.work[name].map((value, i) => Math.abs(value - inNode[name][i]!)));
    expect(worst / (largest || 1), name).toBeLessThan(1e-6);
  }
  return inNode;
}

// A program does a card's work here, twice: long where all cores are busy.
describe('in a page', { timeout: 180_000 }, () => {
  let opened: Promise<OpenPage> | undefined;
  afterAll(async () => (await opened)?.close());
  const page = (ctx: TestContext): Promise<OpenPage> | undefined => {
    if (noBrowser) return ctx.skip(noBrowser);
    return (opened ??= openPage('page.ts'));
  };

  it('a graphics card projects, back-projects and reconstructs as in Node', async (ctx) => {
    if (!gpu) return ctx.skip(noGpu);
    if (!gpu.software) return ctx.skip('the page runs on a software adapter, and here Node does not');
    const open = await page(ctx);
    const inPage = await open!.page.evaluate(() => window.onGpu());
    expect(open!.errors).toEqual([]);
    expect(inPage.device).toMatch(/swiftshader.*\(software\)/i);
    const { osem, resident } = await expectSame(inPage, await openGpuEngine(gpu.provider));
    const largest = Math.max(...osem);
    expect(resident.length).toBe(osem.length);
    expect(Math.max(...resident.map((value, i) => Math.abs(value - osem[i]!))) / largest).toBeLessThan(1e-5);
  });

  it('the processor does, with the kernels of the cpu engine', async (ctx) => {
    const open = await page(ctx);
    const inPage = await open!.page.evaluate(() => window.onCpu());
    expect(open!.errors).toEqual([]);
    expect(inPage.device).toBe('1 thread, SIMD');
    await expectSame(inPage, await localCpuEngine(readFileSync(resolve(root, 'dist/kernel.wasm'))));
  });
});
