/** @file  The projector's kernels, in gpu.js' JavaScript. With c the length of a step in mm, which is left to whoever calls,
 *    forward   p[b, p] = Σ_i Σ_jk h(u_i − j) h(w_i − k) f[i, j, k],          one thread a bin and plane, or four planes
 *    adjoint   f[i, j, k] = Σ_b h(u_i − j) Σ_p h(w_i − k) p[b, p],           one thread a voxel, or four along z
 *  h(x) = max(0, 1 − |x|): the adjoint looks for the bins that see its voxels (tables.ts) and takes the forward's own weights, in the same
 *  order of operations, (hi − integer) + lo. With time of flight both are weighed by ω, the share of a sample in each TOF bin.
 *  `rows: 1` is the definition; `rows: 4` does the same for four neighbours, which share all but the last step. */

export interface KernelKind {
  readonly rows: 1 | 4;
  /** Neighbouring planes of data are one plane of voxels apart: four neighbours then share loads and weights. For rows: 4. */
  readonly unit: boolean;
  readonly tof: boolean;
}

const each = (rows: number, line: (r: number) => string): string => Array.from({ length: rows }, (_, r) => line(r)).join('\n');
const result = (rows: number): string => (rows === 1 ? 'return s0;' : 'return [s0, s1, s2, s3];');

/** ω of x, in bins from the middle of one; two tables, near whole numbers and near halves: see tof-weight.ts. */
const share = /* js */ `
      const place = this.constants.omegaZero + x * this.constants.perBin;
      const below = Math.floor(place);
      let at = below;
      if (Math.abs(x - Math.floor(x + 0.5)) > this.constants.near) { at = below + this.constants.omegaLength; }
      const share = omega[at] + (place - below) * (omega[at + 1] - omega[at]);`;

export function forwardKernel({ rows, unit, tof }: KernelKind): string {
  /** Bilinear in the plane of the rays' steps: a column at plane k of the image. */
  const column = (name: string, k: string): string => `const ${name} = (1 - w) * img[x0][y0][${k}] + w * img[x1][y1][${k}];`;
  const sample = (r: number): string => /* js */ `
      const ql${r} = rest + f${r};
      const kq${r} = Math.floor(q + ql${r});
      const g${r} = (q - kq${r}) + ql${r};
      const k${r} = Math.min(Math.max(k${r}0 + kq${r}, -2), this.constants.nz) + this.constants.lead;
      ${column(`a${r}`, `k${r}`)}
      ${column(`b${r}`, `k${r} + 1`)}
      s${r} += share * (a${r} + g${r} * (b${r} - a${r}));`;
  const four = /* js */ `
      const ql = rest + f0;
      const kq = Math.floor(q + ql);
      const g = (q - kq) + ql;
      const k = Math.min(Math.max(k00 + kq, -5), this.constants.nz) + this.constants.lead;
      ${each(5, (r) => column(`t${r}`, `k + ${r}`))}
      ${each(4, (r) => `s${r} += share * (t${r} + g * (t${r + 1} - t${r}));`)}`;
  return /* js */ `function forward(img, ray, plane, views${tof ? ', omega' : ''}) {
  const used = views[this.thread.z];
  const v = Math.max(used, 0);
  ${tof ? 'const b = Math.floor((this.thread.y + 0.5) / this.constants.tofBins);' : 'const b = this.thread.y;'}
  const c = this.thread.x * ${rows};
  const D = plane[c][0];
  ${each(rows, (r) => `const k${r}0 = plane[c + ${r}][2]; const f${r} = plane[c + ${r}][3];`)}
  const aH = ray[v][b][0]; const aL = ray[v][b][1]; const bH = ray[v][b][2]; const bL = ray[v][b][3];
  const tH = ray[v][b][4]; const sH = ray[v][b][5]; const tL = ray[v][b][11]; const sL = ray[v][b][12];
  const alongY = ray[v][b][8];
  let across = this.constants.ny;
  if (alongY > 0.5) { across = this.constants.nx; }
  let first = ray[v][b][6];
  let last = ray[v][b][7];
  if (used < 0 || plane[c][1] < 0) { last = -1; }
  ${
    tof
      ? /* js */ `
  const centre = this.constants.middle - (this.thread.y - b * this.constants.tofBins);
  const length = Math.sqrt(ray[v][b][10] + Math.max(plane[c][1], 0)) * this.constants.perWidth;
  if (first <= last) {
    const p = ((centre - this.constants.reach) / length - (sH + sL)) / (tH + tL);
    const q = ((centre + this.constants.reach) / length - (sH + sL)) / (tH + tL);
    first = Math.max(first, Math.floor(Math.min(p, q)));
    last = Math.min(last, Math.ceil(Math.max(p, q)));
  }`
      : ''
  }
  ${each(rows, (r) => `let s${r} = 0;`)}
  for (let m = 0; m < this.constants.maxSteps; m++) {
    const i = first + m;
    if (i > last) { break; }
    const uh = aH * i + bH;
    const ul = aL * i + bL;
    const j = Math.min(Math.max(Math.floor(uh + ul), -1), across - 1);
    const w = (uh - j) + ul;
    let x0 = i + 1; let y0 = j + 1; let x1 = i + 1; let y1 = j + 2;
    if (alongY > 0.5) { x0 = j + 1; y0 = i + 1; x1 = j + 2; y1 = i + 1; }
    const tau = tH * i + sH;
    const low = tL * i + sL;
    const q = D * tau;
    const rest = D * low;
    ${tof ? `const x = (tau + low) * length - centre;\n    if (Math.abs(x) < this.constants.reach) {${share}` : 'const share = 1;'}
    ${rows === 4 && unit ? four : each(rows, sample)}
    ${tof ? '}' : ''}
  }
  ${rows === 4 ? each(3, (r) => `if (plane[c + ${r + 1}][1] < 0) { s${r + 1} = 0; }`) : ''}
  ${result(rows)}
}`;
}

export function adjointKernel({ rows, unit, tof }: KernelKind): string {
  /** Planes that see the voxels, one after the other: their number changes with the distance between them. */
  const any = (row: string, weight: string): string => /* js */ `
            for (let e = 0; e < this.constants.axialWindow; e++) {
              const a = a0 + e;
              if (a >= 0 && a < n) {
                const value = sino[v0][${row}][cell + a];
                const ql = rest + plane[cell + a][3];
                ${each(
                  rows,
                  (r) => /* js */ `
                const h${r} = 1 - Math.abs((q - (z + ${r} - plane[cell + a][2])) + ql);
                if (h${r} > 0) { p${r} += ${weight} * h${r} * value; }`,
                )}
              }
            }`;
  /** Planes of voxels and of data coincide: four voxels see five planes with the same two weights. */
  const four = (row: string, weight: string): string => /* js */ `
            ${each(5, (r) => `const y${r} = sino[v0][${row}][a + ${r}];`)}
            ${each(4, (r) => `p${r} += ${weight} * (y${r + 1} + g * (y${r} - y${r + 1}));`)}`;
  const fast = rows === 4 && unit;
  const axial = fast
    ? /* js */ `
            const ql = rest + segment[t][7];
            const kq = Math.floor(q + ql);
            const g = (q - kq) + ql;
            const a = cell - 1 + Math.min(Math.max(z - kq - segment[t][6], -4), n + 1);`
    : /* js */ `
            const from = (z - 1 - segment[t][4] - (q + rest)) / segment[t][5];
            const a0 = Math.floor(from - 0.001) + 1;`;
  const gather = fast ? four : any;
  const timed = /* js */ `
            const x0 = (tau + low) * Math.sqrt(ray[v][b][10] + segment[t][1]) * this.constants.perWidth;
            const t0 = Math.ceil(this.constants.middle - x0 - this.constants.reach);
            for (let d = 0; d < this.constants.tofWindow; d++) {
              const bin = t0 + d;
              const x = x0 - (this.constants.middle - bin);
              if (bin >= 0 && bin < this.constants.tofBins && Math.abs(x) < this.constants.reach) {
                ${share}
                ${gather('b * this.constants.tofBins + bin', 'share')}
              }
            }`;
  return /* js */ `function adjoint(sino, ray, segment, plane, views, bracket${tof ? ', omega' : ''}) {
  const ix = this.thread.z - 1;
  const iy = this.thread.y - 1;
  const z = this.thread.x * ${rows} - this.constants.lead;
  ${each(rows, (r) => `let s${r} = 0;`)}
  if (ix >= 0 && ix < this.constants.nx && iy >= 0 && iy < this.constants.ny && z > -${rows} && z < this.constants.nz) {
    const px = this.constants.ox + ix * this.constants.dx;
    const py = this.constants.oy + iy * this.constants.dy;
    for (let v0 = 0; v0 < this.constants.views; v0++) {
      const v = views[v0];
      if (v < 0) { break; }
      for (let family = 0; family < this.constants.families; family++) {
        const r = v * this.constants.families + family;
        const s = bracket[r][0] * px + bracket[r][1] * py - bracket[r][2];
        const cellOf = Math.min(Math.max(Math.floor(s * this.constants.perCell), 0), this.constants.cells - 1);
        const b0 = bracket[r][4 + cellOf];
        for (let e0 = 0; e0 < this.constants.window; e0++) {
          const b = family + this.constants.families * (b0 + e0);
          let i = ix;
          let j = iy;
          let w = 0;
          if (b < this.constants.bins) {
            if (ray[v][b][8] > 0.5) { i = iy; j = ix; }
            if (i >= ray[v][b][6] && i <= ray[v][b][7]) {
              w = 1 - Math.abs((ray[v][b][0] * i + ray[v][b][2] - j) + (ray[v][b][1] * i + ray[v][b][3]));
            }
          }
          if (w > 0) {
            const tau = ray[v][b][4] * i + ray[v][b][5];
            const low = ray[v][b][11] * i + ray[v][b][12];
            ${each(rows, (r) => `let p${r} = 0;`)}
            for (let t = 0; t < this.constants.segments; t++) {
            const D = segment[t][0];
            const cell = segment[t][2];
            const n = segment[t][3];
            const q = D * tau;
            const rest = D * low;
            ${axial}
            ${tof ? timed : gather('b', '1')}
            }
            ${each(rows, (r) => `s${r} += w * p${r};`)}
          }
        }
      }
    }
    ${rows === 4 ? each(4, (r) => `if (z + ${r} < 0 || z + ${r} >= this.constants.nz) { s${r} = 0; }`) : 'if (z < 0) { s0 = 0; }'}
  }
  ${result(rows)}
}`;
}
