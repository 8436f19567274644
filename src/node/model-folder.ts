/** @file  A model on disk: a folder with model.json (the card) and weights.safetensors. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ModelError } from '../core/errors.js';
import { type OpenModel, openModel } from '../denoise/open-model.js';
import { readSafetensors, writeSafetensors } from '../io/safetensors.js';
import { isGuidedCard } from '../network/guided-card.js';
import {
  type CommonCard,
  flatParameters,
  type Model,
  type ModelCard,
  namedParameters,
  parseModelCard,
} from '../network/model-card.js';
import { threadCount } from './devices.js';
import { type FileSet, json, readBytes, readJson, sha256, writeFolder } from './files.js';
import { type LoadGuidedOptions, loadGuidedModel, readGuidedCard } from './guided-folder.js';
import { openEvaluator } from './ort-evaluator.js';
import { expectRuntime } from './ort-session.js';

/** The model that comes with the package. */
export const defaultModel: string = fileURLToPath(new URL('../../models/default', import.meta.url));

/**
 * Reads a model folder.
 * @throws ModelError when the card is wrong, or the weights are not those of the card.
 */
export async function readModel(folder: string): Promise<Model> {
  const cardFile = join(folder, 'model.json');
  const weightsFile = join(folder, 'weights.safetensors');
  if (!existsSync(cardFile)) {
    throw new ModelError(existsSync(folder) ? 'This is no model folder: it has no model.json' : 'There is no such model folder', {
      ...{ file: folder, expected: 'a folder made by coincide train or coincide import' },
      hint: 'The shipped one is defaultModel (without --model).',
    });
  }
  const described = await readJson(cardFile);
  if (isGuidedCard(described)) {
    throw new ModelError('This model was imported', {
      file: folder,
      expected: 'a model made by coincide train',
      hint: 'It denoises; it is not trained further here.',
    });
  }
  const card = parseModelCard(described, cardFile);
  const bytes = await readBytes(weightsFile);
  if (sha256(bytes) !== card.sha256) {
    throw new ModelError('The weights are not those of the card', {
      file: weightsFile,
      expected: `sha256 ${card.sha256}`,
      found: sha256(bytes),
      hint: 'The file is damaged, or belongs to another model.',
    });
  }
  const { tensors } = readSafetensors(bytes, weightsFile);
  return { card, parameters: flatParameters(card.architecture, tensors, weightsFile) };
}

/** Writes a model folder, whole or not at all. @param beside other files to put in it. @returns the card with the sum of the weights in it. */
export async function writeModel(folder: string, model: Model, beside: FileSet = {}): Promise<ModelCard> {
  const weights = writeSafetensors(namedParameters(model));
  const card: ModelCard = { ...model.card, sha256: sha256(weights) };
  await writeFolder(folder, { 'model.json': json(card), 'weights.safetensors': weights, ...beside });
  return card;
}

export interface LoadedModel<C extends CommonCard = CommonCard> extends OpenModel<C> {
  /** Ends the workers. */
  dispose(): Promise<void>;
}

/** A model trained here, with its weights at hand. */
export interface TrainableModel extends LoadedModel<ModelCard> {
  /** The weights as they were read. */
  readonly parameters: Float32Array;
  /** Worker threads it runs on. */
  readonly threads: number;
  /** Weights that it works with from now on, e.g. with an adapter merged into them. */
  load(parameters: Float32Array): void;
}

/** Whether the weights of a model are at hand. */
export function isTrainable(model: OpenModel): model is TrainableModel {
  return 'parameters' in model && 'load' in model;
}

export interface LoadOptions extends LoadGuidedOptions {
  /** Compute in 8-bit integers: faster and rougher; for models that were trained here. @default false */
  readonly draft?: boolean | undefined;
}

/**
 * Reads a model, trained here or imported, and starts ONNX Runtime on it.
 * @param folder @default the shipped model
 * @throws ModelError when the card is wrong, the weights are not those of the card, or a draft is asked of a model that has no calibration for it; DeviceError
 *  where onnxruntime-node is not installed.
 */
export async function loadModel(folder?: undefined, options?: LoadOptions): Promise<TrainableModel>;
export async function loadModel(folder: string | undefined, options?: LoadOptions): Promise<LoadedModel | TrainableModel>;
export async function loadModel(
  folder: string = defaultModel,
  { draft = false, ...options }: LoadOptions = {},
): Promise<LoadedModel | TrainableModel> {
  expectRuntime();
  if (existsSync(join(folder, 'model.json')) && (await readGuidedCard(folder))) {
    if (draft) throw notCalibrated(folder);
    return loadGuidedModel(folder, options);
  }
  const { card, parameters } = await readModel(folder);
  const { architecture, patch, activations } = card;
  if (draft && activations === undefined) throw notCalibrated(folder);
  const threads = threadCount(options);
  const evaluator = openEvaluator(architecture, parameters, patch, { threads, draft: draft ? activations : undefined });
  const { load } = evaluator;
  return { ...openModel(card, evaluator), parameters, threads, load, dispose: () => evaluator.dispose() };
}

const notCalibrated = (folder: string): ModelError =>
  new ModelError('This model was not calibrated for drafts', {
    ...{ file: join(folder, 'model.json'), key: 'activations' },
    hint: 'Leave the draft out, or train the model with this version, which calibrates.',
  });
