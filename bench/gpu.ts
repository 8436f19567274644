/** @file  The engine of a graphics card in figures, wall time, each case in this process:
 *    npm run --silent bench -- projector --device gpu [--json] [--case mMR] [--repeat 5] [--peer DRIVER] [--software]
 *  forward, back   all views of the scan with image and data on the card, G LOR-steps/s and ms; without the copies in and out
 *  plain           the same by the plain kernels, which are the definition: what four neighbours to a thread gain
 *  calls           one subset through the public operators, copies in and out included, against the cpu engine on all cores
 *  osem            one iteration on the card, with a resolution of 4.5 mm; models and sensitivities made before
 *  With --peer the same lines go through another projector (see peer.ts), one that answers with wall seconds of the card's work.
 *  A program in the place of a card is refused: its times say nothing about cards. --software runs it all the same, to see that it runs. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ProjectorEngine } from 'coincide';
import * as coincide from 'coincide';
import { openEngine } from 'coincide/node';
import { cases, median, peerOf, peerRange, round, spread, stepsOf } from './cases.js';

export interface GpuBenchOptions {
  readonly repeat: number;
  readonly peer?: string | undefined;
  readonly software: boolean;
}

/** Parts of the package that are not its public interface; this runs in build/bench. */
const inside = <T>(path: string): Promise<T> => import(new URL(`../../dist/${path}`, import.meta.url).href) as Promise<T>;

/** Median wall seconds; the first time is for the compilers. */
async function wall(repeat: number, work: () => Promise<unknown>): Promise<number> {
  const times: number[] = [];
  for (let i = 0; i <= repeat; i++) {
    const started = performance.now();
    await work();
    if (i > 0) times.push((performance.now() - started) / 1000);
  }
  return median(times);
}

export async function measureGpu(name: string, { repeat, peer: peerPath, software }: GpuBenchOptions) {
  const { findGpu } = await inside<typeof import('../dist/node/gpu-device.js')>('node/gpu-device.js');
  const { openGpuDevice } = await inside<typeof import('../dist/projector/gpu/device.js')>('projector/gpu/device.js');
  const { gpuEngine } = await inside<typeof import('../dist/projector/gpu/engine.js')>('projector/gpu/engine.js');
  const { sinogramKernels } = await inside<typeof import('../dist/projector/gpu/sinogram.js')>('projector/gpu/sinogram.js');
  const found = await findGpu();
  if (found.software && !software) {
    throw new Error(`${found.name} is no graphics card, and its times say nothing about one. --software runs it all the same.`);
  }
  const { scanner, options, grid, views: count, osemSubsets, peerViews } = cases[name]!;
  const layout = coincide.sinogramLayout(scanner, options);
  const [, planes] = coincide.sinogramShape(layout);
  const device = await openGpuDevice(found.provider);
  const samplesOf = (views: readonly number[]): number => planes * stepsOf(layout, views, grid).reduce((sum, n) => sum + n, 0);
  const all = Array.from({ length: layout.views }, (_, view) => view);
  const { uniform } = coincide.random(1);
  const image = coincide.fill(grid.shape, uniform);

  /** All views, in the pieces that the engine takes; the data of all pieces are those of the first. */
  const onCard = async (rows: 1 | 4) => {
    const kernels = await sinogramKernels(device, layout, grid, { rows, ...(software ? { samplesPerDispatch: 1e9 } : {}) });
    const result = await device.use(async (own) => {
      const x = await kernels.images.load(image.data, own);
      const step = Math.min(layout.views, kernels.viewsPerChunk);
      const lists = Array.from({ length: Math.ceil(layout.views / step) }, (_, i) => all.slice(i * step, (i + 1) * step));
      const on = lists.map((list) => ({ list: own(kernels.viewList(list)), n: list.length }));
      const data = own(await kernels.forward(x, on[0]!.list, step));
      const forward = await wall(repeat, async () => {
        for (const { list, n } of on) (await kernels.forward(x, list, n)).delete();
        await device.settle();
      });
      const back = await wall(repeat, async () => {
        for (const { list } of on) (await kernels.adjoint(data, list)).delete();
        await device.settle();
      });
      return { forward, back };
    });
    kernels.dispose();
    return result;
  };
  const samples = samplesOf(all);
  const figures = ({ forward, back }: { forward: number; back: number }) => ({
    ms: { forward: round(1000 * forward), back: round(1000 * back) },
    billionStepsPerSecond: { forward: round(samples / forward / 1e9), back: round(samples / back / 1e9) },
  });
  const fast = await onCard(4);
  const plain = await onCard(1);

  const views = spread(layout, count);
  const calls = async (engine: ProjectorEngine) => {
    const operator = engine.sinogramProjector(layout, views, grid);
    const data = coincide.fill(operator.outShape, uniform);
    return { forward: await wall(repeat, () => operator.forward(image)), back: await wall(repeat, () => operator.adjoint(data)) };
  };
  const engine = gpuEngine(device, { memory: 2 ** 36 });
  const gpuCalls = await calls(engine);
  const osem = osemSubsets ? await osemIteration(engine, name, osemSubsets) : undefined;
  await engine.dispose();
  const cpu = await openEngine({ device: 'cpu' });
  const cpuCalls = await calls(cpu);
  await cpu.dispose();

  let peer: { forward: number; back: number } | undefined;
  if (peerPath) {
    const folder = mkdtempSync(join(tmpdir(), 'bench-'));
    const lines = Math.max(1, Math.round(peerViews * layout.tangential));
    const steps = stepsOf(layout, views, grid);
    const peerSamples = planes * steps.slice(...peerRange(steps.length, lines)).reduce((sum, n) => sum + n, 0);
    const driver = await peerOf(peerPath, folder, layout, views, grid, lines, image);
    const best = async (work: () => Promise<number>): Promise<number> => {
      const times: number[] = [];
      for (let i = 0; i <= repeat; i++) times.push(await work());
      return median(times.slice(1)) / peerSamples;
    };
    peer = { forward: await best(driver.forward), back: await best(driver.back) };
    driver.close();
    rmSync(folder, { recursive: true });
  }
  const milliseconds = (seconds: { forward: number; back: number }) => ({
    forward: round(1000 * seconds.forward),
    back: round(1000 * seconds.back),
  });
  return {
    ...{ case: name, adapter: found.name, software: found.software, samples },
    ...{ onCard: figures(fast), plain: figures(plain) },
    calls: { views: count, gpuMs: milliseconds(gpuCalls), cpuMs: milliseconds(cpuCalls) },
    ...(peer
      ? {
          peerBillionStepsPerSecond: { forward: round(1e-9 / peer.forward), back: round(1e-9 / peer.back) },
          ratio: { forward: round((peer.forward * samples) / fast.forward), back: round((peer.back * samples) / fast.back) },
        }
      : {}),
    ...(osem ? { osem } : {}),
  };
}

/** One pass over all subsets on the card, after one that compiles. */
async function osemIteration(engine: ProjectorEngine, name: string, subsets: number) {
  const { scanner, options, grid } = cases[name]!;
  const layout = coincide.sinogramLayout(scanner, options);
  const { uniform } = coincide.random(2);
  const prompts = { layout, values: coincide.fill(coincide.sinogramShape(layout), () => Math.floor(3 * uniform())) };
  const scan = { prompts, position: 'HFS' } as const;
  const psf = 4.5;
  const models = await coincide.systemModel(scan, engine, grid, { subsets, psf });
  const model = await engine.residentModel!(scan, grid, models, { psf });
  const seconds = await wall(1, () => coincide.last(coincide.residentOsem(model, { epochs: 1 })));
  model.dispose();
  return { subsets, seconds: round(seconds), data: model.details };
}
