import { gunzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { fill, type Shape3 } from '../../src/core/array.js';
import { affineOf, centredGrid, type PetImage, petImage } from '../../src/core/image.js';
import { readNifti, writeNifti } from '../../src/io/nifti.js';
import { readNiftiFrames, writeNiftiFrames } from '../../src/io/nifti-frames.js';

const shape: Shape3 = [3, 4, 5];
const frame = (t: number): PetImage =>
  petImage(
    centredGrid(shape, [4, 3, 2]),
    fill(shape, (i) => 100 * t + i),
    'SUV',
  );

describe('frames', () => {
  it('go out and come in: 4D, in their order, with grid and unit', () => {
    for (const gzip of [false, true]) {
      const bytes = writeNiftiFrames([frame(0), frame(1), frame(2)], { gzip });
      const header = new DataView(gzip ? new Uint8Array(gunzipSync(bytes)).buffer : bytes.buffer);
      expect([40, 42, 44, 46, 48].map((at) => header.getInt16(at, true))).toEqual([4, 5, 4, 3, 3]);
      const images = readNiftiFrames(bytes, 'x.nii');
      expect(images.length).toBe(3);
      for (const [t, image] of images.entries()) {
        expect([...image.values.data]).toEqual([...frame(t).values.data]);
        expect([...image.affine]).toEqual([...affineOf(frame(t).grid)]);
        expect(image.unit).toBe('SUV');
      }
    }
  });

  it('keep the orientation of the file they came from', () => {
    // A file that runs towards left, posterior: signs of the first two columns turned.
    const bytes = writeNifti(frame(0));
    const view = new DataView(bytes.buffer);
    view.setInt16(252, 0, true); // qform: none
    for (const at of [280, 300]) view.setFloat32(at, -view.getFloat32(at, true), true);
    const [turned] = readNiftiFrames(bytes, 'x.nii');
    const out = writeNiftiFrames([turned!, turned!], { like: turned });
    const voxels = out.subarray(352, 352 + 240);
    expect(Buffer.from(voxels).equals(Buffer.from(bytes.subarray(352)))).toBe(true);
    expect(new DataView(out.buffer).getFloat32(280, true)).toBe(view.getFloat32(280, true));
  });

  it('that are alone are 3D', () => {
    expect(Buffer.from(writeNiftiFrames([frame(7)])).equals(Buffer.from(writeNifti(frame(7))))).toBe(true);
    expect(readNiftiFrames(writeNifti(frame(7)), 'x.nii').length).toBe(1);
    expect([...readNifti(writeNiftiFrames([frame(0), frame(5)]), 'x.nii', { frame: 1 }).values.data]).toEqual([
      ...frame(5).values.data,
    ]);
  });

  it('must be there, on one grid, and complete', () => {
    const other = petImage(
      centredGrid([2, 2, 2], [1, 1, 1]),
      fill([2, 2, 2], () => 1),
      'SUV',
    );
    expect(() => writeNiftiFrames([])).toThrow(/no frame/);
    expect(() => writeNiftiFrames([frame(0), other])).toThrow(/grid/);
    expect(() => readNiftiFrames(writeNiftiFrames([frame(0), frame(1)]).subarray(0, 600), 'x.nii')).toThrow(/cut short/);
  });
});
