/** @file  NIfTI-1 and -2 images, .nii and .nii.gz. In: any orientation, brought to the closest RAS+ axes. Out: float32 in the orientation
 *  of the file that the image came from, same shape, affine and units of length. */
import { array, size } from '../core/array.js';
import { FormatError, OptionError, ShapeError } from '../core/errors.js';
import { checkedGrid, type PetImage, type Unit } from '../core/image.js';
import { gunzip, gzip, isGzip } from './gzip.js';
import {
  columnLengths,
  determinant,
  matrixOfQform,
  qformOfMatrix,
  type Turn,
  turnedMatrix,
  turnedValues,
  turnOf,
} from './nifti-affine.js';
import { type NiftiHeader, niftiDataStart, readNiftiHeader, writeNiftiHeader } from './nifti-header.js';
import { bytesOf, bytesPerSample, decodeSamples, encodeFloat32, finiteSamples, type SampleType } from './samples.js';

/** What `meta.nifti` of an image keeps of its file. */
export interface NiftiMeta {
  readonly version: 1 | 2;
  /** dim[0 … 7] of one frame. */
  readonly dim: readonly number[];
  /** (i, j, k, 1) of the file → mm, row-major. */
  readonly affine: Float64Array;
  readonly turn: Turn;
  /** xyzt_units. */
  readonly units: number;
  /** Code of the transform used; 0: the file did not say where it is. */
  readonly code: number;
  readonly description: string;
}

export interface ReadNiftiOptions {
  /** Which frame of several, from 0. @default refuse several */
  readonly frame?: number | undefined;
  /** @default what the file says if this library wrote it, else 'unknown' */
  readonly unit?: Unit | undefined;
}

const types: Readonly<Record<number, SampleType>> = {
  2: 'uint8',
  4: 'int16',
  8: 'int32',
  16: 'float32',
  64: 'float64',
  256: 'int8',
  512: 'uint16',
  768: 'uint32',
  1024: 'int64',
  1280: 'uint64',
};
const units: readonly Unit[] = ['SUV', 'Bq/mL', '1/cm', 'counts', 'label', 'unknown'];
/** mm in the unit of length of xyzt_units & 7: not said, metre, mm, µm. */
const lengthUnits: readonly number[] = [1, 1000, 1, 0.001];

/**
 * @param file name of the file, for messages
 * @returns values in RAS+ order [z, y, x], with slope and intercept applied. The axes are the closest to the world's; an oblique file
 *   stays oblique, as `affine` tells.
 * @throws FormatError naming the file and the header field.
 */
export function readNifti(data: Uint8Array | ArrayBuffer, file: string, { frame, unit }: ReadNiftiOptions = {}): PetImage {
  const packed = bytesOf(data);
  const bytes = isGzip(packed) ? gunzip(packed, file) : packed;
  const header = readNiftiHeader(bytes, file);
  const dims = dimsOf(header, file, frame);
  const type = typeOf(header, file);
  const count = size(dims);
  const dataStart = startOf(header, file);
  const from = dataStart + (frame ?? 0) * count * bytesPerSample(type);
  const end = dataStart + count * Math.max(1, framesOf(header)) * bytesPerSample(type);
  if (bytes.length < end) {
    throw new FormatError('The voxels are cut short', { file, key: 'dim', expected: `${end} bytes`, found: bytes.length });
  }
  const samples = bytes.subarray(from, from + count * bytesPerSample(type));
  const values = finiteSamples(decodeSamples(samples, type, header.littleEndian, scalingOf(header, file)), file, 'voxels');

  const { affine, code } = affineOfHeader(header, file);
  const turn = turnOf(affine);
  const turned = turnedMatrix(affine, turn, dims);
  const [dx, dy, dz] = columnLengths(turned);
  const [nx, ny, nz] = turn.axis.map((axis) => dims[axis]!) as [number, number, number];
  const dim = [frame === undefined ? header.dim[0]! : 3, ...dims, 1, 1, 1, 1];
  const meta: NiftiMeta = {
    version: header.version,
    dim,
    affine,
    turn,
    units: header.units,
    code,
    description: header.description,
  };
  return {
    grid: checkedGrid({ shape: [nz, ny, nx], voxelSize: [dz, dy, dx], origin: [turned[11]!, turned[7]!, turned[3]!] }),
    values: array([nz, ny, nx], turnedValues(values, turn, dims)),
    unit: unit ?? unitOf(header.description),
    affine: turned,
    meta: { nifti: meta },
  };
}

function framesOf({ dim }: NiftiHeader): number {
  return dim[0]! >= 4 ? dim[4]! : 1;
}

/** Sizes along i, j, k. */
function dimsOf(header: NiftiHeader, file: string, frame: number | undefined): [number, number, number] {
  const [n, ...all] = header.dim as [number, ...number[]];
  if (!(n >= 2 && n <= 7))
    throw new FormatError('Number of dimensions', { file, key: 'dim[0]', expected: '3 (2 … 7)', found: n });
  const used = all.map((length, axis) => (axis < n ? length : 1));
  used.forEach((length, axis) => {
    if (!(length >= 1))
      throw new FormatError('Size of an axis', { file, key: `dim[${axis + 1}]`, expected: 'at least 1', found: length });
    if (axis > 3 && length > 1) {
      throw new FormatError('More than four dimensions', { file, key: `dim[${axis + 1}]`, expected: '1', found: length });
    }
  });
  const frames = framesOf(header);
  if (frame === undefined && frames > 1) {
    throw new FormatError('There are several frames', {
      file,
      key: 'dim[4]',
      expected: '1',
      found: frames,
      hint: `Choose one with the option frame, 0 … ${frames - 1}.`,
    });
  }
  if (frame !== undefined && !(Number.isInteger(frame) && frame >= 0 && frame < frames)) {
    throw new OptionError('No such frame', { file, key: 'frame', expected: `0 … ${frames - 1}`, found: frame });
  }
  return [used[0]!, used[1]!, used[2]!];
}

function typeOf({ datatype, bitpix }: NiftiHeader, file: string): SampleType {
  const type = types[datatype];
  if (!type) {
    throw new FormatError('Datatype is not supported', {
      file,
      key: 'datatype',
      expected: 'real numbers of 8 to 64 bits',
      found: datatype,
    });
  }
  const bits = 8 * bytesPerSample(type);
  if (bitpix !== bits)
    throw new FormatError('Header contradicts itself', { file, key: 'bitpix', expected: `${bits} for ${type}`, found: bitpix });
  return type;
}

function startOf({ version, voxOffset }: NiftiHeader, file: string): number {
  const least = niftiDataStart(version);
  if (voxOffset === 0) return least; // left out by some writers
  if (!Number.isInteger(voxOffset) || voxOffset < least) {
    throw new FormatError('Start of the voxels', {
      file,
      key: 'vox_offset',
      expected: `a whole number ≥ ${least}`,
      found: voxOffset,
    });
  }
  return voxOffset;
}

/** Slope 0 or NaN means that values are as they are. */
function scalingOf({ slope, intercept }: NiftiHeader, file: string): { scale: number; shift: number } {
  if (slope === 0 || Number.isNaN(slope)) return { scale: 1, shift: 0 };
  if (!Number.isFinite(slope) || !Number.isFinite(intercept)) {
    throw new FormatError('Scaling is not finite', { file, key: 'scl_slope, scl_inter', found: `${slope}, ${intercept}` });
  }
  return { scale: slope, shift: intercept };
}

/** sform if there is one, else qform, else spacings alone; in mm. */
function affineOfHeader(header: NiftiHeader, file: string): { affine: Float64Array; code: number } {
  const { sformCode, qformCode, srow, pixdim, quaternion, qoffset } = header;
  const key = sformCode > 0 ? 'srow' : qformCode > 0 ? 'quatern' : 'pixdim';
  if (sformCode <= 0 && !pixdim.slice(1, 4).every((d) => d > 0)) {
    throw new FormatError('Voxel spacing', { file, key: 'pixdim', expected: 'three lengths above 0', found: pixdim.slice(1, 4) });
  }
  const affine =
    sformCode > 0
      ? Float64Array.of(...srow, 0, 0, 0, 1)
      : matrixOfQform(
          ...(qformCode > 0
            ? ([quaternion, qoffset, pixdim] as const)
            : ([
                [0, 0, 0],
                [0, 0, 0],
                [1, ...pixdim.slice(1)],
              ] as const)),
        );
  const scale = lengthUnits[header.units & 7];
  if (scale === undefined)
    throw new FormatError('Unit of length', { file, key: 'xyzt_units', expected: 'm, mm or µm', found: header.units });
  for (let i = 0; affine && i < 12; i++) affine[i]! *= scale;
  const volume = affine ? Math.abs(determinant(affine)) : Number.NaN;
  // Lengths below a nanometre or above a kilometre are damage, not geometry.
  const sound = affine?.every(Number.isFinite) && columnLengths(affine).every((d) => d > 1e-6 && d < 1e6);
  if (!affine || !sound || !(volume > 1e-6 * columnLengths(affine).reduce((product, d) => product * d))) {
    throw new FormatError('The affine is not one', {
      file,
      key,
      expected: 'three finite, independent axes',
      found: key === 'srow' ? srow : key === 'quatern' ? quaternion : pixdim.slice(1, 4),
    });
  }
  return { affine, code: Math.max(0, sformCode > 0 ? sformCode : qformCode) };
}

const ours = 'coincide; unit=';

function unitOf(description: string): Unit {
  return units.find((unit) => description === ours + unit) ?? 'unknown';
}

export interface WriteNiftiOptions {
  /** Image whose file gives orientation, shape and affine. @default the image itself, or RAS+ if it came from no NIfTI file */
  readonly like?: PetImage | undefined;
  /** @default false */
  readonly gzip?: boolean | undefined;
}

/**
 * float32, little-endian, slope 1; sform, and qform too unless the axes are sheared.
 * @throws ShapeError when `like` is another grid.
 */
export function writeNifti(image: PetImage, { like, gzip: pack = false }: WriteNiftiOptions = {}): Uint8Array {
  const source = niftiMeta(like ?? image) ?? ownGrid(like ?? image);
  const same = sameGrid(source, image);
  if (like && !same) {
    throw new ShapeError('The image is not on the grid of `like`', {
      expected: `[${like.grid.shape.join(', ')}] and its affine`,
      found: [...image.grid.shape],
      hint: 'Resample it to that grid first.',
    });
  }
  // An image that came from a file but was resampled since goes out on its own grid.
  const target = same ? source : ownGrid(image);
  const dims = target.dim.slice(1, 4);
  const version = target.version === 2 || dims.some((n) => n > 32767) ? 2 : 1;
  const scale = lengthUnits[target.units & 7]!;
  const affine = target.affine.map((value, i) => (i < 12 ? value / scale : value));
  const qform = qformOfMatrix(affine);
  const start = niftiDataStart(version);
  const bytes = new Uint8Array(start + 4 * size(dims));
  writeNiftiHeader(bytes, {
    version,
    littleEndian: true,
    dim: target.dim,
    datatype: 16,
    bitpix: 32,
    pixdim: [qform?.qfac ?? 1, ...columnLengths(affine), 0, 0, 0, 0],
    voxOffset: start,
    slope: 1,
    intercept: 0,
    qformCode: qform ? target.code : 0,
    sformCode: target.code,
    quaternion: qform?.quaternion ?? [0, 0, 0],
    qoffset: [affine[3]!, affine[7]!, affine[11]!],
    srow: [...affine.slice(0, 12)],
    units: target.units,
    description: ours + image.unit,
  });
  bytes.set(encodeFloat32(turnedValues(image.values.data, target.turn, dims, true)), start);
  return pack ? gzip(bytes) : bytes;
}

function niftiMeta({ meta }: PetImage): NiftiMeta | undefined {
  return meta.nifti as NiftiMeta | undefined;
}

function ownGrid({ grid: { shape }, affine }: PetImage): NiftiMeta {
  const dim = [3, shape[2], shape[1], shape[0], 1, 1, 1, 1];
  const turn: Turn = { axis: [0, 1, 2], reversed: [false, false, false] };
  return { version: 1, dim, affine, turn, units: 2, code: 1, description: '' };
}

/** Does the file turn into the image's shape and, within a thousandth of a mm (float32 in between), its affine? */
function sameGrid({ affine, turn, dim }: NiftiMeta, image: PetImage): boolean {
  const dims = dim.slice(1, 4);
  const shape = turn.axis.map((axis) => dims[axis]).reverse();
  const turned = turnedMatrix(affine, turn, dims);
  return (
    shape.every((n, axis) => n === image.grid.shape[axis]) &&
    turned.every((value, i) => Math.abs(value - image.affine[i]!) < 1e-3)
  );
}
