/** @file  coincide import: a checkpoint that others trained to a model folder. */
import { basename } from 'node:path';
import { type Command, Option } from 'commander';
import { size } from '../core/array.js';
import { ModelError, OptionError } from '../core/errors.js';
import { type CheckpointTensor, openCheckpoint } from '../io/checkpoint.js';
import { checkedGuidedArchitecture, type GuidedCard } from '../network/guided-card.js';
import type { GuidedDiffusion } from '../network/guided-diffusion.js';
import { guidedWeights } from '../network/guided-diffusion-graph.js';
import { inferGuidedDiffusion, isYu2025, type KeyReport, networkPrefixes } from '../network/infer-guided-diffusion.js';
import { openFileSource, sha256OfFile } from '../node/file-source.js';
import { mayReplace } from '../node/files.js';
import { writeGuidedModel } from '../node/guided-folder.js';
import { positive, type Result, type Run, verb, whole } from './verb.js';

interface Options {
  readonly output: string;
  readonly weights: 'fp32' | 'fp16';
  readonly licence?: string;
  readonly modelName?: string;
  readonly prefix?: string;
  readonly headChannels?: number;
  readonly headOrder?: 'head-first' | 'kind-first';
  readonly suv: number;
  readonly voxel: number;
  readonly slices?: number;
  readonly overlap?: number;
  readonly allowUnexpected?: boolean;
}

/** What the authors of the published denoiser give its weights away under. */
const publishedLicence = 'CC-BY-NC-SA-4.0';

export function importModel(program: Command): void {
  const command = program
    .command('import <checkpoint>')
    .description('turn a checkpoint (.pt, .ckpt, .safetensors) of the guided-diffusion family into a model folder')
    .requiredOption('-o, --output <dir>', 'model folder to write')
    .addOption(new Option('--weights <how>', 'precision in which the weights are kept').choices(['fp32', 'fp16']).default('fp32'))
    .option(
      '--licence <name>',
      `licence of the weights (default: ${publishedLicence} for the published 3D denoiser, else needed)`,
    )
    .option('--model-name <name>', 'name on the card (default: the name of the file)')
    .option('--prefix <text>', 'which network, where the file holds several: what stands before its names')
    .option(
      '--head-channels <n>',
      'channels of an attention head; needed where there is attention: it cannot be seen in the weights',
      whole,
    )
    .addOption(new Option('--head-order <how>', 'order of the attention weights').choices(['head-first', 'kind-first']))
    .option('--suv <n>', 'SUV that the network’s 1 stands for; SUV above it are cut off', positive, 16)
    .option('--voxel <mm>', 'voxel size of the training data', positive, 1.65)
    .option('--slices <n>', 'slices evaluated at once (default: 96 in 3D, 1 in 2D)', whole)
    .option('--overlap <n>', 'slices that neighbours share (default: 10 in 3D, 0 in 2D)', whole)
    .option('--allow-unexpected', 'leave out weights that the network does not need instead of refusing the file');
  verb(command, async (run: Run, file: string, options: Options): Promise<Result> => {
    const started = performance.now();
    const source = await openFileSource(file);
    try {
      const { tensors, format } = await openCheckpoint(source);
      const prefix = chosenPrefix([...tensors.keys()], options.prefix, file);
      const inside = new Map(
        [...tensors].flatMap(([name, tensor]) => (name.startsWith(prefix) ? [[name.slice(prefix.length), tensor]] : [])),
      );
      const { architecture: seen, report } = inferGuidedDiffusion(
        new Map([...inside].map(([name, { shape }]) => [name, shape])),
        file,
      );
      const told = said(report, tensors.size - inside.size, prefix);
      run.say(told);
      demandWhole(report, options, file);
      const architecture = checkedHeads(seen, options);
      const licence = options.licence ?? (isYu2025(architecture) ? publishedLicence : undefined);
      if (licence === undefined) {
        throw new OptionError('The licence of the weights is not known', {
          key: '--licence',
          expected: 'the name of a licence, which is recorded and shown whenever the model is used',
          hint: 'Ask who made the checkpoint; "unknown" is an answer.',
        });
      }
      await mayReplace(options.output, ['model.json', 'weights.safetensors']);
      const stage = run.stage('import');
      const wanted = new Map([...guidedWeights(architecture).keys()].map((name) => [name, inside.get(name)!]));
      const draft = {
        ...cardOf(architecture, licence, options, file),
        source: await sourceOf(file, format, prefix, wanted, report, run),
      };
      const card = await writeGuidedModel(options.output, draft, wanted, { onProgress: stage, signal: run.signal });
      stage.done();
      const { missing, unexpected } = report;
      const parameters = [...wanted.values()].reduce((sum, { shape }) => sum + size(shape), 0);
      return {
        json: {
          ...{
            output: options.output,
            name: card.name,
            licence,
            parameters,
            architecture,
            matched: report.matched.length,
            missing,
            unexpected,
          },
          ...{ others: tensors.size - inside.size, prefix, format, weights: card.weights, sha256: card.sha256 },
          seconds: (performance.now() - started) / 1000,
        },
        text: `${options.output}: ${card.name}, ${parameters.toLocaleString('en')} parameters, ${card.weights}; licence of the weights: ${licence}`,
      };
    } finally {
      await source.close();
    }
  });
}

/** Which of the networks in the file. */
function chosenPrefix(names: readonly string[], wanted: string | undefined, file: string): string {
  const prefixes = networkPrefixes(names);
  if (prefixes.length === 0) {
    throw new ModelError('There is no network of the guided-diffusion family in this file', {
      file,
      expected: 'a weight input_blocks.0.0.weight',
      found: names.slice(0, 3).join(', ') || 'no tensors',
      hint: 'A model that coincide train made needs no import: give its folder as --model.',
    });
  }
  if (wanted === undefined ? prefixes.length > 1 : !prefixes.includes(wanted)) {
    throw new OptionError(wanted === undefined ? 'The file holds several networks' : 'There is no network under this prefix', {
      key: '--prefix',
      expected: prefixes.map((prefix) => JSON.stringify(prefix)).join(' or '),
      found: wanted,
    });
  }
  return wanted ?? prefixes[0]!;
}

function said({ matched, missing, unexpected, misshapen }: KeyReport, others: number, prefix: string): string {
  const some = (names: readonly string[]): string =>
    names.length === 0 ? '0' : `${names.length} (${names.slice(0, 5).join(', ')}${names.length > 5 ? ', …' : ''})`;
  const shapes = misshapen.map(({ name, expected, found }) => `${name} [${found.join(', ')}] for [${expected.join(', ')}]`);
  return [
    `weights${prefix === '' ? '' : ` under ${prefix}`}: matched ${matched.length}, missing ${some(missing)}, unexpected ${some(unexpected)}`,
    ...(shapes.length > 0 ? [`, of another shape ${some(shapes)}`] : []),
    ...(others > 0 ? [`; ${others} tensors elsewhere in the file are left`] : []),
  ].join('');
}

function demandWhole({ missing, unexpected, misshapen }: KeyReport, { allowUnexpected = false }: Options, file: string): void {
  if (missing.length > 0 || misshapen.length > 0) {
    throw new ModelError('The weights are not those of a network that is known', {
      file,
      key: missing[0] ?? misshapen[0]!.name,
      found: `${missing.length} missing, ${misshapen.length} of another shape`,
    });
  }
  if (unexpected.length > 0 && !allowUnexpected) {
    throw new ModelError('The file holds weights that the network does not need: it may be another network', {
      file,
      found: unexpected.slice(0, 5).join(', '),
      hint: 'If they do not matter, give --allow-unexpected.',
    });
  }
}

function checkedHeads(seen: GuidedDiffusion, { headChannels, headOrder }: Options): GuidedDiffusion {
  const attends = seen.attention.levels.length > 0 || seen.attention.middle;
  if (attends && headChannels === undefined) {
    throw new OptionError('The channels of an attention head are not known', {
      key: '--head-channels',
      expected: 'num_head_channels of its training, or the width divided by num_heads',
      hint: 'It cannot be seen in the weights.',
    });
  }
  return checkedGuidedArchitecture(attends ? { ...seen, headChannels, headOrder: headOrder ?? 'head-first' } : seen);
}

function cardOf(
  architecture: GuidedDiffusion,
  licence: string,
  options: Options,
  file: string,
): Omit<GuidedCard, 'sha256' | 'source'> {
  const flat = architecture.dimensions === 2;
  const { suv, voxel, weights, slices = flat ? 1 : 96, overlap = flat ? 0 : 10 } = options;
  if (slices < 1 || overlap >= slices || (flat && slices !== 1)) {
    throw new OptionError('Slices', {
      key: '--slices, --overlap',
      expected: flat ? '1 and 0 for a network in 2D' : 'a positive number, and fewer that overlap',
      found: `${slices}, ${overlap}`,
    });
  }
  return {
    ...{ name: options.modelName ?? basename(file).replace(/\.[^.]*$/, ''), version: '1', licence, architecture },
    ...{ parameterisation: 'eps', schedule: { kind: 'linear', steps: 1000, first: 1e-4, last: 0.02 } },
    ...{ intensity: { unit: 'SUV', scale: 1 / suv, ceiling: suv }, voxelSize: [voxel, voxel, voxel], tile: { slices, overlap } },
    ...{ condition: 'low-dose image', weights },
  };
}

async function sourceOf(
  file: string,
  format: string,
  prefix: string,
  tensors: ReadonlyMap<string, CheckpointTensor>,
  { unexpected }: KeyReport,
  run: Run,
): Promise<GuidedCard['source']> {
  const types = [...new Set([...tensors.values()].map(({ type }) => type))];
  return { file: basename(file), format, prefix, types, leftOut: unexpected, sha256: await sha256OfFile(file, run.signal) };
}
