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

/** Interrupted once it has said this on stderr. */
export interface Words {
  readonly after: string;
  told(): void;
}

export function coincide(
  args: readonly string[],
  cwd: string,
  interruptAfter?: number | Words,
  signal: NodeJS.Signals = 'SIGINT',
): Promise<Ran> {
  return new Promise((done) => {
    const child = spawn(process.execPath, [main, ...args], { cwd });
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (text) => (stdout += text));
    child.stderr.on('data', (text) => {
      const waiting = typeof interruptAfter === 'object' && !stderr.includes(interruptAfter.after);
      stderr += text;
      if (!waiting || !stderr.includes(interruptAfter.after)) return;
      interruptAfter.told();
      child.kill(signal);
    });
    child.on('close', (code) => done({ code, stdout, stderr }));
    if (typeof interruptAfter === 'number') setTimeout(() => child.kill(signal), interruptAfter);
  });
}

export const scratch = (): string => mkdtempSync(join(tmpdir(), 'coincide-'));
