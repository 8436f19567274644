/** @file  List mode on the cpu engine in figures, event by event, in the orders that events can have.
 *    npm run --silent bench -- list-mode [--json] [--case A] [--events 500000] [--threads 1] [--repeat 5] [--peer DRIVER]
 *  Orders: `list` is that of `listMode`, whose kernels set up lines once per place; `sorted` are the same lines one by one, as general lines;
 *  `random` as well, shuffled: the order in which a scanner writes them. Times are process CPU time of whole calls, copies in and out
 *  included, medians: per event, and per LOR-step (line × plane of its principal axis; with time of flight an event visits a part of
 *  them). With --peer (see peer.ts) the other projector has the same events in turn with ours, one thread each, in the sorted order, its
 *  best, and shuffled; ratio = its time / ours. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { Grid, LinearOperator, Lines, LineTof, SinogramLayout } from 'coincide';
import * as coincide from 'coincide';
import { openEngine } from 'coincide/node';
import { openPeer, type Peer } from './peer.js';

const ring36 = coincide.parseScanner({
  ...{ name: 'bench', rings: 36, detectorsPerRing: 504, innerRadius: 350, ringSpacing: 4 },
  ...{ maxTangential: 344, defaultArcCorrected: 344, binSize: 2 },
  tof: { bins: 33, binWidth: 143.231, resolution: 674.55 },
});
const mmr = coincide.scannerByName('mMR');
const gridA = coincide.centredGrid([71, 172, 172], [2, 4, 4]);
const cases: Readonly<Record<string, { readonly layout: SinogramLayout; readonly grid: Grid }>> = {
  A: { layout: coincide.sinogramLayout(ring36, { maxRingDifference: 8 }), grid: gridA },
  'A-TOF': { layout: coincide.sinogramLayout(ring36, { maxRingDifference: 8, tofMash: 1 }), grid: gridA },
  mMR: {
    layout: coincide.sinogramLayout(mmr, { maxRingDifference: 60 }),
    grid: coincide.centredGrid([127, 344, 344], [mmr.ringSpacing / 2, mmr.binSize, mmr.binSize]),
  },
};

const { values: given } = parseArgs({
  args: process.argv.slice(3),
  options: {
    json: { type: 'boolean', default: false },
    case: { type: 'string', multiple: true, default: Object.keys(cases) },
    events: { type: 'string', default: '500000' },
    threads: { type: 'string', default: '1' },
    repeat: { type: 'string', default: '5' },
    peer: { type: 'string' },
  },
});

/** Events all over the scanner, as crystal pairs in the order of a scanner. */
function drawn(
  { scanner, segments, views, tangential, tofBins, tofMash }: SinogramLayout,
  count: number,
): coincide.CoincidenceEvents {
  const { integer } = coincide.random(1);
  const [ring1, detector1, ring2, detector2, tof] = [0, 1, 2, 3, 4].map(() => new Uint16Array(count));
  for (let i = 0; i < count; i++) {
    const difference = segments[integer(segments.length)]!.minRingDifference;
    ring1![i] = Math.max(0, -difference) + integer(scanner.rings - Math.abs(difference));
    ring2![i] = ring1![i]! + difference;
    const [view, t] = [integer(views), integer(tangential) - Math.floor(tangential / 2)];
    detector1![i] = (view + (t >> 1) + scanner.detectorsPerRing) % scanner.detectorsPerRing;
    detector2![i] = (view - ((t + 1) >> 1) + (3 * scanner.detectorsPerRing) / 2) % scanner.detectorsPerRing;
    tof![i] = integer(tofBins * tofMash);
  }
  return { ring1: ring1!, detector1: detector1!, ring2: ring2!, detector2: detector2!, tof: tof! };
}

/** The lines of all bins are too many: those of the events, found as the engines find them. */
function linesOf(list: coincide.EventList): { lines: Lines; tof: LineTof | undefined; bins: Float32Array } {
  const { lines, tof } = coincide.eventLines(
    list,
    Array.from({ length: list.layout.views }, (_, view) => view),
  );
  // Bins count from detector 1, the start of the line, in the peer; from detector 2 here.
  const bins = Float32Array.from(list.rows, (row) => list.layout.tofBins - 1 - (row % list.layout.tofBins));
  return { lines, tof, bins };
}

/** Planes of the principal axis that lie between the end points and whose lateral position is within the image. */
function stepsOf({ start, end }: Lines, { shape, voxelSize, origin }: Grid): number {
  let steps = 0;
  for (let i = 0; i < start.length; i += 3) {
    const at = (p: Float32Array, axis: 1 | 2): number => (p[i + axis]! - origin[axis]) / voxelSize[axis];
    const [p, q] =
      Math.abs(end[i + 2]! - start[i + 2]!) >= Math.abs(end[i + 1]! - start[i + 1]!) ? ([2, 1] as const) : ([1, 2] as const);
    const [p1, p2, q1] = [at(start, p), at(end, p), at(start, q)];
    const slope = (at(end, q) - q1) / (p2 - p1);
    const last = Math.min(shape[p] - 1, Math.floor(Math.max(p1, p2)));
    for (let plane = Math.max(0, Math.ceil(Math.min(p1, p2))); plane <= last; plane++) {
      const u = q1 + (plane - p1) * slope;
      if (u > -1 && u < shape[q]) steps++;
    }
  }
  return steps;
}

function shuffled(n: number): Uint32Array {
  const { integer } = coincide.random(2);
  const order = Uint32Array.from({ length: n }, (_, i) => i);
  for (let i = n - 1; i > 0; i--) {
    const j = integer(i + 1);
    [order[i], order[j]] = [order[j]!, order[i]!];
  }
  return order;
}
const picked = (of: Float32Array, order: Uint32Array, width: number): Float32Array => {
  const out = new Float32Array(of.length);
  order.forEach((from, to) => {
    out.set(of.subarray(from * width, (from + 1) * width), to * width);
  });
  return out;
};

/** Process CPU seconds. */
async function cpuSeconds(work: () => Promise<unknown>): Promise<number> {
  const before = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1e6;
}
const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1]!;
const round = (value: number): number => Number(value.toPrecision(4));

async function measure(name: string, count: number, repeat: number, threads: number, peerPath: string | undefined) {
  const { layout, grid } = cases[name]!;
  const started = performance.now();
  const list = await coincide.listMode(layout, [drawn(layout, count)]);
  const sortSeconds = (performance.now() - started) / 1000;
  const { lines, tof, bins } = linesOf(list);
  const order = shuffled(count);
  const random: Lines = { start: picked(lines.start, order, 3), end: picked(lines.end, order, 3) };
  const randomTof = tof && { ...tof, centre: picked(tof.centre, order, 1) };
  const steps = stepsOf(lines, grid);
  const engine = await openEngine({ device: 'cpu', threads });
  const image = coincide.fill(grid.shape, coincide.random(3).uniform);
  const data = coincide.fill([count], () => 0.5);
  const ours: Readonly<Record<string, LinearOperator>> = {
    list: coincide.listModeProjector(engine, list, grid),
    sorted: engine.lineProjector(lines, grid, tof),
    random: engine.lineProjector(random, grid, randomTof),
  };
  const folder = mkdtempSync(join(tmpdir(), 'bench-'));
  const rows = (of: Lines): Float32Array => {
    const out = new Float32Array(6 * count);
    for (let i = 0; i < count; i++) {
      out.set(of.start.subarray(3 * i, 3 * i + 3), 6 * i);
      out.set(of.end.subarray(3 * i, 3 * i + 3), 6 * i + 3);
    }
    return out;
  };
  const open = (of: Lines, own: Float32Array): Promise<Peer> => {
    const shape = tof ? { bins: layout.tofBins, width: tof.width, sigma: tof.sigma } : { bins: 1, width: 0, sigma: 0 };
    return openPeer(peerPath!, folder, grid, rows(of), shape, image.data, data.data, tof && own);
  };
  const peers = peerPath ? { sorted: await open(lines, bins), random: await open(random, picked(bins, order, 1)) } : {};
  const times = new Map<string, { forward: number[]; back: number[] }>();
  const note = (key: string, forward: number, back: number): void => {
    const of = times.get(key) ?? { forward: [], back: [] };
    of.forward.push(forward);
    of.back.push(back);
    times.set(key, of);
  };
  for (let i = 0; i <= repeat; i++) {
    for (const [key, operator] of Object.entries(ours)) {
      const [forward, back] = [await cpuSeconds(() => operator.forward(image)), await cpuSeconds(() => operator.adjoint(data))];
      // The first time is for the compilers.
      if (i > 0) note(key, forward, back);
    }
    for (const [key, peer] of Object.entries(peers)) if (i > 0) note(`peer ${key}`, await peer.forward(), await peer.back());
  }
  for (const peer of Object.values(peers)) peer.close();
  rmSync(folder, { recursive: true });
  await engine.dispose();
  const figure = (key: string) => {
    const { forward, back } = times.get(key)!;
    const per = (n: number) => ({ forward: round((1e9 * median(forward)) / n), back: round((1e9 * median(back)) / n) });
    return { nsPerEvent: per(count), nsPerStep: per(steps) };
  };
  const ratio = (a: string, b: string) => ({
    forward: round(median(times.get(a)!.forward) / median(times.get(b)!.forward)),
    back: round(median(times.get(a)!.back) / median(times.get(b)!.back)),
  });
  return {
    ...{ case: name, threads, events: count, eventsPerPlace: round(count / (layout.views * layout.tangential)) },
    ...{ stepsPerEvent: round(steps / count), sortNsPerEvent: round((1e9 * sortSeconds) / count) },
    bytesPerEvent: {
      list: round((list.rows.byteLength + list.offsets.byteLength) / count),
      lines: 24 + (tof ? 4 : 0),
    },
    orders: Object.fromEntries([...times.keys()].map((key) => [key, figure(key)])),
    ...(peerPath ? { ratio: { best: ratio('peer sorted', 'list'), random: ratio('peer random', 'random') } } : {}),
  };
}

const unknown = given.case.find((name) => !(name in cases));
if (unknown !== undefined) {
  console.error(`Unknown case ${unknown}; known: ${Object.keys(cases).join(', ')}`);
  process.exitCode = 2;
} else {
  const results: unknown[] = [];
  for (const name of given.case) {
    results.push(await measure(name, Number(given.events), Number(given.repeat), Number(given.threads), given.peer));
  }
  const all = { node: process.version, results };
  if (given.json) console.log(JSON.stringify(all, undefined, 2));
  else console.dir(all, { depth: 6 });
}
