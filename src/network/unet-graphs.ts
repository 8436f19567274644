/** @file  The graphs of the U-Net, for one batch size and patch each. Parameters and their gradient are single flat vectors, cut up and
 *  joined inside the graph, in the order of `parameterManifest`. Inputs common to all: x [N, C, D, H, W], features [N, F],
 *  skip [N, 1, 1, 1, 1]; see `UnetInputs`. */
import { type Shape3, size } from '../core/array.js';
import { convLora } from './conv-lora.js';
import { conv3d } from './conv3d.js';
import { type DiscriminatorWidths, discriminator } from './discriminator.js';
import { constant, type Graph, gradients, input, newGraph, output, type Program, program, scalar, type Var } from './graph.js';
import { type Lora, loraManifest } from './lora.js';
import { meanSquaredError } from './losses.js';
import { add, concat, reshape, scale, slice, split } from './ops.js';
import { checkedParameters, discriminatorManifest, type ParameterEntry, parameterManifest } from './parameters.js';
import { type Activations, observed, quantised } from './quantise.js';
import { type Architecture, type Convolve, checkedPatch, deepShape, type UnetInputs, unet } from './unet.js';

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
 * `evaluateGraph` in 8-bit integers, for drafts.
 * Inputs: the common ones and `parameters` [P], which must be those given. Output: v [N, 1, D, H, W].
 * @throws ModelError when patch, parameters or calibration do not fit the architecture.
 */
export function draftGraph(
  architecture: Architecture,
  batch: number,
  patch: Shape3,
  parameters: Float32Array,
  activations: Activations,
): Program {
  const graph = newGraph();
  const { v } = network(graph, architecture, batch, patch, undefined, quantised(architecture, parameters, activations));
  output(v, 'v');
  return program(graph);
}

/**
 * `evaluateGraph` for the calibration of drafts.
 * Inputs: the common ones and `parameters` [P]. Output: `magnitudes` [2 · names], largest |input| and |output| of the convolutions `names`.
 */
export function calibrationGraph(
  architecture: Architecture,
  batch: number,
  patch: Shape3,
): { readonly program: Program; readonly names: readonly string[] } {
  const graph = newGraph();
  const { convolve, magnitudes } = observed();
  network(graph, architecture, batch, patch, undefined, convolve);
  const { names, values } = magnitudes();
  output(values, 'magnitudes');
  return { program: program(graph), names };
}

/**
 * The network in two pieces, for evaluations that are neighbours in time. `full`: as `evaluateGraph`, with a second output `deep`, what its finest
 * level is given by the coarser ones. `shallow`: the finest level alone, with `deep` among its inputs.
 * @throws ModelError when the patch does not fit the architecture, or that has one level only.
 */
export function reuseGraphs(architecture: Architecture, batch: number, patch: Shape3): { full: Program; shallow: Program } {
  const shape = deepShape(architecture, batch, patch);
  const made = (given: boolean): Program => {
    const graph = newGraph();
    const inputs = commonInputs(graph, architecture, batch, patch);
    const { byName } = parameterPieces(graph, architecture, undefined, false);
    const old = given ? input(graph, 'deep', shape) : undefined;
    const { v, deep } = unet(architecture, { ...inputs, deep: old }, (name) => byName.get(name)!);
    output(v, 'v');
    if (!given) output(deep!, 'deep');
    return program(graph);
  };
  return { full: made(false), shallow: made(true) };
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

/** What a GAN adds to regression. */
export interface Adversary {
  readonly widths: DiscriminatorWidths;
  /** λ of L_G = L + λ mean (D(made) − 1)². */
  readonly weight: number;
}

/**
 * As `trainGraph`, in the mean mode alone, against a discriminator: the network makes x̂₀ = −v, the target is −x₀.
 * `parameters` and `gradient` are those of the network and then of the discriminator, each of its own loss at the same point
 * (simultaneous gradient descent). `loss` is L, without the adversary; `adversary` is L_D.
 * @throws ModelError when the patch does not fit the architecture.
 */
export function ganTrainGraph(architecture: Architecture, batch: number, patch: Shape3, { widths, weight }: Adversary): Program {
  const graph = newGraph();
  const inputs = commonInputs(graph, architecture, batch, patch);
  const own = parameterManifest(architecture);
  const theirs = discriminatorManifest(widths);
  const { pieces } = cutUp(graph, 'parameters', [...own, ...theirs], undefined, true);
  const byName = new Map([...own, ...theirs].map(({ name }, i) => [name, pieces[i]]));
  const { v } = unet(architecture, inputs, (name) => byName.get(name)!);
  const target = input(graph, 'target', v.shape);
  const loss = meanSquaredError(v, target, input(graph, 'weight', [batch, 1, 1, 1, 1]));
  const condition = slice(inputs.x, 1, 1, 1);
  const scores = (volume: Var, learns: boolean): Var =>
    discriminator(widths, volume, condition, (name) => ({ ...byName.get(name)!, needsGradient: learns }));
  const made = scale(v, -1);
  const fooled = scores(made, false);
  const one = scalar(graph, 1);
  const nought = scalar(graph, 0);
  const generator = add(loss, scale(meanSquaredError(fooled, one), weight));
  const [real, fake] = [scores(scale(target, -1), true), scores({ ...made, needsGradient: false }, true)];
  const adversary = scale(add(meanSquaredError(real, one), meanSquaredError(fake, nought)), 0.5);
  output(loss, 'loss');
  output(adversary, 'adversary');
  const gradient = [...gradients(generator, pieces.slice(0, own.length)), ...gradients(adversary, pieces.slice(own.length))];
  output(flatGradient(gradient), 'gradient');
  return program(graph);
}

/** An adapter's part of a network: what is trained, on frozen weights. */
export interface Adapted {
  readonly lora: Lora;
  /** The frozen weights, flat; written into the graph as constants. */
  readonly base: Float32Array;
}

/**
 * As `trainGraph`, for the updates alone: `adapter` in place of `parameters`, and `gradient` = ∂L/∂adapter.
 * @throws ModelError when patch, weights or adapter do not fit the architecture.
 */
export function loraTrainGraph(architecture: Architecture, batch: number, patch: Shape3, adapted: Adapted): Program {
  const graph = newGraph();
  const { v, pieces } = adaptedNetwork(graph, architecture, batch, patch, adapted);
  const target = input(graph, 'target', v.shape);
  const weight = input(graph, 'weight', [batch, 1, 1, 1, 1]);
  const loss = meanSquaredError(v, target, weight);
  output(loss, 'loss');
  output(flatGradient(gradients(loss, pieces)), 'gradient');
  return program(graph);
}

/**
 * The adapted network for a loss outside the graph. Inputs: the common ones, `adapter` and, with the gradient, `seed` = ∂L/∂v.
 * Outputs: v and, with the gradient, `gradient` = ∂L/∂adapter.
 * @throws ModelError when patch, weights or adapter do not fit the architecture.
 */
export function loraGraph(
  architecture: Architecture,
  batch: number,
  patch: Shape3,
  adapted: Adapted,
  { gradient }: { readonly gradient: boolean },
): Program {
  const graph = newGraph();
  const { v, pieces } = adaptedNetwork(graph, architecture, batch, patch, adapted);
  output(v, 'v');
  if (gradient) output(flatGradient(gradients(v, pieces, input(graph, 'seed', v.shape))), 'gradient');
  return program(graph);
}

/** @returns v and the pieces of the adapter, in the order of its manifest. */
function adaptedNetwork(
  graph: Graph,
  architecture: Architecture,
  batch: number,
  patch: Shape3,
  { lora, base }: Adapted,
): { v: Var; pieces: Var[] } {
  const frozen = parameterPieces(graph, architecture, base, false);
  const { pieces, byName } = cutUp(graph, 'adapter', loraManifest(architecture, lora), undefined, true);
  const convolve: Convolve = (name, x, weight, bias) => {
    if (!lora.layers.includes(name)) return conv3d(x, weight, bias);
    const [down, up] = [byName.get(`${name}.lora_A`)!, byName.get(`${name}.lora_B`)!];
    const offset = byName.get(`${name}.lora_bias`);
    return convLora(x, weight, offset === undefined ? bias : add(bias, offset), { down, up, scale: lora.scale });
  };
  const inputs = commonInputs(graph, architecture, batch, patch);
  return { v: unet(architecture, inputs, (name) => frozen.byName.get(name)!, convolve).v, pieces };
}

/** @returns v and the parameters, in the order of the manifest. */
function network(
  graph: Graph,
  architecture: Architecture,
  batch: number,
  patch: Shape3,
  parameters?: Float32Array,
  convolve?: Convolve,
): { v: Var; pieces: Var[] } {
  const inputs = commonInputs(graph, architecture, batch, patch);
  const { pieces, byName } = parameterPieces(graph, architecture, parameters, true);
  return { v: unet(architecture, inputs, (name) => byName.get(name)!, convolve).v, pieces };
}

function commonInputs(graph: Graph, architecture: Architecture, batch: number, patch: Shape3): UnetInputs {
  return {
    x: input(graph, 'x', [batch, architecture.inputChannels, ...checkedPatch(architecture, patch)]),
    features: input(graph, 'features', [batch, architecture.features]),
    skip: input(graph, 'skip', [batch, 1, 1, 1, 1]),
  };
}

interface Pieces {
  readonly pieces: Var[];
  readonly byName: ReadonlyMap<string, Var>;
}

function parameterPieces(graph: Graph, architecture: Architecture, given: Float32Array | undefined, learn: boolean): Pieces {
  const values = given && checkedParameters(architecture, given);
  return cutUp(graph, 'parameters', parameterManifest(architecture), values, learn);
}

/** A flat vector, fed or given, as the pieces of a manifest. */
function cutUp(
  graph: Graph,
  name: string,
  manifest: readonly ParameterEntry[],
  values: Float32Array | undefined,
  needsGradient: boolean,
): Pieces {
  const lengths = manifest.map((entry) => size(entry.shape));
  const shape = [lengths.reduce((sum, n) => sum + n, 0)];
  const flat = values === undefined ? input(graph, name, shape) : constant(graph, name, shape, values);
  const cuts = split(flat, lengths);
  const pieces = manifest.map((entry, i): Var => ({ ...reshape(cuts[i], entry.shape), needsGradient }));
  return { pieces, byName: new Map(manifest.map((entry, i) => [entry.name, pieces[i]])) };
}

function flatGradient(parts: readonly Var[]): Var {
  return concat(
    parts.map((part) => reshape(part, [size(part.shape)])),
    0,
  );
}
