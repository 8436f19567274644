/** @file  What a training run keeps on disk while it goes on: its configuration, the cohort, the last checkpoint and a log, so that a run
 *  that was killed goes on where it was. */
import { existsSync } from 'node:fs';
import { appendFile, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { array, type Point, type Shape3 } from '../core/array.js';
import { FormatError } from '../core/errors.js';
import { readSafetensors, writeSafetensors } from '../io/safetensors.js';
import type { AdamState } from '../train/adam.js';
import type { Subject } from '../train/batch.js';
import type { TrainingConfig } from '../train/config.js';
import { json, readBytes, readJson, writeFiles } from './files.js';

/** All that a run needs to go on. */
export interface Checkpoint {
  /** Steps done. */
  readonly step: number;
  readonly state: AdamState;
  /** CPU time that the steps took so far, over all processes, s. */
  readonly cpuSeconds: number;
}

export interface TrainingFolder {
  /** The subject of that number: read if it is there, made and kept if not. */
  subject(number: number, make: () => Promise<Subject>): Promise<Subject>;
  /** The last checkpoint, if there is one. */
  checkpoint(): Promise<Checkpoint | undefined>;
  save(checkpoint: Checkpoint): Promise<void>;
  /** One line of the log. */
  log(entry: Readonly<Record<string, unknown>>): Promise<void>;
}

const names = ['parameters', 'firstMoment', 'secondMoment', 'average'] as const;

/**
 * Opens a folder for a run, new or begun.
 * @throws FormatError when it holds a run of another configuration.
 */
export async function openTrainingFolder(folder: string, config: TrainingConfig): Promise<TrainingFolder> {
  await mkdir(folder, { recursive: true });
  const note = join(folder, 'config.json');
  if (existsSync(note)) {
    if (JSON.stringify(await readJson(note)) !== JSON.stringify(config)) {
      throw new FormatError('This folder holds a run of another configuration', {
        file: folder,
        hint: 'Give another --work folder, or remove this one.',
      });
    }
  } else await writeFiles({ [note]: json(config) });
  const state = join(folder, 'checkpoint.safetensors');
  return {
    async subject(number, make) {
      const file = join(folder, `subject-${number}.safetensors`);
      if (existsSync(file)) return subjectFrom(await readBytes(file), file);
      const subject = await make();
      const volumes = [subject.truth, ...subject.lowDose];
      const tensors = new Map(volumes.map((values, i) => [i === 0 ? 'truth' : `low-dose ${i}`, array(subject.shape, values)]));
      await writeFiles({ [file]: writeSafetensors(tensors, { voxelSize: JSON.stringify(subject.voxelSize) }) });
      return subject;
    },
    async checkpoint() {
      if (!existsSync(state)) return undefined;
      const { tensors, metadata } = readSafetensors(await readBytes(state), state);
      const take = (name: (typeof names)[number]): Float32Array => tensors.get(name)!.data;
      return {
        step: Number(metadata.step),
        cpuSeconds: Number(metadata.cpuSeconds ?? 0),
        state: {
          ...{ parameters: take('parameters'), firstMoment: take('firstMoment') },
          ...{ secondMoment: take('secondMoment'), average: take('average') },
        },
      };
    },
    async save({ step, state: values, cpuSeconds }) {
      const tensors = new Map(names.map((name) => [name, array([values[name].length], values[name])]));
      await writeFiles({ [state]: writeSafetensors(tensors, { step: String(step), cpuSeconds: String(cpuSeconds) }) });
    },
    log: (entry) => appendFile(join(folder, 'log.jsonl'), `${JSON.stringify(entry)}\n`),
  };
}

function subjectFrom(bytes: Uint8Array, file: string): Subject {
  const { tensors, metadata } = readSafetensors(bytes, file);
  const [truth, ...lowDose] = [...tensors.values()];
  const voxelSize = JSON.parse(metadata.voxelSize!) as Point;
  return { shape: truth!.shape as unknown as Shape3, voxelSize, truth: truth!.data, lowDose: lowDose.map(({ data }) => data) };
}
