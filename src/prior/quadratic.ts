/** @file  Quadratic penalty on differences of neighbours, R(x) = Σ c_jk ½ (x_j − x_k)², c_jk = β w_jk κ_j κ_k, and its separable surrogate
 *    R(x) ≤ Σ_j ρ_j/2 (x_j − v_j)² + const,   ρ_j = 2 Σ_k c_jk,   v_j = Σ_k c_jk (x'_j + x'_k)/2 / Σ_k c_jk
 *  with equality at x = x' (De Pierro 1995, doi:10.1109/42.370409, eq. 22). */
import { array, expectShape, fill, type Volume } from '../core/array.js';
import type { Grid } from '../core/image.js';
import type { SeparablePenalty } from '../core/interfaces.js';
import { type CallOptions, turn } from '../core/iterate.js';
import { type PairOptions, pairs } from './neighbours.js';

/**
 * @returns R, its derivatives and its surrogate, for images of the grid's shape.
 * @throws OptionError for an option out of range. @throws ShapeError when κ does not fit.
 */
export function quadratic(grid: Grid, options: PairOptions): SeparablePenalty {
  const { shape, directions } = pairs(grid, options);
  const weights = array(shape);
  for (const forEachPair of directions) {
    forEachPair((j, k, c) => {
      weights.data[j]! += c;
      weights.data[k]! += c;
    });
  }
  const gradientAt = async (image: Volume, { signal }: CallOptions = {}): Promise<Volume> => {
    const x = expectShape(image, shape, 'x').data;
    const gradient = array(shape);
    for (const forEachPair of directions) {
      await turn(signal);
      forEachPair((j, k, c) => {
        const slope = c * (x[j]! - x[k]!);
        gradient.data[j]! += slope;
        gradient.data[k]! -= slope;
      });
    }
    return gradient;
  };
  return {
    shape,
    async value(image, { signal } = {}) {
      const x = expectShape(image, shape, 'x').data;
      let sum = 0;
      for (const forEachPair of directions) {
        await turn(signal);
        forEachPair((j, k, c) => {
          sum += (c / 2) * (x[j]! - x[k]!) ** 2;
        });
      }
      return sum;
    },
    derivatives: async (x, callOptions) => ({ gradient: await gradientAt(x, callOptions), curvature: weights }),
    // Σ c (x_j + x_k)/2 = x_j Σ c − ½ Σ c (x_j − x_k), which is the gradient once more.
    async surrogate(x, callOptions) {
      const { data: g } = await gradientAt(x, callOptions);
      return {
        rho: fill(shape, (j) => 2 * weights.data[j]!),
        anchor: fill(shape, (j) => (weights.data[j]! > 0 ? x.data[j]! - g[j]! / (2 * weights.data[j]!) : x.data[j]!)),
      };
    },
  };
}
