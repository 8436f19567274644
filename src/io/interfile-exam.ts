/** @file  What Interfile headers say of the examination: how the patient lay, when, in which energy window. */
import { FormatError } from '../core/errors.js';
import type { PatientPosition } from '../geometry/frame.js';
import { findNumber, findText, type InterfileHeader, integerOf, wordOf } from './interfile.js';

export interface Exam {
  /** undefined: the header does not say, or says "unknown". */
  readonly position?: PatientPosition | undefined;
  /** Lower and upper level, keV. */
  readonly energyWindow?: readonly [low: number, high: number] | undefined;
  /** Start of the frame relative to the examination, s. */
  readonly start?: number | undefined;
  /** Length of the frame, s. */
  readonly duration?: number | undefined;
}

/** @throws FormatError when there are several frames, or the patient lay on a side. */
export function readExam(header: InterfileHeader): Exam {
  const key = 'number of time frames';
  const frames = integerOf(header, key, { absent: 1 });
  if (frames !== 1) {
    throw new FormatError('Several frames in one file are not supported', {
      file: header.file,
      key,
      expected: '1',
      found: frames,
      hint: 'Give one file for each frame.',
    });
  }
  const low = findNumber(header, 'energy window lower level [1]') ?? findNumber(header, 'energy window lower level (keV) [1]');
  const high = findNumber(header, 'energy window upper level [1]') ?? findNumber(header, 'energy window upper level (keV) [1]');
  return {
    position: readPosition(header),
    energyWindow: low === undefined || high === undefined ? undefined : [low, high],
    start: findNumber(header, 'image relative start time (sec) [1]'),
    duration: findNumber(header, 'image duration (sec) [1]'),
  };
}

function readPosition(header: InterfileHeader): PatientPosition | undefined {
  const code = findText(header, 'patient orientation');
  if (code !== undefined && /^(HF|FF)[SP]$/i.test(code)) return code.toUpperCase() as PatientPosition;
  const orientation = wordOf(header, 'patient orientation', ['head_in', 'feet_in', 'other', 'unknown'], 'unknown');
  const key = 'patient rotation';
  const rotation = wordOf(header, key, ['supine', 'prone', 'left', 'right', 'other', 'unknown'], 'unknown');
  if (rotation === 'left' || rotation === 'right') {
    throw new FormatError('A patient lying on a side is not supported', {
      file: header.file,
      key,
      expected: 'supine | prone',
      found: rotation,
    });
  }
  if (!/_in$/.test(orientation) || !/supine|prone/.test(rotation)) return undefined;
  return `${orientation === 'head_in' ? 'HF' : 'FF'}${rotation === 'supine' ? 'S' : 'P'}`;
}

/** The keys that `readExam` reads, in two groups: those of GENERAL DATA and those at the end. */
export function examKeys({ position, energyWindow, start, duration }: Exam): {
  readonly patient: readonly (readonly [string, string])[];
  readonly frame: readonly (readonly [string, string | number])[];
} {
  const frame: [string, string | number][] = [['number of time frames', 1]];
  if (start !== undefined) frame.push(['image relative start time (sec) [1]', start]);
  if (duration !== undefined) frame.push(['image duration (sec) [1]', duration]);
  if (energyWindow) {
    frame.push(['number of energy windows', 1]);
    frame.push(['energy window lower level [1]', energyWindow[0]], ['energy window upper level [1]', energyWindow[1]]);
  }
  return {
    patient: [
      ['patient orientation', position ? (position.startsWith('HF') ? 'head_in' : 'feet_in') : 'unknown'],
      ['patient rotation', position ? (position.endsWith('S') ? 'supine' : 'prone') : 'unknown'],
    ],
    frame,
  };
}
