/** @file  Affines of NIfTI: qform ↔ matrix, and the turn to the closest RAS+ axes. Matrices 4 × 4, row-major, (i, j, k, 1) → world mm. */

/** Which axis of the file, and in which direction, each axis of the turned image is: right, anterior, superior. */
export interface Turn {
  readonly axis: readonly [number, number, number];
  readonly reversed: readonly [boolean, boolean, boolean];
}

/**
 * R = rotation of (a, b, c, d), columns scaled by the spacings, the third also by qfac; undefined if (b, c, d) is no part of a unit
 * quaternion.
 */
export function matrixOfQform(
  [b, c, d]: readonly number[],
  offset: readonly number[],
  [qfac, ...spacing]: readonly number[],
): Float64Array | undefined {
  const rest = 1 - (b! * b! + c! * c! + d! * d!);
  if (!(rest > -1e-3)) return undefined;
  const a = Math.sqrt(Math.max(0, rest));
  const rotation = [
    [a * a + b! * b! - c! * c! - d! * d!, 2 * (b! * c! - a * d!), 2 * (b! * d! + a * c!)],
    [2 * (b! * c! + a * d!), a * a + c! * c! - b! * b! - d! * d!, 2 * (c! * d! - a * b!)],
    [2 * (b! * d! - a * c!), 2 * (c! * d! + a * b!), a * a + d! * d! - b! * b! - c! * c!],
  ];
  const out = new Float64Array(16);
  for (let row = 0; row < 3; row++) {
    for (let column = 0; column < 3; column++) {
      out[4 * row + column] = rotation[row]![column]! * spacing[column]! * (column === 2 && qfac! < 0 ? -1 : 1);
    }
    out[4 * row + 3] = offset[row]!;
  }
  out[15] = 1;
  return out;
}

/** Quaternion b, c, d, spacings and qfac of a matrix; undefined if its axes are not at right angles (a shear has no qform). */
export function qformOfMatrix(
  m: Float64Array,
): { readonly quaternion: number[]; readonly spacing: number[]; readonly qfac: 1 | -1 } | undefined {
  const spacing = columnLengths(m);
  const r = (row: number, column: number): number => m[4 * row + column]! / spacing[column]!;
  for (const [p, q] of [
    [0, 1],
    [0, 2],
    [1, 2],
  ] as const) {
    if (Math.abs(r(0, p) * r(0, q) + r(1, p) * r(1, q) + r(2, p) * r(2, q)) > 1e-4) return undefined;
  }
  const qfac = determinant(m) < 0 ? -1 : 1;
  const at = (row: number, column: number): number => r(row, column) * (column === 2 ? qfac : 1);
  // Each squared component from the trace; signs from the largest one, so that nothing cancels.
  const squares = [
    1 + at(0, 0) + at(1, 1) + at(2, 2),
    1 + at(0, 0) - at(1, 1) - at(2, 2),
    1 - at(0, 0) + at(1, 1) - at(2, 2),
    1 - at(0, 0) - at(1, 1) + at(2, 2),
  ];
  const largest = squares.indexOf(Math.max(...squares));
  const products = [
    [squares[0]!, at(2, 1) - at(1, 2), at(0, 2) - at(2, 0), at(1, 0) - at(0, 1)],
    [at(2, 1) - at(1, 2), squares[1]!, at(0, 1) + at(1, 0), at(0, 2) + at(2, 0)],
    [at(0, 2) - at(2, 0), at(0, 1) + at(1, 0), squares[2]!, at(1, 2) + at(2, 1)],
    [at(1, 0) - at(0, 1), at(0, 2) + at(2, 0), at(1, 2) + at(2, 1), squares[3]!],
  ][largest]!;
  const scale = (products[0]! < 0 ? -1 : 1) / (2 * Math.sqrt(squares[largest]!));
  return { quaternion: products.slice(1).map((product) => product * scale), spacing, qfac };
}

/** The permutation and reversals that bring the axes closest to the world's: largest sum of |cosines|. */
export function turnOf(m: Float64Array): Turn {
  const lengths = columnLengths(m);
  const cosine = (world: number, axis: number): number => m[4 * world + axis]! / lengths[axis]!;
  const permutations = [
    [0, 1, 2],
    [0, 2, 1],
    [1, 0, 2],
    [1, 2, 0],
    [2, 0, 1],
    [2, 1, 0],
  ] as const;
  const score = (axis: readonly number[]): number => axis.reduce((sum, a, world) => sum + Math.abs(cosine(world, a)), 0);
  const axis = permutations.reduce((best, next) => (score(next) > score(best) + 1e-9 ? next : best));
  return { axis, reversed: [cosine(0, axis[0]) < 0, cosine(1, axis[1]) < 0, cosine(2, axis[2]) < 0] };
}

/** Matrix of the turned image; `dims` are the file's. */
export function turnedMatrix(m: Float64Array, { axis, reversed }: Turn, dims: readonly number[]): Float64Array {
  const out = Float64Array.from(m);
  for (let row = 0; row < 3; row++) {
    for (let world = 0; world < 3; world++) {
      const step = m[4 * row + axis[world]!]!;
      out[4 * row + world] = reversed[world] ? -step : step;
      if (reversed[world]) out[4 * row + 3]! += step * (dims[axis[world]!]! - 1);
    }
  }
  return out;
}

/**
 * Values of the file (first axis fastest) ↔ values of the turned image (right fastest).
 * @param backwards from the turned image to the file
 */
export function turnedValues(
  values: Float32Array,
  { axis, reversed }: Turn,
  dims: readonly number[],
  backwards = false,
): Float32Array {
  const strides = [1, dims[0]!, dims[0]! * dims[1]!];
  const [ni, nj, nk] = axis.map((a) => dims[a]!) as [number, number, number];
  const [si, sj, sk] = axis.map((a, world) => (reversed[world] ? -strides[a]! : strides[a]!)) as [number, number, number];
  const start = axis.reduce((sum, a, world) => sum + (reversed[world] ? strides[a]! * (dims[a]! - 1) : 0), 0);
  const out = new Float32Array(values.length);
  for (let k = 0, at = 0; k < nk; k++) {
    for (let j = 0; j < nj; j++) {
      for (let i = 0, other = start + k * sk + j * sj; i < ni; i++, at++, other += si) {
        if (backwards) out[other] = values[at]!;
        else out[at] = values[other]!;
      }
    }
  }
  return out;
}

/** Distances between neighbouring voxels along i, j, k. */
export function columnLengths(m: Float64Array): [number, number, number] {
  return [0, 1, 2].map((column) => Math.hypot(m[column]!, m[4 + column]!, m[8 + column]!)) as [number, number, number];
}

/** Determinant of the upper left 3 × 3. */
export function determinant(m: Float64Array): number {
  return (
    m[0]! * (m[5]! * m[10]! - m[6]! * m[9]!) - m[1]! * (m[4]! * m[10]! - m[6]! * m[8]!) + m[2]! * (m[4]! * m[9]! - m[5]! * m[8]!)
  );
}
