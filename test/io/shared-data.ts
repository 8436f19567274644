/** Research data beside the repository, of which nothing is copied into it. */
import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { TestContext } from 'vitest';

export const sharedFolder: string = resolve(import.meta.dirname, '../../../shared/data/stir');

/** The file's bytes; skips the test, saying so, where it is absent. */
export function sharedFile(ctx: TestContext, name: string): Uint8Array {
  const path = resolve(sharedFolder, name);
  if (!existsSync(path)) ctx.skip(`${name} absent`);
  return readFileSync(path);
}
