/** @file  Zip files and checkpoints of PyTorch by hand: small ones for tests, and ones that lie. */
import { deflateRawSync } from 'node:zlib';
import type { NdArray } from '../../src/core/array.js';
import { crc32 } from '../../src/io/gzip.js';

export interface Part {
  readonly name: string;
  readonly data: Uint8Array;
  /** What the zip says instead of the truth. */
  readonly claims?: number;
  readonly deflate?: boolean;
}
/** A zip file by hand, so that it can lie. */
export function zip(parts: readonly Part[]): Uint8Array {
  const chunks: Uint8Array[] = [];
  const directory: Uint8Array[] = [];
  let at = 0;
  const header = (length: number, write: (view: DataView) => void): Uint8Array => {
    const bytes = new Uint8Array(length);
    write(new DataView(bytes.buffer));
    return bytes;
  };
  for (const { name, data, claims = data.length, deflate = false } of parts) {
    const packed = deflate ? new Uint8Array(deflateRawSync(data)) : data;
    const title = new TextEncoder().encode(name);
    const common = (view: DataView, from: number): void => {
      view.setUint16(from, deflate ? 8 : 0, true);
      view.setUint32(from + 6, crc32(data), true);
      view.setUint32(from + 10, packed.length, true);
      view.setUint32(from + 14, claims, true);
      view.setUint16(from + 18, title.length, true);
    };
    const local = header(30, (view) => {
      view.setUint32(0, 0x04034b50, true);
      common(view, 8);
    });
    const central = header(46, (view) => {
      view.setUint32(0, 0x02014b50, true);
      common(view, 10);
      view.setUint32(42, at, true);
    });
    chunks.push(local, title, packed);
    directory.push(central, title);
    at += 30 + title.length + packed.length;
  }
  const length = directory.reduce((sum, part) => sum + part.length, 0);
  const end = header(22, (view) => {
    view.setUint32(0, 0x06054b50, true);
    view.setUint16(10, parts.length, true);
    view.setUint32(12, length, true);
    view.setUint32(16, at, true);
  });
  return new Uint8Array(Buffer.concat([...chunks, ...directory, end]));
}

/** What torch.save writes of a state dict: a zip file with a pickle of protocol 2, one storage a tensor. */
export function torchSave(tensors: ReadonlyMap<string, NdArray>): Uint8Array {
  const int = (n: number): string => `J${String.fromCharCode(n & 255, (n >> 8) & 255, (n >> 16) & 255, (n >> 24) & 255)}`;
  const text = (s: string): string => `X${String.fromCharCode(s.length & 255, s.length >> 8)}\0\0${s}`;
  const tuple = (ns: readonly number[]): string => `(${ns.map(int).join('')}t`;
  const items = [...tensors].map(([name, { shape, stride, data }], i) => {
    const id = `(${text('storage')}ctorch\nFloatStorage\n${text(String(i))}${text('cpu')}${int(data.length)}tQ`;
    const args = `(${id}${int(0)}${tuple(shape)}${tuple(stride)}\x89ccollections\nOrderedDict\n)Rt`;
    return `${text(name)}ctorch._utils\n_rebuild_tensor_v2\n${args}R`;
  });
  const pickle = `\x80\x02ccollections\nOrderedDict\n)R(${items.join('')}u.`;
  return zip([
    { name: 'archive/data.pkl', data: Uint8Array.from(pickle, (c) => c.charCodeAt(0)) },
    ...[...tensors.values()].map(({ data }, i) => ({
      name: `archive/data/${i}`,
      data: new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
    })),
  ]);
}
