/** @file  An imported network as a function, on one worker thread whose operations use all threads: a patch may need many gigabytes, so there
 *  is one at a time. A graph and its session are made for every new patch; the last one is kept. */
import { array, expectShape, type Shape3, size } from '../core/array.js';
import { ModelError, ShapeError } from '../core/errors.js';
import type { Program } from '../network/graph.js';
import type { GuidedDiffusion } from '../network/guided-diffusion.js';
import { guidedGraph, guidedWeights } from '../network/guided-diffusion-graph.js';
import type { GuidedEvaluator, Tensors } from '../network/runner.js';
import { openPool } from './ort-pool.js';

/**
 * @param weights by name; the arrays are given away and empty afterwards.
 * @throws ModelError when a weight is missing or of another size.
 */
export function openGuidedEvaluator(architecture: GuidedDiffusion, weights: Tensors, threads: number): GuidedEvaluator {
  for (const [name, shape] of guidedWeights(architecture)) {
    if (weights[name]?.length !== size(shape)) {
      throw new ModelError('A weight is missing or of another size', {
        key: name,
        expected: `${size(shape)} values for [${shape.join(', ')}]`,
        found: weights[name]?.length,
      });
    }
  }
  const pool = openPool({ threads: 1, threadsPerWorker: threads });
  pool.share(weights, { give: true });
  const programs = new Map<string, Program>();
  return {
    async evaluate(x, time, options = {}) {
      if (x.shape.length !== 5) throw new ShapeError('x', { expected: 'shape [1, C, D, H, W]', found: [...x.shape] });
      const [n, , ...patch] = x.shape as [number, number, number, number, number];
      const key = [n, ...patch].join();
      const program = programs.get(key) ?? guidedGraph(architecture, n, patch as unknown as Shape3);
      programs.set(key, program);
      const given = expectShape(x, program.inputs[0]!.shape, 'x');
      const { out } = await pool.run(program, { x: given.data, time }, options);
      return array(program.outputs[0]!.shape, out!);
    },
    dispose: () => pool.dispose(),
  };
}
