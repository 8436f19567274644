/** @file  Is this image like those the model was trained on? What was measured beside what the model's card says, in words. */
import type { Point } from '../core/array.js';
import type { Grid } from '../core/image.js';
import { type CommonCard, knownVoxels } from '../network/model-card.js';
import { coveringShape, type Sampling } from './resample.js';

/** What an image is like. */
export interface Measured {
  /** mm [z, y, x]. */
  readonly voxelSize: Point;
  /** mm [z, y, x]. */
  readonly fieldOfView: Point;
  /** Mean over the body and the hottest voxel, SUV. */
  readonly bodyMean: number;
  readonly maximum: number;
  /** `noiseLevel`: σ/mean in uptake. */
  readonly noise: number;
}

/** Outside by less than these factors is still like it. */
const FAR = { voxel: 1.5, bodyMean: 5, maximum: 1.5, noise: 1.5, fieldOfView: 1.5, patch: 2 };

/** What the model does not know about an image, one sentence each; none where the card says nothing of it. */
export function unlike({ fieldOfView, bodyMean, maximum, noise }: Measured, card: CommonCard): string[] {
  const { name, intensity, range, patch, voxelSize } = card;
  const found: string[] = [];
  const seen = (patch ?? []).map((n, axis) => n * voxelSize[axis]!);
  if (patch && fieldOfView.some((length, axis) => length < seen[axis]! / FAR.patch)) {
    found.push(
      `The field of view is ${mm(fieldOfView)} [z, y, x]; ${name} was trained on pieces of ${mm(seen)} and sees an edge all over.`,
    );
  }
  const ratio = bodyMean / (intensity.bodyMean ?? bodyMean);
  if (intensity.bodyMean && !(ratio >= 1 / FAR.bodyMean && ratio <= FAR.bodyMean)) {
    found.push(
      `The mean over the body is SUV ${short(bodyMean)}, ${short(ratio)} times that of the training data: is the image in SUV?`,
    );
  }
  if (intensity.ceiling !== undefined && maximum > intensity.ceiling) {
    found.push(
      `The hottest voxel has SUV ${short(maximum)}; ${name} was trained on images that were cut off at ${intensity.ceiling}.`,
    );
  }
  if (!range) return found;
  const [least, most] = range.noise;
  if (noise > 0 && !(noise >= least / FAR.noise && noise <= most * FAR.noise)) {
    found.push(
      `The noise level is ${percent(noise)}; ${name} was trained on ${percent(least)} to ${percent(most)} and ${noise > most ? 'leaves noise or invents structure' : 'smooths more than it need'}.`,
    );
  }
  if (maximum > FAR.maximum * range.maximum) {
    found.push(`The hottest voxel has SUV ${short(maximum)}; ${name} was trained on up to ${short(range.maximum)}.`);
  }
  const known = range.fieldOfView;
  if (known && fieldOfView.some((length, axis) => length > FAR.fieldOfView * known[axis]!)) {
    found.push(
      `The field of view is ${mm(fieldOfView)} [z, y, x]; ${name} was trained on at most ${mm(known)} and has not seen the rest of the body.`,
    );
  }
  return found;
}

/** What the model does not know about voxels of this size, in words. */
export function unlikeVoxels({ voxelSize }: Pick<Grid, 'voxelSize'>, { card }: { readonly card: CommonCard }): string[] {
  const [least, most] = knownVoxels(card);
  const far = voxelSize.some((d, axis) => d * FAR.voxel < least[axis]! || d > FAR.voxel * most[axis]!);
  const known = mm(least) === mm(most) ? mm(least) : `${mm(least)} to ${mm(most)}`;
  return far
    ? [`Voxels are ${mm(voxelSize)} [z, y, x]; ${card.name} was trained on ${known} and knows little about others.`]
    : [];
}

/** Voxels that are this share off those that the model knows are taken as they are. */
const NEAR = 0.1;

/** The grid the network works on: along each axis the image's voxels if the model knows them, else the nearest that it knows. */
export function workingGrid({ shape, voxelSize }: Sampling, card: Pick<CommonCard, 'voxelSize' | 'range'>): Sampling {
  const [least, most] = knownVoxels(card);
  const along = (axis: 0 | 1 | 2): number => {
    const d = voxelSize[axis];
    if (d * (1 + NEAR) >= least[axis] && d <= (1 + NEAR) * most[axis]) return d;
    return Math.min(most[axis], Math.max(least[axis], d));
  };
  const size: Point = [along(0), along(1), along(2)];
  return { shape: coveringShape({ shape, voxelSize }, size), voxelSize: size };
}

/** What it costs to bring an image to the model's voxels and back. */
export function resampledNote(voxelSize: Point, used: Point, { name }: CommonCard): string[] {
  if (used.every((d, axis) => d === voxelSize[axis])) return [];
  const lost = used.some((d, axis) => d > 1.1 * voxelSize[axis]!) ? '; detail finer than that is lost' : '';
  return [`Voxels are ${mm(voxelSize)} [z, y, x]: the image was brought to the ${mm(used)} that ${name} knows and back${lost}.`];
}

function mm(lengths: readonly number[]): string {
  return `${lengths.map((d) => Number(d.toFixed(3))).join(' × ')} mm`;
}

function short(value: number): string {
  return String(Number(value.toPrecision(2)));
}

function percent(value: number): string {
  return `${(100 * value).toFixed(value < 0.1 ? 1 : 0)} %`;
}
