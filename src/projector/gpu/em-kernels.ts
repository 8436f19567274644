/** @file  What EM does to data and images between the projections; see resident.ts. The three on images are the same for all shapes. */

/** r = c y / (c p + a), c the length of a step. */
export const ratio: string = /* js */ `function ratio(sums, y, a, ray, plane, views) {
  const n = this.thread.z;
  const row = this.thread.y;
  const c = this.thread.x;
  const v = Math.max(views[n], 0);
  const b = Math.floor((row + 0.5) / this.constants.tofBins);
  const step = ray[v][b][9] * Math.sqrt(ray[v][b][10] + Math.max(plane[c][1], 0));
  const counts = y[n][row][c];
  const expected = step * sums[n][row][c] + a[n * this.constants.additive][row * this.constants.additive][c * this.constants.additive];
  let value = 0;
  if (counts > 0 && expected > 0) { value = step * counts / expected; }
  return value;
}`;

export const emUpdate: string = /* js */ `function emUpdate(x, back, s) {
  const i = this.thread.x;
  let value = x[i];
  if (s[i] > 0) { value = x[i] * Math.max(back[i], 0) / s[i]; }
  return value;
}`;

/** The larger root of ρ x² + c x − e = 0 in the form that does not cancel: see positiveRoot in recon/poisson-prox.ts. */
export const proxUpdate: string = /* js */ `function proxUpdate(x, back, s, v, rho) {
  const i = this.thread.x;
  const e = x[i] * Math.max(back[i], 0);
  const c = s[i] - rho * v[i];
  const root = Math.sqrt(c * c + 4 * rho * e);
  let value = 0;
  if (c > 0) { value = 2 * e / (c + root); } else { value = (root - c) / (2 * rho); }
  return value;
}`;

export const product: string = 'function product(a, b) { return a[this.thread.x] * b[this.thread.x]; }';
