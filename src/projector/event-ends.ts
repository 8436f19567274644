/** @file  The lines of listed events one by one, in double, for engines that have nothing better for them and for looking at a few. */
import type { EventList } from '../geometry/event-list.js';
import { axialLines, type Lines, transaxialLines } from '../geometry/lines.js';
import { tofCentres, tofLengths } from '../geometry/tof.js';
import type { EndPoints, LineTof } from './joseph.js';

export interface EventEnds {
  /** Number of events before each place of the views (views[k] · tangential + index is number k · tangential + index), and in all. */
  readonly before: Uint32Array;
  endsOf(event: number): EndPoints;
  /** Middle of the event's bin of time of flight, mm from the middle of its line towards its end. */
  centreOf(event: number): number;
}

/** The events in these views, numbered in the order of the views and of the list. */
export function eventEnds({ layout, offsets, rows }: EventList, views: readonly number[]): EventEnds {
  const { tofBins, tangential } = layout;
  const across = transaxialLines(layout, views);
  const axial = axialLines(layout);
  const centres = tofBins > 1 ? tofCentres(layout) : new Float64Array(1);
  const before = new Uint32Array(views.length * tangential + 1);
  views.forEach((view, k) => {
    for (let t = 0, place = view * tangential, at = k * tangential; t < tangential; t++, place++, at++) {
      before[at + 1] = before[at]! + offsets[place + 1]! - offsets[place]!;
    }
  });
  /** Number of the place among the views, and row. */
  const binOf = (event: number): [place: number, row: number] => {
    let [low, high] = [0, before.length - 1];
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (before[middle]! <= event) low = middle;
      else high = middle;
    }
    const first = offsets[views[Math.floor(low / tangential)]! * tangential + (low % tangential)]!;
    return [low, rows[first + event - before[low]!]!];
  };
  return {
    before,
    endsOf(event: number): EndPoints {
      const [place, row] = binOf(event);
      const plane = 2 * Math.floor(row / tofBins);
      const at = 4 * place;
      return [axial[plane]!, across[at + 1]!, across[at]!, axial[plane + 1]!, across[at + 3]!, across[at + 2]!];
    },
    centreOf: (event) => centres[binOf(event)[1] % tofBins]!,
  };
}

/**
 * The same as general lines, 24 bytes each, 28 with time of flight.
 * @throws GeometryError for TOF bins of a scanner whose time of flight is not known.
 */
export function eventLines(
  list: EventList,
  views: readonly number[],
): { readonly lines: Lines; readonly tof?: LineTof | undefined } {
  const { before, endsOf, centreOf } = eventEnds(list, views);
  const count = before.at(-1)!;
  const lines = { start: new Float32Array(3 * count), end: new Float32Array(3 * count) };
  for (let i = 0; i < count; i++) {
    const ends = endsOf(i);
    lines.start.set(ends.slice(0, 3), 3 * i);
    lines.end.set(ends.slice(3), 3 * i);
  }
  if (list.layout.tofBins === 1) return { lines };
  const centre = Float32Array.from({ length: count }, (_, i) => centreOf(i));
  return { lines, tof: { ...tofLengths(list.layout), centre } };
}
