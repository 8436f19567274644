/** Studies as they are kept in clinics and published data: DICOM, BIDS, npz, through the command line and back. */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { fill } from '../../src/core/array.js';
import { centredGrid, petImage } from '../../src/core/image.js';
import { text } from '../../src/io/dicom-file.js';
import { type DicomSeries, readDicomSeries } from '../../src/io/dicom-series.js';
import { readNiftiFrames, writeNiftiFrames } from '../../src/io/nifti-frames.js';
import { readNpz, writeNpz } from '../../src/io/npz.js';
import { readStudy } from '../../src/node/study.js';
import { axial, dicomSeries, type Elements, type Stack } from '../io/dicom-bytes.js';
import { coincide, scratch } from './run.js';

const dir = scratch();
const at = (...names: string[]): string => join(dir, ...names);
const json = (file: string): Record<string, unknown> => JSON.parse(readFileSync(at(file), 'utf8'));
const stack: Stack = { ...axial, rows: 20, columns: 24, slices: 12, spacing: [4, 4], position: [-46, -38, 0] };
/** A warm cylinder, Bq/mL. */
const activity = (r: number, a: number): number => (r * r + a * a < 30 * 30 ? 4000 : 10);

function folder(name: string, change: Readonly<Record<string, Elements[string] | undefined>> = {}): string {
  mkdirSync(at(name));
  for (const { name: file, bytes } of dicomSeries(stack, activity, { change: () => change }))
    writeFileSync(at(name, file), bytes);
  writeFileSync(at(name, 'README.txt'), 'notes');
  return name;
}
function read(name: string): DicomSeries {
  return readDicomSeries(readdirSync(at(name)).map((file) => ({ name: file, bytes: readFileSync(at(name, file)) })));
}

describe('denoise, DICOM', () => {
  it('makes a new series of a series, in its unit and place, and says how', async () => {
    const source = folder('wb');
    const { code, stderr } = await coincide(['denoise', source, '-o', 'clean', '--seed', '5', '--quiet'], dir);
    expect([code, stderr]).toEqual([0, '']);
    const study = await readStudy(at(source));
    const clean = read('clean');
    expect(clean.images[0]!.grid).toEqual(study.frames[0]!.grid);
    expect(clean.suv).toEqual(study.suv);
    const values = clean.images[0]!.values.data;
    const before = study.frames[0]!.values.data;
    const centre = (6 * 20 + 10) * 24 + 12;
    expect(values[centre]! / before[centre]!).toBeGreaterThan(0.7);
    expect(values[centre]! / before[centre]!).toBeLessThan(1.3);
    expect(values.some((value, i) => Math.abs(value - before[i]!) > 1e-3)).toBe(true);
    const head = clean.slices[0]![0]!.file;
    expect(text(head, 'DerivationDescription')).toMatch(/^Denoised by coincide \d.*whole-body.*mean, seed 5/);
    expect(text(head, 'Units')).toBe('BQML');
    const sidecar = json('clean.json');
    expect(sidecar).toMatchObject({
      ...{ inputKind: 'DICOM', inputSha256: study.sha256, seed: 5, mode: 'mean', Units: 'SUV', device: 'cpu' },
      ...{ suv: { weight: 75, dose: 370e6, uptake: 3600, decayCorrection: 'START' }, PatientWeight: 75 },
      model: { name: 'whole-body', licence: 'MIT' },
    });
    expect((sidecar.model as { sha256: string }).sha256).toMatch(/^[0-9a-f]{64}$/);
    expect(sidecar.time).toMatch(/^\d{4}-\d\d-\d\dT/);
    // once more, over the first result; NIfTI in SUV from the same series
    expect((await coincide(['denoise', 'clean', '-o', 'clean2', '--quiet'], dir)).code).toBe(0);
    expect((await coincide(['denoise', source, '-o', 'clean.nii.gz', '--quiet', '--seed', '5'], dir)).code).toBe(0);
    const [nifti] = readNiftiFrames(readFileSync(at('clean.nii.gz')), 'clean.nii.gz');
    expect(nifti!.unit).toBe('SUV');
    nifti!.values.data.forEach((value, i) => {
      expect(Math.abs(value - values[i]!)).toBeLessThan(1e-4);
    });
  });

  it('refuses a series without a weight, with the reason; and takes it when the body mean is asked for', async () => {
    const source = folder('weightless', { '00101030': ['DS', '0'] });
    const refused = await coincide(['denoise', source, '-o', 'out', '--quiet'], dir);
    expect([refused.code, existsSync(at('out'))]).toEqual([2, false]);
    expect(refused.stderr).toMatch(/No SUV: the weight of the patient.*PatientWeight \(0010,1030\).*found 0/);
    const taken = await coincide(['denoise', source, '-o', 'matched', '--quiet', '--intensity', 'body-mean'], dir);
    expect(taken.code).toBe(0);
    expect(JSON.stringify(json('matched.json').suv)).toMatch(/refused.*weight/);
    const info = await coincide(['info', source, '--json'], dir);
    expect(JSON.parse(info.stdout)).toMatchObject({ kind: 'DICOM series', unit: 'Bq/mL' });
    expect(info.stdout).toMatch(/No SUV: the weight/);
  });

  it('refuses outputs that cannot be, before the work', async () => {
    folder('other');
    writeFileSync(
      at('tiny.nii'),
      writeNiftiFrames([
        petImage(
          centredGrid([2, 2, 2], [4, 4, 4]),
          fill([2, 2, 2], () => 1),
          'SUV',
        ),
      ]),
    );
    for (const [args, says] of [
      [['other', '-o', 'weightless'], /holds other files/],
      [['tiny.nii', '-o', 'folder'], /DICOM folder can only/],
      [['other', '-o', 'x.png'], /x\.png.*not written/],
      [['other', '-o', 'y.nii.gz', '--spread', 's'], /s.*NIfTI/],
    ] as const) {
      const { code, stderr } = await coincide(['denoise', ...args, '--quiet'], dir);
      expect(stderr).toMatch(says);
      expect(code).toBe(2);
    }
  });
});

describe('denoise, NIfTI', () => {
  const frames = [1, 2].map((k) =>
    petImage(
      centredGrid([9, 16, 16], [4, 4, 4]),
      fill([9, 16, 16], (i) => 2000 * k * (1 + 0.2 * Math.sin(i))),
      'unknown',
    ),
  );
  const sidecar = {
    ...{ Units: 'Bq/mL', TracerName: 'FDG', TracerRadionuclide: 'F18', PatientWeight: 75, InjectedRadioactivity: 370 },
    ...{
      InjectedRadioactivityUnits: 'MBq',
      TimeZero: '11:15:00',
      InjectionStart: -3600,
      FrameTimesStart: [0, 60],
      FrameDuration: [60, 60],
    },
    ...{ ImageDecayCorrected: true, ImageDecayCorrectionTime: 0 },
  };

  it('keeps frames, unit and what BIDS says', async () => {
    writeFileSync(at('dyn.nii.gz'), writeNiftiFrames(frames, { gzip: true }));
    writeFileSync(at('dyn.json'), JSON.stringify(sidecar));
    const { code, stderr } = await coincide(['denoise', 'dyn.nii.gz', '-o', 'dyn-clean.nii.gz', '--quiet'], dir);
    expect([code, stderr]).toEqual([0, '']);
    const out = readNiftiFrames(readFileSync(at('dyn-clean.nii.gz')), 'dyn-clean.nii.gz');
    expect(out.map(({ unit }) => unit)).toEqual(['Bq/mL', 'Bq/mL']);
    const mean = (k: number): number => out[k]!.values.data.reduce((a, b) => a + b) / out[k]!.values.data.length;
    for (const k of [0, 1]) expect(Math.abs(mean(k) / (2000 * (k + 1)) - 1)).toBeLessThan(0.2);
    expect(json('dyn-clean.json')).toMatchObject({ ...sidecar, frames: 2, inputKind: 'NIfTI', suv: { uptake: 3600 } });
  });

  it('refuses frames whose times are not told, and a dose that is not', async () => {
    for (const [change, says] of [
      [{ FrameDuration: [60] }, /FrameDuration.*2 numbers/],
      [{ InjectedRadioactivity: undefined }, /No SUV.*InjectedRadioactivity/],
    ] as const) {
      writeFileSync(at('odd.nii.gz'), writeNiftiFrames(frames, { gzip: true }));
      writeFileSync(at('odd.json'), JSON.stringify({ ...sidecar, ...change }));
      const { code, stderr } = await coincide(['denoise', 'odd.nii.gz', '-o', 'out.nii.gz', '--quiet'], dir);
      expect(stderr).toMatch(says);
      expect([code, existsSync(at('out.nii.gz'))]).toEqual([2, false]);
    }
  });
});

it('denoise, npz: as the published scripts keep it, axes and all', async () => {
  const volume = fill([2, 16, 20, 9], (i) => (i < 2880 ? 1 + 0.3 * Math.sin(i) : 99));
  writeFileSync(at('low.npz'), writeNpz({ arr_0: volume }));
  expect((await coincide(['denoise', 'low.npz', '-o', 'high.npz', '--quiet', '--voxels', 'image'], dir)).code).toBe(0);
  const { shape, data } = (await readNpz(readFileSync(at('high.npz')), 'high.npz')).get('arr_0')!;
  expect(shape).toEqual([16, 20, 9]);
  expect(Math.max(...data)).toBeLessThan(5);
  expect(json('high.json').inputKind).toBe('npz');
});
