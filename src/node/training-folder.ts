/** @file  What a training run keeps on disk while it goes on: its configuration, the cohort, the last checkpoint and a log, so that a run
 *  that was killed goes on where it was. Subjects are read a patch's slices at a time: memory does not grow with the cohort. */
import { closeSync, existsSync, openSync, readSync, statSync } from 'node:fs';
import { appendFile, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { array, type Point, type Shape3 } from '../core/array.js';
import { FormatError } from '../core/errors.js';
import { normalisedAnatomy } from '../denoise/anatomy.js';
import { readSafetensors, readSafetensorsHeader, writeSafetensors } from '../io/safetensors.js';
import type { AdamState } from '../train/adam.js';
import type { TrainingConfig } from '../train/config.js';
import type { Pace } from '../train/loop.js';
import { type Subject, type SubjectSource, sourceOf } from '../train/subject.js';
import { json, readBytes, readJson, readText, writeFiles } from './files.js';

/** All that a run needs to go on. */
export interface Checkpoint {
  /** Steps done. */
  readonly step: number;
  readonly state: AdamState;
  /** CPU time that the steps took so far, over all processes, s. */
  readonly cpuSeconds: number;
  readonly progress: Progress;
}
/** How the run went so far, as far as what comes depends on it. */
export interface Progress {
  readonly pace: Pace;
  /** Best validation PSNR of the mean mode so far, dB, and looks since. */
  readonly best: number;
  readonly looksSince: number;
}

export interface TrainingFolder {
  /** The subject of that number: made and kept if it is not there. */
  subject(number: number, make: () => Promise<Subject>): Promise<SubjectSource>;
  /** The last checkpoint, if there is one. What was logged after it is dropped. */
  checkpoint(): Promise<Checkpoint | undefined>;
  save(checkpoint: Checkpoint): Promise<void>;
  /** One line of the log. */
  log(entry: Readonly<Record<string, unknown>> & { readonly step: number }): Promise<void>;
}

const names = ['parameters', 'firstMoment', 'secondMoment', 'average'] as const;

/**
 * Opens a folder for a run, new or begun.
 * @param places.cohort folder of the subjects, which several runs may share. @default the same
 * @param places.base checksum of the model that the run starts from. @default none
 * @throws FormatError when either holds what belongs to another configuration.
 */
export async function openTrainingFolder(
  folder: string,
  config: TrainingConfig,
  { cohort = folder, base }: { readonly cohort?: string | undefined; readonly base?: string | undefined } = {},
): Promise<TrainingFolder> {
  await claim(
    folder,
    'config.json',
    base === undefined ? config : { ...config, base },
    'This folder holds a run of another configuration',
  );
  await claim(cohort, 'cohort.json', { seed: config.seed, ...config.cohort }, 'This folder holds another cohort');
  const state = join(folder, 'checkpoint.safetensors');
  const log = join(folder, 'log.jsonl');
  return {
    async subject(number, make) {
      const file = join(cohort, `subject-${number}.safetensors`);
      if (!existsSync(file)) await writeFiles({ [file]: encodeSubject(await make()) });
      return openSubject(file);
    },
    async checkpoint() {
      if (!existsSync(state)) return undefined;
      const { tensors, metadata } = readSafetensors(await readBytes(state), state);
      const take = (name: (typeof names)[number]): Float32Array => tensors.get(name)!.data;
      const step = Number(metadata.step);
      if (existsSync(log)) {
        const lines = (await readText(log)).split('\n').filter((line) => line !== '' && loggedStep(line) <= step);
        await writeFiles({ [log]: Buffer.from(lines.map((line) => `${line}\n`).join('')) });
      }
      return {
        ...{ step, cpuSeconds: Number(metadata.cpuSeconds), progress: JSON.parse(metadata.progress!) as Progress },
        state: {
          ...{ parameters: take('parameters'), firstMoment: take('firstMoment') },
          ...{ secondMoment: take('secondMoment'), average: take('average') },
        },
      };
    },
    async save({ step, state: values, cpuSeconds, progress }) {
      const tensors = new Map(names.map((name) => [name, array([values[name].length], values[name])]));
      const metadata = { step: String(step), cpuSeconds: String(cpuSeconds), progress: JSON.stringify(progress) };
      await writeFiles({ [state]: writeSafetensors(tensors, metadata) });
    },
    log: (entry) => appendFile(log, `${JSON.stringify(entry)}\n`),
  };
}

/** Writes the note into a folder, or finds the same one there. */
async function claim(folder: string, name: string, content: unknown, refusal: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  const note = join(folder, name);
  if (!existsSync(note)) return writeFiles({ [note]: json(content) });
  if (JSON.stringify(await readJson(note)) !== JSON.stringify(content)) {
    throw new FormatError(refusal, { file: folder, hint: 'Give another folder, or remove this one.' });
  }
}

/** A line that a killed process left unfinished belongs to no step. */
function loggedStep(line: string): number {
  try {
    return (JSON.parse(line) as { step: number }).step;
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}

function encodeSubject(subject: Subject): Uint8Array {
  const { shape, voxelSize, truth, lowDose, anatomy } = subject;
  const { bodyMean, maximum, noise } = sourceOf(subject);
  const volumes = new Map([['truth', array(shape, truth)]]);
  if (anatomy) volumes.set('anatomy', array(shape, normalisedAnatomy(array(shape, anatomy))));
  lowDose.forEach((image, draw) => {
    volumes.set(`low-dose ${draw}`, array(shape, image));
  });
  return writeSafetensors(volumes, { summary: JSON.stringify({ voxelSize, bodyMean, maximum, noise }) });
}

/** Bytes that hold the header of any subject. */
const headerBytes = 1 << 16;

function openSubject(file: string): SubjectSource {
  const head = readPart(file, 0, Math.min(headerBytes, statSync(file).size));
  const { entries, metadata } = readSafetensorsHeader(head, statSync(file).size, file);
  const { voxelSize, bodyMean, maximum, noise } = JSON.parse(metadata.summary!) as {
    voxelSize: Point;
    bodyMean: number;
    maximum: number;
    noise: number[];
  };
  const places = new Map(entries.map(({ name, from }) => [name, from]));
  const shape = entries[0]!.shape as unknown as Shape3;
  const sliceBytes = 4 * shape[1] * shape[2];
  return {
    ...{ shape, voxelSize, bodyMean, maximum, noise, anatomy: places.has('anatomy') },
    read(volume, first, count) {
      const at = places.get(typeof volume === 'number' ? `low-dose ${volume}` : volume)!;
      return new Float32Array(readPart(file, at + first * sliceBytes, count * sliceBytes).buffer);
    },
  };
}

function readPart(file: string, from: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  const handle = openSync(file, 'r');
  try {
    let got = 0;
    while (got < length) {
      const n = readSync(handle, bytes, got, length - got, from + got);
      if (n === 0) throw new FormatError('The file is cut short', { file, expected: `${from + length} bytes` });
      got += n;
    }
  } finally {
    closeSync(handle);
  }
  return bytes;
}
