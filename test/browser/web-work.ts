/** What a page and Node both denoise, to be compared: an image of odd shape, in more than one tile. */
import { centredGrid, denoiseVolume, fill, type OpenModel, type PetImage, petImage } from '../../src/index.js';

export interface Denoising {
  readonly mean: Float32Array;
  readonly samples: Float32Array;
  readonly spread: Float32Array;
  /** What `onProgress` was told. */
  readonly progress: readonly number[];
}

export const image: PetImage = petImage(
  centredGrid([9, 11, 10], [4, 4, 4]),
  fill([9, 11, 10], (i) => 1 + Math.sin(i / 7) ** 2),
  'SUV',
);

export async function denoising(model: OpenModel): Promise<Denoising> {
  const progress: number[] = [];
  const mean = await denoiseVolume(image, model);
  const options = { mode: 'samples', samples: 2, steps: 2, onProgress: (done: number) => void progress.push(done) } as const;
  const drawn = await denoiseVolume(image, model, options);
  return { mean: mean.image.values.data, samples: drawn.image.values.data, spread: drawn.spread!.values.data, progress };
}
