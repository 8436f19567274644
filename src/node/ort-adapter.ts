/** @file  A network with a low-rank adapter, evaluated and differentiated on worker threads: what adaptation to one scan asks for, its loss
 *  (the likelihood of the data, say) being outside the network. */
import { array, expectShape, type NdArray, type Shape3 } from '../core/array.js';
import type { CallOptions } from '../core/iterate.js';
import type { AdaptedEvaluator, Tensors } from '../network/runner.js';
import type { Architecture } from '../network/unet.js';
import { type Adapted, loraGraph } from '../network/unet-graphs.js';
import { openPool, type PoolOptions } from './ort-pool.js';

/**
 * @param batch samples a call, N. @param patch [D, H, W] of every sample.
 * @throws ModelError when patch, weights or adapter do not fit the architecture.
 */
export function openAdapter(
  architecture: Architecture,
  batch: number,
  patch: Shape3,
  adapted: Adapted,
  options: PoolOptions = {},
): AdaptedEvaluator {
  const forward = loraGraph(architecture, batch, patch, adapted, { gradient: false });
  const both = loraGraph(architecture, batch, patch, adapted, { gradient: true });
  const pool = openPool(options);
  const feeds = (x: NdArray, features: Float32Array, skip: Float32Array, adapter: Float32Array): Tensors => ({
    x: expectShape(x, forward.inputs.find(({ name }) => name === 'x')!.shape, 'x').data,
    ...{ features, skip, adapter },
  });
  const [{ shape }] = forward.outputs;
  return {
    async evaluate(x, features, skip, adapter, callOptions: CallOptions = {}) {
      const { v } = await pool.run(forward, feeds(x, features, skip, adapter), callOptions);
      return array(shape, v);
    },
    async gradient(x, features, skip, adapter, seed, callOptions: CallOptions = {}) {
      const given = { ...feeds(x, features, skip, adapter), seed: expectShape(seed, shape, 'seed').data };
      return (await pool.run(both, given, callOptions)).gradient;
    },
    dispose: () => pool.dispose(),
  };
}
