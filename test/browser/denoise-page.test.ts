/** The page that denoises, as static files in headless Chromium: what is dropped comes back as Node would denoise it, and nothing leaves. */
import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it, type TestContext } from 'vitest';
import { denoiseVolume, fill, type PetImage, petImage, readNifti, writeNifti } from '../../src/index.js';
import { loadModel } from '../../src/node/model-folder.js';
import { complaints, noBrowser, openBrowser } from './chromium.js';

const root = resolve(import.meta.dirname, '../..');
const needs = ['@niivue/niivue', 'onnxruntime-web'].find((name) => !existsSync(resolve(root, 'node_modules', name)));
const absent = noBrowser ?? (needs && `${needs} is not installed: npm ci`);
if (absent && process.env.COINCIDE_TEST_GPU === 'software') throw new Error(absent);

// One tile of the default model, whatever its patch; off-centre, and no cube.
const grid = { shape: [10, 14, 12], voxelSize: [4, 4, 4], origin: [-30, 10, 20] } as const;
const image = petImage(
  grid,
  fill(grid.shape, (i) => 1 + Math.sin(i / 5) ** 2),
  'SUV',
);
const bytes = Buffer.from(writeNifti(image, { gzip: true }));
const unitless = Buffer.from(writeNifti({ ...image, unit: 'unknown' }));

const types: Readonly<Record<string, string>> = { '.html': 'text/html', '.css': 'text/css', '.wasm': 'application/wasm' };
const served = async (answer: Parameters<typeof createServer>[1]): Promise<{ server: Server; url: string }> => {
  const server = createServer(answer);
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  return { server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/` };
};

describe('the page that denoises', { timeout: 240_000 }, () => {
  let browser: Browser;
  let page: Page;
  let errors: readonly string[];
  const requests: string[] = [];
  const servers: Server[] = [];
  let base: string;
  let elsewhere: string;
  let askedElsewhere = 0;

  beforeAll(async () => {
    if (absent) return;
    await promisify(execFile)(process.execPath, [join(root, 'scripts/pages.mjs'), 'denoise']);
    // As any static server: no headers of isolation, hence no threads.
    const here = await served(({ url }, response) => {
      const file = join(root, 'build/page', url === '/' ? 'index.html' : url!);
      const found = existsSync(file);
      response.writeHead(found ? 200 : 404, { 'Content-Type': types[extname(file)] ?? 'text/javascript' });
      response.end(found ? readFileSync(file) : undefined);
    });
    const other = await served((_, response) => {
      askedElsewhere++;
      response.writeHead(200, { 'Access-Control-Allow-Origin': '*' }).end('got it');
    });
    servers.push(here.server, other.server);
    [base, elsewhere] = [here.url, other.url];
    browser = await openBrowser();
    page = await browser.newPage({ viewport: { width: 1300, height: 900 } });
    errors = complaints(page);
    page.on('request', (request) => requests.push(request.url()));
    await page.goto(base);
    await page.waitForSelector('body[data-ready="true"]', { timeout: 200_000 });
  }, 240_000);
  afterAll(async () => {
    await browser?.close();
    for (const server of servers) server.close().closeAllConnections();
  });
  const open = (ctx: TestContext): void => {
    if (absent) ctx.skip(absent);
  };
  const note = async (): Promise<string> => (await page.locator('#note').textContent())!;
  const drop = async (name: string, content: Buffer): Promise<void> => {
    const transfer = await page.evaluateHandle(
      ([file, text]) => {
        const data = new DataTransfer();
        data.items.add(new File([Uint8Array.from(atob(text!), (c) => c.charCodeAt(0))], file!));
        return data;
      },
      [name, content.toString('base64')],
    );
    await page.dispatchEvent('#drop', 'drop', { dataTransfer: transfer });
  };
  const save = async (name: string): Promise<Buffer> => {
    const coming = page.waitForEvent('download');
    await page.locator('#downloads a', { hasText: name }).click();
    return readFileSync(await (await coming).path());
  };
  const worst = (a: PetImage, b: PetImage): number =>
    a.values.data.reduce((most, value, i) => Math.max(most, Math.abs(value - b.values.data[i]!)), 0);

  it('every control has a name', async (ctx) => {
    open(ctx);
    const unnamed = await page.locator('input, select, button').evaluateAll((all) =>
      all
        .filter((one) => {
          const { labels, textContent, tagName } = one as HTMLInputElement;
          const by = one.getAttribute('aria-labelledby');
          const said = one.getAttribute('aria-label') ?? (by === null ? undefined : document.getElementById(by)?.textContent);
          return !(said ?? labels?.[0]?.textContent ?? (tagName === 'BUTTON' ? textContent : ''))?.trim();
        })
        .map(({ id }) => id),
    );
    expect(unnamed).toEqual([]);
  });

  it('denoises what is dropped, as Node does, on the grid of the file', async (ctx) => {
    open(ctx);
    await drop('scan.nii.gz', bytes);
    await page.click('#run');
    await page.waitForSelector('body[data-shown="true"]', { timeout: 200_000 });
    const found = readNifti(await save('scan-denoised.nii.gz'), 'saved');
    const model = await loadModel(undefined, { threads: 1, device: 'cpu' });
    const expected = await denoiseVolume(image, model).finally(() => model.dispose());
    expect(found).toMatchObject({ unit: 'SUV', grid: { shape: [...grid.shape] } });
    expect([...found.affine]).toEqual([...image.affine]);
    expect(worst(found, expected.image)).toBeLessThan(1e-3);
    expect(worst(found, image)).toBeGreaterThan(0.05); // something was done
    const sidecar = JSON.parse((await save('scan-denoised.json')).toString());
    expect(sidecar).toMatchObject({
      input: 'scan.nii.gz',
      mode: 'mean',
      model: { sha256: model.card.sha256 },
      engine: 'onnxruntime-web',
    });
    const [before, after] = await page.locator('figure output').allTextContents();
    const centre = (x: PetImage): Set<string> =>
      new Set([...x.values.data].map((value) => `${Number(value.toPrecision(4))} SUV`));
    expect(centre(image)).toContain(before);
    expect(centre(found)).toContain(after);
  });

  it('draws samples, with their spread', async (ctx) => {
    open(ctx);
    await page.setInputFiles('#file', { name: 'scan.nii.gz', mimeType: 'application/gzip', buffer: bytes });
    await page.check('[value="samples"]');
    await page.click('#run');
    await page.waitForSelector('#downloads a:has-text("scan-spread")', { timeout: 200_000 });
    const spread = readNifti(await save('scan-spread'), 'saved');
    expect(Math.max(...spread.values.data)).toBeGreaterThan(0.001);
    await expect.poll(() => page.locator('figure').count(), { timeout: 100_000 }).toBe(2);
    await page.check('#spread');
    expect(await page.locator('.bar:not([hidden])', { hasText: 'uncertainty' }).count()).toBe(2);
  });

  it('stops when it is told to, and says what it cannot take', async (ctx) => {
    open(ctx);
    await page.check('[value="samples"]');
    await drop('scan.nii.gz', bytes);
    await page.click('#run');
    await page.click('#stop');
    await expect.poll(note, { timeout: 60_000 }).toBe('Stopped.');
    await drop('photo.jpg', bytes);
    expect(await note()).toContain('photo.jpg is no NIfTI file');
    await drop('broken.nii', Buffer.from('not an image at all'));
    await page.click('#run');
    await expect.poll(note, { timeout: 60_000 }).toContain('broken.nii');
    await drop('unitless.nii', unitless);
    await page.click('#run');
    await expect.poll(note, { timeout: 60_000 }).toContain('choose “Values are in”');
  });

  it('asks nobody but its own server, and the browser would not let it: neither page nor worker', async (ctx) => {
    open(ctx);
    for (const url of requests) expect(url.startsWith(base) || /^(data|blob):/.test(url), url).toBe(true);
    expect(errors).toEqual([]);
    const send = (url: string): Promise<string> =>
      fetch(url, { method: 'POST', body: 'voxels' }).then(
        () => 'sent',
        () => 'refused',
      );
    expect(await page.evaluate(send, elsewhere)).toBe('refused');
    expect(page.workers().length).toBeGreaterThan(0);
    for (const worker of page.workers()) expect(await worker.evaluate(send, elsewhere)).toBe('refused');
    expect(askedElsewhere).toBe(0);
    await page.setViewportSize({ width: 390, height: 800 });
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(390);
  });
});
