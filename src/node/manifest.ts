/** @file  A manifest: a CSV file (RFC 4180) with one study a line. Columns `input` and `output`, paths from the manifest's folder; `id`, the name
 *  of the study's log (default: that of the output); `verb` (default: denoise); every other column is an option of the verb by its long name. */
import { dirname, resolve } from 'node:path';
import { FormatError, OptionError } from '../core/errors.js';
import { readBytes } from './files.js';

export interface BatchStudy {
  readonly id: string;
  readonly verb: string;
  readonly input: string;
  readonly output: string;
  /** Long names of options and their values; empty cells are left out. */
  readonly options: Readonly<Record<string, string>>;
}

/**
 * Reads a manifest.
 * @throws FormatError naming the line: cells that are too few or too many, no input or output, two studies of one id or output; no study at all.
 */
export async function readManifest(file: string): Promise<BatchStudy[]> {
  const text = new TextDecoder().decode(await readBytes(file)).replace(/^\uFEFF/, '');
  const [header, ...rows] = parseCsv(text, file);
  const names = header?.cells.map((name) => name.trim()) ?? [];
  const hint = /^[^,]*[;\t]/.test(names.join()) ? 'Columns are parted by commas, not by semicolons or tabs.' : undefined;
  for (const needed of ['input', 'output']) {
    if (!names.includes(needed)) {
      throw new FormatError('A column is missing', {
        file,
        key: needed,
        expected: 'a first line with input,output',
        found: names.join(),
        hint,
      });
    }
  }
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined) throw new FormatError('Two columns have one name', { file, key: twice });
  if (rows.length === 0) throw new FormatError('There is no study', { file, expected: 'one line for each, below the first' });
  const seen = new Map<string, number>();
  return rows.map(({ cells, line }) => {
    if (cells.length !== names.length) {
      throw new FormatError('Cells of a line', {
        file,
        key: `line ${line}`,
        expected: `${names.length}, as in the first line`,
        found: cells.length,
      });
    }
    const values = Object.fromEntries(names.map((name, i) => [name, cells[i]!.trim()]));
    const { input, output, id, verb, ...options } = values as Record<string, string>;
    if (!input || !output) throw new FormatError('A study needs input and output', { file, key: `line ${line}` });
    const study = {
      id: (id || output).replace(/(\.nii|\.nii\.gz|\.npz)$/, '').replace(/[^\w.-]+/g, '_'),
      verb: verb || 'denoise',
      input: resolve(dirname(file), input),
      output: resolve(dirname(file), output),
      options: Object.fromEntries(Object.entries(options).filter(([, value]) => value !== '')),
    };
    for (const [what, value] of [
      ['id', study.id],
      ['output', study.output],
    ] as const) {
      const before = seen.get(`${what} ${value}`);
      if (before !== undefined) {
        const expected = `another ${what} than line ${before}`;
        throw new FormatError('Two studies would overwrite each other', { file, key: `line ${line}`, expected, found: value });
      }
      seen.set(`${what} ${value}`, line);
    }
    return study;
  });
}

/** '2/5' → every fifth study, beginning with the second. @throws OptionError when it is not i/n with 1 ≤ i ≤ n. */
export function shardOf<T>(studies: readonly T[], shard: string): T[] {
  const [, i, n] = /^(\d+)\/(\d+)$/.exec(shard)?.map(Number) ?? [];
  if (!(i! >= 1 && i! <= n!)) {
    throw new OptionError('No such shard', { key: 'shard', expected: 'i/n with i from 1 to n', found: shard });
  }
  return studies.filter((_, k) => k % n! === i! - 1);
}

interface Row {
  readonly cells: readonly string[];
  readonly line: number;
}

/** Rows that are not empty; cells may be quoted, with "" for a quote, and may then hold commas and line ends. */
function parseCsv(text: string, file: string): Row[] {
  const rows: Row[] = [];
  let cells: string[] = [];
  let line = 1;
  let began = 1;
  let at = 0;
  const endRow = (): void => {
    if (cells.length > 1 || cells[0]!.trim() !== '') rows.push({ cells, line: began });
    cells = [];
    began = line;
  };
  while (at <= text.length) {
    let cell = '';
    if (text[at] === '"') {
      for (at++; !(text[at] === '"' && text[at + 1] !== '"'); at++) {
        if (at >= text.length) throw new FormatError('A quote is not closed', { file, key: `line ${began}` });
        if (text[at] === '"') at++;
        if (text[at] === '\n') line++;
        cell += text[at];
      }
      at++;
    }
    while (at < text.length && text[at] !== ',' && text[at] !== '\n') cell += text[at++];
    cells.push(cell);
    if (text[at] !== ',') {
      line++;
      endRow();
    }
    at++;
  }
  return rows;
}
