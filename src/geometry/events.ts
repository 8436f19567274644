/** @file  Coincidences as list mode records them, and the bins of a layout that they belong to. */
import { GeometryError } from '../core/errors.js';
import { binOfDetectors, planeOfRings } from './bins.js';
import { firstTangential, type SinogramLayout, sinogramShape, viewMash } from './sinogram.js';

/** Detector pairs; element i of every array is event i. */
export interface CoincidenceEvents {
  readonly ring1: Uint16Array;
  readonly detector1: Uint16Array;
  readonly ring2: Uint16Array;
  readonly detector2: Uint16Array;
  /** Unmashed bin of time of flight, 0 … bins − 1, upwards towards detector 1. Needed where the layout has time of flight. */
  readonly tof?: Uint16Array | undefined;
}

/** The bins of events in two parts; element i is event i. */
export interface EventBins {
  /** Place across the scanner, view · tangential positions + tangential index; −1 for events that the layout does not hold. */
  readonly places: Int32Array;
  /** plane · TOF bins + TOF bin. */
  readonly rows: Uint32Array;
}

/**
 * Flat index of each event's bin in data of shape `sinogramShape(layout)`; −1 for those the layout does not hold.
 * @throws GeometryError when the layout is arc-corrected, or has time of flight and the events have not.
 */
export function binsOfEvents(layout: SinogramLayout, events: CoincidenceEvents): Float64Array {
  const { places, rows } = eventBinner(layout)(events);
  return Float64Array.from(places, (place, i) => (place < 0 ? -1 : flatBin(layout, place, rows[i]!)));
}

/** Flat index of a bin in data of shape `sinogramShape(layout)`. */
export function flatBin(layout: SinogramLayout, place: number, row: number): number {
  const [tofBins, planes, views, tangential] = sinogramShape(layout);
  return ((row % tofBins) * planes + Math.floor(row / tofBins)) * views * tangential + place;
}

/**
 * What finds the bins of events, piece by piece; made once for a layout, because it holds tables of all detector pairs.
 * @throws GeometryError when the layout is arc-corrected; what it returns, when the layout has time of flight and the events have not.
 */
export function eventBinner(layout: SinogramLayout): (events: CoincidenceEvents) => EventBins {
  const { tofBins, tofMash } = layout;
  const { rings, detectorsPerRing } = layout.scanner;
  const fail = (key: string, expected: string, found: unknown): never => {
    throw new GeometryError('Events cannot be sorted into this layout', { key, expected, found });
  };
  if (layout.arcCorrected) fail('arcCorrected', 'data that are not', true);
  const planes = planeOfRings(layout);
  const placeOf = placeOfDetectors(layout);
  return ({ ring1, detector1, ring2, detector2, tof }) => {
    if (tofBins > 1 && !tof) fail('tof', 'events with time of flight', 'none');
    const places = new Int32Array(ring1.length).fill(-1);
    const rows = new Uint32Array(ring1.length);
    for (let i = 0; i < places.length; i++) {
      const [a, b, r1, r2] = [detector1[i]!, detector2[i]!, ring1[i]!, ring2[i]!];
      if (a >= detectorsPerRing || b >= detectorsPerRing || r1 >= rings || r2 >= rings) continue;
      const code = placeOf[a * detectorsPerRing + b]!;
      const swapped = code & 1;
      const plane = swapped ? planes[r2 * rings + r1]! : planes[r1 * rings + r2]!;
      if (code < 0 || plane < 0) continue;
      let bin = 0;
      if (tofBins > 1) {
        const fine = swapped ? tofBins * tofMash - 1 - tof![i]! : tof![i]!;
        bin = Math.floor(fine / tofMash);
        if (bin < 0 || bin >= tofBins) continue;
      }
      places[i] = code >> 1;
      rows[i] = plane * tofBins + bin;
    }
    return { places, rows };
  };
}

/** 2 · place of each detector pair at [detector1 · detectors + detector2], + 1 where 1 and 2 changed places; −1 where no bin holds it. */
function placeOfDetectors(layout: SinogramLayout): Int32Array {
  const n = layout.scanner.detectorsPerRing;
  const mash = viewMash(layout);
  const table = new Int32Array(n * n);
  for (let a = 0, at = 0; a < n; a++) {
    for (let b = 0; b < n; b++, at++) {
      const { view, t, swapped } = binOfDetectors(n, a, b);
      const index = t - firstTangential(layout);
      const held = index >= 0 && index < layout.tangential;
      table[at] = held ? 2 * (Math.floor(view / mash) * layout.tangential + index) + Number(swapped) : -1;
    }
  }
  return table;
}
