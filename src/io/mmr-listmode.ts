/** @file  Siemens mMR list mode, 32-bit words, little-endian:
 *    bit 31 = 0                 event: bit 30 = 1 prompt, 0 delayed; bits 0–29 address
 *    bit 31 = 1, 30–29 = 0      time tag: bits 0–28 milliseconds
 *    bit 31 = 1, otherwise      other tag, skipped
 *  address = (sinogram · 252 + view) · 344 + tangential index. Sinograms run through ring differences 0, −1, +1, −2, +2, … −60, +60,
 *  axial position fastest, whatever segment table the header gives. Layout as in STIR's CListRecordECAT8_32bit; confirmed on data: no
 *  event touches a gap crystal. */
import { array, size } from '../core/array.js';
import { FormatError, GeometryError, OptionError } from '../core/errors.js';
import { type CallOptions, turn } from '../core/iterate.js';
import { detectorsOf, planeOfRings } from '../geometry/bins.js';
import type { CoincidenceEvents } from '../geometry/events.js';
import { firstTangential, type Sinogram, type SinogramLayout, sinogramShape, viewMash } from '../geometry/sinogram.js';
import { findNumber, integerOf, parseInterfile, textOf, wordOf } from './interfile.js';
import { type Exam, readExam } from './interfile-exam.js';

const rings = 64;
const views = 252;
const tangential = 344;
const maxDifference = 60;
const perSinogram = views * tangential;

export interface MmrListModeHeader {
  /** Name of the data file, relative to the header. */
  readonly dataFile: string;
  /** Bytes before the first word. */
  readonly offset: number;
  /** Words of the whole acquisition; the file may hold a part of it. */
  readonly words?: number | undefined;
  readonly exam: Exam;
}

/**
 * Reads the header of an mMR list-mode file (Siemens Interfile).
 * @throws FormatError naming the key in which it is another scanner or another format.
 */
export function readMmrListModeHeader(text: string | Uint8Array, file: string): MmrListModeHeader {
  const header = parseInterfile(text, file, { requireEnd: false });
  wordOf(header, 'data format', ['CoincidenceList']);
  for (const [key, expected] of [
    ['LM event and tag words format (bits)', 32],
    ['number of rings', rings],
    ['number of projections', tangential],
    ['number of views', views],
    ['axial compression', 1],
    ['maximum ring difference', maxDifference],
  ] as const) {
    const found = integerOf(header, key);
    if (found !== expected) {
      throw new FormatError('Not 32-bit list mode of the Siemens mMR', { file, key, expected: String(expected), found });
    }
  }
  return {
    dataFile: textOf(header, 'name of data file'),
    offset: integerOf(header, 'data offset in bytes [1]', { low: 0, high: Number.MAX_SAFE_INTEGER, absent: 0 }),
    words: findNumber(header, 'total listmode word counts'),
    exam: readExam(header),
  };
}

export interface MmrBin {
  /** Ring difference, ring2 − ring1: the segment of span 1. */
  readonly segment: number;
  readonly axial: number;
  readonly ring1: number;
  readonly ring2: number;
  readonly view: number;
  /** Tangential position, −172 … 171. */
  readonly t: number;
}

/** [segment, axial] of every sinogram. */
const sinograms: readonly (readonly [segment: number, axial: number])[] = Array.from(
  { length: 2 * maxDifference + 1 },
  (_, i) => (i % 2 === 0 ? i / 2 : -(i + 1) / 2), // 0, −1, +1, −2, +2, …
).flatMap((segment) => Array.from({ length: rings - Math.abs(segment) }, (_, axial) => [segment, axial] as const));

/** The bin of an address below 4084 · 252 · 344. */
export function mmrBin(address: number): MmrBin {
  const [segment, axial] = sinograms[Math.floor(address / perSinogram)]!;
  return {
    segment,
    axial,
    ...ringsOf(segment, axial),
    view: Math.floor(address / tangential) % views,
    t: (address % tangential) - tangential / 2,
  };
}

function ringsOf(segment: number, axial: number): { ring1: number; ring2: number } {
  return { ring1: axial + Math.max(0, -segment), ring2: axial + Math.max(0, segment) };
}

export interface MmrEventOptions extends CallOptions {
  /** @default 'prompts' */
  readonly kind?: 'prompts' | 'delayeds' | undefined;
  /** From … until, s, in the time of the file; the end is not included. @default all */
  readonly frame?: readonly [from: number, until: number] | undefined;
  /** Name of the data file, for messages. @default 'list mode' */
  readonly file?: string | undefined;
}

/** Words decoded between two turns of the event loop. */
const wordsPerTurn = 2 ** 18;

/**
 * Events as detector pairs, in the order of the file, some at a time. Events before the first time tag belong to 0 s.
 * @param words the whole file after its header's offset
 * @throws FormatError when a word is cut or an address cannot be.
 * @throws OptionError when the frame ends before it starts.
 */
export async function* mmrEvents(
  words: Uint32Array | Uint8Array,
  { kind = 'prompts', frame = [0, Number.POSITIVE_INFINITY], signal, file = 'list mode' }: MmrEventOptions = {},
): AsyncGenerator<CoincidenceEvents> {
  const list = words instanceof Uint32Array ? words : asWords(words, file);
  const [from, until] = milliseconds(frame);
  const wanted = kind === 'prompts' ? 1 : 0;
  let time = 0;
  for (let start = 0; start < list.length; start += wordsPerTurn) {
    await turn(signal);
    const rows: number[] = [];
    for (let i = start; i < Math.min(list.length, start + wordsPerTurn); i++) {
      const word = list[i]!;
      if (word >= 0x80000000) {
        if ((word & 0x60000000) === 0) time = word & 0x1fffffff;
        continue;
      }
      if (time < from || time >= until || word >>> 30 !== wanted) continue;
      const address = word & 0x3fffffff;
      if (address >= sinograms.length * perSinogram) throw badAddress(address, i, file);
      rows.push(address);
    }
    const pairs = rows.map(mmrBin).map(({ ring1, ring2, view, t }) => ({ ring1, ring2, ...detectorsOf(2 * views, view, t) }));
    const field = (key: 'ring1' | 'ring2' | 'detector1' | 'detector2') => Uint16Array.from(pairs, (pair) => pair[key]);
    yield { ring1: field('ring1'), detector1: field('detector1'), ring2: field('ring2'), detector2: field('detector2') };
  }
}

function milliseconds(frame: readonly [from: number, until: number]): [from: number, until: number] {
  if (!(frame[0] >= 0 && frame[1] > frame[0])) {
    throw new OptionError('Frame', { key: 'frame', expected: '0 ≤ from < until, s', found: [...frame] });
  }
  return [Math.round(frame[0] * 1000), Math.round(frame[1] * 1000)];
}

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
  { frame = [0, Number.POSITIVE_INFINITY], signal, onProgress, file = 'list mode' }: HistogramOptions = {},
): Promise<Histogram> {
  const list = words instanceof Uint32Array ? words : asWords(words, file);
  const [from, until] = milliseconds(frame);
  checkLayout(layout);
  // Bin = row of the sinogram + place of the address within it; −1 where the layout has none.
  const rowOf = rowTable(layout);
  const placeOf = placeTable(layout);
  const prompts = new Float32Array(size(sinogramShape(layout)));
  const delayeds = new Float32Array(prompts.length);
  const perSinogramCounts = [new Uint32Array(sinograms.length), new Uint32Array(sinograms.length)] as const;
  const kept: [delayeds: number, prompts: number] = [0, 0];
  let time = 0;
  let firstTime = -1;
  for (let i = 0; i < list.length; i++) {
    if (i % 2 ** 20 === 0) {
      await turn(signal);
      if (i > 0) onProgress?.(i / list.length);
    }
    const word = list[i]!;
    if (word >= 0x80000000) {
      if ((word & 0x60000000) === 0) {
        time = word & 0x1fffffff;
        if (firstTime < 0) firstTime = time;
      }
      continue;
    }
    if (time < from || time >= until) continue;
    const prompt = (word >>> 30) as 0 | 1;
    const address = word & 0x3fffffff;
    const sinogram = Math.floor(address / perSinogram);
    if (sinogram >= sinograms.length) throw badAddress(address, i, file);
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
    duration: Math.max(0, Math.min(until, time) - Math.max(from, firstTime, 0)) / 1000,
  };
}

function asWords(bytes: Uint8Array, file: string): Uint32Array {
  if (bytes.length % 4 !== 0) {
    throw new FormatError('The last word is cut', {
      file,
      key: 'length',
      expected: 'a multiple of 4 bytes',
      found: bytes.length,
    });
  }
  if (new Uint8Array(Uint16Array.of(1).buffer)[0] === 1 && bytes.byteOffset % 4 === 0) {
    return new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Uint32Array.from({ length: bytes.length / 4 }, (_, i) => view.getUint32(4 * i, true));
}

function badAddress(address: number, word: number, file: string): FormatError {
  return new FormatError(`The event in word ${word} lies outside the scanner`, {
    file,
    key: 'address',
    expected: `below ${sinograms.length * perSinogram}`,
    found: address,
    hint: 'Is it 32-bit list mode of the Siemens mMR, little-endian, read from the right offset?',
  });
}

function checkLayout({ scanner, arcCorrected, tofBins, tilt }: SinogramLayout): void {
  const fail = (key: string, expected: string, found: unknown): never => {
    throw new GeometryError('mMR list mode cannot be sorted into this layout', { key, expected, found });
  };
  if (scanner.rings !== rings || scanner.detectorsPerRing !== 2 * views) {
    fail('scanner', `${rings} rings of ${2 * views} detectors`, `${scanner.rings} of ${scanner.detectorsPerRing}`);
  }
  if (arcCorrected) fail('arcCorrected', 'data that are not', true);
  if (tofBins !== 1) fail('tofBins', '1', tofBins);
  if (tilt !== 0) fail('tilt', '0', tilt);
}

/** First bin of the plane that each span-1 sinogram goes to. */
function rowTable(layout: SinogramLayout): Float64Array {
  const planes = planeOfRings(layout);
  return Float64Array.from(sinograms, ([segment, axial]) => {
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
  sinograms.forEach(([segment], i) => {
    const counts = out.get(segment)!;
    counts.prompts += prompts[i]!;
    counts.delayeds += delayeds[i]!;
  });
  return out;
}
