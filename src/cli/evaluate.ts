/** @file  coincide evaluate: an image against a reference. */
import type { Command } from 'commander';
import type { Volume } from '../core/array.js';
import { OptionError } from '../core/errors.js';
import type { PetImage } from '../core/image.js';
import { imageError } from '../metrics/psnr.js';
import { contrastRecovery, regionBias } from '../metrics/regions.js';
import { ssim } from '../metrics/ssim.js';
import { readImage, readLabels } from '../node/images.js';
import { expectComparable, expectSameGrid } from './comparable.js';
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
    if (background !== undefined && labels === undefined)
      throw new OptionError('Contrast is measured between labels', { key: '--background', expected: '--labels FILE beside it' });
    expectComparable(image, file, truth, reference);
    const guard = mask === undefined ? undefined : await readImage(mask, 'unknown');
    if (guard) expectSameGrid(guard, mask!, truth, reference);
    const within = guard?.values;
    const { psnr, nrmse, rmse, dataRange } = imageError(image.values, truth.values, { mask: within });
    const similarity = ssim(image.values, truth.values, { dataRange }).ssim;
    const regions =
      labels === undefined
        ? {}
        : await perRegion(image.values, truth, { labels, reference, ...(background === undefined ? {} : { background }) });
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
  reference: PetImage,
  { labels: file, reference: name, background }: Required<Pick<Options, 'labels' | 'reference'>> & Pick<Options, 'background'>,
): Promise<Record<string, Region>> {
  const { labels, names } = await readLabels(file);
  expectSameGrid(labels, file, reference, name);
  const [map, truth] = [labels.values, reference.values];
  const found = Object.keys(names).find((key) => key === background || names[key] === background);
  if (background !== undefined && found === undefined) {
    throw new OptionError('There is no such label', {
      key: '--background',
      expected: `one of ${[...new Set(Object.values(names))].join(' | ')}`,
      found: background,
      hint: Object.keys(names).every((key) => names[key] === key)
        ? `${file} has no labels.json beside it: labels are numbers.`
        : undefined,
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
