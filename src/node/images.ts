/** @file  Images as files: NIfTI or Interfile in, NIfTI out, with a sidecar that says how it was made. */
import { existsSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { FormatError } from '../core/errors.js';
import type { PetImage, Unit } from '../core/image.js';
import { toWorld } from '../geometry/frame.js';
import { interfileDataFile } from '../io/interfile-data.js';
import { readInterfileImage } from '../io/interfile-image.js';
import { readNifti, writeNifti } from '../io/nifti.js';
import { json, readBytes, readJson, writeFiles } from './files.js';
import { version } from './version.js';

/**
 * Reads .nii, .nii.gz, or an Interfile header (.hv, .h33), by its name.
 * @param unit what the values are in, where the file does not say.
 * @throws FormatError naming file and key.
 */
export async function readImage(file: string, unit?: Unit): Promise<PetImage> {
  if (/\.nii(\.gz)?$/i.test(file)) return readNifti(inflated(await readBytes(file)), file, { unit });
  if (/\.(hv|h33|hdr)$/i.test(file)) {
    const header = await readBytes(file);
    const data = resolve(dirname(file), interfileDataFile(header, file));
    const { grid, values, exam } = readInterfileImage(header, await readBytes(data), file);
    return toWorld(values, grid, exam.position ?? 'HFS', unit ?? 'unknown');
  }
  throw new FormatError('This is no image that can be read', {
    ...{ file, expected: 'a name that ends in .nii.gz or .nii, or an Interfile header .hv' },
    hint: otherThanImage(file),
  });
}

/** What a file that is no image may be, and who takes it. */
function otherThanImage(file: string): string | undefined {
  if (/\.(hs|s)$/i.test(file)) return 'These are projection data: coincide recon makes an image of them.';
  if (/\.(v|img)$/i.test(file)) return 'Give the header that describes it.';
  if (/\.(json|csv)$/i.test(file)) return 'Give the image beside it.';
  return statSync(file, { throwIfNoEntry: false })?.isDirectory() ? 'This is a folder: name the file in it.' : undefined;
}

/** zlib is several times faster than what also runs in browsers; what it refuses is left for the reader to explain. */
export function inflated(bytes: Uint8Array): Uint8Array {
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return bytes;
  try {
    return gunzipSync(bytes);
  } catch {
    return bytes;
  }
}

/**
 * Writes NIfTI and, beside it, a sidecar JSON with the report and the program's version.
 * @param like the input that the output stands for: same shape, orientation and affine.
 * @throws FormatError when the name is not that of a NIfTI file.
 */
export async function writeImage(
  file: string,
  image: PetImage,
  report: Readonly<Record<string, unknown>>,
  like?: PetImage,
): Promise<void> {
  const stem = imageStem(file);
  const bytes = writeNifti(image, { gzip: file.endsWith('.gz'), like });
  await writeFiles({ [file]: bytes, [`${stem}.json`]: json({ coincide: version(), unit: image.unit, ...report }) });
}

/** @throws FormatError when the name is not that of a NIfTI file: asked before long work. */
export function imageStem(file: string): string {
  const match = /^(.*)\.nii(\.gz)?$/.exec(file);
  if (!match) throw new FormatError('Images are written as NIfTI', { file, expected: 'a name that ends in .nii.gz or .nii' });
  return match[1]!;
}

/**
 * A label image and the names of its labels, from labels.json beside it; without one, labels are called by their numbers.
 * @throws FormatError when a value is no whole number.
 */
export async function readLabels(file: string): Promise<{ labels: PetImage; names: Readonly<Record<string, string>> }> {
  const labels = await readImage(file, 'label');
  const odd = labels.values.data.find((value) => !(Number.isInteger(value) && value >= 0));
  if (odd !== undefined) {
    const hint = 'Is it the image instead of its labels, or were labels interpolated?';
    throw new FormatError('This is no label image', { file, expected: 'whole numbers ≥ 0', found: odd, hint });
  }
  const beside = join(dirname(file), 'labels.json');
  if (existsSync(beside)) return { labels, names: (await readJson(beside)) as Record<string, string> };
  const found = [...new Set(labels.values.data)].filter((label) => label !== 0).sort((a, b) => a - b);
  return { labels, names: Object.fromEntries(found.map((label) => [label, String(label)])) };
}
