import { describe, expect, it } from 'vitest';
import { fill, total } from '../../src/core/array.js';
import { FormatError } from '../../src/core/errors.js';
import { toWorld } from '../../src/geometry/frame.js';
import { readInterfileImage, writeInterfileImage } from '../../src/io/interfile-image.js';
import { sharedFile } from './shared-data.js';

const lines = [
  'number format := float',
  'number of bytes per pixel := 4',
  'imagedata byte order := LITTLEENDIAN',
  'number of dimensions := 3',
  'matrix size [1] := 4',
  'matrix size [2] := 3',
  'matrix size [3] := 2',
  'scaling factor (mm/pixel) [1] := 2',
  'scaling factor (mm/pixel) [2] := 3',
  'scaling factor (mm/pixel) [3] := 5',
];
const text = (...more: string[]): string => ['!INTERFILE :=', ...lines, ...more, '!END OF INTERFILE :='].join('\n');
const data = new Uint8Array(Float32Array.from({ length: 24 }, (_, i) => i).buffer);

describe('readInterfileImage', () => {
  it('has x fastest, index 0 of x and y on the axis, and the middle of z in the middle', () => {
    const { grid, values } = readInterfileImage(text(), data, 'a.hv');
    expect(grid).toEqual({ shape: [2, 3, 4], voxelSize: [5, 3, 2], origin: [-2.5, -3, -4] });
    expect(values.get(1, 2, 3)).toBe(23);
    expect(values.get(0, 1, 0)).toBe(4);
  });

  it('takes offsets of x and y as the place of the first pixel and that of z as a displacement of the middle', () => {
    const offsets = [1, 2, 3].map((axis) => `first pixel offset (mm) [${axis}] := ${axis * 10}`);
    expect(readInterfileImage(text(...offsets), data, 'a.hv').grid.origin).toEqual([-2.5 + 30, 20, 10]);
  });

  it.each(['HFS', 'FFP', 'FFS', 'HFP'] as const)('returns an off-centre image, %s, as it was', (position) => {
    const grid = { shape: [3, 4, 5], voxelSize: [1.7, 2.1, 2.08626], origin: [-31.25, 4.5, -6] } as const;
    const values = fill(grid.shape, (i) => Math.sin(i));
    const exam = { position, energyWindow: [430, 610], start: 1.5, duration: 60 } as const;
    const written = writeInterfileImage({ grid, values }, { dataFile: 'b.v', exam });
    const back = readInterfileImage(written.header, written.data, 'b.hv');
    expect(back.exam).toEqual(exam);
    expect([...back.values.data]).toEqual([...values.data]);
    expect(back.grid.voxelSize).toEqual(grid.voxelSize);
    back.grid.origin.forEach((at, axis) => {
      expect(at).toBeCloseTo(grid.origin[axis]!, 9);
    });
  });

  it.each([
    [text().replace('dimensions := 3', 'dimensions := 4'), /number of dimensions/],
    [text('!PET data type := Emission'), /PET data type/],
    [text().replace('[2] := 3', '[2] := -3'), /matrix size \[2\]/],
    [text().replace('[1] := 4', '[1] := 99999999999'), /matrix size \[1\]/],
    [text().replace('[3] := 2', '[3] := 60000'), /cut short/],
    [text().replace('(mm/pixel) [3] := 5', '(mm/pixel) [3] := 0'), /scaling factor \(mm\/pixel\) \[3\]/],
    [text('matrix axis label [1] := y'), /matrix axis label \[1\]/],
    [text('number of time frames := 2'), /number of time frames/],
    [text('patient orientation := head_in', 'patient rotation := left'), /patient rotation/],
  ])('refuses %#', (header, message) => {
    const read = () => readInterfileImage(header, data, 'a.hv');
    expect(read).toThrow(FormatError);
    expect(read).toThrow(message);
  });

  it('reads the sensitivity image of the STIR test pack', (ctx) => {
    const header = sharedFile(ctx, 'RPTsens_seg3_PM.hv');
    const { grid, values, exam } = readInterfileImage(header, sharedFile(ctx, 'RPTsens_seg3_PM.v'), 'RPTsens_seg3_PM.hv');
    expect(grid.shape).toEqual([31, 60, 60]);
    expect(grid.origin).toEqual([-15 * 3.375, -30 * 4.44114, -30 * 4.44114]);
    expect(values.data.reduce((a, b) => Math.max(a, b), 0)).toBeCloseTo(487.31788, 4);
    expect(total(values) / 3.62756661e7).toBeCloseTo(1, 7);
    expect(values.data.filter((x) => x !== 0).length).toBe(85591);
    expect(values.get(15, 30, 30)).toBeCloseTo(463.92609, 4);
    expect(exam.position).toBeUndefined();
    // The middle voxel lies on the axis: in the world of a supine patient it is still there, at index n − 1 − 30.
    const world = toWorld(values, grid, 'HFS', 'unknown');
    expect(world.values.get(15, 29, 29)).toBeCloseTo(463.92609, 4);
    expect(world.grid.origin[2] + 29 * 4.44114).toBeCloseTo(0, 9);
  });
});
