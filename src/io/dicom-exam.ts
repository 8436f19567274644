/** @file  What the header of a PET slice says of patient, injection and times: the facts SUV is computed from. */
import { FormatError } from '../core/errors.js';
import { type DicomFile, type Elements, items, number, tagged, type tags, text, texts } from './dicom-file.js';
import type { SuvFacts } from './suv.js';

/** The facts of one slice; `firstAcquisition` and `dynamic` belong to the series. */
export function suvFacts(slice: DicomFile, series: Pick<SuvFacts, 'firstAcquisition' | 'dynamic'>): SuvFacts {
  const injections = items(slice, 'RadiopharmaceuticalInformationSequence');
  const injection: Elements = injections[0] ?? { data: slice.data };
  const of = <T>(value: T): T | undefined => (injections.length === 1 ? value : undefined);
  const code = items(injection, 'RadionuclideCodeSequence')[0];
  return {
    units: text(slice, 'Units'),
    suvType: text(slice, 'SUVType'),
    corrected: texts(slice, 'CorrectedImage'),
    decayCorrection: text(slice, 'DecayCorrection'),
    weight: number(slice, 'PatientWeight'),
    injections: injections.length,
    dose: of(number(injection, 'RadionuclideTotalDose')),
    halfLife: of(number(injection, 'RadionuclideHalfLife')),
    nuclide: of(code && text(code, 'CodeMeaning')),
    injectionDateTime: of(injectionDateTime(injection, slice)),
    injectionTime: of(timeOfDay(text(injection, 'RadiopharmaceuticalStartTime'), slice.name)),
    seriesTime: moment(slice, 'SeriesDate', 'SeriesTime'),
    acquisitionTime: acquisitionTime(slice),
    ...series,
    frameReference: seconds(number(slice, 'FrameReferenceTime')),
    frameDuration: seconds(number(slice, 'ActualFrameDuration')),
    gePrivateStart: dateTime(privateText(slice, '0009', 'GEMS_PETD_01', '0d'), slice.name),
    philipsSuv: privateNumber(slice, '00'),
    philipsActivity: privateNumber(slice, '09'),
  };
}

/** The facts of some slices of a series: its first acquisition is the earliest of all, and it is dynamic if it has several frames. */
export function seriesFacts(frames: readonly DicomFile[], all: readonly DicomFile[]): SuvFacts[] {
  const series = { firstAcquisition: firstAcquisition(all), dynamic: frames.length > 1 };
  return frames.map((slice) => suvFacts(slice, series));
}

/** The earliest start of a frame; undefined unless all slices tell theirs. */
export function firstAcquisition(slices: readonly DicomFile[]): number | undefined {
  const starts = slices.map(acquisitionTime).filter((time) => time !== undefined);
  return starts.length === slices.length ? starts.reduce((a, b) => Math.min(a, b)) : undefined;
}

/** The tracer, as the header calls it. */
export function tracer(slice: DicomFile): string | undefined {
  const injection = items(slice, 'RadiopharmaceuticalInformationSequence')[0];
  return injection && text(injection, 'Radiopharmaceutical');
}

/** When the frame of a slice began, s since 1970. */
export function acquisitionTime(slice: DicomFile): number | undefined {
  return moment(slice, 'AcquisitionDate', 'AcquisitionTime');
}

function seconds(ms: number | undefined): number | undefined {
  return ms === undefined ? undefined : ms / 1000;
}

type DateKey = 'SeriesDate' | 'AcquisitionDate';
type TimeKey = 'SeriesTime' | 'AcquisitionTime';

function moment(slice: DicomFile, date: DateKey, time: TimeKey): number | undefined {
  const [day, clock] = [text(slice, date), text(slice, time)];
  return day === undefined || clock === undefined ? undefined : dateOf(day, slice.name) + timeOfDay(clock, slice.name)!;
}

/** Its zone, if it names one, is that of the other times unless the file says another for them. */
function injectionDateTime(injection: Elements, slice: DicomFile): number | undefined {
  const value = text(injection, 'RadiopharmaceuticalStartDateTime');
  const zone = /[+-]\d{4}$/.exec(value ?? '')?.[0];
  const others = text(slice, 'TimezoneOffsetFromUTC');
  const shift = zone === undefined || others === undefined ? 0 : offsetOf(others) - offsetOf(zone);
  const local = dateTime(value?.replace(/[+-]\d{4}$/, ''), slice.name);
  return local === undefined ? undefined : local + shift;
}

/** '+0130' → 5400 */
function offsetOf(zone: string): number {
  return (zone.startsWith('-') ? -1 : 1) * (3600 * Number(zone.slice(1, 3)) + 60 * Number(zone.slice(3, 5)));
}

function dateTime(value: string | undefined, file: string): number | undefined {
  if (value === undefined) return undefined;
  if (value.length < 12) {
    throw new FormatError('A date and time that is none', { file, key: 'DT', expected: 'YYYYMMDDHHMM…', found: value });
  }
  return dateOf(value.slice(0, 8), file) + timeOfDay(value.slice(8), file)!;
}

/** 'YYYYMMDD' (or the ACR-NEMA 'YYYY.MM.DD') → s since 1970. */
function dateOf(value: string, file: string): number {
  const [, y, m, d] = /^(\d{4})\.?(\d\d)\.?(\d\d)$/.exec(value) ?? [];
  const date = new Date(Date.UTC(Number(y), Number(m) - 1, Number(d)));
  if (y === undefined || date.getUTCMonth() !== Number(m) - 1) {
    throw new FormatError('A date that is none', { file, key: 'DA', expected: 'YYYYMMDD', found: value });
  }
  return date.getTime() / 1000;
}

/** 'HHMMSS.ffffff', or its beginning → s since midnight. */
function timeOfDay(value: string | undefined, file: string): number | undefined {
  if (value === undefined) return undefined;
  const [, h, m = '0', s = '0'] = /^(\d\d):?(\d\d)?:?(\d\d(?:\.\d*)?)?$/.exec(value) ?? [];
  if (h === undefined || Number(h) > 23 || Number(m) > 59 || Number(s) >= 61) {
    throw new FormatError('A time that is none', { file, key: 'TM', expected: 'HHMMSS', found: value });
  }
  return 3600 * Number(h) + 60 * Number(m) + Number(s);
}

/** The text of a private element, in whichever block its creator reserved. */
function privateText({ data }: DicomFile, group: string, creator: string, element: string): string | undefined {
  for (let block = 0x10; block <= 0xff; block++) {
    const at = block.toString(16);
    if (data.string(`x${group}00${at}`)?.trim() === creator) return data.string(`x${group}${at}${element}`)?.trim() || undefined;
  }
  return undefined;
}

function privateNumber(slice: DicomFile, element: string): number | undefined {
  const value = privateText(slice, '7053', 'Philips PET Private Group', element);
  return value === undefined ? undefined : Number(value);
}

/** A number that the slice must have. @throws FormatError when it is absent or none. */
export function needed(slice: DicomFile, keyword: keyof typeof tags, index = 0): number {
  const value = number(slice, keyword, index);
  if (value === undefined || !Number.isFinite(value)) {
    throw new FormatError('A number is missing', {
      file: slice.name,
      key: tagged(keyword),
      expected: 'a number',
      found: value ?? 'none',
    });
  }
  return value;
}
