/** @file  argminₓ≥0 L(x) + R(x), subset by subset with steps that shrink:
 *    x ← [ x − α_n P (K ∇L_k(x) + ∇R(x)) ]₊,   α_n = 1/(1 + η n),  n the pass over the data, from 0
 *  BSREM: De Pierro & Yamagishi 2001, doi:10.1109/42.921477; Ahn & Fessler 2003, doi:10.1109/TMI.2003.812251. The whole penalty is used at
 *  every subset, since it is cheap. With R = 0 and balanced subsets the first pass is OSEM. P is that of `penalised.ts`. */
import type { Volume } from '../core/array.js';
import { OptionError } from '../core/errors.js';
import type { Penalty, PoissonSubset } from '../core/interfaces.js';
import { type CallOptions, turn } from '../core/iterate.js';
import { checkedStart, type OsemStep, uniformStart } from './osem.js';
import { likelihoodGradient, preconditioner, projectedStep } from './penalised.js';
import { checkedSubsets } from './subset.js';

export interface BsremOptions extends CallOptions {
  /** Passes over all subsets. @default 10 */
  readonly epochs?: number | undefined;
  /** First image, ≥ 0; an OSEM image saves passes. @default `uniformStart(subsets)` */
  readonly initial?: Volume | undefined;
  /** η ≥ 0: how fast the steps shrink. 0 never settles, but circles near the minimum. @default 0.1 */
  readonly relaxation?: number | undefined;
  /** Sub-iterations that `initial` has already behind it, as for `osem`. @default 0 */
  readonly start?: number | undefined;
}

/**
 * Reconstructs with a penalty, one step per subset.
 * @param subsets visited in this order; neighbours should be far apart in angle.
 * @param penalty in counts, e.g. `rdp(grid, { beta, kappa })`.
 * @yields x ≥ 0, shape model.inShape. Voxels that no subset sees stay as they are.
 * @throws ShapeError naming the array that does not fit. @throws OptionError for an option out of range.
 */
export async function* bsrem(
  subsets: readonly PoissonSubset[],
  penalty: Penalty,
  { epochs = 10, initial, relaxation = 0.1, start = 0, signal }: BsremOptions = {},
): AsyncGenerator<OsemStep> {
  const data = checkedSubsets(subsets);
  const steps = epochs * data.length;
  if (!(relaxation >= 0 && relaxation < Infinity))
    throw new OptionError('Relaxation', { key: 'relaxation', expected: 'a finite number ≥ 0', found: relaxation });
  let x = checkedStart({ epochs, start, steps, initial: initial ?? uniformStart(data) }, penalty.shape);
  const p = preconditioner(data);
  for (let done = start; done < steps; done++) {
    await turn(signal);
    const k = done % data.length;
    const epoch = Math.floor(done / data.length);
    const l = await likelihoodGradient(data[k]!, x, { signal });
    const r = await penalty.derivatives(x, { signal });
    const gradient = (j: number): number => data.length * l.data[j]! + r.gradient.data[j]!;
    const stepSize = 1 / (1 + relaxation * epoch);
    x = projectedStep(x, gradient, p(x, r.curvature), stepSize);
    yield { image: x, epoch, subset: k, stepSize, fraction: (done + 1) / steps };
  }
}
