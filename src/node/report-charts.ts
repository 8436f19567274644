/** @file  Line charts as inline SVG: readable in light, dark and print, lines told apart by dashes as well as by colour. */

export interface Series {
  readonly name: string;
  readonly x: readonly number[];
  readonly y: readonly number[];
}

export interface Chart {
  readonly title: string;
  /** What the axes show, with units. */
  readonly xLabel: string;
  readonly yLabel: string;
  readonly series: readonly Series[];
  /** Does the vertical axis begin at 0? @default true */
  readonly fromZero?: boolean | undefined;
  /** Do larger x lie to the left, as the patient's right does? @default false */
  readonly mirrored?: boolean | undefined;
  /** Is x a count, with nothing between its whole numbers? @default false */
  readonly counted?: boolean | undefined;
}

export const escaped = (text: string): string =>
  text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;').replace(/"/g, '&quot;');

const [width, height, left, right, top, bottom] = [420, 250, 56, 12, 10, 44];

/** A figure with its key. Every chart of one report has the same line for the same place in `series`. */
export function lineChart({ title, xLabel, yLabel, series, fromZero = true, mirrored = false, counted = false }: Chart): string {
  const xTicks = ticks(...extent(series.flatMap(({ x }) => x)), 5, counted ? 1 : 0);
  const [low, high] = extent(series.flatMap(({ y }) => y));
  const yTicks = ticks(fromZero ? Math.min(0, low) : low, high, 5);
  const [x0, x1] = extent(series.flatMap(({ x }) => x));
  const [y0, y1] = [Math.min(yTicks[0]!, fromZero ? 0 : low), Math.max(yTicks.at(-1)!, high)];
  const along = (share: number): number => left + (width - left - right) * (mirrored ? 1 - share : share);
  const px = (x: number): number => along(x1 > x0 ? (x - x0) / (x1 - x0) : 0.5);
  const py = (y: number): number => top + (height - top - bottom) * (1 - (y1 > y0 ? (y - y0) / (y1 - y0) : 0.5));
  const grid = yTicks
    .map(
      (y) =>
        `<line class="grid" x1="${left}" x2="${width - right}" y1="${py(y).toFixed(1)}" y2="${py(y).toFixed(1)}"/><text x="${left - 6}" y="${(py(y) + 4).toFixed(1)}" text-anchor="end">${plain(y)}</text>`,
    )
    .join('');
  const foot = xTicks
    .filter((x) => x >= x0 && x <= x1)
    .map((x) => `<text x="${px(x).toFixed(1)}" y="${height - bottom + 16}" text-anchor="middle">${plain(x)}</text>`)
    .join('');
  const lines = series.map(({ x, y }, k) => {
    const points = x.map((value, i) => `${px(value).toFixed(1)},${py(y[i]!).toFixed(1)}`).join(' ');
    const dots = x.length > 30 ? '' : x.map((value, i) => dot(px(value), py(y[i]!), k)).join('');
    return `<polyline class="line s${k % 6}" points="${points}"/>${dots}`;
  });
  const middle = (left + width - right) / 2;
  const axes = `<text x="${middle}" y="${height - 6}" text-anchor="middle">${escaped(xLabel)}</text><text transform="translate(12 ${(top + height - bottom) / 2}) rotate(-90)" text-anchor="middle">${escaped(yLabel)}</text>`;
  const key = series.map(
    ({ name }, k) =>
      `<li><svg viewBox="0 0 30 6" aria-hidden="true"><line class="line s${k % 6}" x1="0" x2="30" y1="3" y2="3"/></svg>${escaped(name)}</li>`,
  );
  const summary = series.map(({ name, y }) => `${name}: ${plain(y[0]!)} to ${plain(y.at(-1)!)}, largest ${plain(extent(y)[1])}`);
  return `<figure class="chart"><figcaption>${escaped(title)}</figcaption>
<svg viewBox="0 0 ${width} ${height}" role="img" aria-label="${escaped(`${title}. ${summary.join('; ')}`)}">${grid}${foot}${axes}${lines.join('')}</svg>
<ul class="key">${key.join('')}</ul></figure>`;
}

const dot = (x: number, y: number, k: number): string =>
  `<circle class="dot s${k % 6}" cx="${x.toFixed(1)}" cy="${y.toFixed(1)}" r="2.5"/>`;

function extent(values: readonly number[]): readonly [number, number] {
  let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const value of values) {
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return [low, high];
}

/** Round numbers (1, 2 or 5 times a power of ten) within [low, high], about `most` of them, at least `least` apart. */
export function ticks(low: number, high: number, most: number, least = 0): number[] {
  if (!(high > low)) return [low];
  const rough = Math.max(least, (high - low) / most);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((m) => m * power).find((s) => s >= rough * (1 - 1e-9))!;
  const first = Math.ceil(low / step - 1e-9);
  const last = Math.floor(high / step + 1e-9);
  return Array.from({ length: last - first + 1 }, (_, i) => (first + i) * step);
}

/** A number for people: four figures, no trailing zeros. */
export function plain(value: number): string {
  if (!Number.isFinite(value)) return String(value);
  const size = Math.abs(value);
  if (size >= 1e6 || (size > 0 && size < 1e-3)) return value.toExponential(2).replace('e+', 'e');
  return String(Number(value.toPrecision(4)));
}
