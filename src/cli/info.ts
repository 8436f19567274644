/** @file  coincide info: what a file or folder is. */
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { size } from '../core/array.js';
import { FormatError, OptionError } from '../core/errors.js';
import { noiseLevel } from '../denoise/noise-level.js';
import { effectiveRadius } from '../geometry/scanner.js';
import { planeCount, type SinogramLayout, segmentNumbers } from '../geometry/sinogram.js';
import { readInterfileLayout } from '../io/interfile-projdata.js';
import { guidedWeights } from '../network/guided-diffusion-graph.js';
import { parameterCount } from '../network/parameters.js';
import { readBytes } from '../node/files.js';
import { readGuidedCard } from '../node/guided-folder.js';
import { readModel } from '../node/model-folder.js';
import { readScan, readScanLayout } from '../node/scan-folder.js';
import { holdsDicom, readStudy } from '../node/study.js';
import { layoutOf, type PlanOptions, planned } from './plan.js';
import { positive, type Result, type Run, verb, whole } from './verb.js';

export function info(program: Command): void {
  const command = program
    .command('info [file]')
    .description(
      'describe an image, a DICOM series, a scan folder, a sinogram header or a model folder; or plan a reconstruction',
    )
    .option('--plan', 'memory and time of an OSEM iteration of a scan folder, a sinogram header or --scanner')
    .option('--scanner <name>', '--plan: a known scanner, or a JSON file of one, instead of a scan')
    .option('--span <n>', '--plan --scanner: axial compression (default 1)', whole)
    .option('--max-ring-difference <n>', '--plan --scanner: largest ring difference (default all)', whole)
    .option('--view-mash <n>', '--plan --scanner: views added into one (default 1)', whole)
    .option('--voxel <mm>', '--plan: transaxial voxel size (default: the scanner’s bin size)', positive)
    .option('--size <n>', '--plan: voxels along x and y (default: the field of view)', whole)
    .option('--subsets <n>', '--plan: ordered subsets (default 8, or as many as memory asks for)', whole);
  verb(
    command,
    async (run: Run, file: string | undefined, options: PlanOptions & { readonly plan?: boolean }): Promise<Result> => {
      if (options.plan && file === undefined) return planned(run, await layoutOf(options), options);
      if (file === undefined)
        throw new OptionError('Nothing to describe', {
          ...{ expected: 'a file or a folder', found: 'none' },
          hint: 'coincide info FILE, or coincide info --plan --scanner NAME.',
        });
      if (!existsSync(file)) throw new FormatError('There is no such file or folder', { file });
      if (options.plan) return planned(run, await layoutIn(file), options);
      const { scanner, span, maxRingDifference, viewMash, voxel, size: edge, subsets } = options;
      if ([scanner, span, maxRingDifference, viewMash, voxel, edge, subsets].some((value) => value !== undefined))
        throw new OptionError('These options are those of a plan', { expected: '--plan beside them' });
      const found = statSync(file).isDirectory()
        ? (await holdsDicom(file))
          ? await image(file)
          : await folder(file)
        : /\.hs$/i.test(file)
          ? await header(file)
          : await image(file);
      const width = Math.max(...Object.keys(found).map((key) => key.length));
      const text = Object.entries(found).map(
        ([key, value]) => `${key.padEnd(width)}  ${typeof value === 'string' ? value : JSON.stringify(value)}`,
      );
      return { json: { file, ...found }, text: text.join('\n') };
    },
  );
}

async function layoutIn(file: string): Promise<SinogramLayout> {
  if (statSync(file).isDirectory()) return readScanLayout(file);
  return readInterfileLayout(await readBytes(file), file).layout;
}

async function folder(file: string): Promise<Record<string, unknown>> {
  if (existsSync(join(file, 'model.json'))) {
    const imported = await readGuidedCard(file);
    if (imported) {
      const parameters = [...guidedWeights(imported.architecture).values()].reduce((sum, shape) => sum + size(shape), 0);
      return { kind: 'imported model', parameters, ...imported };
    }
    const { card } = await readModel(file);
    const { name, version, licence, architecture, patch, voxelSize, intensity, sha256, training } = card;
    return {
      kind: 'model',
      name,
      version,
      licence,
      parameters: parameterCount(architecture),
      architecture,
      patch,
      voxelSize,
      intensity,
      sha256,
      training,
    };
  }
  if (!existsSync(join(file, 'prompts.hs'))) {
    throw new FormatError('This folder holds nothing that is known', {
      ...{ file, expected: 'prompts.hs (a scan), model.json (a model) or a DICOM series' },
      ...{
        found: readdirSync(file).slice(0, 4).join(', ') || 'an empty folder',
        hint: 'Name a file in it to have that described.',
      },
    });
  }
  const { scan, unit, warnings } = await readScan(file);
  const prompts = scan.prompts.values.data.reduce((sum, n) => sum + n, 0);
  const terms = { multiplicative: scan.multiplicative !== undefined, additive: scan.additive !== undefined };
  return { kind: 'scan', prompts, unit, warnings, ...terms, position: scan.position, ...describe(scan.prompts.layout) };
}

async function header(file: string): Promise<Record<string, unknown>> {
  const { layout, order, warnings } = readInterfileLayout(await readBytes(file), file);
  return { kind: 'projection data', order, warnings, ...describe(layout) };
}

function describe(layout: SinogramLayout): Record<string, unknown> {
  const { scanner, segments, views, tangential, arcCorrected, tofBins } = layout;
  return {
    ...{
      scanner: scanner.name,
      rings: scanner.rings,
      detectorsPerRing: scanner.detectorsPerRing,
      radius: effectiveRadius(scanner),
    },
    ...{ ringSpacing: scanner.ringSpacing, views, tangential, arcCorrected, tofBins, sinograms: planeCount(layout) },
    bins: tofBins * planeCount(layout) * views * tangential,
    segments: segmentNumbers(layout).map((number, i) => ({ number, ...segments[i]! })),
  };
}

async function image(file: string): Promise<Record<string, unknown>> {
  const { kind, frames, suv, suvPerUnit, warnings } = await readStudy(file, { dicomUnit: 'file' });
  const { grid, unit, affine } = frames[0]!;
  let low = Number.POSITIVE_INFINITY;
  let high = Number.NEGATIVE_INFINITY;
  let sum = 0;
  for (const { values } of frames) {
    for (const value of values.data) {
      low = Math.min(low, value);
      high = Math.max(high, value);
      sum += value;
    }
  }
  const xyz = (zyx: readonly number[]): number[] => [...zyx].reverse();
  return {
    kind: kind === 'DICOM' ? 'DICOM series' : 'image',
    shape: xyz(grid.shape),
    ...(frames.length > 1 ? { frames: frames.length } : {}),
    voxelSize: xyz(grid.voxelSize),
    unit,
    ...(suv === undefined ? {} : { suv: suv instanceof Error ? suv.message : suv }),
    min: low,
    max: high,
    mean: sum / (frames.length * frames[0]!.values.data.length),
    ...(suvPerUnit === undefined ? {} : { noiseLevel: noiseLevel(frames[0]!.values, grid.voxelSize) }),
    ...(warnings.length > 0 ? { warnings } : {}),
    affine: [...affine],
  };
}
