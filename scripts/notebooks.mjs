/** Makes a tslab notebook of every examples/*.ts: cells begin at "// %%", Markdown cells at "// %% [markdown]"; a line "//| code" is code
 *  for the notebook only. `node scripts/notebooks.mjs --check` only compares. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';

const folder = new URL('../examples/', import.meta.url);
let stale = 0;
for (const name of readdirSync(folder).filter((file) => file.endsWith('.ts'))) {
  const cells = readFileSync(new URL(name, folder), 'utf8')
    .split(/^\/\/ %%/m)
    .slice(1);
  const notebook = {
    cells: cells.map((text, i) => {
      const [first, ...rest] = text.split('\n');
      const markdown = first.includes('[markdown]');
      const body = rest
        .map((line) => line.replace(markdown ? /^\/\/ ?/ : /^\/\/\| /, ''))
        .join('\n')
        .trim();
      const cell = { id: `cell-${i}`, metadata: {}, source: body.split(/(?<=\n)/) };
      return markdown ? { cell_type: 'markdown', ...cell } : { cell_type: 'code', ...cell, execution_count: null, outputs: [] };
    }),
    metadata: {
      kernelspec: { display_name: 'TypeScript', language: 'typescript', name: 'tslab' },
      language_info: { name: 'typescript' },
    },
    nbformat: 4,
    nbformat_minor: 5,
  };
  const file = new URL(name.replace(/\.ts$/, '.ipynb'), folder);
  const text = `${JSON.stringify(notebook, null, 1)}\n`;
  if (!process.argv.includes('--check')) writeFileSync(file, text);
  else if (readFileSync(file, 'utf8') !== text) {
    console.error(`${file.pathname} is not what its script makes: run npm run notebooks`);
    stale++;
  }
}
process.exitCode = stale > 0 ? 1 : 0;
