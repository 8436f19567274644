/** @file  The projector engines in figures: here the cpu engine; with --device gpu see gpu.ts. Every case and number of threads has a process of its own, so that peak memory is its own.
 *    npm run --silent bench -- projector [--json] [--case A] [--threads 1] [--repeat 5] [--peer DRIVER]
 *  Peak memory is that of the process after two updates with one subset, before a peer is opened: Node itself, the image, its data and
 *  what the update makes are in it.
 *  Times are process CPU time of whole calls, copies in and out included, per LOR-step: line × plane of its principal axis. Medians.
 *  josephGflops counts the 10 operations of a bilinear interpolation and its sum at each LOR-step, whatever the engine really does.
 *  With --peer (see peer.ts) some of the lines go through the other projector in turn with ours; ratio = its time / ours, one thread each. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import type { Grid, LinearOperator, NdArray, SinogramLayout, Volume } from 'coincide';
import * as coincide from 'coincide';
import { openEngine } from 'coincide/node';
import { cases, median, peerOf, peerRange, round, spread, stepsOf } from './cases.js';
import { measureGpu } from './gpu.js';

const { values: given } = parseArgs({
  args: process.argv.slice(3),
  options: {
    json: { type: 'boolean', default: false },
    case: { type: 'string', multiple: true, default: ['A', 'B', 'mMR', 'A-TOF'] },
    threads: { type: 'string', multiple: true, default: ['1', '2'] },
    repeat: { type: 'string', default: '5' },
    peer: { type: 'string' },
    alone: { type: 'boolean', default: false },
    device: { type: 'string', default: 'cpu' },
    software: { type: 'boolean', default: false },
  },
});

/** Most memory of the process, MB, after two updates of OSEM with one subset; they warm the compilers up, too. */
async function peakOfSubset(operator: LinearOperator, image: Volume, data: NdArray): Promise<number> {
  for (let i = 0; i < 2; i++) {
    await update(operator, image, data);
    globalThis.gc?.();
  }
  return process.resourceUsage().maxRSS / 1024;
}

/** x ← x ⊙ Aᵀ(y / A x); a function of its own, so that nothing of it is held when it is over. */
async function update(operator: LinearOperator, image: Volume, data: NdArray): Promise<void> {
  const ratio = await operator.forward(image);
  for (let bin = 0; bin < ratio.data.length; bin++) ratio.data[bin] = data.data[bin]! / Math.max(ratio.data[bin]!, 1);
  const correction = await operator.adjoint(ratio);
  for (let voxel = 0; voxel < image.data.length; voxel++) image.data[voxel]! *= correction.data[voxel]!;
}

/** Process CPU seconds. */
async function cpuSeconds(work: () => Promise<unknown>): Promise<number> {
  const before = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1e6;
}

async function measure(name: string, threads: number, repeat: number, peerPath: string | undefined) {
  const { scanner, options, grid, views: count, osemSubsets, peerViews } = cases[name]!;
  const layout = coincide.sinogramLayout(scanner, options);
  const views = spread(layout, count);
  const steps = stepsOf(layout, views, grid);
  const planes = coincide.sinogramShape(layout)[1];
  const samples = planes * steps.reduce((sum, n) => sum + n, 0);
  const engine = await openEngine({ device: 'cpu', threads });
  const operator = engine.sinogramProjector(layout, views, grid);
  const { uniform } = coincide.random(1);
  const image = coincide.fill(operator.inShape, uniform);
  const data = coincide.fill(operator.outShape, uniform);
  const peakMB = await peakOfSubset(operator, image, data);
  const folder = mkdtempSync(join(tmpdir(), 'bench-'));
  const lines = Math.max(1, Math.round(peerViews * layout.tangential));
  const peer = peerPath && threads === 1 ? await peerOf(peerPath, folder, layout, views, grid, lines, image) : undefined;
  const peerSamples = planes * steps.slice(...peerRange(steps.length, lines)).reduce((sum, n) => sum + n, 0);
  const times = { forward: [] as number[], back: [] as number[], peerForward: [] as number[], peerBack: [] as number[] };
  for (let i = 0; i < repeat; i++) {
    // Results of earlier repeats are garbage, not the operator's memory.
    globalThis.gc?.();
    const forward = await cpuSeconds(() => operator.forward(image));
    globalThis.gc?.();
    const back = await cpuSeconds(() => operator.adjoint(data));
    times.forward.push((forward / samples) * 1e9);
    times.back.push((back / samples) * 1e9);
    if (!peer || i > 2) continue;
    times.peerForward.push(((await peer.forward()) / peerSamples) * 1e9);
    times.peerBack.push(((await peer.back()) / peerSamples) * 1e9);
  }
  peer?.close();
  rmSync(folder, { recursive: true });
  const operandsMB = (4 * (image.data.length + data.data.length)) / 2 ** 20;
  const [forward, back] = [median(times.forward), median(times.back)];
  const result = {
    ...{ case: name, threads, device: engine.details, samples, forwardNs: round(forward), backNs: round(back) },
    ...{ josephGflops: { forward: round(10 / forward), back: round(10 / back) } },
    ...{ peakMB: round(peakMB), limitMB: round(2.5 * operandsMB + 100) },
    ...(peer ? ratios(forward, back, median(times.peerForward), median(times.peerBack)) : {}),
    ...(osemSubsets ? { osem: await osemIteration(engine, layout, grid, osemSubsets) } : {}),
  };
  await engine.dispose();
  return result;
}

const ratios = (forward: number, back: number, peerForward: number, peerBack: number) => ({
  peerForwardNs: round(peerForward),
  peerBackNs: round(peerBack),
  ratio: { forward: round(peerForward / forward), back: round(peerBack / back) },
});

/** One pass over all subsets, with a resolution of 4.5 mm: CPU and wall seconds, models and sensitivities made before. */
async function osemIteration(
  engine: Awaited<ReturnType<typeof openEngine>>,
  layout: SinogramLayout,
  grid: Grid,
  subsets: number,
): Promise<{ cpuSeconds: number; wallSeconds: number }> {
  const { uniform } = coincide.random(2);
  const prompts = { layout, values: coincide.fill(coincide.sinogramShape(layout), () => Math.floor(3 * uniform())) };
  const model = await coincide.systemModel({ prompts, position: 'HFS' }, engine, grid, { subsets, psf: 4.5 });
  const started = performance.now();
  const seconds = await cpuSeconds(() => coincide.last(coincide.osem(model, { epochs: 1 })));
  return { cpuSeconds: round(seconds), wallSeconds: round((performance.now() - started) / 1000) };
}

const show = (result: unknown): void => console.log(given.json ? JSON.stringify(result, undefined, 2) : result);
const unknown = given.case.find((name) => !(name in cases));
if (unknown !== undefined) {
  console.error(`Unknown case ${unknown}; known: ${Object.keys(cases).join(', ')}`);
  process.exitCode = 2;
} else if (given.device === 'gpu') {
  const results = [];
  for (const name of given.case) results.push(await measureGpu(name, { ...given, repeat: Number(given.repeat) }));
  show({ node: process.version, results });
} else if (given.alone) {
  console.log(JSON.stringify(await measure(given.case[0]!, Number(given.threads[0]), Number(given.repeat), given.peer)));
} else {
  const results = given.case.flatMap((name) =>
    given.threads.map((threads): unknown => {
      const own = ['--alone', '--case', name, '--threads', threads, '--repeat', given.repeat];
      const peer = given.peer ? ['--peer', given.peer] : [];
      const run = ['--expose-gc', fileURLToPath(new URL('run.js', import.meta.url)), 'projector', ...own, ...peer];
      return JSON.parse(execFileSync(process.execPath, run, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] }));
    }),
  );
  show({ node: process.version, results });
}
