/** @file  List mode: the model of single events, y ~ Poisson(m ⊙ (A x + a)) seen event by event. With e the bin of event e,
 *    Aᵀ(y/ȳ) = Σ_bins A_b y_b/ȳ_b = Σ_events A_e · 1/ȳ_e,
 *  so that every event is a bin of its own that holds one count, and only the sensitivity Aᵀ1 needs all bins. The same OSEM does both.
 *  Huesman et al. 2000, doi:10.1109/42.845179. */
import { array, fill, type NdArray } from '../core/array.js';
import { OptionError } from '../core/errors.js';
import type { Grid } from '../core/image.js';
import type { LinearOperator, PoissonSubset } from '../core/interfaces.js';
import { type CallOptions, turn } from '../core/iterate.js';
import { binsOfEvents, type CoincidenceEvents } from '../geometry/events.js';
import { axialLines, transaxialLines } from '../geometry/lines.js';
import type { Scan } from '../geometry/scan.js';
import { gatherViews, type Sinogram, type SinogramLayout, sinogramShape } from '../geometry/sinogram.js';
import { orderedSubsets } from '../geometry/subsets.js';
import { tofCentres, tofLengths } from '../geometry/tof.js';
import { compose, diagonal, ones } from './compose.js';
import type { ProjectorEngine } from './engine.js';
import type { SystemModelOptions } from './system-model.js';

/** Events by their bins. */
export interface ListMode {
  readonly layout: SinogramLayout;
  /** Flat bin of each event, in the order [view][tangential][plane][tof]: by direction, then by place across it, then along z. Neighbours
   *  in the list see the same columns of the image, which is what makes projecting them fast. */
  readonly bins: Float64Array;
  /** Events that the layout does not hold. */
  readonly outside: number;
  /** Share of the layout's bins that hold events. */
  readonly occupancy: number;
  /** What should be known of these data; says so where histogramming would be faster. */
  readonly note?: string | undefined;
}

/** Above this share of occupied bins a sinogram is faster. */
const crowded = 0.1;
/** Events between two turns of the event loop. */
const perTurn = 2 ** 18;

/**
 * Sorts events, once for a scan.
 * @throws GeometryError when the layout is arc-corrected, or has time of flight and the events have not.
 */
export async function listMode(
  layout: SinogramLayout,
  events: AsyncIterable<CoincidenceEvents> | Iterable<CoincidenceEvents>,
  { signal }: CallOptions = {},
): Promise<ListMode> {
  const [tofBins, planes, views, tangential] = sinogramShape(layout);
  const perPlane = views * tangential;
  const pieces: Float64Array[] = [];
  const counts = new Uint32Array(perPlane + 1);
  let outside = 0;
  for await (const piece of events) {
    const bins = binsOfEvents(layout, piece).filter((bin) => bin >= 0);
    outside += piece.ring1.length - bins.length;
    for (const bin of bins) counts[(bin % perPlane) + 1]!++;
    pieces.push(bins);
    await turn(signal);
  }
  // Counting sort by (view, tangential), then each group by its planes.
  for (let i = 0; i < perPlane; i++) counts[i + 1]! += counts[i]!;
  const next = counts.slice();
  const sorted = new Float64Array(counts[perPlane]!);
  for (const bins of pieces) {
    for (const bin of bins) sorted[next[bin % perPlane]!++] = bin;
    await turn(signal);
  }
  const planeThenTof = (bin: number): number => {
    const row = Math.floor(bin / perPlane);
    return (row % planes) * tofBins + Math.floor(row / planes);
  };
  let distinct = 0;
  for (let place = 0, done = 0; place < perPlane; place++) {
    const group = sorted.subarray(counts[place], counts[place + 1]);
    group.sort((a, b) => planeThenTof(a) - planeThenTof(b));
    for (let i = 0; i < group.length; i++) if (i === 0 || group[i] !== group[i - 1]) distinct++;
    if ((done += group.length) > perTurn) {
      done = 0;
      await turn(signal);
    }
  }
  const occupancy = distinct / (tofBins * planes * perPlane);
  const note =
    occupancy > crowded
      ? `${Math.round(100 * occupancy)} % of the bins hold events: a histogram of them (a sinogram) is reconstructed faster.`
      : undefined;
  return { layout, bins: sorted, outside, occupancy, note };
}

/**
 * Line integrals along the lines of the events, outShape [events]; with time of flight, the part in the event's bin.
 * @throws GeometryError when the layout's scanner lacks the time of flight that the layout has.
 */
export function listModeProjector(
  engine: ProjectorEngine,
  { layout, bins }: Pick<ListMode, 'layout' | 'bins'>,
  grid: Grid,
): LinearOperator {
  const [tofBins, planes, views, tangential] = sinogramShape(layout);
  const perPlane = views * tangential;
  const transaxial = transaxialLines(
    layout,
    Array.from({ length: views }, (_, view) => view),
  );
  const axial = axialLines(layout);
  const start = new Float32Array(3 * bins.length);
  const end = new Float32Array(3 * bins.length);
  bins.forEach((bin, i) => {
    const plane = 2 * (Math.floor(bin / perPlane) % planes);
    const place = 4 * (bin % perPlane);
    start[3 * i] = axial[plane]!;
    start[3 * i + 1] = transaxial[place + 1]!;
    start[3 * i + 2] = transaxial[place]!;
    end[3 * i] = axial[plane + 1]!;
    end[3 * i + 1] = transaxial[place + 3]!;
    end[3 * i + 2] = transaxial[place + 2]!;
  });
  if (tofBins === 1) return engine.lineProjector({ start, end }, grid);
  const middles = tofCentres(layout);
  const centre = Float32Array.from(bins, (bin) => middles[Math.floor(bin / (perPlane * planes))]!);
  return engine.lineProjector({ start, end }, grid, { ...tofLengths(layout), centre });
}

/** What is known of the scan beside its events; sinograms of the same layout. */
export type ListModeTerms = Pick<Scan, 'multiplicative' | 'additive'>;

/**
 * The model of the events as ordered subsets of views, for `osem` and its like. Prompts are ones; the sensitivity is that of all bins.
 * What sums over all bins, such as the deviance, needs the histogram.
 * @throws OptionError when there are more subsets than views; GeometryError when the engine cannot project the layout.
 */
export async function listModeModel(
  { layout, bins }: ListMode,
  { multiplicative, additive }: ListModeTerms,
  engine: ProjectorEngine,
  grid: Grid,
  { subsets = 1, psf, signal, onProgress = () => {} }: SystemModelOptions = {},
): Promise<PoissonSubset[]> {
  if (bins.length === 0) throw new OptionError('There are no events', { key: 'bins', expected: 'at least one', found: 0 });
  const resolution = psf === undefined || psf === 0 ? undefined : engine.gaussianPsf(grid, psf);
  const seen = (operator: LinearOperator, weights: NdArray | undefined): LinearOperator => {
    const blurred = resolution ? compose(operator, resolution) : operator;
    return weights ? compose(diagonal(weights), blurred) : blurred;
  };
  const made: PoissonSubset[] = [];
  for (const views of orderedSubsets(layout.views, subsets)) {
    const own = new Set(views);
    const part = bins.filter((bin) => own.has(Math.floor(bin / layout.tangential) % layout.views));
    const factors = multiplicative && pick(multiplicative, part);
    const a = additive ? pick(additive, part) : array([part.length]);
    const all = seen(engine.sinogramProjector(layout, views, grid), multiplicative && gatherViews(multiplicative, views));
    made.push({
      model: seen(listModeProjector(engine, { layout, bins: part }, grid), factors),
      prompts: ones([part.length]),
      background: factors ? fill([part.length], (i) => factors.data[i]! * a.data[i]!) : a,
      sensitivity: await all.adjoint(ones(all.outShape), { signal }),
    });
    onProgress(made.length / subsets);
  }
  return made;
}

/** Values of a sinogram at the events' bins. */
function pick({ values }: Sinogram, bins: Float64Array): NdArray {
  return fill([bins.length], (i) => values.data[bins[i]!]!);
}
