/** The page of bench/robustness.ts: means over subjects with 95 % confidence intervals (bootstrap over subjects, percentiles of 2000). */
import { random } from 'coincide';
import type { Assessed, Cell } from './robustness-cell.js';

interface About {
  readonly tier: string;
  readonly samples: number;
  readonly models: Readonly<Record<string, string>>;
  readonly studies: readonly string[];
}

export type Interval = readonly [mean: number, low: number, high: number];
const resamplings = 2000;

/** Values that are not numbers are left out. */
export function interval(values: readonly (number | null | undefined)[]): Interval | undefined {
  const x = values.filter((value): value is number => typeof value === 'number' && Number.isFinite(value));
  if (x.length === 0) return undefined;
  const mean = (pick: () => number): number => {
    let sum = 0;
    for (let i = 0; i < x.length; i++) sum += x[pick()]!;
    return sum / x.length;
  };
  let at = 0;
  const plain = mean(() => at++);
  const r = random(1, 60);
  const means = Array.from({ length: resamplings }, () => mean(() => r.integer(x.length))).sort((a, b) => a - b);
  return [plain, means[Math.floor(0.025 * resamplings)]!, means[Math.ceil(0.975 * resamplings) - 1]!];
}

export const show = (i: Interval | undefined, digits: number, sign = false): string => {
  if (!i) return '–';
  const number = (x: number): string => `${sign && x > 0 ? '+' : ''}${x.toFixed(digits)}`;
  return `${number(i[0])} (${number(i[1])} … ${number(i[2])})`;
};
export const table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [head, head.map(() => '---'), ...rows].map((row) => `| ${row.join(' | ')} |`).join('\n');
export const doseName = (dose: number): string => `1/${Math.round(1 / dose)}`;

/** Gain over the better one of the tuned filters, which is chosen by the mean over the cells, so that chance does not choose it. */
function gains(cells: readonly Cell[], method: string): number[] {
  const mean = (name: string): number => cells.reduce((sum, { methods }) => sum + methods[name]!.psnr, 0);
  const better = mean('NLM') > mean('Gaussian') ? 'NLM' : 'Gaussian';
  return cells.flatMap(({ methods }) => (methods[method] ? [methods[method].psnr - methods[better]!.psnr] : []));
}

/** The contrast that a Gaussian leaves at this noise: between the two widths whose noise is next to it. */
function gaussianContrast({ ladder }: Cell, noise: number): number | null {
  for (let i = 1; i < ladder.length; i++) {
    const [a, b] = [ladder[i - 1]!, ladder[i]!];
    if (a.crc === null || b.crc === null) return null;
    if (noise <= a.noise && noise >= b.noise) return a.crc + ((a.noise - noise) / (a.noise - b.noise || 1)) * (b.crc - a.crc);
  }
  return null;
}

export function rendered(cells: readonly Cell[], about: About): { json: unknown; markdown: string } {
  // At some doses fewer methods are measured.
  const methods = [...new Set(cells.flatMap((cell) => Object.keys(cell.methods)))];
  const ours = methods.slice(3);
  const groups = [...new Set(cells.map(({ kept }) => kept))];
  const doses = [...new Set(cells.map(({ dose }) => dose))].sort((a, b) => b - a);
  const scanners = [...new Set(cells.map(({ scanner }) => scanner))];
  const at = (filter: Partial<Cell>): Cell[] =>
    cells.filter((cell) => Object.entries(filter).every(([key, value]) => cell[key as keyof Cell] === value));
  const of = (some: readonly Cell[], method: string, what: keyof Assessed, digits: number, sign = false): string =>
    show(interval(some.map((cell) => cell.methods[method]?.[what])), digits, sign);

  const reference = doses.includes(1 / 20) ? 1 / 20 : doses[0]!;
  const main = groups.flatMap((kept) => {
    const some = at({ kept, dose: reference });
    return methods.map((method) => [
      ...[kept, String(some.length), method],
      ...[of(some, method, 'psnr', 2), ours.includes(method) ? show(interval(gains(some, method)), 2, true) : ''],
      ...[of(some, method, 'ssim', 3), of(some, method, 'nrmse', 3)],
    ]);
  });
  const lesions = groups.flatMap((kept) => {
    const some = at({ kept, dose: reference });
    return methods.map((method) => {
      const advantage = some.map((cell) => {
        const { crc = null, noise = 0 } = cell.methods[method] ?? {};
        const gaussian = gaussianContrast(cell, noise);
        return crc === null || gaussian === null ? null : crc - gaussian;
      });
      return [
        ...[kept, method, of(some, method, 'noise', 3), of(some, method, 'crc', 2)],
        ...[show(interval(advantage), 2, true), of(some, method, 'lesionBias', 1, true), of(some, method, 'organBias', 1, true)],
        of(some, method, 'coverage', 2),
      ];
    });
  });
  const byDose = groups.flatMap((kept) =>
    ours.map((method) => [kept, method, ...doses.map((dose) => show(interval(gains(at({ kept, dose }), method)), 2, true))]),
  );
  const whole = scanners.flatMap((scanner) =>
    about.studies.map((study) => [
      ...[scanner, study],
      ...doses.map((dose) => {
        const some = at({ scanner, study, dose });
        return ours.map((method) => show(interval(gains(some, method)), 2, true).split(' ')[0]!).join(' / ');
      }),
    ]),
  );
  const seconds = methods.map((method) => [method, of(cells, method, 'cpuSeconds', 1)]);
  const markdown = `# Denoisers over scanners, tracers and doses

Simulated subjects of the test group, tier \`${about.tier}\`: ${cells.length} images. Means over images, in brackets 95 % confidence intervals
(bootstrap over subjects). Made by \`npm run bench -- robustness ${about.tier}\`; models ${Object.entries(about.models)
    .map(([name, what]) => `\`${name}\` (${what})`)
    .join(', ')}.
"Not seen" is what training on the default cohort does not see of a group. Gaussian and non-local means (NLM) were tuned on validation subjects for each scanner and
dose. Gains are in dB of PSNR (range: max − min of the truth) over the one of the two that is better in the mean of the group.
Simulation only: truth and scan share their voxels, scatter and randoms have the right mean, and there is no motion.

## At ${doseName(reference)} of the dose

${table(['not seen', 'images', 'method', 'PSNR, dB', 'gain, dB', 'SSIM', 'NRMSE'], main)}

## Lesions, organs, intervals, at ${doseName(reference)}

Noise: SD of the error over the mean in the largest organ. CRC: mean over lesions. Against Gaussian: CRC less that of the Gaussian whose noise
in the same image is the same. Organs: bias two voxels away from borders. Coverage: share of the body's voxels whose truth lies in the 90 %
interval of ${about.samples} samples.

${table(['not seen', 'method', 'noise', 'CRC', 'against Gaussian', 'lesion bias, %', 'organ bias, %', 'coverage'], lesions)}

## Gain by dose, dB

${table(['not seen', 'method', ...doses.map(doseName)], byDose)}

## Every scanner, tracer and dose

Gains in dB of ${ours.join(' / ')}.

${table(['scanner', 'study', ...doses.map(doseName)], whole)}

## CPU seconds per image

${table(['method', 'CPU s'], seconds)}

## Examples, ${doseName(reference)}, scanner \`digital\`

Truth, OSEM, Gaussian, NLM, then ${ours.join(', ')}; the middle slice.

${about.studies.map((study) => `${study}\n\n![${study}](${study.replace(/\W+/g, '-')}.png)`).join('\n\n')}
`;
  return { json: { about, tables: { main, lesions, byDose, whole, seconds }, cells }, markdown };
}
