/** @file  What all verbs share: the common options, Ctrl-C, and how a run ends.
 *  Exit 0 done, 2 the input or the call is wrong, 1 anything else, 130 interrupted. */
import { setMaxListeners } from 'node:events';
import { type Command, InvalidArgumentError } from 'commander';
import { CoincideError } from '../core/errors.js';
import { progress, type Report } from './progress.js';

export interface CommonOptions {
  readonly json?: boolean;
  readonly quiet?: boolean;
  readonly threads: number;
  readonly device: 'auto' | 'cpu' | 'gpu' | 'reference';
  readonly seed: number;
}

/** What a verb is given beside its own arguments. */
export interface Run {
  readonly options: CommonOptions;
  readonly signal: AbortSignal;
  /** A progress bar for one part of the work. @param from share that was done before. @default 0 */
  stage(title: string, from?: number): Report & { done(): void };
  /** A line for people, on stderr. */
  say(text: string): void;
}

/** What a verb found: one JSON object, and the same in words. */
export interface Result {
  readonly json: Readonly<Record<string, unknown>>;
  readonly text: string;
  /** Exit code, where it is not 0 although the work was done: some of many studies failed. @default 0 */
  readonly code?: number;
}

export const number = (text: string): number => {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value)) throw new InvalidArgumentError(`expected a number, found "${text}".`);
  return value;
};
export const positive = (text: string): number => {
  const value = number(text);
  if (!(value > 0)) throw new InvalidArgumentError(`expected a positive number, found "${text}".`);
  return value;
};
export const whole = (text: string): number => {
  const value = number(text);
  if (!Number.isSafeInteger(value) || value < 0) throw new InvalidArgumentError(`expected a whole number, found "${text}".`);
  return value;
};
export const fraction = (text: string): number => {
  const value = number(text);
  if (!(value >= 0 && value < 1)) throw new InvalidArgumentError(`expected a fraction in [0, 1), found "${text}".`);
  return value;
};
export const notNegative = (text: string): number => {
  const value = number(text);
  if (!(value >= 0)) throw new InvalidArgumentError(`expected a number ≥ 0, found "${text}".`);
  return value;
};
export const memorySize = (text: string): number => {
  const [, digits, prefix = '', binary] = /^(\d+(?:\.\d+)?) ?([kMGT]?)(i?)B?$/i.exec(text) ?? [];
  if (digits === undefined) throw new InvalidArgumentError(`expected a size such as 8GB, found "${text}".`);
  return Number(digits) * (binary ? 1024 : 1000) ** ' KMGT'.indexOf(prefix.toUpperCase() || ' ');
};
export const share = (text: string): number => {
  const value = number(text);
  if (!(value >= 0 && value <= 1)) throw new InvalidArgumentError(`expected a share in [0, 1], found "${text}".`);
  return value;
};
/** 'a,b' → [a, b]. */
export const numbers = (text: string): number[] => text.split(',').map(number);

/** Adds the common options to a verb and wires its action, which returns nothing where it has printed its result itself. */
export function verb(
  command: Command,
  action: (run: Run, ...args: never[]) => Promise<Result | undefined>,
  defaults: { seed: number } = { seed: 1 },
): Command {
  const devices = ['auto', 'cpu', 'gpu', 'reference'];
  return command
    .option('--json', 'print the result as one JSON object on stdout')
    .option('--quiet', 'no progress and no messages')
    .option('--threads <n>', 'worker threads; 0: one for each core', whole, 0)
    .option(
      '--device <name>',
      `what projects: ${devices.join(', ')}`,
      (text) => {
        if (!devices.includes(text)) throw new InvalidArgumentError(`expected one of ${devices.join(', ')}.`);
        return text;
      },
      'auto',
    )
    .option('--seed <n>', 'seed of every random choice', whole, defaults.seed)
    .action(async (...args: unknown[]) => {
      const options = (args.at(-1) as Command).opts<CommonOptions>();
      process.exitCode = await perform(options, (run) => action(run, ...(args as never[])));
    });
}

async function perform(options: CommonOptions, action: (run: Run) => Promise<Result | undefined>): Promise<number> {
  const controller = new AbortController();
  setMaxListeners(0, controller.signal); // one for every evaluation under way
  const interrupt = (): void => {
    if (controller.signal.aborted) process.exit(130);
    controller.abort(new Error('Interrupted'));
  };
  process.on('SIGINT', interrupt);
  process.on('SIGTERM', interrupt);
  const quiet = options.quiet === true;
  const run: Run = {
    options,
    signal: controller.signal,
    stage: (title, from) => progress(title, quiet, from),
    say: (text) => void (quiet || process.stderr.write(`${text}\n`)),
  };
  try {
    const result = await action(run);
    if (!result) return 0;
    const { json, text, code = 0 } = result;
    process.stdout.write(options.json ? `${JSON.stringify(json)}\n` : quiet ? '' : `${text}\n`);
    return code;
  } catch (error) {
    if (process.stderr.isTTY) process.stderr.write('\r\x1b[2K');
    if (controller.signal.aborted) {
      process.stderr.write('Interrupted.\n');
      return 130;
    }
    if (error instanceof CoincideError) {
      process.stderr.write(`coincide: ${error.message}\n`);
      return 2;
    }
    const refused = refusal(error);
    if (refused !== undefined) {
      process.stderr.write(`coincide: ${refused}\n`);
      return 1;
    }
    process.stderr.write(`coincide: internal error: ${(error as Error).stack ?? String(error)}\n`);
    return 1;
  } finally {
    process.off('SIGINT', interrupt);
    process.off('SIGTERM', interrupt);
  }
}

const causes: Readonly<Record<string, string>> = {
  EACCES: 'no permission: choose a folder of yours',
  EPERM: 'no permission: choose a folder of yours',
  EROFS: 'the disk is read-only: choose another folder',
  ENOENT: 'this folder is not there and cannot be made',
  ENOTDIR: 'a part of this path is a file, not a folder',
  EISDIR: 'this is a folder: give the name of a file',
  ENOSPC: 'the disk is full: make room, or choose another',
  EDQUOT: 'your share of the disk is used up: make room, or choose another',
  EADDRINUSE: 'another program has this port: give another --port, or none',
};

/** What the system refused (no space, no permission, no memory), in words: it needs no stack. */
export function refusal(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  if (error instanceof RangeError && /array length|allocation failed|buffer size/i.test(error.message))
    return `there is not enough memory for arrays of this size (${error.message}). Take larger voxels, a smaller field of view or more --subsets.`;
  if (!('syscall' in error)) return undefined;
  const { code = '', path, message } = error as NodeJS.ErrnoException;
  const cause = causes[code];
  return cause === undefined ? message : `${path === undefined ? '' : `${path}: `}${cause} (${code}).`;
}
