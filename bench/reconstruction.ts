/** Reconstructions with a diffusion prior beside the classical ones: contrast and bias against noise, agreement with the data, cost.
 *    npm run bench -- reconstruction [small|held-out|full] [--out FOLDER] [--only METHOD,…] [--phantoms N] [--untuned] [--model DIR] [--threads N] [--page]
 *  small, full   every method at every strength, over realisations of the noise
 *  held-out      strengths chosen by PSNR on validation subjects of the same kind; then 8 subjects like those of training and 8 unlike them
 *  One line of FOLDER/TIER.jsonl per subject, dose, method and strength; given again, it goes on where it was, and takes more methods or
 *  subjects in. In the end it writes FOLDER/TIER.json and, of all tiers there, the page FOLDER/reconstruction.md with its pictures;
 *  --page does only that, with what there is. --untuned makes no validation subjects: what was not tuned takes its first strength.
 *  Subjects are of the validation and test groups, whose seeds no training run sees; each has a lesion that its anatomy does not show. */
import { appendFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import * as coincide from 'coincide';
import { loadModel, openEngine, picture } from 'coincide/node';
import { meter, type Realisation, realisation, subjectOf } from './reconstruction-case.js';
import { type Cell, measured, type Place } from './reconstruction-cell.js';
import { type Method, methodsOf, strengthsOf } from './reconstruction-methods.js';
import { writePage } from './reconstruction-page.js';
import { sliceName } from './reconstruction-pictures.js';
import { type Plan, plans, type Tier, tiers } from './reconstruction-plan.js';
import { firstLesion } from './robustness-cell.js';

const { values: given, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    out: { type: 'string', default: 'build/reconstruction' },
    only: { type: 'string' },
    phantoms: { type: 'string', default: 'Infinity' },
    model: { type: 'string' },
    threads: { type: 'string', default: '0' },
    untuned: { type: 'boolean', default: false },
    page: { type: 'boolean', default: false },
  },
});
const tier = (positionals[1] ?? 'small') as Tier;
if (!tiers.includes(tier)) throw new Error(`Tier ${tier}: expected one of ${tiers.join(', ')}`);
const { doses, realisations, studies } = plans[tier];
const { out } = given;

const engine = await openEngine({ device: 'cpu', threads: Number(given.threads) });
const model = await loadModel(given.model, { threads: Number(given.threads) });
const used = meter(engine, model);
const all = methodsOf(model, tier);
const only = given.only?.split(',');
const unknown = only?.find((name) => !all.some((method) => method.name === name));
if (unknown) throw new Error(`--only ${unknown}: expected some of ${all.map(({ name }) => name).join(', ')}`);
const methods = given.page ? [] : all.filter(({ name }) => !only || only.includes(name));

// A file of other settings is not gone on with; results of other weights are made again, and those of strengths no longer swept are left out.
mkdirSync(join(out, 'slices'), { recursive: true });
const log = join(out, `${tier}.jsonl`);
const setup = { tier, doses, realisations };
const lines = existsSync(log) ? readFileSync(log, 'utf8').split('\n').filter(Boolean) : [];
const parsed = lines.flatMap((line): unknown[] => {
  try {
    return [JSON.parse(line)];
  } catch {
    return []; // a killed run left it unfinished
  }
});
if (parsed.length > 0 && JSON.stringify((parsed[0] as { setup: unknown }).setup) !== JSON.stringify(setup))
  throw new Error(`${log} is of other settings: give another --out, or remove it`);
const same = (a: Place, b: Place): boolean =>
  (['group', 'study', 'subject', 'dose', 'method', 'strength'] as const).every((key) => a[key] === b[key]);
// Two runs at once may have made a cell twice.
const cells = (parsed.slice(1) as Cell[])
  .filter(({ weights }) => weights === null || weights === model.card.sha256)
  .filter(({ method, strength }) => all.every((known) => known.name !== method || strengthsOf(known, tier).includes(strength)))
  .filter((cell, i, list) => list.findIndex((other) => same(cell, other)) === i);
writeFileSync(log, [{ setup }, ...cells].map((line) => `${JSON.stringify(line)}\n`).join(''));

/** Methods at strengths on one subject: whatever of it is still missing. */
async function run(
  study: Plan['studies'][number],
  group: Cell['group'],
  number: number,
  wanted: readonly (readonly [Method, number])[],
): Promise<void> {
  const { name, unseen } = study;
  const placeOf = (dose: number, method: string, strength: number): Place => ({
    ...{ group, study: name, subject: number, dose, method, strength },
  });
  const todo = doses.map((dose) => ({
    dose,
    missing: wanted.filter(([method, strength]) => !cells.some((cell) => same(cell, placeOf(dose, method.name, strength)))),
  }));
  if (todo.every(({ missing }) => missing.length === 0)) return;
  const subject = await subjectOf(study, group, number, engine);
  const { shape, truth, recipe, labels } = subject;
  const bright = Float32Array.from(truth).sort()[Math.floor(0.99 * truth.length)]!;
  // The slice with most of the lesions.
  const plane = shape[1] * shape[2];
  const lesions = Array.from({ length: shape[0] }, (_, z) =>
    labels.slice(z * plane, (z + 1) * plane).filter((l) => l >= firstLesion),
  );
  const shown = lesions.reduce((best, { length }, z) => (length > lesions[best]!.length ? z : best), shape[0] >> 1);
  const keep = (place: Omit<Place, 'group'>, image: coincide.Volume): void => {
    if (group !== 'test' || number !== 1) return;
    const slice = picture(image, 'transaxial', Math.max(1, 1.2 * bright), shown);
    writeFileSync(join(out, 'slices', sliceName(place)), JSON.stringify({ ...slice, pixels: [...slice.pixels] }));
  };
  for (const { dose, missing } of todo) {
    if (missing.length === 0) continue;
    keep(placeOf(dose, 'truth', 0), coincide.array(shape, truth));
    const scans: Realisation[] = Array.from({ length: realisations }, (_, n) => realisation(subject, dose, n + 1, used));
    for (const [method, strength] of missing) {
      const place = placeOf(dose, method.name, strength);
      const about = { unseen, region: recipe.region, scanner: recipe.scanner, weights: model.card.sha256 };
      const cell = await measured(method, place, about, scans, used, (image) => keep(place, image));
      cells.push(cell);
      appendFileSync(log, `${JSON.stringify(cell)}\n`);
      const [dB, seconds] = [cell.psnr.toFixed(2), cell.cpuSeconds.toFixed(1)];
      console.error(
        `${name} ${group} ${number}, 1/${Math.round(1 / dose)}: ${method.name} ${strength}  ${dB} dB  ${seconds} CPU s`,
      );
    }
  }
}

/** The strength with the best mean PSNR on the validation subjects of a study. */
function tuned(study: string, method: Method): number {
  const { name } = method;
  const of = (strength: number): number => {
    const some = cells.filter(
      (c) => c.group === 'validation' && c.study === study && c.method === name && c.strength === strength,
    );
    return some.reduce((sum, { psnr }) => sum + psnr, 0) / some.length;
  };
  const tried = [
    ...new Set(cells.filter((c) => c.group === 'validation' && c.study === study && c.method === name).map((c) => c.strength)),
  ];
  return tried.length === 0
    ? strengthsOf(method, tier)[0]!
    : tried.reduce((best, strength) => (of(strength) > of(best) ? strength : best));
}

const limit = Number(given.phantoms);
const everything = methods.flatMap((method) => strengthsOf(method, tier).map((strength) => [method, strength] as const));
const most = Math.min(limit, Math.max(...studies.map(({ test }) => test)));
for (const study of studies) {
  // What has one strength has nothing to tune.
  const several = everything.filter(([method]) => strengthsOf(method, tier).length > 1);
  for (let number = 1; number <= (given.untuned ? 0 : Math.min(limit, study.validation)); number++)
    await run(study, 'validation', number, several);
}
for (let number = 1; number <= most; number++) {
  for (const study of studies) {
    if (number > study.test) continue;
    const asked = methods.filter(({ of }) => of === undefined || of(study));
    const wanted = study.validation > 0 ? asked.map((method) => [method, tuned(study.name, method)] as const) : everything;
    await run(study, 'test', number, wanted);
  }
}
await engine.dispose();
await model.dispose();
const about = {
  ...{ tier, doses, realisations, model: `${model.card.name} ${model.card.version}`, sha256: model.card.sha256 },
  methods: all
    .filter(({ name }) => cells.some(({ method }) => method === name))
    .map(({ name, about, knob, ablationOf }) => ({ name, about, knob, ...(ablationOf ? { ablationOf } : {}) })),
};
writeFileSync(
  join(out, `${tier}.json`),
  `{"about":${JSON.stringify(about)},\n"cells":[\n${cells.map((c) => JSON.stringify(c)).join(',\n')}\n]}\n`,
);
console.log(writePage(out));
