/** @file  Siemens mMR list mode, 32-bit words, little-endian:
 *    bit 31 = 0                 event: bit 30 = 1 prompt, 0 delayed; bits 0–29 address
 *    bit 31 = 1, 30–29 = 0      time tag: bits 0–28 milliseconds
 *    bit 31 = 1, otherwise      other tag, skipped
 *  address = (sinogram · 252 + view) · 344 + tangential index. Sinograms run through ring differences 0, −1, +1, −2, +2, … −60, +60,
 *  axial position fastest, whatever segment table the header gives. Layout as in STIR's CListRecordECAT8_32bit; confirmed on data: no
 *  event touches a gap crystal. */
import { FormatError, GeometryError, OptionError } from '../core/errors.js';
import { type CallOptions, turn } from '../core/iterate.js';
import { detectorsOf } from '../geometry/bins.js';
import type { CoincidenceEvents } from '../geometry/events.js';
import type { SinogramLayout } from '../geometry/sinogram.js';
import { findNumber, findText, integerOf, parseInterfile, textOf, wordOf } from './interfile.js';
import { type Exam, readExam } from './interfile-exam.js';

/** The bins that addresses count. */
export const mmrSize = { rings: 64, views: 252, tangential: 344, maxDifference: 60 } as const;
const { rings, views, tangential, maxDifference } = mmrSize;
const perSinogram: number = views * tangential;

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
  if (findText(header, 'data format') === undefined) {
    throw new FormatError('This header is not that of list mode', {
      ...{ file, key: 'data format', expected: 'CoincidenceList', found: 'none' },
      hint: 'A header of sinograms (.hs) is reconstructed as it is: coincide recon.',
    });
  }
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
export const mmrSinograms: readonly (readonly [segment: number, axial: number])[] = Array.from(
  { length: 2 * maxDifference + 1 },
  (_, i) => (i % 2 === 0 ? i / 2 : -(i + 1) / 2), // 0, −1, +1, −2, +2, …
).flatMap((segment) => Array.from({ length: rings - Math.abs(segment) }, (_, axial) => [segment, axial] as const));

/** The bin of an address below 4084 · 252 · 344. */
export function mmrBin(address: number): MmrBin {
  const [segment, axial] = mmrSinograms[Math.floor(address / perSinogram)]!;
  return {
    segment,
    axial,
    ...ringsOf(segment, axial),
    view: Math.floor(address / tangential) % views,
    t: (address % tangential) - tangential / 2,
  };
}

/** Rings of a segment of span 1. */
export function ringsOf(segment: number, axial: number): { ring1: number; ring2: number } {
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
  { kind = 'prompts', frame, signal, file = 'list mode' }: MmrEventOptions = {},
): AsyncGenerator<CoincidenceEvents> {
  const list = mmrWords(words, file);
  const [from, until] = milliseconds(frame);
  const wanted = kind === 'prompts' ? 1 : 0;
  const ofSinogram = mmrSinograms.map(([segment, axial]) => ringsOf(segment, axial));
  const ofPlace = Array.from({ length: perSinogram }, (_, place) =>
    detectorsOf(2 * views, Math.floor(place / tangential), (place % tangential) - tangential / 2),
  );
  let time = 0;
  for (let start = 0; start < list.length; start += wordsPerTurn) {
    await turn(signal);
    const end = Math.min(list.length, start + wordsPerTurn);
    const [ring1, detector1, ring2, detector2] = [0, 1, 2, 3].map(() => new Uint16Array(end - start)) as FourArrays;
    let found = 0;
    for (let i = start; i < end; i++) {
      const word = list[i]!;
      if (word >= 0x80000000) {
        if ((word & 0x60000000) === 0) time = word & 0x1fffffff;
        continue;
      }
      if (time < from || time >= until || word >>> 30 !== wanted) continue;
      const address = word & 0x3fffffff;
      const sinogram = Math.floor(address / perSinogram);
      if (sinogram >= ofSinogram.length) throw badAddress(address, i, file);
      const pair = ofPlace[address - sinogram * perSinogram]!;
      ring1[found] = ofSinogram[sinogram]!.ring1;
      ring2[found] = ofSinogram[sinogram]!.ring2;
      detector1[found] = pair.detector1;
      detector2[found++] = pair.detector2;
    }
    const part = (all: Uint16Array): Uint16Array => all.subarray(0, found);
    yield { ring1: part(ring1), detector1: part(detector1), ring2: part(ring2), detector2: part(detector2) };
  }
}

type FourArrays = [Uint16Array, Uint16Array, Uint16Array, Uint16Array];

/** A frame in milliseconds. @default all */
export function milliseconds(
  frame: readonly [from: number, until: number] = [0, Number.POSITIVE_INFINITY],
): [from: number, until: number] {
  if (!(frame[0] >= 0 && frame[1] > frame[0])) {
    throw new OptionError('Frame', { key: 'frame', expected: '0 ≤ from < until, s', found: [...frame] });
  }
  return [Math.round(frame[0] * 1000), Math.round(frame[1] * 1000)];
}

/** Words of the file. @throws FormatError when the last one is cut. */
export function mmrWords(bytes: Uint32Array | Uint8Array, file: string): Uint32Array {
  if (bytes instanceof Uint32Array) return bytes;
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

export function badAddress(address: number, word: number, file: string): FormatError {
  return new FormatError(`The event in word ${word} lies outside the scanner`, {
    file,
    key: 'address',
    expected: `below ${mmrSinograms.length * perSinogram}`,
    found: address,
    hint: 'Is it 32-bit list mode of the Siemens mMR, little-endian, read from the right offset?',
  });
}

/** Part of the frame that the data cover, by their time tags, s. */
export function mmrDuration(words: Uint32Array, frame?: readonly [from: number, until: number]): number {
  const [from, until] = milliseconds(frame);
  const isTime = (word: number): boolean => word >= 0x80000000 && (word & 0x60000000) === 0;
  const first = words.find(isTime);
  const last = words.findLast(isTime);
  if (first === undefined || last === undefined) return 0;
  return Math.max(0, Math.min(until, last & 0x1fffffff) - Math.max(from, first & 0x1fffffff)) / 1000;
}

/** @throws GeometryError when the layout is not of the mMR, or is arc-corrected. */
export function checkMmrLayout({ scanner, arcCorrected, tofBins, tilt }: SinogramLayout): void {
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
