import { describe, expect, it } from 'vitest';
import { FormatError } from '../../src/core/errors.js';
import { parseInterfile } from '../../src/io/interfile.js';
import { decodeInterfile, interfileDataFile } from '../../src/io/interfile-data.js';

const header = (...lines: string[]) =>
  parseInterfile(['!INTERFILE :=', 'name of data file := d.s', ...lines, '!END OF INTERFILE :='].join('\n'), 'h.hs');
const bytes = (n: number, write: (view: DataView) => unknown): Uint8Array => {
  const buffer = new ArrayBuffer(n);
  write(new DataView(buffer));
  return new Uint8Array(buffer);
};

type Setter = (view: DataView, at: number, value: number, little: boolean) => void;
const formats: [string, number, Setter, number[]][] = [
  ['unsigned integer', 1, (v, at, x) => v.setUint8(at, x), [0, 7, 255]],
  ['signed integer', 1, (v, at, x) => v.setInt8(at, x), [-128, 7, 127]],
  ['unsigned integer', 2, (v, at, x, le) => v.setUint16(at, x, le), [1, 513, 65535]],
  ['signed integer', 2, (v, at, x, le) => v.setInt16(at, x, le), [-32768, 513, 2]],
  ['unsigned integer', 4, (v, at, x, le) => v.setUint32(at, x, le), [1, 16909060, 4294967040]],
  ['signed integer', 4, (v, at, x, le) => v.setInt32(at, x, le), [-2, 16909060, 3]],
  ['float', 4, (v, at, x, le) => v.setFloat32(at, x, le), [-1.5, 3.25e10, 0]],
  ['float', 8, (v, at, x, le) => v.setFloat64(at, x, le), [-1.5, 3.25e10, 0]],
];

describe('decodeInterfile', () => {
  for (const [format, width, set, values] of formats) {
    it.each([true, false])(`reads ${format} of ${width} bytes, little-endian %j, with offset and scale`, (little) => {
      const data = bytes(3 + values.length * width, (view) => values.map((x, i) => set(view, 3 + i * width, x, little)));
      const keys = header(
        `number format := ${format}`,
        `!number of bytes per pixel := ${width}`,
        `imagedata byte order := ${little ? 'LITTLEENDIAN' : 'BIGENDIAN'}`,
        'data offset in bytes [1] := 3',
        'image scaling factor [1] := 0.5',
      );
      expect([...decodeInterfile(keys, data, values.length)]).toEqual(values.map((x) => Math.fround(x * 0.5)));
    });
  }

  it('takes missing keys as big-endian unsigned integers, no offset, scale 1', () => {
    expect([...decodeInterfile(header('number of bytes per pixel := 2'), Uint8Array.of(1, 0, 0, 3), 2)]).toEqual([256, 3]);
  });

  it('does not share memory with the file', () => {
    const data = Uint8Array.from(new Uint8Array(Float32Array.of(1, 2).buffer));
    const keys = header('number format := float', 'number of bytes per pixel := 4', 'imagedata byte order := littleendian');
    const values = decodeInterfile(keys, data, 2);
    data.fill(0);
    expect([...values]).toEqual([1, 2]);
  });

  const float = ['number format := float', 'number of bytes per pixel := 4', 'imagedata byte order := LITTLEENDIAN'];
  it.each([
    ['cut short', float, new Uint8Array(7), /d\.s: The data are cut short.*expected 8 bytes.*found 7/],
    ['too long', float, new Uint8Array(12), /more data than the header says/],
    ['empty', float, new Uint8Array(0), /cut short/],
    ['no width', ['number format := float'], new Uint8Array(8), /number of bytes per pixel/],
    ['bad width', ['number format := float', 'number of bytes per pixel := 2'], new Uint8Array(4), /not supported/],
    ['bit', ['number format := bit', 'number of bytes per pixel := 1'], new Uint8Array(2), /not supported/],
    ['offset < 0', [...float, 'data offset in bytes := -1'], new Uint8Array(8), /data offset in bytes/],
    ['scale 0', [...float, 'image scaling factor[1] := 0'], new Uint8Array(8), /scaling factor/],
    ['byte order', [...float.slice(0, 2), 'imagedata byte order := middle'], new Uint8Array(8), /LITTLEENDIAN \| BIGENDIAN/],
    ['NaN', float, new Uint8Array(Float32Array.of(1, Number.NaN).buffer), /1 of 2 values are not finite/],
  ])('refuses: %s', (_, lines, data, message) => {
    const read = () => decodeInterfile(header(...lines), data, 2);
    expect(read).toThrow(FormatError);
    expect(read).toThrow(message);
  });

  it('names the data file', () => {
    expect(interfileDataFile('!INTERFILE:=\n!name of data file := a b.s\n', 'h')).toBe('a b.s');
    expect(() => interfileDataFile('!INTERFILE:=\n', 'h.hs')).toThrow(/h\.hs.*name of data file/);
  });
});
