/** @file  A scan on disk: a folder with PETRIC's names. prompts.hs; mult_factors.hs and additive_term.hs (1 and 0 if absent);
 *  optionally mu.nii.gz; and scan.json, which says how it was made and in what unit its calibration gives the image. */
import { existsSync, readdirSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { array } from '../core/array.js';
import { FormatError } from '../core/errors.js';
import type { PetImage, Unit } from '../core/image.js';
import { type BinValues, separable } from '../geometry/bin-values.js';
import { crystalPairCounts, ringPairCounts } from '../geometry/bins.js';
import { checkedScan, checkTerm, type Scan } from '../geometry/scan.js';
import type { Sinogram, SinogramLayout } from '../geometry/sinogram.js';
import { interfileDataFile } from '../io/interfile-data.js';
import { readInterfileLayout, readInterfileProjData, writeInterfileProjData } from '../io/interfile-projdata.js';
import { writeNifti } from '../io/nifti.js';
import { type FileSet, json, readBytes, readJson, writeFolder } from './files.js';
import { version } from './version.js';

const stems = { prompts: 'prompts', multiplicative: 'mult_factors', additive: 'additive_term' } as const;
/** Every file that a scan folder may hold. */
export const scanOutput: readonly string[] = [
  ...Object.values(stems).flatMap((stem) => [`${stem}.hs`, `${stem}.s`]),
  'mu.nii.gz',
  'scan.json',
];

export interface ScanFolder {
  readonly scan: Scan;
  /** Unit of the image that the scan's calibration gives. */
  readonly unit: Unit;
  /** What had to be assumed. */
  readonly warnings: readonly string[];
}

/** Header of the prompts. @param folder or that header. @throws FormatError when there is none. */
function promptsIn(folder: string): string {
  const prompts = folder.endsWith('.hs') ? folder : join(folder, 'prompts.hs');
  if (!existsSync(folder)) throw new FormatError('There is no such scan', { file: folder, hint: howToScan });
  if (!existsSync(prompts)) {
    const names = statSync(folder).isDirectory() ? readdirSync(folder) : undefined;
    throw new FormatError('This is no scan folder: it has no prompts.hs', {
      file: folder,
      ...(names ? { found: names.slice(0, 4).join(', ') || 'an empty folder' } : {}),
      hint: names?.some((name) => name.endsWith('.hs'))
        ? 'Name the header of the measured counts prompts.hs, or give that header alone.'
        : howToScan,
    });
  }
  return prompts;
}

/**
 * Reads the layout of a scan folder, or of a single prompts header, and none of its data.
 * @throws FormatError or GeometryError naming file and key.
 */
export async function readScanLayout(folder: string): Promise<SinogramLayout> {
  const prompts = promptsIn(folder);
  return readInterfileLayout(await readBytes(prompts), prompts).layout;
}

/**
 * Reads a scan folder, or a single prompts header.
 * @throws FormatError or GeometryError naming file and key.
 */
export async function readScan(folder: string): Promise<ScanFolder> {
  const single = folder.endsWith('.hs');
  const at = single ? dirname(folder) : folder;
  const prompts = promptsIn(folder);
  const first = await readProjData(prompts);
  const optional = async (stem: string): Promise<Sinogram | undefined> => {
    const file = join(at, `${stem}.hs`);
    return !single && existsSync(file) ? (await readProjData(file)).sinogram : undefined;
  };
  const multiplicative = await optional(stems.multiplicative);
  const additive = await optional(stems.additive);
  const scan = checkedScan(
    { prompts: first.sinogram, multiplicative, additive, position: first.exam.position ?? 'HFS' },
    { prompts, multiplicative: join(at, 'mult_factors.hs'), additive: join(at, 'additive_term.hs') },
  );
  const beside = [stems.multiplicative, stems.additive].filter((stem) => single && existsSync(join(at, `${stem}.hs`)));
  const left = beside.map((stem) => `${stem}.hs lies beside this header and is not taken: give the folder to take it`);
  return { scan, unit: single ? 'counts' : await unitOf(at), warnings: [...first.warnings, ...left] };
}

const howToScan = 'Make one with coincide simulate or coincide histogram, or put prompts.hs of STIR into a folder.';

async function readProjData(file: string): Promise<ReturnType<typeof readInterfileProjData>> {
  const header = await readBytes(file);
  const data = resolve(dirname(file), interfileDataFile(header, file));
  return readInterfileProjData(header, await readBytes(data), file);
}

/** Writes a scan folder, whole or not at all. */
export async function writeScan(
  folder: string,
  {
    scan,
    mu,
    meta,
  }: {
    readonly scan: Scan;
    readonly mu?: PetImage | undefined;
    readonly meta: Readonly<Record<string, unknown>> & { readonly unit: Unit };
  },
): Promise<void> {
  const files: Record<string, Uint8Array> = {};
  for (const [key, stem] of Object.entries(stems) as [keyof typeof stems, string][]) {
    const sinogram = scan[key];
    if (!sinogram) continue;
    const { header, data } = writeInterfileProjData(sinogram, { dataFile: `${stem}.s`, exam: { position: scan.position } });
    files[`${stem}.hs`] = Buffer.from(header, 'latin1');
    files[`${stem}.s`] = data;
  }
  if (mu) files['mu.nii.gz'] = writeNifti(mu, { gzip: true });
  files['scan.json'] = json({ coincide: version(), ...meta });
  await writeFolder(folder, files satisfies FileSet, scanOutput);
}

/** m of a scan of which only the geometry is known: how many detector pairs each bin adds up, 0 where they are gaps. */
export function detectionFactors(layout: SinogramLayout): BinValues {
  return separable(layout, ringPairCounts(layout), crystalPairCounts(layout));
}

/** A scan folder without its prompts. */
export interface TermsFolder extends Pick<Scan, 'multiplicative' | 'additive'> {
  readonly layout: SinogramLayout;
  readonly unit: Unit;
}

/**
 * Reads the layout of what a scan folder knows beside its prompts, and none of its data.
 * @throws FormatError or GeometryError naming file and key.
 */
export async function readTermsLayout(folder: string): Promise<SinogramLayout> {
  const file = (key: keyof typeof stems): string => join(folder, `${stems[key]}.hs`);
  const there = (['multiplicative', 'additive', 'prompts'] as const).find((key) => existsSync(file(key)));
  if (!there) {
    throw new FormatError('This is no scan folder: it has no factors and no prompts', {
      file: folder,
      expected: 'mult_factors.hs, additive_term.hs or prompts.hs',
      ...(existsSync(folder) ? {} : { found: 'no such folder' }),
    });
  }
  return readInterfileLayout(await readBytes(file(there)), file(there)).layout;
}

/**
 * Reads what a scan folder knows beside its prompts, for events of the same scan.
 * @throws FormatError or GeometryError naming file and key.
 */
export async function readTerms(folder: string): Promise<TermsFolder> {
  const layout = await readTermsLayout(folder);
  const file = (key: keyof typeof stems): string => join(folder, `${stems[key]}.hs`);
  const term = async (key: keyof typeof stems): Promise<Sinogram | undefined> => {
    if (!existsSync(file(key))) return undefined;
    const { sinogram } = await readProjData(file(key));
    checkTerm(sinogram, layout, file(key));
    return sinogram;
  };
  return {
    layout,
    multiplicative: await term('multiplicative'),
    additive: await term('additive'),
    unit: await unitOf(folder),
  };
}

async function unitOf(folder: string): Promise<Unit> {
  const note = join(folder, 'scan.json');
  const meta = existsSync(note) ? ((await readJson(note)) as { unit?: Unit }) : {};
  return meta.unit ?? 'counts';
}

/** a = randoms / m, 0 where m is. */
export function randomsTerm(randoms: Sinogram, { values: m }: Sinogram): Sinogram {
  const values = array(randoms.values.shape);
  for (let i = 0; i < values.data.length; i++) values.data[i] = m.data[i]! > 0 ? randoms.values.data[i]! / m.data[i]! : 0;
  return { layout: randoms.layout, values };
}
