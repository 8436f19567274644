/** @file  coincide train: a configuration to a model folder. A run that was interrupted goes on when the same command is given again. */
import { readFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { openModel } from '../denoise/open-model.js';
import { initialLora, loraOf, mergeLora } from '../network/lora.js';
import type { Model, ModelCard } from '../network/model-card.js';
import { discriminatorManifest, initialParameters, parameterCount, started } from '../network/parameters.js';
import type { Activations } from '../network/quantise.js';
import type { Architecture } from '../network/unet.js';
import { type Adapted, type Adversary, calibrationGraph } from '../network/unet-graphs.js';
import { openEngine, threadCount } from '../node/devices.js';
import { type FileSet, mayReplace, readJson } from '../node/files.js';
import { encodeLora } from '../node/lora-file.js';
import { readModel, writeModel } from '../node/model-folder.js';
import { openEvaluator } from '../node/ort-evaluator.js';
import { chooseProvider } from '../node/ort-probe.js';
import { openSession, type Provider } from '../node/ort-session.js';
import { openTrainer } from '../node/ort-trainer.js';
import { type Checkpoint, openTrainingFolder, type Progress, type TrainingFolder } from '../node/training-folder.js';
import { version } from '../node/version.js';
import { meanOnly } from '../train/batch.js';
import { calibrate } from '../train/calibrate.js';
import { simulateSubject } from '../train/cohort.js';
import { parseTrainingConfig, type TrainingConfig } from '../train/config.js';
import { architectureOf, fallNow, paceOf, train as trainingSteps } from '../train/loop.js';
import { rangeOf } from '../train/range.js';
import type { SubjectSource } from '../train/subject.js';
import { type Validation, validate } from '../train/validate.js';
import { duration } from './progress.js';
import { type Result, type Run, verb } from './verb.js';

interface Options {
  readonly work?: string;
  readonly cohort?: string;
  readonly output: string;
}

export function train(program: Command): void {
  const command = program
    .command('train <config>')
    .description('train a model as a JSON file describes it; give the command again to go on after an interruption')
    .option('--work <dir>', 'folder for checkpoint and log (default: the output’s name with .training)')
    .option('--cohort <dir>', 'folder of the simulated subjects, which runs may share (default: the work folder)')
    .requiredOption('-o, --output <dir>', 'model folder to write');
  verb(command, trainModel);
}

async function trainModel(run: Run, file: string, options: Options): Promise<Result> {
  const { output, work = `${output}.training`, cohort: subjects } = options;
  const started = performance.now();
  const asked = parseTrainingConfig(await readJson(file), file);
  const base = asked.from === undefined ? undefined : await readModel(asked.from);
  const config = base === undefined ? asked : { ...asked, scale: base.card.intensity.scale };
  const task = taskOf(config, base);
  await mayReplace(output, ['model.json', 'weights.safetensors', 'train.json', 'lora.safetensors']);
  const folder = await openTrainingFolder(work, config, { cohort: subjects, base: base?.card.sha256 });
  const { training, validation } = await cohort(run, folder, config);
  const cohortSeconds = cpuSeconds();
  const trained = await optimise(run, folder, config, task, training, validation);
  const cpuMinutes = { cohort: round(cohortSeconds / 60), training: round(trained.cpuSeconds / 60) };
  const weights = task.weights(trained.average);
  const card: ModelCard = {
    ...cardOf(config, task.architecture, training),
    activations: await calibrated(config, task.architecture, weights, validation),
    training: {
      ...{ coincide: version(), command: `coincide train ${file} -o ${output}`, config },
      ...(base === undefined ? {} : { from: { name: base.card.name, version: base.card.version, sha256: base.card.sha256 } }),
      ...{
        subjects: training.length,
        validation: trained.validation,
        steps: trained.steps,
        provider: trained.provider,
        cpuMinutes,
      },
      data: 'simulated phantoms only',
    },
    sha256: '',
  };
  const written = await writeModel(
    output,
    { card, parameters: weights },
    { 'train.json': await readFile(file), ...task.beside(trained.average) },
  );
  const { lowCount, meanMode } = trained.validation;
  const parameters = trained.average.length;
  const took = duration((performance.now() - started) / 1000);
  return {
    json: { output, name: config.name, parameters, sha256: written.sha256, ...trained.validation, cpuMinutes },
    text: `${output}: ${parameters} parameters trained, ${took}; validation PSNR ${lowCount.toFixed(2)} → ${meanMode.toFixed(2)} dB`,
  };
}

/** What is trained, of which network, and how it becomes the weights of a model. */
interface Task {
  readonly architecture: Architecture;
  readonly adapted?: Adapted;
  readonly adversary?: Adversary;
  /** Where it starts. */
  readonly start: Float32Array;
  weights(trained: Float32Array): Float32Array;
  /** Files to put beside the model. */
  beside(trained: Float32Array): FileSet;
}

function taskOf(config: TrainingConfig, base: Model | undefined): Task {
  const architecture = base?.card.architecture ?? architectureOf(config);
  if (base === undefined || config.lora === undefined) {
    const start = base?.parameters ?? initialParameters(architecture, config.seed);
    if (config.kind === 'gan3d') {
      const { channels: widths, weight } = config.gan;
      const opponent = started(discriminatorManifest(widths), config.seed + 1);
      return {
        ...{ architecture, adversary: { widths, weight }, start: Float32Array.from([...start, ...opponent]) },
        ...{ weights: (trained) => trained.slice(0, start.length), beside: () => ({}) },
      };
    }
    return { architecture, start, weights: (trained) => trained, beside: () => ({}) };
  }
  const lora = loraOf(architecture, config.lora);
  return {
    ...{ architecture, adapted: { lora, base: base.parameters }, start: initialLora(architecture, lora, config.seed) },
    weights: (trained) => mergeLora(architecture, lora, base.parameters, trained),
    beside: (trained) => ({ 'lora.safetensors': encodeLora(architecture, lora, trained, base.card.sha256) }),
  };
}

async function cohort(
  run: Run,
  folder: TrainingFolder,
  config: TrainingConfig,
): Promise<{ training: SubjectSource[]; validation: SubjectSource[] }> {
  const engine = await openEngine(run.options);
  const stage = run.stage('cohort');
  const total = config.cohort.subjects + config.cohort.validation;
  const subjects: SubjectSource[] = [];
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

/** For drafts; from subjects that training did not see. */
async function calibrated(
  config: TrainingConfig,
  architecture: Architecture,
  weights: Float32Array,
  held: readonly SubjectSource[],
): Promise<Activations> {
  const { program, names } = calibrationGraph(architecture, config.batch, config.patch);
  const runner = await openSession(program);
  try {
    return await calibrate(config, architecture, weights, held, { runner, names });
  } finally {
    await runner.dispose();
  }
}

/** A look at the validation subjects has gained if it is this much better than the best one, dB. */
const gain = 0.02;
/** Steps between lines of the log. */
const logEvery = 50;

async function optimise(
  run: Run,
  folder: TrainingFolder,
  config: TrainingConfig,
  { architecture, adapted, adversary, start, weights }: Task,
  training: readonly SubjectSource[],
  held: readonly SubjectSource[],
): Promise<{ average: Float32Array; validation: Validation; cpuSeconds: number; steps: number; provider: Provider }> {
  const provider = await chooseProvider(run.options.device, { signal: run.signal });
  // One worker keeps a graphics card busy.
  const threads = provider === 'cpu' ? threadCount(run.options) : 1;
  const resume = await folder.checkpoint();
  const since = resume === undefined ? '' : `, going on after step ${resume.step}`;
  run.say(
    `${config.name}: ${start.length} ${adapted === undefined ? '' : `of ${parameterCount(architecture)} `}parameters, ${config.steps} steps of ${config.batch} patches, ${provider === 'cpu' ? `${threads} threads` : provider}${since}`,
  );
  const trainer = openTrainer(architecture, config.batch, config.patch, { threads, adapted, adversary, provider });
  const stage = run.stage('train', (resume?.step ?? 0) / config.steps);
  const began = performance.now();
  const spentBefore = cpuSeconds() - (resume?.cpuSeconds ?? 0);
  const spent = (): number => cpuSeconds() - spentBefore;
  let progress: Progress = resume?.progress ?? { pace: paceOf(config), best: Number.NEGATIVE_INFINITY, looksSince: 0 };
  let reached: Checkpoint | undefined = resume;
  let smooth: number | undefined;
  let validation: Validation | undefined;
  const look = async (average: Float32Array): Promise<Validation> => {
    const evaluator = openEvaluator(architecture, weights(average), config.patch, { threads, provider });
    try {
      return await validate(openModel({ ...cardOf(config, architecture, training), training: {}, sha256: '' }, evaluator), held, {
        signal: run.signal,
      });
    } finally {
      await evaluator.dispose();
    }
  };
  try {
    for await (const { step, loss, gradientNorm, learningRate, fraction, state } of trainingSteps(config, training, trainer, {
      ...{ resume, architecture, start, pace: () => progress.pace, signal: run.signal },
    })) {
      smooth = smooth === undefined ? loss : smooth + 0.01 * (loss - smooth);
      const rate = ((step - (resume?.step ?? 0)) * config.batch * 1000) / (performance.now() - began);
      const seen = validation === undefined ? '' : `, ${validation.lowCount.toFixed(2)} → ${validation.meanMode.toFixed(2)} dB`;
      stage(fraction, `step ${step}, loss ${smooth.toFixed(4)}, ${rate.toFixed(1)} patches/s${seen}`);
      const looking = step % config.checkpointEvery === 0 || step === progress.pace.end;
      if (looking) {
        validation = await look(state.average);
        progress = judged(progress, validation, config, step);
      }
      reached = { step, state, cpuSeconds: spent(), progress };
      if (looking) await folder.save(reached);
      if (looking || step % logEvery === 0) {
        await folder.log({
          ...{ step, loss: smooth, gradientNorm, learningRate, cpuSeconds: round(spent()) },
          ...(looking ? validation : {}),
        });
      }
    }
    return {
      average: reached!.state.average,
      validation: validation ?? (await look(reached!.state.average)),
      cpuSeconds: spent(),
      ...{ steps: reached!.step, provider },
    };
  } finally {
    stage.done();
    // An interrupted run keeps its last step.
    if (reached && reached !== resume && run.signal.aborted) await folder.save(reached);
    await trainer.dispose();
  }
}

/** The progress after a look: when the gains have stopped for `patience` looks, the learning rate falls from now on. */
function judged(progress: Progress, { meanMode }: Validation, config: TrainingConfig, step: number): Progress {
  const better = meanMode > progress.best + gain;
  const looksSince = better ? 0 : progress.looksSince + 1;
  const tired = config.patience > 0 && looksSince >= config.patience && step < progress.pace.fallFrom;
  return {
    pace: tired ? fallNow(config, step) : progress.pace,
    best: better ? meanMode : progress.best,
    looksSince,
  };
}

function cardOf(
  config: TrainingConfig,
  architecture: Architecture,
  subjects: readonly SubjectSource[],
): Omit<ModelCard, 'sha256' | 'training'> {
  const mean = subjects.reduce((sum, { bodyMean }) => sum + bodyMean, 0) / subjects.length;
  const middle = (axis: 0 | 1 | 2): number => {
    const lengths = subjects.map(({ voxelSize }) => voxelSize[axis]).sort((a, b) => a - b);
    return round(lengths[lengths.length >> 1]!);
  };
  return {
    ...{ name: config.name, version: config.version, licence: config.licence, architecture },
    ...{ parameterisation: 'v', schedule: 'cosine', condition: 'low-count OSEM image' },
    ...(meanOnly(config.kind) ? { modes: ['mean'] } : {}),
    intensity: { unit: 'SUV', scale: config.scale, bodyMean: round(mean) },
    voxelSize: [middle(0), middle(1), middle(2)],
    range: rangeOf(subjects),
    ...{ patch: config.patch, overlap: Math.floor(Math.max(...config.patch) / 4) },
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
