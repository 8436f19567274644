/** @file  coincide doctor: what this machine has, whether the engines compute rightly, how fast, and what --device auto takes. */
import { availableParallelism, cpus, freemem, loadavg, totalmem } from 'node:os';
import type { Command } from 'commander';
import { fill } from '../core/array.js';
import { openEngine } from '../node/devices.js';
import { type Answer, lookForGpu } from '../node/gpu-device.js';
import { loadModel } from '../node/model-folder.js';
import { chooseProvider } from '../node/ort-probe.js';
import { version } from '../node/version.js';
import { type EngineSpeed, engineSpeed, type SelfTest, selfTest } from '../projector/self-test.js';
import { cardUse, coresAllowed, type Situation, slowness } from './doctor-advice.js';
import { type Result, type Run, verb } from './verb.js';

/** What was found out, or why not. */
type Tried<T> = ({ readonly works: true } & T) | { readonly works: false; readonly why: string };
type Tested = Tried<SelfTest & EngineSpeed & { readonly details: string | undefined }>;

const devices = ['reference', 'cpu', 'gpu'] as const;

export function doctor(program: Command): void {
  const command = program
    .command('doctor')
    .description('check this machine: engines, graphics card, self-tests, speed; why it is slow, why a card is not used');
  verb(command, async (run: Run): Promise<Result> => {
    const machine = {
      coincide: version(),
      node: process.version,
      platform: `${process.platform} ${process.arch}`,
      cpu: cpus()[0]?.model ?? 'unknown',
      cores: cpus().length,
      memoryGiB: Math.round(totalmem() / 2 ** 30),
    };
    const load = loadavg()[0]!;
    const answer = await lookForGpu();
    const engines: Record<string, Tested> = {};
    for (const device of devices) {
      if (device === 'gpu' && !answer.gpu) engines.gpu = { works: false, why: answer.why! };
      else engines[device] = await attempt(run, () => testEngine(run, device));
    }
    const networks = await attempt(run, () => testNetwork(run));
    const { provider: _, ...adapter } = answer.gpu ?? { provider: undefined };
    const gpu = answer.gpu ? { found: true, ...adapter, why: answer.why } : { found: false, why: answer.why };
    const auto = answer.gpu && answer.why === undefined ? 'gpu' : 'cpu';
    const situation: Situation = {
      ...{ load, cores: machine.cores, usable: coresAllowed(availableParallelism()), freeGiB: freemem() / 2 ** 30 },
      ...{ node: process.versions.node, card: answer.gpu?.name, why: answer.why },
      ...(auto === 'gpu' ? { networks: await trainingProvider(run) } : {}),
    };
    const advice = { slow: slowness(situation), card: cardUse(situation) };
    const broken = Object.entries(engines).some(([name, { works }]) => !works && (name !== 'gpu' || answer.gpu !== undefined));
    return {
      code: broken ? 1 : 0,
      json: { ...machine, gpu, engines, auto, networks, load, usableCores: situation.usable, advice },
      text: [
        `coincide ${machine.coincide}, Node ${machine.node}, ${machine.platform}`,
        `${machine.cpu}, ${machine.cores} ${machine.cores === 1 ? 'core' : 'cores'}, ${machine.memoryGiB} GiB`,
        '',
        ...cardLines(answer),
        '',
        ...Object.entries(engines).map(([name, tested]) => `${name.padEnd(10)} ${engineLine(tested)}`),
        `networks   ${networks.works ? `${networks.runtime}: ${networks.model}, ${networks.millisecondsPerPatch} ms a patch` : networks.why}`,
        '',
        `--device auto takes ${auto}${answer.gpu && answer.why !== undefined ? `: ${answer.why}` : '.'}`,
        '',
        'Why is it slow?',
        ...advice.slow.map((line) => `  ${line}`),
        'Why is my graphics card not used?',
        ...advice.card.map((line) => `  ${line}`),
      ].join('\n'),
    };
  });
}

function cardLines({ gpu }: Answer): string[] {
  if (!gpu) return ['graphics   no card'];
  const { maxStorageBufferBindingSize: binding, maxBufferSize, maxStorageBuffersPerShaderStage: arrays } = gpu.limits;
  const mebibytes = Math.floor(Math.min(binding, maxBufferSize) / 2 ** 20);
  return [
    `graphics   ${gpu.name} (${[gpu.vendor, gpu.architecture].filter(Boolean).join(', ') || 'no more is told'}), through ${gpu.through}`,
    `           arrays up to ${mebibytes} MiB, ${arrays} to a kernel`,
  ];
}

function engineLine(tested: Tested): string {
  if (!tested.works) return tested.why;
  const { adjointError, integralError, forwardNsPerStep, backNsPerStep, details } = tested;
  const errors = `adjoint to ${adjointError.toExponential(0)}, integrals to ${integralError.toExponential(0)}`;
  const speed = `forward ${short(forwardNsPerStep)}, back ${short(backNsPerStep)} ns per step of a line`;
  return `right (${errors}); ${speed}${details === undefined ? '' : ` (${details})`}`;
}

const short = (ns: number): string => (ns < 100 ? ns.toPrecision(2) : ns.toFixed(0));

async function attempt<T>(run: Run, test: () => Promise<T>): Promise<Tried<T>> {
  try {
    return { works: true, ...(await test()) };
  } catch (error) {
    run.signal.throwIfAborted();
    return { works: false, why: (error as Error).message };
  }
}

async function testEngine(
  { options, signal }: Run,
  device: (typeof devices)[number],
): Promise<SelfTest & EngineSpeed & { readonly details: string | undefined }> {
  const engine = await openEngine({ ...options, device });
  try {
    const test = await selfTest(engine, { signal });
    if (!test.passed) {
      throw new Error(
        `computes wrongly: adjoint error ${test.adjointError.toExponential(1)}, integral error ${test.integralError.toExponential(1)}. Do not use it; please report this`,
      );
    }
    return { details: engine.details, ...test, ...(await engineSpeed(engine, { signal })) };
  } finally {
    await engine.dispose();
  }
}

/** What runs networks on the card, or what each provider said. */
async function trainingProvider({ signal }: Run): Promise<Situation['networks']> {
  try {
    return { provider: await chooseProvider('gpu', { signal }) };
  } catch (error) {
    signal.throwIfAborted();
    return { why: (error as Error).message };
  }
}

async function testNetwork(run: Run): Promise<{
  readonly runtime: string;
  readonly model: string;
  readonly millisecondsPerPatch: number;
}> {
  const model = await loadModel(undefined, run.options);
  try {
    const x = fill(model.card.patch, (i) => 1 + Math.sin(i));
    await model.mean(x);
    const started = performance.now();
    await model.mean(x);
    return {
      runtime: 'onnxruntime-node, cpu',
      model: `${model.card.name} ${model.card.version}`,
      millisecondsPerPatch: Math.round((performance.now() - started) * 10) / 10,
    };
  } finally {
    await model.dispose();
  }
}
