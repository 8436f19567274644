/** The page's side of web.test.ts. */
import { denoiseVolume } from '../../src/index.js';
import { openWebModel, type WebModel, type WebRuntime } from '../../src/web/index.js';
import { type Denoising, denoising, image } from './web-work.js';

declare global {
  interface Window {
    denoiseInPage(threads: number): Promise<Record<keyof Denoising, number[]>>;
    /** How long after the signal it stopped, ms, and with what. */
    abortInPage(): Promise<{ readonly late: number; readonly reason: string }>;
    refusals(): Promise<string[]>;
  }
}

// As a page without a bundler loads it.
const script = '/ort/ort.wasm.min.mjs';
const runtime = async (): Promise<WebRuntime> => (await import(script)) as WebRuntime;
const card = async (): Promise<object> => (await (await fetch('/model.json')).json()) as object;
const weights = async (): Promise<ArrayBuffer> => (await fetch('/weights.safetensors')).arrayBuffer();
const open = async (threads: number): Promise<WebModel> =>
  openWebModel(await card(), await weights(), { ort: await runtime(), wasmPaths: '/ort/', threads });

window.denoiseInPage = async (threads) => {
  const model = await open(threads);
  const { mean, samples, spread, progress } = await denoising(model);
  await model.dispose();
  return { mean: [...mean], samples: [...samples], spread: [...spread], progress: [...progress] };
};

window.abortInPage = async () => {
  const model = await open(1);
  await denoiseVolume(image, model); // makes the session
  const stop = new AbortController();
  let told = 0;
  setTimeout(() => {
    told = performance.now();
    stop.abort(new Error('enough'));
  }, 50);
  const endless = denoiseVolume(image, model, { mode: 'samples', samples: 1e6, signal: stop.signal });
  const reason = await endless.then(
    () => 'finished',
    (error: unknown) => String(error),
  );
  await model.dispose();
  return { late: performance.now() - told, reason };
};

window.refusals = async () => {
  const ort = await runtime();
  const spoilt = new Uint8Array(await weights());
  spoilt[spoilt.length - 1]! ^= 1;
  const calls = [
    openWebModel(await card(), spoilt, { ort }),
    openWebModel({ architecture: { kind: 'guided-diffusion' } }, spoilt, { ort }),
    openWebModel({ ...(await card()), schedule: 'linear' }, spoilt, { ort }),
    openWebModel(await card(), await weights(), { ort, threads: 0 }),
  ];
  return Promise.all(
    calls.map((call) =>
      call.then(
        () => 'opened',
        (error: unknown) => String(error),
      ),
    ),
  );
};
