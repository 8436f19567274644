/** @file  One self-contained HTML page: images side by side, profiles, a table, and where it all comes from. */
import type { PetImage } from '../core/image.js';
import { dataUri, picture, type View } from '../node/png.js';

/** One row of pictures. */
export interface ReportImage {
  readonly name: string;
  /** One sentence under the name. */
  readonly note: string;
  readonly image: PetImage;
}

export interface ReportContent {
  readonly title: string;
  /** Paragraphs, plain text. */
  readonly introduction: readonly string[];
  readonly images: readonly ReportImage[];
  /** Voxel [z, y, x] that all slices and the profile go through. */
  readonly through: readonly [number, number, number];
  /** Value shown black. */
  readonly window: number;
  /** An image with a window of its own, e.g. the spread. */
  readonly extra?: { readonly row: ReportImage; readonly window: number } | undefined;
  readonly table: { readonly head: readonly string[]; readonly rows: readonly (readonly string[])[]; readonly note: string };
  readonly provenance: Readonly<Record<string, unknown>>;
}

const escaped = (text: string): string => text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;');
const views: readonly View[] = ['transaxial', 'coronal', 'sagittal'];

export function reportPage(content: ReportContent): string {
  const { title, introduction, images, extra, table, provenance, window } = content;
  const rows = images.map((row) => pictureRow(row, content.through, window)).join('\n');
  const extraRow = extra ? pictureRow(extra.row, content.through, extra.window) : '';
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>${escaped(title)}</title>
<style>${style}</style></head><body><main>
<h1>${escaped(title)}</h1>
${introduction.map((text) => `<p>${escaped(text)}</p>`).join('\n')}
<h2>Images</h2>
<p class="note">Inverted grey, 0 (white) to ${window.toPrecision(3)} ${images[0]!.image.unit} (black); patient’s right on the left. The last column is the coronal maximum-intensity projection.</p>
<div class="scroll"><table class="pictures"><thead><tr><th></th><th>transaxial</th><th>coronal</th><th>sagittal</th><th>MIP</th></tr></thead><tbody>
${rows}
${extraRow}
</tbody></table></div>
<h2>Profiles</h2>
<p class="note">Along x through the voxel where the slices meet.</p>
${profiles(content)}
<h2>Measured</h2>
<div class="scroll"><table class="numbers"><thead><tr>${table.head.map((cell) => `<th>${escaped(cell)}</th>`).join('')}</tr></thead><tbody>
${table.rows.map((row) => `<tr>${row.map((cell) => `<td>${escaped(cell)}</td>`).join('')}</tr>`).join('\n')}
</tbody></table></div>
<p class="note">${escaped(table.note)}</p>
<h2>Provenance</h2>
<pre>${escaped(JSON.stringify(provenance, null, 2))}</pre>
<footer>Simulation. For research use only; not a medical device.</footer>
</main></body></html>
`;
}

function pictureRow({ name, note, image }: ReportImage, [z, y, x]: readonly [number, number, number], window: number): string {
  const [dz, dy, dx] = image.grid.voxelSize;
  const at: Record<View, number> = { transaxial: z, coronal: y, sagittal: x };
  const cell = (view: View, index?: number): string => {
    const shown = picture(image.values, view, window, index);
    const wide = shown.width * (view === 'sagittal' ? dy : dx);
    const high = shown.height * (view === 'transaxial' ? dy : dz);
    const label = `${name}, ${index === undefined ? 'maximum-intensity projection' : view}`;
    return `<td><img src="${dataUri(shown)}" alt="${escaped(label)}" style="aspect-ratio:${wide}/${high}"></td>`;
  };
  return `<tr><th>${escaped(name)}<small>${escaped(note)}</small></th>${views.map((view) => cell(view, at[view])).join('')}${cell('coronal')}</tr>`;
}

const colours = ['#111111', '#9aa0a6', '#c77d0a', '#1a73b8', '#b3261e', '#5b8c2a'];

/** Lines along x, drawn as SVG. */
function profiles({ images, through: [z, y] }: ReportContent): string {
  const width = 860;
  const height = 300;
  const left = 46;
  const bottom = 30;
  const { grid } = images[0]!.image;
  const [, ny, nx] = grid.shape;
  const row = ({ image }: ReportImage): Float32Array => image.values.data.subarray((z * ny + y) * nx, (z * ny + y + 1) * nx);
  const top = Math.max(...images.map((image) => Math.max(...row(image)))) * 1.05;
  // As in the pictures, the patient's right is on the left.
  const px = (i: number): number => left + (1 - i / (nx - 1)) * (width - left - 20);
  const py = (value: number): number => 12 + (height - bottom - 12) * (1 - value / top);
  const lines = images.map((image, k) => {
    const points = Array.from(row(image), (value, i) => `${px(i).toFixed(1)},${py(value).toFixed(1)}`).join(' ');
    return `<polyline points="${points}" fill="none" stroke="${colours[k % colours.length]}" stroke-width="${k === 0 ? 2.5 : 1.5}"/>`;
  });
  const ticks = [0, 0.25, 0.5, 0.75, 1].map((f) => {
    const value = f * top;
    return `<text x="${left - 6}" y="${py(value) + 4}" text-anchor="end">${value.toFixed(1)}</text><line x1="${left}" x2="${width - 20}" y1="${py(value)}" y2="${py(value)}" stroke="#ddd"/>`;
  });
  const ends = [0, (nx - 1) / 2, nx - 1].map((i) => {
    const mm = grid.origin[2] + i * grid.voxelSize[2];
    return `<text x="${px(i)}" y="${height - 8}" text-anchor="middle">${mm.toFixed(0)}</text>`;
  });
  const key = images
    .map(({ name }, k) => `<span><i style="background:${colours[k % colours.length]}"></i>${escaped(name)}</span>`)
    .join('');
  return `<div class="scroll"><svg viewBox="0 0 ${width} ${height}" role="img" aria-label="profiles along x">${ticks.join('')}${ends.join('')}${lines.join('')}</svg></div>
<p class="key">${key}<span>horizontal: x, mm, patient’s right on the left; vertical: ${images[0]!.image.unit}</span></p>`;
}

const style = `
body{font:16px/1.5 system-ui,sans-serif;color:#1b1b1b;background:#fff;margin:0}
main{max-width:1080px;margin:0 auto;padding:2rem 1rem}
h1{font-size:1.7rem;margin:0 0 .5rem}h2{font-size:1.15rem;margin:2rem 0 .3rem}
.note,footer,small{color:#5a5a5a;font-size:.87rem}small{display:block;font-weight:400}
.scroll{overflow-x:auto}table{border-collapse:collapse;width:100%}
.pictures td{padding:3px;width:21%;vertical-align:middle}.pictures th{text-align:left;padding:3px 10px 3px 0;min-width:9rem;font-weight:600}
.pictures thead th{font-size:.87rem;font-weight:500;color:#5a5a5a;text-align:center;min-width:0}
.pictures img{width:100%;display:block;border:1px solid #e3e3e3}
.numbers th,.numbers td{text-align:right;padding:.35rem .6rem;border-bottom:1px solid #e3e3e3;font-variant-numeric:tabular-nums;white-space:nowrap}
.numbers th:first-child,.numbers td:first-child{text-align:left}
svg{width:100%;min-width:560px;font-size:11px;fill:#5a5a5a}.key span{margin-right:1.1rem;font-size:.87rem;white-space:nowrap}.key i{display:inline-block;width:1.2em;height:3px;margin-right:.4em;vertical-align:middle}
pre{background:#f6f6f6;padding:1rem;overflow-x:auto;font-size:.8rem}footer{margin-top:2rem;border-top:1px solid #e3e3e3;padding-top:.6rem}`;
