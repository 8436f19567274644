/** @file  Where large files come from: bytes by position, so that a file need not be in memory. */

export interface ByteSource {
  /** For error messages. */
  readonly name: string;
  /** Bytes in all. */
  readonly size: number;
  /** Bytes offset … offset + length − 1. The caller's range lies within the size. */
  read(offset: number, length: number): Promise<Uint8Array>;
}

/** Bytes that are in memory already. */
export function memorySource(bytes: Uint8Array, name: string): ByteSource {
  return { name, size: bytes.length, read: async (offset, length) => bytes.subarray(offset, offset + length) };
}
