/** @file  A model in a page: from the bytes of its folder to what `denoiseVolume` takes. Tiles are evaluated one after another, with a turn of the
 *  event loop between them; each blocks it, so a page that is to stay fluent does this in a worker, where all of it runs too. */
import { array, expectShape, type Shape3 } from '../core/array.js';
import { DeviceError, ModelError, OptionError, ShapeError } from '../core/errors.js';
import { turn } from '../core/iterate.js';
import { type OpenModel, openModel } from '../denoise/open-model.js';
import { readSafetensors } from '../io/safetensors.js';
import type { Program } from '../network/graph.js';
import { isGuidedCard } from '../network/guided-card.js';
import { flatParameters, type ModelCard, parseModelCard } from '../network/model-card.js';
import type { Evaluator, GraphRunner } from '../network/runner.js';
import type { Architecture } from '../network/unet.js';
import { evaluateGraph } from '../network/unet-graphs.js';
import { openWebSession, type WebRuntime } from './web-session.js';

export interface WebModelOptions {
  /** onnxruntime-web: `import * as ort from 'onnxruntime-web/wasm'`. */
  readonly ort: WebRuntime;
  /** Where the runtime's .wasm and .mjs files lie, ending in '/'; global to the runtime, and used when it starts. @default where its script does */
  readonly wasmPaths?: string | undefined;
  /** Threads of each operation; more than 1 only in cross-origin isolated pages. Global to the runtime, and used when it starts.
   *  @default the runtime's: half of the cores up to 4, or 1 */
  readonly threads?: number | undefined;
}

export interface WebModel extends OpenModel<ModelCard> {
  /** Ends the sessions. */
  dispose(): Promise<void>;
}

/**
 * Opens a model that was trained here on onnxruntime-web.
 * @param card model.json, parsed. @param weights weights.safetensors.
 * @throws ModelError when the card is wrong, the weights are not those of the card, or the model was imported: those are too large for pages.
 * @throws DeviceError where the page may not compute a checksum (plain http).
 * @example
 *   const model = await openWebModel(await (await fetch('model.json')).json(), await (await fetch('weights.safetensors')).arrayBuffer(), { ort });
 *   const { image } = await denoiseVolume(noisy, model, { signal, onProgress });
 */
export async function openWebModel(
  card: unknown,
  weights: ArrayBuffer | Uint8Array,
  { ort, wasmPaths, threads }: WebModelOptions,
): Promise<WebModel> {
  if (isGuidedCard(card))
    throw new ModelError('Imported models are not opened in pages', { expected: 'a model made by coincide train' });
  const known = parseModelCard(card, 'model.json');
  const bytes = weights instanceof Uint8Array ? weights : new Uint8Array(weights);
  await checkSum(bytes, known.sha256);
  const { tensors } = readSafetensors(bytes, 'weights.safetensors');
  if (wasmPaths !== undefined) ort.env.wasm.wasmPaths = wasmPaths;
  if (threads !== undefined) ort.env.wasm.numThreads = checkedThreads(threads);
  const evaluator = webEvaluator(known.architecture, flatParameters(known.architecture, tensors, 'weights.safetensors'), ort);
  return { ...openModel(known, evaluator), dispose: () => evaluator.dispose() };
}

/** The network as a function; a session is made for every new batch size and patch and kept, with the weights in it. */
export function webEvaluator(architecture: Architecture, parameters: Float32Array, ort: WebRuntime): Evaluator {
  const sessions = new Map<string, { program: Program; runner: Promise<GraphRunner> }>();
  const sessionFor = (batch: number, patch: Shape3): { program: Program; runner: Promise<GraphRunner> } => {
    const key = [batch, ...patch].join();
    const made = sessions.get(key);
    if (made) return made;
    const program = evaluateGraph(architecture, batch, patch, parameters);
    const session = { program, runner: openWebSession(program, ort) };
    session.runner.catch(() => sessions.delete(key));
    sessions.set(key, session);
    return session;
  };
  // The runtime runs one graph at a time.
  let before: Promise<unknown> = Promise.resolve();
  return {
    evaluate(x, features, skip, { signal } = {}) {
      if (x.shape.length !== 5) throw new ShapeError('x', { expected: 'shape [N, C, D, H, W]', found: [...x.shape] });
      const { program, runner } = sessionFor(x.shape[0]!, x.shape.slice(2) as unknown as Shape3);
      const given = expectShape(x, program.inputs[0]!.shape, 'x').data;
      const run = before.then(async () => {
        await turn(signal);
        const { v } = await (await runner).run({ x: given, features, skip });
        return array(program.outputs[0]!.shape, v);
      });
      before = run.catch(() => {});
      return run;
    },
    async dispose() {
      await before;
      for (const { runner } of sessions.values()) await (await runner).dispose();
      sessions.clear();
    },
  };
}

async function checkSum(bytes: Uint8Array, expected: string): Promise<void> {
  if (globalThis.crypto?.subtle === undefined) {
    throw new DeviceError('This page cannot compute the checksum of the weights', {
      expected: 'a secure context',
      found: 'no crypto.subtle',
      hint: 'Serve the page by https, or from localhost.',
    });
  }
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes as Uint8Array<ArrayBuffer>));
  const found = Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('');
  if (found !== expected) {
    throw new ModelError('The weights are not those of the card', {
      ...{ file: 'weights.safetensors', expected: `sha256 ${expected}`, found },
      hint: 'The file is damaged, or belongs to another model.',
    });
  }
}

function checkedThreads(threads: number): number {
  if (Number.isInteger(threads) && threads > 0) return threads;
  throw new OptionError('Threads', { key: 'threads', expected: 'a positive integer', found: threads });
}
