/** The engine of graphics cards gives a page what it gives Node. */
import { resolve } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { openGpuEngine } from '../../src/index.js';
import { gpu, noGpu } from '../gpu.js';
import { bundled, noBrowser, type OpenPage, openPage } from './chromium.js';
import { work } from './work.js';

it('the library bundles for pages: nothing of it needs Node', async () => {
  const files = await bundled(resolve(import.meta.dirname, '../../src/index.ts'));
  expect(files.get('main.js')).toContain('openGpuEngine');
  for (const text of files.values()) expect(text).not.toMatch(/(?:from|import)\s*\(?\s*["']node:/);
});

describe('in a page', () => {
  let open: OpenPage | undefined;
  afterAll(() => open?.close());

  it('projects, back-projects and reconstructs as in Node', async (ctx) => {
    if (noBrowser) return ctx.skip(noBrowser);
    if (!gpu) return ctx.skip(noGpu);
    if (!gpu.software) return ctx.skip('the page runs on a software adapter, and here Node does not');
    open = await openPage('page.ts');
    const inPage = await open.page.evaluate(() => window.onGpu());
    const engine = await openGpuEngine(gpu.provider);
    const inNode = await work(engine).finally(() => engine.dispose());
    expect(open.errors).toEqual([]);
    expect(inPage.device).toMatch(/swiftshader/i);
    for (const name of ['forward', 'adjoint', 'osem'] as const) {
      const largest = Math.max(...inNode[name].map(Math.abs));
      expect(largest, name).toBeGreaterThan(0.1);
      expect(inPage[name].length).toBe(inNode[name].length);
      const worst = Math.max(...inPage[name].map((value, i) => Math.abs(value - inNode[name][i]!)));
      expect(worst / largest, name).toBeLessThan(1e-6);
    }
  });
});
