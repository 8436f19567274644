/** @file  All parameters of a network in one flat Float32Array: which is where, how many there are, and their seeded start. */
import { size } from '../core/array.js';
import { ModelError } from '../core/errors.js';
import { random } from '../core/random.js';
import { type DiscriminatorWidths, discriminator } from './discriminator.js';
import { type Graph, input, newGraph, type Var } from './graph.js';
import { type Architecture, checkedArchitecture, type ParameterSource, patchMultiple, type Start, unet } from './unet.js';

/** One parameter's place in the flat array: values offset … offset + product of the shape − 1, C order. */
export interface ParameterEntry {
  readonly name: string;
  readonly shape: readonly number[];
  readonly offset: number;
  readonly start: Start;
}

/**
 * The parameters in the order in which the network asks for them.
 * @throws ModelError for an impossible architecture.
 */
export function parameterManifest(architecture: Architecture): ParameterEntry[] {
  const { inputChannels, features } = checkedArchitecture(architecture);
  const graph = newGraph();
  const inputs = {
    x: input(graph, 'x', [1, inputChannels, ...patchMultiple(architecture)]),
    features: input(graph, 'features', [1, features]),
    skip: input(graph, 'skip', [1, 1, 1, 1, 1]),
  };
  return listed(graph, (parameter) => unet(architecture, inputs, parameter));
}

/** The same of a discriminator. */
export function discriminatorManifest(widths: DiscriminatorWidths): ParameterEntry[] {
  const graph = newGraph();
  const edge = 2 ** widths.length;
  const volume = (name: string): Var => input(graph, name, [1, 1, edge, edge, edge]);
  return listed(graph, (parameter) => discriminator(widths, volume('volume'), volume('condition'), parameter));
}

function listed(graph: Graph, build: (parameter: ParameterSource) => unknown): ParameterEntry[] {
  const entries: ParameterEntry[] = [];
  let offset = 0;
  build((name, shape, start) => {
    entries.push({ name, shape, offset, start });
    offset += size(shape);
    return input(graph, name, shape);
  });
  return entries;
}

/** Number of values in the flat array. */
export function parameterCount(architecture: Architecture): number {
  return parameterManifest(architecture).reduce((sum, { shape }) => sum + size(shape), 0);
}

/** Parameters to begin training with: normal deviates of variance 1 / fan-in, the last convolution zero. */
export function initialParameters(architecture: Architecture, seed: number): Float32Array {
  return started(parameterManifest(architecture), seed);
}

/** Seeded values for any manifest, each parameter from a stream of its own. */
export function started(manifest: readonly ParameterEntry[], seed: number): Float32Array {
  const flat = new Float32Array(manifest.reduce((sum, { shape }) => sum + size(shape), 0));
  manifest.forEach(({ shape, offset, start }, stream) => {
    const { normal } = random(seed, stream);
    const end = offset + size(shape);
    for (let i = offset; i < end; i++) flat[i] = 'value' in start ? start.value : start.deviation * normal();
  });
  return flat;
}

/**
 * The flat array itself.
 * @throws ModelError when its length is not that of the architecture.
 */
export function checkedParameters(architecture: Architecture, flat: Float32Array): Float32Array {
  const count = parameterCount(architecture);
  if (flat.length !== count) {
    throw new ModelError('Parameters do not fit the network', { expected: `${count} values`, found: flat.length });
  }
  return flat;
}
