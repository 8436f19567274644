import { describe, expect, it } from 'vitest';
import { array, fill } from '../../src/core/array.js';
import { FormatError } from '../../src/core/errors.js';
import { readSafetensors, writeSafetensors } from '../../src/io/safetensors.js';

function make(header: unknown, body: readonly number[], length?: number): Uint8Array {
  const text = new TextEncoder().encode(typeof header === 'string' ? header : JSON.stringify(header));
  const bytes = new Uint8Array(8 + text.length + body.length);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(length ?? text.length), true);
  bytes.set(text, 8);
  bytes.set(body, 8 + text.length);
  return bytes;
}

describe('safetensors', () => {
  it('come back as they were written', () => {
    const tensors = new Map([
      ['conv.weight', fill([2, 3, 1], (i) => i - 2.5)],
      ['10', fill([4], (i) => i / 3)],
      ['empty', array([0, 5])],
    ]);
    const bytes = writeSafetensors(tensors, { format: 'coincide' });
    expect(Number(new DataView(bytes.buffer).getBigUint64(0, true)) % 8).toBe(0);
    const back = readSafetensors(bytes, 'w');
    expect(back.metadata).toEqual({ format: 'coincide' });
    expect([...back.tensors.keys()].sort()).toEqual([...tensors.keys()].sort());
    for (const [name, { shape, data }] of tensors) {
      expect(back.tensors.get(name)!.shape).toEqual(shape);
      expect(back.tensors.get(name)!.data).toEqual(data);
    }
  });

  it('reads half and bfloat16, and passes over integers', () => {
    // 1.5, −2, smallest subnormal, largest half; bfloat16 1.5, −3.140625; one int64.
    const half = [0x00, 0x3e, 0x00, 0xc0, 0x01, 0x00, 0xff, 0x7b];
    const bf16 = [0xc0, 0x3f, 0x49, 0xc0];
    const header = {
      h: { dtype: 'F16', shape: [2, 2], data_offsets: [0, 8] },
      b: { dtype: 'BF16', shape: [2], data_offsets: [8, 12] },
      steps: { dtype: 'I64', shape: [1], data_offsets: [12, 20] },
    };
    const { tensors, skipped } = readSafetensors(make(header, [...half, ...bf16, 1, 0, 0, 0, 0, 0, 0, 0]), 'w');
    expect([...tensors.get('h')!.data]).toEqual([1.5, -2, 2 ** -24, 65504]);
    expect([...tensors.get('b')!.data]).toEqual([1.5, -3.140625]);
    expect([...skipped]).toEqual([['steps', 'I64']]);
  });

  const f = (from: number, until: number, shape: unknown = [1], dtype = 'F32') => ({ dtype, shape, data_offsets: [from, until] });
  it.each([
    ['empty', new Uint8Array(0), /header length/],
    ['length beyond the file', make({ a: f(0, 4) }, [0, 0, 0, 0], 1e6), /header length/],
    ['length of 2⁶³', make({ a: f(0, 4) }, [0, 0, 0, 0], 2 ** 62), /header length/],
    ['length too small', make({ a: f(0, 4) }, [0, 0, 0, 0], 5), /not JSON/],
    ['no object', make([1], []), /no object/],
    ['no entry', make({ a: null }, []), /a\.dtype/],
    ['unknown dtype', make({ a: f(0, 4, [1], 'F31') }, [0, 0, 0, 0]), /a\.dtype.*F31/],
    ['inherited name as dtype', make({ a: f(0, 4, [1], 'toString') }, [0, 0, 0, 0]), /a\.dtype/],
    ['negative shape', make({ a: f(0, 4, [-1, -1]) }, [0, 0, 0, 0]), /a\.shape/],
    ['offsets do not fit the shape', make({ a: f(0, 4, [2]) }, [0, 0, 0, 0]), /a\.data_offsets/],
    ['offsets backwards', make({ a: f(4, 0) }, [0, 0, 0, 0]), /a\.data_offsets/],
    ['overlap', make({ a: f(0, 4), b: f(2, 6) }, [0, 0, 0, 0, 0, 0]), /overlap.*b\.data_offsets/],
    ['the same place twice', make({ a: f(0, 4), b: f(0, 4) }, [0, 0, 0, 0]), /overlap/],
    ['hole', make({ a: f(0, 4), b: f(5, 9) }, new Array(9).fill(0)), /hole/],
    ['cut short', make({ a: f(0, 4) }, [0, 0, 0]), /cut short/],
    ['trailing bytes', make({ a: f(0, 4) }, [0, 0, 0, 0, 0]), /more data/],
    ['huge shape', make({ a: f(0, 4, [1e9, 1e9]) }, [0, 0, 0, 0]), /a\.data_offsets/],
    ['metadata', make({ __metadata__: { a: 1 } }, []), /__metadata__/],
  ])('refuses: %s', (_, bytes, message) => {
    expect(() => readSafetensors(bytes, 'w.safetensors')).toThrow(FormatError);
    expect(() => readSafetensors(bytes, 'w.safetensors')).toThrow(message);
    expect(() => readSafetensors(bytes, 'w.safetensors')).toThrow(/^w\.safetensors: /);
  });
});
