/** coincide view in headless Chromium: what is on the page is what is in the files, by mouse and by keys. */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, describe, expect, it, type TestContext } from 'vitest';
import { fill } from '../../src/core/array.js';
import { centredGrid, petImage, type Unit } from '../../src/core/image.js';
import { writeNifti } from '../../src/io/nifti.js';
import { complaints, noBrowser, openBrowser } from './chromium.js';

const dist = resolve(import.meta.dirname, '../../dist');
const absent =
  noBrowser ??
  (existsSync(join(dist, 'view/index.html')) ? undefined : 'the viewer’s page was not built: npm ci && npm run build');
if (absent && process.env.COINCIDE_TEST_GPU === 'software') throw new Error(absent);

const dir = mkdtempSync(join(tmpdir(), 'coincide-'));
const shape = [10, 16, 20] as const;
const [, ny, nx] = shape;
const a = (i: number): number => (i % nx) + 100 * (Math.floor(i / nx) % ny) + 10_000 * Math.floor(i / (nx * ny));
function write(
  name: string,
  value: (i: number) => number,
  unit: Unit = 'SUV',
  size: readonly [number, number, number] = shape,
): void {
  const grid = centredGrid(size, [4, 4, 4]);
  writeFileSync(join(dir, name), writeNifti(petImage(grid, fill(size, value), unit)));
}
write('a.nii', a);
write('b.nii', (i) => a(i) + 7);
write('spread.nii', (i) => a(i) / 1000);
write('labels.nii', (i) => (i % nx < 10 ? 1 : 0), 'label');
write('other.nii', () => 1, 'Bq/mL', [6, 7, 8]);
writeFileSync(join(dir, 'a.json'), JSON.stringify({ parameters: { method: 'osem <i>' }, warnings: ['A warning & more'] }));
writeFileSync(join(dir, 'labels.json'), JSON.stringify({ 1: 'liver' }));

interface Viewer {
  readonly page: Page;
  readonly errors: readonly string[];
  readonly requests: readonly string[];
  readonly url: string;
  readonly child: ChildProcess;
}

// WebGL by a program, four times, on a machine that may be busy.
describe('the viewer', { timeout: 240_000 }, () => {
  let browser: Promise<Browser> | undefined;
  const children: ChildProcess[] = [];
  const main = open(['a.nii', 'b.nii', '--spread', 'spread.nii', '--labels', 'labels.nii']);
  afterAll(async () => {
    for (const child of children) child.kill('SIGKILL');
    await (await browser)?.close();
  });

  /** Opens a page when it is first asked for. */
  function open(args: readonly string[], width = 1300): (ctx: TestContext) => Promise<Viewer> {
    let opened: Promise<Viewer> | undefined;
    const start = async (): Promise<Viewer> => {
      const child = spawn(process.execPath, [join(dist, 'cli/main.js'), 'view', ...args], { cwd: dir });
      children.push(child);
      const url = await new Promise<string>((done, fail) => {
        child.stdout.once('data', (text) => done(String(text).trim()));
        child.stderr.on('data', (text) => /^coincide:/.test(String(text)) && fail(new Error(String(text))));
      });
      const page = await (await (browser ??= openBrowser())).newPage({ viewport: { width, height: 850 } });
      const requests: string[] = [];
      page.on('request', (request) => requests.push(request.url()));
      const errors = complaints(page);
      await page.goto(url);
      await page.waitForSelector('body[data-ready="true"]', { timeout: 200_000 });
      return { page, errors, requests, url, child };
    };
    return (ctx) => {
      if (absent) ctx.skip(absent);
      return (opened ??= start());
    };
  }
  const values = async (page: Page): Promise<string[]> => page.locator('#values td').allTextContents();
  const outputs = async (page: Page): Promise<string[]> => page.locator('figure:not([inert]) output').allTextContents();
  const at = async (page: Page): Promise<number[]> =>
    (await page.locator('#place').textContent())!.match(/-?\d+\.\d/g)!.map(Number);
  /** What the files hold at the cross-hairs. */
  const held = async (page: Page): Promise<number> => {
    const [x, y, z] = (await at(page)) as [number, number, number];
    const [i, j, k] = [Math.round(x / 4 + 9.5), Math.round(y / 4 + 7.5), Math.round(z / 4 + 4.5)];
    return a((k * ny + j) * nx + i);
  };
  const figures = (value: number): string => String(Number(value.toPrecision(4)));

  it('shows the values at the cross-hairs, which keys move, voxel by voxel, towards where they point', async (ctx) => {
    const { page } = await main(ctx);
    const before = await at(page);
    // The patient's right is on the left of the picture.
    for (const key of ['ArrowLeft', 'ArrowUp', 'PageUp']) await page.keyboard.press(key);
    const after = await at(page);
    expect(after.map((mm, axis) => Math.round(mm - before[axis]!))).toEqual([4, 4, 4]);
    const value = await held(page);
    const [first, second, spread] = await values(page);
    expect([first, second, spread]).toEqual([
      `${figures(value)} SUV`,
      `${figures(value + 7)} SUV`,
      `${figures(value / 1000)} SUV`,
    ]);
    await page.keyboard.press('c'); // the hottest voxel is the last of all
    expect(await at(page)).toEqual([38, 30, 18]);
    await page.keyboard.press('ArrowLeft'); // stays inside
    expect(await at(page)).toEqual([38, 30, 18]);
  });

  it('a click into one image moves the cross-hairs of all', async (ctx) => {
    const { page } = await main(ctx);
    const before = await at(page);
    const box = (await page.locator('figure .slices canvas').first().boundingBox())!;
    await page.mouse.click(box.x + box.width * 0.45, box.y + box.height * 0.2);
    await expect.poll(() => at(page), { timeout: 20_000 }).not.toEqual(before);
    const value = await held(page);
    expect(await outputs(page)).toEqual([`${figures(value)} SUV`, `${figures(value + 7)} SUV`]);
  });

  it('shows the difference, the overlay, and what lies on top', async (ctx) => {
    const { page } = await main(ctx);
    const picture = (): Promise<Buffer> =>
      page.locator('figure:not([inert]) .slices canvas').first().screenshot({ timeout: 60_000 });
    const bare = await picture();
    await page.keyboard.press('u');
    await expect.poll(async () => (await picture()).equals(bare), { timeout: 60_000 }).toBe(false);
    expect(await page.locator('.bar:not([hidden])', { hasText: 'uncertainty' }).count()).toBe(2);
    await page.keyboard.press('u');
    await page.keyboard.press('3');
    await expect.poll(() => page.locator('figure:not([inert])').count(), { timeout: 100_000 }).toBe(3);
    expect((await outputs(page))[2]).toBe('7 SUV');
    await page.keyboard.press('2');
    await expect
      .poll(() => page.locator('figure:not([inert]) strong').allTextContents(), { timeout: 100_000 })
      .toEqual(['b.nii on a.nii']);
    await page.keyboard.press('1');
    await expect.poll(() => page.locator('figure:not([inert])').count()).toBe(2);
  });

  it('zooms and moves the slices of all images as one, by keys, wheel and mouse', async (ctx) => {
    const { page } = await main(ctx);
    const second = page.locator('figure:not([inert]) .slices canvas').nth(1);
    const picture = (): Promise<string> => second.screenshot({ timeout: 60_000 }).then((png) => png.toString('base64'));
    const zoom = async (): Promise<number> => Number(await page.locator('#zoom').inputValue());
    const before = await at(page);
    const bare = await picture();
    await page.keyboard.press('+');
    expect(await zoom()).toBe(1.25);
    await expect.poll(picture, { timeout: 60_000 }).not.toBe(bare);
    await page.keyboard.press('0');
    await expect.poll(picture, { timeout: 60_000 }).toBe(bare);
    expect([await zoom(), await at(page)]).toEqual([1, before]);
    const box = (await page.locator('figure .slices canvas').first().boundingBox())!;
    const [x, y] = [box.x + box.width * 0.45, box.y + box.height * 0.2];
    await page.mouse.click(x, y);
    const marked = await picture();
    await page.mouse.wheel(0, -120);
    await expect.poll(zoom, { timeout: 60_000 }).toBeGreaterThan(1);
    await expect.poll(picture, { timeout: 60_000 }).not.toBe(marked);
    const zoomed = await picture();
    await page.mouse.down({ button: 'right' });
    await page.mouse.move(x + 30, y + 20, { steps: 3 });
    await page.mouse.up({ button: 'right' });
    await expect.poll(picture, { timeout: 60_000 }).not.toBe(zoomed);
    await page.keyboard.press('0');
    await expect.poll(picture, { timeout: 60_000 }).toBe(marked);
  });

  it('the cross-hairs are seen at any size of the window', async (ctx) => {
    const { page } = await main(ctx);
    const canvas = page.locator('figure .slices canvas').first();
    /** Rows and columns in which the colour of the cross-hairs is longer than any letter. */
    const lines = async (): Promise<{ rows: number; columns: number }> => {
      const shot = await canvas.screenshot({ timeout: 60_000 });
      return page.evaluate(async (base64) => {
        const picture = await createImageBitmap(new Blob([Uint8Array.from(atob(base64), (c) => c.charCodeAt(0))]));
        const { width, height } = picture;
        const context = new OffscreenCanvas(width, height).getContext('2d')!;
        context.drawImage(picture, 0, 0);
        const { data } = context.getImageData(0, 0, width, height);
        const [rows, columns] = [new Uint32Array(height), new Uint32Array(width)];
        for (let i = 0; i < width * height; i++) {
          if (data[4 * i]! < data[4 * i + 1]! + 60) continue;
          rows[Math.floor(i / width)]!++;
          columns[i % width]!++;
        }
        const long = (counts: Uint32Array): number => counts.filter((n) => n > 20).length;
        return { rows: long(rows), columns: long(columns) };
      }, shot.toString('base64'));
    };
    for (const width of [1300, 1000, 700, 600, 500, 390, 1300]) {
      await page.setViewportSize({ width, height: 850 });
      await expect
        .poll(() => canvas.evaluate((one) => (one as HTMLCanvasElement).width - one.clientWidth), { timeout: 60_000 })
        .toBe(0); // drawn again
      // Of three slices two share a line where they are side by side, or two of each where they are in a square.
      const { rows, columns } = await lines();
      expect(
        [rows, columns].every((n) => n >= 4 && n <= 8),
        `${width}: ${rows} rows, ${columns} columns`,
      ).toBe(true);
    }
  });

  it('every control has a name, is reached by the Tab key, and shows it', async (ctx) => {
    const { page } = await main(ctx);
    const controls = await page
      .locator('input:enabled, button:visible, summary, figure:not([inert]) canvas[tabindex]')
      .evaluateAll((all) =>
        all.map((one) => {
          const { labels, name, value } = one as HTMLInputElement;
          const said = one.getAttribute('aria-label') ?? labels?.[0]?.textContent ?? one.textContent;
          return { said: said?.trim(), radio: (one as HTMLInputElement).type === 'radio' ? `${name} ${value}` : '' };
        }),
      );
    expect(controls.filter(({ said }) => !said)).toEqual([]);
    const groups = new Set(controls.filter(({ radio }) => radio).map(({ radio }) => radio.split(' ')[0]));
    const stops = controls.filter(({ radio }) => !radio).length + groups.size;
    const leave = () => page.evaluate(() => (document.activeElement as HTMLElement).blur());
    await leave();
    const seen = new Set<string>();
    for (let i = 0; i < stops + 3; i++) {
      await page.keyboard.press('Tab');
      const focus = await page.evaluate(() => {
        const one = document.activeElement;
        if (!one || one === document.body) return undefined;
        const place = [...document.querySelectorAll('*')].indexOf(one);
        return { place, outline: getComputedStyle(one).outlineStyle };
      });
      if (!focus) continue;
      expect(focus.outline, String(focus.place)).toBe('solid');
      seen.add(String(focus.place));
    }
    expect(seen.size).toBe(stops);
    await leave(); // arrow keys move the cross-hairs again
  });

  it('the projection turns by key, in the colours chosen', async (ctx) => {
    const { page } = await main(ctx);
    const mip = (): Promise<string> =>
      page
        .locator('.mip canvas')
        .first()
        .evaluate((canvas) => (canvas as HTMLCanvasElement).toDataURL());
    const front = await mip();
    await page.keyboard.press('.');
    const turned = await mip();
    expect(turned).not.toBe(front);
    await page.keyboard.press(',');
    expect(await mip()).toBe(front);
    await page.keyboard.press('h');
    await expect.poll(mip).not.toBe(front);
    await page.keyboard.press('g');
    await expect.poll(mip).toBe(front);
    await page.keyboard.press(']');
    await expect.poll(mip).not.toBe(front);
  });

  it('names labels, says where the images come from, and shows names as they are', async (ctx) => {
    const { page, errors, requests, url } = await main(ctx);
    for (let i = 0; i < 20; i++) await page.keyboard.press('ArrowLeft');
    expect((await values(page)).at(-1)).toBe('none');
    for (let i = 0; i < 20; i++) await page.keyboard.press('ArrowRight');
    expect((await values(page)).at(-1)).toBe('liver');
    await page.locator('summary').click();
    expect(await page.locator('#provenance tbody').textContent()).toContain('osem <i>');
    expect(await page.locator('#note').textContent()).toBe('A warning & more');
    await page.keyboard.press('?');
    expect(await page.locator('dialog[open] dt').count()).toBeGreaterThan(5);
    await page.keyboard.press('Escape');
    expect(errors).toEqual([]);
    for (const one of requests) expect(one.startsWith(url) || one.startsWith('data:') || one.startsWith('blob:'), one).toBe(true);
  });

  it('fits a narrow screen, and says why there is no difference', async (ctx) => {
    const narrow = open(['a.nii', 'other.nii'], 390);
    const { page, errors, child } = await narrow(ctx);
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(390);
    expect(await page.locator('#note').textContent()).toContain('SUV and Bq/mL are not one unit');
    expect(await page.locator('[value="difference"]').isDisabled()).toBe(true);
    expect(errors).toEqual([]);
    child.kill('SIGINT');
    expect(await new Promise((done) => child.once('close', done))).toBe(0);
  });
});
