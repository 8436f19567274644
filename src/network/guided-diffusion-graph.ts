/** @file  The graph of a guided-diffusion network for one batch and patch, and the list of its weights. Weights are inputs of the graph under
 *  their own names, so that one copy in memory serves the graphs of all patches. */
import type { Shape3 } from '../core/array.js';
import { type Graph, input, newGraph, output, type Program, program, type Var } from './graph.js';
import { checkedGuidedPatch, type GuidedDiffusion, guidedDiffusion, planeMultiple } from './guided-diffusion.js';
import { graphLayers, type WeightSource } from './guided-layers.js';

/** Shape of each weight by name, in the order in which the network asks for them. */
export function guidedWeights(architecture: GuidedDiffusion): Map<string, readonly number[]> {
  const edge = planeMultiple(architecture);
  const shapes = new Map<string, readonly number[]>();
  network(architecture, 1, [1, edge, edge], (graph) => (name, shape) => {
    shapes.set(name, shape);
    return input(graph, name, shape);
  });
  return shapes;
}

/**
 * Inputs: x [N, inputChannels, D, H, W], `time` [N, features], and the weights. Output: `out` [N, outputChannels, D, H, W].
 * @throws ModelError when the patch does not fit the architecture.
 */
export function guidedGraph(architecture: GuidedDiffusion, batch: number, patch: Shape3): Program {
  const out = network(
    architecture,
    batch,
    checkedGuidedPatch(architecture, patch),
    (graph) => (name, shape) => input(graph, name, shape),
  );
  output(out, 'out');
  return program(out.graph);
}

function network(architecture: GuidedDiffusion, batch: number, patch: Shape3, weights: (graph: Graph) => WeightSource): Var {
  const graph = newGraph();
  const x = input(graph, 'x', [batch, architecture.inputChannels, ...patch]);
  const time = input(graph, 'time', [batch, architecture.features]);
  return guidedDiffusion(architecture, x, graphLayers(architecture, time, weights(graph)));
}
