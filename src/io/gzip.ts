/** @file  gzip, synchronous, in browsers and Node alike. RFC 1952. */
import { gunzipSync, gzipSync } from 'fflate';
import { FormatError } from '../core/errors.js';

/** Is it gzip, by its first bytes? */
export function isGzip(bytes: Uint8Array): boolean {
  return bytes[0] === 0x1f && bytes[1] === 0x8b;
}

/** Level 1: images of floats hardly get smaller above, and take far longer. */
export function gzip(bytes: Uint8Array): Uint8Array {
  return gzipSync(bytes, { level: 1, mtime: 0 });
}

/** Deflate cannot shrink by more than this. */
export const maxDeflateRatio = 1032;

/** @throws FormatError when it is cut short or damaged: length and checksum are verified. */
export function gunzip(bytes: Uint8Array, file: string): Uint8Array {
  const damaged = (hint: string, cause?: unknown): never => {
    throw new FormatError('The gzip data are damaged or cut short', { file, key: 'gzip', hint, cause });
  };
  if (bytes.length < 18) damaged('Was the file written completely?');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const length = view.getUint32(bytes.length - 4, true);
  if (length > maxDeflateRatio * bytes.length) damaged('Its end says more bytes than can be in it.');
  let out = new Uint8Array(0);
  try {
    out = gunzipSync(bytes);
  } catch (cause) {
    damaged('Was the file written completely?', cause);
  }
  if (out.length !== length || crc32(out) !== view.getUint32(bytes.length - 8, true)) {
    damaged('Length or checksum differ. If it is several gzip files in one, unpack it first.');
  }
  return out;
}

const crcTable: Uint32Array = Uint32Array.from({ length: 256 }, (_, byte) => {
  let c = byte;
  for (let bit = 0; bit < 8; bit++) c = c & 1 ? (c >>> 1) ^ 0xedb88320 : c >>> 1;
  return c;
});

/** The checksum of gzip and zip. */
export function crc32(bytes: Uint8Array): number {
  let c = -1;
  for (let i = 0; i < bytes.length; i++) c = (c >>> 8) ^ crcTable[(c ^ bytes[i]!) & 0xff]!;
  return ~c >>> 0;
}
