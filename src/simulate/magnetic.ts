/** @file  A stand-in for MR of the same subject: one grey value a tissue, blurred by the scan, shaded by a coil, in no unit, 0 in air. No
 *  physics: no relaxation, no artefacts; what a denoiser that is guided by anatomy may rely on are the borders, not the values. */
import { array, type NdArray } from '../core/array.js';
import { convolvedAlong, fwhmPerSigma, gaussianKernel } from '../core/gaussian.js';
import type { PetImage } from '../core/image.js';
import { type CallOptions, turn } from '../core/iterate.js';
import { random } from '../core/random.js';
import { type Tissue, tissueNames } from './tissues.js';
import { waves } from './waves.js';

/** Brightness of a T1-weighted image, fat 1. Other tissues are like muscle. */
const bright: Partial<Record<Tissue, number>> = {
  ...{ fat: 1, marrow: 0.75, breast: 0.7, abdomen: 0.8, mediastinum: 0.7, 'white matter': 0.72, brainstem: 0.68 },
  ...{ liver: 0.58, pancreas: 0.55, thalamus: 0.6, 'basal ganglia': 0.56, 'grey matter': 0.5, cerebellum: 0.52 },
  ...{
    blood: 0.25,
    CSF: 0.15,
    urine: 0.12,
    gallbladder: 0.2,
    spleen: 0.38,
    kidney: 0.42,
    lung: 0.06,
    air: 0,
    bone: 0.1,
    skull: 0.08,
  },
};
const likeMuscle = 0.42;

/**
 * @param labels a phantom's, with air as 0. @param seed decides contrast, shading and noise.
 * @returns ≥ 0, shape of the labels.
 */
export async function magneticResonance(
  { grid, values }: PetImage,
  seed: number,
  { signal }: CallOptions = {},
): Promise<NdArray> {
  const r = random(seed, 104);
  const gamma = Math.exp(0.25 * r.normal());
  const names = tissueNames();
  const value = new Map<number, number>();
  for (const label of new Set(values.data)) {
    const name = names.get(label) as Tissue | undefined;
    // Lesions have no name here: some are bright, some dark, some as what they lie in would be.
    const typical = name ? (bright[name] ?? likeMuscle) : 0.2 + 0.5 * r.uniform();
    value.set(label, label === 0 ? 0 : typical ** gamma * Math.exp(0.1 * r.normal()));
  }
  let data = Float32Array.from(values.data, (label) => value.get(label)!);
  for (let axis = 0; axis < 3; axis++) {
    const kernel = gaussianKernel((1.2 * grid.voxelSize[axis]!) / fwhmPerSigma / grid.voxelSize[axis]!);
    data = await convolvedAlong(data, grid.shape, axis, kernel, signal);
  }
  const shading = waves(seed, 105, { wavelengths: [300, 700], count: 4 });
  const [, ny, nx] = grid.shape;
  const [z0, y0, x0] = grid.origin;
  const [dz, dy, dx] = grid.voxelSize;
  const noise = 0.02 + 0.03 * r.uniform();
  for (let i = 0; i < data.length; i++) {
    if (i % 100_000 === 0) await turn(signal);
    const [z, y, x] = [Math.floor(i / (ny * nx)), Math.floor(i / nx) % ny, i % nx];
    const coil = Math.exp(0.15 * shading(z0 + z * dz, y0 + y * dy, x0 + x * dx));
    data[i] = data[i]! < 0.02 ? 0 : Math.max(0, coil * data[i]! + noise * r.normal());
  }
  return array(grid.shape, data);
}
