/** Builds the documentation site into docs/.vitepress/dist: npm run docs. The package must be built.
 *    docs/reference/cli.md     from the program's own help
 *    docs/api/                 from the comments of the exported names (typedoc)
 *    docs/notebooks/           from the executed notebooks in build/notebooks (scripts/run-notebooks.sh), or from examples/ as they are
 *    docs/results/             benchmarks, changelog, contributing: pages that stand elsewhere
 *  A warning of any step, and a link that leads nowhere, is an error. */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const docs = join(root, 'docs');
const read = (...path) => readFileSync(join(root, ...path), 'utf8');
const fresh = (name) => {
  rmSync(join(docs, name), { recursive: true, force: true });
  mkdirSync(join(docs, name), { recursive: true });
};
function write(name, text) {
  mkdirSync(dirname(join(docs, name)), { recursive: true });
  writeFileSync(join(docs, name), text);
}
/** Runs a program; what it prints is shown, and a warning in it is an error. */
function run(program, args, cwd) {
  const { status, stdout, stderr } = spawnSync(program, args, { cwd, encoding: 'utf8', env: { ...process.env, NO_COLOR: '1' } });
  const text = `${stdout}${stderr}`;
  process.stdout.write(text);
  if (status !== 0) throw new Error(`${program} ends with ${status}`);
  const warning = text.split('\n').find((line) => /\bwarn(ing)?\b/i.test(line) && !/0 warnings/.test(line));
  if (warning) throw new Error(`a warning: ${warning}`);
}

// Not `npm ci`: it refuses a lock without the binaries of other platforms, of which some registries hold none.
if (!existsSync(join(docs, 'node_modules')))
  execFileSync('npm', ['install', '--no-save', '--no-audit', '--no-fund'], { cwd: docs, stdio: 'inherit' });

commands();
api();
notebooks();
elsewhere();
run(join(docs, 'node_modules/.bin/vitepress'), ['build'], docs);
links();

function commands() {
  fresh('reference');
  const help = (...args) =>
    execFileSync(process.execPath, [join(root, 'dist/cli/main.js'), ...args, '--help'], { encoding: 'utf8' }).trim();
  const all = help();
  const verbs = [...all.slice(all.indexOf('Commands:')).matchAll(/^ {2}([a-z]+) /gm)]
    .map(([, verb]) => verb)
    .filter((v) => v !== 'help');
  const text = [
    '# Commands\n',
    'What `coincide --help` and `coincide VERB --help` print. Results go to stdout (one JSON object with `--json`), progress and messages to stderr.',
    'Exit code 0: done. 2: the input or the call is wrong, with one message. 1: anything else. 130: interrupted.\n',
    fenced(all),
    ...verbs.map((verb) => `\n## ${verb}\n\n${fenced(help(verb))}`),
  ];
  write('reference/cli.md', `${text.join('\n')}\n`);
}

function api() {
  fresh('api');
  run(join(docs, 'node_modules/.bin/typedoc'), ['--options', 'typedoc.config.mjs'], docs);
}

function notebooks() {
  fresh('notebooks');
  const names = readdirSync(join(root, 'examples'))
    .filter((name) => name.endsWith('.ipynb'))
    .map((name) => name.slice(0, -6));
  const list = names.sort().map((name) => {
    const executed = join(root, 'build/notebooks', `${name}.ipynb`);
    const done = existsSync(executed);
    const { cells } = JSON.parse(readFileSync(done ? executed : join(root, 'examples', `${name}.ipynb`), 'utf8'));
    let pictures = 0;
    const text = cells.map(({ cell_type: type, source, outputs = [] }) => {
      const body = [source].flat().join('');
      if (type === 'markdown') return body;
      const shown = outputs.map((output) => {
        const image = output.data?.['image/png'];
        if (image !== undefined) {
          const file = `${name}-${++pictures}.png`;
          writeFileSync(join(docs, 'notebooks', file), Buffer.from([image].flat().join(''), 'base64'));
          return `![Output of this cell](${file})`;
        }
        return output.text === undefined ? '' : fenced([output.text].flat().join('').trimEnd());
      });
      return [`\`\`\`ts\n${body}\n\`\`\``, ...shown.filter(Boolean)].join('\n\n');
    });
    const note = done
      ? `From \`examples/${name}.ts\`; the output is that of this build.`
      : `From \`examples/${name}.ts\`; not executed in this build.`;
    write(`notebooks/${name}.md`, `${text[0]}\n\n*${note}*\n\n${text.slice(1).join('\n\n')}\n`);
    return `- [${/^# (.*)$/m.exec(text[0])[1]}](${name}.md)`;
  });
  const about =
    'Each is a script `examples/NAME.ts` and a [tslab](https://github.com/yunabe/tslab) notebook made from it. Run one as a script in a clone by\n' +
    '`npm run example -- NAME`.\n\nIn tslab, put loops into functions: every assignment to a variable of a cell goes through a proxy, a thousand times slower than one inside.';
  write('notebooks/index.md', `# Notebooks\n\n${about}\n\n${list.join('\n')}\n`);
}

/** Pages of the repository that stand outside of docs; their links to other files become plain code. */
function elsewhere() {
  fresh('results');
  for (const [from, name] of [
    ['bench/README.md', 'benchmarks'],
    ['CHANGELOG.md', 'changelog'],
    ['CONTRIBUTING.md', 'contributing'],
  ]) {
    const text = read(from).replace(/(?<!!)\[([^\]]*)\]\((?!https?:|#)([^)\s]+)\)/g, (_, label, target) => {
      const file = relative(docs, resolve(root, dirname(from), target));
      return !file.startsWith('..') && target.endsWith('.md') ? `[${label}](../${file})` : label;
    });
    write(`results/${name}.md`, text.replaceAll('../docs/', '../'));
  }
}

/** Every link of every built page leads to a built page, and to a heading that it has. */
function links() {
  const site = join(docs, '.vitepress/dist');
  const pages = readdirSync(site, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.html'));
  const ids = new Map(
    pages.map((name) => [
      name,
      new Set([...readFileSync(join(site, name), 'utf8').matchAll(/ id="([^"]+)"/g)].map(([, id]) => id)),
    ]),
  );
  const dead = [];
  let count = 0;
  for (const name of pages) {
    const html = readFileSync(join(site, name), 'utf8');
    for (const [, target] of html.matchAll(/ (?:href|src)="([^"]*)"/g)) {
      if (/^(https?:|data:|mailto:)/.test(target) || target === '') continue;
      count++;
      const [path, anchor] = target.split('#').map(decodeURIComponent);
      const file = path === '' ? name : path.startsWith('/') ? path.slice(1) : join(dirname(name), path);
      const found = [file, `${file}.html`, join(file, 'index.html')].find(
        (candidate) => candidate !== '' && existsSync(join(site, candidate)) && !candidate.endsWith('/'),
      );
      if (found === undefined) dead.push(`${name}: ${target}`);
      else if (anchor && ids.has(found) && !ids.get(found).has(anchor)) dead.push(`${name}: ${target} (no such heading)`);
    }
  }
  if (dead.length > 0) throw new Error(`${dead.length} dead links:\n${dead.slice(0, 40).join('\n')}`);
  console.log(`${pages.length} pages, ${count} links, none dead`);
}

function fenced(text) {
  return `\`\`\`text\n${text}\n\`\`\``;
}
