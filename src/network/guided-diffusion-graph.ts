/** @file  The graph of a guided-diffusion network for one batch and patch, and the list of its weights. Weights are inputs of the graph under
 *  their own names, so that one copy in memory serves the graphs of all patches. */
import type { Shape3 } from '../core/array.js';
import { input, newGraph, output, type Program, program } from './graph.js';
import { checkedGuidedPatch, type GuidedDiffusion, guidedDiffusion, planeMultiple } from './guided-diffusion.js';

/** Shape of each weight by name, in the order in which the network asks for them. */
export function guidedWeights(architecture: GuidedDiffusion): Map<string, readonly number[]> {
  const graph = newGraph();
  const edge = planeMultiple(architecture);
  const shapes = new Map<string, readonly number[]>();
  guidedDiffusion(
    architecture,
    input(graph, 'x', [1, architecture.inputChannels, 1, edge, edge]),
    input(graph, 'time', [1, architecture.features]),
    (name, shape) => {
      shapes.set(name, shape);
      return input(graph, name, shape);
    },
  );
  return shapes;
}

/**
 * Inputs: x [N, inputChannels, D, H, W], `time` [N, features], and the weights. Output: `out` [N, outputChannels, D, H, W].
 * @throws ModelError when the patch does not fit the architecture.
 */
export function guidedGraph(architecture: GuidedDiffusion, batch: number, patch: Shape3): Program {
  const graph = newGraph();
  const x = input(graph, 'x', [batch, architecture.inputChannels, ...checkedGuidedPatch(architecture, patch)]);
  const time = input(graph, 'time', [batch, architecture.features]);
  output(
    guidedDiffusion(architecture, x, time, (name, shape) => input(graph, name, shape)),
    'out',
  );
  return program(graph);
}
