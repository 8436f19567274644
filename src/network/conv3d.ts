/** @file  3D convolution (cross-correlation), stride 1, zero padding that keeps the grid, kernel 1³ or 3³, and its gradients as plain
 *  ONNX operators. With g = ∂L/∂y, k the kernel offset and sums over samples and voxels p (zero outside the grid):
 *
 *    y[co, p] = b[co] + Σ_ci Σ_k  w[co, ci, k] x[ci, p + k − 1]
 *    dx = g ∗ w',  w'[ci, co, k] = w[co, ci, 2 − k]
 *    dw[co, ci, k] = Σ_p g[co, p] x[ci, p + k − 1]
 *    db[co] = Σ_p g[co, p]
 *
 *  dw has four formulations that give the same numbers at very different speed on ONNX Runtime's CPU kernels; `formulationFor` picks. */
import { ShapeError } from '../core/errors.js';
import { emit, ints, record, type Var } from './graph.js';
import { concat, gemm, pad, reduceSum, reshape, slice, transpose } from './ops.js';

/** `pointwise`: one matrix product, kernel 1³ only. `stacked`: the 27 shifts of the thinner side stacked into one matrix product.
 *  `swapped`: a Conv whose batch is the channels. `sliced`: 27 matrix products of flat slices. */
export type Formulation = 'pointwise' | 'stacked' | 'swapped' | 'sliced';

/**
 * @param x [N, Ci, D, H, W]. @param weight [Co, Ci, k, k, k], k = 1 or 3. @param bias [Co].
 * @returns [N, Co, D, H, W].
 * @throws ShapeError when the weight does not fit.
 */
export function conv3d(x: Var, weight: Var, bias: Var): Var {
  const [n, ci, ...grid] = x.shape;
  const [co, inner, kernel] = weight.shape;
  if (inner !== ci || (kernel !== 1 && kernel !== 3)) {
    throw new ShapeError('Convolution weight', {
      key: weight.name,
      expected: `[Co, ${ci}, k, k, k], k = 1 or 3`,
      found: [...weight.shape],
    });
  }
  const y = emit('Conv', [x, weight, bias], [n, co, ...grid], window(kernel));
  return record(
    y,
    [x, weight, bias],
    [
      (g) => inputGradient(g, weight),
      (g) => weightGradient(x, g, kernel, formulationFor(kernel, ci, co, grid)),
      (g) => reshape(reduceSum(g, [0, 2, 3, 4]), [co]),
    ],
  );
}

/** The fastest by measurement on ONNX Runtime 1.30, one thread, N = 1: 27 products of slices, unless a side is so thin that its stack is
 *  cheap, or the grid so small beside the channels that the slices cost more than their products. */
export function formulationFor(kernel: number, ci: number, co: number, [d, h, w]: readonly number[]): Formulation {
  if (kernel === 1) return 'pointwise';
  if (Math.min(ci, co) <= 8) return 'stacked';
  return d * h * w < 8 * Math.min(ci, co) ? 'swapped' : 'sliced';
}

/** dx: a convolution with the flipped kernel, channels exchanged. */
export function inputGradient(g: Var, weight: Var): Var {
  const [n, , ...grid] = g.shape;
  const [, ci, kernel] = weight.shape;
  const exchanged = transpose(weight, [1, 0, 2, 3, 4]);
  return emit('Conv', [g, kernel === 1 ? exchanged : flip(exchanged)], [n, ci, ...grid], window(kernel));
}

/** dw, [Co, Ci, k, k, k]. */
export function weightGradient(x: Var, g: Var, kernel: number, formulation: Formulation): Var {
  const shape = [g.shape[1], x.shape[1], kernel, kernel, kernel];
  if (formulation === 'pointwise') return reshape(gemm(flat(channelsFirst(g)), flat(channelsFirst(x)), { transB: true }), shape);
  if (formulation === 'swapped') return swapped(x, g, shape);
  return formulation === 'stacked' ? stacked(x, g, shape) : sliced(x, g, shape);
}

/** Samples play the channels and channels the samples: Conv(xᵀ, gᵀ) with kernel D×H×W leaves the 3³ offsets. */
function swapped(x: Var, g: Var, [co, ci]: readonly number[]): Var {
  const y = emit('Conv', [channelsFirst(x), channelsFirst(g)], [ci, co, 3, 3, 3], {
    kernel_shape: { ints: g.shape.slice(2) },
    pads: { ints: [1, 1, 1, 1, 1, 1] },
  });
  return transpose(y, [1, 0, 2, 3, 4]);
}

/** Behind a border of zeros a kernel offset is one contiguous slice of the flat grid: what wraps around a row meets zeros. */
function sliced(x: Var, g: Var, shape: readonly number[]): Var {
  const { centre, offsets } = flatOffsets(x.shape);
  const xFlat = flat(bordered(x)); // [Ci, Q]
  const gFlat = flat(bordered(g)); // [Co, Q]
  const length = xFlat.shape[1] - 2 * centre;
  const gInner = slice(gFlat, 1, centre, length);
  const products = offsets.map((o) => gemm(gInner, slice(xFlat, 1, o, length), { transB: true })); // 27 × [Co, Ci]
  return offsetsLast(concat(products, 0), shape);
}

/** The same sums with all 27 shifts of the thinner side as rows of one matrix. Shifting g instead of x reverses the shift. */
function stacked(x: Var, g: Var, shape: readonly number[]): Var {
  const [co, ci] = shape;
  const { centre, offsets } = flatOffsets(x.shape);
  const xFlat = flat(bordered(x));
  const gFlat = flat(bordered(g));
  const shifts = (v: Var, starts: readonly number[]): Var => {
    const margin = pad(v, [
      [0, 0],
      [centre, centre],
    ]);
    return concat(
      starts.map((start) => slice(margin, 1, start, v.shape[1])),
      0,
    );
  };
  if (co <= ci)
    return offsetsLast(
      gemm(
        shifts(
          gFlat,
          offsets.map((o) => 2 * centre - o),
        ),
        xFlat,
        { transB: true },
      ),
      shape,
    );
  const product = gemm(gFlat, shifts(xFlat, offsets), { transB: true }); // [Co, 27 Ci]
  return reshape(transpose(reshape(product, [co, 27, ci]), [0, 2, 1]), shape);
}

/** [27 Co, Ci] → [Co, Ci, 3, 3, 3]. */
function offsetsLast(rows: Var, shape: readonly number[]): Var {
  const [co, ci] = shape;
  return reshape(transpose(reshape(rows, [27, co, ci]), [1, 2, 0]), shape);
}

/** Distance in the flat, bordered grid from the corner of the kernel to its centre and to each of its 27 offsets. */
function flatOffsets([, , , h, w]: readonly number[]): { centre: number; offsets: number[] } {
  const row = w + 2;
  const plane = (h + 2) * row;
  const offsets = Array.from({ length: 27 }, (_, k) => Math.floor(k / 9) * plane + (Math.floor(k / 3) % 3) * row + (k % 3));
  return { centre: offsets[13], offsets };
}

/** [N, C, D, H, W] → [C, N, D + 2, H + 2, W + 2], zeros around. */
function bordered(x: Var): Var {
  return pad(channelsFirst(x), [
    [0, 0],
    [0, 0],
    [1, 1],
    [1, 1],
    [1, 1],
  ]);
}

function channelsFirst(x: Var): Var {
  const [n, c, ...grid] = x.shape;
  return n === 1 ? reshape(x, [c, n, ...grid]) : transpose(x, [1, 0, 2, 3, 4]);
}

function flat(x: Var): Var {
  const [c, ...rest] = x.shape;
  return reshape(x, [c, rest.reduce((product, n) => product * n, 1)]);
}

/** Reverses the three kernel axes. */
function flip(weight: Var): Var {
  const vectors = [
    [2, 2, 2],
    [-4, -4, -4],
    [2, 3, 4],
    [-1, -1, -1],
  ].map((v) => ints(weight.graph, v));
  return emit('Slice', [weight, ...vectors], weight.shape);
}

function window(kernel: number): { kernel_shape: { ints: number[] }; pads: { ints: number[] } } {
  return { kernel_shape: { ints: Array(3).fill(kernel) }, pads: { ints: Array(6).fill((kernel - 1) / 2) } };
}
