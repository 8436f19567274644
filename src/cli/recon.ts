/** @file  coincide recon: a scan folder to an image. */
import { type Command, Option } from 'commander';
import { OptionError } from '../core/errors.js';
import { defaultGrid } from '../geometry/grid.js';
import { openEngine } from '../node/devices.js';
import { imageStem, writeImage } from '../node/images.js';
import { loadModel } from '../node/model-folder.js';
import { type ReconstructOptions, reconstruct } from '../node/reconstruct.js';
import { readScan } from '../node/scan-folder.js';
import { duration } from './progress.js';
import { fraction, positive, type Result, type Run, share, verb, whole } from './verb.js';

interface Options
  extends Pick<
    ReconstructOptions,
    'subsets' | 'iterations' | 'psf' | 'start' | 'steps' | 'lambda' | 'zeta' | 'samples' | 'startFwhm'
  > {
  readonly method: 'osem' | 'mlem' | 'hqs';
  readonly voxel?: number;
  readonly size?: number;
  readonly model?: string;
  readonly spread?: string;
  readonly output: string;
}

export function recon(program: Command): void {
  const command = program
    .command('recon <scan>')
    .description('reconstruct a scan folder')
    .addOption(new Option('--method <name>', 'algorithm').choices(['osem', 'mlem', 'hqs']).default('osem'))
    .option('--subsets <n>', 'ordered subsets of views (default 8; 1 for mlem)', whole)
    .option(
      '--iterations <n>',
      'passes over the data, of OSEM or of the OSEM that hqs starts from (default 2; 20 for mlem)',
      whole,
    )
    .option('--psf <mm>', 'image-space resolution model, mm FWHM (default none)', positive)
    .option('--voxel <mm>', 'transaxial voxel size (default: the scanner’s bin size)', positive)
    .option('--size <n>', 'voxels along x and y (default: the field of view)', whole)
    .option('--model <dir>', 'hqs: model folder (default: the shipped model)')
    .option('--samples <n>', 'hqs: samples that are averaged (default 4)', whole)
    .option('--steps <n>', 'hqs: noise levels (default 12)', whole)
    .option('--start <t>', 'hqs: time at which it starts, in (0, 1) (default 0.3)', fraction)
    .option('--lambda <x>', 'hqs: weight of the prior (default 0.3)', positive)
    .option('--zeta <x>', 'hqs: share of fresh noise, in [0, 1] (default 0.3)', share)
    .option('--start-fwhm <mm>', 'hqs: filter of the image it starts from (default 1.5 voxels)', positive)
    .option('--spread <file>', 'hqs: write the standard deviation over the samples')
    .requiredOption('-o, --output <file>', 'image to write, .nii.gz or .nii; a sidecar .json goes beside it');
  verb(command, async (run: Run, folder: string, options: Options): Promise<Result> => {
    const started = performance.now();
    const { scan, unit, warnings } = await readScan(folder);
    for (const warning of warnings) run.say(`warning: ${warning}`);
    imageStem(options.output);
    if (options.spread !== undefined) {
      imageStem(options.spread);
      if (options.method !== 'hqs' || options.samples === 1) {
        throw new OptionError('There is no spread without samples', {
          key: '--spread',
          expected: '--method hqs with two or more samples',
        });
      }
    }
    const { method, voxel, size, output } = options;
    const engine = await openEngine(run.options);
    const model = method === 'hqs' ? await loadModel(options.model, run.options) : undefined;
    const stage = run.stage(method.toUpperCase());
    try {
      const grid = defaultGrid(scan.prompts.layout, { voxel, size });
      const result = await reconstruct(scan, grid, engine, {
        ...options,
        ...{ unit, model, seed: run.options.seed, signal: run.signal, onProgress: stage },
      });
      const { image, spread, ...numbers } = result;
      for (const warning of numbers.warnings) run.say(`warning: ${warning}`);
      const report = {
        output,
        scan: folder,
        shape: [...grid.shape].reverse(),
        unit,
        ...numbers,
        warnings: [...warnings, ...numbers.warnings],
        seconds: (performance.now() - started) / 1000,
      };
      await writeImage(output, image, report);
      if (options.spread && spread) await writeImage(options.spread, spread, report);
      stage.done();
      return { json: report, text: words(report) };
    } finally {
      await model?.dispose();
      await engine.dispose();
    }
  });
}

function words(r: {
  output: string;
  shape: number[];
  deviancePerBin: number;
  expectedDeviancePerBin: number;
  prompts: number;
  explained: number;
  seconds: number;
}): string {
  return [
    `${r.output}: ${r.shape.join(' × ')} voxels in ${duration(r.seconds)}`,
    `${Math.round(r.explained)} of ${r.prompts} prompts explained; deviance per bin ${r.deviancePerBin.toPrecision(4)}, ${r.expectedDeviancePerBin.toPrecision(4)} expected from counting noise`,
  ].join('\n');
}
