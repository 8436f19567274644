/** @file  A low-rank adapter on disk: safetensors with A and B of each layer, and in its metadata the choice of layers and the checksum of the
 *  weights it was trained on. */
import { size } from '../core/array.js';
import { ModelError } from '../core/errors.js';
import { readSafetensors, writeSafetensors } from '../io/safetensors.js';
import { type Lora, loraManifest, loraOf, mergeLora, namedLora } from '../network/lora.js';
import type { Model, ModelCard } from '../network/model-card.js';
import type { Architecture } from '../network/unet.js';
import { readBytes } from './files.js';

/** @param base sha256 of the weights that the adapter belongs to. */
export function encodeLora(architecture: Architecture, lora: Lora, adapter: Float32Array, base: string): Uint8Array {
  return writeSafetensors(namedLora(architecture, lora, adapter), { lora: JSON.stringify(lora), base });
}

/** A choice of layers, and the values, flat. */
export interface Adapter {
  readonly lora: Lora;
  readonly values: Float32Array;
}

/**
 * A model with the adapter of a file merged into its weights. Its card keeps the checksum of the weights it had.
 * @throws ModelError when the adapter belongs to other weights, or its tensors do not fit.
 */
export async function withLora({ card, parameters }: Model, file: string): Promise<Model> {
  const { lora, values } = await readLora(card, file);
  return { card, parameters: mergeLora(card.architecture, lora, parameters, values) };
}

/**
 * The adapter of a file.
 * @throws ModelError when it belongs to other weights than the card's, or its tensors do not fit.
 */
export async function readLora(card: Pick<ModelCard, 'architecture' | 'sha256'>, file: string): Promise<Adapter> {
  const { tensors, metadata } = readSafetensors(await readBytes(file), file);
  if (metadata.lora === undefined || metadata.base !== card.sha256) {
    throw new ModelError('This adapter does not belong to the model', {
      file,
      expected: `an adapter of the weights ${card.sha256}`,
      found: metadata.base,
    });
  }
  const { architecture } = card;
  const given = JSON.parse(metadata.lora) as Lora;
  const lora = loraOf(architecture, given);
  const manifest = loraManifest(architecture, lora);
  const adapter = new Float32Array(manifest.reduce((sum, { shape }) => sum + size(shape), 0));
  for (const { name, shape, offset } of manifest) {
    const tensor = tensors.get(name);
    if (tensor?.shape.join() !== shape.join())
      throw new ModelError('A tensor of the adapter does not fit', {
        file,
        key: name,
        expected: `[${shape}]`,
        found: tensor?.shape,
      });
    adapter.set(tensor!.data, offset);
  }
  return { lora, values: adapter };
}
