import { describe, expect, it } from 'vitest';
import { FormatError } from '../../src/core/errors.js';
import { random } from '../../src/core/random.js';
import { type PickleGlobal, unpickle } from '../../src/io/pickle.js';

const bytes = (text: string): Uint8Array => Uint8Array.from(text, (c) => c.charCodeAt(0));
const globals = new Map<string, PickleGlobal>([
  ['collections OrderedDict', ([items = []]) => new Map(items as [string, unknown][])],
]);
const read = (text: string, persistent?: (id: unknown) => unknown): unknown =>
  unpickle(bytes(text), { globals, persistent }, 'f.pkl');

// Pickles below are what CPython 3.11 writes: pickle.dumps(value, protocol).
describe('unpickle', () => {
  it.each([
    ['protocol 0, [1, -2, True, None, "ü"]', '(lp0\nI1\naI-2\naI01\naNaV\xfc\np1\na.', [1, -2, true, null, 'ü']],
    ['protocol 1, (300, -70000)', '(M,\x01J\x90\xee\xfe\xfftq\x00.', [300, -70000]],
    ['protocol 2, 1.5', '\x80\x02G?\xf8\x00\x00\x00\x00\x00\x00.', 1.5],
    ['protocol 2, -(2**40)', '\x80\x02\x8a\x06\x00\x00\x00\x00\x00\xff.', -(2 ** 40)],
    ['protocol 2, 2**70', '\x80\x02\x8a\x09\x00\x00\x00\x00\x00\x00\x00\x00@.', 2n ** 70n],
    [
      'protocol 2, {"a": (), "b": (1, 2)}',
      '\x80\x02}q\x00(X\x01\x00\x00\x00aq\x01)X\x01\x00\x00\x00bq\x02K\x01K\x02\x86q\x03u.',
      new Map<string, unknown>([
        ['a', []],
        ['b', [1, 2]],
      ]),
    ],
    [
      'protocol 4, {"k": [b"\\x01", False]}',
      '\x80\x04\x95\x12\x00\x00\x00\x00\x00\x00\x00}\x94\x8c\x01k\x94]\x94(C\x01\x01\x94\x89es.',
      new Map([['k', [Uint8Array.of(1), false]]]),
    ],
    [
      'protocol 2, OrderedDict(x=3)',
      '\x80\x02ccollections\nOrderedDict\nq\x00)Rq\x01X\x01\x00\x00\x00xq\x02K\x03s.',
      new Map([['x', 3]]),
    ],
    [
      'protocol 4, OrderedDict(x=3)',
      '\x80\x04\x95)\x00\x00\x00\x00\x00\x00\x00\x8c\x0bcollections\x94\x8c\x0bOrderedDict\x94\x93\x94)R\x94\x8c\x01x\x94K\x03s.',
      new Map([['x', 3]]),
    ],
    ['a value used twice', '\x80\x02]q\x00(K\x05h\x00e.', undefined],
  ])('reads %s', (_, text, value) => {
    const found = read(text);
    if (value === undefined) expect((found as unknown[])[1]).toBe(found);
    else expect(found).toEqual(value);
  });

  it('hands persistent ids to the caller, and refuses them without one', () => {
    expect(read('\x80\x02X\x01\x00\x00\x007Q.', (id) => `object ${String(id)}`)).toBe('object 7');
    expect(() => read('\x80\x02X\x01\x00\x00\x007Q.')).toThrow(FormatError);
  });

  it.each([
    ['os.system by GLOBAL', '\x80\x02cos\nsystem\nX\x04\x00\x00\x00true\x85R.', /os\.system/],
    ['posix.system, protocol 0', "cposix\nsystem\n(S'true'\ntR.", /posix\.system/],
    ['builtins.eval by STACK_GLOBAL', '\x80\x04\x8c\x08builtins\x8c\x04eval\x93\x8c\x01x\x85R.', /builtins\.eval/],
    ['a name of Object.prototype', '\x80\x02c__proto__\nconstructor\n)R.', /__proto__\.constructor/],
    ['an allowed module, another name', '\x80\x02ccollections\ndeque\n)R.', /collections\.deque/],
    ['INST', '(ios\nsystem\n.', /0x69/],
    ['an extension code', '\x80\x02\x82\x01.', /0x82/],
    ['a call of data', '\x80\x02X\x01\x00\x00\x00x)R.', /no function/],
    ['attributes of a list', '\x80\x02]}b.', /attributes/],
  ])('refuses %s', (_, text, says) => {
    expect(() => read(text)).toThrow(FormatError);
    expect(() => read(text)).toThrow(says);
  });

  it.each([
    ['nothing', ''],
    ['no end', '\x80\x02K\x01'],
    ['a text of 4 GB', '\x80\x02X\xff\xff\xff\xffabc.'],
    ['a text of 2⁶³ bytes', '\x80\x04\x8d\xff\xff\xff\xff\xff\xff\xff\x7fabc.'],
    ['an integer of 200 bytes', `\x80\x02\x8a\xc8${'\x01'.repeat(200)}.`],
    ['decimal digits without end', `I${'9'.repeat(5000)}\n.`],
    ['an empty stack', '\x80\x02.'],
    ['a list that was not begun', '\x80\x02t.'],
    ['items of a number', '\x80\x02K\x01K\x02K\x03s.'],
    ['an odd number of items', '\x80\x02}(K\x01u.'],
    ['what was not kept', '\x80\x02h\x09.'],
    ['a text that is not UTF-8', '\x80\x02X\x02\x00\x00\x00\xc3\x28.'],
  ])('refuses %s', (_, text) => {
    expect(() => read(text)).toThrow(FormatError);
  });

  it('ends in a value or a FormatError, whatever bytes it is given', () => {
    const { integer } = random(3);
    const good = bytes(
      '\x80\x02ccollections\nOrderedDict\nq\x00)Rq\x01(X\x01\x00\x00\x00aq\x02K\x01K\x02\x86q\x03X\x01\x00\x00\x00bq\x04]q\x05(K\x01K\x02eu.',
    );
    for (let trial = 0; trial < 3000; trial++) {
      const spoilt = good.slice(0, 1 + integer(good.length));
      for (let k = integer(4); k >= 0; k--) spoilt[integer(spoilt.length)] = integer(256);
      try {
        unpickle(spoilt, { globals }, 'f');
      } catch (error) {
        if (!(error instanceof FormatError)) throw error;
      }
    }
  });
});
