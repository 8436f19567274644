/** @file  coincide recon: a scan folder to an image. */
import { existsSync, statSync } from 'node:fs';
import type { Command } from 'commander';
import { OptionError } from '../core/errors.js';
import type { PetImage } from '../core/image.js';
import type { OpenModel } from '../denoise/open-model.js';
import { defaultGrid } from '../geometry/grid.js';
import { regrid } from '../geometry/regrid.js';
import { openEngine } from '../node/devices.js';
import { writeFiles } from '../node/files.js';
import { readImage, writeImage } from '../node/images.js';
import { type ListModeOptions, listModeLayout, readListMode } from '../node/list-mode-file.js';
import { encodeLora, readLora } from '../node/lora-file.js';
import { isTrainable, type LoadedModel, loadModel, type TrainableModel } from '../node/model-folder.js';
import { checkGrid, isDiffusion, reconstruct } from '../node/reconstruct.js';
import { readScan, readScanLayout } from '../node/scan-folder.js';
import type { ListModeFit, SinogramFit } from '../node/scan-model.js';
import { duration } from './progress.js';
import { checkCall, type ReconOptions, withReconOptions } from './recon-call.js';
import { type Result, type Run, verb } from './verb.js';

export function recon(program: Command): void {
  const command = program
    .command('recon <scan>')
    .description('reconstruct a scan folder, or list mode event by event (Siemens mMR, 32 bit; give its header)');
  verb(withReconOptions(command), async (run: Run, path: string, options: ReconOptions): Promise<Result> => {
    const started = performance.now();
    await checkCall(path, options);
    const { method, voxel, size, output } = options;
    const { layout, read } = await input(path, options);
    const grid = defaultGrid(layout, { voxel, size });
    const engine = await openEngine(run.options);
    let model: LoadedModel | undefined;
    let reached: { readonly image: () => PetImage; readonly phase: string } | undefined;
    try {
      // Before the data are read: they may be many.
      checkGrid(layout, grid, engine, options);
      const { scan, unit, warnings, ...source } = await read(run);
      for (const warning of warnings) run.say(`warning: ${warning}`);
      const guide = options.anatomy === undefined ? undefined : await readImage(options.anatomy);
      model = isDiffusion(method) ? await loadModel(options.model, run.options) : undefined;
      const stage = run.stage(method.toUpperCase());
      const anatomy = guide && regrid(guide, grid, scan.position);
      const checkpoint = options.checkpoint ?? `${output}.partial`;
      const settings = {
        ...{ ...options, anatomy, unit, model, seed: run.options.seed, signal: run.signal, onProgress: stage, say: run.say },
        ...{ checkpoint, replaceCheckpoint: options.checkpoint === undefined },
        adapter: options.lora === undefined ? undefined : await readLora(trainable(model).card, options.lora),
        ddip: pick(options, ['preset', 'levels', 'rank', 'learningRate', 'heldOut']),
        onImage: (image: () => PetImage, phase: string) => (reached = { image, phase }),
      };
      const work = 'events' in scan ? reconstruct(scan, grid, engine, settings) : reconstruct(scan, grid, engine, settings);
      const result = await work.catch(async (error: unknown) => {
        if (run.signal.aborted && reached) {
          const unfinished = { output, scan: path, unfinished: reached.phase, checkpoint };
          await writeImage(output, reached.image(), unfinished);
          run.say(`${output} is what there was; the same command goes on from ${checkpoint}`);
        }
        throw error;
      });
      const { image, spread, adapter, ...found } = result;
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
      if (options.saveLora && adapter) {
        const { architecture, sha256 } = trainable(model).card;
        await writeFiles({ [options.saveLora]: encodeLora(architecture, adapter.lora, adapter.values, sha256) });
      }
      stage.done();
      return { json: report, text: words(report) };
    } finally {
      await model?.dispose();
      await engine.dispose();
    }
  });
}

/** @throws OptionError for a model that has no weights to adapt. */
function trainable(model: OpenModel | undefined): TrainableModel {
  if (model && isTrainable(model)) return model;
  throw new OptionError('Only models made by coincide train have adapters', { key: '--model', found: model?.card.name });
}

/** Some of the options, those that were given. */
function pick<K extends keyof ReconOptions>(options: ReconOptions, keys: readonly K[]): Pick<ReconOptions, K> {
  return Object.fromEntries(keys.flatMap((key) => (options[key] === undefined ? [] : [[key, options[key]]]))) as Pick<
    ReconOptions,
    K
  >;
}

/**
 * What is reconstructed: list mode where it is named, or where the scan is a file that is no sinogram header; else a scan folder.
 * @returns its layout, from headers alone, and how the data are read.
 */
async function input(path: string, options: ReconOptions) {
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
    return { layout: await readScanLayout(path), read: () => readScan(path) };
  }
  if (frame && !(frame.length === 2 && frame[0]! >= 0 && frame[1]! > frame[0]!)) {
    throw new OptionError('Time frame', { key: '--frame', expected: 'start,end in s, start < end', found: frame });
  }
  const header = listMode ?? path;
  const how: ListModeOptions = {
    frame: frame && [frame[0]!, frame[1]!],
    factors: single ? undefined : path,
    layout: { span, maxRingDifference, viewMash },
  };
  const read = async ({ stage, signal }: Run) => {
    const reading = stage('events');
    const { duration: seconds, additive, ...rest } = await readListMode(header, { ...how, signal });
    reading.done();
    return { ...rest, events: { header, frame: frame ?? null, seconds, span: span ?? null, additive } };
  };
  return { layout: await listModeLayout(how), read };
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
