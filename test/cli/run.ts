/** Runs the built command line as a user does. */
import { spawn } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const main = resolve(import.meta.dirname, '../../dist/cli/main.js');

export interface Ran {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export function coincide(
  args: readonly string[],
  cwd: string,
  interruptAfter?: number,
  signal: NodeJS.Signals = 'SIGINT',
): Promise<Ran> {
  return new Promise((done) => {
    const child = spawn(process.execPath, [main, ...args], { cwd });
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (text) => (stdout += text));
    child.stderr.on('data', (text) => (stderr += text));
    child.on('close', (code) => done({ code, stdout, stderr }));
    if (interruptAfter !== undefined) setTimeout(() => child.kill(signal), interruptAfter);
  });
}

export const scratch = (): string => mkdtempSync(join(tmpdir(), 'coincide-'));
