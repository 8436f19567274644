/** @file  A server for one reader on this machine: loopback only, under a path that cannot be guessed, GET of listed files and nothing else.
 *  Other pages in the same browser know neither port nor path, and a name that was made to point here (DNS rebinding) is refused. */
import { randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface ServedFile {
  readonly type: string;
  readonly body: Uint8Array;
}

export interface OpenServer {
  /** With the secret path: whoever has it can read the files. */
  readonly url: string;
  close(): Promise<void>;
}

const headers = {
  'Cache-Control': 'no-store',
  // The page may use itself, what it made itself, and nothing from elsewhere.
  'Content-Security-Policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self' data: blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Referrer-Policy': 'no-referrer',
  'X-Content-Type-Options': 'nosniff',
};

/** @param files by name; '' is the page itself. @param port 0: one that is free. */
export async function serveFiles(files: ReadonlyMap<string, ServedFile>, port = 0): Promise<OpenServer> {
  const secret = randomBytes(16).toString('base64url');
  const server = createServer((request, response) => {
    const { code, file, more } = decision(request, `/${secret}/`, (server.address() as AddressInfo).port, files);
    const about = file ? { 'Content-Type': file.type, 'Content-Length': file.body.byteLength } : {};
    response.writeHead(code, { ...headers, ...about, ...more });
    response.end(request.method === 'HEAD' ? undefined : file?.body);
  });
  await new Promise<void>((done, fail) => server.once('error', fail).listen(port, '127.0.0.1', done));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/${secret}/`,
    close: () =>
      new Promise((done) => {
        server.close(() => done());
        server.closeAllConnections();
      }),
  };
}

interface Decision {
  readonly code: number;
  readonly file?: ServedFile;
  readonly more?: Readonly<Record<string, string>>;
}

function decision(
  { method, url = '', headers: { host } }: IncomingMessage,
  prefix: string,
  port: number,
  files: ReadonlyMap<string, ServedFile>,
): Decision {
  if (host !== `127.0.0.1:${port}` && host !== `localhost:${port}`) return { code: 421 };
  if (method !== 'GET' && method !== 'HEAD') return { code: 405, more: { Allow: 'GET, HEAD' } };
  const file = url.startsWith(prefix) ? files.get(url.slice(prefix.length)) : undefined;
  return file ? { code: 200, file } : { code: 404 };
}
