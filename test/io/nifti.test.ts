import { gunzipSync, gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { array, fill } from '../../src/core/array.js';
import { CoincideError, FormatError, ShapeError } from '../../src/core/errors.js';
import { centredGrid, type PetImage, petImage, type Unit } from '../../src/core/image.js';
import { readNifti, writeNifti } from '../../src/io/nifti.js';

type Width = 'Int16' | 'Int32' | 'Float32' | 'Float64' | 'BigInt64' | 'Uint8';
interface Made {
  readonly version?: 1 | 2;
  readonly little?: boolean;
  readonly dims?: readonly number[];
  readonly rows?: readonly (readonly number[])[];
  readonly qform?: { quaternion: readonly number[]; offset: readonly number[]; pixdim: readonly number[] };
  readonly type?: readonly [code: number, bits: number, set: string];
  readonly units?: number;
  readonly slope?: readonly [number, number];
  readonly value?: (i: number) => number;
  readonly patch?: (view: DataView) => unknown;
}

/** A NIfTI file written field by field from nifti1.h and nifti2.h, independently of the library. */
function makeNifti({
  version = 1,
  little = true,
  dims = [4, 3, 2],
  rows,
  qform,
  units = 2,
  patch,
  ...rest
}: Made = {}): Uint8Array {
  const { type = [16, 32, 'setFloat32'], slope = [1, 0], value = (i: number) => i } = rest;
  const count = dims.reduce((a, b) => a * b, 1);
  const start = version === 1 ? 352 : 544;
  const view = new DataView(new ArrayBuffer(start + (count * type[1]) / 8));
  const put = (width: Width, at: number, ...values: readonly number[]): void =>
    values.forEach((x, i) => {
      const bytes = { Int16: 2, Int32: 4, Float32: 4, Float64: 8, BigInt64: 8, Uint8: 1 }[width];
      if (width === 'BigInt64') view.setBigInt64(at + i * bytes, BigInt(x), little);
      else if (width === 'Uint8') view.setUint8(at + i, x);
      else view[`set${width}`](at + i * bytes, x, little);
    });
  const pixdim = qform?.pixdim ?? [1, 2, 2, 2];
  const dim = [dims.length, ...dims, 1, 1, 1, 1, 1].slice(0, 8);
  const codes = [qform ? 1 : 0, rows ? 2 : 0];
  if (version === 1) {
    put('Int32', 0, 348);
    put('Int16', 40, ...dim);
    put('Int16', 70, type[0], type[1]);
    put('Float32', 76, ...pixdim);
    put('Float32', 108, start, ...slope);
    put('Uint8', 123, units);
    put('Int16', 252, ...codes);
    put('Float32', 256, ...(qform ? [...qform.quaternion, ...qform.offset] : []));
    put('Float32', 280, ...(rows ?? []).flat());
    put('Uint8', 344, 0x6e, 0x2b, 0x31, 0);
  } else {
    put('Int32', 0, 540);
    put('Uint8', 4, 0x6e, 0x2b, 0x32, 0, 0x0d, 0x0a, 0x1a, 0x0a);
    put('Int16', 12, type[0], type[1]);
    put('BigInt64', 16, ...dim);
    put('Float64', 104, ...pixdim);
    put('BigInt64', 168, start);
    put('Float64', 176, ...slope);
    put('Int32', 344, ...codes);
    put('Float64', 352, ...(qform ? [...qform.quaternion, ...qform.offset] : []));
    put('Float64', 400, ...(rows ?? []).flat());
    put('Int32', 500, units);
  }
  const big = type[2].includes('Big');
  for (let i = 0; i < count; i++) {
    const set = view[type[2] as 'setFloat32'] as (at: number, x: unknown, little: boolean) => void;
    set.call(view, start + (i * type[1]) / 8, big ? BigInt(value(i)) : value(i), little);
  }
  patch?.(view);
  return new Uint8Array(view.buffer);
}

const at = (m: ArrayLike<number>, [i, j, k]: readonly number[]): number[] =>
  [0, 4, 8].map((row) => m[row]! * i! + m[row + 1]! * j! + m[row + 2]! * k! + m[row + 3]!);
const key = (p: readonly number[]): string => p.map((x) => (Math.round(x * 100) / 100 + 0).toFixed(2)).join(' ');

/** Every voxel's value at its place in the world, by the file's own affine. */
function worldOfFile(dims: readonly number[], rows: readonly (readonly number[])[]): Map<string, number> {
  const out = new Map<string, number>();
  const m = [...rows.flat(), 0, 0, 0, 1];
  for (let k = 0, n = 0; k < dims[2]!; k++) {
    for (let j = 0; j < dims[1]!; j++) for (let i = 0; i < dims[0]!; i++) out.set(key(at(m, [i, j, k])), n++);
  }
  return out;
}
function worldOfImage({ values, affine }: PetImage): Map<string, number> {
  const out = new Map<string, number>();
  const [nz, ny, nx] = values.shape as [number, number, number];
  for (let k = 0; k < nz; k++) {
    for (let j = 0; j < ny; j++) for (let i = 0; i < nx; i++) out.set(key(at(affine, [i, j, k])), values.get(k, j, i));
  }
  return out;
}

const c = Math.cos(0.3);
const s = Math.sin(0.3);
const orientations: Record<string, readonly (readonly number[])[]> = {
  RAS: [
    [2, 0, 0, -7],
    [0, 3, 0, 11],
    [0, 0, 4, 100.5],
  ],
  LAS: [
    [-2, 0, 0, 90],
    [0, 3, 0, -126],
    [0, 0, 4, -72],
  ],
  LPI: [
    [-2, 0, 0, 9],
    [0, -3, 0, 8],
    [0, 0, -4, 7],
  ],
  'PSR (sagittal)': [
    [0, 0, 4, -20],
    [-2, 0, 0, 30],
    [0, 3, 0, 40],
  ],
  'SLA with an oblique turn': [
    [0, -3 * c, 4 * s, 5],
    [0, 3 * s, 4 * c, -6],
    [2, 0, 0, 7],
  ],
};

describe('orientation', () => {
  for (const version of [1, 2] as const) {
    it.each(Object.entries(orientations))(
      `%s, NIfTI-${version}: each voxel keeps its place, and the file comes back`,
      (_, rows) => {
        const file = makeNifti({ version, rows });
        const image = readNifti(file, 'a.nii');
        expect(worldOfImage(image)).toEqual(worldOfFile([4, 3, 2], rows));
        for (let axis = 0; axis < 3; axis++) {
          const column = [0, 1, 2].map((row) => Math.abs(image.affine[4 * row + axis]!));
          expect(Math.max(...column)).toBe(image.affine[5 * axis]); // positive and the largest: RAS+
          expect(image.grid.voxelSize[2 - axis]).toBeCloseTo(Math.hypot(...column), 5);
          expect(image.grid.origin[2 - axis]).toBe(image.affine[4 * axis + 3]);
        }
        const written = writeNifti(image);
        const raw = new DataView(written.buffer);
        const [width, srow, dim, data] = version === 1 ? ([4, 280, 40, 352] as const) : ([8, 400, 16, 544] as const);
        rows.flat().forEach((x, i) => {
          expect(width === 4 ? raw.getFloat32(srow + 4 * i, true) : raw.getFloat64(srow + 8 * i, true)).toBeCloseTo(x, 5);
        });
        const sizes = [0, 1, 2, 3].map((i) =>
          width === 4 ? raw.getInt16(dim + 2 * i, true) : Number(raw.getBigInt64(dim + 8 * i, true)),
        );
        expect(sizes).toEqual([3, 4, 3, 2]);
        expect([...new Float32Array(written.slice(data).buffer)]).toEqual(Array.from({ length: 24 }, (_, i) => i));
        // qform alone says the same: with the sform taken away nothing moves.
        if (version === 1) raw.setInt16(254, 0, true);
        else raw.setInt32(348, 0, true);
        const byQform = readNifti(written, 'b.nii');
        byQform.affine.forEach((x, i) => {
          expect(x).toBeCloseTo(image.affine[i]!, 4);
        });
        expect([...byQform.values.data]).toEqual([...image.values.data]);
      },
    );
  }

  it('prefers the sform to the qform', () => {
    const qform = { quaternion: [0, 0, 0], offset: [1, 2, 3], pixdim: [1, 9, 9, 9] };
    expect(readNifti(makeNifti({ rows: orientations.LAS!, qform }), 'a').grid.voxelSize).toEqual([4, 3, 2]);
    const lesser = makeNifti({
      rows: orientations.LAS!,
      qform,
      patch: (v) => [v.setInt16(252, 4, true), v.setInt16(254, 1, true)],
    });
    expect(readNifti(lesser, 'a').grid.voxelSize).toEqual([4, 3, 2]);
  });

  it('reads a qform: half a turn about z (b, c, d) = (0, 0, 1), qfac −1', () => {
    const qform = { quaternion: [0, 0, 1], offset: [10, 20, 30], pixdim: [-1, 2, 3, 4] };
    const rows = [
      [-2, 0, 0, 10],
      [0, -3, 0, 20],
      [0, 0, -4, 30],
    ];
    expect(worldOfImage(readNifti(makeNifti({ qform }), 'a'))).toEqual(worldOfFile([4, 3, 2], rows));
  });

  it('reads a qform of a third of a turn: i → anterior, j → superior, k → right', () => {
    const qform = { quaternion: [0.5, 0.5, 0.5], offset: [1, 2, 3], pixdim: [1, 2, 3, 4] };
    const rows = [
      [0, 0, 4, 1],
      [2, 0, 0, 2],
      [0, 3, 0, 3],
    ];
    expect(worldOfImage(readNifti(makeNifti({ qform }), 'a'))).toEqual(worldOfFile([4, 3, 2], rows));
  });

  it.each([
    [0.9, 0.1, 0.3],
    [-0.2, 0.9, 0.1],
    [0.3, 0.2, -0.9],
    [0.2, -0.1, 0.3],
  ])('writes the qform of any turn: quaternion %d %d %d', (...quaternion) => {
    for (const qfac of [1, -1]) {
      const qform = { quaternion, offset: [1, 2, 3], pixdim: [qfac, 2, 3, 4] };
      const image = readNifti(makeNifti({ qform }), 'a');
      const raw = new DataView(writeNifti(image).buffer);
      const written = [256, 260, 264].map((offset) => raw.getFloat32(offset, true));
      written.forEach((x, i) => {
        expect(x).toBeCloseTo(quaternion[i]!, 5);
      });
      expect(raw.getFloat32(76, true)).toBe(qfac);
    }
  });

  it('has nothing but spacings where the file says no more, and leaves it unsaid when writing', () => {
    const image = readNifti(makeNifti(), 'a');
    expect([...image.affine]).toEqual([2, 0, 0, 0, 0, 2, 0, 0, 0, 0, 2, 0, 0, 0, 0, 1]);
    const raw = new DataView(writeNifti(image).buffer);
    expect([raw.getInt16(252, true), raw.getInt16(254, true)]).toEqual([0, 0]);
  });

  it('brings metres and micrometres to mm and back', () => {
    const rows = [
      [-0.002, 0, 0, 0.1],
      [0, 0.002, 0, 0],
      [0, 0, 0.002, 0],
    ];
    const image = readNifti(makeNifti({ rows, units: 1 }), 'a');
    image.grid.voxelSize.forEach((d) => {
      expect(d).toBeCloseTo(2, 5);
    });
    const raw = new DataView(writeNifti(image).buffer);
    expect(raw.getUint8(123)).toBe(1);
    expect(raw.getFloat32(280, true)).toBeCloseTo(-0.002, 8);
  });

  it('writes a sheared affine as sform only', () => {
    const rows = [
      [2, 0.5, 0, 0],
      [0, 2, 0, 0],
      [0, 0, 2, 0],
    ];
    const raw = new DataView(writeNifti(readNifti(makeNifti({ rows }), 'a')).buffer);
    expect([raw.getInt16(252, true), raw.getInt16(254, true)]).toEqual([0, 2]);
  });
});

describe('values', () => {
  const types: [number, number, string][] = [
    [2, 8, 'setUint8'],
    [4, 16, 'setInt16'],
    [8, 32, 'setInt32'],
    [16, 32, 'setFloat32'],
    [64, 64, 'setFloat64'],
    [256, 8, 'setInt8'],
    [512, 16, 'setUint16'],
    [768, 32, 'setUint32'],
    [1024, 64, 'setBigInt64'],
    [1280, 64, 'setBigUint64'],
  ];
  for (const little of [true, false]) {
    for (const version of [1, 2] as const) {
      it.each(types)(`datatype %i, NIfTI-${version}, little-endian ${little}, with slope and intercept`, (...type) => {
        const image = readNifti(makeNifti({ version, little, type, slope: [0.5, -3], value: (i) => 5 * i }), 'a');
        expect([...image.values.data]).toEqual(Array.from({ length: 24 }, (_, i) => 2.5 * i - 3));
      });
    }
  }

  it.each([true, false])('float32 as it is, little-endian %j', (little) => {
    expect([...readNifti(makeNifti({ little }), 'a').values.data]).toEqual(Array.from({ length: 24 }, (_, i) => i));
  });
  it('keeps large unsigned and small negative integers apart', () => {
    const of = (type: [number, number, string], x: number) => readNifti(makeNifti({ type, value: () => x }), 'a').values.data[0];
    expect(of([512, 16, 'setUint16'], 65535)).toBe(65535);
    expect(of([4, 16, 'setInt16'], -1)).toBe(-1);
    expect(of([2, 8, 'setUint8'], 255)).toBe(255);
    expect(of([256, 8, 'setInt8'], -1)).toBe(-1);
    expect(of([768, 32, 'setUint32'], 2 ** 31)).toBe(2 ** 31);
    expect(of([8, 32, 'setInt32'], -1)).toBe(-1);
    expect(of([1280, 64, 'setBigUint64'], 2 ** 63)).toBe(2 ** 63);
    expect(of([1024, 64, 'setBigInt64'], -1)).toBe(-1);
  });

  it.each([0, Number.NaN])('slope %d means none', (slope) => {
    expect(readNifti(makeNifti({ slope: [slope, 7] }), 'a').values.data[3]).toBe(3);
  });

  it('reads gzip, from other tools too, and writes it', () => {
    const plain = makeNifti({ rows: orientations.LPI! });
    const image = readNifti(gzipSync(plain), 'a.nii.gz');
    expect(image).toEqual(readNifti(plain, 'a.nii'));
    expect(new Uint8Array(gunzipSync(writeNifti(image, { gzip: true })))).toEqual(writeNifti(image));
  });

  it('takes one frame of four dimensions, refuses several, and gives the one that is asked for', () => {
    expect(readNifti(makeNifti({ dims: [4, 3, 2, 1] }), 'a').values.shape).toEqual([2, 3, 4]);
    const several = makeNifti({ dims: [4, 3, 2, 5] });
    expect(() => readNifti(several, 'a.nii')).toThrow(/^a\.nii: There are several frames \(dim\[4\]\).*option frame, 0 … 4/);
    const third = readNifti(several, 'a.nii', { frame: 2 });
    expect(third.values.data[0]).toBe(48);
    expect(readNifti(writeNifti(third), 'b').values.data[23]).toBe(71);
    expect(() => readNifti(several, 'a.nii', { frame: 5 })).toThrow(/frame/);
  });

  it.each(['SUV', 'Bq/mL', '1/cm', 'counts', 'label', 'unknown'] as Unit[])('keeps the unit %s', (unit) => {
    const grid = { shape: [2, 3, 4], voxelSize: [4, 3, 2], origin: [5, 6, 7] } as const;
    const image = petImage(
      grid,
      fill(grid.shape, (i) => -i),
      unit,
    );
    const back = readNifti(writeNifti(image, { gzip: true }), 'a');
    expect(back.unit).toBe(unit);
    expect(back.grid).toEqual(grid);
    expect(back.values.data).toEqual(image.values.data);
    expect(readNifti(makeNifti(), 'a').unit).toBe('unknown');
    expect(readNifti(makeNifti(), 'a', { unit }).unit).toBe(unit);
  });
});

describe('like', () => {
  const source = readNifti(makeNifti({ rows: orientations.LPI! }), 'a');
  it('gives a bare image the orientation of its source', () => {
    const bare: PetImage = { ...source, meta: {} };
    expect(writeNifti(bare, { like: source })).toEqual(writeNifti(source));
    expect(writeNifti(bare)).not.toEqual(writeNifti(source));
    expect(worldOfImage(readNifti(writeNifti(bare), 'b'))).toEqual(worldOfImage(source));
  });
  it('refuses another grid, and lets a resampled image go out on its own', () => {
    const shape = [1, 2, 3] as const;
    const other = petImage({ shape, voxelSize: [1, 1, 1], origin: [0, 0, 0] }, array(shape), 'SUV', source.meta);
    expect(() => writeNifti(other, { like: source })).toThrow(ShapeError);
    expect(readNifti(writeNifti(other), 'b').grid).toEqual(other.grid);
    const moved: PetImage = { ...source, affine: source.affine.map((x, i) => (i === 3 ? x + 1 : x)) };
    expect(() => writeNifti(moved, { like: source })).toThrow(ShapeError);
  });
  it('writes NIfTI-2 where an axis is too long for NIfTI-1', () => {
    const shape = [1, 1, 40000] as const;
    const written = writeNifti(petImage({ shape, voxelSize: [1, 1, 1], origin: [0, 0, 0] }, array(shape), 'SUV'));
    expect(written[0]).toBe(540 & 255);
    expect(readNifti(written, 'b').grid.shape).toEqual(shape);
  });
});

describe('hostile files', () => {
  const good = makeNifti({ rows: orientations.LPI! });
  const patched = (patch: (view: DataView) => unknown): Uint8Array => makeNifti({ rows: orientations.LPI!, patch });
  it.each([
    ['empty', new Uint8Array(0), /sizeof_hdr/],
    ['two bytes', Uint8Array.of(0x1f, 0x8b), /gzip/],
    ['text', new TextEncoder().encode('!INTERFILE :='), /sizeof_hdr/],
    ['header cut', good.subarray(0, 200), /header is cut short/],
    ['data cut', good.subarray(0, good.length - 1), /voxels are cut short.*dim/],
    ['no data', good.subarray(0, 352), /voxels are cut short/],
    ['pair', patched((v) => v.setUint8(345, 0x69)), /magic.*\.img/],
    ['magic', patched((v) => v.setUint8(344, 0)), /magic/],
    ['huge', patched((v) => [42, 44, 46].map((o) => v.setInt16(o, 32767, true))), /cut short/],
    ['negative', patched((v) => v.setInt16(44, -3, true)), /dim\[2\]/],
    ['zero', patched((v) => v.setInt16(42, 0, true)), /dim\[1\]/],
    ['too many dimensions', patched((v) => v.setInt16(40, 300, true)), /dim\[0\]/],
    ['fifth dimension', patched((v) => [v.setInt16(40, 5, true), v.setInt16(50, 2, true)]), /dim\[5\]/],
    ['datatype', patched((v) => v.setInt16(70, 128, true)), /datatype/],
    ['bits', patched((v) => v.setInt16(72, 16, true)), /bitpix/],
    ['offset in the header', patched((v) => v.setFloat32(108, 100, true)), /vox_offset/],
    ['offset NaN', patched((v) => v.setFloat32(108, Number.NaN, true)), /vox_offset/],
    ['offset beyond', patched((v) => v.setFloat32(108, 1e9, true)), /cut short/],
    ['infinite slope', patched((v) => v.setFloat32(112, Infinity, true)), /scl_slope/],
    ['NaN intercept', patched((v) => v.setFloat32(116, Number.NaN, true)), /scl_inter/],
    ['NaN in the sform', patched((v) => v.setFloat32(284, Number.NaN, true)), /srow/],
    ['flat sform', patched((v) => [280, 284, 288, 292].map((o) => v.setFloat32(o, 0, true))), /srow/],
    ['units', patched((v) => v.setUint8(123, 7)), /xyzt_units/],
    ['spacing', makeNifti({ patch: (v) => v.setFloat32(84, 0, true) }), /pixdim/],
    ['quaternion', makeNifti({ qform: { quaternion: [1, 1, 0], offset: [0, 0, 0], pixdim: [1, 1, 1, 1] } }), /quatern/],
    ['NaN voxels', makeNifti({ value: (i) => (i < 7 ? Number.NaN : 1) }), /7 of 24 values are not finite/],
    ['all NaN', makeNifti({ value: () => Number.NaN }), /24 of 24/],
    ['beyond float32', makeNifti({ type: [64, 64, 'setFloat64'], value: () => 1e300 }), /24 of 24/],
    ['gzip cut', gzipSync(good).subarray(0, 60), /gzip/],
    [
      'gzip length lies',
      Buffer.concat([gzipSync(good).subarray(0, -4), Buffer.from([255, 255, 255, 255])]),
      /more bytes than can be/,
    ],
    ['gzip checksum', gzipSync(good).map((byte, i, z) => (i === z.length - 6 ? byte ^ 1 : byte)), /checksum/],
    ['two gzips in one', Buffer.concat([gzipSync(good.subarray(0, 300)), gzipSync(good.subarray(300))]), /gzip/],
  ])('%s', (_, bytes, message) => {
    expect(() => readNifti(bytes, 'bad.nii')).toThrow(FormatError);
    expect(() => readNifti(bytes, 'bad.nii')).toThrow(message);
    expect(() => readNifti(bytes, 'bad.nii')).toThrow(/^bad\.nii: /);
  });

  it('never fails in another way, whatever bytes are hit', () => {
    for (let offset = 0; offset < 348; offset++) {
      for (const byte of [0, 1, 127, 128, 255]) {
        const bytes = good.slice();
        bytes[offset] = byte;
        try {
          writeNifti(readNifti(bytes, 'a'));
        } catch (error) {
          expect(error).toBeInstanceOf(CoincideError);
        }
      }
    }
  });
});

describe('bytes from Node', () => {
  it('may lie anywhere in a larger buffer', () => {
    const image = petImage(
      centredGrid([2, 3, 4], [2, 2, 2]),
      fill([2, 3, 4], (i) => i),
      'SUV',
    );
    const bytes = writeNifti(image);
    const pool = Buffer.alloc(bytes.length + 100);
    pool.set(bytes, 40);
    expect([...readNifti(pool.subarray(40, 40 + bytes.length), 'a.nii').values.data]).toEqual([...image.values.data]);
  });
});
