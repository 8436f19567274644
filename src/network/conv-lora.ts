/** @file  A convolution with a low-rank update of its frozen weight (LoRA, Hu et al. 2022, arXiv:2106.09685), fused:
 *    y = (W + s B A) ∗ x + b,   A [r, Ci, k, k, k],  B [Co, r],  z = A ∗ x  (r channels)
 *    [y ; z] = Conv(x, [W + s B A ; A], [b ; 0])       one convolution, r channels wider
 *    dx = g ∗ flip(W + s B A)      dz = s Bᵀ g  (per voxel)
 *    dA[r, ci, k] = Σ dz[r] x[ci + k]       dB = s Σ g zᵀ       db = Σ g
 *  No gradient of W is formed, and only the r channels of dz are shifted: that is what makes a step cheaper than training. */
import { ShapeError } from '../core/errors.js';
import { formulationFor, inputGradient, type Kernel, weightGradient, window } from './conv3d.js';
import { emit, emitMany, ints, record, scalar, type Var } from './graph.js';
import { gemm, mul, reduceSum, reshape, transpose } from './ops.js';

/** The trained part of an adapted convolution. */
export interface LowRank {
  /** A, [r, Ci, kz, ky, kx]. */
  readonly down: Var;
  /** B, [Co, r]. */
  readonly up: Var;
  /** s. */
  readonly scale: number;
}

/**
 * @param x [N, Ci, D, H, W]. @param weight W, [Co, Ci, kz, ky, kx], frozen: it gets no gradient. @param bias [Co].
 * @returns [N, Co, D, H, W].
 * @throws ShapeError when A and B do not fit W.
 */
export function convLora(x: Var, weight: Var, bias: Var, { down, up, scale }: LowRank): Var {
  const { graph } = x;
  const [n, ci, ...grid] = x.shape;
  const [co, , ...edges] = weight.shape;
  const kernel = edges as unknown as Kernel;
  const [rank] = down.shape;
  if (down.shape.slice(1).join() !== weight.shape.slice(1).join() || up.shape.join() !== [co, rank].join()) {
    throw new ShapeError('Low-rank update', {
      key: down.name,
      expected: `A [r, ${weight.shape.slice(1).join(', ')}] and B [${co}, r]`,
      found: `[${down.shape.join(', ')}] and [${up.shape.join(', ')}]`,
    });
  }
  const update = gemm(up, reshape(down, [rank, ci * kernel[0] * kernel[1] * kernel[2]]));
  const s = scalar(graph, scale);
  const effective = emit('Add', [weight, emit('Mul', [reshape(update, weight.shape), s], weight.shape)], weight.shape);
  const wide = emit('Concat', [effective, down], [co + rank, ci, ...kernel], { axis: { int: 0 } });
  const zeros = emit('Expand', [scalar(graph, 0), ints(graph, [rank])], [rank]);
  const wideBias = emit('Concat', [bias, zeros], [co + rank], { axis: { int: 0 } });
  const both = emit('Conv', [x, wide, wideBias], [n, co + rank, ...grid], window(kernel));
  const shapes = [
    [n, co, ...grid],
    [n, rank, ...grid],
  ];
  const [y, z] = emitMany('Split', [both, ints(graph, [co, rank])], shapes, { axis: { int: 1 } });
  const backwards = (g: Var): Var => {
    const perVoxel = reshape(transpose(mul(up, s), [1, 0]), [rank, co, 1, 1, 1]);
    return emit('Conv', [g, perVoxel], [n, rank, ...grid], window([1, 1, 1]));
  };
  return record(
    y,
    [x, down, up, bias],
    [
      (g) => inputGradient(g, effective),
      (g) => weightGradient(x, backwards(g), kernel, formulationFor(kernel, ci, rank, grid)),
      (g) => mul(reshape(weightGradient(z, g, [1, 1, 1], 'pointwise'), [co, rank]), s),
      (g) => reshape(reduceSum(g, [0, 2, 3, 4]), [co]),
    ],
  );
}
