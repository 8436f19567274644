/** @file  Siemens mMR list mode sorted into sinograms of prompts and of delayeds. */
import { array, size } from '../core/array.js';
import { type CallOptions, turn } from '../core/iterate.js';
import { planeOfRings } from '../geometry/bins.js';
import { firstTangential, type Sinogram, type SinogramLayout, sinogramShape, viewMash } from '../geometry/sinogram.js';
import {
  badAddress,
  checkMmrLayout,
  milliseconds,
  mmrDuration,
  mmrSinograms,
  mmrSize,
  mmrWords,
  ringsOf,
} from './mmr-listmode.js';

const { rings, views, tangential, maxDifference } = mmrSize;
const perSinogram: number = views * tangential;

export interface HistogramOptions extends CallOptions {
  /** From … until, s, in the time of the file; the end is not included. @default all */
  readonly frame?: readonly [from: number, until: number] | undefined;
  /** Called now and then with the share of words done, in (0, 1]. */
  readonly onProgress?: ((fraction: number) => void) | undefined;
  /** Name of the data file, for messages. @default 'list mode' */
  readonly file?: string | undefined;
}
export interface Counts {
  readonly prompts: number;
  readonly delayeds: number;
}
export interface Histogram {
  readonly prompts: Sinogram;
  readonly delayeds: Sinogram;
  /** All in the frame, wherever they are. */
  readonly counts: Counts;
  /** Those that the layout holds. */
  readonly inLayout: Counts;
  /** All in the frame, by ring difference −60 … 60. */
  readonly perSegment: ReadonlyMap<number, Counts>;
  /** Part of the frame that the data cover, by their time tags, s. */
  readonly duration: number;
}

/**
 * Sorts events into sinograms. Span, largest ring difference, view mashing and tangential trimming are those of the layout; events
 * outside it are counted and left out. Events before the first time tag belong to 0 s.
 * @param words the whole file after its header's offset
 * @throws FormatError when a word is cut or an address cannot be.
 * @throws GeometryError when the layout is not of the mMR, or is arc-corrected.
 * @throws OptionError when the frame ends before it starts.
 */
export async function histogramMmr(
  words: Uint32Array | Uint8Array,
  layout: SinogramLayout,
  { frame, signal, onProgress, file = 'list mode' }: HistogramOptions = {},
): Promise<Histogram> {
  const list = mmrWords(words, file);
  const [from, until] = milliseconds(frame);
  checkMmrLayout(layout);
  // Bin = row of the sinogram + place of the address within it; −1 where the layout has none.
  const rowOf = rowTable(layout);
  const placeOf = placeTable(layout);
  const prompts = new Float32Array(size(sinogramShape(layout)));
  const delayeds = new Float32Array(prompts.length);
  const perSinogramCounts = [new Uint32Array(mmrSinograms.length), new Uint32Array(mmrSinograms.length)] as const;
  const kept: [delayeds: number, prompts: number] = [0, 0];
  let time = 0;
  for (let i = 0; i < list.length; i++) {
    if (i % 2 ** 20 === 0) {
      await turn(signal);
      if (i > 0) onProgress?.(i / list.length);
    }
    const word = list[i]!;
    if (word >= 0x80000000) {
      if ((word & 0x60000000) === 0) time = word & 0x1fffffff;
      continue;
    }
    if (time < from || time >= until) continue;
    const prompt = (word >>> 30) as 0 | 1;
    const address = word & 0x3fffffff;
    const sinogram = Math.floor(address / perSinogram);
    if (sinogram >= mmrSinograms.length) throw badAddress(address, i, file);
    perSinogramCounts[prompt][sinogram]!++;
    const row = rowOf[sinogram]!;
    const place = placeOf[address - sinogram * perSinogram]!;
    if (row < 0 || place < 0) continue;
    kept[prompt]++;
    (prompt === 1 ? prompts : delayeds)[row + place]!++;
  }
  onProgress?.(1);
  const shape = sinogramShape(layout);
  const perSegment = countsPerSegment(perSinogramCounts);
  const all = [...perSegment.values()];
  return {
    prompts: { layout, values: array(shape, prompts) },
    delayeds: { layout, values: array(shape, delayeds) },
    counts: { prompts: all.reduce((sum, c) => sum + c.prompts, 0), delayeds: all.reduce((sum, c) => sum + c.delayeds, 0) },
    inLayout: { prompts: kept[1], delayeds: kept[0] },
    perSegment,
    duration: mmrDuration(list, frame),
  };
}

/** First bin of the plane that each span-1 sinogram goes to. */
function rowTable(layout: SinogramLayout): Float64Array {
  const planes = planeOfRings(layout);
  return Float64Array.from(mmrSinograms, ([segment, axial]) => {
    const { ring1, ring2 } = ringsOf(segment, axial);
    const plane = planes[ring1 * rings + ring2]!;
    return plane < 0 ? -1 : plane * layout.views * layout.tangential;
  });
}

/** Place of [view][tangential] of the file within a plane of the layout. */
function placeTable(layout: SinogramLayout): Int32Array {
  const mash = viewMash(layout);
  const place = new Int32Array(perSinogram);
  for (let view = 0, at = 0; view < views; view++) {
    for (let index = 0; index < tangential; index++, at++) {
      const t = index - tangential / 2 - firstTangential(layout);
      place[at] = t >= 0 && t < layout.tangential ? Math.floor(view / mash) * layout.tangential + t : -1;
    }
  }
  return place;
}

function countsPerSegment([delayeds, prompts]: readonly [Uint32Array, Uint32Array]): Map<number, Counts> {
  const out = new Map<number, { prompts: number; delayeds: number }>();
  for (let segment = -maxDifference; segment <= maxDifference; segment++) out.set(segment, { prompts: 0, delayeds: 0 });
  mmrSinograms.forEach(([segment], i) => {
    const counts = out.get(segment)!;
    counts.prompts += prompts[i]!;
    counts.delayeds += delayeds[i]!;
  });
  return out;
}
