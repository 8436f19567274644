/** @file  Files, read with errors that name them and written whole or not at all. */
import { createHash } from 'node:crypto';
import { existsSync, realpathSync } from 'node:fs';
import { access, constants, mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { FormatError, OptionError } from '../core/errors.js';

/** @throws FormatError when the file is absent, a folder, unreadable or empty. */
export async function readBytes(file: string): Promise<Uint8Array> {
  const bytes = await readFile(file).catch((cause: NodeJS.ErrnoException) => {
    const why =
      cause.code === 'ENOENT'
        ? 'There is no such file'
        : cause.code === 'EISDIR'
          ? 'This is a folder, not a file'
          : cause.code === 'EACCES'
            ? 'You may not read this file: see its permissions'
            : cause.message;
    throw new FormatError(why, { file, cause });
  });
  if (bytes.length === 0) throw new FormatError('The file is empty', { file });
  return bytes;
}

export async function readText(file: string): Promise<string> {
  return Buffer.from(await readBytes(file)).toString('latin1');
}

/** @throws FormatError when the file is not JSON. */
export async function readJson(file: string): Promise<unknown> {
  const text = Buffer.from(await readBytes(file)).toString('utf8');
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new FormatError('This is not JSON', { file, found: (cause as Error).message, cause });
  }
}

export const json = (value: unknown): Uint8Array => Buffer.from(`${JSON.stringify(value, null, 2)}\n`);

export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** Files to write together: name → content, large ones in pieces. They are written in this order. */
export type FileSet = Readonly<Record<string, Uint8Array | AsyncIterable<Uint8Array>>>;

/** Writes files beside one another; each under a temporary name first, renamed when all are complete. */
export async function writeFiles(files: FileSet): Promise<void> {
  const staged: [temporary: string, final: string][] = [];
  try {
    for (const [final, bytes] of Object.entries(files)) {
      await mkdir(dirname(resolve(final)), { recursive: true });
      const temporary = `${final}.${process.pid}.tmp`;
      staged.push([temporary, final]);
      await writeFile(temporary, bytes);
    }
    for (const [temporary, final] of staged) await rename(temporary, final);
  } catch (error) {
    for (const [temporary] of staged) await rm(temporary, { force: true });
    throw error;
  }
}

/**
 * Writes a folder that appears complete. A folder that is there already is replaced if it holds nothing but files of these names
 * (an earlier result).
 * @throws FormatError when the folder holds anything else.
 */
export async function writeFolder(folder: string, files: FileSet, known: readonly string[] = Object.keys(files)): Promise<void> {
  await mayReplace(folder, known);
  const temporary = `${resolve(folder)}.${process.pid}.tmp`;
  try {
    await mkdir(temporary, { recursive: true });
    for (const [name, bytes] of Object.entries(files)) await writeFile(join(temporary, name), bytes);
    await rm(folder, { recursive: true, force: true });
    await rename(temporary, folder);
  } catch (error) {
    await rm(temporary, { recursive: true, force: true });
    throw error;
  }
}

/** @throws FormatError when the folder exists and holds other things than files of these names. Asked before long work. */
export async function mayReplace(folder: string, known: readonly string[]): Promise<void> {
  if (!existsSync(folder)) return;
  if (!(await stat(folder)).isDirectory())
    throw new FormatError('The output is to be a folder, and there is a file of that name', {
      ...{ file: folder, hint: 'Give another name, or remove the file.' },
    });
  const foreign = (await readdir(folder)).filter((name) => !known.includes(name));
  if (foreign.length > 0) {
    throw new FormatError('The output folder holds other files, which would be lost', {
      file: folder,
      found: foreign.slice(0, 3).join(', '),
      hint: 'Give a new folder.',
    });
  }
}

/**
 * May these outputs be written? Asked before long work.
 * @throws OptionError when one would replace an input or another output; the system's error where it may not be written.
 */
export async function checkPlaces(
  outputs: readonly (string | undefined)[],
  inputs: readonly (string | undefined)[],
): Promise<void> {
  const place = (file: string): string => (existsSync(file) ? realpathSync(file) : resolve(file));
  const given = (files: readonly (string | undefined)[]): string[] => files.filter((file) => file !== undefined);
  const taken = new Map(given(inputs).map((file) => [place(file), 'an input']));
  for (const file of given(outputs)) {
    const what = taken.get(place(file));
    if (what !== undefined)
      throw new OptionError(`The output would replace ${what}`, { file, hint: 'Give another name: inputs are never changed.' });
    taken.set(place(file), 'another output');
    let nearest = resolve(file);
    while (!existsSync(nearest)) nearest = dirname(nearest);
    await access(nearest, constants.W_OK);
  }
}
