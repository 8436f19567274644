/** @file  List mode: the model of single events, y ~ Poisson(m ⊙ (A x + a)) seen event by event. With e the bin of event e,
 *    Aᵀ m (y/ȳ) = Σ_bins A_b m_b y_b / (m_b (A_b x + a_b)) = Σ_events A_e / (A_e x + a_e),
 *  so that every event is a bin of its own that holds one count, m_e divides out, and only the sensitivity Aᵀ m needs all bins. The same
 *  OSEM, and all else that lives on Aᵀ(y/ȳ) and the sensitivity, does both. Huesman et al. 2000, doi:10.1109/42.845179. */
import { array, dot, fill, type NdArray, size, type Volume } from '../core/array.js';
import { OptionError } from '../core/errors.js';
import type { Grid } from '../core/image.js';
import type { LinearOperator, PoissonSubset } from '../core/interfaces.js';
import { turn } from '../core/iterate.js';
import { type BinValues, binValues } from '../geometry/bin-values.js';
import { type EventList, filtered, forEachEvent } from '../geometry/event-list.js';
import type { ListModeScan } from '../geometry/scan.js';
import { type SinogramLayout, sinogramShape } from '../geometry/sinogram.js';
import { orderedSubsets } from '../geometry/subsets.js';
import { compose, diagonal, ones } from './compose.js';
import type { ProjectorEngine } from './engine.js';
import { type SystemModelOptions, significant } from './system-model.js';

/** Bins whose sensitivity is worked out at a time. */
const binsAtATime = 2 ** 24;
/** Bins between two turns of the event loop. */
const perTurn = 2 ** 20;

/**
 * Line integrals along the lines of the events, outShape [events]; with time of flight, the part in the event's bin.
 * @throws GeometryError when the layout's scanner lacks the time of flight that the layout has.
 */
export function listModeProjector(engine: ProjectorEngine, list: EventList, grid: Grid): LinearOperator {
  return engine.eventProjector(list, allViews(list.layout), grid);
}

/** What is known of the scan beside its events. */
export type ListModeTerms = Pick<ListModeScan, 'multiplicative' | 'additive'>;

/** The events of some views. `model` and `background` are without m, which divides out; prompts are ones. */
export interface ListModeSubset extends PoissonSubset {
  /** Σ m a over all bins of the views. With ⟨sensitivity, x⟩ it is the number of events that x expects. */
  readonly backgroundOfAllBins: number;
}

/**
 * The model of the events as ordered subsets of views, for `osem`, `poissonProx` and their like. The sensitivity is that of all bins.
 * Events in bins that cannot count (m = 0) are left out. What sums ȳ over all bins, such as the deviance, needs the histogram.
 * @throws OptionError when there are more subsets than views, or no events; GeometryError when the engine cannot project the layout.
 */
export async function listModeModel(
  list: EventList,
  { multiplicative, additive }: ListModeTerms,
  engine: ProjectorEngine,
  grid: Grid,
  { subsets = 1, psf, mask, signal, onProgress = () => {} }: SystemModelOptions = {},
): Promise<ListModeSubset[]> {
  const { layout } = list;
  const m = multiplicative && binValues(multiplicative);
  const a = additive && binValues(additive);
  const events = m ? await filtered(list, (place, row) => m.at(place, row) > 0, { signal }) : list;
  if (events.rows.length === 0)
    throw new OptionError('There are no events', { key: 'events', expected: 'at least one', found: 0 });
  const views = orderedSubsets(layout.views, subsets);
  const image: LinearOperator[] = [];
  if (psf !== undefined && psf !== 0) image.push(engine.gaussianPsf(grid, psf));
  if (mask) image.push(diagonal(mask));
  const projectors = views.map((own) => engine.eventProjector(events, own, grid));
  const one = ones([Math.max(...projectors.map(({ outShape }) => outShape[0]!))]).data;
  const made: ListModeSubset[] = [];
  for (const [k, projector] of projectors.entries()) {
    const background = array(projector.outShape);
    if (a) forEachEvent(events, views[k]!, (place, row, i) => (background.data[i] = a.at(place, row)));
    await turn(signal);
    const all = await sensitivityOf(engine, layout, views[k]!, grid, m, a, signal);
    let { sensitivity } = all;
    for (const operator of image) sensitivity = await operator.adjoint(sensitivity, { signal });
    made.push({
      model: compose(projector, ...image),
      prompts: array(projector.outShape, one.subarray(0, background.data.length)),
      background,
      sensitivity: significant(sensitivity),
      backgroundOfAllBins: all.background,
    });
    onProgress(made.length / subsets);
  }
  return made;
}

/** Σ ȳ over all bins: how many events the image expects. */
export function expectedEvents(subsets: readonly ListModeSubset[], x: Volume): number {
  return subsets.reduce((sum, { sensitivity, backgroundOfAllBins }) => sum + dot(sensitivity, x) + backgroundOfAllBins, 0);
}

/** Aᵀ m and Σ m a over all bins of the views, some views at a time. */
async function sensitivityOf(
  engine: ProjectorEngine,
  layout: SinogramLayout,
  views: readonly number[],
  grid: Grid,
  m: BinValues | undefined,
  a: BinValues | undefined,
  signal: AbortSignal | undefined,
): Promise<{ sensitivity: Volume; background: number }> {
  const sensitivity = array(grid.shape);
  let background = 0;
  const atATime = Math.max(1, Math.floor(binsAtATime / size(sinogramShape(layout, 1))));
  for (let from = 0; from < views.length; from += atATime) {
    const some = views.slice(from, from + atATime);
    const { factors, total } = await factorsOf(layout, some, m, a, signal);
    const back = await engine.sinogramProjector(layout, some, grid).adjoint(factors, { signal });
    for (let i = 0; i < back.data.length; i++) sensitivity.data[i]! += back.data[i]!;
    background += total;
  }
  return { sensitivity, background };
}

/** m of all bins of the views, and Σ m a. */
async function factorsOf(
  layout: SinogramLayout,
  views: readonly number[],
  m: BinValues | undefined,
  a: BinValues | undefined,
  signal: AbortSignal | undefined,
): Promise<{ factors: NdArray; total: number }> {
  const [tofBins, planes, , tangential] = sinogramShape(layout);
  const factors = fill(sinogramShape(layout, views.length), () => 1);
  let total = 0;
  for (let tof = 0, i = 0, next = perTurn; (m || a) && tof < tofBins; tof++) {
    for (let plane = 0; plane < planes; plane++) {
      const row = plane * tofBins + tof;
      for (const view of views) {
        for (let place = view * tangential; place < (view + 1) * tangential; place++, i++) {
          const factor = m ? m.at(place, row) : 1;
          factors.data[i] = factor;
          if (a) total += factor * a.at(place, row);
        }
      }
      if (i > next) {
        next = i + perTurn;
        await turn(signal);
      }
    }
  }
  return { factors, total };
}

function allViews({ views }: SinogramLayout): number[] {
  return Array.from({ length: views }, (_, view) => view);
}
