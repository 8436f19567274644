/** Denoisers over scanners, tracers and doses, in simulation: the table of Yu et al. 2025 (doi:10.1007/s00259-025-07122-4).
 *    npm run bench -- robustness [small|full] [--out FOLDER] [--model NAME=DIR …] [--subjects N] [--threads N]
 *  One line of FOLDER/cells.jsonl per subject and dose; given again, it goes on where it was. In the end it writes FOLDER/robustness.json and
 *  the page FOLDER/robustness.md. Subjects are of the test group, whose seeds no training run sees. The Gaussian and non-local means are
 *  tuned on validation subjects, for each scanner and dose, by PSNR; so they know scanner and dose, which the networks do not. */
import { appendFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import * as coincide from 'coincide';
import { type LoadedModel, loadModel, openEngine, picture, png } from 'coincide/node';
import { type Assessed, assess, type Cell, gaussianWidths, type Measures, type Tuned } from './robustness-cell.js';
import { rendered } from './robustness-page.js';

const { values: given, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    out: { type: 'string' },
    model: { type: 'string', multiple: true, default: [] },
    threads: { type: 'string', default: '0' },
    subjects: { type: 'string' },
  },
});
const tier = positionals.includes('full') ? 'full' : 'small';
const { tuning, doses, samples, ...tierOf } = {
  small: { subjects: 1, tuning: 1, doses: [1 / 20], samples: 4 },
  full: { subjects: 4, tuning: 2, doses: [1 / 2, 1 / 4, 1 / 10, 1 / 20, 1 / 50, 1 / 100], samples: 4 },
}[tier];
const subjects = Number(given.subjects ?? tierOf.subjects);
const out = given.out ?? `build/robustness-${tier}`;

const cohort = coincide.parseTrainingConfig({ name: 'robustness' }).cohort;
const scanners = ['legacy', 'clinical', 'digital', 'totalbody'];
/** The four tracers, and FDG in the brain; `kept` says what training did not see. */
const studies = [
  { name: 'FDG', tracer: 'fdg', regions: cohort.regions, kept: 'nothing' },
  { name: 'PSMA', tracer: 'psma', regions: cohort.regions, kept: 'nothing' },
  { name: 'DOTATATE', tracer: 'dotatate', regions: cohort.regions, kept: 'tracer' },
  { name: 'amyloid, brain', tracer: 'amyloid', regions: ['brain'], kept: 'tracer and anatomy' },
  { name: 'FDG, brain', tracer: 'fdg', regions: ['brain'], kept: 'anatomy' },
] as const;
/** Volumes of this many voxels. */
const voxels = tier === 'small' ? 120_000 : 200_000;

const engine = await openEngine({ device: 'cpu', threads: Number(given.threads) });
const models = new Map<string, LoadedModel>([['default', await loadModel()]]);
for (const pair of given.model) {
  const [name, dir] = pair.split('=') as [string, string | undefined];
  if (!dir) throw new Error(`--model ${pair}: expected NAME=DIR`);
  models.set(name, await loadModel(dir));
}

// A file of other settings, or of other weights, is not gone on with.
const setup = {
  ...{ tier, seed: 1, cohort, scanners, studies, doses, subjects, tuning, samples, voxels },
  models: Object.fromEntries([...models].map(([name, { card }]) => [name, card.sha256])),
};
mkdirSync(out, { recursive: true });
const log = join(out, 'cells.jsonl');
const lines = existsSync(log) ? readFileSync(log, 'utf8').split('\n').filter(Boolean) : [];
const parsed = lines.flatMap((line): unknown[] => {
  try {
    return [JSON.parse(line)];
  } catch {
    return []; // a killed run left it unfinished
  }
});
if (parsed.length > 0 && JSON.stringify((parsed[0] as { setup: unknown }).setup) !== JSON.stringify(setup)) {
  throw new Error(`${log} is of other settings or models: give another --out, or remove it`);
}
writeFileSync(log, [{ setup }, ...parsed.slice(1)].map((line) => `${JSON.stringify(line)}\n`).join(''));
const kept = parsed.slice(1) as (({ kind: 'tuned' } & Tuned) | ({ kind: 'cell' } & Cell))[];
const keep = (entry: (typeof kept)[number]): void => {
  kept.push(entry);
  appendFileSync(log, `${JSON.stringify(entry)}\n`);
};

/** A subject at all doses; every second one is reconstructed with the scanner's resolution. */
function subject(group: 'validation' | 'test', scanner: string, study: (typeof studies)[number], number: number) {
  const place = 100 * (scanners.indexOf(scanner) * studies.length + studies.indexOf(study)) + number;
  const seed = coincide.subjectSeed(1, group, 50_000 + place);
  const lists = { ...cohort, regions: study.regions, tracers: [study.tracer], scanners: [scanner], draws: 1 };
  const draws = doses.map((dose, k) => ({ dose, iterations: 3, psf: number % 2 === 0, filter: 0, seed: seed * 100 + k }));
  return coincide.simulateRecipe({ ...coincide.recipeOf(lists, seed), exposure: 1, anatomy: 'mu', draws }, voxels, engine);
}

const wide = { strength: [0.1, 0.2, 0.4, 0.8, 1.6], prefilter: [5, 10], postfilter: [0, 4, 7, 10] };
/** The Gaussian's width and the settings of non-local means that give the best mean PSNR on validation subjects. */
async function tune(scanner: string): Promise<void> {
  if (kept.some((entry) => entry.kind === 'tuned' && entry.scanner === scanner)) return;
  const trained = studies.filter(({ kept: unseen }) => unseen === 'nothing');
  const found: coincide.SimulatedSubject[] = [];
  for (let number = 1; number <= tuning; number++) {
    for (const study of trained) found.push(await subject('validation', scanner, study, number));
  }
  for (const [k, dose] of doses.entries()) {
    const psnr = async (filter: (image: coincide.Volume, size: coincide.Point) => Promise<coincide.Volume>): Promise<number> => {
      let sum = 0;
      for (const { shape, truth, lowDose, voxelSize } of found) {
        const filtered = await filter(coincide.array(shape, lowDose[k]!), voxelSize);
        sum += coincide.imageError(filtered, coincide.array(shape, truth)).psnr;
      }
      return sum / found.length;
    };
    const best = async <T>(candidates: readonly T[], value: (candidate: T) => Promise<number>): Promise<T> => {
      const scores: number[] = [];
      for (const candidate of candidates) scores.push(await value(candidate));
      return candidates[scores.indexOf(Math.max(...scores))]!;
    };
    const fwhm = await best(gaussianWidths, (width) => psnr((image, size) => coincide.gaussianFilter(image, size, width)));
    const pairs = wide.strength.flatMap((strength) => wide.prefilter.map((prefilter) => ({ strength, prefilter })));
    const means = (options: coincide.NonlocalMeansOptions) => psnr((image, size) => coincide.nonlocalMeans(image, size, options));
    const pair = await best(pairs, means);
    const nlm = await best(
      wide.postfilter.map((postfilter) => ({ ...pair, postfilter })),
      means,
    );
    keep({ kind: 'tuned', scanner, dose, fwhm, nlm });
    console.error(`tuned ${scanner} 1/${Math.round(1 / dose)}: Gaussian ${fwhm} mm, NLM ${JSON.stringify(nlm)}`);
  }
}

/** All methods on one image. */
async function measured(s: coincide.SimulatedSubject, k: number, tuned: Tuned, montage?: string): Promise<Measures> {
  const { voxelSize, shape } = s;
  const low = coincide.array(shape, s.lowDose[k]!);
  const methods: Record<string, Assessed> = {};
  const shown: [coincide.Volume, number?][] = [[coincide.array(shape, s.truth)], [low]];
  const add = async (name: string, run: () => Promise<{ image: coincide.Volume; spread?: coincide.Volume }>): Promise<void> => {
    const started = process.cpuUsage();
    const { image, spread } = await run();
    const { user, system } = process.cpuUsage(started);
    methods[name] = { ...assess(s, image, spread && { spread, samples }), cpuSeconds: (user + system) / 1e6 };
    shown.push([image]);
  };
  await add('OSEM', async () => ({ image: low }));
  shown.pop();
  await add('Gaussian', async () => ({ image: await coincide.gaussianFilter(low, voxelSize, tuned.fwhm) }));
  await add('NLM', async () => ({ image: await coincide.nonlocalMeans(low, voxelSize, tuned.nlm) }));
  const image = coincide.petImage(coincide.centredGrid(shape, voxelSize), low, 'SUV');
  for (const [name, model] of models) {
    await add(`${name}, mean`, async () => ({ image: (await coincide.denoiseVolume(image, model)).image.values }));
    if (name === 'default') {
      const anatomy = coincide.array(shape, s.anatomy);
      await add(`${name}, mean, with μ`, async () => ({
        image: (await coincide.denoiseVolume(image, model, { anatomy })).image.values,
      }));
    }
    if (!model.can.includes('conditional')) continue;
    await add(`${name}, ${samples} samples`, async () => {
      const options = { mode: 'samples', samples, seed: s.recipe.seed } as const;
      const { image: average, spread } = await coincide.denoiseVolume(image, model, options);
      return { image: average.values, spread: spread!.values };
    });
  }
  // What a Gaussian of any width does to this image: contrast against noise.
  const ladder: Measures['ladder'][number][] = [];
  for (const fwhm of gaussianWidths) {
    const { psnr, noise, crc } = assess(s, await coincide.gaussianFilter(low, voxelSize, fwhm));
    ladder.push({ fwhm, psnr, noise, crc });
  }
  if (montage)
    writeFileSync(
      montage,
      png(
        strip(
          shown.map(([volume]) => volume),
          s,
        ),
      ),
    );
  return { methods, ladder };
}

/** The middle slice of every volume, side by side, in one window. */
function strip(volumes: readonly coincide.Volume[], { shape, truth }: coincide.SimulatedSubject) {
  const bright = Float32Array.from(truth).sort()[Math.floor(0.99 * truth.length)]!;
  const slices = volumes.map((volume) => picture(volume, 'transaxial', Math.max(1, 1.2 * bright), shape[0] >> 1));
  const zoom = 2;
  const [w, h] = [slices[0]!.width, slices[0]!.height];
  const width = slices.length * (zoom * w + 4) - 4;
  const pixels = new Uint8Array(width * zoom * h).fill(255);
  for (const [n, slice] of slices.entries())
    for (let y = 0; y < zoom * h; y++)
      for (let x = 0; x < zoom * w; x++) pixels[y * width + n * (zoom * w + 4) + x] = slice.pixels[(y >> 1) * w + (x >> 1)]!;
  return { width, height: zoom * h, pixels };
}

const all = scanners.length * studies.length * subjects;
let done = 0;
for (let number = 1; number <= subjects; number++) {
  for (const scanner of scanners) {
    await tune(scanner);
    for (const study of studies) {
      done++;
      const missing = doses.filter(
        (dose) =>
          !kept.some(
            (c) =>
              c.kind === 'cell' && c.scanner === scanner && c.study === study.name && c.subject === number && c.dose === dose,
          ),
      );
      if (missing.length === 0) continue;
      const s = await subject('test', scanner, study, number);
      for (const dose of missing) {
        const tuned = kept.find((entry) => entry.kind === 'tuned' && entry.scanner === scanner && entry.dose === dose) as Tuned;
        const example = number === 1 && dose === 1 / 20 && scanner === 'digital';
        const montage = example ? join(out, `${study.name.replace(/\W+/g, '-')}.png`) : undefined;
        const measures = await measured(s, doses.indexOf(dose), tuned, montage);
        const about = { scanner, study: study.name, kept: study.kept, subject: number, dose, region: s.recipe.region };
        keep({ kind: 'cell', ...about, ...measures });
      }
      console.error(`${done} of ${all}: ${scanner}, ${study.name}, subject ${number}`);
    }
  }
}
await engine.dispose();
for (const model of models.values()) await model.dispose();
const described = Object.fromEntries(
  [...models].map(([name, { card }]) => [name, `${card.name} ${card.version}, weights ${card.sha256.slice(0, 12)}`]),
);
const cells = kept.filter((entry) => entry.kind === 'cell');
const { json, markdown } = rendered(cells, { tier, samples, models: described, studies: studies.map(({ name }) => name) });
writeFileSync(join(out, 'robustness.json'), `${JSON.stringify(json, null, 1)}\n`);
writeFileSync(join(out, 'robustness.md'), markdown);
console.log(join(out, 'robustness.md'));
