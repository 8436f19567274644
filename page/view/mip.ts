/** @file  Maximum-intensity projections of a volume from any side, turning about the patient's long axis:
 *    P(u, z; φ) = max_v f(x, y, z),   x = u cos φ − v sin φ,   y = u sin φ + v cos φ
 *  with nearest voxels. φ = 0 is seen from the front with the patient's right on the left, φ = 90° from the patient's left. */

/** A volume with voxels [z, y, x], x towards the right, and their size, mm. */
export interface Boxes {
  readonly data: Float32Array;
  readonly shape: readonly [number, number, number];
  readonly voxelSize: readonly [number, number, number];
}

/** Rows from superior to inferior. */
export interface Projection {
  readonly width: number;
  readonly height: number;
  readonly values: Float32Array;
  /** Size of a pixel, mm. */
  readonly pixel: readonly [across: number, along: number];
}

/** The volume with blocks of voxels put together, the largest value kept, until no axis is longer than `most`. */
export function pooled(volume: Boxes, most: number): Boxes {
  const { data, shape, voxelSize } = volume;
  const by = shape.map((n) => Math.ceil(n / most));
  if (by.every((b) => b === 1)) return volume;
  const [nz, ny, nx] = shape;
  const [mz, my, mx] = shape.map((n, axis) => Math.ceil(n / by[axis]!)) as [number, number, number];
  const out = new Float32Array(mz * my * mx).fill(Number.NEGATIVE_INFINITY);
  for (let z = 0, i = 0; z < nz; z++)
    for (let y = 0; y < ny; y++) {
      const row = (Math.floor(z / by[0]!) * my + Math.floor(y / by[1]!)) * mx;
      for (let x = 0; x < nx; x++, i++) {
        const at = row + Math.floor(x / by[2]!);
        if (data[i]! > out[at]!) out[at] = data[i]!;
      }
    }
  const size = voxelSize.map((d, axis) => d * by[axis]!) as [number, number, number];
  return { data: out, shape: [mz, my, mx], voxelSize: size };
}

/** @param angle φ, degrees. Beside the volume the projection is 0. */
export function projection({ data, shape: [nz, ny, nx], voxelSize: [dz, dy, dx] }: Boxes, angle: number): Projection {
  const pixel = Math.min(dx, dy);
  const width = Math.ceil(Math.hypot(nx * dx, ny * dy) / pixel);
  const [c, s] = [Math.cos((angle * Math.PI) / 180), Math.sin((angle * Math.PI) / 180)];
  const values = new Float32Array(width * nz);
  const line = new Int32Array(width);
  for (let column = 0; column < width; column++) {
    // The patient's right on the left: x falls as the column grows.
    const u = ((width - 1) / 2 - column) * pixel;
    let count = 0;
    for (let step = 0; step < width; step++) {
      const v = (step - (width - 1) / 2) * pixel;
      const x = Math.round((u * c - v * s) / dx + (nx - 1) / 2);
      const y = Math.round((u * s + v * c) / dy + (ny - 1) / 2);
      if (x >= 0 && x < nx && y >= 0 && y < ny) line[count++] = y * nx + x;
    }
    for (let z = 0; z < nz; z++) {
      const slice = z * ny * nx;
      let most = count > 0 ? Number.NEGATIVE_INFINITY : 0;
      for (let k = 0; k < count; k++) {
        const value = data[slice + line[k]!]!;
        if (value > most) most = value;
      }
      values[(nz - 1 - z) * width + column] = most;
    }
  }
  return { width, height: nz, values, pixel: [pixel, dz] };
}
