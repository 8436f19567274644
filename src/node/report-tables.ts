/** @file  The tables of the report: agreement with a reference, regions, provenance. */
import type { PetImage, Unit } from '../core/image.js';
import { imageError } from '../metrics/psnr.js';
import { regionBias, regionStatistics } from '../metrics/regions.js';
import { ssim } from '../metrics/ssim.js';
import { escaped, plain } from './report-charts.js';
import type { ReportImage, ReportResult } from './report-page.js';

export interface Table {
  readonly caption: string;
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
  readonly note?: string | undefined;
  /** Do cells hold words? @default false, numbers */
  readonly words?: boolean | undefined;
}

/** The first cell of a row is its heading. Wide tables scroll, by keyboard too. */
export function tableHtml({ caption, head, rows, note, words = false }: Table): string {
  const line = ([first = '', ...cells]: readonly string[]): string =>
    `<tr><th scope="row">${escaped(first)}</th>${cells.map((cell) => `<td>${escaped(cell)}</td>`).join('')}</tr>`;
  return `<div class="scroll" role="region" aria-label="${escaped(caption)}" tabindex="0"><table${words ? ' class="text"' : ''}><caption>${escaped(caption)}</caption><thead><tr>${head.map((cell) => (cell === '' ? '<td></td>' : `<th scope="col">${escaped(cell)}</th>`)).join('')}</tr></thead><tbody>
${rows.map(line).join('\n')}
</tbody></table></div>${note === undefined ? '' : `<p class="note">${escaped(note)}</p>`}`;
}

/**
 * PSNR, SSIM, NRMSE of every result.
 * @throws ShapeError when a result is not on the reference's grid.
 */
export function agreementTable(results: readonly ReportImage[], reference: ReportImage): Table {
  let range = 0;
  const rows = results.map(({ name, image }) => {
    const { psnr, nrmse, dataRange } = imageError(image.values, reference.image.values);
    range = dataRange;
    const similarity = ssim(image.values, reference.image.values, { dataRange }).ssim;
    return [name, psnr.toFixed(2), similarity.toFixed(4), nrmse.toFixed(4)];
  });
  return {
    caption: `Agreement with ${reference.name}`,
    head: ['', 'PSNR, dB', 'SSIM', 'NRMSE'],
    rows,
    note: `PSNR and SSIM with the range ${plain(range)} of the reference, max − min of the whole volume.`,
  };
}

/** Mean in every labelled region, and its bias where there is a reference. @throws ShapeError when the grids differ. */
export function regionTable(
  results: readonly ReportImage[],
  reference: ReportImage | undefined,
  labels: PetImage,
  names: Readonly<Record<string, string>>,
): Table {
  const found = results.map(({ image }) => regionStatistics(image.values, labels.values));
  const biases = reference && results.map(({ image }) => regionBias(image.values, reference.image.values, labels.values));
  const rows = found[0]!.map(({ label, voxels }, k) => [
    names[label] ?? String(label),
    String(voxels),
    ...(biases ? [plain(biases[0]![k]!.trueMean)] : []),
    ...found.flatMap((regions, result) => {
      const bias = biases ? ` (${biases[result]![k]!.bias.toFixed(1)}\u00a0%)` : '';
      return [`${plain(regions[k]!.mean)}${bias}`, `${(100 * regions[k]!.cov).toFixed(1)}\u00a0%`];
    }),
  ]);
  return {
    caption: 'Regions',
    head: [
      '',
      'voxels',
      ...(reference ? [`${reference.name}: mean`] : []),
      ...results.flatMap(({ name }) => [`${name}: mean`, 'CoV']),
    ],
    rows,
    note: `${reference ? 'In brackets the bias against the reference. ' : ''}CoV: standard deviation over mean within the region, noise and texture alike.`,
  };
}

/** Grid and content of every image. */
export function factsTable(images: readonly ReportImage[]): Table {
  const rows = images.map(({ name, image: { grid, values, unit } }) => {
    let [sum, top] = [0, 0];
    for (const value of values.data) {
      sum += value;
      if (value > top) top = value;
    }
    const size = [...grid.voxelSize].reverse().map((mm) => plain(mm));
    return [
      name,
      [...grid.shape].reverse().join(' × '),
      size.join(' × '),
      unitName(unit),
      plain(sum / values.data.length),
      plain(top),
    ];
  });
  return { caption: 'The images', head: ['', 'voxels', 'voxel size, mm', 'unit', 'mean', 'largest'], rows };
}

const unitName = (unit: Unit): string => (unit === 'unknown' ? 'not said by the file' : unit);

/** What the sidecars say, one key a row and one result a column; traces and warnings are shown elsewhere. */
export function provenanceTable(about: Readonly<Record<string, unknown>>, results: readonly ReportResult[]): Table {
  const shared = [...flattened(about)].map(([key, value]) => [key, ...results.map(() => value)]);
  const columns = results.map(({ sidecar }) => flattened(sidecar ?? {}));
  const keys = [...new Set(columns.flatMap((column) => [...column.keys()]))];
  const rows = keys.map((key) => [key, ...columns.map((column) => column.get(key) ?? '–')]);
  return {
    caption: 'What made the images',
    head: ['', ...results.map(({ name }) => name)],
    rows: [...shared, ...rows],
    words: true,
  };
}

function flattened(record: Readonly<Record<string, unknown>>, prefix = ''): Map<string, string> {
  const out = new Map<string, string>();
  for (const [key, value] of Object.entries(record)) {
    if (value === undefined || (prefix === '' && (key === 'trace' || key === 'warnings'))) continue;
    const path = prefix + key;
    if (value !== null && typeof value === 'object' && !Array.isArray(value))
      for (const [inner, text] of flattened(value as Record<string, unknown>, `${path}.`)) out.set(inner, text);
    else out.set(path, words(value));
  }
  return out;
}

function words(value: unknown): string {
  if (typeof value === 'number') return plain(value);
  if (!Array.isArray(value)) return String(value);
  return value.every((v) => v === null || typeof v !== 'object') ? value.map(words).join(', ') : JSON.stringify(value);
}
