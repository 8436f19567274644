/** What the library says, and not the command line alone, is for both: an option's own name, and its flag behind it in brackets. */
import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, it } from 'vitest';

const src = resolve(import.meta.dirname, '../src');
const files = readdirSync(src, { recursive: true, encoding: 'utf8' }).filter(
  // The style sheet has variables that look like flags.
  (name) => name.endsWith('.ts') && !name.startsWith('cli') && !name.endsWith('report-style.ts'),
);
/** Flags of other programs. */
const foreign = ['gdcmconv --raw', '--expose-gc'];

it.each(files)('%s names no flag alone', (name) => {
  const code = readFileSync(join(src, name), 'utf8').replace(/\/\*[\s\S]*?\*\/|(?<=\s)\/\/.*/g, '');
  const literals = [...code.matchAll(/'[^'\n]*'|"[^"\n]*"|`[^`]*`/g)].map(([text]) => text);
  const alone = literals
    .map((text) => foreign.reduce((rest, other) => rest.replace(other, ''), text).replace(/\([^()]*\)/g, ''))
    .filter((text) => /(?<![\w-])--[a-z]/.test(text));
  expect(alone).toEqual([]);
});
