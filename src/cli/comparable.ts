/** @file  May two images be compared voxel by voxel? Numbers of other places, or in another unit, are not. */
import { OptionError, ShapeError } from '../core/errors.js';
import type { PetImage } from '../core/image.js';
import { sameGrid } from '../geometry/shown.js';

/** @throws ShapeError where voxels are not the same places. */
export function expectSameGrid(image: PetImage, file: string, like: PetImage, name: string): void {
  if (sameGrid(image, like)) return;
  throw new ShapeError('The voxels are not those of the image that it is compared with', {
    ...{ file, key: name, expected: described(like), found: described(image) },
    hint: 'Bring both to one grid first, or leave the comparison out.',
  });
}

/** @throws ShapeError as `expectSameGrid`; OptionError where both units are known and differ. */
export function expectComparable(image: PetImage, file: string, like: PetImage, name: string): void {
  expectSameGrid(image, file, like, name);
  if (image.unit === like.unit || image.unit === 'unknown' || like.unit === 'unknown') return;
  throw new OptionError('The image is in another unit than its reference', {
    ...{ file, key: name, expected: like.unit, found: image.unit },
    hint: 'Is it the right file? Else bring both to one unit first.',
  });
}

function described({ grid, affine }: PetImage): string {
  const [size, from] = [[...grid.shape].reverse(), [affine[3], affine[7], affine[11]].map((mm) => mm!.toFixed(1))];
  const pitch = [...grid.voxelSize].reverse().map((mm) => Number(mm.toFixed(3)));
  return `${size.join(' × ')} voxels of ${pitch.join(' × ')} mm from ${from.join(', ')} mm`;
}
