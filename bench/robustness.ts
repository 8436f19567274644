/** Denoisers over scanners, tracers and doses, in simulation: the table of Yu et al. 2025 (doi:10.1007/s00259-025-07122-4).
 *    npm run bench -- robustness [small|held-out|full] [--out FOLDER] [--model NAME=DIR …] [--filters] [--page] [--threads N]
 *  One line of FOLDER/cells.jsonl for the filters, and one for every network, per subject and dose; given again, it goes on where it was, and a
 *  network of other weights is measured anew without the filters. `--filters` leaves the networks out. In the end it writes
 *  FOLDER/robustness.json and the page FOLDER/robustness.md; `--page` does only that, with what there is. Subjects are of the test group, whose seeds no training run sees. The Gaussian and
 *  non-local means are tuned on validation subjects, for each scanner and dose, by PSNR; so they know scanner and dose, which the networks do not. */
import { appendFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import * as coincide from 'coincide';
import { type LoadedModel, loadModel, openEngine, picture, png } from 'coincide/node';
import type { Assessed, Cell, Measures, Tuned } from './robustness-cell.js';
import { type Case, classical, networked, tunedFilters } from './robustness-methods.js';
import { rendered } from './robustness-page.js';

const { values: given, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    out: { type: 'string' },
    model: { type: 'string', multiple: true, default: [] },
    threads: { type: 'string', default: '0' },
    filters: { type: 'boolean', default: false },
    page: { type: 'boolean', default: false },
  },
});
const tier = (['full', 'held-out'] as const).find((name) => positionals.includes(name)) ?? 'small';
/** `sampled`: doses at which samples are drawn, the dearest method. */
const { subjects, tuning, doses, sampled } = {
  small: { subjects: 1, tuning: 1, doses: [1 / 20], sampled: [1 / 20] },
  'held-out': { subjects: 2, tuning: 1, doses: [1 / 4, 1 / 20, 1 / 100], sampled: [1 / 20] },
  full: { subjects: 4, tuning: 2, doses: [1 / 2, 1 / 4, 1 / 10, 1 / 20, 1 / 50, 1 / 100], sampled: [1 / 4, 1 / 20, 1 / 100] },
}[tier];
const samples = 4;
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
const voxels = tier === 'full' ? 200_000 : 120_000;

const engine = await openEngine({ device: 'cpu', threads: Number(given.threads) });
const models = new Map<string, LoadedModel>([['default', await loadModel()]]);
for (const pair of given.model) {
  const [name, dir] = pair.split('=') as [string, string | undefined];
  if (!dir) throw new Error(`--model ${pair}: expected NAME=DIR`);
  models.set(name, await loadModel(dir));
}

// A file of other settings is not gone on with.
const setup = { tier, seed: 1, cohort, scanners, studies, doses, subjects, tuning, samples, voxels };
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
  throw new Error(`${log} is of other settings: give another --out, or remove it`);
}
writeFileSync(log, [{ setup }, ...parsed.slice(1)].map((line) => `${JSON.stringify(line)}\n`).join(''));
/** Where an image comes from. */
type Place = Pick<Cell, 'scanner' | 'study' | 'subject' | 'dose'>;
type Entry =
  | ({ readonly kind: 'tuned' } & Tuned)
  | ({ readonly kind: 'filters' } & Cell)
  | ({ readonly kind: 'network'; readonly name: string; readonly sha256: string } & Place & Pick<Measures, 'methods'>);
const kept = parsed.slice(1) as Entry[];
const keep = (entry: Entry): void => {
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

const trained = studies.filter(({ kept: unseen }) => unseen === 'nothing');
/** Tunes the filters for a scanner, at doses where that is not done. */
async function tune(scanner: string): Promise<void> {
  const missing = doses.filter((dose) => tunedAt(scanner, dose) === undefined);
  if (missing.length === 0) return;
  const found: coincide.SimulatedSubject[] = [];
  for (let number = 1; number <= tuning; number++)
    for (const study of trained) found.push(await subject('validation', scanner, study, number));
  for (const dose of missing) {
    const tuned = await tunedFilters(found.map((s) => caseOf(s, dose)));
    keep({ kind: 'tuned', scanner, dose, ...tuned });
    console.error(`tuned ${scanner} 1/${Math.round(1 / dose)}: Gaussian ${tuned.fwhm} mm, NLM ${JSON.stringify(tuned.nlm)}`);
  }
}
const tunedAt = (scanner: string, dose: number): Tuned | undefined =>
  kept.find((entry) => entry.kind === 'tuned' && entry.scanner === scanner && entry.dose === dose) as Tuned | undefined;
const caseOf = (s: coincide.SimulatedSubject, dose: number): Case => ({
  subject: s,
  low: coincide.array(s.shape, s.lowDose[doses.indexOf(dose)]!),
});

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

const at = (entry: Entry, place: Place): boolean =>
  entry.kind !== 'tuned' && (['scanner', 'study', 'subject', 'dose'] as const).every((key) => entry[key] === place[key]);
const filtersAt = (place: Place) =>
  kept.find((entry) => entry.kind === 'filters' && at(entry, place)) as ({ kind: 'filters' } & Cell) | undefined;
const networkAt = (place: Place, name: string) =>
  kept.find(
    (entry) =>
      entry.kind === 'network' && at(entry, place) && entry.name === name && entry.sha256 === models.get(name)!.card.sha256,
  ) as { methods: Record<string, Assessed> } | undefined;
const wanted = given.filters ? [] : [...models.keys()];

/** Every image there is, subject by subject. */
const plan = Array.from({ length: subjects }, (_, n) => n + 1).flatMap((number) =>
  scanners.flatMap((scanner) => studies.map((study) => ({ number, scanner, study }))),
);
for (const [done, { number, scanner, study }] of given.page ? [] : plan.entries()) {
  const places = doses.map((dose): Place => ({ scanner, study: study.name, subject: number, dose }));
  const missing = places.filter((place) => !filtersAt(place) || wanted.some((name) => !networkAt(place, name)));
  if (missing.length === 0) continue;
  await tune(scanner);
  const s = await subject('test', scanner, study, number);
  for (const place of missing) {
    const one = caseOf(s, place.dose);
    const images = [coincide.array(s.shape, s.truth)];
    const filtered = filtersAt(place);
    const example = wanted.length > 0 && number === 1 && place.dose === 1 / 20 && scanner === 'digital';
    if (filtered === undefined || example) {
      const { images: shown, ...measures } = await classical(one, tunedAt(scanner, place.dose)!);
      if (filtered === undefined) keep({ kind: 'filters', ...place, kept: study.kept, region: s.recipe.region, ...measures });
      images.push(...shown);
    }
    for (const name of wanted) {
      if (networkAt(place, name) && !example) continue;
      const model = models.get(name)!;
      const { methods, images: shown } = await networked(one, name, model, sampled.includes(place.dose) ? samples : 0);
      keep({ kind: 'network', ...place, name, sha256: model.card.sha256, methods });
      images.push(...shown);
    }
    if (example) writeFileSync(join(out, `${study.name.replace(/\W+/g, '-')}.png`), png(strip(images, s)));
  }
  console.error(`${done + 1} of ${plan.length}: ${scanner}, ${study.name}, subject ${number}`);
}
await engine.dispose();
for (const model of models.values()) await model.dispose();
const described = Object.fromEntries(
  [...models].map(([name, { card }]) => [name, `${card.name} ${card.version}, weights ${card.sha256.slice(0, 12)}`]),
);
const cells = kept.flatMap((entry): Cell[] => {
  if (entry.kind !== 'filters') return [];
  const { kind: _, ...cell } = entry;
  const networks = wanted.map((name) => networkAt(entry, name)?.methods);
  if (networks.includes(undefined)) return []; // not yet measured
  return [{ ...cell, methods: Object.assign({}, cell.methods, ...networks) }];
});
const { json, markdown } = rendered(cells, { tier, samples, models: described, studies: studies.map(({ name }) => name) });
writeFileSync(join(out, 'robustness.json'), `${JSON.stringify(json, null, 1)}\n`);
writeFileSync(join(out, 'robustness.md'), markdown);
console.log(join(out, 'robustness.md'));
