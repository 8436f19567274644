/** @file  An image to be looked at, and what was written beside it. */
import { existsSync } from 'node:fs';
import { OptionError } from '../core/errors.js';
import type { PetImage } from '../core/image.js';
import { readJson } from './files.js';
import { readStudy } from './study.js';

export interface Shown {
  readonly image: PetImage;
  /** Frames that the file holds. */
  readonly frames: number;
  readonly sidecar?: Readonly<Record<string, unknown>> | undefined;
}

/**
 * Reads whatever `denoise` reads: NIfTI, Interfile, .npz, a DICOM folder; DICOM in SUV where that can be computed.
 * @param frame of a file of several, from 0.
 * @throws FormatError naming the file; OptionError when there is no such frame.
 */
export async function readShown(source: string, frame = 0): Promise<Shown> {
  const { frames, suv } = await readStudy(source, { dicomUnit: 'file' });
  const image = frames[frame];
  if (!image)
    throw new OptionError('There is no such frame', {
      file: source,
      key: 'frame',
      expected: `0 … ${frames.length - 1}`,
      found: frame,
    });
  const factor = suv instanceof Error || image.unit !== 'Bq/mL' ? undefined : suv?.suvPerUnit;
  return {
    image: factor === undefined ? image : inSuv(image, factor),
    frames: frames.length,
    sidecar: await readSidecar(source),
  };
}

function inSuv(image: PetImage, factor: number): PetImage {
  for (let i = 0; i < image.values.data.length; i++) image.values.data[i]! *= factor;
  return { ...image, unit: 'SUV' };
}

/** The JSON object beside an image: name.json for name.nii.gz or for a DICOM folder. */
export async function readSidecar(source: string): Promise<Readonly<Record<string, unknown>> | undefined> {
  const file = `${source.replace(/[/\\]+$/, '').replace(/\.(nii(\.gz)?|npz|hv)$/i, '')}.json`;
  if (file === source || !existsSync(file)) return undefined;
  const found = await readJson(file);
  return found !== null && typeof found === 'object' && !Array.isArray(found) ? (found as Record<string, unknown>) : undefined;
}
