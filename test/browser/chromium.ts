/** A page in headless Chromium that runs a bundle of the sources, on the software adapter that the tests of Node use too. */
import { existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { resolve } from 'node:path';
import { type Browser, chromium, type Page } from 'playwright-core';
import { rolldown } from 'rolldown';

const executable = ['/usr/bin/chromium', process.env.COINCIDE_TEST_CHROMIUM].find((path) => path && existsSync(path));
/** Why there is no browser, for skipping aloud. In CI its absence is a failure, as that of the software adapter is (../gpu.ts). */
export const noBrowser: string | undefined = executable
  ? undefined
  : '/usr/bin/chromium is absent; COINCIDE_TEST_CHROMIUM can name another';
if (noBrowser) console.warn(`The tests in a page are skipped: ${noBrowser}`);
if (noBrowser && process.env.COINCIDE_TEST_GPU === 'software') throw new Error(noBrowser);

export interface OpenPage {
  readonly page: Page;
  /** What the page complained of. */
  readonly errors: readonly string[];
  close(): Promise<void>;
}

/** What is served beside the script: by URL, its type and bytes. */
export type Served = Readonly<Record<string, readonly [type: string, body: () => string | Buffer | undefined]>>;

/** Bundles a script of this folder as a user's bundler would, serves it, and opens a page with it. */
export async function openPage(script: string, beside: Served = {}): Promise<OpenPage> {
  const bundle = await bundled(resolve(import.meta.dirname, script));
  const server = createServer(({ url }, response) => {
    // Isolated pages have SharedArrayBuffer.
    const headers = { 'Cross-Origin-Opener-Policy': 'same-origin', 'Cross-Origin-Embedder-Policy': 'require-corp' };
    const html =
      '<!doctype html><meta charset="utf-8"><title>coincide</title><link rel="icon" href="data:,"><script type="module" src="/main.js"></script>';
    const files: Served = {
      ...beside,
      '/': ['text/html', () => html],
      '/kernel.wasm': ['application/wasm', () => readFileSync(resolve(import.meta.dirname, '../../dist/kernel.wasm'))],
    };
    const [type, read] = files[url!] ?? ['text/javascript', () => bundle.get(url!.slice(1))];
    const body = read();
    response.writeHead(body === undefined ? 404 : 200, { ...headers, 'Content-Type': type }).end(body);
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const browser = await openBrowser();
  const page = await browser.newPage();
  const errors = complaints(page);
  await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
  return {
    page,
    errors,
    async close() {
      await browser.close();
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    },
  };
}

/** Headless Chromium, with a program for a graphics card, that fetches nothing but its page. */
export function openBrowser(): Promise<Browser> {
  return chromium.launch({
    executablePath: executable!,
    args: [
      ...['--no-sandbox', '--enable-unsafe-webgpu', '--use-webgpu-adapter=swiftshader', '--enable-unsafe-swiftshader'],
      // WebGL on the same program.
      ...['--use-angle=swiftshader', '--ignore-gpu-blocklist'],
      // Nothing but the page is to be fetched.
      ...['--disable-background-networking', '--disable-component-update', '--disable-sync', '--no-first-run', '--disable-quic'],
    ],
  });
}

/** What a page complains of, from now on. */
export function complaints(page: Page): readonly string[] {
  const errors: string[] = [];
  page.on('pageerror', (error) => errors.push(error.message));
  page.on('console', (message) => message.type() === 'error' && errors.push(message.text()));
  return errors;
}

/** File name → text. Fails where something of Node is needed. */
export async function bundled(entry: string): Promise<Map<string, string>> {
  const builder = await rolldown({
    input: { main: entry },
    platform: 'browser',
    resolve: { extensionAlias: { '.js': ['.ts', '.js'] } },
    onLog(level, log) {
      if (level === 'warn') throw new Error(log.message);
    },
  });
  const { output } = await builder.generate({ format: 'esm', entryFileNames: '[name].js', chunkFileNames: '[name]-[hash].js' });
  await builder.close();
  return new Map(output.map((file) => [file.fileName, file.type === 'chunk' ? file.code : String(file.source)]));
}
