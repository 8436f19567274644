/** @file  What becomes of each lesion, whose background is the tissue around it: with a the mean in the lesion, b in a shell of its host tissue,
 *  a*, b* the same in the truth,
 *    CRC = (a/b − 1)/(a* /b* − 1),   bias = 100 (a − a*)/a* %
 *  and regions away from borders, where an image's bias is not that of its resolution. */
import { array, expectShape, type Point, type Volume } from '../core/array.js';
import { OptionError } from '../core/errors.js';

export interface LesionOptions {
  /** Labels of lesions; those that do not occur, or have no background or next to no contrast, are left out. */
  readonly lesions: readonly number[];
  /** mm [z, y, x]. */
  readonly voxelSize: Point;
  /** Thickness of the shell, mm. @default 12 */
  readonly shell?: number | undefined;
  /** Contrast |a* /b* − 1| below which CRC would be noise. @default 0.2 */
  readonly leastContrast?: number | undefined;
}

export interface LesionRecovery {
  readonly label: number;
  readonly voxels: number;
  /** Diameter of a ball of its volume, mm. */
  readonly diameter: number;
  /** a, in the unit of the image. */
  readonly mean: number;
  /** a*. */
  readonly trueMean: number;
  /** %. */
  readonly bias: number;
  readonly crc: number;
}

/**
 * Contrast recovery and bias of every lesion. The host is the label that occurs most in the shell (0, no label, and other lesions apart).
 * @throws ShapeError when truth or labels do not have the image's shape.
 */
export function lesionRecovery(image: Volume, truth: Volume, labels: Volume, options: LesionOptions): LesionRecovery[] {
  const { lesions, voxelSize, shell = 12, leastContrast = 0.2 } = options;
  const x = expectShape(image, labels.shape, 'image').data;
  const t = expectShape(truth, labels.shape, 'truth').data;
  const l = expectShape(labels, labels.shape, 'labels').data;
  const members = new Map<number, number[]>(lesions.map((label) => [label, []]));
  l.forEach((label, i) => {
    members.get(label)?.push(i);
  });
  const found: LesionRecovery[] = [];
  for (const [label, inside] of members) {
    const around = shellOf(inside, l, members, labels.shape as [number, number, number], voxelSize, shell);
    if (inside.length === 0 || around.length === 0) continue;
    const mean = (of: Float32Array, at: readonly number[]): number => at.reduce((sum, i) => sum + of[i]!, 0) / at.length;
    const [a, b, trueA, trueB] = [mean(x, inside), mean(x, around), mean(t, inside), mean(t, around)];
    const contrast = trueA / trueB - 1;
    if (!(Math.abs(contrast) >= leastContrast && contrast < Infinity && b > 0)) continue;
    const volume = inside.length * voxelSize[0] * voxelSize[1] * voxelSize[2];
    found.push({
      ...{ label, voxels: inside.length, diameter: Math.cbrt((6 / Math.PI) * volume), mean: a, trueMean: trueA },
      ...{ bias: (100 * (a - trueA)) / trueA, crc: (a / b - 1) / contrast },
    });
  }
  return found;
}

/** Voxels of the host tissue within the shell around a lesion. */
function shellOf(
  inside: readonly number[],
  labels: Float32Array,
  lesions: ReadonlyMap<number, unknown>,
  [nz, ny, nx]: readonly [number, number, number],
  voxelSize: Point,
  shell: number,
): number[] {
  const [rz, ry, rx] = voxelSize.map((d) => Math.floor(shell / d)) as [number, number, number];
  const near = new Set<number>();
  for (const i of inside) {
    const [z, y, x] = [Math.floor(i / (ny * nx)), Math.floor(i / nx) % ny, i % nx];
    // A voxel whose six neighbours are in the lesion adds nothing to the shell that they do not.
    if ([1, -1, nx, -nx, ny * nx, -ny * nx].every((step) => labels[i + step] === labels[i])) continue;
    for (let dz = Math.max(-rz, -z); dz <= Math.min(rz, nz - 1 - z); dz++) {
      for (let dy = Math.max(-ry, -y); dy <= Math.min(ry, ny - 1 - y); dy++) {
        for (let dx = Math.max(-rx, -x); dx <= Math.min(rx, nx - 1 - x); dx++) {
          if (Math.hypot(dz * voxelSize[0], dy * voxelSize[1], dx * voxelSize[2]) <= shell)
            near.add(i + (dz * ny + dy) * nx + dx);
        }
      }
    }
  }
  const tally = new Map<number, number>();
  for (const i of near) {
    const label = labels[i]!;
    if (label !== 0 && !lesions.has(label)) tally.set(label, (tally.get(label) ?? 0) + 1);
  }
  const host = [...tally].sort(([, a], [, b]) => b - a)[0]?.[0];
  return [...near].filter((i) => labels[i] === host);
}

/**
 * The labels less what lies within `depth` voxels of another label along an axis (or of the border of the volume): 0 there.
 * @throws OptionError when the depth is not an integer ≥ 0.
 */
export function interiorLabels(labels: Volume, depth: number): Volume {
  if (!(Number.isInteger(depth) && depth >= 0)) {
    throw new OptionError('Depth of the interior', { key: 'depth', expected: 'an integer ≥ 0', found: depth });
  }
  const { data } = expectShape(labels, labels.shape, 'labels');
  let current = Float32Array.from(data);
  const strides = labels.shape.map((_, axis) => labels.shape.slice(axis + 1).reduce((product, n) => product * n, 1));
  for (let step = 0; step < depth; step++) {
    const next = Float32Array.from(current);
    for (let i = 0; i < current.length; i++) {
      const alone = strides.some((stride, axis) => {
        const at = Math.floor(i / stride) % labels.shape[axis]!;
        if (at === 0 || at === labels.shape[axis]! - 1) return true;
        return current[i - stride] !== current[i] || current[i + stride] !== current[i];
      });
      if (alone) next[i] = 0;
    }
    current = next;
  }
  return array(labels.shape, current);
}
