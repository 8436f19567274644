/** @file  A list-mode file as a scan whose events stay single: the prompts by their bins, and what is known of the bins without events. */
import { dirname, resolve } from 'node:path';
import { FormatError, OptionError } from '../core/errors.js';
import type { Unit } from '../core/image.js';
import type { CallOptions } from '../core/iterate.js';
import { type BinValues, binValues, quotient } from '../geometry/bin-values.js';
import { listMode } from '../geometry/event-list.js';
import { type CoincidenceEvents, eventBinner } from '../geometry/events.js';
import type { ListModeScan } from '../geometry/scan.js';
import { scannerByName } from '../geometry/scanners.js';
import { type LayoutOptions, type SinogramLayout, sinogramLayout, sinogramShape } from '../geometry/sinogram.js';
import {
  checkMmrLayout,
  type MmrListModeHeader,
  mmrDuration,
  mmrEvents,
  mmrWords,
  readMmrListModeHeader,
} from '../io/mmr-listmode.js';
import { type DelayedSums, fittedRandoms } from '../io/randoms.js';
import { readBytes } from './files.js';
import { detectionFactors, readTerms, readTermsLayout, type TermsFolder } from './scan-folder.js';

export interface ListModeOptions extends CallOptions {
  /** From … until, s, in the time of the file; the end is not included. @default all */
  readonly frame?: readonly [from: number, until: number] | undefined;
  /** Scan folder with the factors of this scan; its layout is that of the events. @default none */
  readonly factors?: string | undefined;
  /** Compression where there are no factors. @default span 1, ring differences up to 60 */
  readonly layout?: Pick<LayoutOptions, 'span' | 'maxRingDifference' | 'viewMash'> | undefined;
}

export interface ListModeFile {
  readonly scan: ListModeScan;
  /** Unit of the image that the calibration gives. */
  readonly unit: Unit;
  /** Part of the frame that the data cover, s. */
  readonly duration: number;
  /** Where the additive term comes from. */
  readonly additive: 'the scan folder' | 'delayeds' | 'none: there are no delayeds';
  readonly warnings: readonly string[];
}

/** The words of a list-mode file, and its header. */
export async function readMmrWords(header: string): Promise<{ header: MmrListModeHeader; words: Uint32Array; file: string }> {
  const bytes = await readBytes(header);
  const signature = Buffer.from(bytes.subarray(0, 32)).toString('latin1');
  if (/^\w+ CListModeData/.test(signature)) {
    throw new FormatError(`${signature.split(' ')[0]} list mode is not supported`, {
      file: header,
      expected: 'the header of 32-bit list mode of the Siemens mMR',
      hint: 'Histogram it with STIR, and give the folder with prompts.hs.',
    });
  }
  const parsed = readMmrListModeHeader(bytes, header);
  const file = resolve(dirname(header), parsed.dataFile);
  return { header: parsed, words: mmrWords((await readBytes(file)).subarray(parsed.offset), file), file };
}

/**
 * Reads Siemens mMR list mode by its header. Randoms come from the delayeds unless the scan folder has an additive term.
 * @throws FormatError, GeometryError naming file and key; OptionError when the frame ends before it starts.
 */
export async function readListMode(
  path: string,
  { frame, factors, layout: wanted, signal }: ListModeOptions = {},
): Promise<ListModeFile> {
  const terms: Partial<TermsFolder> = factors === undefined ? {} : await readTerms(factors);
  if (terms.layout && wanted && Object.values(wanted).some((value) => value !== undefined)) {
    throw new OptionError('The scan folder says how events are compressed', {
      key: 'layout',
      expected: 'nothing beside it',
      found: Object.entries(defined(wanted))
        .map((option) => option.join(' '))
        .join(', '),
    });
  }
  const layout = terms.layout ?? mmrLayout(wanted);
  checkMmrLayout(layout);
  const { header, words, file } = await readMmrWords(path);
  const events = (kind: 'prompts' | 'delayeds') => mmrEvents(words, { kind, frame, file, signal });
  const list = await listMode(layout, events('prompts'), { signal });
  if (list.rows.length === 0) {
    throw new FormatError('There are no prompts in this time frame and layout', {
      file,
      key: 'frame',
      found: frame ?? 'the whole file',
    });
  }
  const multiplicative: BinValues = terms.multiplicative ? binValues(terms.multiplicative) : detectionFactors(layout);
  const sums = terms.additive ? undefined : await delayedSums(layout, events('delayeds'));
  const none = sums?.ofPlane.every((n) => n === 0);
  const additive = sums ? quotient(await fittedRandoms(layout, sums, { signal }), multiplicative) : terms.additive;
  return {
    scan: { events: list, multiplicative, additive, position: header.exam.position ?? 'HFS' },
    unit: terms.unit ?? 'counts',
    duration: mmrDuration(words, frame),
    additive: terms.additive ? 'the scan folder' : none ? 'none: there are no delayeds' : 'delayeds',
    warnings: list.note === undefined ? [] : [`${list.note} Make one with coincide histogram.`],
  };
}

/** The layout that the events will have, and none of the data. @throws FormatError or GeometryError naming file and key. */
export async function listModeLayout({ factors, layout }: ListModeOptions): Promise<SinogramLayout> {
  return factors === undefined ? mmrLayout(layout) : readTermsLayout(factors);
}

function mmrLayout(wanted: ListModeOptions['layout']): SinogramLayout {
  return sinogramLayout(scannerByName('Siemens mMR'), { maxRingDifference: 60, ...defined(wanted) });
}

/** The options that are given. */
function defined<T extends object>(options: T | undefined): Partial<T> {
  return Object.fromEntries(Object.entries(options ?? {}).filter(([, value]) => value !== undefined)) as Partial<T>;
}

async function delayedSums(layout: SinogramLayout, events: AsyncIterable<CoincidenceEvents>): Promise<DelayedSums> {
  const [tofBins, planes, views, tangential] = sinogramShape(layout);
  const sums = { ofPlane: new Float64Array(planes), ofPlace: new Float64Array(views * tangential) };
  const binner = eventBinner(layout);
  for await (const piece of events) {
    const { places, rows } = binner(piece);
    places.forEach((place, i) => {
      if (place < 0) return;
      sums.ofPlane[Math.floor(rows[i]! / tofBins)]!++;
      sums.ofPlace[place]!++;
    });
  }
  return sums;
}
