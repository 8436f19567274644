/** Checkpoints that PyTorch wrote (scripts/reference/torch-checkpoints.py), and the same ones spoilt. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { array } from '../../src/core/array.js';
import { memorySource } from '../../src/core/bytes.js';
import { FormatError } from '../../src/core/errors.js';
import { random } from '../../src/core/random.js';
import { type Checkpoint, openCheckpoint } from '../../src/io/checkpoint.js';
import { writeSafetensors } from '../../src/io/safetensors.js';
import { type Part, zip } from './torch-writer.js';

const fixture = (name: string): Uint8Array => new Uint8Array(readFileSync(`${import.meta.dirname}/../fixtures/torch/${name}`));
const open = (bytes: Uint8Array): Promise<Checkpoint> => openCheckpoint(memorySource(bytes, 'model.pt'));
const sines = (from: number, n: number): number[] => Array.from({ length: n }, (_, i) => Math.fround(Math.sin(from + i)));
const read = async (checkpoint: Checkpoint, name: string): Promise<{ shape: readonly number[]; values: number[] }> => {
  const tensor = checkpoint.tensors.get(name)!;
  return { shape: tensor.shape, values: [...(await tensor.read())] };
};

/** The pickle of {'w': a float32 tensor} with the given numbers, each below 256 unless it is given as opcodes. */
function pickle({
  module = 'torch._utils',
  storage = 'FloatStorage',
  numel = 6,
  offset = 0,
  shape = [2, 3],
  strides = [3, 1],
} = {}): Uint8Array {
  const int = (n: number): string => `J${String.fromCharCode(n & 255, (n >> 8) & 255, (n >> 16) & 255, (n >> 24) & 255)}`;
  const text = (s: string): string => `X${String.fromCharCode(s.length)}\0\0\0${s}`;
  const tuple = (ns: readonly number[]): string => `(${ns.map(int).join('')}t`;
  const id = `(${text('storage')}ctorch\n${storage}\n${text('0')}${text('cpu')}${int(numel)}tQ`;
  const args = `(${id}${int(offset)}${tuple(shape)}${tuple(strides)}\x89ccollections\nOrderedDict\n)Rt`;
  return Uint8Array.from(`\x80\x02}${text('w')}c${module}\n_rebuild_tensor_v2\n${args}Rs.`, (c) => c.charCodeAt(0));
}
const data = new Uint8Array(Float32Array.of(1, 2, 3, 4, 5, 6).buffer);
const archive = (described: Uint8Array, more: Partial<Part> = {}): Uint8Array =>
  zip([
    { name: 'any name/data.pkl', data: described },
    { name: 'any name/data/0', data, ...more },
  ]);

describe('checkpoints of PyTorch', () => {
  it('tensors may be views of common storages, with offsets', async () => {
    const checkpoint = await open(fixture('views.pt'));
    expect([...checkpoint.tensors.keys()]).toEqual(['a.weight', 'a.bias', 'b.weight', 'b.bias']);
    expect(await read(checkpoint, 'a.weight')).toEqual({ shape: [2, 3], values: sines(0, 6) });
    expect(await read(checkpoint, 'b.weight')).toEqual({ shape: [4, 2, 2], values: sines(6, 16) });
    expect(await read(checkpoint, 'b.bias')).toEqual({ shape: [3], values: sines(2, 3) });
  });

  it.each(['module.pt', 'parameters.pt'])('%s: state with metadata, and wrapped parameters', async (name) => {
    const checkpoint = await open(fixture(name));
    expect(await read(checkpoint, 'weight')).toEqual({ shape: [2, 3], values: sines(0, 6) });
    expect(await read(checkpoint, 'bias')).toEqual({ shape: [2], values: sines(0, 2) });
  });

  it('types, strides and nested dictionaries', async () => {
    const checkpoint = await open(fixture('mixed.pt'));
    const inner = (name: string) => read(checkpoint, `state_dict.${name}`);
    const close = async (name: string, error: number): Promise<void> => {
      (await inner(name)).values.forEach((value, i) => {
        expect(Math.abs(value - Math.sin(i))).toBeLessThan(error);
      });
    };
    await close('half', 2 ** -11);
    await close('bfloat', 2 ** -8);
    await close('double', 2 ** -24);
    expect((await inner('half')).values[1]).toBe(0.84130859375); // float16(sin 1)
    expect((await inner('bfloat')).values[1]).toBe(0.83984375); // bfloat16(sin 1)
    expect(await inner('long')).toEqual({ shape: [5], values: [-2, -1, 0, 1, 2] });
    expect((await inner('byte')).values).toEqual([0, 1, 2, 3, 4]);
    const at = (i: number, j: number, k: number): number => Math.fround(Math.sin(12 * i + 4 * j + k));
    const transposed = [0, 1, 2, 3].flatMap((k) => [0, 1].flatMap((i) => [0, 1, 2].map((j) => at(i, j, k))));
    expect(await inner('transposed')).toEqual({ shape: [4, 2, 3], values: transposed });
    const stepped = [0, 1].flatMap((i) => [0, 2].flatMap((j) => [1, 2].map((k) => at(i, j, k))));
    expect(await inner('stepped')).toEqual({ shape: [2, 2, 2], values: stepped });
    expect(await inner('scalar')).toEqual({ shape: [], values: [1.5] });
    expect(await inner('empty')).toEqual({ shape: [0, 3], values: [] });
    expect(checkpoint.tensors.has('epoch')).toBe(false);
  });

  it('the handmade archive is a good one, stored or deflated', async () => {
    for (const deflate of [false, true]) {
      expect(await read(await open(archive(pickle(), { deflate })), 'w')).toEqual({ shape: [2, 3], values: [1, 2, 3, 4, 5, 6] });
    }
  });

  it.each([
    ['legacy.pt', fixture('legacy.pt'), /before 1\.6/],
    ['code in the pickle', archive(pickle({ module: 'os' })), /os\._rebuild_tensor_v2.*torch\.save/],
    ['a class that is no storage', archive(pickle({ storage: 'load' })), /torch\.load/],
    ['a shape larger than the storage', archive(pickle({ shape: [2, 4], strides: [4, 1] })), /larger than its storage/],
    ['a shape of 10¹⁸ by strides of 0', archive(pickle({ shape: [1e9, 1e9], strides: [0, 0] })), /larger than its storage/],
    ['an offset beyond the storage', archive(pickle({ offset: 1 })), /larger than its storage/],
    ['a negative stride', archive(pickle({ strides: [3, -1] })), /malformed/],
    ['a storage of another length', archive(pickle({ numel: 7 })), /should have 28 bytes/],
    ['a stored entry that claims more', archive(pickle(), { claims: 4e9 }), /more than can be in it/],
    [
      'a bomb: 24 bytes that claim 4 GB',
      archive(pickle({ numel: 1e9 }), { claims: 4e9, deflate: true }),
      /more than can be in it/,
    ],
    [
      'two pickles',
      zip([
        { name: 'a/data.pkl', data },
        { name: 'b/data.pkl', data },
      ]),
      /no checkpoint/,
    ],
    ['another zip file', zip([{ name: 'word/document.xml', data }]), /no checkpoint/],
    [
      'TorchScript',
      zip([
        { name: 'a/data.pkl', data: pickle() },
        { name: 'a/constants.pkl', data },
      ]),
      /TorchScript/,
    ],
    [
      'big-endian',
      zip([
        { name: 'a/data.pkl', data: pickle() },
        { name: 'a/byteorder', data: new TextEncoder().encode('big') },
      ]),
      /Byte order/,
    ],
    ['a text', new TextEncoder().encode('version https://git-lfs.github.com/spec/v1'), /Not safetensors/],
  ])('%s is refused by name', async (_, bytes, says) => {
    await expect(open(bytes)).rejects.toThrow(FormatError);
    await expect(open(bytes)).rejects.toThrow(says);
  });

  it('a deflated storage that holds less, more or other than it says is refused when it is read', async () => {
    const packed = archive(pickle({ numel: 5, shape: [5], strides: [1] }), { claims: 20, deflate: true });
    await expect(read(await open(packed), 'w')).rejects.toThrow(/damaged/);
    const more = archive(pickle({ numel: 7, shape: [7], strides: [1] }), { claims: 28, deflate: true });
    await expect(read(await open(more), 'w')).rejects.toThrow(/damaged/);
  });

  it('cut short or spoilt anywhere it ends in an error of ours, or in tensors that can be read', async () => {
    const good = fixture('mixed.pt');
    const { integer } = random(4);
    const tryAll = async (bytes: Uint8Array): Promise<void> => {
      try {
        for (const tensor of (await open(bytes)).tensors.values()) await tensor.read();
      } catch (error) {
        if (!(error instanceof FormatError)) throw error;
      }
    };
    for (let trial = 0; trial < 300; trial++) await tryAll(good.slice(0, integer(good.length)));
    for (let trial = 0; trial < 700; trial++) {
      const spoilt = good.slice();
      for (let k = 0; k < 3; k++) spoilt[integer(spoilt.length)] = integer(256);
      await tryAll(spoilt);
    }
  });

  it('safetensors are the other format', async () => {
    const checkpoint = await open(writeSafetensors(new Map([['w', array([2, 1], Float32Array.of(3, 4))]])));
    expect(checkpoint.format).toBe('safetensors');
    expect(await read(checkpoint, 'w')).toEqual({ shape: [2, 1], values: [3, 4] });
  });
});
