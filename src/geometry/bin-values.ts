/** @file  Values of bins that need not be held in memory: what list mode knows of bins without events. */
import { array } from '../core/array.js';
import { type CallOptions, turn } from '../core/iterate.js';
import { flatBin } from './events.js';
import { type Sinogram, type SinogramLayout, sinogramShape } from './sinogram.js';

/** Planes between two turns of the event loop. */
const planesPerTurn = 32;

export interface BinValues {
  readonly layout: SinogramLayout;
  /** @param place view · tangential positions + tangential index. @param row plane · TOF bins + TOF bin. */
  at(place: number, row: number): number;
}

/** The values of a sinogram. */
export function binValues(term: Sinogram | BinValues): BinValues {
  if ('at' in term) return term;
  const { layout, values } = term;
  return { layout, at: (place, row) => values.data[flatBin(layout, place, row)]! };
}

/** ofPlane[plane] · ofPlace[view · tangential positions + tangential index], the same in all bins of time of flight. */
export function separable(layout: SinogramLayout, ofPlane: ArrayLike<number>, ofPlace: ArrayLike<number>): BinValues {
  const { tofBins } = layout;
  return { layout, at: (place, row) => ofPlane[tofBins === 1 ? row : Math.floor(row / tofBins)]! * ofPlace[place]! };
}

/** a / b, 0 where b is not positive. */
export function quotient(a: BinValues, b: BinValues): BinValues {
  const at = (place: number, row: number): number => {
    const divisor = b.at(place, row);
    return divisor > 0 ? a.at(place, row) / divisor : 0;
  };
  return { layout: a.layout, at };
}

/** The values of all bins, shape [tof, plane, view, tangential]. */
export async function filledBins({ layout, at }: BinValues, { signal }: CallOptions = {}): Promise<Sinogram> {
  const shape = sinogramShape(layout);
  const [tofBins, planes, views, tangential] = shape;
  const values = array(shape);
  for (let tof = 0, i = 0; tof < tofBins; tof++) {
    for (let plane = 0; plane < planes; plane++) {
      for (let place = 0; place < views * tangential; place++) values.data[i++] = at(place, plane * tofBins + tof);
      if (plane % planesPerTurn === 0) await turn(signal);
    }
  }
  return { layout, values };
}
