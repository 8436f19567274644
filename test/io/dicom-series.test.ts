import { describe, expect, it } from 'vitest';
import { FormatError } from '../../src/core/errors.js';
import type { PetImage } from '../../src/core/image.js';
import { parsePetFile, tags, text } from '../../src/io/dicom-file.js';
import { readDicomSeries } from '../../src/io/dicom-series.js';
import { randomUid, writeDicomSeries } from '../../src/io/dicom-write.js';
import {
  axial,
  coronal,
  dicomSeries,
  type Elements,
  header,
  injection,
  type SeriesFile,
  type Stack,
  tilted,
} from './dicom-bytes.js';

/** Bq/mL at a place, mm RAS+: different along every axis. */
const activity = (r: number, a: number, s: number): number => 9000 + 61 * r - 37 * a + 53 * s + 0.9 * r * a;
/** The voxel that is at a place in the world, by the image's affine. */
const check = (image: PetImage, value: typeof activity, tolerance: number): void => {
  const [, ny, nx] = image.grid.shape;
  const m = image.affine;
  for (let i = 0; i < image.values.data.length; i++) {
    const at = [i % nx, Math.floor(i / nx) % ny, Math.floor(i / (nx * ny)), 1];
    const [r, a, s] = [0, 1, 2].map((row) => at.reduce((sum, x, column) => sum + m[4 * row + column]! * x, 0));
    expect(Math.abs(image.values.data[i]! / value(r!, a!, s!) - 1)).toBeLessThan(tolerance);
  }
};
/** 75 kg · 1000 / (370 MBq · 2^(−3600/6586.2)), by hand. */
const factor = 75000 / (370e6 * 0.6846329);
const stacks: [string, Stack][] = [
  ['axial', axial],
  ['oblique, downwards', tilted],
  ['coronal', coronal],
];

describe('readDicomSeries', () => {
  it.each(stacks)('puts every voxel of an %s series where it is, with the slope of its slice', (_, stack) => {
    const { images } = readDicomSeries(dicomSeries(stack, activity), { unit: 'file' });
    expect(images.length).toBe(1);
    expect(images[0]!.unit).toBe('Bq/mL');
    expect(images[0]!.grid.shape.reduce((a, b) => a * b)).toBe(stack.rows * stack.columns * stack.slices);
    check(images[0]!, activity, 2e-4);
    // closest to RAS+: the diagonal dominates, and is positive
    for (const k of [0, 5, 10]) expect(images[0]!.affine[k]).toBeGreaterThan(0);
  });

  it.each(['implicit', 'explicit', 'deflated'] as const)('reads %s files, with sequences of either length', (syntax) => {
    for (const undefinedLengths of [false, true]) {
      const { images } = readDicomSeries(dicomSeries(axial, activity, { syntax, undefinedLengths }));
      check(images[0]!, (r, a, s) => factor * activity(r, a, s), 2e-4);
    }
  });

  it('computes SUV, and tells how', () => {
    const { suv, images, warnings } = readDicomSeries(dicomSeries(axial, activity));
    expect(images[0]!.unit).toBe('SUV');
    check(images[0]!, (r, a, s) => factor * activity(r, a, s), 2e-4);
    expect(suv).toMatchObject({
      ...{ weight: 75, dose: 370e6, halfLife: 6586.2, uptake: 3600, units: 'BQML', decayCorrection: 'START' },
      ...{ injection: '2024-05-06T10:15:00', reference: '2024-05-06T11:15:00' },
    });
    expect(warnings).toEqual([]);
  });

  it('ignores what lies above the stored bits, signed or not', () => {
    const stack = { ...axial, rows: 1, columns: 4, slices: 1 };
    const pixels = Uint16Array.of(0xf7ff, 0x0800, 0x7abc, 0x1fff);
    const change = (representation: number) => () =>
      ({
        '00280101': ['US', 12],
        '00280102': ['US', 11],
        '00280103': ['US', representation],
        '00281053': ['DS', '0.5'],
        '00281052': ['DS', '10'],
        '7fe00010': ['OW', new Uint8Array(pixels.buffer)],
      }) as const;
    const values = (representation: number) => [
      ...readDicomSeries(dicomSeries(stack, activity, { change: change(representation) }), { unit: 'file' }).images[0]!.values
        .data,
    ];
    // RAS+: columns run towards the left, so the order turns round
    expect(values(1).reverse()).toEqual([10 + 0.5 * 2047, 10 - 0.5 * 2048, 10 + 0.5 * -1348, 10 - 0.5]);
    expect(values(0).reverse()).toEqual([10 + 0.5 * 2047, 10 + 0.5 * 2048, 10 + 0.5 * 2748, 10 + 0.5 * 4095]);
  });

  it('takes slices of one place at several times for frames, in the order of time', () => {
    const frame = (t: number): SeriesFile[] =>
      dicomSeries(axial, (r, a, s) => activity(r, a, s) * (1 + t), {
        change: (k) => ({
          '00541300': ['DS', String(1000 * (90 + 180 * t))],
          '00080032': ['TM', `1118${String(10 * t).padStart(2, '0')}`],
          '00541000': ['CS', 'DYNAMIC\\IMAGE'],
          '00080018': ['UI', `1.2.3.${t}.${k}`],
        }),
      });
    const { images } = readDicomSeries([...frame(2), ...frame(0), ...frame(1)], { unit: 'file' });
    expect(images.length).toBe(3);
    for (const [t, image] of images.entries()) check(image, (r, a, s) => activity(r, a, s) * (1 + t), 2e-4);
  });

  it('brings every frame that is not decay-corrected to the dose at its own start', () => {
    // A(t) = A₀ 2^(−t/T½): the mean over each frame is stored; SUV must come out the same for all.
    const half = 6586.2;
    const left = (t: number): number => 2 ** (-t / half);
    const mean = (t0: number, length: number): number =>
      Array.from({ length: 1000 }, (_, i) => left(t0 + ((i + 0.5) / 1000) * length)).reduce((a, b) => a + b) / 1000;
    const frame = (start: number, length: number): SeriesFile[] =>
      dicomSeries(axial, (r, a, s) => activity(r, a, s) * mean(3600 + start, length), {
        change: (k) => ({
          '00541102': ['CS', 'NONE'],
          '00280051': ['CS', 'NORM\\ATTN'],
          '00080032': ['TM', new Date((11.25 * 3600 + start) * 1000).toISOString().slice(11, 19).replaceAll(':', '')],
          '00181242': ['IS', String(1000 * length)],
          '00541300': ['DS', String(1000 * start + 1)],
          '00080018': ['UI', `1.2.3.${start}.${k}`],
        }),
      });
    const { images } = readDicomSeries([...frame(0, 1800), ...frame(1800, 3600)]);
    const true1 = 75000 / 370e6;
    for (const image of images) check(image, (r, a, s) => true1 * activity(r, a, s), 3e-4);
  });
});

const without = (...gone: string[]) => Object.fromEntries(gone.map((tag) => [tag, undefined]));
const injected = (change: Record<string, Elements[string] | undefined>): Record<string, Elements[string]> => ({
  '00540016': ['SQ', [Object.fromEntries(Object.entries({ ...injection, ...change }).filter(([, value]) => value)) as Elements]],
});
type Change = Readonly<Record<string, Elements[string] | undefined>>;
const noDateTime = { '00181078': undefined };

const noSuv: [what: string, change: Change, says: RegExp][] = [
  ['no unit', without('00541001'), /Units \(0054,1001\).*BQML or GML/],
  ['counts', { '00541001': ['CS', 'CNTS'] }, /no absolute unit.*CNTS.*Philips/],
  ['counts a second', { '00541001': ['CS', 'PROPCPS'] }, /no absolute unit.*PROPCPS/],
  ['lean body mass', { '00541001': ['CS', 'GML'], '00541006': ['CS', 'LBM'] }, /another kind of SUV.*LBM/],
  ['no attenuation correction', { '00280051': ['CS', 'NORM\\DECY'] }, /attenuation.*NORM\\\\DECY/],
  ['no decay correction named', without('00541102'), /DecayCorrection.*START, ADMIN or NONE/],
  ['a decay correction of its own', { '00541102': ['CS', 'LATER'] }, /DecayCorrection.*LATER/],
  ['START, but not corrected', { '00280051': ['CS', 'ATTN'] }, /contradictory.*DECY, for START/],
  ['NONE, but corrected', { '00541102': ['CS', 'NONE'] }, /contradictory.*no DECY, for NONE/],
  ['no weight', without('00101030'), /weight of the patient is missing.*0010,1030/],
  ['an empty weight', { '00101030': ['DS', ''] }, /weight of the patient is missing/],
  ['weight 0', { '00101030': ['DS', '0'] }, /no weight.*0010,1030.*found 0/],
  ['a weight that is no number', { '00101030': ['DS', '75kg'] }, /no weight.*NaN/],
  ['weight in g', { '00101030': ['DS', '75000'] }, /that heavy.*75000.*g or lb/],
  ['no injection', without('00540016'), /RadiopharmaceuticalInformationSequence.*one item, found 0/],
  ['two injections', { '00540016': ['SQ', [injection, injection]] }, /one item, found 2/],
  ['no dose', injected({ '00181074': undefined }), /dose is missing.*0018,1074/],
  ['dose 0', injected({ '00181074': ['DS', '0'] }), /no dose.*found 0/],
  ['dose in MBq', injected({ '00181074': ['DS', '370'] }), /that small.*370.*MBq/],
  ['no half-life', injected({ '00181075': undefined }), /half-life is missing.*0018,1075/],
  ['half-life 0', injected({ '00181075': ['DS', '0'] }), /half-life is none/],
  ['half-life in minutes', injected({ '00181075': ['DS', '109.8'] }), /not that of the nuclide.*6586\.2 s.*109\.8/],
  ['no time of injection', injected({ '00181072': undefined, ...noDateTime }), /time of injection is missing.*0018,1072/],
  ['a time that is none', injected({ '00181072': ['TM', '2515'] }), /time that is none.*2515/],
  ['a date that is none', injected({ '00181078': ['DT', '20240231101500'] }), /date that is none.*20240231/],
  [
    'an injection after the scan',
    injected({ '00181072': ['TM', '1130'], '00181078': ['DT', '202405061130'] }),
    /after the scan.*11:30:00.*anonymous/,
  ],
  ['an injection days before', injected({ '00181078': ['DT', '20240501101500'] }), /half-lives before.*2024-05-01/],
  ['a time alone after the scan', injected({ '00181072': ['TM', '113000'], ...noDateTime }), /half-lives before/],
  ['times that contradict each other', injected({ '00181072': ['TM', '091500'] }), /contradict.*10:15:00.*09:15:00/],
  [
    'a time alone for a long-lived nuclide',
    injected({ ...noDateTime, '00181075': ['DS', '45723'], '00540300': undefined }),
    /day of injection is not told.*45723/,
  ],
  [
    'a series made after the scan',
    { '00080031': ['TM', '150000'], ...without('00541300') },
    /start of the scan is not told.*15:00:00/,
  ],
  ['no time of acquisition', { ...without('00080032') }, /time of acquisition is missing.*0008,0022/],
  [
    'NONE without a duration',
    { '00541102': ['CS', 'NONE'], '00280051': ['CS', 'ATTN'], ...without('00181242') },
    /duration of the frame is missing.*0018,1242/,
  ],
];

describe('SUV is refused, never guessed:', () => {
  it.each(noSuv)('%s', (_, change, says) => {
    const files = dicomSeries(axial, activity, { change: () => change });
    expect(() => readDicomSeries(files)).toThrow(FormatError);
    expect(() => readDicomSeries(files)).toThrow(says);
    expect(() => readDicomSeries(files)).toThrow(/slice-/);
  });

  it('while the voxels themselves can be read, with the reason beside them', () => {
    const files = dicomSeries(axial, activity, { change: () => without('00101030') });
    const { images, suv } = readDicomSeries(files, { unit: 'file' });
    check(images[0]!, activity, 2e-4);
    expect((suv as Error).message).toMatch(/weight/);
  });
});

describe('SUV is computed', () => {
  const suvOf = (change: Change) => {
    const { suv } = readDicomSeries(dicomSeries(axial, activity, { change: () => change }));
    if (suv instanceof Error) throw suv;
    return suv;
  };
  const perUnit = (change: Change): number => suvOf(change).suvPerUnit;
  it('with the whole dose for ADMIN', () => {
    expect(perUnit({ '00541102': ['CS', 'ADMIN'] })).toBeCloseTo(75000 / 370e6, 9);
  });
  it('as it is for GML', () => {
    expect(perUnit({ '00541001': ['CS', 'GML'] })).toBe(1);
    expect(perUnit({ '00541001': ['CS', 'GML'], '00541006': ['CS', 'BW'] })).toBe(1);
  });
  it('over midnight, by a time alone', () => {
    const { uptake, suvPerUnit } = suvOf({
      ...injected({ ...noDateTime, '00181072': ['TM', '233000'] }),
      '00080031': ['TM', '003000'],
      '00080032': ['TM', '003000'],
    });
    expect(uptake).toBe(3600);
    expect(suvPerUnit / factor).toBeCloseTo(1, 5);
  });
  it('with time zones told apart', () => {
    expect(
      suvOf({ ...injected({ '00181072': undefined, '00181078': ['DT', '20240506081500.00+0000'] }), '00080201': ['SH', '+0200'] })
        .uptake,
    ).toBe(3600);
  });
  it('from Philips’s private factors, wherever their block is', () => {
    const counts: Change = { '00541001': ['CS', 'CNTS'], '70530011': ['LO', 'Philips PET Private Group'] };
    expect(perUnit({ ...counts, '70531100': ['DS', '0.000321'], '70531109': ['DS', '1.7'] })).toBe(0.000321);
    expect(perUnit({ ...counts, '70531100': ['DS', '0'], '70531109': ['DS', '1.7'] }) / (1.7 * factor)).toBeCloseTo(1, 5);
    expect(() => perUnit({ ...counts, '70530011': ['LO', 'Somebody'], '70531100': ['DS', '1'] })).toThrow(/no absolute unit/);
  });
  it('for a series made afterwards: by GE’s start of the scan, or back from the frame', () => {
    const late: Change = { '00080031': ['TM', '150000'] };
    const ge = suvOf({ ...late, '00090010': ['LO', 'GEMS_PETD_01'], '0009100d': ['DT', '20240506111000'] });
    expect(ge.uptake).toBe(3300);
    // 180 s frame, mean count rate at 89.85 s; 89 s after the start of the scan
    const back = suvOf(late);
    expect(back.uptake! - 3600).toBeCloseTo(89.85 - 89, 1);
    expect(back.referenceFrom).toMatch(/FrameReferenceTime/);
  });
  it('with a warning when the frame says another time of reference', () => {
    expect(suvOf({ '00541300': ['DS', '400000'] }).warnings.join()).toMatch(/11:09:49.*not .*11:15:00.*3\.2 % lower/);
  });
});

const bad: [what: string, files: () => SeriesFile[], says: RegExp][] = [
  ['no files', () => [], /no DICOM image/],
  ['a text file', () => [{ name: 'notes.txt', bytes: Buffer.alloc(200, 'a') }], /notes\.txt.*no DICOM file/],
  [
    'a file cut short',
    () => dicomSeries(axial, activity).map(({ name, bytes }) => ({ name, bytes: bytes.subarray(0, 700) })),
    /slice-\d/,
  ],
  ['JPEG 2000', () => dicomSeries(axial, activity, { transfer: '1.2.840.10008.1.2.4.90' }), /JPEG 2000 Lossless.*Decompress/],
  ['RLE', () => dicomSeries(axial, activity, { transfer: '1.2.840.10008.1.2.5' }), /RLE Lossless/],
  ['big endian', () => dicomSeries(axial, activity, { transfer: '1.2.840.10008.1.2.2' }), /Big Endian/],
  ['an unheard-of syntax', () => dicomSeries(axial, activity, { transfer: '1.2.3' }), /another, 1\.2\.3/],
  [
    'Enhanced PET',
    () => dicomSeries(axial, activity, { change: () => ({ '00080016': ['UI', '1.2.840.10008.5.1.4.1.1.130'] }) }),
    /Enhanced PET \(multi-frame\).*single-frame/,
  ],
  [
    'CT',
    () => dicomSeries(axial, activity, { change: () => ({ '00080016': ['UI', '1.2.840.10008.5.1.4.1.1.2'] }) }),
    /no PET image.*CT/,
  ],
  [
    'several frames in a file',
    () => dicomSeries(axial, activity, { change: () => ({ '00280008': ['IS', '47'] }) }),
    /multi-frame.*47/,
  ],
  [
    'two series',
    () => dicomSeries(axial, activity, { change: (k) => ({ '0020000e': ['UI', k < 2 ? '1.2' : '1.3'] }) }),
    /not of one series.*2 series/,
  ],
  [
    'units that differ',
    () => dicomSeries(axial, activity, { change: (k) => ({ '00541001': ['CS', k < 2 ? 'GML' : 'BQML'] }) }),
    /not of one series.*Units/,
  ],
  [
    'doses that differ',
    () => dicomSeries(axial, activity, { change: (k) => injected({ '00181074': ['DS', k === 3 ? '185000000' : '370000000'] }) }),
    /different things of dose/,
  ],
  [
    'a missing slice',
    () => dicomSeries(axial, activity).filter(({ name }) => name !== 'slice-3'),
    /evenly spaced.*4\.000 mm after slice-2.*8\.000 mm.*missing/,
  ],
  ['a slice twice', () => [...dicomSeries(axial, activity), dicomSeries(axial, activity)[2]!], /one place, at one time/],
  [
    'a frame that lacks a slice',
    () => [
      ...dicomSeries(axial, activity),
      ...dicomSeries(axial, activity, { change: () => ({ '00541300': ['DS', '400000'] }) }).slice(1),
    ],
    /missing, or there twice.*2 slices at each place/,
  ],
  [
    'a slice of another orientation',
    () => dicomSeries(axial, activity, { change: (k) => (k === 2 ? { '00200037': ['DS', '0\\1\\0\\1\\0\\0'] } : {}) }),
    /not parallel.*ImageOrientationPatient/,
  ],
  [
    'directions that are none',
    () => dicomSeries(axial, activity, { change: () => ({ '00200037': ['DS', '1\\0\\0\\1\\0\\0'] }) }),
    /right angles/,
  ],
  [
    'pixels of another size',
    () => dicomSeries(axial, activity, { change: (k) => (k === 2 ? { '00280030': ['DS', '3\\3'] } : {}) }),
    /PixelSpacing/,
  ],
  ['no position', () => dicomSeries(axial, activity, { change: () => without('00200032') }), /ImagePositionPatient/],
  ['a leaning stack', () => dicomSeries({ ...axial, step: [1, 0, 4] }, activity), /leans/],
  ['no slope', () => dicomSeries(axial, activity, { change: () => without('00281053') }), /RescaleSlope/],
  ['slope 0', () => dicomSeries(axial, activity, { change: () => ({ '00281053': ['DS', '0'] }) }), /RescaleSlope.*above 0/],
  ['colour', () => dicomSeries(axial, activity, { change: () => ({ '00280002': ['US', 3] }) }), /SamplesPerPixel/],
  [
    'pixels that are too few',
    () => dicomSeries(axial, activity, { change: () => ({ '7fe00010': ['OW', new Uint8Array(60)] }) }),
    /PixelData.*70 bytes.*60/,
  ],
  ['a gated series', () => dicomSeries(axial, activity, { change: () => ({ '00541000': ['CS', 'GATED\\IMAGE'] }) }), /gated/],
  [
    'one slice of unknown thickness',
    () => dicomSeries({ ...axial, slices: 1 }, activity, { change: () => without('00180050') }),
    /thickness/,
  ],
];

describe('readDicomSeries refuses', () => {
  it.each(bad)('%s', (_, files, says) => {
    expect(() => readDicomSeries(files(), { unit: 'file' })).not.toThrow(TypeError);
    expect(() => readDicomSeries(files())).toThrow(FormatError);
    expect(() => readDicomSeries(files())).toThrow(says);
  });
});

describe('writeDicomSeries', () => {
  const options = { derivation: 'Denoised by a law', created: new Date('2025-02-03T04:05:06Z') };
  const asFiles = (files: Record<string, Uint8Array>): SeriesFile[] =>
    Object.entries(files).map(([name, bytes]) => ({ name, bytes }));

  it.each(
    stacks.flatMap(([name, stack]) =>
      (['implicit', 'explicit', 'deflated'] as const).map((syntax) => [name, syntax, stack] as const),
    ),
  )('%s, %s: in, out and in again keeps SUV to 1e-4, place, and all that is said of the patient', (_, syntax, stack) => {
    const series = readDicomSeries(dicomSeries(stack, activity, { syntax, undefinedLengths: true }));
    const out = writeDicomSeries(series.images, series, options);
    const again = readDicomSeries(asFiles(out));
    expect(again.images[0]!.grid.shape).toEqual(series.images[0]!.grid.shape);
    for (let i = 0; i < 16; i++) expect(again.images[0]!.affine[i]).toBeCloseTo(series.images[0]!.affine[i]!, 6);
    again.images[0]!.values.data.forEach((value, i) => {
      expect(Math.abs(value - series.images[0]!.values.data[i]!)).toBeLessThan(1e-4);
    });
    expect(again.suv).toEqual(series.suv);
    const before = series.slices[0]![0]!.file;
    const after = again.slices[0]![0]!.file;
    const changed = new Set<string>(
      [
        ...(['ImageType', 'InstanceCreationDate', 'InstanceCreationTime', 'SOPInstanceUID', 'SeriesDescription'] as const),
        ...(['DerivationDescription', 'SourceImageSequence', 'SeriesInstanceUID', 'SeriesNumber', 'BitsAllocated'] as const),
        ...(['BitsStored', 'HighBit', 'PixelRepresentation', 'RescaleIntercept', 'RescaleSlope', 'PixelData'] as const),
      ].map((keyword) => tags[keyword]),
    );
    const bytes = ({ data }: typeof before, tag: string) => {
      const { dataOffset, length } = data.elements[tag]!;
      return Buffer.from(data.byteArray.slice(dataOffset, dataOffset + length)).toString('hex');
    };
    let kept = 0;
    for (const tag of Object.keys(before.data.elements)) {
      if (changed.has(tag) || tag.startsWith('x0002')) continue;
      expect(bytes(after, tag), tag).toBe(bytes(before, tag));
      kept++;
    }
    expect(kept).toBeGreaterThan(40);
    expect([text(after, 'ImageType'), text(after, 'DerivationDescription')]).toEqual(['DERIVED\\PRIMARY', options.derivation]);
    expect(text(after, 'SeriesDescription')).toBe('PET WB, denoised');
    expect(text(after, 'SeriesNumber')).toBe('1004');
    expect(text(after, 'InstanceCreationDate')).toBe('20250203');
    expect(after.data.elements[tags.SourceImageSequence]!.items![0]!.dataSet!.string('x00081155')).toBe(
      text(before, 'SOPInstanceUID'),
    );
  });

  it('writes negative values too, and slices of nothing', () => {
    const series = readDicomSeries(
      dicomSeries(axial, (r, _, s) => (s > 50 ? 0 : 0.1 * r - 0.9)),
      { unit: 'file' },
    );
    const again = readDicomSeries(asFiles(writeDicomSeries(series.images, series, options)), { unit: 'file' });
    again.images[0]!.values.data.forEach((value, i) => {
      expect(value).toBeCloseTo(series.images[0]!.values.data[i]!, 3);
    });
  });

  it('writes frames that are not decay-corrected back in their own unit', () => {
    const change = () => ({ '00541102': ['CS', 'NONE'], '00280051': ['CS', 'ATTN'] }) as const;
    const files = dicomSeries(axial, activity, { change });
    const series = readDicomSeries(files);
    const again = readDicomSeries(asFiles(writeDicomSeries(series.images, series, options)), { unit: 'file' });
    check(again.images[0]!, activity, 3e-4);
  });

  it('gives every file, and the series, a UID of its own, of 2.25 and at most 64 characters', () => {
    const series = readDicomSeries(dicomSeries(axial, activity));
    const parsed = Object.entries(writeDicomSeries(series.images, series, options)).map(
      ([name, bytes]) => parsePetFile(bytes, name)!,
    );
    const uids = parsed.map((file) => text(file, 'SOPInstanceUID')!);
    expect(new Set(uids).size).toBe(6);
    expect(new Set(parsed.map((file) => text(file, 'SeriesInstanceUID'))).size).toBe(1);
    for (const uid of [...uids, text(parsed[0]!, 'SeriesInstanceUID')!]) {
      expect(uid).toMatch(/^2\.25\.[1-9]\d{20,38}$/);
    }
    expect(text(parsed[0]!, 'SeriesInstanceUID')).not.toBe(header['0020000e']![1]);
    expect(parsed[0]!.data.string('x00020003')).toBe(uids[0]);
    expect(randomUid()).not.toBe(randomUid());
  });

  it('drops what is not true of other pixels', () => {
    const change = () =>
      ({ '00280106': ['SS', 0], '00280107': ['SS', 30000], '00080000': ['UL', 12], '00409096': ['SQ', []] }) as const;
    const series = readDicomSeries(dicomSeries(axial, activity, { change }));
    const [bytes] = Object.values(writeDicomSeries(series.images, series, options));
    const { data } = parsePetFile(bytes!, 'x')!;
    for (const tag of ['x00280106', 'x00280107', 'x00080000', 'x00409096']) expect(data.elements[tag], tag).toBeUndefined();
  });

  it('refuses an image on another grid, in another unit, or of another number of frames', () => {
    const series = readDicomSeries(dicomSeries(axial, activity));
    const other = readDicomSeries(dicomSeries(tilted, activity));
    expect(() => writeDicomSeries(other.images, series, options)).toThrow(/does not fit/);
    expect(() => writeDicomSeries([], series, options)).toThrow(/frames/);
    expect(() => writeDicomSeries([{ ...series.images[0]!, unit: 'Bq/mL' }], series, options)).toThrow(/Unit/);
  });
});
