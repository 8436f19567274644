/** @file  How well an image explains the counts, ȳ = A x + b:
 *    negative log-likelihood   L = Σ ȳ − y ln ȳ                       (Σ ln y! left away)
 *    deviance                  D = 2 Σ y ln(y/ȳ) − (y − ȳ)            (twice the Kullback-Leibler divergence)
 *    its mean if ȳ is true     E D = 2 Σ E[k ln k] − ȳ ln ȳ,  k ~ Poisson(ȳ)
 *  A bin with ȳ ≤ 0 cannot count and is left out of all three, as it is in the reconstruction. */
import { dot, expectShape, type Volume } from '../core/array.js';
import type { PoissonSubset } from '../core/interfaces.js';
import { type CallOptions, turn } from '../core/iterate.js';
import { checkedSubsets, expectedCounts } from './subset.js';

/** A deviance and what it was summed over. */
export interface MeanDeviance {
  readonly deviance: number;
  /** Bins with ȳ > 0. deviance/bins is near 1 for a true image only where bins hold many counts: compare it with `expectedDeviance`. */
  readonly bins: number;
}

/** Agreement of image and data. */
export interface Deviance extends MeanDeviance {
  /** Bins that counted although the model says they cannot (y > 0, ȳ ≤ 0): left out, but a sign of a wrong model. */
  readonly leftOut: number;
  /** Σ y over the bins. */
  readonly prompts: number;
  /** Σ ȳ over the bins. */
  readonly expected: number;
}

/** L(x) = Σ ȳ − y ln ȳ over all subsets. */
export async function negLogLikelihood(subsets: readonly PoissonSubset[], x: Volume, options: CallOptions = {}): Promise<number> {
  let sum = 0;
  await forEachBin(subsets, x, options, (y, ybar) => {
    if (ybar > 0) sum += y > 0 ? ybar - y * Math.log(ybar) : ybar;
  });
  return sum;
}

/**
 * L(x) of one subset but for Σ b, which no image changes: ⟨s, x⟩ − Σ y ln ȳ. It asks for ȳ in the bins that counted alone, so that it is
 * right for list mode too, where L itself would need all bins. One projection.
 */
export async function eventLikelihood(subset: PoissonSubset, image: Volume, options: CallOptions = {}): Promise<number> {
  const x = expectShape(image, subset.model.inShape, 'image');
  const ybar = (await expectedCounts(subset, x, options)).data;
  const y = subset.prompts.data;
  let sum = dot(subset.sensitivity, x);
  for (let i = 0; i < y.length; i++) {
    if (i % CHUNK === CHUNK - 1) await turn(options.signal);
    if (y[i]! > 0 && ybar[i]! > 0) sum -= y[i]! * Math.log(ybar[i]!);
  }
  return sum;
}

/** D(x) = 2 Σ y ln(y/ȳ) − (y − ȳ) over all subsets. */
export async function deviance(subsets: readonly PoissonSubset[], x: Volume, options: CallOptions = {}): Promise<Deviance> {
  let sum = 0;
  let bins = 0;
  let leftOut = 0;
  let prompts = 0;
  let expected = 0;
  await forEachBin(subsets, x, options, (y, ybar) => {
    if (ybar > 0) {
      sum += y > 0 ? y * Math.log(y / ybar) - (y - ybar) : ybar;
      bins++;
      prompts += y;
      expected += ybar;
    } else if (y > 0) leftOut++;
  });
  return { deviance: 2 * sum, bins, leftOut, prompts, expected };
}

/** Mean of the deviance over all data that the image could have given: what D(x) is, on average, for the truth. */
export async function expectedDeviance(
  subsets: readonly PoissonSubset[],
  x: Volume,
  options: CallOptions = {},
): Promise<MeanDeviance> {
  let sum = 0;
  let bins = 0;
  await forEachBin(subsets, x, options, (_, ybar) => {
    if (ybar <= 0) return;
    sum += poissonDevianceMean(ybar);
    bins++;
  });
  return { deviance: sum, bins };
}

/** Where the sum gives way to the series, whose error there is below 1e-5. */
const MANY = 40;
const kLogK: Float64Array = Float64Array.from({ length: 160 }, (_, k) => (k === 0 ? 0 : k * Math.log(k)));

/** E[2 (k ln(k/m) − (k − m))] for k ~ Poisson(m): about −2 m ln m for few counts, 1 + 1/(6 m) + 1/(6 m²) for many. */
export function poissonDevianceMean(m: number): number {
  if (m > MANY) return 1 + 1 / (6 * m) + 1 / (6 * m * m);
  let probability = Math.exp(-m);
  let sum = 0;
  for (let k = 1; k < kLogK.length; k++) {
    probability *= m / k;
    sum += probability * kLogK[k]!;
    if (k > m && probability < 1e-20) break;
  }
  return 2 * (sum - m * Math.log(m));
}

/** Bins between two turns of the event loop: some 10 ms of sums. */
const CHUNK = 1 << 18;

async function forEachBin(
  subsets: readonly PoissonSubset[],
  image: Volume,
  options: CallOptions,
  visit: (y: number, ybar: number) => void,
): Promise<void> {
  const data = checkedSubsets(subsets);
  const x = expectShape(image, data[0]!.model.inShape, 'image');
  for (const subset of data) {
    const ybar = (await expectedCounts(subset, x, options)).data;
    const y = subset.prompts.data;
    for (let i = 0; i < y.length; i++) {
      if (i % CHUNK === CHUNK - 1) await turn(options.signal);
      visit(y[i]!, ybar[i]!);
    }
  }
}
