/** @file  Python's pickle, protocols 0 to 5, as data: a stack machine that builds plain values and can run nothing of its own.
 *  https://docs.python.org/3/library/pickletools.html. A pickle names the classes and functions it wants (GLOBAL); here a name is looked up
 *  in the caller's list and anything else is refused by name, so a hostile pickle ends in an error before it has done anything.
 *  None → null, int → number or bigint, tuple and list → array, dict → Map, set → Set, bytes → Uint8Array. */
import { FormatError } from '../core/errors.js';

/** What an allowed global does when it is called. A global that is only mentioned may ignore its arguments. */
export type PickleGlobal = (args: readonly unknown[]) => unknown;
export interface PickleOptions {
  /** By 'module name', e.g. 'collections OrderedDict'. */
  readonly globals: ReadonlyMap<string, PickleGlobal>;
  /** The object that a persistent id stands for. @default refused */
  readonly persistent?: ((id: unknown) => unknown) | undefined;
}

interface Machine {
  readonly view: DataView;
  readonly bytes: Uint8Array;
  readonly options: PickleOptions;
  readonly file: string;
  at: number;
  stack: unknown[];
  /** Stacks put aside by MARK. */
  readonly marked: unknown[][];
  readonly memo: Map<number, unknown>;
}

/** @throws FormatError for a name that is not allowed, an opcode that is not known, or a pickle cut short or inconsistent. */
export function unpickle(bytes: Uint8Array, options: PickleOptions, file: string): unknown {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const m: Machine = { view, bytes, options, file, at: 0, stack: [], marked: [], memo: new Map() };
  for (;;) {
    const opcode = u8(m);
    if (opcode === STOP) return pop(m);
    const run = opcodes.get(opcode);
    if (run === undefined) {
      throw fault(m, 'The pickle holds an opcode that is not read', {
        expected: 'data alone',
        found: `0x${opcode.toString(16)}`,
      });
    }
    run(m);
  }
}

const STOP = 0x2e;
const utf8 = new TextDecoder('utf-8', { fatal: true });
const latin1 = new TextDecoder('latin1');

const code = (character: string): number => character.charCodeAt(0);
const integer = (value: bigint): number | bigint => (BigInt.asIntN(53, value) === value ? Number(value) : value);
const u8 = (m: Machine): number => take(m, 1)[0]!;
const u16 = (m: Machine): number => u8(m) + 256 * u8(m);
const u32 = (m: Machine): number => u16(m) + 65536 * u16(m);
const u64 = (m: Machine): number => u32(m) + 2 ** 32 * u32(m);
const push = (m: Machine, value: unknown): void => void m.stack.push(value);

/** What each opcode does, under the name that pickletools gives it. */
const opcodes: ReadonlyMap<number, (m: Machine) => void> = new Map<number, (m: Machine) => void>([
  // PROTO, FRAME: the length of a frame is no more than a hint
  [0x80, (m) => void u8(m)],
  [0x95, (m) => void u64(m)],
  // MARK, POP, POP_MARK, DUP
  [code('('), mark],
  [code('0'), (m) => void (m.stack.length > 0 ? pop(m) : popMark(m))],
  [code('1'), (m) => void popMark(m)],
  [code('2'), (m) => push(m, top(m))],
  // NONE, NEWTRUE, NEWFALSE
  [code('N'), (m) => push(m, null)],
  [0x88, (m) => push(m, true)],
  [0x89, (m) => push(m, false)],
  // BININT, BININT1, BININT2, LONG1, LONG4, INT, LONG
  [code('J'), (m) => push(m, u32(m) | 0)],
  [code('K'), (m) => push(m, u8(m))],
  [code('M'), (m) => push(m, u16(m))],
  [0x8a, (m) => push(m, littleEndian(take(m, u8(m))))],
  [0x8b, (m) => push(m, littleEndian(take(m, u32(m))))],
  [code('I'), (m) => push(m, decimal(m, line(m)))],
  [code('L'), (m) => push(m, decimal(m, line(m).replace(/L$/, '')))],
  // BINFLOAT, FLOAT
  [code('G'), (m) => push(m, float64(m))],
  [code('F'), (m) => push(m, Number(line(m)))],
  // texts: BINUNICODE, SHORT_BINUNICODE, BINUNICODE8, UNICODE, BINSTRING, SHORT_BINSTRING
  [code('X'), (m) => push(m, text(m, u32(m)))],
  [0x8c, (m) => push(m, text(m, u8(m)))],
  [0x8d, (m) => push(m, text(m, u64(m)))],
  [code('V'), (m) => push(m, line(m))],
  [code('T'), (m) => push(m, latin1.decode(take(m, u32(m))))],
  [code('U'), (m) => push(m, latin1.decode(take(m, u8(m))))],
  // BINBYTES, SHORT_BINBYTES, BINBYTES8
  [code('B'), (m) => push(m, take(m, u32(m)).slice())],
  [code('C'), (m) => push(m, take(m, u8(m)).slice())],
  [0x8e, (m) => push(m, take(m, u64(m)).slice())],
  // EMPTY_TUPLE, TUPLE, TUPLE1, TUPLE2, TUPLE3, EMPTY_LIST, LIST, APPEND, APPENDS
  [code(')'), (m) => push(m, [])],
  [code('t'), (m) => push(m, popMark(m))],
  [0x85, (m) => push(m, popped(m, 1))],
  [0x86, (m) => push(m, popped(m, 2))],
  [0x87, (m) => push(m, popped(m, 3))],
  [code(']'), (m) => push(m, [])],
  [code('l'), (m) => push(m, popMark(m))],
  [code('a'), (m) => extend(m, popped(m, 1))],
  [code('e'), (m) => extend(m, popMark(m))],
  // EMPTY_DICT, DICT, SETITEM, SETITEMS, EMPTY_SET, ADDITEMS, FROZENSET
  [code('}'), (m) => push(m, new Map())],
  [code('d'), (m) => dictionary(m, popMark(m))],
  [code('s'), (m) => setItems(m, popped(m, 2))],
  [code('u'), (m) => setItems(m, popMark(m))],
  [0x8f, (m) => push(m, new Set())],
  [0x90, (m) => addItems(m, popMark(m))],
  [0x91, (m) => push(m, new Set(popMark(m)))],
  // memo: PUT, BINPUT, LONG_BINPUT, MEMOIZE, GET, BINGET, LONG_BINGET
  [code('p'), (m) => void m.memo.set(Number(decimal(m, line(m))), top(m))],
  [code('q'), (m) => void m.memo.set(u8(m), top(m))],
  [code('r'), (m) => void m.memo.set(u32(m), top(m))],
  [0x94, (m) => void m.memo.set(m.memo.size, top(m))],
  [code('g'), (m) => push(m, recalled(m, Number(decimal(m, line(m)))))],
  [code('h'), (m) => push(m, recalled(m, u8(m)))],
  [code('j'), (m) => push(m, recalled(m, u32(m)))],
  // GLOBAL, STACK_GLOBAL, REDUCE, NEWOBJ, BUILD, BINPERSID
  [code('c'), (m) => push(m, global(m, line(m), line(m)))],
  [0x93, (m) => stackGlobal(m)],
  [code('R'), (m) => call(m)],
  [0x81, (m) => call(m)],
  [code('b'), (m) => build(m)],
  [code('Q'), (m) => push(m, persistent(m, pop(m)))],
]);

function take(m: Machine, length: number): Uint8Array {
  if (!(length <= m.bytes.length - m.at)) {
    throw fault(m, 'The pickle is cut short', { expected: `${length} more bytes`, found: m.bytes.length - m.at });
  }
  return m.bytes.subarray(m.at, (m.at += length));
}

function line(m: Machine): string {
  const end = m.bytes.indexOf(10, m.at);
  if (end < 0) throw fault(m, 'The pickle is cut short', { expected: 'the end of a line', found: 'none' });
  const found = latin1.decode(take(m, end - m.at));
  m.at++;
  return found.replace(/\r$/, '');
}

function text(m: Machine, length: number): string {
  try {
    return utf8.decode(take(m, length));
  } catch (cause) {
    if (cause instanceof FormatError) throw cause;
    throw fault(m, 'A text of the pickle is not UTF-8', { cause });
  }
}

function float64(m: Machine): number {
  const at = m.at;
  take(m, 8);
  return m.view.getFloat64(at);
}

/** Two's complement, lowest byte first. */
function littleEndian(bytes: Uint8Array): number | bigint {
  if (bytes.length > 64) throw new FormatError('The pickle holds an integer of absurd size', { found: `${bytes.length} bytes` });
  const value = bytes.reduceRight((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
  return integer(BigInt.asIntN(8 * bytes.length, value));
}

function decimal(m: Machine, digits: string): number | bigint | boolean {
  if (digits === '00') return false;
  if (digits === '01') return true;
  if (!/^-?\d{1,150}$/.test(digits)) throw fault(m, 'An integer of the pickle', { expected: 'decimal digits', found: digits });
  return integer(BigInt(digits));
}

function top(m: Machine): unknown {
  if (m.stack.length === 0) throw fault(m, 'The pickle takes more than it has put down', {});
  return m.stack.at(-1);
}

function pop(m: Machine): unknown {
  const value = top(m);
  m.stack.pop();
  return value;
}

function popped(m: Machine, count: number): unknown[] {
  if (m.stack.length < count) throw fault(m, 'The pickle takes more than it has put down', {});
  return m.stack.splice(m.stack.length - count);
}

function mark(m: Machine): void {
  m.marked.push(m.stack);
  m.stack = [];
}

/** Everything since the last mark. */
function popMark(m: Machine): unknown[] {
  const before = m.marked.pop();
  if (before === undefined) throw fault(m, 'The pickle ends a list that it did not begin', {});
  const since = m.stack;
  m.stack = before;
  return since;
}

function recalled(m: Machine, index: number): unknown {
  if (!m.memo.has(index)) throw fault(m, 'The pickle refers to what it did not keep', { key: 'memo', found: index });
  return m.memo.get(index);
}

function extend(m: Machine, items: readonly unknown[]): void {
  const list = top(m);
  if (!Array.isArray(list)) throw fault(m, 'The pickle appends to what is no list', {});
  for (const item of items) list.push(item);
}

function addItems(m: Machine, items: readonly unknown[]): void {
  const set = top(m);
  if (!(set instanceof Set)) throw fault(m, 'The pickle adds to what is no set', {});
  for (const item of items) set.add(item);
}

function dictionary(m: Machine, items: readonly unknown[]): void {
  push(m, new Map());
  setItems(m, items);
}

function setItems(m: Machine, items: readonly unknown[]): void {
  const map = top(m);
  if (!(map instanceof Map) || items.length % 2 !== 0) throw fault(m, 'The pickle sets items of what is no dictionary', {});
  for (let i = 0; i < items.length; i += 2) map.set(items[i], items[i + 1]);
}

function global(m: Machine, module: unknown, name: unknown): PickleGlobal {
  const found = m.options.globals.get(`${String(module)} ${String(name)}`);
  if (found === undefined) {
    throw fault(m, 'The pickle asks for code that is not allowed; nothing of it was run', {
      expected: 'tensors in plain containers',
      found: `${String(module)}.${String(name)}`,
      hint: 'Do you trust the file? Then save its weights alone: torch.save(model.state_dict(), …), or as safetensors.',
    });
  }
  return found;
}

function stackGlobal(m: Machine): void {
  const [module, name] = popped(m, 2);
  push(m, global(m, module, name));
}

function call(m: Machine): void {
  const [callable, args] = popped(m, 2);
  // Only `global` puts functions on the stack, so only allowed ones are ever called.
  if (typeof callable !== 'function' || !Array.isArray(args)) throw fault(m, 'The pickle calls what is no function', {});
  push(m, (callable as PickleGlobal)(args));
}

/** State given to an object (attributes, hooks): what is allowed has none that matters. */
function build(m: Machine): void {
  pop(m);
  if (!(top(m) instanceof Map)) throw fault(m, 'The pickle sets attributes of what is no dictionary', {});
}

function persistent(m: Machine, id: unknown): unknown {
  if (m.options.persistent === undefined) throw fault(m, 'The pickle refers to something outside it', { key: 'BINPERSID' });
  return m.options.persistent(id);
}

function fault(m: Machine, what: string, more: ConstructorParameters<typeof FormatError>[1]): FormatError {
  return new FormatError(what, { file: m.file, key: `pickle, byte ${m.at}`, ...more });
}
