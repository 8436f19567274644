/** @file  Slices into stacks: sorted by where they are along their normal, n = across × down; never by their numbers. */
import type { Point } from '../core/array.js';
import { FormatError } from '../core/errors.js';
import { needed } from './dicom-exam.js';
import { type DicomFile, number, tagged, text } from './dicom-file.js';

/** Vectors x, y, z in DICOM's world: towards left, posterior, superior; mm. */
export type Vector = readonly [number, number, number];

/** A slice and where it is. */
export interface SlicePlace {
  readonly file: DicomFile;
  /** Centre of the first pixel. */
  readonly position: Vector;
  /** Directions of a row (columns grow) and of a column (rows grow); unit vectors. */
  readonly across: Vector;
  readonly down: Vector;
  /** Between rows, between columns, mm. */
  readonly spacing: readonly [number, number];
  /** To the next slice, where there is only one to go by: normal × thickness. */
  readonly step: Vector;
  /** Along the normal, mm. */
  readonly along: number;
  /** s: orders slices of one place. */
  readonly time: number;
}

/** Two slices closer than this, mm, are at one place. */
const SAME = 0.01;
/** Share of the spacing that slices may be off their regular places. */
const IRREGULAR = 0.02;

/** @throws FormatError when position, orientation or spacing are missing or impossible. */
export function placed(file: DicomFile, acquired: number | undefined): SlicePlace {
  const three = (keyword: 'ImagePositionPatient' | 'ImageOrientationPatient', from: number): Vector => [
    needed(file, keyword, from),
    needed(file, keyword, from + 1),
    needed(file, keyword, from + 2),
  ];
  const position = three('ImagePositionPatient', 0);
  const [across, down] = [three('ImageOrientationPatient', 0), three('ImageOrientationPatient', 3)];
  if (Math.abs(dot(across, across) - 1) > 0.01 || Math.abs(dot(down, down) - 1) > 0.01 || Math.abs(dot(across, down)) > 0.01) {
    throw new FormatError('The directions of rows and columns are none', {
      ...{ file: file.name, key: tagged('ImageOrientationPatient'), expected: 'two unit vectors at right angles' },
      found: text(file, 'ImageOrientationPatient'),
    });
  }
  const spacing = [needed(file, 'PixelSpacing', 0), needed(file, 'PixelSpacing', 1)] as const;
  if (!spacing.every((d) => d > 0)) {
    throw new FormatError('Pixel spacing', {
      file: file.name,
      key: tagged('PixelSpacing'),
      expected: 'two lengths above 0',
      found: [...spacing],
    });
  }
  const normal: Vector = [
    across[1] * down[2] - across[2] * down[1],
    across[2] * down[0] - across[0] * down[2],
    across[0] * down[1] - across[1] * down[0],
  ];
  const thickness = number(file, 'SliceThickness') ?? Number.NaN;
  const step: Vector = [normal[0] * thickness, normal[1] * thickness, normal[2] * thickness];
  const time = number(file, 'FrameReferenceTime') ?? 1000 * (acquired ?? Number.NaN);
  return { ...{ file, position, across, down, spacing, step }, along: dot(position, normal), time: time / 1000 };
}

/**
 * Frames in the order of time, each a regular stack along the normal.
 * @throws FormatError for slices of other orientation or spacing, missing, doubled, or beside the axis of the stack.
 */
export function stacked(slices: readonly SlicePlace[]): SlicePlace[][] {
  const first = slices[0]!;
  for (const { file, across, down, spacing } of slices) {
    const turnedBy = Math.min(dot(across, first.across), dot(down, first.down));
    const same = turnedBy > 1 - 1e-6 && spacing.every((d, i) => Math.abs(d - first.spacing[i]!) < 1e-3 * d);
    if (same) continue;
    const key = turnedBy > 1 - 1e-6 ? ('PixelSpacing' as const) : ('ImageOrientationPatient' as const);
    throw new FormatError('The slices are not parallel, or not of one size', {
      ...{
        file: file.name,
        key: tagged(key),
        expected: `${text(first.file, key)}, as in ${first.file.name}`,
        found: text(file, key),
      },
    });
  }
  const places: SlicePlace[][] = [];
  for (const slice of [...slices].sort((a, b) => a.along - b.along)) {
    const last = places.at(-1);
    if (last && slice.along - last[0]!.along < SAME) last.push(slice);
    else places.push([slice]);
  }
  const frames = places.map(({ length }) => length).sort((a, b) => a - b)[places.length >> 1]!;
  for (const place of places) inTime(place, frames);
  regular(places.map(([slice]) => slice!));
  return Array.from({ length: frames }, (_, frame) => places.map((place) => place[frame]!));
}

/** Sorts the slices of one place by time; all places hold as many, at different times. */
function inTime(place: SlicePlace[], frames: number): void {
  place.sort((a, b) => a.time - b.time);
  const { file, along } = place[0]!;
  const at = `${along.toFixed(2)} mm along the axis`;
  for (let i = 1; i < place.length; i++) {
    if (place[i]!.time > place[i - 1]!.time) continue;
    throw new FormatError('Two slices are at one place, at one time', {
      ...{
        file: place[i]!.file.name,
        key: tagged('ImagePositionPatient'),
        expected: `another place than that of ${place[i - 1]!.file.name}`,
      },
      ...{ found: at, hint: 'Is a file there twice, or are two series in the folder?' },
    });
  }
  if (place.length !== frames) {
    throw new FormatError('A slice is missing, or there twice', {
      ...{
        file: file.name,
        key: tagged('ImagePositionPatient'),
        expected: `${frames} slices at each place`,
        found: `${place.length} at ${at}`,
      },
      hint: 'A dynamic series needs all slices of all frames.',
    });
  }
}

/** @throws FormatError naming the neighbours of a gap. */
function regular(stack: readonly SlicePlace[]): void {
  const first = stack[0]!;
  if (stack.length === 1) {
    if (Math.hypot(...first.step) > 0) return;
    throw new FormatError('A single slice needs its thickness', {
      ...{
        file: first.file.name,
        key: tagged('SliceThickness'),
        expected: 'mm, above 0',
        found: number(first.file, 'SliceThickness') ?? 'none',
      },
    });
  }
  const gaps = stack.slice(1).map((slice, i) => slice.along - stack[i]!.along);
  const usual = [...gaps].sort((a, b) => a - b)[gaps.length >> 1]!;
  const odd = gaps.findIndex((gap) => Math.abs(gap - usual) > IRREGULAR * usual + SAME);
  if (odd >= 0) {
    throw new FormatError('The slices are not evenly spaced', {
      ...{ file: stack[odd + 1]!.file.name, key: tagged('ImagePositionPatient') },
      expected: `${usual.toFixed(3)} mm after ${stack[odd]!.file.name}, as elsewhere`,
      found: `${gaps[odd]!.toFixed(3)} mm`,
      hint: gaps[odd]! > 1.5 * usual ? 'Slices are missing there.' : undefined,
    });
  }
  for (const { file, position, along } of stack) {
    const aside = position.map((p, i) => p - first.position[i]!) as unknown as Point;
    const drift = Math.sqrt(Math.max(0, dot(aside, aside) - (along - first.along) ** 2));
    if (drift > 0.1) {
      const found = `${drift.toFixed(2)} mm aside`;
      throw new FormatError('The stack of slices leans', {
        file: file.name,
        key: tagged('ImagePositionPatient'),
        expected: 'slices above one another',
        found,
      });
    }
  }
}

function dot(a: Vector, b: Vector): number {
  return a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
}
