import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inflateSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { array } from '../../src/core/array.js';
import { FormatError } from '../../src/core/errors.js';
import { readBytes, readJson, writeFiles, writeFolder } from '../../src/node/files.js';
import { picture, png } from '../../src/node/png.js';

const scratch = (): string => mkdtempSync(join(tmpdir(), 'coincide-'));
const bytes = (text: string): Uint8Array => Buffer.from(text);

describe('files', () => {
  it('are read with errors that say what is wrong', async () => {
    const at = scratch();
    writeFileSync(join(at, 'empty'), '');
    writeFileSync(join(at, 'text'), '{ "a": ');
    await expect(readBytes(join(at, 'none'))).rejects.toThrow(/none.*no such file/);
    await expect(readBytes(at)).rejects.toThrow(/folder, not a file/);
    await expect(readBytes(join(at, 'empty'))).rejects.toThrow(/empty/);
    await expect(readJson(join(at, 'text'))).rejects.toThrow(FormatError);
  });

  it('are written all or none', async () => {
    const at = scratch();
    mkdirSync(join(at, 'taken'));
    await expect(writeFiles({ [join(at, 'a')]: bytes('1'), [join(at, 'taken')]: bytes('2') })).rejects.toThrow();
    expect(readdirSync(at).filter((name) => name.endsWith('.tmp'))).toEqual([]);
    await writeFiles({ [join(at, 'new', 'b')]: bytes('3') });
    expect(readFileSync(join(at, 'new', 'b'), 'utf8')).toBe('3');
  });
});

describe('folders', () => {
  it('replace an earlier result, and nothing else', async () => {
    const at = join(scratch(), 'out');
    await writeFolder(at, { a: bytes('1'), b: bytes('1') });
    await writeFolder(at, { a: bytes('2') }, ['a', 'b']);
    expect(readdirSync(at)).toEqual(['a']);
    writeFileSync(join(at, 'mine'), 'x');
    await expect(writeFolder(at, { a: bytes('3') })).rejects.toThrow(/other files.*mine/);
    expect(readFileSync(join(at, 'a'), 'utf8')).toBe('2');
    expect(existsSync(join(at, 'mine'))).toBe(true);
  });
});

describe('pictures', () => {
  // One bright voxel towards the patient's right, anterior, superior.
  const volume = array([2, 3, 4]);
  volume.set(1, 2, 3, 10);
  it.each([
    ['transaxial', 4, 3, 1],
    ['coronal', 4, 2, 2],
    ['sagittal', 3, 2, 3],
  ] as const)('%s: right on the left, anterior (or superior) up', (view, width, height, index) => {
    for (const slice of [index, undefined]) {
      const { pixels, ...size } = picture(volume, view, 5, slice);
      expect(size).toEqual({ width, height });
      expect([...pixels].indexOf(0)).toBe(0);
      expect([...pixels].filter((value) => value === 255).length).toBe(width * height - 1);
    }
  });
  it('are PNG files', () => {
    const file = Buffer.from(png(picture(volume, 'coronal', 5)));
    expect(file.subarray(1, 4).toString()).toBe('PNG');
    expect([file.readUInt32BE(16), file.readUInt32BE(20)]).toEqual([4, 2]);
    const idat = file.indexOf('IDAT');
    expect([...inflateSync(file.subarray(idat + 4, idat + 4 + file.readUInt32BE(idat - 4)))]).toEqual([
      0, 0, 255, 255, 255, 0, 255, 255, 255, 255,
    ]);
  });
});
