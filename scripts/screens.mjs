/** The pictures of docs/recipes/look.md: npm run screens, in a clone that is built. A low-count thorax is reconstructed in build/screens, and viewer,
 *  report and page are shown by Chromium (/usr/bin/chromium, or what COINCIDE_TEST_CHROMIUM names), wide and narrow. */
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';

const root = fileURLToPath(new URL('..', import.meta.url));
const folder = join(root, 'build/screens');
const main = join(root, 'dist/cli/main.js');
const coincide = (line) =>
  execFileSync(process.execPath, [main, ...line.split(' '), '--quiet'], { cwd: folder, stdio: 'inherit' });

rmSync(folder, { recursive: true, force: true });
mkdirSync(folder, { recursive: true });
coincide('phantom --kind thorax --seed 20260 -o phantom');
coincide('simulate --activity phantom/activity.nii.gz --mu phantom/mu.nii.gz --counts 1.6e7 --dose 0.05 -o scan');
coincide('recon scan --method osem --psf 5 -o osem.nii.gz');
coincide('recon scan --method diffpir --psf 5 --spread spread.nii.gz -o diffpir.nii.gz');
coincide(
  'report osem.nii.gz diffpir.nii.gz --reference phantom/activity.nii.gz --labels phantom/labels.nii.gz --spread spread.nii.gz -o report.html',
);

const browser = await chromium.launch({
  executablePath: process.env.COINCIDE_TEST_CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--enable-unsafe-swiftshader', '--use-angle=swiftshader', '--ignore-gpu-blocklist'],
});
async function open(url, [width, height], ready) {
  const page = await browser.newPage({ viewport: { width, height }, colorScheme: url === address ? 'dark' : 'light' });
  await page.goto(url);
  if (ready) await page.waitForSelector(`body[data-${ready}="true"]`, { timeout: 300_000 });
  return page;
}
/** A picture, once what was asked for is drawn. */
async function shoot(page, name) {
  await page.waitForTimeout(2000);
  await page.screenshot({ path: join(root, 'docs/screens', `${name}.png`) });
}

const viewer = spawn(process.execPath, [main, 'view', 'osem.nii.gz', 'diffpir.nii.gz', '--spread', 'spread.nii.gz', '--labels', 'phantom/labels.nii.gz'], { cwd: folder }); // biome-ignore format: one call
const address = await new Promise((told) => viewer.stdout.once('data', (text) => told(String(text).trim())));
const wide = await open(address, [1300, 900], 'ready');
for (const key of ['c', 'u']) await wide.keyboard.press(key);
await shoot(wide, 'view');
for (const key of ['u', '3']) await wide.keyboard.press(key);
await wide.waitForFunction(() => document.querySelectorAll('figure:not([inert])').length === 3, undefined, { timeout: 300_000 });
await shoot(wide, 'view-difference');
await wide.close();
await shoot(await open(address, [390, 1100], 'ready'), 'view-narrow');
viewer.kill('SIGINT');

const report = new URL(`file://${folder}/report.html`).href;
await shoot(await open(report, [1100, 1500]), 'report');
await shoot(await open(report, [390, 1500]), 'report-narrow');

execFileSync(process.execPath, [join(root, 'scripts/pages.mjs'), 'denoise'], { stdio: 'inherit' });
const types = { '.html': 'text/html', '.css': 'text/css', '.wasm': 'application/wasm' };
const server = createServer(({ url }, response) => {
  const file = join(root, 'build/page', url === '/' ? 'index.html' : url);
  response.writeHead(existsSync(file) ? 200 : 404, { 'Content-Type': types[extname(file)] ?? 'text/javascript' });
  response.end(existsSync(file) ? readFileSync(file) : undefined);
});
await new Promise((listening) => server.listen(0, '127.0.0.1', listening));
for (const [name, size] of [
  ['page', [1300, 1000]],
  ['page-narrow', [390, 1300]],
]) {
  // biome-ignore format: pairs
  const page = await open(`http://127.0.0.1:${server.address().port}/`, size, 'ready');
  await page.setInputFiles('#file', join(folder, 'osem.nii.gz'));
  await page.click('#run');
  await page.waitForSelector('body[data-shown="true"]', { timeout: 300_000 });
  await shoot(page, name);
  await page.close();
}
server.close().closeAllConnections();
await browser.close();
