/** @file  argminₓ≥0 L(x) + R(x) with variance-reduced subset gradients. At an anchor x̃, renewed every few passes, all ∇L_k(x̃) are kept:
 *    x ← [ x − P ( K (∇L_k(x) − ∇L_k(x̃)) + ∇L(x̃) + ∇R(x) ) ]₊
 *  As x → x̃ the bracket becomes the whole gradient, so that steps need not shrink: it converges where BSREM circles.
 *  Johnson & Zhang 2013 (SVRG); for PET: Twyman et al. 2023, doi:10.1109/TMI.2022.3203237. Memory: K images more than BSREM. */
import { array, type Volume } from '../core/array.js';
import { OptionError } from '../core/errors.js';
import type { Penalty, PoissonSubset } from '../core/interfaces.js';
import { type CallOptions, turn } from '../core/iterate.js';
import { checkedStart, type OsemStep, uniformStart } from './osem.js';
import { likelihoodGradient, preconditioner, projectedStep } from './penalised.js';
import { checkedSubsets } from './subset.js';

export interface SvrgOptions extends CallOptions {
  /** Passes over all subsets; the pass that renews the anchor costs one more. @default 10 */
  readonly epochs?: number | undefined;
  /** First image, ≥ 0; an OSEM image saves passes. @default `uniformStart(subsets)` */
  readonly initial?: Volume | undefined;
  /** Passes between anchors. @default 2 */
  readonly anchorEvery?: number | undefined;
  /** Sub-iterations that `initial` has already behind it; a run is resumed at an anchor: a multiple of anchorEvery · K. @default 0 */
  readonly start?: number | undefined;
}

/**
 * Reconstructs with a penalty, one step per subset.
 * @param penalty in counts, e.g. `rdp(grid, { beta, kappa, epsilon })`.
 * @yields x ≥ 0, shape model.inShape. Voxels that no subset sees stay as they are.
 * @throws ShapeError naming the array that does not fit. @throws OptionError for an option out of range.
 */
export async function* svrg(
  subsets: readonly PoissonSubset[],
  penalty: Penalty,
  { epochs = 10, initial, anchorEvery = 2, start = 0, signal }: SvrgOptions = {},
): AsyncGenerator<OsemStep> {
  const data = checkedSubsets(subsets);
  const steps = epochs * data.length;
  if (!(Number.isInteger(anchorEvery) && anchorEvery > 0))
    throw new OptionError('Passes between anchors', { key: 'anchorEvery', expected: 'a positive integer', found: anchorEvery });
  const period = anchorEvery * data.length;
  let x = checkedStart({ epochs, start, steps, initial: initial ?? uniformStart(data) }, penalty.shape);
  if (start % period !== 0) {
    const hint = 'Between anchors a run needs the gradients that were kept, not only the image.';
    throw new OptionError('Start of a resumed run', { key: 'start', expected: `a multiple of ${period}`, found: start, hint });
  }
  const p = preconditioner(data);
  let kept: Volume[] = [];
  const whole = array(x.shape).data;
  for (let done = start; done < steps; done++) {
    await turn(signal);
    const k = done % data.length;
    if (done % period === 0) {
      kept = [];
      whole.fill(0);
      for (const subset of data) {
        const g = await likelihoodGradient(subset, x, { signal });
        for (let j = 0; j < whole.length; j++) whole[j]! += g.data[j]!;
        kept.push(g);
      }
    }
    const l = await likelihoodGradient(data[k]!, x, { signal });
    const r = await penalty.derivatives(x, { signal });
    const gradient = (j: number): number => data.length * (l.data[j]! - kept[k]!.data[j]!) + whole[j]! + r.gradient.data[j]!;
    x = projectedStep(x, gradient, p(x, r.curvature), 1);
    yield { image: x, epoch: Math.floor(done / data.length), subset: k, fraction: (done + 1) / steps };
  }
}
