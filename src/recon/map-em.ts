/** @file  argminₓ≥0 L(x) + R(x) for a penalty with a separable surrogate Σ ρ/2 (x − v)², by De Pierro's EM. Each pass solves, voxel by voxel,
 *    ρ x² + (s − ρ v) x − e = 0,   e = x Aᵀ( y/(A x + b) )
 *  De Pierro 1995, doi:10.1109/42.370409, eqs. 21–23. Never raises L + R, keeps x ≥ 0, needs no step size; slow, as EM is.
 *  Of K subsets each has the share ρ/K of the penalty: faster at first, and then not convergent. */
import { fill, type Volume } from '../core/array.js';
import type { PoissonSubset, SeparablePenalty } from '../core/interfaces.js';
import { type CallOptions, turn } from '../core/iterate.js';
import { checkedStart, type OsemStep, uniformStart } from './osem.js';
import { positiveRoot } from './poisson-prox.js';
import { backprojectedRatio, checkedSubsets } from './subset.js';

export interface MapEmOptions extends CallOptions {
  /** Passes over all subsets. @default 20 */
  readonly epochs?: number | undefined;
  /** First image, ≥ 0. @default `uniformStart(subsets)` */
  readonly initial?: Volume | undefined;
  /** Sub-iterations that `initial` has already behind it, as for `osem`. @default 0 */
  readonly start?: number | undefined;
}

/**
 * Reconstructs with a penalty, one step per subset.
 * @param penalty in counts, e.g. `quadratic(grid, { beta, kappa })`.
 * @yields x ≥ 0, shape model.inShape. Voxels that no subset sees stay as they are.
 * @throws ShapeError naming the array that does not fit. @throws OptionError for an option out of range.
 */
export async function* mapEm(
  subsets: readonly PoissonSubset[],
  penalty: SeparablePenalty,
  { epochs = 20, initial, start = 0, signal }: MapEmOptions = {},
): AsyncGenerator<OsemStep> {
  const data = checkedSubsets(subsets);
  const steps = epochs * data.length;
  let x = checkedStart({ epochs, start, steps, initial: initial ?? uniformStart(data) }, penalty.shape);
  for (let done = start; done < steps; done++) {
    await turn(signal);
    const k = done % data.length;
    const s = data[k]!.sensitivity.data;
    const back = (await backprojectedRatio(data[k]!, x, { signal })).data;
    const { rho, anchor } = await penalty.surrogate(x, { signal });
    x = fill(x.shape, (j) => {
      if (s[j]! <= 0) return x.data[j]!;
      const share = rho.data[j]! / data.length;
      return positiveRoot(share, s[j]! - share * anchor.data[j]!, x.data[j]! * back[j]!);
    });
    yield { image: x, epoch: Math.floor(done / data.length), subset: k, fraction: (done + 1) / steps };
  }
}
