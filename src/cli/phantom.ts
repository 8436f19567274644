/** @file  coincide phantom: activity, μ map and labels of a digital phantom. */
import { join } from 'node:path';
import { type Command, Option } from 'commander';
import { OptionError } from '../core/errors.js';
import { writeNifti } from '../io/nifti.js';
import { json, writeFolder } from '../node/files.js';
import { phantom as makePhantom, type PhantomKind, phantomGrid, phantomKinds } from '../simulate/phantom.js';
import { type Tracer, tracers } from '../simulate/tissues.js';
import { positive, type Result, type Run, verb } from './verb.js';

interface Options {
  readonly kind: PhantomKind;
  readonly tracer: Tracer;
  readonly voxel?: number;
  readonly output: string;
}

export function phantom(program: Command): void {
  const command = program
    .command('phantom')
    .description('make a digital phantom: activity.nii.gz (SUV), mu.nii.gz (1/cm), labels.nii.gz, labels.json')
    .addOption(new Option('--kind <name>', 'which phantom').choices(phantomKinds).makeOptionMandatory())
    .addOption(new Option('--tracer <name>', 'decides the uptake of every organ').choices(tracers).default('fdg'))
    .option('--voxel <mm>', 'voxel size (default: 4 mm)', positive)
    .requiredOption('-o, --output <dir>', 'folder to write');
  const make = async (run: Run, { kind, tracer, voxel = 4, output }: Options): Promise<Result> => {
    if (voxel > 60) throw new OptionError('Voxel size', { key: 'voxel', expected: 'a length in mm below 60', found: voxel });
    const grid = phantomGrid(kind, voxel);
    const { activity, mu, labels, names } = makePhantom(kind, { grid, tracer, seed: run.options.seed });
    const files = {
      'activity.nii.gz': writeNifti(activity, { gzip: true }),
      'mu.nii.gz': writeNifti(mu, { gzip: true }),
      'labels.nii.gz': writeNifti(labels, { gzip: true }),
    };
    await writeFolder(output, { ...files, 'labels.json': json(names) });
    const shape = [...activity.grid.shape].reverse();
    return {
      json: { kind, tracer, output, shape, voxelSize: [...activity.grid.voxelSize].reverse(), labels: names },
      text: `${kind}: ${shape.join(' × ')} voxels in ${join(output, 'activity.nii.gz')}`,
    };
  };
  // Seed 0 is the canonical phantom; every other seed is another subject.
  verb(command, make, { seed: 0 });
}
