/** @file  The directory of a zip file, and its entries one at a time: only what is asked for is read. With zip64.
 *  https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT. Sizes are checked against one another before anything is inflated. */
import { inflateSync } from 'fflate';
import type { ByteSource } from '../core/bytes.js';
import { FormatError } from '../core/errors.js';
import { crc32, maxDeflateRatio } from './gzip.js';

export interface ZipEntry {
  readonly name: string;
  /** Bytes it has when unpacked. */
  readonly size: number;
  /** 0 stored, 8 deflated. */
  readonly method: number;
  readonly compressedSize: number;
  readonly crc: number;
  /** Of its local header in the file. */
  readonly offset: number;
}

const signature = { local: 0x04034b50, central: 0x02014b50, end: 0x06054b50, locator64: 0x07064b50, end64: 0x06064b50 };
const [localLength, centralLength, endLength, locator64Length, end64Length] = [30, 46, 22, 20, 56];
/** Directories beyond this are absurd. */
const maxDirectory = 2 ** 28;
const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** Does it begin like a zip file? */
export function isZip(bytes: Uint8Array): boolean {
  return bytes.length >= 4 && viewOf(bytes).getUint32(0, true) === signature.local;
}

/** @throws FormatError when the directory is damaged, or entries cannot be what they say. */
export async function readZipDirectory(source: ByteSource): Promise<Map<string, ZipEntry>> {
  const { count, start, length } = await directoryPlace(source);
  if (!(start + length <= source.size) || length > maxDirectory || count * centralLength > length) {
    throw new FormatError('The directory of the zip file cannot be', {
      file: source.name,
      expected: `within ${source.size} bytes`,
      found: `${count} entries in ${length} bytes at ${start}`,
    });
  }
  const bytes = await source.read(start, length);
  const view = viewOf(bytes);
  const entries = new Map<string, ZipEntry>();
  let packed = 0;
  for (let i = 0, at = 0; i < count; i++) {
    if (at + centralLength > length || view.getUint32(at, true) !== signature.central)
      throw damaged(source, `entry ${i} of ${count}`);
    const [nameLength, extraLength, commentLength] = [28, 30, 32].map((o) => view.getUint16(at + o, true)) as [
      number,
      number,
      number,
    ];
    const next = at + centralLength + nameLength + extraLength + commentLength;
    if (next > length) throw damaged(source, `entry ${i} of ${count}`);
    const name = new TextDecoder().decode(bytes.subarray(at + centralLength, at + centralLength + nameLength));
    const extra = bytes.subarray(at + centralLength + nameLength, next - commentLength);
    const entry = checkedEntry(source, {
      name,
      method: view.getUint16(at + 10, true),
      crc: view.getUint32(at + 16, true),
      ...sizes64(
        extra,
        [24, 20, 42].map((o) => view.getUint32(at + o, true)),
      ),
    });
    if (view.getUint16(at + 8, true) & 1) throw new FormatError('The zip entry is encrypted', { file: source.name, key: name });
    if (entries.has(name)) throw new FormatError('Two zip entries have one name', { file: source.name, key: name });
    entries.set(name, entry);
    packed += entry.compressedSize;
    at = next;
  }
  if (packed > source.size) {
    throw new FormatError('Zip entries overlap', { file: source.name, expected: `at most ${source.size} bytes`, found: packed });
  }
  return entries;
}

/** Number of entries, and where the central directory is. */
async function directoryPlace(source: ByteSource): Promise<{ count: number; start: number; length: number }> {
  const tailStart = Math.max(0, source.size - endLength - 65535);
  const tail = await source.read(tailStart, source.size - tailStart);
  const view = viewOf(tail);
  let at = tail.length - endLength;
  while (at >= 0 && view.getUint32(at, true) !== signature.end) at--;
  if (at < 0) throw damaged(source, 'no end of the directory: was the file copied completely?');
  const count = view.getUint16(at + 10, true);
  const length = view.getUint32(at + 12, true);
  const start = view.getUint32(at + 16, true);
  const locator = at - locator64Length;
  if (locator < 0 || view.getUint32(locator, true) !== signature.locator64) return { count, start, length };
  const place = Number(view.getBigUint64(locator + 8, true));
  if (!(place + end64Length <= source.size)) throw damaged(source, 'its 64-bit directory');
  const end64 = viewOf(await source.read(place, end64Length));
  if (end64.getUint32(0, true) !== signature.end64) throw damaged(source, 'its 64-bit directory');
  const [entries, bytes, offset] = [32, 40, 48].map((o) => Number(end64.getBigUint64(o, true))) as [number, number, number];
  return { count: entries, start: offset, length: bytes };
}

/** Size, compressed size and offset; what does not fit 32 bits is in the extra field 1. */
function sizes64(extra: Uint8Array, short: readonly number[]): Pick<ZipEntry, 'size' | 'compressedSize' | 'offset'> {
  const view = viewOf(extra);
  let wide = -1;
  let end = -1;
  for (let at = 0; at + 4 <= extra.length; at += 4 + view.getUint16(at + 2, true)) {
    if (view.getUint16(at, true) !== 1) continue;
    wide = at + 4;
    end = wide + view.getUint16(at + 2, true);
  }
  const [size, compressedSize, offset] = short.map((value) => {
    if (value !== 0xffffffff || wide < 0 || wide + 8 > Math.min(end, extra.length)) return value;
    wide += 8;
    return Number(view.getBigUint64(wide - 8, true));
  }) as [number, number, number];
  return { size, compressedSize, offset };
}

function checkedEntry(source: ByteSource, entry: ZipEntry): ZipEntry {
  const { name, method, size, compressedSize, offset } = entry;
  const found = { file: source.name, key: name };
  if (method !== 0 && method !== 8) {
    throw new FormatError('Compression of a zip entry', { ...found, expected: 'stored or deflated', found: `method ${method}` });
  }
  if (!(offset + localLength + compressedSize <= source.size)) throw new FormatError('A zip entry lies outside the file', found);
  const most = method === 0 ? compressedSize : maxDeflateRatio * compressedSize;
  if (method === 0 ? size !== compressedSize : size > most) {
    throw new FormatError('A zip entry says that it holds more than can be in it', {
      ...found,
      expected: `${method === 0 ? '' : 'at most '}${most} bytes`,
      found: size,
    });
  }
  return entry;
}

/** Where the data of an entry begin. */
async function dataStart(source: ByteSource, { name, offset, compressedSize }: ZipEntry): Promise<number> {
  const header = viewOf(await source.read(offset, localLength));
  const start = offset + localLength + header.getUint16(26, true) + header.getUint16(28, true);
  if (header.getUint32(0, true) !== signature.local || start + compressedSize > source.size) throw damaged(source, name);
  return start;
}

/**
 * All bytes of an entry, its checksum verified.
 * @param limit refuse entries above this many bytes. @default none
 */
export async function readZipEntry(
  source: ByteSource,
  entry: ZipEntry,
  limit: number = Number.POSITIVE_INFINITY,
): Promise<Uint8Array> {
  const { name, method, size, compressedSize, crc } = entry;
  if (size > limit) {
    throw new FormatError('A zip entry is absurdly large', {
      file: source.name,
      key: name,
      expected: `at most ${limit} bytes`,
      found: size,
    });
  }
  const packed = await source.read(await dataStart(source, entry), compressedSize);
  let bytes = packed;
  if (method === 8) {
    try {
      bytes = inflateSync(packed, { out: new Uint8Array(size) }); // never writes more than it was given room for
    } catch (cause) {
      throw new FormatError('A zip entry is damaged', { file: source.name, key: name, cause });
    }
  }
  if (bytes.length !== size || crc32(bytes) !== crc) {
    throw new FormatError('A zip entry is damaged: length or checksum differ', { file: source.name, key: name });
  }
  return bytes;
}

/** Part of a stored entry, read from its place; no checksum. */
export async function readZipRange(source: ByteSource, entry: ZipEntry, offset: number, length: number): Promise<Uint8Array> {
  if (entry.method !== 0 || offset + length > entry.size) throw damaged(source, entry.name);
  return source.read((await dataStart(source, entry)) + offset, length);
}

function damaged({ name }: ByteSource, where: string): FormatError {
  return new FormatError('The zip file is damaged', { file: name, key: where });
}
