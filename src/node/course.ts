/** @file  The course of a long reconstruction: what has been done is traced, kept on disk now and then, and gone on from. A reconstruction is
 *  a row of phases, each with an image as its result; a phase is a row of steps, each with a state from which the next one follows. States
 *  hold float32 arrays and numbers alone, so that a resumed run gives the same bits. */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { array, type Volume } from '../core/array.js';
import { FormatError } from '../core/errors.js';
import type { PoissonSubset } from '../core/interfaces.js';
import { readSafetensors, writeSafetensors } from '../io/safetensors.js';
import { readBytes, writeFiles } from './files.js';

/** One step, for the sidecar. */
export interface TraceEntry {
  readonly phase: string;
  /** From 1, within the phase. */
  readonly step: number;
  /** Since the beginning, time of earlier runs included. */
  readonly seconds: number;
  /** What the phase has to say: likelihood, step sizes, noise levels. */
  readonly [key: string]: number | string;
}

/** What the next step follows from. The arrays are never changed afterwards. */
export interface State {
  readonly numbers: Readonly<Record<string, number>>;
  readonly arrays: Readonly<Record<string, Float32Array>>;
}

export interface Course {
  readonly trace: readonly TraceEntry[];
  /** The result of a phase: that of an earlier run, or of `work`, which begins at the state it is given. */
  phase(name: string, shape: readonly number[], work: (found: State | undefined) => Promise<Volume>): Promise<Volume>;
  /** The state that an earlier run left in the last phase of all, which has no single image as its result. */
  found(phase: string): State | undefined;
  /** After each step. @param state undefined where no run can go on. @param image as it stands. @param says for the trace; nothing: no entry. */
  step(
    phase: string,
    step: number,
    state: State | undefined,
    image: Volume,
    says?: Readonly<Record<string, number>>,
  ): Promise<void>;
  /** Whether the next state would be written at once: for states that are dear to have. */
  due(): boolean;
}

export interface CourseOptions {
  /** Where states are kept, .safetensors by content. @default nowhere */
  readonly checkpoint?: string | undefined;
  /** What makes another run another one. */
  readonly work?: unknown;
  /** Seconds between two states on disk. @default 20 */
  readonly every?: number | undefined;
  /** Whether a checkpoint of other work is replaced, with a word to `say`, instead of refused. @default false */
  readonly replace?: boolean | undefined;
  readonly say?: ((text: string) => void) | undefined;
  /** Called with the image after each step. */
  readonly onImage?: ((image: Volume, phase: string) => void) | undefined;
}

export interface OpenCourse extends Course {
  /** Writes the last state, when the run is to end before its time. */
  flush(): Promise<void>;
  /** Removes the checkpoint: the work is done. */
  remove(): Promise<void>;
}

interface Saved {
  readonly work: string;
  readonly phase: string;
  readonly numbers: Readonly<Record<string, number>>;
  readonly trace: readonly TraceEntry[];
}

/** @throws FormatError for a checkpoint that is damaged, or of other work. */
export async function openCourse(options: CourseOptions = {}): Promise<OpenCourse> {
  const { checkpoint, every = 20, onImage = () => {} } = options;
  const work = createHash('sha256')
    .update(JSON.stringify(options.work ?? null))
    .digest('hex');
  const earlier = checkpoint === undefined ? undefined : await readSaved(checkpoint, work, options);
  const trace: TraceEntry[] = [...(earlier?.saved.trace ?? [])];
  const results = new Map(named(earlier?.arrays, 'result '));
  const left = earlier && { phase: earlier.saved.phase, state: stateOf(earlier) };
  const spent = trace.at(-1)?.seconds ?? 0;
  const began = performance.now();
  let written = began;
  let last: { readonly phase: string; readonly state: State } | undefined;

  const write = async (): Promise<void> => {
    if (checkpoint === undefined || last === undefined) return;
    const { phase, state } = last;
    const arrays = [...prefixed(results, 'result '), ...prefixed(Object.entries(state.arrays), 'state ')];
    const saved: Saved = { work, phase, numbers: state.numbers, trace };
    const tensors = new Map(arrays.map(([name, values]) => [name, array([values.length], values)]));
    await writeFiles({ [checkpoint]: writeSafetensors(tensors, { course: JSON.stringify(saved) }) });
    written = performance.now();
    last = undefined;
  };
  const due = (): boolean => checkpoint !== undefined && performance.now() - written > 1000 * every;
  const found = (phase: string): State | undefined => (left?.phase === phase ? left.state : undefined);
  return {
    trace,
    async phase(name, shape, run) {
      const known = results.get(name);
      if (known) return array(shape, known);
      const image = await run(found(name));
      results.set(name, image.data);
      return image;
    },
    found,
    async step(phase, step, state, image, says) {
      if (says) trace.push({ phase, step, seconds: spent + (performance.now() - began) / 1000, ...says });
      if (state) last = { phase, state };
      onImage(image, phase);
      if (due()) await write();
    },
    due,
    flush: write,
    async remove() {
      if (checkpoint !== undefined) await rm(checkpoint, { force: true });
    },
  };
}

/** What the data are, for telling one scan from another. */
export function fingerprint(subsets: readonly PoissonSubset[]): string {
  const hash = createHash('sha256');
  for (const { prompts, background, sensitivity } of subsets)
    for (const { data } of [prompts, background, sensitivity]) hash.update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength)); // biome-ignore format: short
  return hash.digest('hex');
}

interface Read {
  readonly saved: Saved;
  readonly arrays: readonly (readonly [string, Float32Array])[];
}

async function readSaved(file: string, work: string, { replace, say = () => {} }: CourseOptions): Promise<Read | undefined> {
  if (!existsSync(file)) return undefined;
  const { tensors, metadata } = readSafetensors(await readBytes(file), file);
  const saved = metadata.course === undefined ? undefined : (JSON.parse(metadata.course) as Saved);
  if (saved?.work === work) {
    say(`going on from ${file}`);
    return { saved, arrays: [...tensors].map(([name, { data }]) => [name, data] as const) };
  }
  const fault = { file, hint: 'Remove it, name another, or give the options that it was made with.' };
  if (saved === undefined) throw new FormatError('This is no checkpoint of a reconstruction', fault);
  if (!replace) throw new FormatError('This checkpoint is of another scan, or of other options', fault);
  say(`${file} is of another scan, or of other options, and is replaced`);
  return undefined;
}

function stateOf({ saved, arrays }: Read): State {
  return { numbers: saved.numbers, arrays: Object.fromEntries(named(arrays, 'state ')) };
}

/** The entries whose name begins so, without the beginning. */
function named(entries: Iterable<readonly [string, Float32Array]> = [], beginning: string): [string, Float32Array][] {
  return [...entries].flatMap(([name, values]) =>
    name.startsWith(beginning) ? [[name.slice(beginning.length), values] as [string, Float32Array]] : [],
  );
}

function prefixed(entries: Iterable<readonly [string, Float32Array]>, beginning: string): [string, Float32Array][] {
  return [...entries].map(([name, values]) => [`${beginning}${name}`, values]);
}
