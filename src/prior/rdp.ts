/** @file  Relative difference prior, over pairs of neighbours j, k with weights c_jk = β w_jk κ_j κ_k:
 *    R(x)       = Σ c_jk d² / D,                         d = x_j − x_k,  D = x_j + x_k + γ|d| + ε
 *    ∂R/∂x_j    = Σ c_jk d (x_j + 3 x_k + γ|d| + 2ε) / D²
 *    ∂²R/∂x_j²  = Σ c_jk 2 (2 x_k + ε)² / D³
 *  Nuyts et al. 2002, doi:10.1109/TNS.2002.998681, smoothed by ε; scale and neighbourhood as in STIR and PETRIC. γ keeps edges: the larger
 *  it is, the less a large relative difference costs. For small differences it is the quadratic penalty with weight 2/(x_j + x_k). */
import { array, expectShape, type Volume } from '../core/array.js';
import { OptionError } from '../core/errors.js';
import type { Grid } from '../core/image.js';
import type { Penalty } from '../core/interfaces.js';
import { turn } from '../core/iterate.js';
import { type PairOptions, pairs } from './neighbours.js';

export interface RdpOptions extends PairOptions {
  /** Edge preservation γ ≥ 0. @default 2 */
  readonly gamma?: number | undefined;
  /** ε ≥ 0, in the unit of x, keeps R smooth where x is 0; PETRIC takes 10⁻³ of the largest value of the OSEM image. With 0, 0/0 counts as 0. @default 0 */
  readonly epsilon?: number | undefined;
}

/**
 * @returns R, its gradient and the diagonal of its Hessian, for images x ≥ 0 of the grid's shape.
 * @throws OptionError for an option out of range. @throws ShapeError when κ does not fit.
 */
export function rdp(grid: Grid, { gamma = 2, epsilon = 0, ...options }: RdpOptions): Penalty {
  for (const [key, value] of Object.entries({ gamma, epsilon })) {
    if (!(value >= 0 && value < Infinity))
      throw new OptionError('Relative difference prior', { key, expected: 'a finite number ≥ 0', found: value });
  }
  const { shape, directions } = pairs(grid, options);
  return {
    shape,
    async value(image, { signal } = {}) {
      const x = expectShape(image, shape, 'x').data;
      let sum = 0;
      for (const forEachPair of directions) {
        await turn(signal);
        forEachPair((j, k, c) => {
          const d = x[j]! - x[k]!;
          const D = x[j]! + x[k]! + gamma * Math.abs(d) + epsilon;
          if (D > 0) sum += (c * d * d) / D;
        });
      }
      return sum;
    },
    async derivatives(image, { signal } = {}) {
      const x = expectShape(image, shape, 'x').data;
      const gradient = array(shape);
      const curvature = array(shape);
      const [g, h] = [gradient.data, curvature.data];
      for (const forEachPair of directions) {
        await turn(signal);
        forEachPair((j, k, c) => {
          const [a, b] = [x[j]!, x[k]!];
          const d = a - b;
          const e = gamma * Math.abs(d) + epsilon;
          const D = a + b + e;
          if (!(D > 0)) return;
          const slope = (c * d) / (D * D);
          const bend = (2 * c) / (D * D * D);
          g[j]! += slope * (a + 3 * b + e + epsilon);
          g[k]! -= slope * (b + 3 * a + e + epsilon);
          h[j]! += bend * (2 * b + epsilon) ** 2;
          h[k]! += bend * (2 * a + epsilon) ** 2;
        });
      }
      return { gradient, curvature };
    },
  };
}

/** PETRIC's ε: 10⁻³ of the largest value of an image, e.g. the OSEM image. */
export function rdpEpsilon(image: Volume): number {
  return 1e-3 * image.data.reduce((most, value) => Math.max(most, value), 0);
}
