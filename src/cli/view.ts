/** @file  coincide view: a page on this machine that shows images side by side, until Ctrl-C. */
import { spawn } from 'node:child_process';
import { readdir } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { type Command, InvalidArgumentError } from 'commander';
import { DeviceError, OptionError } from '../core/errors.js';
import { json, readBytes } from '../node/files.js';
import { type ServedFile, serveFiles } from '../node/view-server.js';
import { viewSession } from '../node/view-session.js';
import { type Run, verb, whole } from './verb.js';

interface Options {
  readonly labels?: string;
  readonly spread?: string;
  readonly frame: number;
  readonly port: number;
  readonly open?: boolean;
}

const port = (text: string): number => {
  const value = whole(text);
  if (value > 65535) throw new InvalidArgumentError(`expected a port, 0 to 65535, found "${text}".`);
  return value;
};

/** Each has its own drawing context, of which browsers give 8 to 16. */
const most = 6;

export function view(program: Command): void {
  const command = program
    .command('view <images...>')
    .description(
      'look at images in the browser: linked slices, rotating MIP, difference, overlay, uncertainty; nothing leaves the machine',
    )
    .option('--labels <file>', 'label image; names from labels.json beside it')
    .option('--spread <file>', 'standard deviation over samples, shown on top')
    .option('--frame <n>', 'frame of files of several, from 0', whole, 0)
    .option('--port <n>', 'port on 127.0.0.1 (0: one that is free)', port, 0)
    .option('--open', 'open the page in the default browser');
  verb(command, async (run: Run, images: string[], options: Options): Promise<undefined> => {
    const { labels, spread, frame, open } = options;
    if (images.length > most)
      throw new OptionError('Too many images for one page', {
        ...{ expected: `at most ${most}`, found: images.length, hint: 'A report takes more: coincide report.' },
      });
    const page = await pageFiles();
    const { session, files } = await viewSession(images, { labels, spread, frame });
    const served = new Map<string, ServedFile>([...page, ['session.json', { type: 'application/json', body: json(session) }]]);
    for (const [name, body] of files) served.set(name, { type: 'application/octet-stream', body });
    const server = await serveFiles(served, options.port);
    try {
      run.say('Open this page; it is for this machine alone. Ctrl-C ends it.');
      process.stdout.write(run.options.json ? `${JSON.stringify({ url: server.url })}\n` : `${server.url}\n`);
      if (open) openBrowser(server.url);
      await new Promise<void>((done) => {
        if (run.signal.aborted) done();
        run.signal.addEventListener('abort', () => done(), { once: true });
      });
    } finally {
      await server.close();
    }
    return undefined;
  });
}

const types: Readonly<Record<string, string>> = {
  html: 'text/html; charset=utf-8',
  css: 'text/css; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
};

/** The built page beside this program. @throws DeviceError where it was not built. */
async function pageFiles(): Promise<Map<string, ServedFile>> {
  const folder = fileURLToPath(new URL('../view/', import.meta.url));
  const names = (await readdir(folder).catch(() => [])).filter((name) => name.split('.').at(-1)! in types);
  if (!names.includes('index.html'))
    throw new DeviceError('The page of the viewer was not built', { file: folder, hint: 'In a clone: npm ci && npm run build.' });
  const files = new Map<string, ServedFile>();
  for (const name of names)
    files.set(name === 'index.html' ? '' : name, { type: types[name.split('.').at(-1)!]!, body: await readBytes(folder + name) });
  return files;
}

/** What each system opens addresses with. A machine without one is told the address anyway. */
function openBrowser(url: string): void {
  const [program, ...args] =
    process.platform === 'darwin'
      ? ['open', url]
      : process.platform === 'win32'
        ? ['cmd', '/c', 'start', '', url]
        : ['xdg-open', url];
  spawn(program!, args, { stdio: 'ignore', detached: true })
    .on('error', () => {})
    .unref();
}
