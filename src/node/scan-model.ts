/** @file  The model of a scan's data, and how well an image explains them. */
import type { Volume } from '../core/array.js';
import type { Grid } from '../core/image.js';
import type { PoissonSubset, ResidentModel } from '../core/interfaces.js';
import { fieldOfViewMask } from '../geometry/grid.js';
import type { ListModeScan, Scan } from '../geometry/scan.js';
import type { ProjectorEngine } from '../projector/engine.js';
import { expectedEvents, listModeModel } from '../projector/list-mode.js';
import { type SystemModelOptions, systemModel } from '../projector/system-model.js';
import { deviance, expectedDeviance } from '../recon/likelihood.js';

/** The image as the sinogram sees it. */
export interface SinogramFit {
  /** 2 KL(y; ȳ) per bin, and what Poisson noise alone would give. */
  readonly deviancePerBin: number;
  readonly expectedDeviancePerBin: number;
  /** Σ y and Σ ȳ. */
  readonly prompts: number;
  readonly explained: number;
}

/** The image as list mode sees it: ȳ is known for the bins that hold events alone, and its sum. */
export interface ListModeFit {
  /** Events used, and Σ ȳ over all bins. */
  readonly prompts: number;
  readonly explained: number;
  readonly listMode: {
    readonly events: number;
    /** Events that the layout does not hold, or that lie in bins that cannot count. */
    readonly leftOut: number;
    /** Share of the bins that hold events. */
    readonly occupancy: number;
  };
}

/** The subsets of a scan, or of its list mode, on an engine, and how well an image explains them. */
export interface ScanModel {
  readonly subsets: readonly PoissonSubset[];
  /** Where the engine has memory of its own, the scan and its images stay there. */
  readonly resident: ResidentModel | undefined;
  fitOf(image: Volume): Promise<SinogramFit | ListModeFit>;
}

export async function scanModel(
  scan: Scan | ListModeScan,
  grid: Grid,
  engine: ProjectorEngine,
  options: SystemModelOptions,
): Promise<ScanModel> {
  const { signal } = options;
  if ('events' in scan) {
    const { layout, rows, outside, occupancy } = scan.events;
    const subsets = await listModeModel(scan.events, scan, engine, grid, { ...options, mask: fieldOfViewMask(layout, grid) });
    const used = subsets.reduce((sum, { prompts }) => sum + prompts.data.length, 0);
    const fitOf = async (image: Volume): Promise<ListModeFit> => ({
      prompts: used,
      explained: expectedEvents(subsets, image),
      listMode: { events: used, leftOut: outside + rows.length - used, occupancy },
    });
    return { subsets, resident: undefined, fitOf };
  }
  const mask = fieldOfViewMask(scan.prompts.layout, grid);
  const subsets = await systemModel(scan, engine, grid, { ...options, mask });
  const resident = await engine.residentModel?.(scan, grid, subsets, { psf: options.psf, mask, signal });
  const fitOf = async (image: Volume): Promise<SinogramFit> => {
    const found = await deviance(subsets, image, { signal });
    const expected = await expectedDeviance(subsets, image, { signal });
    return {
      deviancePerBin: found.deviance / found.bins,
      expectedDeviancePerBin: expected.deviance / expected.bins,
      prompts: found.prompts,
      explained: found.expected,
    };
  };
  return { subsets, resident, fitOf };
}
