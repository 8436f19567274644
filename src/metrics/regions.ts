/** @file  Regions of interest, given by a label image: bias, contrast recovery, noise.
 *  With a the mean in a lesion, b in its background, and a*, b* the same in the truth,
 *    bias = 100 (a − a*)/a* %
 *    CRC  = (a/b − 1) / (a* /b* − 1)  (hot)  =  (1 − a/b) / (1 − a* /b*)  (cold): one formula, 1 for the truth and 0 for a flat image
 *    CoV  = standard deviation / mean
 *  NEMA NU 2 calls CRC (in %) contrast recovery, and the CoV of the means of many background regions background variability. */
import { expectShape, type Volume } from '../core/array.js';
import { OptionError } from '../core/errors.js';

export interface RegionStatistics {
  readonly label: number;
  readonly voxels: number;
  /** In the unit of the image. */
  readonly mean: number;
  /** Over the voxels of the region, unbiased: noise and texture together. */
  readonly sd: number;
  /** sd / mean. */
  readonly cov: number;
}

/**
 * Mean and spread of every label that occurs, in the order of the labels; 0 (no label) is left out.
 * @throws ShapeError when labels do not have the image's shape.
 */
export function regionStatistics(image: Volume, labels: Volume): RegionStatistics[] {
  const x = expectShape(image, image.shape, 'image').data;
  const label = expectShape(labels, image.shape, 'labels').data;
  const sums = new Map<number, { n: number; sum: number; squares: number; shift: number }>();
  for (let i = 0; i < x.length; i++) {
    const l = label[i]!;
    if (l === 0) continue;
    let s = sums.get(l);
    if (!s) sums.set(l, (s = { n: 0, sum: 0, squares: 0, shift: x[i]! }));
    const d = x[i]! - s.shift; // keeps the squares from cancelling
    s.n++;
    s.sum += d;
    s.squares += d * d;
  }
  return [...sums]
    .sort(([a], [b]) => a - b)
    .map(([l, { n, sum, squares, shift }]) => {
      const mean = shift + sum / n;
      const sd = n > 1 ? Math.sqrt(Math.max(0, squares - (sum * sum) / n) / (n - 1)) : 0;
      return { label: l, voxels: n, mean, sd, cov: sd / mean };
    });
}

export interface RegionBias extends RegionStatistics {
  readonly trueMean: number;
  /** %; NaN or infinite where the true mean is 0. */
  readonly bias: number;
}

/**
 * Statistics of every label and its bias against the truth.
 * @throws ShapeError when truth or labels do not have the image's shape.
 */
export function regionBias(image: Volume, truth: Volume, labels: Volume): RegionBias[] {
  const inTruth = regionStatistics(expectShape(truth, image.shape, 'truth'), labels);
  return regionStatistics(image, labels).map((region, i) => {
    const trueMean = inTruth[i]!.mean;
    return { ...region, trueMean, bias: (100 * (region.mean - trueMean)) / trueMean };
  });
}

export interface ContrastOptions {
  /** Label of the lesion, hot or cold. */
  readonly lesion: number;
  /** Label of its background. */
  readonly background: number;
}

/**
 * Contrast recovery coefficient of one lesion.
 * @throws OptionError when a label does not occur, or the truth has no contrast between the two.
 */
export function contrastRecovery(image: Volume, truth: Volume, labels: Volume, { lesion, background }: ContrastOptions): number {
  const regions = regionBias(image, truth, labels);
  const find = (label: number, key: string): RegionBias => {
    const region = regions.find((r) => r.label === label);
    if (region) return region;
    throw new OptionError('No voxel has this label', {
      key,
      found: label,
      expected: `one of ${regions.map((r) => r.label).join(', ')}`,
    });
  };
  const a = find(lesion, 'lesion');
  const b = find(background, 'background');
  const trueContrast = a.trueMean / b.trueMean - 1;
  if (trueContrast === 0 || !Number.isFinite(trueContrast)) {
    throw new OptionError('The truth has no contrast that could be recovered', {
      expected: 'different means in lesion and background, the latter not 0',
      found: [a.trueMean, b.trueMean],
    });
  }
  return (a.mean / b.mean - 1) / trueContrast;
}

/** Standard deviation (unbiased) / mean of numbers such as the means of many background regions (NEMA's background variability). */
export function coefficientOfVariation(values: readonly number[]): number {
  const mean = values.reduce((sum, v) => sum + v, 0) / values.length;
  return Math.sqrt(values.reduce((sum, v) => sum + (v - mean) ** 2, 0) / (values.length - 1)) / mean;
}

/**
 * Noise over realisations: the mean, over the voxels of a label, of (SD over realisations / mean over realisations). Unlike the CoV
 * within one image it does not count texture, or the anatomy, as noise.
 * @throws OptionError with fewer than two images or a label that does not occur.
 */
export function ensembleNoise(realisations: readonly Volume[], labels: Volume, label: number): number {
  if (realisations.length < 2) {
    throw new OptionError('Noise needs realisations', { expected: 'at least two images', found: realisations.length });
  }
  const images = realisations.map((image, i) => expectShape(image, labels.shape, `realisations[${i}]`).data);
  const { data } = expectShape(labels, labels.shape, 'labels');
  let sum = 0;
  let voxels = 0;
  for (let i = 0; i < data.length; i++) {
    if (data[i] !== label) continue;
    sum += coefficientOfVariation(images.map((x) => x[i]!));
    voxels++;
  }
  if (voxels === 0) throw new OptionError('No voxel has this label', { key: 'label', found: label });
  return sum / voxels;
}
