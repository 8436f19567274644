/** @file  Set-up of one line, in double: which planes of the principal axis it meets and where. The same formulas as in
 *  src/projector/joseph.ts. Results are in globals: every worker has its own instance of the module. */

/** Lateral and axial positions closer than this to where the weight is zero are left out; float32 cannot tell them from it. */
const margin: f64 = 2e-6;

/** First and last plane; none if last < first. */
export let first: i32 = 0;
export let last: i32 = -1;
/** Lateral position in voxels at plane i: uBase + i · uStep. */
export let uBase: f64 = 0;
export let uStep: f64 = 0;
/** Share of the way from start to end at plane i: tauBase + i · tauStep. */
export let tauBase: f64 = 0;
export let tauStep: f64 = 0;
/** Address of the column at plane 0, lateral position 0, and distances in bytes between neighbours. */
export let column: usize = 0;
export let planeStride: i32 = 0;
export let lateralStride: i32 = 0;
/** Voxel pitch along the principal axis / |component of the line along it|, and the squared transaxial length, mm². */
export let pitch: f64 = 0;
export let length2: f64 = 0;

/** @returns false when the line meets no plane. `g`: the grid, see src/projector/cpu/tables.ts. */
export function setUp(g: usize, x1: f64, y1: f64, x2: f64, y2: f64): bool {
  const ny = load<f64>(g, 8);
  const nx = load<f64>(g, 16);
  const nzp = <i32>load<f64>(g, 24);
  const dy = load<f64>(g, 40);
  const dx = load<f64>(g, 48);
  const cx1 = (x1 - load<f64>(g, 72)) / dx;
  const cx2 = (x2 - load<f64>(g, 72)) / dx;
  const cy1 = (y1 - load<f64>(g, 64)) / dy;
  const cy2 = (y2 - load<f64>(g, 64)) / dy;
  const alongX = Math.abs(x2 - x1) >= Math.abs(y2 - y1);
  const i1 = alongX ? cx1 : cy1;
  const i2 = alongX ? cx2 : cy2;
  const j1 = alongX ? cy1 : cx1;
  const j2 = alongX ? cy2 : cx2;
  const n = alongX ? nx : ny;
  const m = alongX ? ny : nx;
  const along = Math.abs(alongX ? x2 - x1 : y2 - y1);
  first = 0;
  last = -1;
  if (along === 0) return false;
  const rowBytes = (<i32>nx + 2) * nzp * 4;
  column = <usize>load<f64>(g, 80) + <usize>(rowBytes + nzp * 4);
  planeStride = alongX ? nzp * 4 : rowBytes;
  lateralStride = alongX ? rowBytes : nzp * 4;
  pitch = (alongX ? dx : dy) / along;
  length2 = (x2 - x1) * (x2 - x1) + (y2 - y1) * (y2 - y1);
  tauStep = 1 / (i2 - i1);
  tauBase = -i1 * tauStep;
  uStep = (j2 - j1) * tauStep;
  uBase = j1 - i1 * uStep;
  const low = Math.max(0, Math.ceil(Math.min(i1, i2)));
  const high = Math.min(n - 1, Math.floor(Math.max(i1, i2)));
  if (low > high) return false;
  first = <i32>low;
  last = <i32>high;
  narrow(uBase, uStep, m);
  return first <= last;
}

/** Planes low … high of those that `setUp` found. */
export function restrict(low: i32, high: i32): void {
  first = low;
  last = high;
}

/** Leaves only planes where −1 < base + i · step < n. */
export function narrow(base: f64, step: f64, n: f64): void {
  const bottom = -1 + margin;
  const top = n - margin;
  if (step !== 0) {
    const inverse = 1 / step;
    const a = (bottom - base) * inverse;
    const b = (top - base) * inverse;
    const low = Math.floor(Math.min(a, b));
    const high = Math.ceil(Math.max(a, b));
    if (low > <f64>last || high < <f64>first) {
      last = first - 1;
      return;
    }
    first = <i32>Math.max(<f64>first, low);
    last = <i32>Math.min(<f64>last, high);
  }
  while (first <= last && outside(base + step * <f64>first, bottom, top)) first++;
  while (first <= last && outside(base + step * <f64>last, bottom, top)) last--;
}

function outside(position: f64, bottom: f64, top: f64): bool {
  return !(position > bottom && position < top);
}
