/** @file  coincide batch: many studies, one a line of a manifest. Each runs as a process of its own, so that none can harm another; each has a
 *  log, by which a finished one is skipped when the command is given again. Shards are for arrays of a scheduler. */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Command } from 'commander';
import { OptionError } from '../core/errors.js';
import { json, writeFiles } from '../node/files.js';
import { type BatchStudy, readManifest, shardOf } from '../node/manifest.js';
import { version } from '../node/version.js';
import { duration } from './progress.js';
import { type Result, type Run, verb } from './verb.js';

interface Options {
  readonly shard: string;
  readonly log?: string;
}

/** What a log says of a study. */
interface StudyLog {
  readonly id: string;
  readonly status: 'done' | 'failed' | 'interrupted';
  readonly arguments: readonly string[];
  readonly coincide: string;
  readonly code: number | null;
  readonly started: string;
  readonly seconds: number;
  /** What the verb printed with --json. */
  readonly result?: unknown;
  /** Its messages. */
  readonly messages: string;
}

const main = fileURLToPath(new URL('./main.js', import.meta.url));
/** Verbs that make a file or folder of an input. */
const verbs = ['denoise', 'recon'];

export function batch(program: Command): void {
  const command = program
    .command('batch <manifest> [options...]')
    .description(
      'many studies: a CSV file with columns input, output and, if wanted, id, verb and options of the verb; after --, options for all',
    )
    .option('--shard <i/n>', 'every n-th study, beginning with the i-th (from 1)', '1/1')
    .option('--log <dir>', 'folder for a log of each study (default: the manifest’s name with .log)');
  verb(
    command,
    async (
      run: Run,
      manifest: string,
      common: string[],
      { shard, log = `${manifest}.log` }: Options,
      own: Command,
    ): Promise<Result> => {
      const all = await readManifest(manifest);
      for (const study of all) checkOptions(program, study, manifest);
      const studies = shardOf(all, shard);
      await mkdir(log, { recursive: true });
      const counts = { done: 0, skipped: 0, failed: 0 };
      const failures: string[] = [];
      for (const study of studies) {
        run.signal.throwIfAborted();
        const args = argumentsOf(study, [...sharedBy(own), ...common]);
        const file = join(log, `${study.id}.json`);
        if (await isDone(file, study, args)) {
          counts.skipped++;
          continue;
        }
        const entry = await perform(study, args, run.signal);
        await writeFiles({ [file]: json(entry) });
        run.signal.throwIfAborted();
        counts[entry.status === 'done' ? 'done' : 'failed']++;
        if (entry.status !== 'done') failures.push(study.id);
        run.say(
          `${study.id}: ${entry.status} in ${duration(entry.seconds)}${entry.status === 'done' ? '' : `: ${reason(entry.messages)}`}`,
        );
      }
      const text = `${shard}: ${counts.done} done, ${counts.skipped} finished before, ${counts.failed} failed`;
      return { json: { manifest, shard, studies: studies.length, ...counts, failures }, text, code: counts.failed > 0 ? 1 : 0 };
    },
  );
}

/** @throws OptionError for a verb that is not there, or a column that is no option of it. */
function checkOptions(program: Command, study: BatchStudy, manifest: string): void {
  const command = verbs.includes(study.verb) ? program.commands.find((each) => each.name() === study.verb) : undefined;
  if (!command)
    throw new OptionError('No such verb', { file: manifest, key: 'verb', expected: verbs.join(' or '), found: study.verb });
  const known = command.options.map(({ long }) => long);
  const foreign = Object.keys(study.options).find((name) => !known.includes(`--${name}`));
  if (foreign !== undefined) {
    throw new OptionError('A column is no option', {
      file: manifest,
      key: foreign,
      expected: `an option of ${study.verb}`,
      found: foreign,
    });
  }
}

/** Device, threads and seed, where they were given to the batch: verbs have defaults of their own. */
function sharedBy(own: Command): string[] {
  return ['device', 'threads', 'seed'].flatMap((name) =>
    own.getOptionValueSource(name) === 'cli' ? [`--${name}`, String(own.getOptionValue(name))] : [],
  );
}

function argumentsOf({ verb: name, input, output, options }: BatchStudy, common: readonly string[]): string[] {
  return [name, input, '-o', output, ...common, ...Object.entries(options).flatMap(([option, value]) => [`--${option}`, value])];
}

/** Was it done with these arguments by this version, and is its output still there? */
async function isDone(file: string, { output }: BatchStudy, args: readonly string[]): Promise<boolean> {
  if (!existsSync(file) || !existsSync(output)) return false;
  try {
    const log = JSON.parse(await readFile(file, 'utf8')) as StudyLog;
    return log.status === 'done' && log.coincide === version() && log.arguments.join('\0') === args.join('\0');
  } catch {
    return false; // a damaged log tells nothing: the study is done again
  }
}

function perform({ id }: BatchStudy, args: readonly string[], signal: AbortSignal): Promise<StudyLog> {
  const started = new Date();
  return new Promise((settle, reject) => {
    const child = spawn(process.execPath, [main, ...args, '--json'], { stdio: ['ignore', 'pipe', 'pipe'] });
    let [stdout, messages] = ['', ''];
    child.stdout.on('data', (text) => (stdout += text));
    child.stderr.on('data', (text) => (messages += text));
    const stop = (): void => void child.kill('SIGINT');
    signal.addEventListener('abort', stop, { once: true });
    child.on('error', reject);
    child.on('close', (code) => {
      signal.removeEventListener('abort', stop);
      const status = code === 0 ? 'done' : signal.aborted ? 'interrupted' : 'failed';
      settle({
        ...{ id, status, arguments: args, coincide: version(), code, started: started.toISOString() },
        seconds: (Date.now() - started.getTime()) / 1000,
        ...(code === 0 ? { result: JSON.parse(stdout) } : {}),
        messages,
      });
    });
  });
}

/** The line that says why, among progress, warnings and advice. */
function reason(messages: string): string {
  const lines = messages.trim().split('\n');
  return lines.find((line) => /^(coincide|error): /.test(line)) ?? lines.at(-1) ?? '';
}
