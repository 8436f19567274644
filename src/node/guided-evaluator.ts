/** @file  An imported network as a function, on one worker thread whose operations use all threads. A patch is evaluated slab by slab,
 *  or whole where the network asks for that; which, and with how much memory, is told by `plan`. */
import { totalmem } from 'node:os';
import { array, expectShape, type NdArray, type Shape3, size } from '../core/array.js';
import { DeviceError, ModelError, ShapeError } from '../core/errors.js';
import type { CallOptions } from '../core/iterate.js';
import type { Program } from '../network/graph.js';
import { type GuidedDiffusion, planeMultiple } from '../network/guided-diffusion.js';
import { guidedGraph, guidedWeights } from '../network/guided-diffusion-graph.js';
import { type EvaluationPlan, evaluationPlan } from '../network/guided-plan.js';
import { guidedStages, multiplyAdds } from '../network/guided-stages.js';
import { type ProgramRunner, streamedNetwork } from '../network/guided-streaming.js';
import type { GuidedEvaluator, Tensors } from '../network/runner.js';
import { collector } from './collect.js';
import { openPool } from './ort-pool.js';

export interface GuidedEvaluatorOptions {
  /** Threads of each operation. */
  readonly threads: number;
  /** Bytes that the process may take. @default three quarters of the machine's */
  readonly memory?: number | undefined;
}
export interface PlannedEvaluator extends GuidedEvaluator {
  /** How a patch will be evaluated. @throws DeviceError when it does not fit the memory in any way. */
  plan(patch: Shape3): EvaluationPlan;
  /** Multiplications with an addition in a second, measured on a small patch. @throws ModelError where that cannot be counted. */
  speed(options?: CallOptions): Promise<number>;
}

/**
 * @param weights by name; the arrays are given away and empty afterwards.
 * @throws ModelError when a weight is missing or of another size.
 */
export function openGuidedEvaluator(
  architecture: GuidedDiffusion,
  weights: Tensors,
  { threads, memory = 0.75 * totalmem() }: GuidedEvaluatorOptions,
): PlannedEvaluator {
  const shapes = guidedWeights(architecture);
  for (const [name, shape] of shapes) {
    if (weights[name]?.length !== size(shape)) {
      throw new ModelError('A weight is missing or of another size', {
        key: name,
        expected: `${size(shape)} values for [${shape.join(', ')}]`,
        found: weights[name]?.length,
      });
    }
  }
  const vectors = Object.fromEntries(
    [...shapes].flatMap(([name, shape]) => (shape.length === 1 ? [[name, weights[name]!.slice()]] : [])),
  );
  const pool = openPool({ threads: 1, threadsPerWorker: threads, frugal: true });
  pool.share(weights, { give: true });
  const plan = (patch: Shape3): EvaluationPlan => {
    const found = evaluationPlan(architecture, patch, memory);
    if (found.bytes <= memory) return found;
    throw new DeviceError('The patch does not fit the memory', {
      key: 'memory',
      expected: `${gigabytes(found.bytes)} or more for [${patch.join(', ')}]`,
      found: gigabytes(memory),
      hint: 'Allow more, or take fewer slices at once.',
    });
  };

  /** Where maps are halved to fit, slabs in float32 are not left lying about either. */
  const collect = collector();
  const tidy: ProgramRunner = {
    async run(program, feeds, options) {
      const made = await pool.run(program, feeds, options);
      collect();
      return made;
    },
  };
  type Network = (x: NdArray, time: Float32Array, options?: CallOptions) => Promise<NdArray>;
  const whole = (patch: Shape3): Network => {
    const program: Program = guidedGraph(architecture, 1, patch);
    return async (x, time, options) => {
      const { out } = await pool.run(program, { x: expectShape(x, program.inputs[0]!.shape, 'x').data, time }, options);
      return array(program.outputs[0]!.shape, out!);
    };
  };
  const networks = new Map<string, Network>();
  const networkFor = (patch: Shape3): Network => {
    const made = networks.get(patch.join());
    if (made) return made;
    const { streaming } = plan(patch);
    const network =
      streaming === undefined ? whole(patch) : streamedNetwork(architecture, streaming.half ? tidy : pool, vectors, streaming);
    networks.set(patch.join(), network);
    return network;
  };
  return {
    plan,
    async speed(options) {
      const edge = planeMultiple(architecture);
      const patch = [4, 2 * edge, 3 * edge];
      const network = streamedNetwork(architecture, pool, vectors, { slices: 4, half: false });
      const x = array([1, architecture.inputChannels, ...patch]);
      const time = new Float32Array(architecture.features);
      await network(x, time, options); // makes the sessions
      const started = performance.now();
      await network(x, time, options);
      return multiplyAdds(guidedStages(architecture), patch) / ((performance.now() - started) / 1000);
    },
    async evaluate(x, time, options = {}) {
      if (x.shape.length !== 5) throw new ShapeError('x', { expected: 'shape [1, C, D, H, W]', found: [...x.shape] });
      return networkFor(x.shape.slice(2) as unknown as Shape3)(x, time, options);
    },
    dispose: () => pool.dispose(),
  };
}

function gigabytes(bytes: number): string {
  return `${(bytes / 1e9).toFixed(1)} GB`;
}
