/** @file  PET-BIDS: the JSON beside a NIfTI image that says what NIfTI cannot: unit, tracer, dose, times of frames.
 *    SUVbw = C W / ( D₀ 2^(−(t_c − t_i)/T½) )     t_i InjectionStart, t_c ImageDecayCorrectionTime, both s after TimeZero
 *  https://bids-specification.readthedocs.io/en/stable/modality-specific-files/positron-emission-tomography.html. BIDS keeps no body weight in
 *  this file; PatientWeight (kg), as dcm2niix writes it, is taken. */
import { FormatError } from '../core/errors.js';
import type { Unit } from '../core/image.js';
import { halfLifeOf, nuclideName } from './nuclides.js';
import type { SuvFactor, SuvFacts } from './suv.js';

/** What a sidecar says, as it is. */
export type BidsPet = Readonly<Record<string, unknown>>;

/** Units of activity, in Bq/mL. */
const activityUnits: Readonly<Record<string, number>> = { 'Bq/mL': 1, 'Bq/ml': 1, 'kBq/mL': 1e3, 'kBq/ml': 1e3, 'MBq/mL': 1e6 };
const suvUnits: readonly string[] = ['SUV', 'SUVbw', 'g/mL', 'g/ml'];
/** Units of dose, in Bq. */
const doseUnits: Readonly<Record<string, number>> = { Bq: 1, kBq: 1e3, MBq: 1e6, GBq: 1e9, mCi: 37e6, uCi: 37e3 };

/** Is it a sidecar of a PET image? Others (labels, our own reports) are JSON too. */
export function isBidsPet(data: unknown): data is BidsPet {
  return typeof data === 'object' && data !== null && 'Units' in data && ('TracerName' in data || 'TimeZero' in data);
}

/** The library's name of the unit of the voxels; kBq/mL and others count as unknown. */
export function bidsUnit({ Units: units }: BidsPet): Unit {
  if (units === 'Bq/mL' || units === 'Bq/ml') return 'Bq/mL';
  return suvUnits.includes(String(units)) ? 'SUV' : 'unknown';
}

/**
 * SUV of one unit of the voxels.
 * @throws FormatError naming the field that is missing or wrong.
 */
export function bidsSuv(fields: BidsPet, file: string): SuvFactor {
  const refuse = (what: string, key: string, expected: string, hint?: string): never => {
    throw new FormatError(`No SUV: ${what}`, {
      file,
      key,
      expected,
      found: fields[key] === undefined ? 'none' : fields[key],
      hint,
    });
  };
  const number = (key: string, fine: (value: number) => boolean, expected: string, hint?: string): number => {
    const value = fields[key];
    if (typeof value !== 'number' || !Number.isFinite(value) || !fine(value))
      return refuse('a number is missing or wrong', key, expected, hint);
    return value;
  };
  const units = String(fields.Units);
  if (suvUnits.includes(units)) return { suvPerUnit: 1, rule: 'the values are SUVbw', units, warnings: [] };
  const scale = activityUnits[units] ?? refuse('the voxels are in no absolute unit', 'Units', 'Bq/mL or SUV');
  if (fields.ImageDecayCorrected !== true)
    refuse('the image is not corrected for decay, or does not say so', 'ImageDecayCorrected', 'true');
  const weightKey = fields.PatientWeight === undefined ? 'BodyWeight' : 'PatientWeight';
  const hint = 'Add PatientWeight, in kg; BIDS itself has it in participants.tsv.';
  const weight = number(weightKey, (kg) => kg > 0 && kg <= 650, 'kg, above 0', hint);
  const perUnit =
    doseUnits[String(fields.InjectedRadioactivityUnits)] ?? refuse('the unit of the dose', 'InjectedRadioactivityUnits', 'MBq');
  const dose =
    perUnit *
    number(
      'InjectedRadioactivity',
      (d) => d * perUnit >= 1e5,
      `at least 0.1 MBq, in ${String(fields.InjectedRadioactivityUnits)}`,
    );
  const nuclide = String(fields.TracerRadionuclide ?? 'none');
  const halfLife =
    halfLifeOf(nuclide) ?? refuse('the half-life of the nuclide is not known', 'TracerRadionuclide', 'F18, C11, Ga68, …');
  const reference = number('ImageDecayCorrectionTime', () => true, 's after TimeZero');
  const injection = number('InjectionStart', () => true, 's after TimeZero');
  const uptake = reference - injection;
  if (Math.abs(uptake) > 10 * halfLife || uptake < -600)
    refuse('the injection is not before the scan', 'InjectionStart', 's after TimeZero');
  const doseLeft = 2 ** (-uptake / halfLife);
  return {
    suvPerUnit: (scale * 1000 * weight) / (dose * doseLeft),
    rule: `${units}, decay-corrected to ImageDecayCorrectionTime`,
    ...{ units, weight, dose, halfLife, uptake, doseLeft, warnings: [] },
  };
}

/** Starts and durations of frames, s after TimeZero. @throws FormatError when there are not as many as frames. */
export function bidsFrames(
  fields: BidsPet,
  frames: number,
  file: string,
): { starts: readonly number[]; durations: readonly number[] } {
  const list = (key: string): readonly number[] => {
    const value = fields[key];
    if (Array.isArray(value) && value.length === frames && value.every(Number.isFinite)) return value as number[];
    throw new FormatError('Times of the frames', {
      ...{
        file,
        key,
        expected: `${frames} numbers`,
        found: Array.isArray(value) ? `${value.length} values` : value === undefined ? 'none' : value,
      },
    });
  };
  return { starts: list('FrameTimesStart'), durations: list('FrameDuration') };
}

/**
 * The sidecar of an image that comes from DICOM.
 * @param facts of the first slice of each frame. @param unit of the voxels that are written.
 */
export function bidsOfFacts(
  facts: readonly SuvFacts[],
  about: Readonly<Record<string, string | undefined>>,
  unit: Unit,
): BidsPet {
  const [first] = facts as readonly [SuvFacts];
  const zero = first.seriesTime ?? first.firstAcquisition;
  const after = (time: number | undefined): number | undefined =>
    time === undefined || zero === undefined ? undefined : time - zero;
  const injection =
    first.injectionDateTime ??
    (zero === undefined || first.injectionTime === undefined ? undefined : timeBefore(zero, first.injectionTime));
  const corrected = first.decayCorrection === 'START' || first.decayCorrection === 'ADMIN';
  const fields = {
    Modality: 'PT',
    ...about,
    Units: unit === 'counts' || unit === 'unknown' ? first.units : unit,
    TracerRadionuclide: first.nuclide && nuclideName(first.nuclide)?.replace('-', ''),
    InjectedRadioactivity: first.dose === undefined ? undefined : first.dose / 1e6,
    InjectedRadioactivityUnits: first.dose === undefined ? undefined : 'MBq',
    PatientWeight: first.weight,
    TimeZero: zero === undefined ? undefined : new Date(zero * 1000).toISOString().slice(11, 19),
    ScanStart: after(first.firstAcquisition),
    InjectionStart: after(injection),
    FrameTimesStart: facts.map(({ acquisitionTime }) => after(acquisitionTime)),
    FrameDuration: facts.map(({ frameDuration }) => frameDuration),
    ImageDecayCorrected: corrected,
    ImageDecayCorrectionTime: first.decayCorrection === 'ADMIN' ? after(injection) : corrected ? 0 : undefined,
  };
  const said = Object.entries(fields).filter(
    ([, value]) => !(value === undefined || (Array.isArray(value) && value.includes(undefined))),
  );
  return Object.fromEntries(said);
}

/** The last moment of that time of day up to `end`. */
function timeBefore(end: number, timeOfDay: number): number {
  const midnight = end - (((end % 86400) + 86400) % 86400);
  return midnight + timeOfDay <= end ? midnight + timeOfDay : midnight + timeOfDay - 86400;
}
