/** @file  Between the order of files and that of the kernels.
 *    image   [z][y][x]                     →  [x][y][z], with zeros around it
 *    data    [tof][plane][view][bin]       →  [view][bin · tofBins + tof][cell], each value times the length of a step where wanted
 *  The device turns the fast and the slow index round; rows of bins are moved by the host, while it uploads a few views at a time. */

export const packImage: string = /* js */ `function packImage(raw) {
  const x = this.thread.z - 1;
  const y = this.thread.y - 1;
  const z = this.thread.x - this.constants.lead;
  let value = 0;
  if (x >= 0 && x < this.constants.nx && y >= 0 && y < this.constants.ny && z >= 0 && z < this.constants.nz) {
    value = raw[z][y][x];
  }
  return value;
}`;

export const unpackImage: string = /* js */ `function unpackImage(image) {
  return image[this.thread.x + 1][this.thread.y + 1][this.thread.z + this.constants.lead];
}`;

/** raw[view · tofBins + tof][plane][bin]; scaled: 1 multiplies by the length of a step, 0 does not. */
export const packData: string = /* js */ `function packData(raw, ray, plane, views, scaled) {
  const c = this.thread.x;
  const b = Math.floor((this.thread.y + 0.5) / this.constants.tofBins);
  const t = this.thread.y - b * this.constants.tofBins;
  const v = views[this.thread.z];
  let value = 0;
  if (v >= 0 && plane[c][1] >= 0) {
    value = raw[this.thread.z * this.constants.tofBins + t][plane[c][4]][b];
    if (scaled > 0.5) { value = value * ray[v][b][9] * Math.sqrt(ray[v][b][10] + plane[c][1]); }
  }
  return value;
}`;

export const unpackData: string = /* js */ `function unpackData(data, ray, plane, views, cells) {
  const b = this.thread.x;
  const c = cells[this.thread.y];
  const n = Math.floor((this.thread.z + 0.5) / this.constants.tofBins);
  const t = this.thread.z - n * this.constants.tofBins;
  const v = Math.max(views[n], 0);
  return data[n][b * this.constants.tofBins + t][c] * ray[v][b][9] * Math.sqrt(ray[v][b][10] + plane[c][1]);
}`;

/** Rows of bins of the views from … to − 1, of data [tof][plane][views][bin], as [view][tof][plane][bin]. */
export function rowsOfViews(data: Float32Array, shape: readonly number[], from: number, to: number): Float32Array {
  const out = new Float32Array((to - from) * shape[0]! * shape[1]! * shape[3]!);
  eachRow(shape, from, to, (at, row) => out.set(data.subarray(at, at + shape[3]!), row));
  return out;
}

/** The reverse: rows go where they belong. */
export function putRowsOfViews(rows: Float32Array, data: Float32Array, shape: readonly number[], from: number, to: number): void {
  eachRow(shape, from, to, (at, row) => data.set(rows.subarray(row, row + shape[3]!), at));
}

function eachRow(
  [tofBins, planes, views, bins]: readonly number[],
  from: number,
  to: number,
  move: (at: number, row: number) => void,
): void {
  for (let view = from, row = 0; view < to; view++) {
    for (let plane = 0; plane < tofBins! * planes!; plane++, row += bins!) move((plane * views! + view) * bins!, row);
  }
}
