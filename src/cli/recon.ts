/** @file  coincide recon: a scan folder to an image. */
import { existsSync, statSync } from 'node:fs';
import { type Command, Option } from 'commander';
import { OptionError } from '../core/errors.js';
import { defaultGrid } from '../geometry/grid.js';
import { regrid } from '../geometry/regrid.js';
import { openEngine } from '../node/devices.js';
import { imageStem, readImage, writeImage } from '../node/images.js';
import { readListMode } from '../node/list-mode-file.js';
import { loadModel } from '../node/model-folder.js';
import {
  type ListModeFit,
  type Method,
  methods,
  type ReconstructOptions,
  reconstruct,
  type SinogramFit,
} from '../node/reconstruct.js';
import { readScan } from '../node/scan-folder.js';
import { duration } from './progress.js';
import { fraction, notNegative, numbers, positive, type Result, type Run, share, verb, whole } from './verb.js';

interface Options
  extends Pick<
    ReconstructOptions,
    | 'subsets'
    | 'iterations'
    | 'psf'
    | 'start'
    | 'steps'
    | 'lambda'
    | 'zeta'
    | 'samples'
    | 'startFwhm'
    | 'beta'
    | 'gamma'
    | 'penalisedIterations'
    | 'neighbours'
  > {
  readonly method: Method;
  readonly anatomy?: string;
  readonly voxel?: number;
  readonly size?: number;
  readonly model?: string;
  readonly spread?: string;
  readonly listMode?: string;
  readonly frame?: number[];
  readonly span?: number;
  readonly maxRingDifference?: number;
  readonly viewMash?: number;
  readonly output: string;
}

export function recon(program: Command): void {
  const command = program
    .command('recon <scan>')
    .description('reconstruct a scan folder, or list mode event by event (Siemens mMR, 32 bit; give its header)')
    .addOption(new Option('--method <name>', 'algorithm').choices(methods).default('osem'))
    .option('--subsets <n>', 'ordered subsets of views (default 8; 1 for mlem)', whole)
    .option(
      '--iterations <n>',
      'passes over the data, of OSEM or of the OSEM that others start from (default 2; 20 for mlem)',
      whole,
    )
    .option('--list-mode <header>', 'take the events from list mode, and the factors from the scan folder')
    .option('--frame <t0,t1>', 'list mode: time frame, s (default: all)', numbers)
    .option('--span <n>', 'list mode without a scan folder: axial compression (default 1)', whole)
    .option('--max-ring-difference <n>', 'list mode without a scan folder: largest ring difference (default 60)', whole)
    .option('--view-mash <n>', 'list mode without a scan folder: views added into one (default 1)', whole)
    .option('--psf <mm>', 'image-space resolution model, mm FWHM (default none)', positive)
    .option('--voxel <mm>', 'transaxial voxel size (default: the scanner’s bin size)', positive)
    .option('--size <n>', 'voxels along x and y (default: the field of view)', whole)
    .option('--beta <x>', 'bsrem, svrg, map-em: strength of the penalty, no unit (default 0.05)', positive)
    .option('--gamma <x>', 'bsrem, svrg: edge preservation of the relative difference prior (default 2)', notNegative)
    .option('--penalised-iterations <n>', 'bsrem, svrg, map-em: passes over the data (default 10; 30 for map-em)', whole)
    .option('--anatomy <file>', 'bsrem, svrg, map-em: guide, a NIfTI of the same examination (Bowsher)')
    .option('--neighbours <n>', 'with --anatomy: neighbours that count, of 26 (default 7)', whole)
    .option('--model <dir>', 'hqs: model folder (default: the shipped model)')
    .option('--samples <n>', 'hqs: samples that are averaged (default 4)', whole)
    .option('--steps <n>', 'hqs: noise levels (default 12)', whole)
    .option('--start <t>', 'hqs: time at which it starts, in (0, 1) (default 0.3)', fraction)
    .option('--lambda <x>', 'hqs: weight of the prior (default 0.3)', positive)
    .option('--zeta <x>', 'hqs: share of fresh noise, in [0, 1] (default 0.3)', share)
    .option('--start-fwhm <mm>', 'hqs: filter of the image it starts from (default 1.5 voxels)', positive)
    .option('--spread <file>', 'hqs: write the standard deviation over the samples')
    .requiredOption('-o, --output <file>', 'image to write, .nii.gz or .nii; a sidecar .json goes beside it');
  verb(command, async (run: Run, path: string, options: Options): Promise<Result> => {
    const started = performance.now();
    const { scan, unit, warnings, ...source } = await input(path, options, run);
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
    if (options.anatomy !== undefined && (method === 'osem' || method === 'mlem' || method === 'hqs')) {
      const expected = '--method bsrem, svrg or map-em';
      throw new OptionError('This method takes no guide', { key: '--anatomy', expected, found: method });
    }
    const guide = options.anatomy === undefined ? undefined : await readImage(options.anatomy);
    const engine = await openEngine(run.options);
    const model = method === 'hqs' ? await loadModel(options.model, run.options) : undefined;
    const stage = run.stage(method.toUpperCase());
    try {
      const { layout } = 'events' in scan ? scan.events : scan.prompts;
      const grid = defaultGrid(layout, { voxel, size });
      const anatomy = guide && regrid(guide, grid, scan.position);
      const settings = { ...options, anatomy, unit, model, seed: run.options.seed, signal: run.signal, onProgress: stage };
      const result = await ('events' in scan
        ? reconstruct(scan, grid, engine, settings)
        : reconstruct(scan, grid, engine, settings));
      const { image, spread, ...found } = result;
      for (const warning of found.warnings) run.say(`warning: ${warning}`);
      const report = {
        output,
        scan: path,
        ...(options.anatomy ? { anatomy: options.anatomy } : {}),
        ...source,
        shape: [...grid.shape].reverse(),
        unit,
        ...found,
        warnings: [...warnings, ...found.warnings],
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

/** What is reconstructed: list mode where it is named, or where the scan is a file that is no sinogram header; else a scan folder. */
async function input(path: string, options: Options, run: Run) {
  const { listMode, frame, span, maxRingDifference, viewMash } = options;
  const single = listMode === undefined && existsSync(path) && statSync(path).isFile() && !path.endsWith('.hs');
  if (listMode === undefined && !single) {
    const all = { '--frame': frame, '--span': span, '--max-ring-difference': maxRingDifference, '--view-mash': viewMash };
    const given = Object.entries(all).find(([, value]) => value !== undefined);
    if (given)
      throw new OptionError('This is an option of list mode', {
        key: given[0],
        found: path,
        expected: 'list mode, or --list-mode',
      });
    return readScan(path);
  }
  if (frame && !(frame.length === 2 && frame[0]! >= 0 && frame[1]! > frame[0]!)) {
    throw new OptionError('Time frame', { key: '--frame', expected: 'start,end in s, start < end', found: frame });
  }
  const stage = run.stage('events');
  const {
    duration: seconds,
    additive,
    ...rest
  } = await readListMode(listMode ?? path, {
    frame: frame && [frame[0]!, frame[1]!],
    factors: single ? undefined : path,
    layout: { span, maxRingDifference, viewMash },
    signal: run.signal,
  });
  stage.done();
  const events = { header: listMode ?? path, frame: frame ?? null, seconds, span: span ?? null, additive };
  return { ...rest, events };
}

interface Numbers {
  readonly output: string;
  readonly shape: number[];
  readonly prompts: number;
  readonly explained: number;
  readonly seconds: number;
}

function words(r: Numbers & (SinogramFit | ListModeFit)): string {
  const fit =
    'listMode' in r
      ? `event by event; ${r.listMode.leftOut} events left out, ${(100 * r.listMode.occupancy).toPrecision(2)} % of the bins hold events`
      : `deviance per bin ${r.deviancePerBin.toPrecision(4)}, ${r.expectedDeviancePerBin.toPrecision(4)} expected from counting noise`;
  return [
    `${r.output}: ${r.shape.join(' × ')} voxels in ${duration(r.seconds)}`,
    `${Math.round(r.explained)} of ${r.prompts} prompts explained; ${fit}`,
  ].join('\n');
}
