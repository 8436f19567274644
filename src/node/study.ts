/** @file  What a denoiser is given and gives back: a study, in whichever way it is kept. NIfTI of one or more frames with a BIDS sidecar, DICOM
 *  series, Interfile, or the published scripts' .npz in; the same, or NIfTI, out. */
import { createHash } from 'node:crypto';
import { existsSync, statSync } from 'node:fs';
import { open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fill } from '../core/array.js';
import { CoincideError, FormatError, OptionError } from '../core/errors.js';
import type { PetImage, Unit } from '../core/image.js';
import { type BidsPet, bidsFrames, bidsOfFacts, bidsSuv, bidsUnit, isBidsPet } from '../io/bids.js';
import { seriesFacts, tracer } from '../io/dicom-exam.js';
import { isDicom, text } from '../io/dicom-file.js';
import { type DicomSeries, readDicomSeries } from '../io/dicom-series.js';
import { writeDicomSeries } from '../io/dicom-write.js';
import { readNiftiFrames, writeNiftiFrames } from '../io/nifti-frames.js';
import { readNpzImage, writeNpzImage } from '../io/npz.js';
import type { SuvFactor } from '../io/suv.js';
import { json, mayReplace, readBytes, readJson, writeFiles, writeFolder } from './files.js';
import { imageStem, inflated, readImage } from './images.js';
import { version } from './version.js';

export interface Study {
  readonly source: string;
  readonly kind: 'NIfTI' | 'DICOM' | 'Interfile' | 'npz';
  /** In the order of time, on one grid, in one unit. */
  readonly frames: readonly PetImage[];
  /** SUV of one unit of the frames, where the file tells; 1 for frames in SUV. */
  readonly suvPerUnit?: number | undefined;
  /** How SUV was computed; why not, where it cannot be. */
  readonly suv?: SuvFactor | CoincideError | undefined;
  /** What the sidecar of the source says, or what its DICOM header would say there. */
  readonly bids?: BidsPet | undefined;
  readonly warnings: readonly string[];
  /** Of the file, or of the files of the folder in the order of their names. */
  readonly sha256: string;
  readonly dicom?: DicomSeries | undefined;
}

export interface ReadStudyOptions {
  /** What the values are in, where the file does not say. */
  readonly unit?: Unit | undefined;
  /** 'SUV': DICOM is brought to SUV, or refused. 'file': it stays in its own unit. @default 'SUV' */
  readonly dicomUnit?: 'SUV' | 'file' | undefined;
}

/**
 * Reads .nii, .nii.gz, .hv, .npz, a DICOM file, or a folder with one DICOM series.
 * @throws FormatError naming file and key.
 */
export async function readStudy(source: string, { unit, dicomUnit }: ReadStudyOptions = {}): Promise<Study> {
  if (existsSync(source) && (statSync(source).isDirectory() || (await startsAsDicom(source))))
    return dicomStudy(source, dicomUnit);
  const bytes = await readBytes(source);
  const sha256 = sha256Of([bytes]);
  if (/\.npz$/i.test(source)) {
    const frames = [await readNpzImage(bytes, source)];
    const warnings = ['An .npz says nothing of voxel size and orientation: 1.65 mm and [row, column, axial] are taken.'];
    return { source, kind: 'npz', frames, suvPerUnit: 1, warnings, sha256 };
  }
  if (!/\.nii(\.gz)?$/i.test(source)) {
    const frames = [await readImage(source, unit)];
    return { source, kind: 'Interfile', frames, ...known(frames[0]!.unit), warnings: [], sha256 };
  }
  const beside = await bidsBeside(source);
  const own = unit ?? (beside && bidsUnit(beside.fields));
  const frames = readNiftiFrames(inflated(bytes), source, { unit: own === 'unknown' ? undefined : own });
  if (!beside || unit !== undefined) return { source, kind: 'NIfTI', frames, ...known(frames[0]!.unit), warnings: [], sha256 };
  if (frames.length > 1) bidsFrames(beside.fields, frames.length, beside.file);
  const suv = attempt(() => bidsSuv(beside.fields, beside.file));
  const suvPerUnit = suv instanceof Error ? undefined : suv.suvPerUnit;
  return { source, kind: 'NIfTI', frames, suvPerUnit, suv, bids: beside.fields, warnings: [], sha256 };
}

const known = (unit: Unit): Pick<Study, 'suvPerUnit'> => (unit === 'SUV' ? { suvPerUnit: 1 } : {});

/** The PET-BIDS sidecar of a NIfTI file, if it has one. */
async function bidsBeside(file: string): Promise<{ fields: BidsPet; file: string } | undefined> {
  const beside = file.replace(/\.nii(\.gz)?$/i, '.json');
  if (!existsSync(beside)) return undefined;
  const fields = await readJson(beside);
  return isBidsPet(fields) ? { fields, file: beside } : undefined;
}

/** Is there a DICOM file in the folder? */
export async function holdsDicom(folder: string): Promise<boolean> {
  for (const name of await readdir(folder)) if (await startsAsDicom(join(folder, name))) return true;
  return false;
}

async function startsAsDicom(file: string): Promise<boolean> {
  if (statSync(file).isDirectory()) return false;
  const handle = await open(file);
  try {
    const { buffer, bytesRead } = await handle.read(new Uint8Array(132), 0, 132, 0);
    return bytesRead === 132 && isDicom(buffer);
  } finally {
    await handle.close();
  }
}

async function dicomStudy(source: string, unit: 'SUV' | 'file' = 'SUV'): Promise<Study> {
  const names = statSync(source).isDirectory() ? (await readdir(source)).sort().map((name) => join(source, name)) : [source];
  const files: { name: string; bytes: Uint8Array }[] = [];
  for (const name of names) {
    if (await startsAsDicom(name)) files.push({ name, bytes: await readBytes(name) });
  }
  if (files.length === 0) {
    const nifti = names.find((name) => /\.nii(\.gz)?$/i.test(name));
    const hint = names.some((name) => name.endsWith('.hs'))
      ? 'This is a scan: `coincide recon` makes an image of it.'
      : nifti && `Name an image in it, such as ${nifti}.`;
    throw new FormatError('There is no DICOM file in the folder', {
      file: source,
      expected: 'a PET series',
      found: `${names.length} ${names.length === 1 ? 'file' : 'files'}`,
      hint,
    });
  }
  const dicom = readDicomSeries(files, { unit });
  const [first] = dicom.images as readonly [PetImage];
  const factor = dicom.suv instanceof Error ? undefined : dicom.suv.suvPerUnit;
  const head = dicom.slices[0]![0]!.file;
  const about = {
    Manufacturer: text(head, 'Manufacturer'),
    ManufacturersModelName: text(head, 'ManufacturerModelName'),
    TracerName: tracer(head),
  };
  return {
    ...{ source, kind: 'DICOM', frames: dicom.images, suv: dicom.suv, dicom, warnings: dicom.warnings },
    suvPerUnit: first.unit === 'SUV' ? 1 : factor,
    bids: bidsOfFacts(
      seriesFacts(
        dicom.slices.map(([slice]) => slice!.file),
        dicom.slices.flat().map(({ file }) => file),
      ),
      about,
      first.unit,
    ),
    sha256: sha256Of(files.map(({ bytes }) => bytes)),
  };
}

function sha256Of(parts: readonly Uint8Array[]): string {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest('hex');
}

function attempt<T>(work: () => T): T | CoincideError {
  try {
    return work();
  } catch (error) {
    if (error instanceof CoincideError) return error;
    throw error;
  }
}

/**
 * The frames in SUV.
 * @throws FormatError the reason why the file has no SUV. @throws OptionError when it tells no unit.
 */
export function suvFrames({ frames, suv, suvPerUnit, source }: Study): PetImage[] {
  if (suv instanceof Error && suvPerUnit === undefined) throw suv;
  if (suvPerUnit === undefined) {
    const hint = "If it is, say so: unit: 'SUV' (--unit SUV); else convert it.";
    throw new OptionError('The unit of the image is not SUV', {
      file: source,
      key: 'unit',
      expected: 'SUV',
      found: frames[0]!.unit,
      hint,
    });
  }
  return frames.map((frame) => inUnit(frame, suvPerUnit, 'SUV'));
}

/** Frames in SUV brought to the unit of the study. */
export function ownUnit(frames: readonly PetImage[], { frames: [first], suvPerUnit }: Study): PetImage[] {
  return frames.map((frame) => inUnit(frame, 1 / suvPerUnit!, first!.unit));
}

function inUnit(image: PetImage, factor: number, unit: Unit): PetImage {
  if (factor === 1) return { ...image, unit };
  return { ...image, unit, values: fill(image.values.shape, (i) => factor * image.values.data[i]!) };
}

/** What a sidecar says of the study that was read. */
export function studyReport({ kind, sha256, frames, suv, suvPerUnit }: Study): Record<string, unknown> {
  const how = suv === undefined ? {} : { suv: suv instanceof Error ? { refused: suv.message } : suv };
  return { inputKind: kind, inputSha256: sha256, frames: frames.length, unit: frames[0]!.unit, suvPerUnit, ...how };
}

/** What an output is, by its name: a file of a known ending, else a folder for DICOM. */
export function outputKind(output: string): 'NIfTI' | 'npz' | 'DICOM' {
  if (/\.nii(\.gz)?$/.test(output)) return 'NIfTI';
  return /\.npz$/.test(output) ? 'npz' : 'DICOM';
}

/** @throws FormatError when the name ends like another kind of file. Asked before anything is read. */
export function checkOutputName(output: string): void {
  if (outputKind(output) !== 'DICOM' || !/\.[a-z]\w{1,4}$/i.test(output)) return;
  const expected = 'a name that ends in .nii.gz, .nii or .npz, or, for a DICOM series, a folder';
  throw new FormatError('This kind of file is not written', { file: output, expected });
}

/**
 * May this study be written there? Asked before long work.
 * @throws FormatError for a DICOM folder from what was no DICOM, or one that holds other files.
 */
export async function checkOutput(output: string, study: Pick<Study, 'kind' | 'dicom' | 'source' | 'frames'>): Promise<void> {
  const kind = outputKind(output);
  if (kind === 'NIfTI') return void imageStem(output);
  if (kind === 'npz') {
    if (study.frames.length === 1) return;
    throw new OptionError('An .npz holds one frame', { key: 'output', expected: 'a name that ends in .nii.gz', found: output });
  }
  if (!study.dicom) {
    const expected = `a name that ends in .nii.gz, .nii${study.kind === 'npz' ? ' or .npz' : ''}`;
    const hint = 'A DICOM folder can only be written for a DICOM series.';
    throw new FormatError('This output cannot be written', { file: output, expected, found: `from ${study.kind}`, hint });
  }
  const names = dicomNames(study.dicom.slices.flat().length);
  await mayReplace(output, names);
}

function dicomNames(count: number): string[] {
  return Array.from({ length: count }, (_, i) => `IM${String(i + 1).padStart(4, '0')}.dcm`);
}

/**
 * Writes the frames that a study became, and beside them a sidecar: the report, after what BIDS says of the image.
 * @param derivation one line that says what was done, for the DICOM header.
 * @returns the files or the folder written.
 */
export async function writeStudy(
  output: string,
  frames: readonly PetImage[],
  study: Study,
  report: Readonly<Record<string, unknown>>,
  derivation: string,
): Promise<void> {
  const kind = outputKind(output);
  const unit = frames[0]!.unit;
  const sidecar = json({ ...study.bids, coincide: version(), unit, ...report });
  if (kind === 'DICOM') {
    if (!study.dicom) throw new FormatError('A DICOM folder can only be written for a DICOM series', { file: output });
    await writeFolder(output, writeDicomSeries(frames, study.dicom, { derivation }));
    return writeFiles({ [`${output.replace(/[/\\]+$/, '')}.json`]: sidecar });
  }
  if (kind === 'npz') return writeFiles({ [output]: writeNpzImage(frames[0]!), [output.replace(/\.npz$/, '.json')]: sidecar });
  const like = study.kind === 'NIfTI' ? study.frames[0] : undefined;
  const bytes = writeNiftiFrames(frames, { gzip: output.endsWith('.gz'), like });
  return writeFiles({ [output]: bytes, [`${imageStem(output)}.json`]: sidecar });
}
