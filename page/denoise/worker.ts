/** @file  The work of the page, beside it: reads the NIfTI, runs the network on onnxruntime-web, and writes the result. */

import { tilesOf } from '../../src/denoise/tiles.js';
import { workingGrid } from '../../src/denoise/unlike.js';
import { shownImage } from '../../src/geometry/shown.js';
import { denoiseVolume, type OpenModel, type PetImage, petImage, readNifti, writeNifti } from '../../src/index.js';
import type { ModelCard } from '../../src/network/model-card.js';
import { openWebModel, type WebRuntime } from '../../src/web/index.js';
import type { FromWorker, SentImage, ToWorker } from './messages.js';

const say = (message: FromWorker, transfer: Transferable[] = []): void => self.postMessage(message, { transfer });
let stop: AbortController | undefined;
/** Tiles evaluated in this run. */
let evaluated = 0;
let onEvaluated = (): void => {};

/** The runtime, which tells of each tile: one estimate has no other progress. */
function counting(ort: WebRuntime): WebRuntime {
  return {
    ...{ env: ort.env, Tensor: ort.Tensor },
    InferenceSession: {
      async create(...how) {
        const session = await ort.InferenceSession.create(...how);
        return {
          release: () => session.release(),
          async run(feeds) {
            const found = await session.run(feeds);
            evaluated += (feeds.x as { dims: number[] }).dims[0]!;
            onEvaluated();
            return found;
          },
        };
      },
    },
  };
}

async function load(base: string): Promise<OpenModel<ModelCard>> {
  const get = async (name: string): Promise<Response> => {
    const response = await fetch(new URL(name, base));
    if (!response.ok) throw new Error(`${name} could not be loaded: ${response.status}`);
    return response;
  };
  const script = new URL('ort/ort.wasm.min.mjs', base).href;
  const ort = (await import(/* @vite-ignore */ script)) as WebRuntime;
  const card = await (await get('model/model.json')).json();
  const weights = await (await get('model/weights.safetensors')).arrayBuffer();
  return openWebModel(card, weights, { ort: counting(ort), wasmPaths: new URL('ort/', base).href });
}

async function denoise({ file, bytes, unit, mode }: ToWorker & { kind: 'denoise' }, model: OpenModel<ModelCard>): Promise<void> {
  const began = performance.now();
  const { signal } = (stop = new AbortController());
  const image = readNifti(bytes, file, unit === 'SUV' ? { unit } : {});
  if (unit === 'file' && image.unit !== 'SUV') {
    const said = image.unit === 'unknown' ? 'The file does not say what its values are in' : `The file is in ${image.unit}`;
    throw new Error(`${said}: choose “Values are in” above.`);
  }
  const samples = 4;
  const { steps } = model.sampling;
  const { shape } = workingGrid(image.grid, model.card);
  const rounds = mode === 'mean' ? 1 : samples * steps + (model.can.includes('mean') ? 1 : 0);
  const tiles = tilesOf(shape, model.card.patch, model.card.overlap).length * rounds;
  evaluated = 0;
  onEvaluated = () => say({ kind: 'progress', fraction: Math.min(1, evaluated / tiles) });
  const intensity = unit === 'body-mean' ? 'body-mean' : 'SUV';
  const { sampling, suvPerUnit, measured, voxelSize, warnings, ...done } = await denoiseVolume(image, model, {
    ...{ mode, intensity, signal },
    ...(mode === 'samples' ? { samples, steps } : {}),
  });
  const seconds = (performance.now() - began) / 1000;
  const { name, version, licence, sha256 } = model.card;
  const sidecar = {
    ...{ input: file, unit: image.unit, ...sampling, seed: 1, suvPerUnit, intensity, workedOn: voxelSize, measured, warnings },
    ...{ model: { name, version, licence, sha256 }, engine: 'onnxruntime-web', time: new Date().toISOString(), seconds },
  };
  const stem = file.replace(/\.nii(\.gz)?$/i, '');
  const written = (one: PetImage): Uint8Array<ArrayBuffer> =>
    writeNifti(one, { gzip: true, like: image }) as Uint8Array<ArrayBuffer>;
  const files = {
    [`${stem}-denoised.nii.gz`]: written(done.image),
    [`${stem}-denoised.json`]: new TextEncoder().encode(`${JSON.stringify(sidecar, null, 2)}\n`),
    ...(done.spread ? { [`${stem}-spread.nii.gz`]: written(done.spread) } : {}),
  };
  const sent = (one: PetImage, label: string): SentImage => {
    const plain = { ...petImage(one.grid, one.values, one.unit), affine: one.affine };
    return { shown: shownImage(one, label, `${label}.nii`, image), bytes: writeNifti(plain).buffer as ArrayBuffer };
  };
  const noisy = sent(image, file);
  const clean = sent(done.image, 'denoised');
  const spread = done.spread && sent(done.spread, 'uncertainty');
  const buffers = [noisy, clean, ...(spread ? [spread] : [])].map((one) => one.bytes);
  say({ kind: 'done', noisy, clean, spread, files, warnings, seconds }, buffers);
}

/** @param base address of the page, where model and runtime lie. */
export function serve(base: string): void {
  const model = load(base);
  model.then(
    ({ card }) => say({ kind: 'ready', model: `${card.name} ${card.version}` }),
    (error: unknown) => say({ kind: 'failed', message: words(error), stopped: false }),
  );
  self.onmessage = async ({ data }: MessageEvent<ToWorker>) => {
    if (data.kind === 'stop') return stop?.abort(new Error('stopped'));
    try {
      await denoise(data, await model);
    } catch (error) {
      say({ kind: 'failed', message: words(error), stopped: stop?.signal.aborted === true });
    }
  };
}

const words = (error: unknown): string => (error instanceof Error ? error.message : String(error));
