/** @file  A patch discriminator: is this volume, given the low-count one, a truth or a network's? One score for each place of a coarse grid,
 *  each from the voxels around it (Isola et al. 2017, arXiv:1611.07004):
 *    [volume, condition] → at each level:  fold 2×2×2 → Conv 3³ → SiLU;   then Conv 1³ = scores
 *  trained with least squares (Mao et al. 2017, arXiv:1611.04076):
 *    L_D = ½ mean (D(truth) − 1)² + ½ mean D(made)²,     L_G = mean (D(made) − 1)² */
import { conv3d } from './conv3d.js';
import type { Var } from './graph.js';
import { concat, silu } from './ops.js';
import { fold } from './resampling.js';
import type { ParameterSource } from './unet.js';

/** Width of each level, finest first. */
export type DiscriminatorWidths = readonly number[];

/**
 * @param volume, condition [N, 1, D, H, W], edges multiples of 2^levels.
 * @returns scores, [N, 1, D / 2^levels, …].
 */
export function discriminator(widths: DiscriminatorWidths, volume: Var, condition: Var, parameter: ParameterSource): Var {
  const conv = (name: string, x: Var, width: number, kernel: 1 | 3): Var => {
    const shape = [width, x.shape[1], kernel, kernel, kernel];
    const start = { deviation: Math.sqrt(1 / (x.shape[1] * kernel ** 3)) };
    return conv3d(
      x,
      parameter(`discriminator.${name}.weight`, shape, start),
      parameter(`discriminator.${name}.bias`, [width], { value: 0 }),
    );
  };
  let h = concat([volume, condition], 1);
  widths.forEach((width, level) => {
    h = silu(conv(`level${level}`, fold(h), width, 3));
  });
  return conv('scores', h, 1, 1);
}
