/** @file  The image inside the kernels: columns [y][x][z], z fastest, with a border one voxel wide of zeros around x and y.
 *  A column is `nzp` floats long, nz + 1 or more, the rest zeros: the voxel below a column's first is the last of the column before. */

import { transpose } from './transpose';

/** Rows row0 … row1 − 1 (of ny + 2, border included) of the column image from `raw`, [z][y][x]. */
export function pack(raw: usize, columns: usize, nz: i32, ny: i32, nx: i32, nzp: i32, row0: i32, row1: i32): void {
  const width = nx + 2;
  const plane = (<usize>(ny * nx)) << 2;
  if (row0 === 0) memory.fill(columns - 64, 0, 64);
  for (let row = row0; row < row1; row++) {
    const out = columns + ((<usize>(row * width) * nzp) << 2);
    memory.fill(out, 0, (<usize>(width * nzp)) << 2);
    if (row === 0 || row === ny + 1) continue;
    const source = raw + ((<usize>((row - 1) * nx)) << 2);
    transpose(source, plane, out + ((<usize>nzp) << 2), (<usize>nzp) << 2, nz, nx);
  }
}

/** raw[z][y][x] = sum of `count` column images, `distance` bytes apart, in their order; rows y0 … y1 − 1 (without border).
 *  The first column image holds the sum afterwards. */
export function unpack(
  raw: usize,
  columns: usize,
  count: i32,
  distance: usize,
  nz: i32,
  ny: i32,
  nx: i32,
  nzp: i32,
  y0: i32,
  y1: i32,
): void {
  const plane = (<usize>(ny * nx)) << 2;
  const column = (<usize>nzp) << 2;
  for (let y = y0; y < y1; y++) {
    const from = columns + <usize>((y + 1) * (nx + 2) + 1) * column;
    const bytes = <usize>nx * column;
    for (let c = 1; c < count; c++) add(from, from + <usize>c * distance, bytes);
    transpose(from, column, raw + ((<usize>(y * nx)) << 2), plane, nx, nz);
  }
}

function add(to: usize, from: usize, bytes: usize): void {
  for (let at: usize = 0; at < bytes; at += 16) v128.store(to + at, f32x4.add(v128.load(to + at), v128.load(from + at)));
}

export function zero(at: usize, bytes: usize): void {
  memory.fill(at, 0, bytes);
}
