/** Pictures of bench/reconstruction.ts: slices side by side, and curves as SVG. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type GreyPicture, png } from 'coincide/node';
import type { Cell, Place } from './reconstruction-cell.js';

const safe = (text: string): string => text.replace(/[^\w.]+/g, '-');
export const sliceName = ({ study, dose, method, strength }: Omit<Place, 'group'>): string =>
  `${safe(`${study} ${Math.round(1 / dose)} ${method} ${strength}`)}.json`;
export const montageName = (tier: string, study: string): string => `${tier}-${safe(study)}.png`;

/** Subject 1 of every study at the lowest dose: the truth, then every method at its strength of best PSNR, six a row. @returns what is shown. */
export function montage(folder: string, tier: string, cells: readonly Cell[]): Record<string, readonly string[]> {
  const shown: Record<string, readonly string[]> = {};
  const dose = Math.min(...cells.map((cell) => cell.dose));
  for (const study of new Set(cells.map((cell) => cell.study))) {
    const here = cells.filter(
      (cell) => cell.group === 'test' && cell.study === study && cell.subject === 1 && cell.dose === dose,
    );
    const best = [...new Set(here.map(({ method }) => method))].map((method) =>
      here.filter((cell) => cell.method === method).reduce((a, b) => (b.psnr > a.psnr ? b : a)),
    );
    const files = [{ study, subject: 1, dose, method: 'truth', strength: 0 }, ...best].map((place) => ({
      name: place.method,
      file: join(folder, 'slices', sliceName(place)),
    }));
    const found = files.filter(({ file }) => existsSync(file));
    if (found.length < 2) continue;
    const slices = found.map(({ file }) => JSON.parse(readFileSync(file, 'utf8')) as GreyPicture);
    writeFileSync(join(folder, montageName(tier, study)), png(tiled(slices)));
    shown[study] = found.map(({ name }) => name);
  }
  return shown;
}

/** Pictures of one size in rows of six, twice as large. */
function tiled(slices: readonly GreyPicture[]): GreyPicture {
  const [zoom, across, gap] = [2, 6, 4];
  const [w, h] = [zoom * slices[0]!.width + gap, zoom * slices[0]!.height + gap];
  const width = Math.min(across, slices.length) * w - gap;
  const height = Math.ceil(slices.length / across) * h - gap;
  const pixels = new Uint8Array(width * height).fill(255);
  for (const [n, slice] of slices.entries()) {
    const from = Math.floor(n / across) * h * width + (n % across) * w;
    for (let y = 0; y < h - gap; y++)
      for (let x = 0; x < w - gap; x++)
        pixels[from + y * width + x] = slice.pixels[Math.floor(y / zoom) * slice.width + Math.floor(x / zoom)]!;
  }
  return { width, height, pixels };
}

export interface Curve {
  readonly name: string;
  readonly points: readonly (readonly [x: number, y: number])[];
}
export interface Panel {
  readonly title: string;
  readonly curves: readonly Curve[];
}

// Of ColorBrewer's and Tableau's qualitative palettes: told apart by most eyes, on white and on grey.
const colours = [
  '#4e79a7',
  '#f28e2b',
  '#59a14f',
  '#b6992d',
  '#9c755f',
  '#e15759',
  '#b07aa1',
  '#d37295',
  '#499894',
  '#79706e',
  '#86bcb6',
  '#fabfd2',
];

/** Curves in panels, two a row, with one legend: a line through the strengths of a method, a dot for each. */
export function curves(panels: readonly Panel[], x: string, y: string): string {
  const [w, h, left, top, gap] = [400, 260, 46, 24, 40];
  const names = [...new Set(panels.flatMap((panel) => panel.curves.map(({ name }) => name)))];
  const colour = (name: string): string => colours[names.indexOf(name) % colours.length]!;
  const drawn = panels.map((panel, n) => {
    const [ox, oy] = [(n % 2) * (w + gap) + left, Math.floor(n / 2) * (h + gap + top) + top];
    const all = panel.curves.flatMap(({ points }) => points);
    const [x0, x1] = padded(all.map(([value]) => value));
    const [y0, y1] = padded(all.map(([, value]) => value));
    const at = ([px, py]: readonly [number, number]): readonly [number, number] => [
      ox + ((px - x0) / (x1 - x0)) * (w - left),
      oy + h - top - ((py - y0) / (y1 - y0)) * (h - top),
    ];
    const text = (px: number, py: number, what: string, anchor = 'middle'): string =>
      `<text x="${px.toFixed(1)}" y="${py.toFixed(1)}" text-anchor="${anchor}">${what}</text>`;
    const ticks = [0, 0.5, 1].flatMap((t) => [
      text(ox + t * (w - left), oy + h - top + 14, (x0 + t * (x1 - x0)).toPrecision(2)),
      text(ox - 5, oy + (1 - t) * (h - top) + 4, (y0 + t * (y1 - y0)).toPrecision(2), 'end'),
    ]);
    const lines = panel.curves.map(({ name, points }) => {
      const places = points.map(at).map(([px, py]) => `${px.toFixed(1)},${py.toFixed(1)}`);
      const dots = places.map((place) => {
        const [cx, cy] = place.split(',');
        return `<circle cx="${cx}" cy="${cy}" r="3" fill="${colour(name)}"/>`;
      });
      return `<polyline points="${places.join(' ')}" fill="none" stroke="${colour(name)}" stroke-width="1.5"/>${dots.join('')}`;
    });
    const frame = `<rect x="${ox}" y="${oy}" width="${w - left}" height="${h - top}" fill="none" stroke="#999"/>`;
    const labels = [
      text(ox + (w - left) / 2, oy - 7, panel.title),
      text(ox + (w - left) / 2, oy + h - top + 28, x),
      `<text transform="translate(${ox - 34} ${oy + (h - top) / 2}) rotate(-90)" text-anchor="middle">${y}</text>`,
    ];
    return [frame, ...ticks, ...labels, ...lines].join('\n');
  });
  const rows = Math.ceil(panels.length / 2);
  const legendTop = rows * (h + gap + top) + 10;
  const legend = names.map((name, i) => {
    const [lx, ly] = [left + (i % 4) * 200, legendTop + Math.floor(i / 4) * 18];
    return `<circle cx="${lx}" cy="${ly - 4}" r="4" fill="${colour(name)}"/><text x="${lx + 9}" y="${ly}">${name}</text>`;
  });
  const [width, height] = [2 * (w + gap) + left, legendTop + Math.ceil(names.length / 4) * 18];
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" font-family="sans-serif" font-size="11">
<title>${y} against ${x}</title>
<rect width="100%" height="100%" fill="#fff"/>
${[...drawn, ...legend].join('\n')}
</svg>
`;
}

function padded(values: readonly number[]): readonly [number, number] {
  const [least, most] = [Math.min(...values), Math.max(...values)];
  const margin = 0.06 * (most - least) || 0.1;
  return [least - margin, most + margin];
}
