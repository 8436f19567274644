/** @file  Does a provider of ONNX Runtime run our graphs, rightly and faster than the CPU? A training step is run on both, in a process of
 *  its own: a driver that crashes takes only that with it. */
import { execFile } from 'node:child_process';
import { size } from '../core/array.js';
import { DeviceError } from '../core/errors.js';
import type { CallOptions } from '../core/iterate.js';
import { random } from '../core/random.js';
import type { Program } from '../network/graph.js';
import { initialParameters } from '../network/parameters.js';
import type { GraphRunner, Tensors } from '../network/runner.js';
import type { Architecture } from '../network/unet.js';
import { trainGraph } from '../network/unet-graphs.js';
import { lookForGpu } from './gpu-device.js';
import type { Provider } from './ort-session.js';

/** What a probe found. */
export interface Probe {
  readonly provider: Provider;
  /** It runs the graph, gives the CPU's gradient, and is faster than one thread of it. */
  readonly usable: boolean;
  /** Why not. */
  readonly why?: string | undefined;
  /** ‖gradient − that of the CPU‖ / ‖that of the CPU‖. */
  readonly error?: number | undefined;
  /** Time of a step on one CPU thread over its time here. */
  readonly speedUp?: number | undefined;
}

/** Gradients in float32 differ by some 1e-6; half precision, or a wrong kernel, by far more. */
const tolerance = 1e-4;
const patience = 120_000;

/** Everything that our networks are made of, small enough for any device. */
const network: Architecture = {
  ...{ kind: 'unet3d', inputChannels: 3, knows: ['condition', 'anatomy', 'mean', 'noise'], fold: 2, channels: [16, 32, 48] },
  ...{ film: true, heads: 2, embedding: 32, features: 37, groups: 8 },
};

/** @returns what was found, whatever the provider does. @throws signal.reason when aborted. */
export function probeProvider(provider: Provider, { signal }: CallOptions = {}): Promise<Probe> {
  return new Promise((resolve, reject) => {
    const child = new URL(
      import.meta.url.endsWith('.ts') ? '../../dist/node/ort-probe-run.js' : './ort-probe-run.js',
      import.meta.url,
    );
    execFile(process.execPath, [child.pathname, provider], { timeout: patience, signal }, (error, stdout, stderr) => {
      if (signal?.aborted) return reject(signal.reason);
      const line = stdout.trim().split('\n').at(-1) ?? '';
      if (line.startsWith('{')) resolve(JSON.parse(line) as Probe);
      else
        resolve({ provider, usable: false, why: `The probe ended early: ${stderr.trim().split('\n').at(-1) || error?.message}` });
    });
  });
}

/** Providers worth a probe, the likely fastest first. */
const candidates: readonly Provider[] = ['cuda', 'coreml', 'dml', 'webgpu'];

export interface ChoiceOptions extends CallOptions {
  /** @default probeProvider */
  readonly probe?: typeof probeProvider | undefined;
  /** Is there a graphics card at all? @default as `openEngine` looks for one */
  readonly card?: (() => Promise<boolean>) | undefined;
}

async function hasCard(): Promise<boolean> {
  const { gpu, why } = await lookForGpu();
  return gpu !== undefined && why === undefined;
}

/**
 * The provider to run networks on. 'cpu' asks nothing; 'auto' takes what a probe finds usable where there is a graphics card, else the CPU;
 * 'gpu' takes no CPU.
 * @throws DeviceError for 'gpu' when no probe succeeds, with what each found.
 */
export async function chooseProvider(
  device: 'auto' | 'cpu' | 'gpu' | 'reference',
  { probe = probeProvider, card = hasCard, signal }: ChoiceOptions = {},
): Promise<Provider> {
  if (device === 'cpu' || device === 'reference' || (device === 'auto' && !(await card()))) return 'cpu';
  const found: Probe[] = [];
  for (const provider of candidates) {
    const result = await probe(provider, { signal });
    if (result.usable) return provider;
    found.push(result);
  }
  if (device === 'auto') return 'cpu';
  throw new DeviceError('No graphics card runs the networks', {
    key: 'device',
    found: found.map(({ provider, why }) => `${provider}: ${why}`).join('; '),
    hint: "Use device: 'cpu' (--device cpu).",
  });
}

/**
 * Compares a provider with the CPU on one training step.
 * @param open makes a session of the program on a provider.
 */
export async function compareProviders(
  provider: Provider,
  open: (program: Program, provider: Provider) => Promise<GraphRunner>,
): Promise<Probe> {
  const program = trainGraph(network, 1, [16, 16, 16]);
  const { normal } = random(1);
  const parameters = initialParameters(network, 1).map((value) => value + 0.05 * normal());
  const feeds: Tensors = Object.fromEntries(
    program.inputs.map(({ name, shape }) => [
      name,
      name === 'parameters' ? parameters : Float32Array.from({ length: size(shape) }, normal),
    ]),
  );
  const step = async (on: Provider): Promise<{ gradient: Float32Array; seconds: number }> => {
    const session = await open(program, on);
    const { gradient } = await session.run(feeds); // the first run warms up
    const began = performance.now();
    for (let i = 0; i < 3; i++) await session.run(feeds);
    const seconds = (performance.now() - began) / 3000;
    await session.dispose();
    return { gradient, seconds };
  };
  try {
    const expected = await step('cpu');
    const found = await step(provider);
    let difference = 0;
    let norm = 0;
    for (let i = 0; i < expected.gradient.length; i++) {
      difference += (found.gradient[i]! - expected.gradient[i]!) ** 2;
      norm += expected.gradient[i]! ** 2;
    }
    const error = Math.sqrt(difference / norm);
    const speedUp = expected.seconds / found.seconds;
    const why = !(error < tolerance)
      ? `its gradient differs from the CPU’s by ${error.toPrecision(2)} relative`
      : provider !== 'cpu' && speedUp < 1
        ? `a step takes ${(1 / speedUp).toPrecision(2)} times as long as on one CPU thread`
        : undefined;
    return { provider, usable: why === undefined, why, error, speedUp };
  } catch (cause) {
    return { provider, usable: false, why: cause instanceof Error ? cause.message : String(cause) };
  }
}
