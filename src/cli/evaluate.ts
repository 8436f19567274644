/** @file  coincide evaluate: an image against a reference. */
import type { Command } from 'commander';
import { expectShape, type Volume } from '../core/array.js';
import { OptionError } from '../core/errors.js';
import { imageError } from '../metrics/psnr.js';
import { contrastRecovery, regionBias } from '../metrics/regions.js';
import { ssim } from '../metrics/ssim.js';
import { readImage, readLabels } from '../node/images.js';
import { type Result, type Run, verb } from './verb.js';

interface Options {
  readonly reference: string;
  readonly mask?: string;
  readonly labels?: string;
  readonly background?: string;
}

export function evaluate(program: Command): void {
  const command = program
    .command('evaluate <image>')
    .description('PSNR, SSIM and NRMSE against a reference; with labels, bias and contrast recovery per label')
    .requiredOption('--reference <file>', 'the truth')
    .option('--mask <file>', 'count only voxels above 0 here (PSNR, NRMSE)')
    .option('--labels <file>', 'label image; names from labels.json beside it')
    .option('--background <name>', 'label against which contrast is measured');
  verb(command, async (_run: Run, file: string, { reference, mask, labels, background }: Options): Promise<Result> => {
    const image = await readImage(file);
    const truth = await readImage(reference);
    expectShape(image.values, truth.values.shape, file);
    const within = mask === undefined ? undefined : expectShape((await readImage(mask)).values, truth.values.shape, mask);
    const { psnr, nrmse, rmse, dataRange } = imageError(image.values, truth.values, { mask: within });
    const similarity = ssim(image.values, truth.values, { dataRange }).ssim;
    const regions = labels === undefined ? {} : await perRegion(image.values, truth.values, labels, background);
    const overall = { psnr, dataRange, ssim: similarity, nrmse, rmse };
    const line = `PSNR ${psnr.toFixed(2)} dB (range ${dataRange.toPrecision(4)})  SSIM ${similarity.toFixed(4)}  NRMSE ${nrmse.toFixed(4)}`;
    return {
      json: { image: file, reference, ...overall, ...(labels ? { regions } : {}) },
      text: [line, ...regionLines(regions)].join('\n'),
    };
  });
}

interface Region {
  readonly mean: number;
  readonly truth: number;
  readonly biasPercent: number;
  readonly cov: number;
  readonly voxels: number;
  readonly crc?: number;
}

async function perRegion(
  image: Volume,
  truth: Volume,
  file: string,
  background: string | undefined,
): Promise<Record<string, Region>> {
  const { labels, names } = await readLabels(file);
  const map = expectShape(labels.values, truth.shape, file);
  const found = Object.keys(names).find((key) => key === background || names[key] === background);
  if (background !== undefined && found === undefined) {
    throw new OptionError('There is no such label', {
      key: '--background',
      expected: Object.values(names).join(', '),
      found: background,
    });
  }
  const regions: Record<string, Region> = {};
  for (const { label, mean, trueMean, bias, cov, voxels } of regionBias(image, truth, map)) {
    const lesion = found === undefined || label === Number(found) ? undefined : { lesion: label, background: Number(found) };
    regions[names[label] ?? String(label)] = {
      ...{ mean, truth: trueMean, biasPercent: bias, cov, voxels },
      ...(lesion ? { crc: contrastRecovery(image, truth, map, lesion) } : {}),
    };
  }
  return regions;
}

function regionLines(regions: Record<string, Region>): string[] {
  return Object.entries(regions).map(([name, { mean, truth, biasPercent, crc }]) => {
    const recovery = crc === undefined ? '' : `  CRC ${crc.toFixed(3)}`;
    return `${name.padEnd(18)} ${mean.toFixed(3)} (truth ${truth.toFixed(3)}, bias ${biasPercent.toFixed(1)} %)${recovery}`;
  });
}
