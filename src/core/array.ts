/** @file  Arrays: scijs ndarray, float32, contiguous in C order (last index fastest). */
import ndarray, { type NdArray as ScijsArray } from 'ndarray';
import { ShapeError } from './errors.js';

/** Float32 array of any rank. What the library returns is contiguous, last index fastest, offset 0. */
export type NdArray = ScijsArray<Float32Array>;
/** Image, shape [nz, ny, nx], x fastest. */
export type Volume = NdArray;
export type Shape3 = readonly [nz: number, ny: number, nx: number];
/** Lengths or positions, mm, in the order z, y, x. */
export type Point = readonly [z: number, y: number, x: number];

/** Number of elements of a shape. */
export function size(shape: readonly number[]): number {
  return shape.reduce((product, n) => product * n, 1);
}

/**
 * Wraps `data` without copying it, or makes zeros.
 * @throws ShapeError when data.length is not the product of the shape.
 */
export function array(shape: readonly number[], data: Float32Array = new Float32Array(size(shape))): NdArray {
  if (data.length !== size(shape)) {
    throw new ShapeError('Data do not fill the shape', {
      expected: `${size(shape)} values for [${shape.join(', ')}]`,
      found: data.length,
    });
  }
  return ndarray(data, [...shape]);
}

/** New array of the shape, every element from its flat index. */
export function fill(shape: readonly number[], value: (index: number) => number): NdArray {
  const out = array(shape);
  for (let i = 0; i < out.data.length; i++) out.data[i] = value(i);
  return out;
}

/** Is the array laid out as `array` makes it? */
export function isContiguous({ data, shape, stride, offset }: NdArray): boolean {
  let step = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    if (shape[axis] !== 1 && stride[axis] !== step) return false;
    step *= shape[axis]!;
  }
  return offset === 0 && data.length === step && data instanceof Float32Array;
}

/** The same values, contiguous: the array itself if it already is. Used once, where arrays enter the library. */
export function contiguous(x: NdArray): NdArray {
  if (isContiguous(x)) return x;
  const out = array(x.shape);
  const index = new Array<number>(x.shape.length).fill(0);
  for (let i = 0; i < out.data.length; i++) {
    out.data[i] = x.get(...index);
    for (let axis = index.length - 1; axis >= 0 && ++index[axis]! === x.shape[axis]; axis--) index[axis] = 0;
  }
  return out;
}

/**
 * Returns x contiguous, once its shape is what is expected.
 * @throws ShapeError naming the array.
 */
export function expectShape(x: NdArray, shape: readonly number[], name: string): NdArray {
  if (x.shape.length !== shape.length || shape.some((n, axis) => n !== x.shape[axis])) {
    throw new ShapeError(`${name} does not fit`, { expected: `shape [${shape.join(', ')}]`, found: `[${x.shape.join(', ')}]` });
  }
  return contiguous(x);
}

/** ⟨a, b⟩, accumulated in double. */
export function dot(a: NdArray, b: NdArray): number {
  let sum = 0;
  for (let i = 0; i < a.data.length; i++) sum += a.data[i]! * b.data[i]!;
  return sum;
}

/** Sum of all elements, accumulated in double. */
export function total(a: NdArray): number {
  let sum = 0;
  for (let i = 0; i < a.data.length; i++) sum += a.data[i]!;
  return sum;
}
