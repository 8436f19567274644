/** @file  coincide info --plan: what a reconstruction will need, before anything is allocated. */
import { OptionError } from '../core/errors.js';
import { defaultGrid } from '../geometry/grid.js';
import { type SinogramLayout, sinogramLayout } from '../geometry/sinogram.js';
import { openEngine } from '../node/devices.js';
import { readScanner } from '../node/scanner-file.js';
import { plan, probeSpeed, secondsPerIteration } from '../projector/plan.js';
import { duration } from './progress.js';
import type { Result, Run } from './verb.js';

export interface PlanOptions {
  readonly scanner?: string;
  readonly span?: number;
  readonly maxRingDifference?: number;
  readonly viewMash?: number;
  readonly voxel?: number;
  readonly size?: number;
  readonly subsets?: number;
}

/** The layout that the options describe. */
export async function layoutOf({ scanner, span, maxRingDifference, viewMash }: PlanOptions): Promise<SinogramLayout> {
  if (scanner === undefined) {
    throw new OptionError('Nothing to plan', { key: '--plan', expected: 'a file, or --scanner NAME', found: 'neither' });
  }
  return sinogramLayout(await readScanner(scanner), { span, maxRingDifference, viewMash });
}

export async function planned(run: Run, layout: SinogramLayout, { voxel, size, subsets }: PlanOptions): Promise<Result> {
  const grid = defaultGrid(layout, { voxel, size });
  const few = plan(layout, grid);
  const sizes = plan(layout, grid, subsets ?? Math.max(Math.min(8, layout.views), few.fewestSubsets));
  const engine = await openEngine(run.options);
  try {
    const seconds = secondsPerIteration(sizes, await probeSpeed(engine, layout, grid, { signal: run.signal }));
    const { name, details } = engine;
    const json = {
      scanner: layout.scanner.name,
      shape: [...grid.shape].reverse(),
      ...sizes,
      secondsPerIteration: seconds,
      engine: name,
      details,
    };
    const gib = (bytes: number): string => `${(bytes / 2 ** 30).toFixed(2)} GiB`;
    const text = [
      `${layout.scanner.name}: ${sizes.bins.toExponential(2)} bins, ${json.shape.join(' × ')} voxels, ${sizes.subsets} subsets`,
      `memory     ${gib(sizes.totalBytes)}: kernels ${gib(sizes.workspaceBytes)}, data ${gib(sizes.dataBytes)}, images ${gib(sizes.imageBytes)}`,
      `iteration  about ${duration(seconds)} (${sizes.samples.toExponential(2)} samples each way; ${name}, ${details ?? 'one thread'})`,
      sizes.fits
        ? `fits       from ${sizes.fewestSubsets} subsets on`
        : `too large  one subset exceeds the 4 GiB that the kernels can address: use ${sizes.fewestSubsets} subsets or more`,
    ];
    return { json, text: text.join('\n') };
  } finally {
    await engine.dispose();
  }
}
