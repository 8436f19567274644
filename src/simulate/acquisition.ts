/** @file  A simulated scan of known truth, y ~ Poisson( m ⊙ (A G x + a) ):
 *    m = k · exp(−∫μ) · (ring pairs) · (crystal pairs),   m ⊙ a = randoms + scatter
 *  with A the line integrals, G the scanner's resolution, and k such that Σ m ⊙ (A G x) = counts · dose. Activity in SUV makes a
 *  reconstruction with this m an image in SUV. Randoms follow the number of pairs that each bin adds up; scatter is no physics but has
 *  its look: a broad, smooth tail. */
import { array, expectShape, fill, type NdArray, total } from '../core/array.js';
import { GeometryError, OptionError } from '../core/errors.js';
import { affineOf, type PetImage } from '../core/image.js';
import { type CallOptions, turn } from '../core/iterate.js';
import { random } from '../core/random.js';
import { crystalPairCounts, ringPairCounts } from '../geometry/bins.js';
import { fromWorld, type PatientPosition } from '../geometry/frame.js';
import type { Scan } from '../geometry/scan.js';
import { type Sinogram, type SinogramLayout, sinogramShape } from '../geometry/sinogram.js';
import type { ProjectorEngine } from '../projector/engine.js';
import { gaussianPsf } from '../projector/psf.js';
import { attenuationFactors } from '../projector/system-model.js';
import { smoothTail } from './scatter.js';

export interface Acquisition extends CallOptions {
  /** Truth, SUV (or Bq/mL: then so is the reconstruction); axes of the world. */
  readonly activity: PetImage;
  /** Attenuation, 1/cm, on any grid with the axes of the world. @default none */
  readonly mu?: PetImage | undefined;
  readonly layout: SinogramLayout;
  readonly engine: Pick<ProjectorEngine, 'sinogramProjector'>;
  /** Expected trues of the whole scan at full dose: detected, unscattered, attenuated pairs. Give this or `sensitivity`. */
  readonly counts?: number | undefined;
  /** Expected trues at full dose per SUV · mL in the image, were nothing attenuated: large patients then give fewer counts. */
  readonly sensitivity?: number | undefined;
  /** Expected randoms / expected prompts. @default 0.2 */
  readonly randomsFraction?: number | undefined;
  /** Expected scatter / expected prompts. @default 0.2 */
  readonly scatterFraction?: number | undefined;
  /** Share of the full dose (or duration): trues are counts · dose. The fractions are kept. @default 1 */
  readonly dose?: number | undefined;
  /** Resolution of the scanner, FWHM in mm. @default 0, none */
  readonly psf?: number | undefined;
  /** Of the Poisson noise. */
  readonly seed: number;
  /** @default 'HFS' */
  readonly position?: PatientPosition | undefined;
}

/** A scan before the dice are thrown. */
export interface ExpectedScan {
  readonly multiplicative: Sinogram;
  readonly additive: Sinogram;
  /** Expected totals over all bins. */
  readonly expected: { readonly trues: number; readonly randoms: number; readonly scatter: number; readonly prompts: number };
  /** Expected prompts bin by bin: the noise-free data. */
  readonly mean: Sinogram;
}

export interface Acquired extends Pick<ExpectedScan, 'expected' | 'mean'> {
  readonly scan: Scan;
}

/**
 * Simulates a scan.
 * @throws OptionError when counts (or sensitivity) or dose are not positive, or the fractions leave nothing for trues.
 * @throws GeometryError when an image is not aligned with the world, nothing of it is seen, or the engine cannot project the layout.
 */
export async function acquire(acquisition: Acquisition): Promise<Acquired> {
  const { multiplicative, additive, expected, mean } = await expectedScan(acquisition);
  const prompts = await poissonCounts(mean.values, acquisition.seed, acquisition);
  const { layout, position = 'HFS' } = acquisition;
  return { scan: { prompts: { layout, values: prompts }, multiplicative, additive, position }, expected, mean };
}

/**
 * What a scan would count on average: from it scans of any seed can be drawn. `seed` takes no part.
 * @throws as `acquire` does.
 */
export async function expectedScan(acquisition: Omit<Acquisition, 'seed'>): Promise<ExpectedScan> {
  const { activity, mu, layout, engine, sensitivity, signal } = acquisition;
  const { randomsFraction = 0.2, scatterFraction = 0.2, dose = 1, psf = 0, position = 'HFS' } = acquisition;
  if ((acquisition.counts === undefined) === (sensitivity === undefined)) {
    throw new OptionError('Acquisition', { key: 'counts', expected: 'either counts or sensitivity', found: acquisition.counts });
  }
  positive(sensitivity === undefined ? 'counts' : 'sensitivity', (sensitivity ?? acquisition.counts)!);
  positive('dose', dose);
  if (!(randomsFraction >= 0 && scatterFraction >= 0 && randomsFraction + scatterFraction < 1)) {
    const found = [randomsFraction, scatterFraction];
    throw new OptionError('Fractions of randoms and scatter', { expected: 'numbers ≥ 0, together below 1', found });
  }
  const shape = sinogramShape(layout);
  const views = Array.from({ length: layout.views }, (_, view) => view);

  const { grid, values } = inScanner(activity, 'activity', position);
  const seen = psf === 0 ? values : await gaussianPsf(grid, psf).forward(values, { signal });
  const integrals = expectShape(
    await engine.sinogramProjector(layout, views, grid).forward(seen, { signal }),
    shape,
    'projection',
  ).data.map((integral) => Math.max(0, integral)); // float32 engines may round a line through nothing to below 0

  // Factors are those of the whole line, the same in all TOF bins: index i % lines.
  const whole: SinogramLayout = { ...layout, tofBins: 1 };
  const pairs = pairCounts(whole);
  const lines = pairs.data.length;
  const m = pairs.data.slice();
  if (mu) {
    const survival = await attenuationFactors(inScanner(mu, 'mu', position), whole, engine as ProjectorEngine, { signal });
    for (let i = 0; i < lines; i++) m[i]! *= survival.values.data[i]!;
  }
  let sum = 0;
  let unattenuated = 0;
  for (let i = 0; i < integrals.length; i++) {
    sum += m[i % lines]! * integrals[i]!;
    unattenuated += pairs.data[i % lines]! * integrals[i]!;
  }
  if (!(sum > 0 && sum < Infinity)) {
    throw new GeometryError('The scanner sees no activity', { expected: 'activity ≥ 0 inside its field of view', found: sum });
  }
  const millilitres = (grid.voxelSize[0] * grid.voxelSize[1] * grid.voxelSize[2]) / 1000;
  const counts = acquisition.counts ?? sensitivity! * total(values) * millilitres * (sum / unattenuated);
  const k = (counts * dose) / sum;
  for (let i = 0; i < lines; i++) m[i]! *= k;

  // Trues of every line, and the share of all trues that each TOF bin holds: scatter is given the same.
  const trues = array(sinogramShape(whole));
  const share = new Float64Array(layout.tofBins);
  for (let tof = 0; tof < layout.tofBins; tof++) {
    for (let i = 0; i < lines; i++) {
      const t = m[i]! * integrals[tof * lines + i]!;
      trues.data[i]! += t;
      share[tof]! += t / (counts * dose);
    }
  }
  const prompts = (counts * dose) / (1 - randomsFraction - scatterFraction);
  const randoms = scaled(pairs, randomsFraction * prompts).data;
  const scatter = scaled(await smoothTail({ layout: whole, values: trues }, pairs, { signal }), scatterFraction * prompts).data;
  const additive = array(shape);
  const mean = array(shape);
  const multiplicative = array(shape);
  for (let tof = 0, at = 0; tof < layout.tofBins; tof++) {
    for (let i = 0; i < lines; i++, at++) {
      // Where m is 0 there are no pairs, and neither randoms nor scatter.
      const background = m[i]! > 0 ? randoms[i]! / layout.tofBins + scatter[i]! * share[tof]! : 0;
      multiplicative.data[at] = m[i]!;
      additive.data[at] = m[i]! > 0 ? background / m[i]! : 0;
      mean.data[at] = m[i]! * integrals[at]! + background;
    }
    await turn(signal);
  }
  const sinogram = (data: NdArray): Sinogram => ({ layout, values: data });
  return {
    ...{ multiplicative: sinogram(multiplicative), additive: sinogram(additive), mean: sinogram(mean) },
    expected: {
      ...{ trues: counts * dose, randoms: randomsFraction * prompts, scatter: scatterFraction * prompts },
      prompts: total(mean),
    },
  };
}

/** Detector pairs that each bin adds up, shape of the layout's data; 0 where only gaps meet. */
export function pairCounts(layout: SinogramLayout): NdArray {
  const rings = ringPairCounts(layout);
  const crystals = crystalPairCounts(layout);
  return fill(
    sinogramShape(layout),
    (i) => rings[Math.floor(i / crystals.length) % rings.length]! * crystals[i % crystals.length]!,
  );
}

/** Poisson deviates, one for each mean; exact. */
export async function poissonCounts(mean: NdArray, seed: number, { signal }: CallOptions = {}): Promise<NdArray> {
  const r = random(seed, 101); // a stream of its own: the seed may be that of the phantom, or of a thinning
  const counts = array(mean.shape);
  const binsPerTurn = 1 << 17;
  for (let i = 0; i < mean.data.length; i++) {
    if (i % binsPerTurn === 0) await turn(signal);
    counts.data[i] = r.poisson(mean.data[i]!);
  }
  return counts;
}

/** The array times the factor that makes its sum `sum`; zeros for a sum of 0. */
function scaled(x: NdArray, sum: number): NdArray {
  const factor = sum === 0 ? 0 : sum / total(x);
  return fill(x.shape, (i) => factor * x.data[i]!);
}

function inScanner(image: PetImage, name: string, position: PatientPosition): ReturnType<typeof fromWorld> {
  if (!affineOf(image.grid).every((value, i) => Math.abs(value - image.affine[i]!) < 1e-3)) {
    throw new GeometryError('The image is not aligned with the world', {
      key: name,
      expected: 'an affine that is that of its grid',
      found: [...image.affine],
    });
  }
  const bad = image.values.data.findIndex((value) => !(value >= 0 && value < Infinity));
  if (bad >= 0) {
    throw new GeometryError(`Voxel ${bad} cannot be`, {
      key: name,
      expected: 'finite values ≥ 0',
      found: image.values.data[bad],
    });
  }
  return fromWorld(image, position);
}

function positive(key: string, value: number): void {
  if (!(value > 0 && value < Infinity))
    throw new OptionError('Acquisition', { key, expected: 'a positive number', found: value });
}
