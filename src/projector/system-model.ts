/** @file  The model of a scan, y ~ Poisson(m ⊙ (A x + a)), as ordered subsets for the reconstructions:
 *    model_k = diag(m_k) A_k G M,   background_k = m_k ⊙ a_k,   sensitivity_k = model_kᵀ 1
 *  with A the line integrals (mm), G the resolution in image space and M the field of view. */
import { array, fill, type NdArray, type Point, type Volume } from '../core/array.js';
import type { Grid } from '../core/image.js';
import type { LinearOperator, PoissonSubset } from '../core/interfaces.js';
import type { CallOptions } from '../core/iterate.js';
import type { Scan } from '../geometry/scan.js';
import { gatherViews, type Sinogram, type SinogramLayout, sinogramShape } from '../geometry/sinogram.js';
import { orderedSubsets } from '../geometry/subsets.js';
import { compose, diagonal, ones } from './compose.js';
import type { ProjectorEngine } from './engine.js';

export interface SystemModelOptions extends CallOptions {
  /** Number of subsets of views. @default 1 */
  readonly subsets?: number | undefined;
  /** Resolution, FWHM in mm: one number or z, y, x. @default none */
  readonly psf?: number | Point | undefined;
  /** Voxels that take no part where this is 0, e.g. `fieldOfViewMask`: their sensitivity is 0. @default none */
  readonly mask?: NdArray | undefined;
  /** Told the share of the work that is done, in (0, 1], after each subset. */
  readonly onProgress?: ((fraction: number) => void) | undefined;
}

/**
 * Subsets in the order in which they should be visited. They live as long as the engine.
 * @throws OptionError when there are more subsets than views; GeometryError when the engine cannot project the layout.
 */
export async function systemModel(
  scan: Scan,
  engine: ProjectorEngine,
  grid: Grid,
  { subsets = 1, psf, mask, signal, onProgress = () => {} }: SystemModelOptions = {},
): Promise<PoissonSubset[]> {
  const { layout } = scan.prompts;
  const resolution = psf === undefined || psf === 0 ? undefined : engine.gaussianPsf(grid, psf);
  const made: PoissonSubset[] = [];
  for (const views of orderedSubsets(layout.views, subsets)) {
    const factors = scan.multiplicative && gatherViews(scan.multiplicative, views);
    let model: LinearOperator = engine.sinogramProjector(layout, views, grid);
    if (resolution) model = compose(model, resolution);
    if (mask) model = compose(model, diagonal(mask));
    if (factors) model = compose(diagonal(factors), model);
    const background = scan.additive ? gatherViews(scan.additive, views) : array(sinogramShape(layout, views.length));
    made.push({
      model,
      prompts: gatherViews(scan.prompts, views),
      background: factors ? product(factors, background) : background,
      sensitivity: significant(await model.adjoint(ones(model.outShape), { signal })),
    });
    onProgress(made.length / subsets);
  }
  return made;
}

/** Share of the largest sensitivity below which a voxel counts as not seen: float32 engines err by up to 3e-5 of the maximum. */
const unseen = 1e-5;

/** The sensitivity, 0 where it is no more than rounding: there EM would divide by nothing. */
export function significant(sensitivity: Volume): Volume {
  const least = unseen * sensitivity.data.reduce((largest, s) => Math.max(largest, s), 0);
  return fill(sensitivity.shape, (i) => (sensitivity.data[i]! > least ? sensitivity.data[i]! : 0));
}

const product = (a: NdArray, b: NdArray): NdArray => fill(a.shape, (i) => a.data[i]! * b.data[i]!);

/** Attenuation coefficients, 1/cm, on a grid in the scanner frame. */
export interface AttenuationMap {
  readonly grid: Grid;
  readonly values: Volume;
}

/**
 * exp(−∫ μ dl) of every bin: the share of pairs that is not attenuated. It is that of the whole line, the same in all TOF bins.
 * @throws ShapeError when the values do not fit the grid; GeometryError when the engine cannot project the layout.
 */
export async function attenuationFactors(
  { grid, values }: AttenuationMap,
  layout: SinogramLayout,
  engine: ProjectorEngine,
  options: CallOptions = {},
): Promise<Sinogram> {
  const perMillimetre = 0.1;
  const views = Array.from({ length: layout.views }, (_, view) => view);
  const integrals = (await engine.sinogramProjector({ ...layout, tofBins: 1 }, views, grid).forward(values, options)).data;
  const share = integrals.map((integral) => Math.exp(-perMillimetre * integral));
  return { layout, values: fill(sinogramShape(layout), (i) => share[i % share.length]!) };
}
