import { describe, expect, it } from 'vitest';
import { fill } from '../../src/core/array.js';
import { FormatError } from '../../src/core/errors.js';
import { readNpy, readNpz, readNpzImage, writeNpy, writeNpz, writeNpzImage } from '../../src/io/npz.js';

const bytes = (base64: string): Uint8Array => Buffer.from(base64, 'base64');
// a = np.arange(24).reshape(2, 3, 4), NumPy 1.24:
// np.savez_compressed(f, arr_0=np.stack([a, a + 100]).astype('<f8'))
const stacked = bytes(
  'UEsDBBQAAAAIAAAAIQChuSg/tQAAAAACAAAJABQAYXJyXzAubnB5AQAQAAACAAAAAAAAtQAAAAAAAACdybsOAUEUgOHRiUqhUCgmIgaZiMu6RCS20hGNYl2zYTcKQXZFI5J5By80j+QRrPgbrZNJvjPnf07nk5mXEjdxV/sg3kVqINUw7CstVXiOrpF/2p6jffC5j/1jHCT3+OBfguRfaWmZvLaWTlXLh/xjMuJnXiMW90sas5jDPBZQYhFLWMYK1lBjHRvYxBa20cEOdrGH3lcXDVoUCzoatCiWdDRoUazoaNCiWNPRoEWxoaNBu3HfUEsBAhQDFAAAAAgAAAAhAKG5KD+1AAAAAAIAAAkAAAAAAAAAAAAAAIABAAAAAGFycl8wLm5weVBLBQYAAAAAAQABADcAAADwAAAAAAA=',
);
// np.save(f, np.asfortranarray(a.astype('>i2')))
const fortran = bytes(
  'k05VTVBZAQB2AHsnZGVzY3InOiAnPmkyJywgJ2ZvcnRyYW5fb3JkZXInOiBUcnVlLCAnc2hhcGUnOiAoMiwgMywgNCksIH0gICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIAoAAAAMAAQAEAAIABQAAQANAAUAEQAJABUAAgAOAAYAEgAKABYAAwAPAAcAEwALABc=',
);
// np.save(f, np.array([1.5, -2, .25], '<f2')) and np.save(f, np.array([1 + 2j]))
const half = bytes(
  'k05VTVBZAQB2AHsnZGVzY3InOiAnPGYyJywgJ2ZvcnRyYW5fb3JkZXInOiBGYWxzZSwgJ3NoYXBlJzogKDMsKSwgfSAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIAoAPgDAADQ=',
);
const complex = bytes(
  'k05VTVBZAQB2AHsnZGVzY3InOiAnPGMxNicsICdmb3J0cmFuX29yZGVyJzogRmFsc2UsICdzaGFwZSc6ICgxLCksIH0gICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIAoAAAAAAADwPwAAAAAAAABA',
);
const counting = Array.from({ length: 24 }, (_, i) => i);

describe('npy and npz', () => {
  it('reads what NumPy writes: doubles compressed, big-endian integers in Fortran order, halves', async () => {
    const array = (await readNpz(stacked, 'x.npz')).get('arr_0')!;
    expect([array.shape, [...array.data]]).toEqual([
      [2, 2, 3, 4],
      [...counting, ...counting.map((i) => i + 100)],
    ]);
    const f = readNpy(fortran, 'x.npy');
    expect([f.shape, [...f.data]]).toEqual([[2, 3, 4], counting]);
    expect([...readNpy(half, 'x.npy').data]).toEqual([1.5, -2, 0.25]);
  });

  it('writes headers of 64 bytes, and reads them back', async () => {
    for (const shape of [[5], [2, 3], [1, 2, 3, 4]]) {
      const x = fill(shape, (i) => i / 3);
      const npy = writeNpy(x);
      expect((npy.length - 4 * x.data.length) % 64).toBe(0);
      expect(readNpy(npy, 'x')).toMatchObject({ shape, data: x.data });
      expect((await readNpz(writeNpz({ a: x, b: x }), 'x')).get('b')).toMatchObject({ shape, data: x.data });
    }
  });

  it.each([
    ['complex numbers', complex, /descr.*real numbers.*c16/],
    ['a text', Buffer.from('this is no array at all'), /no NumPy array/],
    ['an array cut short', half.subarray(0, half.length - 1), /6 bytes.*found 5/],
  ])('refuses %s', (_, npy, says) => {
    expect(() => readNpy(npy, 'x.npy')).toThrow(FormatError);
    expect(() => readNpy(npy, 'x.npy')).toThrow(says);
  });
});

describe('volumes of the published denoiser', () => {
  it('take the low dose, with the axial axis first', async () => {
    const { values, grid, unit } = await readNpzImage(stacked, 'x.npz');
    expect([grid.shape, grid.voxelSize, unit]).toEqual([[4, 2, 3], [1.65, 1.65, 1.65], 'SUV']);
    for (let z = 0; z < 4; z++) for (let i = 0; i < 6; i++) expect(values.data[6 * z + i]).toBe(4 * i + z);
  });

  it('go out as they came in', async () => {
    const out = (await readNpz(writeNpzImage(await readNpzImage(stacked, 'x.npz')), 'y.npz')).get('arr_0')!;
    expect([out.shape, [...out.data]]).toEqual([[2, 3, 4], counting]);
  });

  it('are refused without arr_0, or with other axes', async () => {
    await expect(readNpzImage(writeNpz({ other: fill([2, 2, 2], () => 1) }), 'x.npz')).rejects.toThrow(/arr_0.*other/);
    await expect(readNpzImage(writeNpz({ arr_0: fill([4], () => 1) }), 'x.npz')).rejects.toThrow(/row, column, axial/);
    await expect(readNpzImage(writeNpz({ arr_0: fill([1, 1, 2], () => Number.NaN) }), 'x.npz')).rejects.toThrow(/not finite/);
  });
});
