/** @file  coincide doctor: what this machine has, whether the engines compute rightly, and how fast. */
import { cpus, totalmem } from 'node:os';
import type { Command } from 'commander';
import { fill } from '../core/array.js';
import { defaultGrid } from '../geometry/grid.js';
import { scannerByName } from '../geometry/scanners.js';
import { sinogramLayout } from '../geometry/sinogram.js';
import { openEngine } from '../node/devices.js';
import { defaultModel, loadModel } from '../node/model-folder.js';
import { version } from '../node/version.js';
import { adjointError } from '../projector/adjoint-error.js';
import { type Result, type Run, verb } from './verb.js';

export function doctor(program: Command): void {
  const command = program.command('doctor').description('check the installation: engines, self-test, speed');
  verb(command, async (run: Run): Promise<Result> => {
    const machine = {
      node: process.version,
      platform: `${process.platform} ${process.arch}`,
      cpu: cpus()[0]?.model ?? 'unknown',
      cores: cpus().length,
      memoryGiB: Math.round(totalmem() / 2 ** 30),
    };
    const engines: Record<string, unknown> = {};
    for (const device of ['reference', 'cpu'] as const) engines[device] = await attempt(() => testEngine(run, device));
    engines.gpu = { works: false, why: 'there is no GPU engine in this version' };
    const networks = await attempt(() => testNetwork(run));
    const report = { coincide: version(), ...machine, engines, networks };
    return {
      json: report,
      text: JSON.stringify(report, null, 2)
        .replace(/[{}",]/g, '')
        .replace(/\n\s*\n/g, '\n')
        .trim(),
    };
  });
}

async function attempt(test: () => Promise<Record<string, unknown>>): Promise<Record<string, unknown>> {
  try {
    return { works: true, ...(await test()) };
  } catch (error) {
    return { works: false, why: (error as Error).message };
  }
}

/** Adjoint identity on a small oblique geometry, then the time of one forward and one back projection of a few views. */
async function testEngine(run: Run, device: 'reference' | 'cpu'): Promise<Record<string, unknown>> {
  const engine = await openEngine({ ...run.options, device });
  try {
    const layout = sinogramLayout(scannerByName('small'), { span: 3, maxRingDifference: 7 });
    const grid = defaultGrid(layout);
    const views = device === 'cpu' ? Array.from({ length: layout.views }, (_, v) => v) : [5];
    const A = engine.sinogramProjector(layout, views, grid);
    const x = fill(A.inShape, () => 1);
    await A.forward(x);
    const forward = await milliseconds(() => A.forward(x));
    const y = fill(A.outShape, () => 1);
    const back = await milliseconds(() => A.adjoint(y));
    const error = await adjointError(engine.sinogramProjector(layout, [5], grid));
    const lines = y.data.length;
    return {
      adjointError: error,
      forwardNsPerLine: Math.round((1e6 * forward) / lines),
      backNsPerLine: Math.round((1e6 * back) / lines),
      lines,
    };
  } finally {
    await engine.dispose();
  }
}

async function testNetwork(run: Run): Promise<Record<string, unknown>> {
  const model = await loadModel(defaultModel, run.options);
  try {
    const x = fill(model.card.patch, (i) => 1 + Math.sin(i));
    await model.mean(x);
    const time = await milliseconds(() => model.mean(x));
    return {
      runtime: 'onnxruntime-node, cpu',
      model: `${model.card.name} ${model.card.version}`,
      millisecondsPerPatch: Math.round(time * 10) / 10,
    };
  } finally {
    await model.dispose();
  }
}

async function milliseconds(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await work();
  return performance.now() - started;
}
