/** @file  3D convolution (cross-correlation), zero padding that keeps the grid, kernel edges 1 or 3 ([1, 3, 3] works in planes), and its
 *  gradients as plain ONNX operators. With g = ∂L/∂y, k the kernel offset and sums over samples and voxels p (zero outside the grid):
 *
 *    y[co, p] = b[co] + Σ_ci Σ_k  w[co, ci, k] x[ci, p + k − 1]
 *    dx = g ∗ w',  w'[ci, co, k] = w[co, ci, 2 − k]
 *    dw[co, ci, k] = Σ_p g[co, p] x[ci, p + k − 1]
 *    db[co] = Σ_p g[co, p]
 *
 *  A stride leaves out places of y: its gradients are those above with zeros at these places of g.
 *  dw has four formulations that give the same numbers at very different speed on ONNX Runtime's CPU kernels; `formulationFor` picks. */
import { ShapeError } from '../core/errors.js';
import { emit, ints, record, type Var } from './graph.js';
import { concat, gemm, pad, reduceSum, reshape, slice, transpose } from './ops.js';

/** `pointwise`: one matrix product, kernel 1³ only. `stacked`: the 27 shifts of the thinner side stacked into one matrix product.
 *  `swapped`: a Conv whose batch is the channels. `sliced`: 27 matrix products of flat slices. */
export type Formulation = 'pointwise' | 'stacked' | 'swapped' | 'sliced';

/** Edges of a kernel along z, y, x, each 1 or 3. */
export type Kernel = readonly [z: number, y: number, x: number];
const everyPlace: Kernel = [1, 1, 1];

/**
 * @param x [N, Ci, D, H, W]. @param weight [Co, Ci, kz, ky, kx], each k 1 or 3. @param bias [Co].
 * @param stride along z, y, x; edges of the grid are multiples of it. @default [1, 1, 1]
 * @returns [N, Co, D / stride, …].
 * @throws ShapeError when the weight or the stride does not fit.
 */
export function conv3d(x: Var, weight: Var, bias: Var, stride: Kernel = everyPlace): Var {
  const [n, ci, ...grid] = x.shape;
  const [co, inner] = weight.shape;
  const kernel = kernelOf(weight);
  if (inner !== ci || weight.shape.length !== 5 || !kernel.every((k) => k === 1 || k === 3)) {
    throw new ShapeError('Convolution weight', {
      key: weight.name,
      expected: `[Co, ${ci}, k, k, k], k = 1 or 3`,
      found: [...weight.shape],
    });
  }
  const coarse = grid.map((edge, axis) => edge / stride[axis]);
  if (!coarse.every(Number.isInteger))
    throw new ShapeError('Stride', { expected: `a divisor of the grid [${grid.join(', ')}]`, found: [...stride] });
  const strides = stride.every((s) => s === 1) ? {} : { strides: { ints: stride } };
  const y = emit('Conv', [x, weight, bias], [n, co, ...coarse], { ...window(kernel), ...strides });
  return record(
    y,
    [x, weight, bias],
    [
      (g) => inputGradient(spread(g, stride), weight),
      (g) => weightGradient(x, spread(g, stride), kernel, formulationFor(kernel, ci, co, grid)),
      (g) => reshape(reduceSum(g, [0, 2, 3, 4]), [co]),
    ],
  );
}

/** The fastest by measurement on ONNX Runtime 1.30, one thread, N = 1: 27 products of slices, unless a side is so thin that its stack is
 *  cheap, or the grid so small beside the channels that the slices cost more than their products. */
export function formulationFor(kernel: Kernel, ci: number, co: number, [d, h, w]: readonly number[]): Formulation {
  if (kernel.every((k) => k === 1)) return 'pointwise';
  if (Math.min(ci, co) <= 8) return 'stacked';
  return d * h * w < 8 * Math.min(ci, co) ? 'swapped' : 'sliced';
}

/** dx: a convolution with the flipped kernel, channels exchanged. */
export function inputGradient(g: Var, weight: Var): Var {
  const [n, , ...grid] = g.shape;
  const ci = weight.shape[1];
  const exchanged = transpose(weight, [1, 0, 2, 3, 4]);
  return emit('Conv', [g, flip(exchanged)], [n, ci, ...grid], window(kernelOf(weight)));
}

/** dw, [Co, Ci, kz, ky, kx]. */
export function weightGradient(x: Var, g: Var, kernel: Kernel, formulation: Formulation): Var {
  const shape = [g.shape[1], x.shape[1], ...kernel];
  if (formulation === 'pointwise') return reshape(gemm(flat(channelsFirst(g)), flat(channelsFirst(x)), { transB: true }), shape);
  if (formulation === 'swapped') return swapped(x, g, shape);
  return formulation === 'stacked' ? stacked(x, g, shape) : sliced(x, g, shape);
}

/** g at every stride-th place, zeros between. */
function spread(g: Var, stride: Kernel): Var {
  if (stride.every((s) => s === 1)) return g;
  const [n, c, d, h, w] = g.shape;
  const [a, b, e] = stride;
  const places = pad(reshape(g, [n * c, d, 1, h, 1, w, 1]), [
    [0, 0],
    [0, 0],
    [0, a - 1],
    [0, 0],
    [0, b - 1],
    [0, 0],
    [0, e - 1],
  ]);
  return reshape(places, [n, c, a * d, b * h, e * w]);
}

/** Samples play the channels and channels the samples: Conv(xᵀ, gᵀ) with kernel D×H×W leaves the offsets of the kernel. */
function swapped(x: Var, g: Var, [co, ci, ...kernel]: readonly number[]): Var {
  const y = emit('Conv', [channelsFirst(x), channelsFirst(g)], [ci, co, ...kernel], {
    kernel_shape: { ints: g.shape.slice(2) },
    pads: window(kernel).pads,
  });
  return transpose(y, [1, 0, 2, 3, 4]);
}

/** Behind a border of zeros a kernel offset is one contiguous slice of the flat grid: what wraps around a row meets zeros. */
function sliced(x: Var, g: Var, shape: readonly number[]): Var {
  const kernel = shape.slice(2);
  const { centre, offsets } = flatOffsets(x.shape, kernel);
  const xFlat = flat(bordered(x, kernel)); // [Ci, Q]
  const gFlat = flat(bordered(g, kernel)); // [Co, Q]
  const length = xFlat.shape[1] - 2 * centre;
  const gInner = slice(gFlat, 1, centre, length);
  const products = offsets.map((o) => gemm(gInner, slice(xFlat, 1, o, length), { transB: true })); // one [Co, Ci] an offset
  return offsetsLast(concat(products, 0), shape);
}

/** The same sums with the shifts of all offsets of the thinner side as rows of one matrix. Shifting g instead of x reverses the shift. */
function stacked(x: Var, g: Var, shape: readonly number[]): Var {
  const [co, ci, ...kernel] = shape;
  const { centre, offsets } = flatOffsets(x.shape, kernel);
  const xFlat = flat(bordered(x, kernel));
  const gFlat = flat(bordered(g, kernel));
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
  const product = gemm(gFlat, shifts(xFlat, offsets), { transB: true }); // [Co, K Ci]
  return reshape(transpose(reshape(product, [co, offsets.length, ci]), [0, 2, 1]), shape);
}

/** [K Co, Ci] → [Co, Ci, kz, ky, kx], K = kz ky kx. */
function offsetsLast(rows: Var, shape: readonly number[]): Var {
  const [co, ci] = shape;
  return reshape(transpose(reshape(rows, [rows.shape[0] / co, co, ci]), [1, 2, 0]), shape);
}

/** Distance in the flat, bordered grid from the corner of the kernel to its centre and to each of its offsets. */
function flatOffsets([, , , h, w]: readonly number[], [kz, ky, kx]: readonly number[]): { centre: number; offsets: number[] } {
  const row = w + kx - 1;
  const plane = (h + ky - 1) * row;
  const offsets = Array.from(
    { length: kz * ky * kx },
    (_, k) => Math.floor(k / (ky * kx)) * plane + (Math.floor(k / kx) % ky) * row + (k % kx),
  );
  return { centre: offsets[(offsets.length - 1) / 2], offsets };
}

/** [N, C, D, H, W] → [C, N, D + kz − 1, H + ky − 1, W + kx − 1], zeros around. */
function bordered(x: Var, kernel: readonly number[]): Var {
  return pad(channelsFirst(x), [[0, 0], [0, 0], ...kernel.map((k) => [(k - 1) / 2, (k - 1) / 2])]);
}

function channelsFirst(x: Var): Var {
  const [n, c, ...grid] = x.shape;
  return n === 1 ? reshape(x, [c, n, ...grid]) : transpose(x, [1, 0, 2, 3, 4]);
}

function flat(x: Var): Var {
  const [c, ...rest] = x.shape;
  return reshape(x, [c, rest.reduce((product, n) => product * n, 1)]);
}

/** Reverses the kernel axes that are longer than 1. */
function flip(weight: Var): Var {
  const axes = [2, 3, 4].filter((axis) => weight.shape[axis] > 1);
  if (axes.length === 0) return weight;
  const vectors = [axes.map(() => 2), axes.map(() => -4), axes, axes.map(() => -1)].map((v) => ints(weight.graph, v));
  return emit('Slice', [weight, ...vectors], weight.shape);
}

function kernelOf({ shape }: Var): Kernel {
  return [shape[2], shape[3], shape[4]];
}

/** Attributes of a Conv that keeps the grid. */
export function window(kernel: readonly number[]): { kernel_shape: { ints: readonly number[] }; pads: { ints: number[] } } {
  const margins = kernel.map((k) => (k - 1) / 2);
  return { kernel_shape: { ints: kernel }, pads: { ints: [...margins, ...margins] } };
}
