/** @file  Imported models on disk: a folder with model.json (a `GuidedCard`) and weights.safetensors, names as in the checkpoint. */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { ModelError } from '../core/errors.js';
import { type CallOptions, turn } from '../core/iterate.js';
import { type GuidedModel, guidedModel } from '../denoise/guided-model.js';
import type { OpenModel } from '../denoise/open-model.js';
import type { CheckpointTensor } from '../io/checkpoint.js';
import { encodeTensor, openSafetensors, safetensorsHeader } from '../io/safetensors.js';
import { type GuidedCard, isGuidedCard, parseGuidedCard } from '../network/guided-card.js';
import { type DeviceOptions, threadCount } from './devices.js';
import { openFileSource, sha256OfFile } from './file-source.js';
import { json, readJson, writeFolder } from './files.js';
import { openGuidedEvaluator, type PlannedEvaluator } from './guided-evaluator.js';

export interface LoadedGuidedModel extends GuidedModel, Pick<PlannedEvaluator, 'plan' | 'speed'> {
  /** Ends the worker. */
  dispose(): Promise<void>;
}

/** Was the model imported, rather than trained here? */
export function isImported(model: OpenModel): model is LoadedGuidedModel {
  return isGuidedCard(model.card);
}

/** The card of an imported model; undefined for a folder of another kind of model. @throws ModelError when the card is wrong. */
export async function readGuidedCard(folder: string): Promise<GuidedCard | undefined> {
  const file = join(folder, 'model.json');
  const data = await readJson(file);
  return isGuidedCard(data) ? parseGuidedCard(data, file) : undefined;
}

export interface LoadGuidedOptions extends DeviceOptions, CallOptions {
  /** Bytes that the process may take. @default three quarters of the machine's */
  readonly memory?: number | undefined;
}

/**
 * Reads an imported model and starts ONNX Runtime on it.
 * @throws ModelError when the card is wrong, or the weights are not those of the card.
 */
export async function loadGuidedModel(folder: string, options: LoadGuidedOptions = {}): Promise<LoadedGuidedModel> {
  const weightsFile = join(folder, 'weights.safetensors');
  const card = await readGuidedCard(folder);
  if (card === undefined) {
    throw new ModelError('This model was not imported', {
      file: folder,
      expected: 'a model made by coincide import',
      hint: 'loadModel and denoiseVolume (denoise without --preset) take it as it is.',
    });
  }
  const source = await openFileSource(weightsFile);
  try {
    const found = await sha256OfFile(weightsFile, options.signal);
    if (found !== card.sha256) {
      throw new ModelError('The weights are not those of the card', {
        file: weightsFile,
        expected: `sha256 ${card.sha256}`,
        found,
        hint: 'The file is damaged, or belongs to another model.',
      });
    }
    const weights: Record<string, Float32Array> = {};
    for (const [name, tensor] of await openSafetensors(source)) {
      weights[name] = await tensor.read();
      await turn(options.signal);
    }
    const evaluator = openGuidedEvaluator(card.architecture, weights, { threads: threadCount(options), memory: options.memory });
    const { plan, speed } = evaluator;
    return { ...guidedModel(card, evaluator), plan, speed, dispose: () => evaluator.dispose() };
  } finally {
    await source.close();
  }
}

/**
 * Writes a model folder, whole or not at all; weights one at a time.
 * @param onProgress called with the share of the weights written.
 * @returns the card with the sum of the weights in it.
 * @throws ModelError when a weight does not fit half precision.
 */
export async function writeGuidedModel(
  folder: string,
  card: Omit<GuidedCard, 'sha256'>,
  tensors: ReadonlyMap<string, CheckpointTensor>,
  { onProgress, signal }: CallOptions & { readonly onProgress?: (fraction: number) => void } = {},
): Promise<GuidedCard> {
  const dtype = card.weights === 'fp16' ? 'F16' : 'F32';
  const hash = createHash('sha256');
  let written: GuidedCard | undefined;
  async function* weights(): AsyncGenerator<Uint8Array> {
    const header = safetensorsHeader(new Map([...tensors].map(([name, { shape }]) => [name, shape])), dtype);
    hash.update(header);
    yield header;
    let done = 0;
    for (const [name, tensor] of tensors) {
      await turn(signal);
      const bytes = encodeTensor(finite(name, await tensor.read(), dtype), dtype);
      hash.update(bytes);
      yield bytes;
      onProgress?.(++done / tensors.size);
    }
  }
  async function* cardFile(): AsyncGenerator<Uint8Array> {
    written = { ...card, sha256: hash.digest('hex') };
    yield json(written);
  }
  await writeFolder(folder, { 'weights.safetensors': weights(), 'model.json': cardFile() });
  return written!;
}

function finite(name: string, values: Float32Array, dtype: 'F32' | 'F16'): Float32Array {
  const limit = dtype === 'F16' ? 65504 : Number.MAX_VALUE;
  const bad = values.find((value) => !(Math.abs(value) <= limit));
  if (bad !== undefined) {
    throw new ModelError('A weight is not finite, or too large for its precision', {
      key: name,
      expected: `at most ${limit}`,
      found: bad,
      ...(dtype === 'F16' ? { hint: 'Keep the weights in fp32.' } : {}),
    });
  }
  return values;
}
