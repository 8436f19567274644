/** @file  List mode kept compactly: events grouped by their place across the scanner and sorted along it, 2 or 4 bytes each. Neighbours in
 *  the list see the same columns of the image, which is what makes projecting them fast. */
import { type CallOptions, turn } from '../core/iterate.js';
import { type CoincidenceEvents, eventBinner, flatBin } from './events.js';
import { type SinogramLayout, sinogramShape } from './sinogram.js';

/** Events by their bins: by view, by tangential position, by plane, by bin of time of flight. */
export interface EventList {
  readonly layout: SinogramLayout;
  /** Events at place p (view · tangential positions + tangential index) are numbers offsets[p] … offsets[p + 1] − 1. */
  readonly offsets: Uint32Array;
  /** plane · TOF bins + TOF bin of each event. */
  readonly rows: Uint16Array | Uint32Array;
}

export interface ListMode extends EventList {
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
  const places = views * tangential;
  const Rows = planes * tofBins <= 2 ** 16 ? Uint16Array : Uint32Array;
  const binner = eventBinner(layout);
  const pieces: { readonly places: Int32Array; readonly rows: Uint16Array | Uint32Array }[] = [];
  const offsets = new Uint32Array(places + 1);
  let outside = 0;
  for await (const piece of events) {
    const bins = binner(piece);
    for (const place of bins.places) {
      if (place < 0) outside++;
      else offsets[place + 1]!++;
    }
    pieces.push({ places: bins.places, rows: Rows.from(bins.rows) });
    await turn(signal);
  }
  for (let place = 0; place < places; place++) offsets[place + 1]! += offsets[place]!;
  const next = offsets.slice();
  const rows = new Rows(offsets[places]!);
  for (let piece = pieces.shift(); piece; piece = pieces.shift()) {
    for (let i = 0; i < piece.places.length; i++) {
      const place = piece.places[i]!;
      if (place >= 0) rows[next[place]!++] = piece.rows[i]!;
    }
    await turn(signal);
  }
  let distinct = 0;
  for (let place = 0, done = 0; place < places; place++) {
    const group = rows.subarray(offsets[place], offsets[place + 1]).sort();
    for (let i = 0; i < group.length; i++) if (i === 0 || group[i] !== group[i - 1]) distinct++;
    if ((done += group.length + 1) > perTurn) {
      done = 0;
      await turn(signal);
    }
  }
  const occupancy = distinct / (tofBins * planes * places);
  const note =
    occupancy > crowded
      ? `${Math.round(100 * occupancy)} % of the bins hold events: a histogram of them (a sinogram) is reconstructed faster.`
      : undefined;
  return { layout, offsets, rows, outside, occupancy, note };
}

/** Calls `visit` for the events of these views, in the order of the views and of the list. */
export function forEachEvent(
  { layout: { tangential }, offsets, rows }: EventList,
  views: readonly number[],
  visit: (place: number, row: number, index: number) => void,
): void {
  let index = 0;
  for (const view of views) {
    for (let place = view * tangential; place < (view + 1) * tangential; place++) {
      for (let i = offsets[place]!; i < offsets[place + 1]!; i++) visit(place, rows[i]!, index++);
    }
  }
}

/** Flat index of every event's bin in data of shape `sinogramShape(layout)`, in the order of the list. */
export function listedBins(list: EventList): Float64Array {
  const bins = new Float64Array(list.rows.length);
  const views = Array.from({ length: list.layout.views }, (_, view) => view);
  forEachEvent(list, views, (place, row, i) => {
    bins[i] = flatBin(list.layout, place, row);
  });
  return bins;
}

/** The events for which `keep` holds. */
export async function filtered(
  list: EventList,
  keep: (place: number, row: number) => boolean,
  { signal }: CallOptions = {},
): Promise<EventList> {
  const { layout, offsets, rows } = list;
  const left = new Uint32Array(offsets.length);
  const kept = rows.slice();
  let next = 0;
  for (let place = 0, done = 0; place < offsets.length - 1; place++) {
    if (offsets[place]! - done > perTurn) {
      done = offsets[place]!;
      await turn(signal);
    }
    for (let i = offsets[place]!; i < offsets[place + 1]!; i++) if (keep(place, rows[i]!)) kept[next++] = rows[i]!;
    left[place + 1] = next;
  }
  return next === rows.length ? list : { layout, offsets: left, rows: kept.slice(0, next) };
}
