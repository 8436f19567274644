/** @file  coincide report: results to one page that shows them and says where they come from. */
import { basename } from 'node:path';
import { type Command, InvalidArgumentError } from 'commander';
import { OptionError } from '../core/errors.js';
import type { PetImage } from '../core/image.js';
import { highest, nearestVoxel, worldPoint } from '../geometry/shown.js';
import { writeFiles } from '../node/files.js';
import { readLabels } from '../node/images.js';
import { type ReportImage, type ReportResult, reportPage } from '../node/report-page.js';
import { agreementTable, factsTable, regionTable } from '../node/report-tables.js';
import { readShown } from '../node/sidecar.js';
import { version } from '../node/version.js';
import { expectComparable, expectSameGrid } from './comparable.js';
import { numbers, positive, type Result, type Run, verb } from './verb.js';

interface Options {
  readonly reference?: string;
  readonly labels?: string;
  readonly spread?: string[];
  readonly at?: [number, number, number];
  readonly window?: number;
  readonly title?: string;
  readonly output: string;
}

const point = (text: string): [number, number, number] => {
  const found = numbers(text);
  if (found.length !== 3) throw new InvalidArgumentError(`expected x,y,z in mm, found "${text}".`);
  return found as [number, number, number];
};

export function report(program: Command): void {
  const command = program
    .command('report <results...>')
    .description(
      'one HTML page on reconstructed or denoised images: slices, MIPs, profiles, spread, metrics, convergence, provenance',
    )
    .option('--reference <file>', 'the truth or a better image, on the same voxels: adds difference and metrics')
    .option('--labels <file>', 'label image: adds a table of regions; names from labels.json beside it')
    .option('--spread <files...>', 'standard deviations over samples, as written by --spread of recon and denoise')
    .option('--at <x,y,z>', 'where the slices meet, mm, RAS+ (default: the centre of the activity)', point)
    .option('--window <value>', 'value shown black (default: what one voxel in a thousand exceeds)', positive)
    .option('--title <text>', 'title of the page')
    .requiredOption('-o, --output <file>', 'page to write, .html');
  verb(command, async (run: Run, files: string[], options: Options): Promise<Result> => {
    const { reference: truth, labels, spread = [], at, title, output } = options;
    if (!/\.html?$/i.test(output))
      throw new OptionError('The report is a page', { key: '--output', expected: 'a name that ends in .html', found: output });
    const names = shortNames(files);
    const results: ReportResult[] = [];
    for (const [i, file] of files.entries()) {
      run.signal.throwIfAborted();
      const { image, sidecar } = await readShown(file);
      results.push({ name: names[i]!, note: method(sidecar), image, sidecar });
    }
    const read = async (file: string, note: string): Promise<ReportImage> => ({
      ...{ name: stem(file), note },
      image: (await readShown(file)).image,
    });
    const reference = truth === undefined ? undefined : await read(truth, 'reference');
    const spreads: ReportImage[] = [];
    for (const file of spread) spreads.push(await read(file, 'standard deviation over samples'));
    const first = (reference ?? results[0]!).image;
    if (at) expectInside(at, first);
    const regions = labels === undefined ? undefined : await readLabels(labels);
    for (const [i, { image }] of results.entries()) {
      if (reference) expectComparable(image, files[i]!, reference.image, truth!);
      if (regions) expectSameGrid(image, files[i]!, regions.labels, labels!);
    }
    const page = reportPage({
      title: title ?? `${names.join(', ')}: report`,
      introduction: [],
      ...{ results, reference, spreads, at: at ?? centreOfActivity(first) },
      window: options.window ?? highest([first]),
      tables: [
        ...(reference ? [agreementTable(results, reference)] : []),
        ...(regions ? [regionTable(results, reference, regions.labels, regions.names)] : []),
        factsTable([...(reference ? [reference] : []), ...results]),
      ],
      about: { 'report made by': `coincide ${version()}`, 'report made': new Date().toISOString() },
    });
    await writeFiles({ [output]: Buffer.from(page) });
    const without = files.filter((_, i) => results[i]!.sidecar === undefined);
    if (without.length > 0) run.say(`no sidecar, hence no provenance: ${without.join(', ')}`);
    return { json: { output, results: files, bytes: Buffer.byteLength(page) }, text: `${output}: open it in a browser` };
  });
}

/** @throws OptionError for a point in no voxel of the image. */
function expectInside(at: readonly [number, number, number], image: PetImage): void {
  const nearest = worldPoint(image, nearestVoxel(image, at));
  if (Math.hypot(...nearest.map((mm, axis) => mm - at[axis]!)) <= Math.hypot(...image.grid.voxelSize)) return;
  const hint = 'Points are x, y, z in mm, towards right, anterior and superior, as the viewer shows them.';
  throw new OptionError('The point is outside of the image', { key: '--at', found: at, hint });
}

/** What the sidecar says was done, in a few words. */
function method(sidecar: Readonly<Record<string, unknown>> | undefined): string {
  const parameters = sidecar?.parameters as { method?: string } | undefined;
  const model = sidecar?.model as { name?: string; version?: string } | undefined;
  if (parameters?.method) return parameters.method.toUpperCase();
  return model?.name ? `denoised by ${model.name} ${model.version ?? ''}, mode ${sidecar?.mode ?? ''}` : '';
}

const stem = (file: string): string => basename(file).replace(/\.(nii(\.gz)?|npz|hv)$/i, '');

/** Names of the files without folder and ending, unless two would be the same. */
function shortNames(files: readonly string[]): string[] {
  const short = files.map(stem);
  return short.map((name, i) => (short.indexOf(name) === short.lastIndexOf(name) ? name : files[i]!));
}

/** World point, where values above 0 balance; the middle of an image without any. */
function centreOfActivity(image: PetImage): [number, number, number] {
  const [nz, ny, nx] = image.grid.shape;
  const sums = [0, 0, 0, 0] as [number, number, number, number];
  image.values.data.forEach((value, i) => {
    if (!(value > 0)) return;
    sums[0] += value * Math.floor(i / (ny * nx));
    sums[1] += value * (Math.floor(i / nx) % ny);
    sums[2] += value * (i % nx);
    sums[3] += value;
  });
  const [z, y, x, all] = sums;
  return worldPoint(image, all > 0 ? [z / all, y / all, x / all] : [(nz - 1) / 2, (ny - 1) / 2, (nx - 1) / 2]);
}
