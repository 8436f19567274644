/** The viewer's server gives listed files to this machine's reader, and nothing to anyone else. */
import { request } from 'node:http';
import { connect } from 'node:net';
import { networkInterfaces } from 'node:os';
import { afterEach, expect, it } from 'vitest';
import { type OpenServer, serveFiles } from '../../src/node/view-server.js';

const files = new Map([
  ['', { type: 'text/html', body: Buffer.from('<p>page') }],
  ['a.nii', { type: 'application/octet-stream', body: Buffer.from('voxels') }],
]);
const open: OpenServer[] = [];
const serve = async (): Promise<OpenServer> => {
  const server = await serveFiles(files);
  open.push(server);
  return server;
};
afterEach(async () => {
  await Promise.all(open.splice(0).map((server) => server.close()));
});

interface Answer {
  readonly code: number;
  readonly body: string;
  readonly headers: Readonly<Record<string, unknown>>;
}
function ask(
  url: string,
  { method = 'GET', path, host }: { method?: string; path?: string; host?: string } = {},
): Promise<Answer> {
  const { port, pathname } = new URL(url);
  const options = { host: '127.0.0.1', port, method, path: path ?? pathname, headers: host === undefined ? {} : { Host: host } };
  return new Promise((done, fail) => {
    request(options, (response) => {
      let body = '';
      response.on('data', (chunk) => (body += chunk));
      response.on('end', () => done({ code: response.statusCode!, body, headers: response.headers }));
    })
      .on('error', fail)
      .end();
  });
}

it('gives what is listed, under its path', async () => {
  const { url } = await serve();
  expect(await ask(url)).toMatchObject({ code: 200, body: '<p>page', headers: { 'content-type': 'text/html' } });
  expect(await ask(`${url}a.nii`)).toMatchObject({ code: 200, body: 'voxels', headers: { 'content-length': '6' } });
  expect(await ask(`${url}a.nii`, { method: 'HEAD' })).toMatchObject({ code: 200, body: '' });
});

it('has a path that cannot be guessed, another every time', async () => {
  const paths = [await serve(), await serve()].map(({ url }) => new URL(url).pathname.replaceAll('/', ''));
  expect(paths[0]).not.toBe(paths[1]);
  // 128 bits, six to a letter.
  for (const path of paths) expect(path).toMatch(/^[\w-]{22}$/);
});

it('gives nothing else: other paths, files, methods, and names for this machine', async () => {
  const { url } = await serve();
  const secret = new URL(url).pathname;
  for (const path of [
    '/',
    '/a.nii',
    secret.slice(0, -1),
    `${secret}../a.nii`,
    `${secret}b.nii`,
    `${secret}a.nii?x`,
    `/x${secret}`,
    '/../../etc/passwd',
  ])
    expect(await ask(url, { path }), path).toMatchObject({ code: 404, body: '' });
  for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH']) expect((await ask(url, { method })).code, method).toBe(405);
  const { port } = new URL(url);
  for (const host of [
    'evil.example',
    `evil.example:${port}`,
    '127.0.0.1',
    `127.0.0.1:${Number(port) + 1}`,
    `localhost.evil:${port}`,
  ])
    expect((await ask(url, { host })).code, host).toBe(421);
  expect((await ask(url, { host: `localhost:${port}` })).code).toBe(200);
});

it('lets the page load nothing from elsewhere, and tells nobody its path', async () => {
  const { headers } = await ask((await serve()).url);
  expect(headers['content-security-policy']).toMatch(/default-src 'none'.*script-src 'self';.*connect-src 'self'/);
  expect(headers).toMatchObject({
    'referrer-policy': 'no-referrer',
    'cross-origin-resource-policy': 'same-origin',
    'cache-control': 'no-store',
  });
  expect(headers['access-control-allow-origin']).toBeUndefined();
});

it('listens on the loopback alone', async (ctx) => {
  const outer = Object.values(networkInterfaces()).flat().find((one) => one && !one.internal && one.family === 'IPv4'); // biome-ignore format: short
  if (!outer) return ctx.skip('this machine has no other address');
  const { port } = new URL((await serve()).url);
  const answered = await new Promise((done) => {
    const socket = connect(Number(port), outer.address, () => done(true));
    socket.on('error', () => done(false)).setTimeout(2000, () => done(false));
  });
  expect(answered).toBe(false);
});

it('closes at once, though a reader keeps its connection', async () => {
  const { url, close } = await serveFiles(files);
  const socket = connect(Number(new URL(url).port), '127.0.0.1');
  await new Promise((done) => socket.once('connect', done));
  const gone = new Promise((done) => socket.once('close', done).resume());
  await close();
  await gone;
  await expect(ask(url)).rejects.toThrow();
});
