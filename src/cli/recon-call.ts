/** @file  The call of coincide recon: its options, and what of it can be known to be wrong before anything is read. */
import { type Command, Option } from 'commander';
import { FormatError, OptionError } from '../core/errors.js';
import { type DiffusionMethod, diffusionSettings, startImages } from '../node/diffusion-methods.js';
import { checkPlaces } from '../node/files.js';
import { imageStem } from '../node/images.js';
import { canonical, isDiffusion, type Method, methods, type ReconstructOptions } from '../node/reconstruct.js';
import { fraction, notNegative, numbers, positive, share, whole } from './verb.js';

/** What commander makes of the options; those of `reconstruct` have its names. */
export interface ReconOptions
  extends Pick<
    ReconstructOptions,
    | 'subsets'
    | 'iterations'
    | 'psf'
    | 'start'
    | 'steps'
    | 'lambda'
    | 'final'
    | 'smooth'
    | 'zeta'
    | 'samples'
    | 'startFwhm'
    | 'startFrom'
    | 'startIterations'
    | 'eta'
    | 'eps'
    | 'prior'
    | 'condition'
    | 'anchor'
    | 'rdpz'
    | 'updates'
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
  readonly checkpoint?: string;
  readonly lora?: string;
  readonly saveLora?: string;
  readonly preset?: 'fast' | 'published';
  readonly levels?: number;
  readonly rank?: number;
  readonly learningRate?: number;
  readonly heldOut?: number;
  readonly listMode?: string;
  readonly frame?: number[];
  readonly span?: number;
  readonly maxRingDifference?: number;
  readonly viewMash?: number;
  readonly output: string;
}

export function withReconOptions(command: Command): Command {
  return command
    .addOption(
      new Option('--method <name>', 'algorithm; post: OSEM, the network’s mean of it, then the data once more')
        .choices(methods)
        .default('post'),
    )
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
    .option(
      '--anatomy <file>',
      'a NIfTI of the same examination: guide of bsrem, svrg, map-em (Bowsher); given to the network of the diffusion methods',
    )
    .option('--neighbours <n>', 'bsrem, svrg, map-em with --anatomy: neighbours that count, of 26 (default 7)', whole)
    .option('--model <dir>', 'diffusion methods: model folder (default: the shipped model)')
    .option('--samples <n>', 'diffusion methods: samples that are averaged (default 4; 1 for ddip, dds, pnp-hqs, post)', whole)
    .option('--steps <n>', 'diffusion methods: noise levels (default 3; pnp-hqs 8, dds 50, post 1)', whole)
    .option(
      '--start <t>',
      'diffusion methods: network time at the start, in (0, 1) (default 0.15; pnp-hqs 0.3, dds 0.95)',
      fraction,
    )
    .addOption(
      new Option('--start-from <image>', 'diffusion methods: image at the start (default mean; dds noise, post osem)').choices(
        startImages,
      ),
    )
    .option('--start-fwhm <mm>', 'filter of an OSEM start; 0 for none (default 1.5 voxels)', notNegative)
    .option('--start-iterations <n>', 'passes of BSREM for an RDP start (default 5)', whole)
    .option('--lambda <x>', 'diffusion methods: weight of the prior, no unit (default 1; pnp-hqs 0.3, post 5)', positive)
    .option('--zeta <x>', 'diffusion methods: share of fresh noise, in [0, 1] (default 0.3)', share)
    .option('--eta <x>', 'diffusion methods: η of DDIM in [0, 1], in place of --zeta (dds 0.1)', share)
    .addOption(
      new Option('--eps <rule>', 'noise that goes on: (x − z)/σ, the network’s, or none (default rederived)').choices([
        ...['rederived', 'network', 'none'],
      ]),
    )
    .addOption(
      new Option('--prior <mode>', 'the network’s diffusion or mean mode (default diffusion)').choices(['diffusion', 'mean']),
    )
    .addOption(
      new Option('--condition <image>', 'osem: give the network the OSEM image too; uses the data twice').choices([
        'none',
        'osem',
      ]),
    )
    .option('--updates <n>', 'diffusion methods: subset updates of a data step (default 2; dds 5, post 24)', whole)
    .option('--final <x>', 'weight of the samples’ mean in a last step with all data; 0 for none (diffpir 5)', notNegative)
    .option(
      '--smooth <x>',
      'post, and that last step: how smooth what the data change is, no unit; 0 for any (default 0.1)',
      notNegative,
    )
    .option('--anchor <x>', 'dds: weight of the network’s image, no unit (default 0.1)', positive)
    .option('--rdpz <x>', 'dds: strength of relative differences between slices, no unit (default 0)', notNegative)
    .option('--spread <file>', 'diffusion methods: write the standard deviation over the samples')
    .option('--lora <file>', 'diffusion methods: adapter of the network, as --save-lora wrote it; ddip begins with it')
    .option('--save-lora <file>', 'ddip: write what the network learned from the scan, .safetensors')
    .addOption(
      new Option('--preset <name>', 'ddip: ours, or 200 levels as published (default fast)').choices(['fast', 'published']),
    )
    .option(
      '--levels <n>',
      'ddip: noise levels of the adaptation (default 3; 10 where samples are drawn, 200 as published)',
      whole,
    )
    .option('--rank <n>', 'ddip: rank of the adapter (default 4)', whole)
    .option('--learning-rate <x>', 'ddip: step of AdamW (default 0.001; 0.0005 as published)', positive)
    .option(
      '--held-out <f>',
      'ddip: share of the counts that judges the adaptation, 0 for none (default 0; 0.1 where samples are drawn)',
      fraction,
    )
    .option(
      '--checkpoint <file>',
      'where an interrupted run keeps its state; the same command goes on from there (default: the output’s name with .partial)',
    )
    .requiredOption('-o, --output <file>', 'image to write, .nii.gz or .nii; a sidecar .json goes beside it');
}

const penalised: readonly Method[] = ['bsrem', 'svrg', 'map-em'];
const diffusion = methods.filter(isDiffusion);
/** Options that some methods take: given with another, they would change nothing. */
const takenBy: readonly (readonly [taken: readonly Method[], options: readonly (keyof ReconOptions)[]])[] = [
  [penalised, ['beta', 'penalisedIterations', 'neighbours']],
  [['bsrem', 'svrg'], ['gamma']],
  [[...penalised, ...diffusion], ['anatomy']],
  [diffusion, ['model', 'samples', 'steps', 'start', 'startFrom', 'startFwhm', 'startIterations', 'lambda', 'spread', 'lora']],
  [diffusion, ['zeta', 'eta', 'eps', 'prior', 'condition', 'updates', 'final', 'smooth']],
  [['dds'], ['anchor', 'rdpz']],
  [['ddip'], ['saveLora', 'preset', 'levels', 'rank', 'learningRate', 'heldOut']],
];

/** What can be known to be wrong before anything is read. @throws OptionError, FormatError. */
export async function checkCall(path: string, options: ReconOptions): Promise<void> {
  const { method, output, spread, saveLora } = options;
  imageStem(output);
  if (spread !== undefined) imageStem(spread);
  await checkPlaces([output, spread, saveLora], [path, options.listMode, options.anatomy, options.lora]);
  if (/\.(nii(\.gz)?|hv|npz|dcm)$/i.test(path)) {
    const hint = `To denoise it: coincide denoise ${path} -o ${output}`;
    throw new FormatError('This is an image, not raw data', {
      file: path,
      expected: 'a scan folder, or a header of list mode',
      hint,
    });
  }
  for (const [taken, names] of takenBy) {
    const foreign = taken.includes(method) ? undefined : names.find((name) => options[name] !== undefined);
    if (foreign === undefined) continue;
    const key = `--${foreign.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
    throw new OptionError('This method has no such option', { key, expected: `--method ${taken.join(', ')}`, found: method });
  }
  if (spread !== undefined && isDiffusion(method) && samplesOf(canonical(method), options) < 2) {
    throw new OptionError('There is no spread without samples', { key: '--spread', expected: '--samples 2 or more' });
  }
  if ((method === 'osem' || method === 'mlem') && options.iterations === 0)
    throw new OptionError('Nothing would be reconstructed', { key: '--iterations', expected: 'at least 1', found: 0 });
}

function samplesOf(method: DiffusionMethod | 'ddip', { preset, ...options }: ReconOptions): number {
  if (method === 'ddip') return options.samples ?? (preset === 'published' ? 0 : 1);
  return diffusionSettings(method, { ...options, anatomy: undefined }).samples;
}
