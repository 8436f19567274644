/** @file  coincide phantom: activity, μ map and labels of a digital phantom. */
import { join } from 'node:path';
import { type Command, Option } from 'commander';
import { OptionError } from '../core/errors.js';
import { centredGrid } from '../core/image.js';
import { writeNifti } from '../io/nifti.js';
import { json, writeFolder } from '../node/files.js';
import { phantom as makePhantom, type PhantomKind, phantomKinds } from '../simulate/phantom.js';
import { positive, type Result, type Run, verb } from './verb.js';

interface Options {
  readonly kind: PhantomKind;
  readonly voxel?: number;
  readonly output: string;
}

export function phantom(program: Command): void {
  const command = program
    .command('phantom')
    .description('make a digital phantom: activity.nii.gz (SUV), mu.nii.gz (1/cm), labels.nii.gz, labels.json')
    .addOption(new Option('--kind <name>', 'which phantom').choices(phantomKinds).makeOptionMandatory())
    .option('--voxel <mm>', 'voxel size (default 4 mm, for the scanner "small")', positive)
    .requiredOption('-o, --output <dir>', 'folder to write');
  const make = async (run: Run, { kind, voxel, output }: Options): Promise<Result> => {
    const grid = voxel === undefined ? undefined : gridFor(voxel);
    const { activity, mu, labels, names } = makePhantom(kind, { grid, seed: run.options.seed });
    const files = {
      'activity.nii.gz': writeNifti(activity, { gzip: true }),
      'mu.nii.gz': writeNifti(mu, { gzip: true }),
      'labels.nii.gz': writeNifti(labels, { gzip: true }),
    };
    await writeFolder(output, { ...files, 'labels.json': json(names) });
    const shape = [...activity.grid.shape].reverse();
    return {
      json: { kind, output, shape, voxelSize: [...activity.grid.voxelSize].reverse(), labels: names },
      text: `${kind}: ${shape.join(' × ')} voxels in ${join(output, 'activity.nii.gz')}`,
    };
  };
  // Seed 0 is the canonical phantom; every other seed is another subject.
  verb(command, make, { seed: 0 });
}

/** The field of view of the scanner "small" in other voxels. */
function gridFor(voxel: number): ReturnType<typeof centredGrid> {
  if (voxel > 60) throw new OptionError('Voxel size', { key: 'voxel', expected: 'a length in mm below 60', found: voxel });
  const across = Math.max(1, Math.round(380 / voxel));
  return centredGrid([Math.max(1, Math.round(124 / voxel)), across, across], [voxel, voxel, voxel]);
}
