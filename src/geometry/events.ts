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

/**
 * Flat index of each event's bin in data of shape `sinogramShape(layout)`; −1 for those the layout does not hold.
 * @throws GeometryError when the layout is arc-corrected, or has time of flight and the events have not.
 */
export function binsOfEvents(layout: SinogramLayout, events: CoincidenceEvents): Float64Array {
  const { scanner, arcCorrected, tofMash } = layout;
  const fail = (key: string, expected: string, found: unknown): never => {
    throw new GeometryError('Events cannot be sorted into this layout', { key, expected, found });
  };
  if (arcCorrected) fail('arcCorrected', 'data that are not', true);
  if (layout.tofBins > 1 && !events.tof) fail('tof', 'events with time of flight', 'none');
  const [tofBins, planes, views, tangential] = sinogramShape(layout);
  const plane = planeOfRings(layout);
  const mash = viewMash(layout);
  const unmashed = tofBins * tofMash;
  return Float64Array.from(events.ring1, (_, i) => {
    const [c1, c2] = [events.detector1[i]!, events.detector2[i]!];
    const { view, t, swapped } = binOfDetectors(scanner.detectorsPerRing, c1, c2);
    const [r1, r2] = swapped ? [events.ring2[i]!, events.ring1[i]!] : [events.ring1[i]!, events.ring2[i]!];
    const p = r1 < scanner.rings && r2 < scanner.rings ? plane[r1 * scanner.rings + r2]! : -1;
    const index = t - firstTangential(layout);
    if (p < 0 || index < 0 || index >= tangential) return -1;
    let k = 0;
    if (tofBins > 1) {
      const fine = swapped ? unmashed - 1 - events.tof![i]! : events.tof![i]!;
      k = Math.floor(fine / tofMash);
      if (fine < 0 || k >= tofBins) return -1;
    }
    return ((k * planes + p) * views + Math.floor(view / mash)) * tangential + index;
  });
}
