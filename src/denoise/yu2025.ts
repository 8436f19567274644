/** @file  The published pipeline of Yu et al. 2025, doi:10.1007/s00259-025-07122-4, as its scripts run it (commit 817317a):
 *    c = min(SUV, ceiling) · scale, on voxels of the model's size
 *    for each slab of 96 slices: the generator of PyTorch is seeded anew, x_T ~ N(0, I), ancestral steps to x_0
 *    slabs are joined over 10 slices;  SUV = max(0, x_0 / scale)
 *  Beside them: any voxel size is brought to the model's and back, any plane is padded, the last slices are never lost.
 *  Every slab has the same noise, as published; hot voxels are cut off at the ceiling, and how many is said. */
import { array, fill, type Shape3, type Volume } from '../core/array.js';
import { OptionError, ShapeError } from '../core/errors.js';
import type { PetImage } from '../core/image.js';
import { type CallOptions, last, turn } from '../core/iterate.js';
import type { GuidedCard } from '../network/guided-card.js';
import { ddpm } from '../prior/ddpm.js';
import { posteriorTable, spacedTimesteps } from '../prior/schedule.js';
import { torchNoise } from '../prior/torch-noise.js';
import { type GuidedModel, guidedPatches } from './guided-model.js';
import { coveringShape, resample, type Sampling } from './resample.js';
import { cutSlab, joinSlabs } from './slabs.js';

export interface Yu2025Options extends CallOptions {
  /** Ancestral steps; fewer are spread evenly over the schedule. @default all of the schedule, 1000 */
  readonly steps?: number | undefined;
  /** Of each slab's noise. @default 10 */
  readonly seed?: number | undefined;
  /** Called with the share done. */
  readonly onProgress?: ((fraction: number) => void) | undefined;
}
export interface Yu2025Result {
  readonly image: PetImage;
  /** Slices of the model's grid at which slabs begin. */
  readonly slabs: readonly number[];
  /** Shape on the model's grid. */
  readonly modelShape: Shape3;
  readonly steps: number;
  readonly seed: number;
  /** What was done to the image that changes it, in words. */
  readonly warnings: readonly string[];
}

/** Voxel sizes that differ by less are the same: over 500 slices it is half a slice. */
const sameVoxel = 0.001;

/** What the pipeline makes of an image's grid. */
export interface Yu2025Grid {
  /** Whether the voxels are of the model's size as they are. */
  readonly same: boolean;
  /** Grid that the model works on. */
  readonly grid: Sampling;
  /** First slices of its slabs. */
  readonly slabs: readonly number[];
  /** Largest patch that the network is given, [D, H, W]. */
  readonly patch: Shape3;
}

export function yu2025Grid(grid: Sampling, card: GuidedCard): Yu2025Grid {
  const { voxelSize } = card;
  const same = grid.voxelSize.every((d, axis) => Math.abs(d / voxelSize[axis]! - 1) < sameVoxel);
  const there = same ? grid : { shape: coveringShape(grid, voxelSize), voxelSize };
  return { same, grid: there, ...guidedPatches(there.shape, card) };
}

/**
 * Denoises an image in SUV; the result has its grid, unit and meta.
 * @throws OptionError when the unit is not SUV or an option is out of range.
 */
export async function denoiseYu2025(image: PetImage, model: GuidedModel, options: Yu2025Options = {}): Promise<Yu2025Result> {
  const { card, alphaBar } = model;
  const { steps = alphaBar.length, seed = 10, onProgress, signal } = options;
  if (image.values.shape.length !== 3) throw new ShapeError('Image', { expected: 'three axes', found: [...image.values.shape] });
  if (image.unit !== 'SUV') {
    throw new OptionError('The unit of the image is not SUV', {
      key: 'unit',
      expected: `SUV, which ${card.name} was trained on`,
      found: image.unit,
      hint: "If it is, say so: unit: 'SUV' (--unit SUV); else convert it.",
    });
  }
  const table = posteriorTable(alphaBar, spacedTimesteps(steps, alphaBar.length));
  const { grid } = image;
  const { same, grid: there, slabs: starts } = yu2025Grid(grid, card);
  const onModelGrid = same ? image.values : await resample(image.values, grid, there, { signal });
  const { scale, ceiling } = card.intensity;
  const condition = fill(there.shape, (i) => Math.min(onModelGrid.data[i]!, ceiling) * scale);

  const { slices, overlap } = card.tile;
  const join = joinSlabs(there.shape, slices, overlap);
  for (const [i, start] of starts.entries()) {
    await turn(signal);
    const c = cutSlab(condition, start, slices);
    const randn = torchNoise(seed);
    const predict = model.predict(c);
    const steps = ddpm(predict, randn(c.shape), { noise: () => randn(c.shape), table, signal });
    const { image: sample } = await last(steps, ({ fraction }) => onProgress?.((i + fraction) / starts.length));
    join.add(sample);
  }
  const suv = fill(there.shape, (i) => Math.max(0, join.volume.data[i]! / scale));
  const values = same ? suv : nonNegative(await resample(suv, there, grid, { signal }));
  return {
    image: { ...image, values },
    ...{ slabs: starts, modelShape: there.shape, steps, seed },
    warnings: warningsOf(image, onModelGrid, ceiling, there.shape, same, card.voxelSize),
  };
}

function warningsOf(
  { grid }: PetImage,
  onModelGrid: Volume,
  ceiling: number,
  shape: Shape3,
  same: boolean,
  voxelSize: readonly number[],
): string[] {
  const hot = onModelGrid.data.reduce((count, value) => count + Number(value > ceiling), 0);
  const mm = (size: readonly number[]): string => size.map((d) => Number(d.toFixed(3))).join(' × ');
  return [
    ...(hot > 0 ? [`${hot} voxels above SUV ${ceiling} were cut off there, as the published pipeline does.`] : []),
    ...(same
      ? []
      : [
          `Resampled from ${mm(grid.voxelSize)} mm to the model's ${mm(voxelSize)} mm [z, y, x], ${shape.join(' × ')}, and back.`,
        ]),
  ];
}

function nonNegative(x: Volume): Volume {
  return array(
    x.shape,
    x.data.map((value) => Math.max(0, value)),
  );
}
