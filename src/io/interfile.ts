/** @file  Interfile headers: text ↔ keys. `key := value` on each line; case, a leading ! or %, runs of white space or underscores are not
 *  significant in keys; `;` starts a comment; lists are {a, b}; vectorised keys are `name [n]`, where n = 1 may be left out. */
import { FormatError } from '../core/errors.js';

export interface InterfileHeader {
  readonly file: string;
  /** Every value given for each key, keys in the order and (normalised) spelling of `plainKey`. */
  readonly entries: ReadonlyMap<string, readonly string[]>;
}

/** A key as it is compared: `!Matrix  size[1]` → `matrix size [1]`. */
export function plainKey(key: string): string {
  return key
    .replace(/[\s_]+/g, ' ')
    .replace(/^[\s!%]+/, '')
    .replace(/ ?\[ ?(\d+) ?\] ?$/, ' [$1]')
    .trim()
    .toLowerCase();
}

/**
 * @param requireEnd insist on `END OF INTERFILE`, without which a header cut short could pass; vendors' list-mode headers have none.
 * @throws FormatError when it is no Interfile header, or cut short.
 */
export function parseInterfile(
  text: string | Uint8Array,
  file: string,
  { requireEnd = true }: { readonly requireEnd?: boolean | undefined } = {},
): InterfileHeader {
  const lines = (typeof text === 'string' ? text : new TextDecoder().decode(text)).replace(/^\ufeff/, '').split(/\r\n|\r|\n/);
  const entries = new Map<string, string[]>();
  let ended = false;
  for (const [number, whole] of lines.entries()) {
    const line = whole.split(';', 1)[0]!;
    if (line.trim() === '') continue;
    const at = line.indexOf(':=');
    const key = plainKey(at < 0 ? line : line.slice(0, at));
    if (entries.size === 0 && (at < 0 || key !== 'interfile')) {
      const hint = /\.s$/i.test(file) ? 'These are the data: give the header that describes them, .hs.' : undefined;
      throw new FormatError('Not an Interfile header', {
        ...{ file, expected: '!INTERFILE := on the first line', found: line.trim(), hint },
      });
    }
    if (at < 0) throw new FormatError(`Line ${number + 1} has no :=`, { file, expected: 'key := value', found: line.trim() });
    const value = line.slice(at + 2).trim();
    entries.set(key, [...(entries.get(key) ?? []), value]);
    if ((ended = key === 'end of interfile')) break;
  }
  if (entries.size === 0) throw new FormatError('Empty', { file, expected: '!INTERFILE := on the first line' });
  if (requireEnd && !ended) {
    throw new FormatError('The header does not end', { file, key: 'END OF INTERFILE', hint: 'Was it cut short?' });
  }
  return { file, entries };
}

/** Header text of these keys, between `!INTERFILE :=` and `!END OF INTERFILE :=`. */
export function formatInterfile(keys: readonly (readonly [key: string, value: string | number])[]): string {
  const lines = keys.map(([key, value]) => `${key} := ${value}`.trimEnd());
  return `!INTERFILE :=\n${lines.join('\n')}\n!END OF INTERFILE :=\n`;
}

/**
 * Value of the key, undefined if it is absent or empty.
 * @throws FormatError when the header contradicts itself.
 */
export function findText({ entries, file }: InterfileHeader, key: string): string | undefined {
  const plain = plainKey(key);
  const sibling = plain.endsWith(' [1]') ? plain.slice(0, -4) : `${plain} [1]`;
  const values = [...new Set((entries.get(plain) ?? entries.get(sibling) ?? []).filter((value) => value !== ''))];
  if (values.length > 1) {
    throw new FormatError('The header gives two values for one key', { file, key, found: values.join(' and ') });
  }
  return values[0];
}

/** Value of the key. @throws FormatError when it is absent or empty. */
export function textOf(header: InterfileHeader, key: string): string {
  const text = findText(header, key);
  if (text === undefined) throw new FormatError('A key is missing', { file: header.file, key, expected: 'a value' });
  return text;
}

/** One of the allowed words, whatever its case and underscores. @throws FormatError naming them. */
export function wordOf<T extends string>(header: InterfileHeader, key: string, allowed: readonly T[], absent?: T): T {
  const text = findText(header, key) ?? absent ?? textOf(header, key);
  const word = allowed.find((candidate) => plainKey(candidate) === plainKey(text));
  if (word === undefined)
    throw new FormatError('Unknown value', { file: header.file, key, expected: allowed.join(' | '), found: text });
  return word;
}

/** The number if the key is there. @throws FormatError when it is something else. */
export function findNumber(header: InterfileHeader, key: string): number | undefined {
  const text = findText(header, key);
  return text === undefined ? undefined : parseNumber(text, header.file, key);
}

/** @throws FormatError when it is absent or no number. */
export function numberOf(header: InterfileHeader, key: string, absent?: number): number {
  return findNumber(header, key) ?? absent ?? parseNumber(textOf(header, key), header.file, key);
}

/** @throws FormatError when it is absent, or no whole number in [low, high]. */
export function integerOf(
  header: InterfileHeader,
  key: string,
  {
    low = 1,
    high = 2 ** 31 - 1,
    absent,
  }: { readonly low?: number; readonly high?: number; readonly absent?: number | undefined } = {},
): number {
  const value = numberOf(header, key, absent);
  if (!Number.isInteger(value) || value < low || value > high) {
    throw new FormatError('Out of range', {
      file: header.file,
      key,
      expected: `a whole number in ${low} … ${high}`,
      found: value,
    });
  }
  return value;
}

/** Items of `{a, b}`, or the one item that stands without braces; undefined if the key is absent. */
export function findList(header: InterfileHeader, key: string): string[] | undefined {
  const text = findText(header, key);
  if (text === undefined) return undefined;
  const inside = /^\{([^{}]*)\}$/.exec(text)?.[1] ?? text;
  if (/[{}]/.test(inside)) throw new FormatError('Not a list', { file: header.file, key, expected: '{a, b, …}', found: text });
  return inside.split(',').map((item) => item.trim());
}

/** @throws FormatError when it is absent or no list of whole numbers, `count` of them if that is given. */
export function integersOf(header: InterfileHeader, key: string, count?: number): number[] {
  const items = (findList(header, key) ?? [textOf(header, key)]).map((item) => parseNumber(item, header.file, key));
  const bad = items.find((item) => !Number.isInteger(item));
  if (bad !== undefined) throw new FormatError('Not a whole number', { file: header.file, key, found: bad });
  if (count !== undefined && items.length !== count) {
    throw new FormatError('The list has another length than it should', {
      file: header.file,
      key,
      expected: `${count} items`,
      found: items.length,
    });
  }
  return items;
}

/** A length that the header gives in cm, in mm; the decimal point is moved, so that no digit changes. */
export function findCentimetres(header: InterfileHeader, key: string): number | undefined {
  return findNumber(header, key) === undefined ? undefined : shiftDecimal(textOf(header, key), 1);
}

/** Text of a length in mm as cm, which `findCentimetres` reads as the same double. */
export function centimetres(mm: number): string {
  return exactText(mm / 10, (text) => shiftDecimal(text, 1) === mm) ?? `${mm}e-1`;
}

/** An angle that the header gives in degrees, in rad. */
export function findDegrees(header: InterfileHeader, key: string): number | undefined {
  const degrees = findNumber(header, key);
  return degrees === undefined ? undefined : (degrees * Math.PI) / 180;
}

/** Text of an angle in rad as degrees, which `findDegrees` reads as the same double if any text does. */
export function degrees(rad: number): string {
  return exactText((rad * 180) / Math.PI, (text) => (Number(text) * Math.PI) / 180 === rad) ?? String((rad * 180) / Math.PI);
}

/** Shortest decimal near the value that passes. */
function exactText(value: number, passes: (text: string) => boolean): string | undefined {
  for (let digits = 1; digits <= 17; digits++) {
    const text = String(Number(value.toPrecision(digits)));
    if (passes(text)) return text;
  }
  return undefined;
}

function shiftDecimal(text: string, places: number): number {
  const [mantissa, exponent = '0'] = text.toLowerCase().split('e');
  return Number(`${mantissa}e${Number(exponent) + places}`);
}

function parseNumber(text: string, file: string, key: string): number {
  const value = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text) ? Number(text) : Number.NaN;
  if (!Number.isFinite(value)) throw new FormatError('Not a number', { file, key, expected: 'a number', found: text });
  return value;
}
