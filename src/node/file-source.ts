/** @file  A file read by position: large ones need not be in memory. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import type { ByteSource } from '../core/bytes.js';
import { FormatError } from '../core/errors.js';

export interface FileSource extends ByteSource {
  close(): Promise<void>;
}

/** @throws FormatError when the file is absent, a folder or empty; from `read` when it ends before it should. */
export async function openFileSource(file: string): Promise<FileSource> {
  const handle = await open(file, 'r').catch((cause: NodeJS.ErrnoException) => {
    throw new FormatError(cause.code === 'ENOENT' ? 'There is no such file' : cause.message, { file, cause });
  });
  const stat = await handle.stat();
  if (!stat.isFile() || stat.size === 0) {
    await handle.close();
    throw new FormatError(stat.isFile() ? 'The file is empty' : 'This is a folder, not a file', { file });
  }
  const read = async (offset: number, length: number): Promise<Uint8Array> => {
    const bytes = new Uint8Array(length);
    for (let at = 0; at < length; ) {
      const { bytesRead } = await handle.read(bytes, at, Math.min(length - at, 2 ** 30), offset + at);
      if (bytesRead === 0)
        throw new FormatError('The file ends before it should', { file, expected: `${offset + length} bytes` });
      at += bytesRead;
    }
    return bytes;
  };
  return { name: file, size: stat.size, read, close: () => handle.close() };
}

/** SHA-256 of a file, hexadecimal. */
export async function sha256OfFile(file: string, signal?: AbortSignal): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(file, { signal, highWaterMark: 2 ** 20 })) hash.update(chunk as Buffer);
  return hash.digest('hex');
}
