/** @file  Interfile images (.hv + .v) in the scanner frame.
 *  Voxel index 0 of x and y, −⌊n/2⌋ … , lies on the axis of the scanner; along z the middle of the image is the middle of the scanner.
 *  Hence the centre of the first voxel is at
 *    x₀ = −⌊nx/2⌋ dx,   y₀ = −⌊ny/2⌋ dy,   z₀ = −(nz − 1)/2 dz,
 *  and `first pixel offset (mm) [n]`, where given, replaces x₀ and y₀ and is added to z₀, as STIR's projectors take it. */
import { array, type Point, size, type Volume } from '../core/array.js';
import { FormatError } from '../core/errors.js';
import { checkedGrid, type Grid } from '../core/image.js';
import {
  findNumber,
  findText,
  formatInterfile,
  type InterfileHeader,
  integerOf,
  numberOf,
  parseInterfile,
  wordOf,
} from './interfile.js';
import { decodeInterfile, float32Keys } from './interfile-data.js';
import { type Exam, examKeys, readExam } from './interfile-exam.js';
import { encodeFloat32 } from './samples.js';

export interface InterfileImage {
  /** In the scanner frame; `toWorld` of geometry brings it to the patient's. */
  readonly grid: Grid;
  /** Shape [nz, ny, nx]. The header knows no unit. */
  readonly values: Volume;
  readonly exam: Exam;
}

const axes = ['x', 'y', 'z'] as const;

/**
 * @param header text of the header
 * @param data the bytes of the file that it names
 * @param file name of the header, for messages
 * @throws FormatError naming the file and the key.
 */
export function readInterfileImage(header: string | Uint8Array, data: Uint8Array | ArrayBuffer, file: string): InterfileImage {
  const keys = parseInterfile(header, file);
  const grid = readGrid(keys);
  return { grid, values: array(grid.shape, decodeInterfile(keys, data, size(grid.shape))), exam: readExam(keys) };
}

function readGrid(header: InterfileHeader): Grid {
  const { file } = header;
  const dimensions = integerOf(header, 'number of dimensions', { absent: 3 });
  const kind = findText(header, 'PET data type');
  if (dimensions !== 3 || (kind !== undefined && kind.toLowerCase() !== 'image')) {
    throw new FormatError('Not an image', {
      file,
      key: dimensions === 3 ? 'PET data type' : 'number of dimensions',
      expected: '3 dimensions, PET data type Image',
      found: `${dimensions} dimensions, ${kind ?? 'no type'}`,
      hint: 'Projection data are read by readInterfileProjData.',
    });
  }
  const n = [1, 2, 3].map((axis) => integerOf(header, `matrix size [${axis}]`, { high: 65536 })) as [number, number, number];
  const d = axes.map((name, axis) => {
    if (findText(header, `matrix axis label [${axis + 1}]`)) wordOf(header, `matrix axis label [${axis + 1}]`, [name]);
    const key = `scaling factor (mm/pixel) [${axis + 1}]`;
    const value = numberOf(header, key);
    if (!(value > 0)) throw new FormatError('Voxel size', { file, key, expected: 'a length in mm above 0', found: value });
    return value;
  }) as [number, number, number];
  const offset = (axis: number): number | undefined => findNumber(header, `first pixel offset (mm) [${axis + 1}]`);
  const origin: Point = [
    -((n[2] - 1) / 2) * d[2] + (offset(2) ?? 0),
    offset(1) ?? -Math.floor(n[1] / 2) * d[1],
    offset(0) ?? -Math.floor(n[0] / 2) * d[0],
  ];
  return checkedGrid({ shape: [n[2], n[1], n[0]], voxelSize: [d[2], d[1], d[0]], origin });
}

export interface InterfileImageOptions {
  /** Name of the data file, relative to the header. */
  readonly dataFile: string;
  /** @default nothing known */
  readonly exam?: Exam | undefined;
}

/** An image of the scanner frame as a header and float32 data that STIR reads. */
export function writeInterfileImage(
  { grid: { shape, voxelSize, origin }, values }: { readonly grid: Grid; readonly values: Volume },
  { dataFile, exam = {} }: InterfileImageOptions,
): { readonly header: string; readonly data: Uint8Array } {
  const { patient, frame } = examKeys(exam);
  const middle = -((shape[0] - 1) / 2) * voxelSize[0];
  const along = Math.abs(origin[0] - middle) < 1e-6 ? 0 : origin[0] - middle; // mm; rounding is no displacement
  const offsets = [origin[2], origin[1], along];
  const header = formatInterfile([
    ['!imaging modality', 'PT'],
    ['name of data file', dataFile],
    ['!version of keys', 'STIR4.0'],
    ['!GENERAL DATA', ''],
    ...patient,
    ['!GENERAL IMAGE DATA', ''],
    ['!type of data', 'PET'],
    ...float32Keys,
    ['!PET STUDY (General)', ''],
    ['!PET data type', 'Image'],
    ['process status', 'Reconstructed'],
    ['number of dimensions', 3],
    ...axes.flatMap((name, axis): [string, string | number][] => [
      [`matrix axis label [${axis + 1}]`, name],
      [`!matrix size [${axis + 1}]`, shape[2 - axis]!],
      [`scaling factor (mm/pixel) [${axis + 1}]`, voxelSize[2 - axis]!],
      [`first pixel offset (mm) [${axis + 1}]`, offsets[axis]!],
    ]),
    ...frame,
  ]);
  return { header, data: encodeFloat32(values.data) };
}
