/** @file  The report: one self-contained HTML page on reconstructed or denoised images. Slices and projections of equal scale, spread and
 *  difference, profiles, what was measured, how the iterations went, and where it all comes from. */
import { array } from '../core/array.js';
import type { PetImage } from '../core/image.js';
import { highest, nearestVoxel, sameGrid, worldPoint } from '../geometry/shown.js';
import { diverging, hot } from './palettes.js';
import { dataUri, picture, type View } from './png.js';
import { type Chart, escaped, lineChart, plain, type Series } from './report-charts.js';
import { reportStyle } from './report-style.js';
import { provenanceTable, type Table, tableHtml } from './report-tables.js';

/** One row of pictures. */
export interface ReportImage {
  readonly name: string;
  /** A few words beside the name. */
  readonly note: string;
  readonly image: PetImage;
}

/** An image that was made, and what its sidecar says. */
export interface ReportResult extends ReportImage {
  readonly sidecar?: Readonly<Record<string, unknown>> | undefined;
}

export interface ReportContent {
  readonly title: string;
  /** Paragraphs, plain text. */
  readonly introduction: readonly string[];
  readonly results: readonly ReportResult[];
  /** The truth, or a better image; on the grid of the results whose difference from it is to be shown. */
  readonly reference?: ReportImage | undefined;
  /** Standard deviations over samples. */
  readonly spreads?: readonly ReportImage[] | undefined;
  /** World point x, y, z (RAS+, mm) that all slices and profiles go through. */
  readonly at: readonly [number, number, number];
  /** Value shown black, in the unit of the images. */
  readonly window: number;
  readonly tables: readonly Table[];
  /** What all results share, e.g. the program's version. */
  readonly about: Readonly<Record<string, unknown>>;
}

/** The page, as HTML that needs nothing beside it. */
export function reportPage(content: ReportContent): string {
  const { title, introduction, results, reference, spreads = [], tables, window } = content;
  const unit = (reference ?? results[0]!).image.unit;
  const warnings = [...new Set(results.flatMap(({ sidecar }) => (Array.isArray(sidecar?.warnings) ? sidecar.warnings : [])))].map(
    String,
  );
  const images = [...(reference ? [reference] : []), ...results];
  const comparable = reference ? results.filter(({ image }) => sameGrid(image, reference.image)) : [];
  const traces = traceCharts(results);
  const mm = (axis: 0 | 1 | 2): string => content.at[axis].toFixed(0);
  const sections: [id: string, heading: string, body: string][] = [
    [
      'images',
      'Images',
      `<p class="note">Inverted grey, 0 (white) to ${plain(window)} ${unit} (black), all at one scale; anterior and superior up, the patient’s right on the left. The slices meet at x ${mm(0)}, y ${mm(1)}, z ${mm(2)} mm, marked at their edges. MIP: maximum-intensity projection.</p>${images.map((row) => pictureRow(row, content.at, { window })).join('\n')}`,
    ],
  ];
  if (spreads.length > 0) {
    const top = highest(spreads.map(({ image }) => image));
    sections.push([
      'spread',
      'Spread',
      `<p class="note">Standard deviation over the samples: how far they disagree, not a confidence interval.</p>${colourBar(hot, '0', `${plain(top)} ${unit}`)}${spreads.map((row) => pictureRow(row, content.at, { window: top, palette: hot })).join('\n')}`,
    ]);
  }
  if (reference && comparable.length > 0) {
    const reach = window / 4;
    const rows = comparable.map((row) => ({ ...row, note: `minus ${reference.name}`, image: minus(row.image, reference.image) }));
    sections.push([
      'difference',
      'Difference',
      `<p class="note">Result minus ${escaped(reference.name)}: red is too much, blue too little.</p>${colourBar(diverging, `−${plain(reach)}`, `${plain(reach)} ${unit}`)}${rows.map((row) => pictureRow(row, content.at, { window: reach, from: -reach, palette: diverging, mip: false })).join('\n')}`,
    ]);
  }
  sections.push([
    'profiles',
    'Profiles',
    `<p class="note">Through the point where the slices meet.</p><div class="charts">${profiles(images, content.at, unit).map(lineChart).join('\n')}</div>`,
  ]);
  if (tables.length > 0) sections.push(['measured', 'Measured', tables.map(tableHtml).join('\n')]);
  if (traces.length > 0)
    sections.push(['convergence', 'Convergence', `<div class="charts">${traces.map(lineChart).join('\n')}</div>`]);
  sections.push(['provenance', 'Provenance', `${tableHtml(provenanceTable(content.about, results))}\n${sidecars(results)}`]);
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="data:,"><title>${escaped(title)}</title>
<style>${reportStyle}</style></head><body>
<header><h1>${escaped(title)}</h1>
${introduction.map((text) => `<p>${escaped(text)}</p>`).join('\n')}
${warnings.length > 0 ? `<div class="warnings" role="note"><p><strong>Warnings</strong></p><ul>${warnings.map((text) => `<li>${escaped(text)}</li>`).join('')}</ul></div>` : ''}
<nav aria-label="Sections"><ul>${sections.map(([id, heading]) => `<li><a href="#${id}">${heading}</a></li>`).join('')}</ul></nav></header>
<main>
${sections.map(([id, heading, body]) => `<section aria-labelledby="${id}"><h2 id="${id}">${heading}</h2>\n${body}</section>`).join('\n')}
</main>
<footer>Made by coincide. For research use only; not a medical device.</footer>
</body></html>
`;
}

interface Shown {
  readonly window: number;
  readonly from?: number | undefined;
  readonly palette?: Uint8Array | undefined;
  /** Are projections shown? @default true */
  readonly mip?: boolean | undefined;
}

/** Slices and projections side by side, in columns as wide as what they show. */
function pictureRow(
  { name, note, image }: ReportImage,
  at: ReportContent['at'],
  { window, from, palette, mip = true }: Shown,
): string {
  const { shape, voxelSize } = image.grid;
  const [z, y, x] = nearestVoxel(image, at);
  const [high, deep, wide] = shape.map((n, axis) => n * voxelSize[axis]!) as [number, number, number];
  // Share of the picture's width and height at which the point lies: both run against the world's axes.
  const [fx, fy, fz] = [1 - (x + 0.5) / shape[2], 1 - (y + 0.5) / shape[1], 1 - (z + 0.5) / shape[0]];
  const columns: { view: View; index?: number; width: number; height: number; mark?: readonly [number, number] }[] = [
    { view: 'transaxial', index: z, width: wide, height: deep, mark: [fx, fy] },
    { view: 'coronal', index: y, width: wide, height: high, mark: [fx, fz] },
    { view: 'sagittal', index: x, width: deep, height: high, mark: [fy, fz] },
    { view: 'coronal', width: wide, height: high },
    { view: 'sagittal', width: deep, height: high },
  ];
  const figures = columns.slice(0, mip ? 5 : 3).map(({ view, index, width, height, mark }) => {
    const what = index === undefined ? `MIP, ${view}` : view;
    const shown = picture(image.values, view, window, index, from);
    const marks = mark ? crossMarks(...mark) : '';
    return `<figure><div class="frame" style="aspect-ratio:${plain(width)}/${plain(height)}"><img src="${dataUri(shown, palette)}" alt="${escaped(`${name}: ${what}`)}">${marks}</div><figcaption>${what}</figcaption></figure>`;
  });
  const widths = columns.map(({ width }) => `minmax(0,${plain(width)}fr)`).join(' ');
  return `<h3>${escaped(name)}<small>${escaped(note)}</small></h3><div class="row" style="grid-template-columns:${widths}">${figures.join('')}</div>`;
}

/** Four short strokes at the edges, that leave the picture free. */
function crossMarks(u: number, v: number): string {
  const [x, y] = [plain(100 * u), plain(100 * v)];
  const strokes = [
    [x, 0, x, 5],
    [x, 95, x, 100],
    [0, y, 5, y],
    [95, y, 100, y],
  ].map(([x1, y1, x2, y2]) => `<line x1="${x1}" y1="${y1}" x2="${x2}" y2="${y2}"/>`);
  return `<svg viewBox="0 0 100 100" preserveAspectRatio="none" aria-hidden="true">${strokes.join('')}</svg>`;
}

function colourBar(palette: Uint8Array, low: string, high: string): string {
  const ramp = { width: 256, height: 1, pixels: Uint8Array.from({ length: 256 }, (_, i) => 255 - i) };
  return `<div class="bar"><span>${low}</span><img src="${dataUri(ramp, palette)}" alt="colour scale from ${low} to ${high}"><span>${high}</span></div>`;
}

function minus(a: PetImage, b: PetImage): PetImage {
  const difference = a.values.data.map((v, i) => v - b.values.data[i]!);
  return { ...a, values: array(a.grid.shape, difference) };
}

function profiles(images: readonly ReportImage[], at: ReportContent['at'], unit: string): Chart[] {
  const directions = [
    { axis: 2, letter: 'x', words: 'left–right', mirrored: true, xLabel: 'x, mm (patient’s right on the left)' },
    { axis: 1, letter: 'y', words: 'posterior–anterior', mirrored: false, xLabel: 'y, mm' },
    { axis: 0, letter: 'z', words: 'inferior–superior', mirrored: false, xLabel: 'z, mm' },
  ] as const;
  return directions.map(({ axis, letter, words, mirrored, xLabel }) => ({
    ...{ title: `Along ${letter}, ${words}`, xLabel, yLabel: unit, mirrored },
    series: images.map(({ name, image }): Series => {
      const voxel = nearestVoxel(image, at);
      const { shape } = image.grid;
      const along = Array.from(
        { length: shape[axis] },
        (_, i) => voxel.map((v, a) => (a === axis ? i : v)) as [number, number, number],
      );
      return {
        name,
        x: along.map((v) => worldPoint(image, v)[2 - axis]!),
        y: along.map(([z, y, x]) => image.values.data[(z * shape[1] + y) * shape[2] + x]!),
      };
    }),
  }));
}

/** One chart for every number that the sidecars' traces follow, a line for every result, phase and sample. A trace is a row of
 *  { phase, step, seconds, … }; the step counts from 1 within the phase, the level within a sample. */
function traceCharts(results: readonly ReportResult[]): Chart[] {
  const charts = new Map<string, Series[]>();
  for (const { name, sidecar } of results) {
    const trace = Array.isArray(sidecar?.trace) ? (sidecar.trace as Record<string, unknown>[]) : [];
    const lineOf = ({ phase, sample }: Record<string, unknown>): string =>
      [name, [phase, sample].filter((part) => part !== undefined).join(' ')].filter(Boolean).join(': ');
    for (const line of new Set(trace.map(lineOf))) {
      const entries = trace.filter((entry) => lineOf(entry) === line);
      const follows = new Set(entries.flatMap((entry) => Object.keys(entry)).filter((key) => !counts.includes(key)));
      for (const key of follows) {
        const points = entries.filter((entry) => Number.isFinite(entry[key]));
        if (points.length === 0) continue;
        const x = points.map(({ level, step }, i) => Number(level ?? step ?? i + 1));
        charts.set(key, [...(charts.get(key) ?? []), { name: line, x, y: points.map((entry) => Number(entry[key])) }]);
      }
    }
    const expected = sidecar?.expectedDeviancePerBin;
    const own = charts.get('deviancePerBin')?.filter((line) => line.name.startsWith(name));
    if (typeof expected !== 'number' || !own || own.length === 0) continue;
    const steps = own.flatMap(({ x }) => x);
    const ends = [Math.min(...steps), Math.max(...steps)];
    charts.get('deviancePerBin')!.push({ name: `${name}: expected from counting noise`, x: ends, y: [expected, expected] });
  }
  return [...charts].map(([key, series]) => ({
    title: followed[key] ?? key,
    ...{ xLabel: 'step of the phase, or level', yLabel: '', series, fromZero: false, counted: true },
  }));
}

/** What counts, and is not followed. */
const counts: readonly string[] = ['step', 'seconds', 'sample', 'level'];

/** What traces follow, in words. */
const followed: Readonly<Record<string, string>> = {
  deviancePerBin: 'Deviance per bin, 2 KL(y; ȳ) / bins: how far the image is from explaining the counts',
  change: 'Relative change of the image',
  sigma: 'Noise level σ',
  rho: 'Weight ρ of the data step',
  likelihood: 'Negative log-likelihood of the first subset, without its constant',
};

function sidecars(results: readonly ReportResult[]): string {
  return results
    .filter(({ sidecar }) => sidecar !== undefined)
    .map(
      ({ name, sidecar }) =>
        `<details><summary>Sidecar of ${escaped(name)}</summary><pre>${escaped(JSON.stringify(sidecar, null, 2))}</pre></details>`,
    )
    .join('\n');
}
