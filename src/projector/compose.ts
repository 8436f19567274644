/** @file  Operators made of operators. */
import { array, expectShape, fill, type NdArray } from '../core/array.js';
import { ShapeError } from '../core/errors.js';
import type { LinearOperator } from '../core/interfaces.js';
import type { CallOptions } from '../core/iterate.js';

/**
 * A = last ∘ … ∘ first, written in the order of the formula: compose(M, P, G) is M P G.
 * @throws ShapeError when neighbours do not fit.
 */
export function compose(...operators: readonly [LinearOperator, ...LinearOperator[]]): LinearOperator {
  operators.slice(1).forEach((inner, i) => {
    const outer = operators[i]!;
    if (outer.inShape.join() !== inner.outShape.join()) {
      throw new ShapeError(`Operators ${i} and ${i + 1} do not fit`, {
        expected: `outShape [${outer.inShape.join(', ')}]`,
        found: `[${inner.outShape.join(', ')}]`,
      });
    }
  });
  return {
    inShape: operators[operators.length - 1]!.inShape,
    outShape: operators[0].outShape,
    async forward(x: NdArray, options?: CallOptions): Promise<NdArray> {
      for (const operator of operators.toReversed()) x = await operator.forward(x, options);
      return x;
    },
    async adjoint(y: NdArray, options?: CallOptions): Promise<NdArray> {
      for (const operator of operators) y = await operator.adjoint(y, options);
      return y;
    },
  };
}

/** Multiplication by weights, element by element; its own transpose. */
export function diagonal(weights: NdArray): LinearOperator {
  const shape = weights.shape;
  const w = expectShape(weights, shape, 'weights').data;
  const weighted = async (x: NdArray): Promise<NdArray> => {
    const { data } = expectShape(x, shape, 'array');
    const out = array(shape);
    for (let i = 0; i < data.length; i++) out.data[i] = w[i]! * data[i]!;
    return out;
  };
  return { inShape: shape, outShape: shape, forward: weighted, adjoint: weighted };
}

/** Array of ones. */
export function ones(shape: readonly number[]): NdArray {
  return fill(shape, () => 1);
}
