/** @file  coincide train: a configuration to a model folder. A run that was interrupted goes on when the same command is given again. */
import { readFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { array } from '../core/array.js';
import { bodyMean } from '../denoise/denoise-volume.js';
import { openModel } from '../denoise/open-model.js';
import type { ModelCard } from '../network/model-card.js';
import { parameterCount } from '../network/parameters.js';
import { openEngine, threadCount } from '../node/devices.js';
import { mayReplace, readJson } from '../node/files.js';
import { writeModel } from '../node/model-folder.js';
import { openEvaluator } from '../node/ort-evaluator.js';
import { openTrainer } from '../node/ort-trainer.js';
import { type Checkpoint, openTrainingFolder, type TrainingFolder } from '../node/training-folder.js';
import { version } from '../node/version.js';
import type { Subject } from '../train/batch.js';
import { simulateSubject } from '../train/cohort.js';
import { parseTrainingConfig, type TrainingConfig } from '../train/config.js';
import { architectureOf, train as trainingSteps } from '../train/loop.js';
import { type Validation, validate } from '../train/validate.js';
import { duration } from './progress.js';
import { type Result, type Run, verb } from './verb.js';

interface Options {
  readonly work?: string;
  readonly output: string;
}

export function train(program: Command): void {
  const command = program
    .command('train <config>')
    .description('train a model as a JSON file describes it; give the command again to go on after an interruption')
    .option('--work <dir>', 'folder for cohort, checkpoint and log (default: the output’s name with .training)')
    .requiredOption('-o, --output <dir>', 'model folder to write');
  verb(command, async (run: Run, file: string, { output, work = `${output}.training` }: Options): Promise<Result> => {
    const started = performance.now();
    const config = parseTrainingConfig(await readJson(file), file);
    await mayReplace(output, ['model.json', 'weights.safetensors', 'train.json']);
    const folder = await openTrainingFolder(work, config);
    const { training, validation } = await cohort(run, folder, config);
    const cohortSeconds = cpuSeconds();
    const trained = await optimise(run, folder, config, training, validation);
    const card: Omit<ModelCard, 'sha256'> = {
      ...cardOf(config, training),
      training: {
        ...{
          coincide: version(),
          command: `coincide train ${file} -o ${output}`,
          config,
          subjects: training.length,
          validation: trained.validation,
        },
        ...{
          cpuMinutes: { cohort: round(cohortSeconds / 60), training: round(trained.cpuSeconds / 60) },
          data: 'simulated phantoms only',
        },
      },
    };
    const written = await writeModel(
      output,
      { card: { ...card, sha256: '' }, parameters: trained.parameters },
      { 'train.json': await readFile(file) },
    );
    const { lowCount, meanMode } = trained.validation;
    return {
      json: {
        output,
        name: config.name,
        parameters: trained.parameters.length,
        sha256: written.sha256,
        ...trained.validation,
        cpuMinutes: card.training.cpuMinutes,
      },
      text: `${output}: ${trained.parameters.length} parameters, ${duration((performance.now() - started) / 1000)}; validation PSNR ${lowCount.toFixed(2)} → ${meanMode.toFixed(2)} dB`,
    };
  });
}

async function cohort(
  run: Run,
  folder: TrainingFolder,
  config: TrainingConfig,
): Promise<{ training: Subject[]; validation: Subject[] }> {
  const engine = await openEngine(run.options);
  const stage = run.stage('cohort');
  const total = config.cohort.subjects + config.cohort.validation;
  const subjects: Subject[] = [];
  try {
    for (let number = 1; number <= total; number++) {
      subjects.push(
        await folder.subject(number, () => simulateSubject(config.cohort, config.seed, number, engine, { signal: run.signal })),
      );
      stage(number / total, `${number} of ${total} subjects`);
    }
  } finally {
    stage.done();
    await engine.dispose();
  }
  return { training: subjects.slice(0, config.cohort.subjects), validation: subjects.slice(config.cohort.subjects) };
}

async function optimise(
  run: Run,
  folder: TrainingFolder,
  config: TrainingConfig,
  training: readonly Subject[],
  held: readonly Subject[],
): Promise<{ parameters: Float32Array; validation: Validation; cpuSeconds: number }> {
  const architecture = architectureOf(config);
  const threads = threadCount(run.options);
  run.say(
    `${config.name}: ${parameterCount(architecture)} parameters, ${config.steps} steps of ${config.batch} patches, ${threads} threads`,
  );
  const trainer = openTrainer(architecture, config.batch, config.patch, { threads });
  const stage = run.stage('train');
  const resume = await folder.checkpoint();
  const began = performance.now();
  const spentBefore = cpuSeconds() - (resume?.cpuSeconds ?? 0);
  const spent = (): number => cpuSeconds() - spentBefore;
  let reached: Checkpoint | undefined;
  let smooth: number | undefined;
  let validation: Validation = { lowCount: Number.NaN, meanMode: Number.NaN };
  const look = async (average: Float32Array): Promise<Validation> => {
    const evaluator = openEvaluator(architecture, average, config.patch, { threads });
    try {
      return await validate(openModel({ ...cardOf(config, training), training: {}, sha256: '' }, evaluator), held, {
        signal: run.signal,
      });
    } finally {
      await evaluator.dispose();
    }
  };
  try {
    if (resume && resume.step >= config.steps) validation = await look(resume.state.average);
    for await (const { step, loss, gradientNorm, learningRate, fraction, state } of trainingSteps(config, training, trainer, {
      resume,
      signal: run.signal,
    })) {
      smooth = smooth === undefined ? loss : smooth + 0.01 * (loss - smooth);
      const rate = ((step - (resume?.step ?? 0)) * config.batch * 1000) / (performance.now() - began);
      stage(fraction, `step ${step}, loss ${smooth.toFixed(4)}, ${rate.toFixed(1)} patches/s`);
      reached = { step, state, cpuSeconds: spent() };
      if (step % config.checkpointEvery === 0 || step === config.steps) {
        validation = await look(state.average);
        await folder.save(reached);
        await folder.log({
          step,
          loss: smooth,
          gradientNorm,
          learningRate,
          ...validation,
          seconds: (performance.now() - began) / 1000,
        });
      }
    }
  } finally {
    stage.done();
    // An interrupted run keeps its last step.
    if (reached && run.signal.aborted) await folder.save(reached);
    await trainer.dispose();
  }
  return { parameters: (reached ?? resume)!.state.average, validation, cpuSeconds: spent() };
}

function cardOf(config: TrainingConfig, subjects: readonly Subject[]): Omit<ModelCard, 'sha256' | 'training'> {
  const means = subjects.map(({ shape, truth }) => bodyMean(array(shape, truth)));
  return {
    ...{ name: config.name, version: config.version, licence: config.licence, architecture: architectureOf(config) },
    ...{ parameterisation: 'v', schedule: 'cosine', condition: 'low-count OSEM image' },
    intensity: { unit: 'SUV', scale: config.scale, bodyMean: round(means.reduce((sum, mean) => sum + mean, 0) / means.length) },
    ...{ voxelSize: subjects[0]!.voxelSize, patch: config.patch, overlap: Math.floor(Math.min(...config.patch) / 4) },
  };
}

/** Of this process, its threads included. */
function cpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

function round(value: number): number {
  return Math.round(value * 1000) / 1000;
}
