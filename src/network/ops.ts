/** @file  Differentiable operations, each with its vector-Jacobian products: g = ∂L/∂y in, ∂L/∂x out. */
import { size } from '../core/array.js';
import { ShapeError } from '../core/errors.js';
import { emit, emitMany, ints, record, scalar, type Var } from './graph.js';

/** y = a + b, broadcast as in NumPy. */
export function add(a: Var, b: Var): Var {
  const y = emit('Add', [a, b], broadcast(a, b));
  return record(y, [a, b], [(g) => sumTo(g, a.shape), (g) => sumTo(g, b.shape)]);
}

/** y = a − b, broadcast. */
export function sub(a: Var, b: Var): Var {
  const y = emit('Sub', [a, b], broadcast(a, b));
  return record(y, [a, b], [(g) => sumTo(g, a.shape), (g) => sumTo(emit('Neg', [g], g.shape), b.shape)]);
}

/** y = a · b elementwise, broadcast. */
export function mul(a: Var, b: Var): Var {
  const y = emit('Mul', [a, b], broadcast(a, b));
  return record(y, [a, b], [(g) => sumTo(mul(g, b), a.shape), (g) => sumTo(mul(g, a), b.shape)]);
}

/** y = factor · x. */
export function scale(x: Var, factor: number): Var {
  return mul(x, scalar(x.graph, factor));
}

/** y = A B for matrices [m, k] and [k, n], or stacks of as many [.., m, k] and [.., k, n]:  dA = g Bᵀ,  dB = Aᵀ g. */
export function matmul(a: Var, b: Var): Var {
  if (a.shape.length > 2) return stackedMatmul(a, b);
  return record(gemm(a, b), [a, b], [(g) => gemm(g, b, { transB: true }), (g) => gemm(a, g, { transA: true })]);
}

function stackedMatmul(a: Var, b: Var): Var {
  const stack = a.shape.slice(0, -2);
  const [m, k] = a.shape.slice(-2);
  const [inner, n] = b.shape.slice(-2);
  if (k !== inner || b.shape.slice(0, -2).join() !== stack.join()) {
    throw new ShapeError('Stack of matrix products', { expected: `[${[...stack, k].join(', ')}, n]`, found: [...b.shape] });
  }
  const transposed = (v: Var): Var => transpose(v, [...stack.keys(), stack.length + 1, stack.length]);
  const y = emit('MatMul', [a, b], [...stack, m, n]);
  return record(y, [a, b], [(g) => stackedMatmul(g, transposed(b)), (g) => stackedMatmul(transposed(a), g)]);
}

/** Matrix product, either factor transposed first; no gradient of its own. */
export function gemm(a: Var, b: Var, { transA = false, transB = false }: { transA?: boolean; transB?: boolean } = {}): Var {
  const [m, k] = transA ? [a.shape[1], a.shape[0]] : a.shape;
  const [inner, n] = transB ? [b.shape[1], b.shape[0]] : b.shape;
  if (k !== inner) throw new ShapeError('Matrix product', { expected: `inner length ${k}`, found: inner });
  return emit('Gemm', [a, b], [m, n], { transA: { int: Number(transA) }, transB: { int: Number(transB) } });
}

export function reshape(x: Var, shape: readonly number[]): Var {
  if (size(shape) !== size(x.shape)) throw new ShapeError('Reshape', { expected: `${size(x.shape)} values`, found: [...shape] });
  if (x.shape.join() === shape.join()) return x;
  return record(emit('Reshape', [x, ints(x.graph, shape)], shape), [x], [(g) => reshape(g, x.shape)]);
}

/** y[i_p0, i_p1, …] with axis k of y being axis permutation[k] of x. */
export function transpose(x: Var, permutation: readonly number[]): Var {
  const shape = permutation.map((axis) => x.shape[axis]);
  const inverse = permutation.map((_, axis) => permutation.indexOf(axis));
  return record(emit('Transpose', [x], shape, { perm: { ints: permutation } }), [x], [(g) => transpose(g, inverse)]);
}

/** y = x σ(x), σ the logistic function:  dx = g (s + y − y s),  s = σ(x). */
export function silu(x: Var): Var {
  const s = emit('Sigmoid', [x], x.shape);
  const y = emit('Mul', [x, s], x.shape);
  return record(y, [x], [(g) => mul(g, sub(add(s, y), mul(y, s)))]);
}

/** y = exp(x) / Σ exp(x) along the last axis:  dx = y (g − Σ g y). */
export function softmax(x: Var): Var {
  const y = emit('Softmax', [x], x.shape, { axis: { int: -1 } });
  return record(y, [x], [(g) => mul(y, sub(g, reduceSum(mul(g, y), [x.shape.length - 1])))]);
}

/** Joins arrays along an axis. */
export function concat(parts: readonly Var[], axis: number): Var {
  const lengths = parts.map(({ shape }) => shape[axis]);
  const shape = parts[0].shape.with(
    axis,
    lengths.reduce((sum, n) => sum + n, 0),
  );
  const starts = lengths.map((_, i) => lengths.slice(0, i).reduce((sum, n) => sum + n, 0));
  const y = emit('Concat', parts, shape, { axis: { int: axis } });
  return record(
    y,
    parts,
    parts.map(
      (_, i) =>
        (g: Var): Var =>
          slice(g, axis, starts[i], lengths[i]),
    ),
  );
}

/** x[start : start + length] along an axis. */
export function slice(x: Var, axis: number, start: number, length: number): Var {
  const { graph } = x;
  const bounds = [ints(graph, [start]), ints(graph, [start + length]), ints(graph, [axis])];
  const y = emit('Slice', [x, ...bounds], x.shape.with(axis, length));
  const after = x.shape[axis] - start - length;
  return record(
    y,
    [x],
    [
      (g) =>
        pad(
          g,
          x.shape.map((_, k) => (k === axis ? [start, after] : [0, 0])),
        ),
    ],
  );
}

/** Cuts x along its first axis into pieces of the given lengths; no gradient of its own. */
export function split(x: Var, lengths: readonly number[]): Var[] {
  const shapes = lengths.map((n) => x.shape.with(0, n));
  return emitMany('Split', [x, ints(x.graph, lengths)], shapes, { axis: { int: 0 } });
}

/** Zeros before and after each axis; no gradient of its own. */
export function pad(x: Var, margins: readonly (readonly number[])[]): Var {
  const shape = x.shape.map((n, axis) => n + margins[axis][0] + margins[axis][1]);
  return emit('Pad', [x, ints(x.graph, [...margins.map(([before]) => before), ...margins.map(([, after]) => after)])], shape);
}

/** Sum over axes, which stay with length 1; no gradient of its own. */
export function reduceSum(x: Var, axes: readonly number[]): Var {
  const shape = x.shape.map((n, axis) => (axes.includes(axis) ? 1 : n));
  return emit('ReduceSum', [x, ints(x.graph, axes)], shape, { keepdims: { int: 1 } });
}

/** Adjoint of broadcasting: sums g over the axes along which `shape` was repeated. */
function sumTo(g: Var, shape: readonly number[]): Var {
  const lead = g.shape.length - shape.length;
  const axes = g.shape.flatMap((n, axis) => (axis < lead || (n !== 1 && shape[axis - lead] === 1) ? [axis] : []));
  return axes.length === 0 ? g : reshape(reduceSum(g, axes), shape);
}

function broadcast(a: Var, b: Var): number[] {
  const rank = Math.max(a.shape.length, b.shape.length);
  return Array.from({ length: rank }, (_, axis) => {
    const m = a.shape[axis - rank + a.shape.length] ?? 1;
    const n = b.shape[axis - rank + b.shape.length] ?? 1;
    if (m !== n && m !== 1 && n !== 1)
      throw new ShapeError('Broadcast', { expected: `[${a.shape.join(', ')}] or ones`, found: [...b.shape] });
    return m === 1 ? n : m;
  });
}
