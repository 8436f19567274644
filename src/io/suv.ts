/** @file  Body-weight SUV of an image from what its header says of patient, dose and times; or the reason why there is none.
 *    SUVbw = C W / D,   D = D₀ 2^(−(t_ref − t_inj)/T½)        C in Bq/mL decay-corrected to t_ref, W in g, D₀ in Bq at t_inj
 *  t_ref: ADMIN t_inj · START the start of the scan · NONE the start of each frame, C being the frame's mean,
 *    C(t_start) = C λΔ / (1 − exp(−λΔ)),   λ = ln 2/T½, Δ the frame's duration.
 *  DICOM PS3.3 C.8.9.1 and C.8.9.4; the order in which the start of the scan is looked for, and what is demanded, as in the vendor-neutral
 *  pseudo-code of the QIBA FDG-PET/CT profile, appendix G. Nothing is assumed: what is missing, zero or contradicts itself is refused. */
import { FormatError } from '../core/errors.js';
import { halfLifeOf } from './nuclides.js';

/** What a header says. Times in s since 1970 as the clocks on the wall said, time zones left aside; undefined: absent or empty. */
export interface SuvFacts {
  /** BQML, GML, CNTS … */
  readonly units: string | undefined;
  /** BW, LBM …; absent means BW. */
  readonly suvType?: string | undefined;
  /** ATTN, DECY … */
  readonly corrected: readonly string[];
  readonly decayCorrection: string | undefined;
  /** kg */
  readonly weight: number | undefined;
  /** Radiopharmaceuticals described; one is expected. */
  readonly injections: number;
  /** Bq */
  readonly dose: number | undefined;
  /** s */
  readonly halfLife: number | undefined;
  /** What the header calls the nuclide, in words. */
  readonly nuclide?: string | undefined;
  /** Date and time of injection. */
  readonly injectionDateTime?: number | undefined;
  /** Time of injection without its date: s since midnight. */
  readonly injectionTime?: number | undefined;
  /** Several frames in time: then the injection may come a little after the start. */
  readonly dynamic?: boolean | undefined;
  readonly seriesTime?: number | undefined;
  /** Start of this frame. */
  readonly acquisitionTime?: number | undefined;
  /** Start of the earliest frame of the series. */
  readonly firstAcquisition?: number | undefined;
  /** s after the start of the scan, when the mean count rate of the frame was. */
  readonly frameReference?: number | undefined;
  /** Δ, s */
  readonly frameDuration?: number | undefined;
  /** GE: the start of the scan. */
  readonly gePrivateStart?: number | undefined;
  /** Philips, for CNTS: SUV per count; Bq/mL per count. */
  readonly philipsSuv?: number | undefined;
  readonly philipsActivity?: number | undefined;
}

/** How SUV was computed; what a sidecar shows. */
export interface SuvFactor {
  /** SUV of one unit of the file. */
  readonly suvPerUnit: number;
  /** The rule, in words. */
  readonly rule: string;
  readonly units: string;
  readonly decayCorrection?: string | undefined;
  /** kg */
  readonly weight?: number | undefined;
  /** Bq at injection. */
  readonly dose?: number | undefined;
  /** s */
  readonly halfLife?: number | undefined;
  /** Wall clock, ISO 8601 without a zone. */
  readonly injection?: string | undefined;
  readonly reference?: string | undefined;
  /** Where the reference time was found. */
  readonly referenceFrom?: string | undefined;
  /** t_ref − t_inj, s. */
  readonly uptake?: number | undefined;
  /** D/D₀. */
  readonly doseLeft?: number | undefined;
  /** What does not fit together but does not decide. */
  readonly warnings: readonly string[];
}

const day = 86400;
/** s; how long after the start of a dynamic scan the injection may come. */
const LATEST_INJECTION = 600;
/** Beyond this there would be less than a thousandth of the dose: a date is wrong. */
const MOST_HALF_LIVES = 10;
/** s; a date may only be filled in where a wrong one would have left no activity. */
const LONGEST_WITHOUT_DATE = 6 * 3600;

/**
 * SUV per unit of the image.
 * @param file for messages
 * @throws FormatError naming the element that is missing or wrong.
 */
export function suvFactor(facts: SuvFacts, file: string): SuvFactor {
  const { units } = facts;
  const refuse: Refuse = (what, fault) => {
    throw new FormatError(`No SUV: ${what}`, { file, ...fault });
  };
  if (units === undefined)
    return refuse('the unit of the voxels is missing', { key: 'Units (0054,1001)', expected: 'BQML or GML' });
  if (units === 'GML') {
    const type = facts.suvType ?? 'BW';
    if (type !== 'BW') refuse('the values are another kind of SUV', { key: 'SUVType (0054,1006)', expected: 'BW', found: type });
    return { suvPerUnit: 1, rule: 'the values are SUVbw (GML)', units, warnings: [] };
  }
  if (units === 'BQML') return fromActivity(facts, 1, 'BQML', refuse);
  if (units === 'CNTS' && facts.philipsSuv !== undefined && facts.philipsSuv > 0) {
    return { suvPerUnit: facts.philipsSuv, rule: 'Philips SUV scale factor (7053,xx00)', units, warnings: [] };
  }
  if (units === 'CNTS' && facts.philipsActivity !== undefined && facts.philipsActivity > 0) {
    return fromActivity(facts, facts.philipsActivity, 'CNTS, Philips activity scale factor (7053,xx09)', refuse);
  }
  return refuse('the voxels are in no absolute unit', {
    ...{ key: 'Units (0054,1001)', expected: 'BQML or GML', found: units },
    hint: units === 'CNTS' ? 'Counts need the private scale factors of Philips, (7053,xx00) or (7053,xx09).' : undefined,
  });
}

type Refuse = (what: string, fault: { key: string; expected?: string; found?: unknown; hint?: string | undefined }) => never;

/** @param scale Bq/mL per unit of the file */
function fromActivity(facts: SuvFacts, scale: number, how: string, refuse: Refuse): SuvFactor {
  const { corrected, decayCorrection, units } = facts;
  if (!corrected.includes('ATTN')) {
    const found = corrected.join('\\') || 'nothing';
    refuse('the image is not corrected for attenuation', {
      key: 'CorrectedImage (0028,0051)',
      expected: 'ATTN among them',
      found,
    });
  }
  if (decayCorrection !== 'START' && decayCorrection !== 'ADMIN' && decayCorrection !== 'NONE') {
    const found = decayCorrection ?? 'none';
    return refuse('the decay correction is not known', {
      key: 'DecayCorrection (0054,1102)',
      expected: 'START, ADMIN or NONE',
      found,
    });
  }
  if (corrected.includes('DECY') !== (decayCorrection !== 'NONE')) {
    refuse('it is contradictory whether the image is corrected for decay', {
      key: 'CorrectedImage (0028,0051)',
      expected: `${decayCorrection === 'NONE' ? 'no ' : ''}DECY, for ${decayCorrection}`,
      found: corrected.join('\\'),
    });
  }
  const weight = weightOf(facts, refuse);
  const dose = doseOf(facts, refuse);
  const common = { units: units!, decayCorrection, weight, dose };
  const perUnit = (doseAtReference: number): number => (scale * 1000 * weight) / doseAtReference;
  if (decayCorrection === 'ADMIN') {
    return { suvPerUnit: perUnit(dose), rule: `${how}, decay-corrected to injection`, ...common, warnings: [] };
  }
  const halfLife = halfLifeIn(facts, refuse);
  const lambda = Math.LN2 / halfLife;
  const { time: reference, from } = decayCorrection === 'START' ? scanStart(facts, lambda, refuse) : frameStart(facts, refuse);
  const injection = injectionOf(facts, reference, halfLife, refuse);
  const uptake = reference - injection;
  if (uptake < -latest(facts) || uptake > MOST_HALF_LIVES * halfLife) {
    const when = uptake < 0 ? 'after the scan' : `${(uptake / halfLife).toFixed(1)} half-lives before the scan`;
    refuse(`the injection is ${when}`, {
      key: 'RadiopharmaceuticalStartDateTime (0018,1078) or …StartTime (0018,1072)',
      expected: `before the scan, ${clock(reference)}`,
      found: clock(injection),
      hint: 'Were dates changed when the file was made anonymous?',
    });
  }
  const doseLeft = Math.exp(-lambda * uptake);
  const duration = facts.frameDuration!;
  const frame = decayCorrection === 'NONE' ? (lambda * duration) / -Math.expm1(-lambda * duration) : 1;
  return {
    suvPerUnit: frame * perUnit(dose * doseLeft),
    rule: `${how}, ${decayCorrection === 'NONE' ? 'not decay-corrected: brought to the start of each frame' : 'decay-corrected to the start of the scan'}`,
    ...common,
    ...{ halfLife, injection: clock(injection), reference: clock(reference), referenceFrom: from, uptake, doseLeft },
    warnings: decayCorrection === 'START' ? contradictions(facts, reference, lambda) : [],
  };
}

function weightOf({ weight }: SuvFacts, refuse: Refuse): number {
  const key = 'PatientWeight (0010,1030)';
  if (weight === undefined) return refuse('the weight of the patient is missing', { key, expected: 'kg' });
  if (!(weight > 0)) refuse('the weight of the patient is no weight', { key, expected: 'kg, above 0', found: weight });
  if (weight > 650) refuse('no patient is that heavy', { key, expected: 'kg', found: weight, hint: 'Is it in g or lb?' });
  return weight;
}

function doseOf({ dose, injections }: SuvFacts, refuse: Refuse): number {
  const sequence = 'RadiopharmaceuticalInformationSequence (0054,0016)';
  if (injections !== 1) refuse('the injected dose is not told', { key: sequence, expected: 'one item', found: injections });
  const key = 'RadionuclideTotalDose (0018,1074)';
  if (dose === undefined) return refuse('the injected dose is missing', { key, expected: 'Bq' });
  if (!(dose > 0)) refuse('the injected dose is no dose', { key, expected: 'Bq, above 0', found: dose });
  if (dose < 1e5) refuse('no injected dose is that small', { key, expected: 'Bq', found: dose, hint: 'Is it in MBq or mCi?' });
  return dose;
}

function halfLifeIn({ halfLife, nuclide }: SuvFacts, refuse: Refuse): number {
  const key = 'RadionuclideHalfLife (0018,1075)';
  if (halfLife === undefined) return refuse('the half-life is missing', { key, expected: 's' });
  if (!(halfLife > 0)) refuse('the half-life is none', { key, expected: 's, above 0', found: halfLife });
  const known = nuclide === undefined ? undefined : halfLifeOf(nuclide);
  if (known !== undefined && Math.abs(halfLife / known - 1) > 0.03) {
    refuse('the half-life is not that of the nuclide', { key, expected: `${known} s for ${nuclide}`, found: halfLife });
  }
  return halfLife;
}

/** The start of the scan: the series time, unless it is later than the first frame (a series made afterwards). */
function scanStart(facts: SuvFacts, lambda: number, refuse: Refuse): { time: number; from: string } {
  const { seriesTime, firstAcquisition, gePrivateStart } = facts;
  if (firstAcquisition === undefined) {
    refuse('the time of acquisition is missing', {
      key: 'AcquisitionDate (0008,0022), AcquisitionTime (0008,0032)',
      expected: 'both',
    });
  }
  if (seriesTime !== undefined && seriesTime <= firstAcquisition! + 1)
    return { time: seriesTime, from: 'SeriesDate and SeriesTime' };
  if (gePrivateStart !== undefined) return { time: gePrivateStart, from: 'GE scan start (0009,xx0D)' };
  const time = backComputedStart(facts, lambda);
  if (time !== undefined) return { time, from: 'AcquisitionTime − FrameReferenceTime + time of the mean count rate' };
  return refuse('the start of the scan is not told', {
    key: 'SeriesTime (0008,0031)',
    expected: `at or before the first frame, ${clock(firstAcquisition!)}`,
    found: seriesTime === undefined ? 'none' : clock(seriesTime),
    hint: 'Without it, FrameReferenceTime (0054,1300) and ActualFrameDuration (0018,1242) above 0 are needed.',
  });
}

/** Acquisition − frame reference + the time within the frame when the count rate was its mean, (1/λ) ln( λΔ / (1 − exp(−λΔ)) ). */
function backComputedStart({ acquisitionTime, frameReference, frameDuration }: SuvFacts, lambda: number): number | undefined {
  if (acquisitionTime === undefined || !(frameReference! > 0) || !(frameDuration! > 0)) return undefined;
  const decay = lambda * frameDuration!;
  return acquisitionTime - frameReference! + Math.log(decay / -Math.expm1(-decay)) / lambda;
}

function frameStart({ acquisitionTime, frameDuration }: SuvFacts, refuse: Refuse): { time: number; from: string } {
  if (acquisitionTime === undefined) {
    refuse('the time of acquisition is missing', {
      key: 'AcquisitionDate (0008,0022), AcquisitionTime (0008,0032)',
      expected: 'both',
    });
  }
  if (!(frameDuration! > 0)) {
    const found = frameDuration ?? 'none';
    refuse('the duration of the frame is missing', { key: 'ActualFrameDuration (0018,1242)', expected: 'ms, above 0', found });
  }
  return { time: acquisitionTime!, from: 'AcquisitionDate and AcquisitionTime' };
}

/** A time of day alone is taken for the last one before the scan, over midnight too, where the nuclide is too short-lived for another day. */
function injectionOf(facts: SuvFacts, reference: number, halfLife: number, refuse: Refuse): number {
  const { injectionDateTime, injectionTime } = facts;
  if (injectionDateTime !== undefined) {
    const clash = injectionTime === undefined ? 0 : Math.abs(sinceMidnight(injectionDateTime) - injectionTime);
    if (Math.min(clash, day - clash) > 60) {
      refuse('two times of injection contradict each other', {
        key: 'RadiopharmaceuticalStartTime (0018,1072)',
        expected: `that of RadiopharmaceuticalStartDateTime (0018,1078), ${clock(injectionDateTime)}`,
        found: clock(injectionTime!).slice(11),
      });
    }
    return injectionDateTime;
  }
  const key = 'RadiopharmaceuticalStartTime (0018,1072)';
  if (injectionTime === undefined) return refuse('the time of injection is missing', { key, expected: 'a time' });
  if (halfLife > LONGEST_WITHOUT_DATE) {
    return refuse('the day of injection is not told', {
      key: 'RadiopharmaceuticalStartDateTime (0018,1078)',
      expected: `date and time, for a half-life of ${halfLife} s`,
      found: 'a time',
    });
  }
  const last = reference + latest(facts);
  const sameDay = last - sinceMidnight(last) + injectionTime;
  return sameDay <= last ? sameDay : sameDay - day;
}

function latest({ dynamic }: SuvFacts): number {
  return dynamic ? LATEST_INJECTION : 0;
}

function sinceMidnight(time: number): number {
  return ((time % day) + day) % day;
}

/** Two ways to the start of the scan that lead to SUV more than 1 % apart. */
function contradictions(facts: SuvFacts, reference: number, lambda: number): string[] {
  const other = backComputedStart(facts, lambda);
  if (other === undefined || Math.abs(Math.exp(lambda * (other - reference)) - 1) < 0.01) return [];
  const change = 100 * Math.expm1(lambda * (other - reference));
  return [
    `The frame reference time says that decay was corrected to ${clock(other)}, not ${clock(reference)}; SUV would be ${Math.abs(change).toFixed(1)} % ${change > 0 ? 'higher' : 'lower'}.`,
  ];
}

/** 2024-05-06T07:08:09.5 */
function clock(time: number): string {
  return new Date(Math.round(time * 1000)).toISOString().replace(/\.?0*Z$/, '');
}
