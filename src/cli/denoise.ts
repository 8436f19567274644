/** @file  coincide denoise: a volume to a cleaner volume. */
import { type Command, Option } from 'commander';
import { OptionError } from '../core/errors.js';
import type { Unit } from '../core/image.js';
import { denoiseVolume } from '../denoise/denoise-volume.js';
import { imageStem, readImage, writeImage } from '../node/images.js';
import { loadModel } from '../node/model-folder.js';
import { denoisePublished } from './denoise-yu2025.js';
import { duration } from './progress.js';
import { fraction, type Result, type Run, share, verb, whole } from './verb.js';

interface Options {
  readonly mode: 'mean' | 'samples';
  readonly samples: number;
  readonly steps: number;
  readonly start: number;
  readonly eta: number;
  readonly unit?: Unit;
  readonly intensity: 'SUV' | 'body-mean';
  readonly model?: string;
  readonly preset?: 'yu2025';
  readonly spread?: string;
  readonly output: string;
}

export function denoise(program: Command): void {
  const command = program
    .command('denoise <image>')
    .description('denoise a volume (NIfTI or Interfile, SUV)')
    .addOption(
      new Option('--mode <name>', 'mean: one evaluation; samples: the mean of several')
        .choices(['mean', 'samples'])
        .default('mean'),
    )
    .option('--samples <n>', 'samples drawn (mode samples)', whole, 4)
    .option('--steps <n>', 'network evaluations per sample', whole, 2)
    .option('--start <t>', 'time at which sampling starts, in (0, 1)', fraction, 0.3)
    .option('--eta <x>', 'stochasticity of DDIM, in [0, 1]', share, 0)
    .addOption(new Option('--unit <name>', 'unit of the image, where the file does not say').choices(['SUV', 'Bq/mL', 'counts']))
    .addOption(new Option('--intensity <how>', 'how the unit becomes SUV').choices(['SUV', 'body-mean']).default('SUV'))
    .option('--model <dir>', 'model folder (default: the shipped model)')
    .addOption(new Option('--preset <name>', 'the published pipeline of an imported model').choices(['yu2025']))
    .option('--spread <file>', 'write the standard deviation over the samples')
    .requiredOption('-o, --output <file>', 'image to write, on the grid of the input; a sidecar .json goes beside it');
  verb(command, async (run: Run, file: string, options: Options): Promise<Result> => {
    const started = performance.now();
    const { unit, model: folder, preset, spread: spreadFile, output, ...how } = options;
    imageStem(output);
    if (preset !== undefined) {
      const given = (name: 'steps' | 'seed' | 'mode' | 'samples' | 'start' | 'eta' | 'spread' | 'intensity'): boolean =>
        !['default', undefined].includes(command.getOptionValueSource(name));
      const foreign = (['mode', 'samples', 'start', 'eta', 'spread', 'intensity'] as const).find(given);
      if (foreign !== undefined)
        throw new OptionError('The preset has no such choice', { key: `--${foreign}`, found: `--preset ${preset}` });
      const [steps, seed] = [given('steps') ? how.steps : undefined, given('seed') ? run.options.seed : undefined];
      return denoisePublished(run, { input: file, output, model: folder, unit, steps, seed });
    }
    if (spreadFile !== undefined) {
      imageStem(spreadFile);
      if (how.mode === 'mean' || how.samples === 1) {
        throw new OptionError('There is no spread without samples', {
          key: '--spread',
          expected: '--mode samples with two or more samples',
        });
      }
    }
    const image = await readImage(file, unit);
    const model = await loadModel(folder, run.options);
    const stage = run.stage('denoise');
    try {
      const {
        image: clean,
        spread,
        warnings,
        suvPerUnit,
      } = await denoiseVolume(image, model, {
        ...how,
        ...{ seed: run.options.seed, signal: run.signal, onProgress: stage },
      });
      stage.done();
      for (const warning of warnings) run.say(`warning: ${warning}`);
      const { name, version, sha256, licence } = model.card;
      const report = {
        ...{ input: file, output, ...how, seed: run.options.seed, unit: image.unit, suvPerUnit, warnings },
        ...{
          model: { name, version, licence, sha256 },
          device: 'cpu',
          engine: 'onnxruntime',
          seconds: (performance.now() - started) / 1000,
        },
      };
      await writeImage(output, clean, report, image);
      if (spreadFile && spread) await writeImage(spreadFile, spread, report, image);
      return { json: report, text: `${output}: ${how.mode} of ${name} ${version} in ${duration(report.seconds)}` };
    } finally {
      await model.dispose();
    }
  });
}
