/** @file  max |⟨A x, y⟩ − ⟨x, Aᵀ y⟩| / (‖A x‖ ‖y‖) over random x and y: how far an operator's two directions are from being transposes. */
import { dot, fill, type NdArray } from '../core/array.js';
import type { LinearOperator } from '../core/interfaces.js';
import type { CallOptions } from '../core/iterate.js';
import { random } from '../core/random.js';

export interface AdjointErrorOptions extends CallOptions {
  /** @default 1 */
  readonly seed?: number | undefined;
  /** Pairs of vectors; every other pair is positive, the rest has zero mean. @default 4 */
  readonly trials?: number | undefined;
}

/** For float32 operators about 1e-7; the test of your own operators. Inner products are accumulated in double. */
export async function adjointError(operator: LinearOperator, options: AdjointErrorOptions = {}): Promise<number> {
  const { seed = 1, trials = 4, signal } = options;
  const { uniform, normal } = random(seed);
  let worst = 0;
  for (let trial = 0; trial < trials; trial++) {
    const draw = trial % 2 === 0 ? normal : uniform;
    const vector = (shape: readonly number[]): NdArray => fill(shape, draw);
    const x = vector(operator.inShape);
    const y = vector(operator.outShape);
    const ax = await operator.forward(x, { signal });
    const aty = await operator.adjoint(y, { signal });
    const scale = Math.sqrt(dot(ax, ax) * dot(y, y));
    const difference = Math.abs(dot(ax, y) - dot(x, aty));
    if (!(difference <= worst * scale)) worst = difference / (scale || 1);
  }
  return worst;
}
