/** The page of bench/reconstruction.ts: what the tiers left in a folder, as tables and curves. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Cell } from './reconstruction-cell.js';
import { type Curve, curves, montage, montageName } from './reconstruction-pictures.js';
import { doseName, interval, show, table } from './robustness-page.js';

interface Results {
  readonly about: {
    readonly tier: string;
    readonly doses: readonly number[];
    readonly realisations: number;
    readonly model: string;
    readonly sha256: string;
    readonly methods: readonly {
      readonly name: string;
      readonly about: string;
      readonly knob?: string;
      readonly ablationOf?: string;
    }[];
  };
  readonly cells: readonly Cell[];
}

const unique = <T>(values: readonly T[]): T[] => [...new Set(values)];
const average = (values: readonly (number | null)[]): number => {
  const known = values.filter((value) => value !== null && Number.isFinite(value)) as number[];
  return known.reduce((sum, value) => sum + value, 0) / known.length;
};
const number = (value: number | null | undefined, digits: number): string =>
  value === null || value === undefined || !Number.isFinite(value) ? '–' : value.toFixed(digits);

/** Writes FOLDER/reconstruction.md and its curves, of the tiers whose results lie there. @returns its name. */
export function writePage(folder: string): string {
  const read = (tier: string): Results | undefined => {
    const file = join(folder, `${tier}.json`);
    return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Results) : undefined;
  };
  const heldOut = read('held-out');
  const ensembles = read('full') ?? read('small');
  const any = (heldOut ?? ensembles)!;
  const parts = [
    `# Reconstruction with a diffusion prior, beside classical methods and post-denoising

Simulated subjects that no training saw, each with a lesion; the anatomy that guided methods are given does not show it. Made by
${[heldOut, ensembles].flatMap((found) => (found ? [`\`npm run bench -- reconstruction ${found.about.tier}\``] : [])).join(' and ')}; model ${any.about.model}, weights ${any.about.sha256.slice(0, 12)}. PSNR: range max − min of the truth. Noise: in the
largest organ, away from its border; SD over the mean. CRC: contrast recovery, mean over lesions. Deviance: of the data given the image, over that
given the truth. Projections: passes of all data, forward or back, with the system model and the start image. Evaluations: of the
network, of the whole volume. In brackets 95 % intervals (bootstrap over subjects). Truth and scan share their voxels; scatter and randoms have the right mean; nothing moves.

| method | what it is | swept |
| --- | --- | --- |
${any.about.methods.map((method) => `| ${method.name} | ${method.about} | ${method.knob ?? ''} |`).join('\n')}`,
    ...(heldOut ? heldOutPart(heldOut) : []),
    ...(ensembles ? ensemblePart(ensembles, folder) : []),
  ];
  const file = join(folder, 'reconstruction.md');
  writeFileSync(file, `${parts.join('\n\n')}\n`);
  return file;
}

const likeTraining = (cell: Cell): boolean => cell.unseen === 'nothing';
const subjectOf = (cell: Cell): string => `${cell.study} ${cell.subject}`;
/** What a method has less what another has of the same subjects. */
function differences(cells: readonly Cell[], method: string, than: string, value: (cell: Cell) => number | null): number[] {
  return cells
    .filter((cell) => cell.method === method)
    .flatMap((cell) => {
      const other = cells.find((c) => c.method === than && subjectOf(c) === subjectOf(cell));
      const [a, b] = [value(cell), other ? value(other) : null];
      return a === null || b === null ? [] : [a - b];
    });
}

function heldOutPart({ about, cells: all }: Results): string[] {
  const cells = all.filter(({ group }) => group === 'test');
  const methods = about.methods.map(({ name }) => name).filter((name) => cells.some((cell) => cell.method === name));
  const groups: readonly (readonly [string, readonly Cell[]])[] = [
    ['like training', cells.filter(likeTraining)],
    ['unlike training', cells.filter((cell) => !likeTraining(cell))],
    ...unique(cells.filter((cell) => !likeTraining(cell)).map(({ unseen }) => unseen)).map(
      (unseen) => [`… its ${unseen}`, cells.filter((cell) => cell.unseen === unseen)] as const,
    ),
  ];
  const sections = groups.flatMap(([name, some]) => {
    if (some.length === 0) return [];
    const rows = methods.flatMap((method) => {
      const here = some.filter((cell) => cell.method === method);
      if (here.length === 0) return [];
      const over = (than: string): string => {
        if (than === method) return '';
        const gains = differences(some, method, than, ({ psnr }) => psnr);
        const best = spread(gains);
        return `${best}; ${gains.filter((gain) => gain > 0).length} of ${gains.length}`;
      };
      const of = (value: (cell: Cell) => number | null, digits: number): string => number(average(here.map(value)), digits);
      const row = [
        ...[
          method,
          String(here.length),
          of(({ psnr }) => psnr, 2),
          over('osem'),
          over('rdp'),
          of(({ ssim }) => ssim, 3),
          of(({ noise }) => noise, 3),
        ],
        ...[of(({ crc }) => crc, 2), of(({ lesionBias }) => lesionBias, 1), of(({ devianceRatio }) => devianceRatio, 3)],
        of(({ coverage }) => coverage, 2),
      ];
      return [row];
    });
    const head = [
      'method',
      'subjects',
      'PSNR, dB',
      'over osem, dB; better on',
      'over rdp, dB; better on',
      'SSIM',
      'noise',
      'CRC',
      'lesion bias, %',
    ];
    return `### ${name}: ${unique(some.map(subjectOf)).length} subjects\n\n${table([...head, 'deviance', 'coverage'], rows)}`;
  });
  const cost = methods.map((method) => {
    const here = cells.filter((cell) => cell.method === method);
    const of = (value: (cell: Cell) => number, digits: number): string => number(average(here.map(value)), digits);
    const strengths = unique(cells.map(({ study }) => study)).map((study) =>
      unique(here.filter((cell) => cell.study === study).map(({ strength }) => strength)).join('/'),
    );
    return [method, ...strengths, of((c) => c.projections, 0), of((c) => c.evaluations, 0), of((c) => c.cpuSeconds, 1)];
  });
  const each = unique(cells.map(subjectOf)).map((subject) => {
    const here = cells.filter((cell) => subjectOf(cell) === subject);
    const psnr = (method: string): number | undefined => here.find((cell) => cell.method === method)?.psnr;
    const first = here[0]!;
    return [
      ...[subject, `${first.region}, ${first.scanner}`, number(psnr('osem'), 2)],
      ...methods.filter((name) => name !== 'osem').map((name) => number((psnr(name) ?? Number.NaN) - psnr('osem')!, 2)),
    ];
  });
  return [
    `## Held-out subjects at ${doseName(about.doses[0]!)} of the dose

Every method's strength is that of the best mean PSNR on validation subjects of the same study, or where none were made the first of its list in
\`bench/reconstruction-methods.ts\`. "Better on" counts subjects.${
      unfinished(cells, methods)
        ? ' Not every method was run on every subject: compare the columns of differences, which are of the same subjects; the others are means over different ones.'
        : ''
    }

### Asked and found

${asked(cells)}`,
    ...sections,
    `### What it takes, and the strengths chosen

${table(['method', ...unique(cells.map(({ study }) => study)), 'projections', 'evaluations', 'CPU s'], cost)}`,
    `### Subject by subject: dB over osem

${table(['subject', 'region, scanner', 'osem, dB', ...methods.filter((name) => name !== 'osem')], each)}`,
  ];
}

/** The mean, with its interval where there are enough for one. */
function spread(values: readonly number[]): string {
  const enough = 4;
  return values.length < enough ? show(interval(values), 2, true).split(' ')[0]! : show(interval(values), 2, true);
}

/** Whether some method lacks a subject that another has. */
function unfinished(cells: readonly Cell[], methods: readonly string[]): boolean {
  const subjects = unique(cells.map(subjectOf)).length;
  return methods.some((method) => cells.filter((cell) => cell.method === method).length < subjects);
}

/** What was hoped for, and what was found. */
function asked(cells: readonly Cell[]): string {
  const has = (method: string): boolean => cells.some((cell) => cell.method === method);
  const ours = has('diffpir-16') ? 'diffpir-16' : 'diffpir';
  const [like, unlike] = [cells.filter(likeTraining), cells.filter((cell) => !likeTraining(cell))];
  const tracer = cells.filter(({ unseen }) => unseen.includes('tracer'));
  type Row = readonly [what: string, asked: string, found: string, met: boolean];
  const least = (what: string, some: readonly Cell[], method: string, than: string, dB: number): Row[] => {
    const gains = differences(some, method, than, ({ psnr }) => psnr);
    if (gains.length === 0) return [];
    const found = `${spread(gains)}; least ${Math.min(...gains).toFixed(2)}, of ${gains.length}`;
    return [[`${method} over ${than}, ${what}, dB`, `≥ ${dB}`, found, average(gains) >= dB]];
  };
  const every = (
    what: string,
    some: readonly Cell[],
    value: (cell: Cell) => number | null,
    than: string,
    sign: 1 | -1,
  ): Row[] => {
    const gaps = differences(some, ours, than, value).map((gap) => sign * gap);
    if (gaps.length === 0) return [];
    const good = gaps.filter((gap) => gap >= 0).length;
    const found = `${good} of ${gaps.length}; mean ${(sign * average(gaps)).toFixed(3)}`;
    return [[`${ours}: ${what} ${than}’s, like training`, 'on every subject', found, good === gaps.length]];
  };
  const within = (method: string): Row[] => {
    const ratios = cells.filter((cell) => cell.method === method).map(({ devianceRatio }) => devianceRatio);
    if (ratios.length === 0) return [];
    const found = `${Math.min(...ratios).toFixed(3)} … ${Math.max(...ratios).toFixed(3)}`;
    return [
      [`${method}: deviance over the truth’s`, '0.97 … 1.03', found, ratios.every((ratio) => ratio >= 0.97 && ratio <= 1.03)],
    ];
  };
  const bias = tracer.filter(({ method }) => method === 'ddip').map(({ lesionBias }) => lesionBias);
  const joint = ['diffpir', 'diffpir-16', 'mean-hqs', 'post', 'diffpir-from-mean', 'ddip'].filter(has);
  const rows: Row[] = [
    ...least('like training', like, ours, 'osem', 1.2),
    ...least('unlike training', unlike, ours, 'osem', 0.6),
    ...least('like training', like, ours, 'rdp', 1),
    ...least('unlike training', unlike, ours, 'rdp', 0.4),
    ...every('noise no more than', like, ({ noise }) => noise, 'rdp', -1),
    ...every('CRC not below', like, ({ crc }) => crc, 'rdp', 1),
    ...least('other tracers', tracer, 'ddip', 'diffpir', 0.3),
    ...(bias.length > 0
      ? [['ddip: bias of lesions, other tracers, %', '≤ 5', number(average(bias), 1), Math.abs(average(bias)) <= 5] as const]
      : []),
    ...within(ours),
    ...joint.flatMap((method) => least('all', cells, method, 'post-mean', 0)),
  ];
  return table(
    ['', 'asked', 'found', 'met'],
    rows.map(([what, wanted, found, met]) => [what, wanted, found, met ? 'yes' : '**no**']),
  );
}

/** A method's value at some noise: between the two strengths whose noise is next to it. */
function atNoise(cells: readonly Cell[], noise: number, value: (cell: Cell) => number | null): number | null {
  const sorted = cells.toSorted((a, b) => a.noise - b.noise);
  for (let i = 1; i < sorted.length; i++) {
    const [a, b] = [sorted[i - 1]!, sorted[i]!];
    const [low, high] = [value(a), value(b)];
    if (low === null || high === null || noise < a.noise || noise > b.noise) continue;
    return low + ((noise - a.noise) / (b.noise - a.noise || 1)) * (high - low);
  }
  return null;
}

function ensemblePart({ about, cells }: Results, folder: string): string[] {
  const studies = unique(cells.map(({ study }) => study));
  const methods = about.methods.map(({ name }) => name).filter((name) => cells.some((cell) => cell.method === name));
  const plain = about.methods.filter(({ name, ablationOf }) => !ablationOf && methods.includes(name)).map(({ name }) => name);
  const panelsOf = (value: (cell: Cell) => number | null) =>
    studies.flatMap((study) =>
      about.doses.map((dose) => ({
        title: `${study}, ${doseName(dose)}`,
        curves: plain
          .map((name): Curve => ({ name, points: meanCurve(cells, { study, dose, name }, value) }))
          .filter(({ points }) => points.length > 0),
      })),
    );
  writeFileSync(
    join(folder, 'crc.svg'),
    curves(
      panelsOf((cell) => cell.crc),
      'noise',
      'CRC',
    ),
  );
  writeFileSync(
    join(folder, 'bias.svg'),
    curves(
      panelsOf((cell) => cell.lesionBias),
      'noise',
      'bias of lesions, %',
    ),
  );
  const shown = montage(folder, about.tier, cells);
  const best = about.doses.map((dose) => {
    const rows = methods.flatMap((method) => {
      const chosen = bestCells(cells, method, dose);
      if (chosen.length === 0) return [];
      const of = (value: (cell: Cell) => number | null, digits: number): string => number(average(chosen.map(value)), digits);
      const matched = chosen.map((cell) => {
        const [rdp] = bestCells(cells, 'rdp', dose).filter((c) => subjectOf(c) === subjectOf(cell));
        const sweep = cells.filter((c) => c.method === method && c.dose === dose && subjectOf(c) === subjectOf(cell));
        return rdp ? atNoise(sweep, rdp.noise, (c) => c.crc) : null;
      });
      return [
        [
          ...[
            method,
            of((c) => c.psnr, 2),
            of((c) => c.ssim, 3),
            of((c) => c.noise, 3),
            of((c) => c.crc, 2),
            number(average(matched), 2),
          ],
          ...[of((c) => c.lesionBias, 1), of((c) => c.biasPart, 3), of((c) => c.noisePart, 3), of((c) => c.coverage, 2)],
          ...[
            of((c) => c.devianceRatio, 3),
            of((c) => c.projections, 0),
            of((c) => c.evaluations, 0),
            of((c) => c.cpuSeconds, 1),
          ],
        ],
      ];
    });
    const head = [
      'method',
      'PSNR, dB',
      'SSIM',
      'noise',
      'CRC',
      'CRC at rdp’s noise',
      'lesion bias, %',
      'bias part',
      'noise part',
      'coverage',
    ];
    return `### At ${doseName(dose)} of the dose\n\n${table([...head, 'deviance', 'projections', 'evaluations', 'CPU s'], rows)}`;
  });
  const sweeps = methods.flatMap((method) => {
    const here = cells.filter((cell) => cell.method === method);
    const strengths = unique(here.map(({ strength }) => strength)).sort((a, b) => a - b);
    if (strengths.length < 2 && plain.includes(method)) return [];
    return strengths.map((strength) => {
      const psnr = (study: string): string =>
        number(
          average(
            here
              .filter((c) => c.study === study && c.strength === strength && c.dose === Math.min(...about.doses))
              .map((c) => c.psnr),
          ),
          2,
        );
      return [method, String(strength), ...studies.map(psnr)];
    });
  });
  const pictures = Object.entries(shown).map(
    ([study, names]) => `${study}: ${names.join(', ')}\n\n![${study}](${montageName(about.tier, study)})`,
  );
  return [
    `## Over ${about.realisations} realisations of the noise

Tier \`${about.tier}\`: ${unique(cells.map(subjectOf)).length} subjects (${studies.join('; ')}). Noise here is over realisations: the mean, over the voxels of the organ, of SD / mean.

Contrast of lesions against noise: a line goes through the strengths of a method; up and to the left is better.

![CRC against noise](crc.svg)

Bias of lesions against noise:

![bias against noise](bias.svg)`,
    `Each method at its strength of best PSNR, subject by subject, which favours what has a strength; means over subjects. Bias part and noise part: ‖mean − truth‖ and √Σ variance over ‖truth‖.`,
    ...best,
    `### Every strength: PSNR at ${doseName(Math.min(...about.doses))}, dB\n\n${table(['method', 'strength', ...studies], sweeps)}`,
    `### Pictures, ${doseName(Math.min(...about.doses))}, one realisation\n\nFrom left to right, six a row.\n\n${pictures.join('\n\n')}`,
  ];
}

/** Of each subject the cell of the best PSNR. */
function bestCells(cells: readonly Cell[], method: string, dose: number): Cell[] {
  const here = cells.filter((cell) => cell.method === method && cell.dose === dose);
  return unique(here.map(subjectOf)).map((subject) =>
    here.filter((cell) => subjectOf(cell) === subject).reduce((a, b) => (b.psnr > a.psnr ? b : a)),
  );
}

/** Mean over subjects, strength by strength, in the order of the strengths. */
function meanCurve(
  cells: readonly Cell[],
  { study, dose, name }: { readonly study: string; readonly dose: number; readonly name: string },
  value: (cell: Cell) => number | null,
): (readonly [number, number])[] {
  const here = cells.filter((cell) => cell.study === study && cell.dose === dose && cell.method === name && value(cell) !== null);
  return unique(here.map(({ strength }) => strength))
    .sort((a, b) => a - b)
    .map((strength) => {
      const some = here.filter((cell) => cell.strength === strength);
      return [average(some.map(({ noise }) => noise)), average(some.map(value))] as const;
    });
}
