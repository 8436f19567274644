/** @file  coincide denoise: a volume to a cleaner volume. */
import { type Command, Option } from 'commander';
import { fill, type Volume } from '../core/array.js';
import { OptionError } from '../core/errors.js';
import type { PetImage, Unit } from '../core/image.js';
import { type Denoised, denoiseVolume } from '../denoise/denoise-volume.js';
import { guidedPatches } from '../denoise/guided-model.js';
import { workingGrid } from '../denoise/unlike.js';
import { regridLike } from '../geometry/regrid.js';
import { checkPlaces } from '../node/files.js';
import { isImported } from '../node/guided-folder.js';
import { imageStem, readImage } from '../node/images.js';
import { type LoadedModel, loadModel } from '../node/model-folder.js';
import { checkOutput, checkOutputName, readStudy, type Study, studyReport, writeStudy } from '../node/study.js';
import { version as ownVersion } from '../node/version.js';
import { denoisePublished } from './denoise-yu2025.js';
import { sayLicence, sayPlan } from './guided-plan.js';
import { duration } from './progress.js';
import { fraction, memorySize, type Result, type Run, share, verb, whole } from './verb.js';

interface Options {
  readonly mode?: 'mean' | 'samples';
  readonly samples?: number;
  readonly steps?: number;
  readonly start?: number;
  readonly sampler: 'ddim' | 'dpm2';
  readonly eta: number;
  readonly reuse: number;
  readonly looks: '1' | '2';
  readonly prefilter: 'nlm' | 'none';
  readonly tiles: 'model' | 'whole';
  readonly unit?: Unit;
  readonly intensity: 'SUV' | 'body-mean';
  readonly voxels: 'model' | 'image';
  readonly model?: string;
  readonly preset?: 'yu2025';
  readonly draft?: boolean;
  readonly anatomy?: string;
  readonly memory?: number;
  readonly spread?: string;
  readonly output: string;
}

const foreignToPresets = [
  'mode',
  'samples',
  'start',
  'sampler',
  'eta',
  'reuse',
  'looks',
  'prefilter',
  'tiles',
  'spread',
  'intensity',
  'voxels',
  'anatomy',
  'draft',
] as const;

export function denoise(program: Command): void {
  const command = program
    .command('denoise <image>')
    .description('denoise an image: NIfTI (3D, or 4D frames), a DICOM PET series (its folder), Interfile, or .npz; SUV')
    .addOption(
      new Option(
        '--mode <name>',
        'mean: one evaluation; samples: the mean of several (default: mean; samples, of a model that knows no mean)',
      ).choices(['mean', 'samples']),
    )
    .option('--samples <n>', 'samples drawn (default: 4; imported models 1)', whole)
    .option('--steps <n>', 'network evaluations per sample (default: 2; imported models 20)', whole)
    .option('--start <t>', 'time at which sampling starts, in (0, 1) (default: 0.3)', fraction)
    .addOption(
      new Option('--sampler <name>', 'ddim: first order; dpm2: DPM-Solver++(2M), second order')
        .choices(['ddim', 'dpm2'])
        .default('ddim'),
    )
    .option('--eta <x>', 'stochasticity of DDIM, in [0, 1]', share, 0)
    .option('--reuse <n>', 'evaluate the coarse levels of the network in every n-th step only', whole, 1)
    .addOption(
      new Option('--looks <n>', 'of the mean: 2 looks again around what is extremely hot, which leaves rings else')
        .choices(['1', '2'])
        .default('2'),
    )
    .addOption(
      new Option(
        '--prefilter <name>',
        'of the mean: nlm takes part of the noise out beforehand, as non-local means would; or none',
      )
        .choices(['nlm', 'none'])
        .default('nlm'),
    )
    .addOption(
      new Option('--tiles <how>', 'through the network in tiles, as the model was trained, or whole: no seams, more memory')
        .choices(['model', 'whole'])
        .default('model'),
    )
    .addOption(new Option('--unit <name>', 'unit of the image, where the file does not say').choices(['SUV', 'Bq/mL', 'counts']))
    .addOption(new Option('--intensity <how>', 'how the unit becomes SUV').choices(['SUV', 'body-mean']).default('SUV'))
    .addOption(
      new Option('--voxels <whose>', 'work on voxels of the model’s size (and go back), or on the image’s own')
        .choices(['model', 'image'])
        .default('model'),
    )
    .option('--anatomy <file>', 'CT (HU or μ in 1/cm) or MR of the same examination, a NIfTI, for models that know anatomy')
    .option('--draft', 'compute in 8-bit integers: rougher, and a tenth to a third faster')
    .option('--model <dir>', 'model folder, also of an imported model (default: the shipped model)')
    .addOption(new Option('--preset <name>', 'the published pipeline of an imported model').choices(['yu2025']))
    .option('--memory <size>', 'what an imported model may take, e.g. 8GB (default: three quarters of the machine’s)', memorySize)
    .option('--spread <file>', 'write the standard deviation over the samples')
    .requiredOption(
      '-o, --output <path>',
      'NIfTI to write, on the grid of the input; or, of a DICOM series, a folder; a sidecar .json goes beside it',
    );
  verb(command, async (run: Run, source: string, options: Options): Promise<Result> => {
    const started = performance.now();
    const { unit, model: folder, preset, memory, draft, anatomy: guideFile, spread: spreadFile, output, ...how } = options;
    checkOutputName(output);
    await checkPlaces([output, spreadFile], [source, guideFile]);
    if (preset !== undefined) {
      const given = (name: 'steps' | 'seed' | (typeof foreignToPresets)[number]): boolean =>
        !['default', undefined].includes(command.getOptionValueSource(name));
      const foreign = foreignToPresets.find(given);
      if (foreign !== undefined)
        throw new OptionError('The preset has no such choice', { key: `--${foreign}`, found: `--preset ${preset}` });
      const [steps, seed] = [given('steps') ? how.steps : undefined, given('seed') ? run.options.seed : undefined];
      return denoisePublished(run, { input: source, output, model: folder, unit, steps, seed, memory });
    }
    if (spreadFile !== undefined) imageStem(spreadFile);
    const study = await readStudy(source, { unit, dicomUnit: how.intensity === 'SUV' ? 'SUV' : 'file' });
    await checkOutput(output, study);
    const intensity = intensityOf(study, how.intensity);
    const model = await loadModel(folder, { ...run.options, draft, memory, signal: run.signal });
    try {
      const { mode: asked = model.can.includes('mean') ? 'mean' : 'samples', samples: drawn = model.sampling.samples } = how;
      if (spreadFile !== undefined && (asked === 'mean' || drawn < 2)) {
        throw new OptionError('There is no spread without samples', {
          key: '--spread',
          expected: '--mode samples with two or more samples',
        });
      }
      const ofMeans = ['looks', 'prefilter'].find((name) => command.getOptionValueSource(name) !== 'default');
      if (!model.can.includes('mean') && ofMeans !== undefined)
        throw new OptionError(`${model.card.name} knows no mean`, { key: `--${ofMeans}`, hint: 'Leave it out.' });
      const looks = how.looks === '1' ? 1 : 2;
      const guide = guideFile === undefined ? undefined : await readGuide(guideFile, study.frames[0]!);
      const plan = await toldPlan(run, study, model, how, memory);
      const stage = run.stage('denoise');
      const done: Denoised[] = [];
      for (const [k, frame] of study.frames.entries()) {
        const onProgress = (fraction: number): void => stage((k + fraction) / study.frames.length);
        const seed = run.options.seed + k;
        done.push(
          await denoiseVolume(frame, model, {
            ...how,
            looks,
            anatomy: guide?.anatomy,
            intensity,
            seed,
            signal: run.signal,
            onProgress,
          }),
        );
      }
      stage.done();
      const warnings = [...new Set([...study.warnings, ...done.flatMap((frame) => frame.warnings)])];
      for (const warning of warnings) run.say(`warning: ${warning}`);
      const { name, version, sha256, licence } = model.card;
      const { sampling } = done[0]!;
      const { mode } = sampling;
      const report = {
        ...{ input: source, output, ...studyReport(study), ...sampling, seed: run.options.seed, ...plan },
        suvPerUnit: done[0]!.suvPerUnit,
        ...{
          intensity: how.intensity,
          voxels: how.voxels,
          tiles: how.tiles,
          workedOn: done[0]!.voxelSize,
          measured: done.map(({ measured }) => measured),
          warnings,
        },
        ...{
          ...(guideFile === undefined ? {} : { anatomyFile: guideFile, anatomyUnit: guide!.anatomyUnit }),
          model: { name, version, licence, sha256 },
          precision: draft ? 'int8' : 'float32',
          device: 'cpu',
          engine: 'onnxruntime',
          time: new Date().toISOString(),
          seconds: (performance.now() - started) / 1000,
        },
      };
      const derivation = `Denoised by coincide ${ownVersion()}, model ${name} ${version}, ${mode}, seed ${run.options.seed}. Research use only.`;
      await writeStudy(
        output,
        done.map(({ image }) => image),
        study,
        report,
        derivation,
      );
      const spreads = done.flatMap(({ spread }) => spread ?? []);
      if (spreadFile) await writeStudy(spreadFile, spreads, study, { ...report, output: spreadFile }, derivation);
      const frames = done.length > 1 ? `${done.length} frames, ` : '';
      return { json: report, text: `${output}: ${frames}${mode} of ${name} ${version} in ${duration(report.seconds)}` };
    } finally {
      await model.dispose();
    }
  });
}

/** Of an imported model, whose it is and what the work will take. @returns what belongs into the sidecar. */
async function toldPlan(
  run: Run,
  { frames }: Study,
  model: LoadedModel,
  { samples = model.sampling.samples, steps = model.sampling.steps, voxels }: Pick<Options, 'samples' | 'steps' | 'voxels'>,
  memory: number | undefined,
): Promise<{ plan?: unknown }> {
  if (!isImported(model)) {
    if (memory === undefined) return {};
    throw new OptionError('Only of an imported model can the memory be limited', { key: '--memory', found: model.card.name });
  }
  sayLicence(run, model);
  const { grid } = frames[0]!;
  const { shape } = voxels === 'image' ? grid : workingGrid(grid, model.card);
  const { slabs, patch } = guidedPatches(shape, model.card);
  return { plan: await sayPlan(run, model, { patch, slabs: frames.length * samples * slabs.length, steps }) };
}

/** Below this no μ and no MR lies: it is CT in Hounsfield units. */
const hounsfieldBelow = -200;

/** The anatomy at the voxels of an image, 0 in air; and how its values were taken. */
async function readGuide(file: string, like: PetImage): Promise<{ anatomy: Volume; anatomyUnit: string }> {
  const guide = await readImage(file, 'unknown');
  const hounsfield = guide.values.data.some((value) => value < hounsfieldBelow);
  const values = fill(guide.values.shape, (i) => Math.max(0, guide.values.data[i]! + (hounsfield ? 1000 : 0)));
  return { anatomy: regridLike({ ...guide, values }, like), anatomyUnit: hounsfield ? 'HU + 1000' : 'as it is, 0 in air' };
}

/** How the voxels become SUV: by what the file tells, or as asked. @throws the reason why the file has no SUV. */
function intensityOf({ frames, suv, suvPerUnit }: Study, asked: Options['intensity']): Options['intensity'] | number {
  if (asked !== 'SUV' || frames[0]!.unit === 'SUV') return asked;
  if (suv instanceof Error) throw suv;
  return suvPerUnit ?? asked;
}
