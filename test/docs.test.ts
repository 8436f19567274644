/** Every command and every code block of README and docs is run here, or its marks say why not (docs-blocks.ts); every link leads somewhere. */
import { execFile, execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { array, fill } from '../src/core/array.js';
import { centredGrid, petImage } from '../src/core/image.js';
import { writeNifti } from '../src/io/nifti.js';
import { guidedWeights } from '../src/network/guided-diffusion-graph.js';
import { anchorOf, type Block, blocksOf, commandsOf, linksOf, unmarked } from './docs-blocks.js';
import { axial, dicomSeries } from './io/dicom-bytes.js';
import { sharedFolder } from './io/shared-data.js';
import { torchSave } from './io/torch-writer.js';
import { published, sineWeights } from './network/guided-models.js';

const root = resolve(import.meta.dirname, '..');
const main = join(root, 'dist/cli/main.js');
const generated = /^docs\/(api|reference|notebooks|results)\//;

const pages = [
  ...['README.md', 'docs/start.md'],
  ...['CONTRIBUTING.md', 'bench/README.md'],
  ...readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md') && !/(^|\/)(node_modules|\.vitepress)\//.test(name))
    .map((name) => `docs/${name}`)
    .filter((name) => name !== 'docs/start.md' && !generated.test(name))
    .sort(),
].filter((page) => existsSync(join(root, page)));
const markdown = new Map(pages.map((page) => [page, readFileSync(join(root, page), 'utf8')]));
const blocks = pages.flatMap((page) => blocksOf(page, markdown.get(page)!));
const title = ({ page, line, text }: Block): string => `${page}:${line}  ${(commandsOf(text)[0] ?? '').slice(0, 80)}`;

/** One folder for all pages: later pages use what the first ones made. */
const folder = mkdtempSync(join(tmpdir(), 'coincide-docs-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

beforeAll(() => {
  const modules = join(folder, 'node_modules');
  mkdirSync(join(modules, '.bin'), { recursive: true });
  symlinkSync(root, join(modules, 'coincide'), 'dir');
  mkdirSync(join(modules, '@types'));
  symlinkSync(join(root, 'node_modules/@types/node'), join(modules, '@types/node'), 'dir');
  symlinkSync(main, join(modules, '.bin/coincide'));
  writeFileSync(join(folder, 'package.json'), '{ "name": "reader", "private": true, "type": "module" }');
  // what a reader has and these pages cannot bring: a PET series, a volume in SUV, a checkpoint, list mode
  mkdirSync(join(folder, 'patient'));
  const stack = { ...axial, rows: 20, columns: 24, slices: 12, spacing: [4, 4] as [number, number] };
  for (const { name, bytes } of dicomSeries(stack, (r, a) => (r * r + a * a < 900 ? 4000 : 10))) {
    writeFileSync(join(folder, 'patient', name), bytes);
  }
  const small = centredGrid([3, 6, 5], [1.65, 1.65, 1.65]);
  const volume = petImage(
    small,
    fill(small.shape, (i) => 4 + 3 * Math.sin(i / 7)),
    'SUV',
  );
  writeFileSync(join(folder, 'suv.nii.gz'), writeNifti(volume, { gzip: true }));
  const architecture = { ...published(32), widths: [32, 64], blocks: 1 };
  const shapes = guidedWeights(architecture);
  const tensors = Object.entries(sineWeights(architecture)).map(
    ([name, data]) => [name, array(shapes.get(name)!, data)] as const,
  );
  writeFileSync(join(folder, 'model.pt'), torchSave(new Map(tensors)));
});

describe('what stands in the docs', () => {
  it('is marked: run, checked, written, or output', () => {
    expect(blocks.filter(unmarked).map(({ page, line, language, mark }) => `${page}:${line} ${language} ${mark}`)).toEqual([]);
  });

  it('names only verbs and options that there are', () => {
    const wrong: string[] = [];
    for (const block of blocks.filter(({ language }) => language === 'sh')) {
      for (const command of commandsOf(block.text)) {
        for (const [, verb = '', rest = ''] of command.matchAll(/\bcoincide(?: (?!--)([a-z][\w-]*))?([^|&;]*)/g)) {
          if (verb === '') continue;
          const known = helpOf(verb);
          const options = rest.replace(/ -- .*/, '').match(/(?<=\s)--?[a-z][\w-]*/g) ?? [];
          for (const option of options) {
            if (!new RegExp(`(^|[\\s,])${option}(?=[\\s,])`, 'm').test(known))
              wrong.push(`${block.page}:${block.line} ${verb} ${option}`);
          }
        }
      }
    }
    expect(wrong).toEqual([]);
  });

  it('names only scripts and files of the clone that there are', () => {
    const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
    const wrong: string[] = [];
    for (const { page, line, language, text } of blocks.filter(({ language }) => language === 'sh')) {
      expect(language).toBe('sh');
      for (const command of commandsOf(text)) {
        for (const [, script] of command.matchAll(/npm run ([\w:-]+)/g))
          if (!(script! in scripts)) wrong.push(`${page}:${line} ${script}`);
        for (const [file] of command.matchAll(/(?<=^|\s)(examples|scripts|bench|models)\/\S+/g)) {
          if (!existsSync(join(root, file))) wrong.push(`${page}:${line} ${file}`);
        }
      }
    }
    expect(wrong).toEqual([]);
  });

  it('links to files and headings that there are', () => {
    const dead: string[] = [];
    for (const [page, text] of markdown) {
      for (const link of linksOf(text)) {
        if (/^(https?:|mailto:)/.test(link)) continue;
        const [path = '', anchor] = link.split('#');
        const file = path === '' ? page : relative(root, resolve(root, dirname(page), path));
        if (generated.test(`${file}/`)) continue;
        if (!existsSync(join(root, file))) dead.push(`${page}: ${link}`);
        else if (anchor !== undefined && file.endsWith('.md')) {
          const headings = [...readFileSync(join(root, file), 'utf8').matchAll(/^#+ (.*)$/gm)].map(([, heading]) =>
            anchorOf(heading!),
          );
          if (!headings.includes(anchor)) dead.push(`${page}: ${link}`);
        }
      }
    }
    expect(dead).toEqual([]);
  });
});

const helps = new Map<string, string>();
function helpOf(verb: string): string {
  if (!helps.has(verb)) helps.set(verb, execFileSync(process.execPath, [main, verb, '--help'], { encoding: 'utf8' }));
  return helps.get(verb)!;
}

describe('code for other places', () => {
  it('is well typed', async () => {
    const typed = blocks.filter(({ language }) => language === 'ts');
    for (const [i, { text }] of typed.entries()) writeFileSync(join(folder, `block-${i}.ts`), text);
    const options = {
      target: 'es2022',
      lib: ['es2023', 'dom'],
      module: 'nodenext',
      strict: true,
      skipLibCheck: true,
      types: ['node'],
    };
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions: options, include: ['block-*.ts'] }));
    expect(await spawned(join(root, 'node_modules/.bin/tsc'), ['-p', folder])).toEqual({ code: 0, said: '' });
  });
});

describe('every block runs', () => {
  const typed = blocks.filter(({ language }) => language === 'ts');
  for (const block of blocks) {
    const { language, mark, text } = block;
    if (mark.startsWith('file=')) it(title(block), () => writeFileSync(join(folder, mark.slice(5)), `${text}\n`));
    if (mark !== 'run' && mark !== 'slow') continue;
    it(title(block), async (ctx) => {
      if (mark === 'slow' && process.env.COINCIDE_DOCS !== 'slow') ctx.skip('slow: set COINCIDE_DOCS=slow');
      if (/PET_ACQ_small/.test(text)) needSharedData(ctx.skip);
      const program = language === 'ts' ? `node block-${typed.indexOf(block)}.js` : text;
      const { code, said } = await spawned('bash', ['-c', `set -euo pipefail\nnpx() { "$@"; }\n${program}`]);
      expect(code, said).toBe(0);
    }, 300_000);
  }
});

/** The list mode of STIR's test pack, put where the reader has it. */
function needSharedData(skip: (why: string) => void): void {
  if (!existsSync(join(sharedFolder, 'PET_ACQ_small.l.hdr.STIR'))) skip('shared/data absent');
  for (const name of readdirSync(sharedFolder).filter((file) => /^(PET_ACQ_small|small_listmode)/.test(file))) {
    if (!existsSync(join(folder, name))) symlinkSync(join(sharedFolder, name), join(folder, name));
  }
}

function spawned(program: string, args: readonly string[]): Promise<{ code: number; said: string }> {
  const PATH = `${join(folder, 'node_modules/.bin')}:${process.env.PATH}`;
  return new Promise((done) => {
    execFile(program, args, { cwd: folder, env: { ...process.env, PATH }, maxBuffer: 1e8 }, (error, stdout, stderr) => {
      done({ code: error === null ? 0 : Number(error.code ?? 1), said: error === null ? '' : `${stdout}${stderr}` });
    });
  });
}
