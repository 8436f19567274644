/** @file  Values of bins that need not be held in memory: what list mode knows of bins without events. */
import { array, type NdArray } from '../core/array.js';
import { flatBin } from './events.js';
import { type Sinogram, type SinogramLayout, sinogramShape } from './sinogram.js';

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

/** The values of all bins of these views, shape [tof, plane, view, tangential]. @default views all */
export function filledBins(values: BinValues, views?: readonly number[]): NdArray {
  const { layout } = values;
  const shape = sinogramShape(layout, views?.length);
  const [tofBins, planes, count, tangential] = shape;
  const out = array(shape);
  for (let tof = 0, i = 0; tof < tofBins; tof++) {
    for (let plane = 0; plane < planes; plane++) {
      for (let k = 0; k < count; k++) {
        const first = (views ? views[k]! : k) * tangential;
        for (let t = 0; t < tangential; t++) out.data[i++] = values.at(first + t, plane * tofBins + tof);
      }
    }
  }
  return out;
}
