/** @file  What the training images were like, for the model's card: an image far outside is warned of when the model is used. */
import type { Point } from '../core/array.js';
import type { ModelCard } from '../network/model-card.js';
import type { SubjectSource } from './subject.js';

/** Least and largest noise level and voxels, and the hottest voxel, of the subjects; undefined when no noise could be told. */
export function rangeOf(subjects: readonly SubjectSource[]): ModelCard['range'] {
  const noise = subjects.flatMap((subject) => subject.noise).filter((level) => level > 0);
  if (noise.length === 0) return undefined;
  const end = (of: (...lengths: number[]) => number): Point => {
    const along = (axis: 0 | 1 | 2): number => round(of(...subjects.map(({ voxelSize }) => voxelSize[axis])));
    return [along(0), along(1), along(2)];
  };
  return {
    noise: [round(Math.min(...noise)), round(Math.max(...noise))],
    maximum: round(Math.max(...subjects.map(({ maximum }) => maximum))),
    voxelSize: [end(Math.min), end(Math.max)],
  };
}

function round(value: number): number {
  return Number(value.toPrecision(3));
}
