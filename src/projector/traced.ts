/** @file  Operators whose rows are traced: both directions go through the same weights, and so are transposes by construction. */
import { array, expectShape, type NdArray, type Shape3, size, type Volume } from '../core/array.js';
import type { LinearOperator } from '../core/interfaces.js';
import { type CallOptions, turn } from '../core/iterate.js';

/** Told of a voxel (flat index) and its weight, mm. */
export type Visit = (voxel: number, weight: number) => void;

/**
 * Accumulates in double.
 * @param trace calls `visit` with the voxels of row i, in the order of outShape.
 * @param rowsPerTurn rows between two turns of the event loop.
 */
export function tracedOperator(
  inShape: Shape3,
  outShape: readonly number[],
  trace: (i: number, visit: Visit) => void,
  rowsPerTurn = 2048,
): LinearOperator {
  const count = size(outShape);
  return {
    inShape,
    outShape,
    async forward(x: Volume, { signal }: CallOptions = {}): Promise<NdArray> {
      const image = expectShape(x, inShape, 'image').data;
      const out = array(outShape);
      for (let i = 0; i < count; i++) {
        if (i % rowsPerTurn === 0) await turn(signal);
        let sum = 0;
        trace(i, (voxel, weight) => {
          sum += weight * image[voxel]!;
        });
        out.data[i] = sum;
      }
      return out;
    },
    async adjoint(y: NdArray, { signal }: CallOptions = {}): Promise<Volume> {
      const data = expectShape(y, outShape, 'projections').data;
      const image = new Float64Array(size(inShape));
      for (let i = 0; i < count; i++) {
        if (i % rowsPerTurn === 0) await turn(signal);
        const value = data[i]!;
        if (value === 0) continue;
        trace(i, (voxel, weight) => {
          image[voxel]! += weight * value;
        });
      }
      return array(inShape, Float32Array.from(image));
    },
  };
}
