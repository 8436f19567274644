/** @file  Is this image like those the model was trained on? What was measured beside what the model's card says, in words. */
import type { Point } from '../core/array.js';
import type { Grid } from '../core/image.js';
import type { ModelCard } from '../network/model-card.js';

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
const FAR = { voxel: 1.5, bodyMean: 5, maximum: 1.5, noise: 1.5, fieldOfView: 1.5 };

/** What the model does not know about an image, one sentence each; none where the card says nothing of it. */
export function unlike({ fieldOfView, bodyMean, maximum, noise }: Measured, { name, intensity, range }: ModelCard): string[] {
  const found: string[] = [];
  const ratio = bodyMean / intensity.bodyMean;
  if (!(ratio >= 1 / FAR.bodyMean && ratio <= FAR.bodyMean)) {
    found.push(
      `The mean over the body is SUV ${short(bodyMean)}, ${short(ratio)} times that of the training data: is the image in SUV?`,
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
  if (fieldOfView.some((length, axis) => length > FAR.fieldOfView * range.fieldOfView[axis]!)) {
    found.push(
      `The field of view is ${mm(fieldOfView)} [z, y, x]; ${name} was trained on at most ${mm(range.fieldOfView)} and has not seen the rest of the body.`,
    );
  }
  return found;
}

/** What the model does not know about voxels of this size, in words. */
export function unlikeVoxels({ voxelSize }: Pick<Grid, 'voxelSize'>, { card }: { readonly card: ModelCard }): string[] {
  const far = voxelSize.some((d, axis) => Math.abs(Math.log(d / card.voxelSize[axis]!)) > Math.log(FAR.voxel));
  return far
    ? [`Voxels are ${mm(voxelSize)} [z, y, x]; ${card.name} was trained on ${mm(card.voxelSize)} and knows little about others.`]
    : [];
}

/** What it costs to bring an image to the model's voxels and back. */
export function resampledNote(voxelSize: Point, used: Point, { name }: ModelCard): string[] {
  if (used.every((d, axis) => d === voxelSize[axis])) return [];
  const lost = used.some((d, axis) => d > 1.1 * voxelSize[axis]!) ? '; detail finer than that is lost' : '';
  return [`Voxels are ${mm(voxelSize)} [z, y, x]: the image was brought to the ${mm(used)} of ${name} and back${lost}.`];
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
