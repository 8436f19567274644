/** @file  The graphs of the U-Net, for one batch size and patch each. Parameters and their gradient are single flat vectors, cut up and
 *  joined inside the graph, in the order of `parameterManifest`. Inputs common to all: x [N, C, D, H, W], features [N, F],
 *  skip [N, 1, 1, 1, 1]; see `UnetInputs`. */
import { type Shape3, size } from '../core/array.js';
import { constant, type Graph, gradients, input, newGraph, output, type Program, program, type Var } from './graph.js';
import { meanSquaredError } from './losses.js';
import { concat, reshape, split } from './ops.js';
import { checkedParameters, parameterCount, parameterManifest } from './parameters.js';
import { type Architecture, checkedPatch, unet } from './unet.js';

/**
 * Inputs: the common ones, and `parameters` [P] unless they are given. Output: v [N, 1, D, H, W].
 * @param parameters written into the graph as constants.
 * @throws ModelError when the patch or the parameters do not fit the architecture.
 */
export function evaluateGraph(architecture: Architecture, batch: number, patch: Shape3, parameters?: Float32Array): Program {
  const graph = newGraph();
  const { v } = network(graph, architecture, batch, patch, parameters);
  output(v, 'v');
  return program(graph);
}

/**
 * L = 1/N Σ_n weight_n · mean over voxels (v − target)².
 * Inputs: the common ones, `parameters` [P], `target` [N, 1, D, H, W], `weight` [N, 1, 1, 1, 1].
 * Outputs: `loss` [], `gradient` [P] = ∂L/∂parameters.
 * @throws ModelError when the patch does not fit the architecture.
 */
export function trainGraph(architecture: Architecture, batch: number, patch: Shape3): Program {
  const graph = newGraph();
  const { v, pieces } = network(graph, architecture, batch, patch);
  const target = input(graph, 'target', v.shape);
  const weight = input(graph, 'weight', [batch, 1, 1, 1, 1]);
  const loss = meanSquaredError(v, target, weight);
  output(loss, 'loss');
  output(flatGradient(gradients(loss, pieces)), 'gradient');
  return program(graph);
}

/**
 * For a loss L outside the graph. Inputs: the common ones, `parameters` [P], `seed` [N, 1, D, H, W] = ∂L/∂v.
 * Outputs: v, `gradient` [P] = ∂L/∂parameters.
 * @throws ModelError when the patch does not fit the architecture.
 */
export function externalGradientGraph(architecture: Architecture, batch: number, patch: Shape3): Program {
  const graph = newGraph();
  const { v, pieces } = network(graph, architecture, batch, patch);
  const seed = input(graph, 'seed', v.shape);
  output(v, 'v');
  output(flatGradient(gradients(v, pieces, seed)), 'gradient');
  return program(graph);
}

/** @returns v and the parameters, in the order of the manifest. */
function network(
  graph: Graph,
  architecture: Architecture,
  batch: number,
  patch: Shape3,
  parameters?: Float32Array,
): { v: Var; pieces: Var[] } {
  const manifest = parameterManifest(architecture);
  const inputs = {
    x: input(graph, 'x', [batch, architecture.inputChannels, ...checkedPatch(architecture, patch)]),
    features: input(graph, 'features', [batch, architecture.features]),
    skip: input(graph, 'skip', [batch, 1, 1, 1, 1]),
  };
  const shape = [parameterCount(architecture)];
  const flat =
    parameters === undefined
      ? input(graph, 'parameters', shape)
      : constant(graph, 'parameters', shape, checkedParameters(architecture, parameters));
  const cuts = split(
    flat,
    manifest.map((entry) => size(entry.shape)),
  );
  const pieces = manifest.map((entry, i): Var => ({ ...reshape(cuts[i], entry.shape), needsGradient: true }));
  const byName = new Map(manifest.map(({ name }, i) => [name, pieces[i]]));
  return { v: unet(architecture, inputs, (name) => byName.get(name)!), pieces };
}

function flatGradient(parts: readonly Var[]): Var {
  return concat(
    parts.map((part) => reshape(part, [size(part.shape)])),
    0,
  );
}
