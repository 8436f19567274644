/** @file  NIfTI of several frames: dim[4] volumes, one after the other. */
import { FormatError, ShapeError } from '../core/errors.js';
import type { PetImage } from '../core/image.js';
import { gunzip, gzip, isGzip } from './gzip.js';
import { type ReadNiftiOptions, readNifti, type WriteNiftiOptions, writeNifti } from './nifti.js';
import { niftiDataStart, readNiftiHeader, writeNiftiHeader } from './nifti-header.js';
import { bytesOf } from './samples.js';

/** All frames, in the order of the file; one for a 3D image. @throws FormatError as `readNifti` does. */
export function readNiftiFrames(
  data: Uint8Array | ArrayBuffer,
  file: string,
  { unit }: Pick<ReadNiftiOptions, 'unit'> = {},
): PetImage[] {
  const packed = bytesOf(data);
  const bytes = isGzip(packed) ? gunzip(packed, file) : packed;
  const { dim } = readNiftiHeader(bytes, file);
  const frames = dim[0]! >= 4 ? dim[4]! : 1;
  if (!(Number.isInteger(frames) && frames >= 1 && frames <= 65535)) {
    throw new FormatError('Number of frames', { file, key: 'dim[4]', expected: 'at least 1', found: frames });
  }
  return Array.from({ length: frames }, (_, frame) => readNifti(bytes, file, { frame, unit }));
}

/**
 * Writes frames into one file, as `writeNifti` writes one; a single frame is a 3D image.
 * @throws ShapeError when the frames are not on one grid.
 */
export function writeNiftiFrames(images: readonly PetImage[], { like, gzip: pack = false }: WriteNiftiOptions = {}): Uint8Array {
  const [first] = images;
  if (!first) throw new ShapeError('There is no frame to write', { expected: 'one or more', found: 0 });
  if (images.length === 1) return writeNifti(first, { like, gzip: pack });
  const volumes = images.map((image) => writeNifti(image, { like: like ?? first }));
  const header = readNiftiHeader(volumes[0]!, 'header');
  const start = niftiDataStart(header.version);
  const voxels = volumes[0]!.length - start;
  const bytes = new Uint8Array(start + voxels * images.length);
  const dim = [4, ...header.dim.slice(1, 4), images.length, 1, 1, 1];
  writeNiftiHeader(bytes, { ...header, dim, pixdim: [...header.pixdim.slice(0, 4), 1, 0, 0, 0] });
  volumes.forEach((volume, frame) => {
    bytes.set(volume.subarray(start), start + frame * voxels);
  });
  return pack ? gzip(bytes) : bytes;
}
