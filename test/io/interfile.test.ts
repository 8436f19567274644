import { describe, expect, it } from 'vitest';
import { FormatError } from '../../src/core/errors.js';
import {
  centimetres,
  degrees,
  findCentimetres,
  findDegrees,
  findList,
  findText,
  formatInterfile,
  integerOf,
  integersOf,
  numberOf,
  parseInterfile,
  plainKey,
  textOf,
  wordOf,
} from '../../src/io/interfile.js';

const header = (...lines: string[]) => parseInterfile(['!INTERFILE  :=', ...lines, '!END OF INTERFILE :='].join('\n'), 'a.hs');

describe('plainKey', () => {
  it.each([
    ['!Matrix  Size[1] ', 'matrix size [1]'],
    ['%number_of\tviews', 'number of views'],
    ['image duration (sec) [ 2 ]', 'image duration (sec) [2]'],
    ['  !GENERAL DATA ', 'general data'],
  ])('%j is %j', (key, plain) => expect(plainKey(key)).toBe(plain));
});

describe('parseInterfile', () => {
  it('ignores comments, case, leading marks, white space and what follows the end', () => {
    const keys = parseInterfile('!interfile:=\r\n; c := 1\r\n%A  b := 2 ; no\r\nEND of interfile:=\r\nrubbish', 'a.hs');
    expect(findText(keys, 'a B')).toBe('2');
    expect(findText(keys, 'c')).toBeUndefined();
  });

  it('takes a key without an index as that with index 1, and not 2', () => {
    expect(numberOf(header('data offset in bytes := 5'), 'data offset in bytes [1]')).toBe(5);
    expect(numberOf(header('data offset in bytes[1] := 5'), 'data offset in bytes')).toBe(5);
    expect(findText(header('data offset in bytes := 5'), 'data offset in bytes [2]')).toBeUndefined();
  });

  it('reads lists', () => {
    const keys = header('many := { 1,2, -3 }', 'one := 4', 'words := {arc correction, None}');
    expect(integersOf(keys, 'many')).toEqual([1, 2, -3]);
    expect(integersOf(keys, 'one', 1)).toEqual([4]);
    expect(findList(keys, 'words')).toEqual(['arc correction', 'None']);
  });

  it('writes what it reads', () => {
    const keys = parseInterfile(
      formatInterfile([
        ['!a [1]', 'x y'],
        ['section', ''],
        ['b', 1e-7],
      ]),
      'f',
    );
    expect([textOf(keys, 'a'), numberOf(keys, 'b')]).toEqual(['x y', 1e-7]);
    expect([...keys.entries.keys()]).toEqual(['interfile', 'a [1]', 'section', 'b', 'end of interfile']);
  });

  it.each([
    ['', /a.hs: Empty/],
    ['P5 12 12', /Not an Interfile header/],
    ['!INTERFILE :=\na := 1\n', /cut short/],
    ['!INTERFILE :=\nnumber of dimen', /Line 2 has no :=/],
  ])('refuses %j', (text, message) => {
    expect(() => parseInterfile(text, 'a.hs')).toThrow(FormatError);
    expect(() => parseInterfile(text, 'a.hs')).toThrow(message);
  });

  it.each([
    ['number', () => numberOf(header('k := 0x10'), 'k')],
    ['empty value', () => textOf(header('k :='), 'k')],
    ['missing', () => textOf(header(), 'k')],
    ['fraction', () => integerOf(header('k := 1.5'), 'k')],
    ['negative', () => integerOf(header('k := -3'), 'k')],
    ['NaN', () => numberOf(header('k := NaN'), 'k')],
    ['list length', () => integersOf(header('k := {1,2}'), 'k', 3)],
    ['broken list', () => integersOf(header('k := {1,2'), 'k')],
    ['word', () => wordOf(header('k := maybe'), 'k', ['yes', 'no'])],
    ['contradiction', () => textOf(header('k := 1', '!K := 2'), 'k')],
  ])('names key and file: %s', (_, read) => {
    expect(read).toThrow(FormatError);
    expect(read).toThrow(/^a\.hs: .*\(k\)/);
  });
});

describe('lengths and angles', () => {
  it.each([65.6, 3.129, 4.0625, 0.1 + 0.2, 1e-7, 335, 2.08626, 1 / 3])('%d mm survive being written in cm', (mm) => {
    expect(findCentimetres(header(`k := ${centimetres(mm)}`), 'k')).toBe(mm);
  });
  it('are ten times what the header says', () => expect(findCentimetres(header('k := 40.625e-2'), 'k')).toBe(4.0625));
  it.each([-15, -4.54224, 1.85638, -0.46875, 180])('%d degrees survive', (angle) => {
    const rad = (angle * Math.PI) / 180;
    expect(findDegrees(header(`k := ${degrees(rad)}`), 'k')).toBe(rad);
    expect(Number(degrees(rad))).toBe(angle);
  });
});
