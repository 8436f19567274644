/** @file  The cpu projector engine in figures. Every case and number of threads has a process of its own, so that peak memory is its own.
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
import type { Grid, LayoutOptions, LinearOperator, NdArray, Scanner, SinogramLayout, Volume } from 'coincide';
import * as coincide from 'coincide';
import { openEngine } from 'coincide/node';
import { openPeer, type Peer } from './peer.js';

interface Case {
  readonly scanner: Scanner;
  readonly options: LayoutOptions;
  readonly grid: Grid;
  /** Views in the subset that is projected, evenly spread. */
  readonly views: number;
  /** Time one OSEM iteration with so many subsets. */
  readonly osemSubsets?: number;
  /** Share of the views that the peer projects. */
  readonly peerViews: number;
}

const ring = (rings: number): Scanner =>
  coincide.parseScanner({
    ...{ name: 'bench', rings, detectorsPerRing: 504, innerRadius: 350, ringSpacing: 4 },
    ...{ maxTangential: 344, defaultArcCorrected: 344, binSize: 2 },
    tof: { bins: 33, binWidth: 143.231, resolution: 674.55 },
  });
const mmr = coincide.scannerByName('mMR');
const quadra = coincide.scannerByName('Quadra');
const gridA = coincide.centredGrid([71, 172, 172], [2, 4, 4]);
const cases: Readonly<Record<string, Case>> = {
  A: { scanner: ring(36), options: { maxRingDifference: 8 }, grid: gridA, views: 14, peerViews: 14 },
  B: {
    ...{ scanner: ring(64), options: { maxRingDifference: 16 }, views: 5, peerViews: 5 },
    grid: coincide.centredGrid([127, 344, 344], [2, 2, 2]),
  },
  mMR: {
    ...{ scanner: mmr, options: { span: 11, maxRingDifference: 60 }, views: 12, osemSubsets: 21, peerViews: 4 },
    grid: coincide.centredGrid([127, 344, 344], [mmr.ringSpacing / 2, mmr.binSize, mmr.binSize]),
  },
  'A-TOF': { scanner: ring(36), options: { maxRingDifference: 8, tofMash: 1 }, grid: gridA, views: 4, peerViews: 0.03 },
  Quadra: {
    ...{ scanner: quadra, options: { maxRingDifference: 85 }, views: 2, peerViews: 0.02 },
    grid: coincide.centredGrid([645, 220, 220], [quadra.ringSpacing / 2, 3.3, 3.3]),
  },
};

const { values: given } = parseArgs({
  args: process.argv.slice(3),
  options: {
    json: { type: 'boolean', default: false },
    case: { type: 'string', multiple: true, default: ['A', 'B', 'mMR', 'A-TOF'] },
    threads: { type: 'string', multiple: true, default: ['1', '2'] },
    repeat: { type: 'string', default: '5' },
    peer: { type: 'string' },
    alone: { type: 'boolean', default: false },
  },
});

const spread = (layout: SinogramLayout, n: number): number[] =>
  Array.from({ length: n }, (_, i) => Math.floor(((i + 0.37) * layout.views) / n));

/** Planes that each transaxial line meets. */
function stepsOf(layout: SinogramLayout, views: readonly number[], grid: Grid): number[] {
  const middle = { minRingDifference: 0, maxRingDifference: 0, axialPositions: 1 };
  const { start, end } = coincide.linesOf({ ...layout, segments: [middle] }, views);
  const [, ny, nx] = grid.shape;
  return Array.from({ length: start.length / 3 }, (_, line) => {
    const at = (p: Float32Array, axis: number): number => (p[3 * line + axis]! - grid.origin[axis]!) / grid.voxelSize[axis]!;
    const alongX = Math.abs(end[3 * line + 2]! - start[3 * line + 2]!) >= Math.abs(end[3 * line + 1]! - start[3 * line + 1]!);
    const [p, q, n, m] = alongX ? [2, 1, nx, ny] : [1, 2, ny, nx];
    const slope = (at(end, q) - at(start, q)) / (at(end, p) - at(start, p));
    let steps = 0;
    for (let i = 0; i < n; i++) {
      const inside = (i - at(start, p)) * (i - at(end, p)) <= 0;
      const u = at(start, q) + (i - at(start, p)) * slope;
      if (inside && u > -1 && u < m) steps++;
    }
    return steps;
  });
}

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

const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1]!;
const round = (value: number): number => Number(value.toPrecision(4));

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

/** Lines in the middle of all. */
function peerRange(all: number, wanted: number): [from: number, to: number] {
  const count = Math.min(all, wanted);
  const from = count === all ? 0 : Math.floor((all - count) / 2);
  return [from, from + count];
}

/** The peer with some of the lines, planes fastest: the order that suits such projectors. */
function peerOf(
  path: string,
  folder: string,
  layout: SinogramLayout,
  views: readonly number[],
  grid: Grid,
  wanted: number,
  image: Volume,
): Promise<Peer> {
  const all = views.length * layout.tangential;
  const [from, to] = peerRange(all, wanted);
  const { start, end } = coincide.linesOf(layout, views);
  const planes = start.length / 3 / all;
  const lines = new Float32Array((to - from) * planes * 6);
  for (let line = from, at = 0; line < to; line++) {
    for (let plane = 0; plane < planes; plane++, at += 6) {
      const i = 3 * (plane * all + line);
      lines.set(start.subarray(i, i + 3), at);
      lines.set(end.subarray(i, i + 3), at + 3);
    }
  }
  const { tof } = layout.scanner;
  const bins = layout.tofBins;
  const perPs = 0.149896229;
  const width = bins > 1 ? tof!.binWidth * layout.tofMash * perPs : 0;
  const sigma = bins > 1 ? (tof!.resolution * perPs) / (2 * Math.sqrt(2 * Math.LN2)) : 0;
  const data = new Float32Array((to - from) * planes * bins).fill(0.5);
  return openPeer(path, folder, grid, lines, { bins, width, sigma }, image.data, data);
}

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
