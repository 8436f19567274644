/** @file  Which convolutions of a network are adapted by low-rank updates, and the flat vector of the updates:
 *  for each adapted layer A (`<layer>.lora_A`, normal), B (`<layer>.lora_B`, zero) and, if biases are adapted, an offset (`<layer>.lora_bias`, zero).
 *  A fresh adapter therefore changes nothing. Merged, W + s B A, it costs nothing either. */
import { array, type NdArray, size } from '../core/array.js';
import { ModelError } from '../core/errors.js';
import { type ParameterEntry, parameterManifest, started } from './parameters.js';
import type { Architecture } from './unet.js';

export interface LoraOptions {
  /** r. @default 4 */
  readonly rank?: number | undefined;
  /** s. @default 1 */
  readonly scale?: number | undefined;
  /** Convolutions to adapt, by name or by the part of it before a dot, e.g. 'decoder0' or 'encoder1.conv2'.
   *  @default all 3³ ones whose widths are above the rank */
  readonly layers?: readonly string[] | undefined;
  /** Whether the biases of these layers are adapted too. @default false */
  readonly biases?: boolean | undefined;
}

/** The choice, complete. */
export interface Lora {
  readonly rank: number;
  readonly scale: number;
  /** Names of the adapted convolutions, in the order of the network. */
  readonly layers: readonly string[];
  readonly biases: boolean;
}

/** @throws ModelError for a rank that is no positive integer, and for layers that the network does not have. */
export function loraOf(architecture: Architecture, { rank = 4, scale = 1, layers, biases = false }: LoraOptions = {}): Lora {
  if (!(Number.isInteger(rank) && rank > 0))
    throw new ModelError('Low-rank adapter', { key: 'rank', expected: 'a positive integer', found: rank });
  const convolutions = parameterManifest(architecture).filter(({ shape }) => shape.length === 5);
  const layerOf = ({ name }: ParameterEntry): string => name.replace(/\.weight$/, '');
  if (layers === undefined) {
    const wide = convolutions.filter(({ shape: [co, ci, ...kernel] }) => kernel.includes(3) && Math.min(co!, ci!) > rank);
    if (wide.length === 0)
      throw new ModelError('No convolution is wider than the rank', { key: 'rank', expected: 'a smaller one', found: rank });
    return { rank, scale, layers: wide.map(layerOf), biases };
  }
  const names = convolutions.map(layerOf);
  const matches = (name: string, wanted: string): boolean => name === wanted || name.startsWith(`${wanted}.`);
  if (layers.length === 0) throw new ModelError('No layer to adapt', { key: 'layers', expected: `some of ${names.join(', ')}` });
  const stranger = layers.find((wanted) => !names.some((name) => matches(name, wanted)));
  if (stranger !== undefined) {
    throw new ModelError('The network has no such convolution', {
      key: 'layers',
      expected: `some of ${names.join(', ')}`,
      found: stranger,
    });
  }
  return { rank, scale, layers: names.filter((name) => layers.some((wanted) => matches(name, wanted))), biases };
}

/** What is trained, and where in the flat vector. */
export function loraManifest(architecture: Architecture, { rank, layers, biases }: Lora): ParameterEntry[] {
  const weights = new Map(parameterManifest(architecture).map((entry) => [entry.name, entry]));
  const entries: ParameterEntry[] = [];
  let offset = 0;
  const add = (name: string, shape: readonly number[], start: ParameterEntry['start']): void => {
    entries.push({ name, shape, offset, start });
    offset += size(shape);
  };
  for (const layer of layers) {
    const [co, ...inner] = weights.get(`${layer}.weight`)!.shape;
    add(`${layer}.lora_A`, [rank, ...inner], { deviation: Math.sqrt(1 / size(inner)) });
    add(`${layer}.lora_B`, [co!, rank], { value: 0 });
    if (biases) add(`${layer}.lora_bias`, [co!], { value: 0 });
  }
  return entries;
}

/** An adapter that changes nothing yet. */
export function initialLora(architecture: Architecture, lora: Lora, seed: number): Float32Array {
  return started(loraManifest(architecture, lora), seed);
}

/**
 * The network's weights with the update in them: W + sign · s B A, b + sign · offset.
 * @param sign −1 takes it out again, to rounding. @default 1
 * @throws ModelError when the adapter does not fit.
 */
export function mergeLora(
  architecture: Architecture,
  lora: Lora,
  parameters: Float32Array,
  adapter: Float32Array,
  sign: 1 | -1 = 1,
): Float32Array {
  const merged = parameters.slice();
  const places = new Map(parameterManifest(architecture).map(({ name, offset }) => [name, offset]));
  const pieces = loraManifest(architecture, lora);
  const last = pieces.at(-1);
  const length = last === undefined ? 0 : last.offset + size(last.shape);
  if (adapter.length !== length)
    throw new ModelError('The adapter does not fit', { expected: `${length} values`, found: adapter.length });
  const piece = (name: string): ParameterEntry => pieces.find((entry) => entry.name === name)!;
  for (const layer of lora.layers) {
    const down = piece(`${layer}.lora_A`);
    const up = piece(`${layer}.lora_B`);
    const [co] = up.shape;
    const row = size(down.shape) / lora.rank;
    const weight = places.get(`${layer}.weight`)!;
    for (let o = 0; o < co!; o++)
      for (let i = 0; i < row; i++) {
        let sum = 0;
        for (let r = 0; r < lora.rank; r++) sum += adapter[up.offset + o * lora.rank + r]! * adapter[down.offset + r * row + i]!;
        merged[weight + o * row + i]! += sign * lora.scale * sum;
      }
    if (!lora.biases) continue;
    const bias = places.get(`${layer}.bias`)!;
    const { offset } = piece(`${layer}.lora_bias`);
    for (let o = 0; o < co!; o++) merged[bias + o]! += sign * adapter[offset + o]!;
  }
  return merged;
}

/** The adapter as named tensors, for a safetensors file; the choice goes into its metadata as `JSON.stringify(lora)`. */
export function namedLora(architecture: Architecture, lora: Lora, adapter: Float32Array): Map<string, NdArray> {
  return new Map(
    loraManifest(architecture, lora).map(({ name, shape, offset }) => [
      name,
      array(shape, adapter.slice(offset, offset + size(shape))),
    ]),
  );
}
