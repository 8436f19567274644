/** @file  A second look at what is not hot. The errors of a network are a share of the hottest in its sight: around a bladder, or a small and very hot
 *  lesion, they can be as large as the background, and leave a ring without activity. So the hot is turned down, noise and all, and looked past:
 *    x̂₁ = N(c),   h = 2 m,   m the mean of x̂₁ over the body
 *    x̂₂ = N(c g),   g = min(1, h/x̂₁)
 *    x̂  = w x̂₁ + (1 − w) x̂₂,   w = 0 where x̂₁ ≤ h/2, rising to 1 at h
 *  The hot is as the first look saw it. Only tiles that hold something hotter than 8 m are looked at again. */
import { fill, type Shape3, type Volume } from '../core/array.js';

/** What is turned down is hotter than this many times the mean over the body. */
const HOT = 2;
/** What is looked at again holds something hotter than this many times the mean: a choice, for time. */
const EXTREME = 8;

export interface SecondLook {
  /** c g: what the network is to see. */
  readonly turnedDown: Volume;
  /** Whether a tile holds anything extreme. */
  within(at: Shape3, patch: Shape3): boolean;
  /** x̂ of x̂₂. */
  joined(second: Volume): Volume;
}

/**
 * @param condition c. @param first x̂₁, in the same unit, of the same shape.
 * @returns undefined where nothing is extreme.
 */
export function secondLook(condition: Volume, first: Volume): SecondLook | undefined {
  const { shape, data: x } = first;
  const m = bodyMeanOf(x);
  const h = HOT * m;
  if (!x.some((value) => value > EXTREME * m)) return undefined;
  const [nz, ny, nx] = shape as unknown as Shape3;
  return {
    turnedDown: fill(shape, (i) => (x[i]! > h ? (h / x[i]!) * condition.data[i]! : condition.data[i]!)),
    within([z0, y0, x0], [pz, py, px]) {
      for (let z = z0; z < Math.min(z0 + pz, nz); z++)
        for (let y = y0; y < Math.min(y0 + py, ny); y++) {
          const row = (z * ny + y) * nx;
          for (let i = row + x0; i < row + Math.min(x0 + px, nx); i++) if (x[i]! > EXTREME * m) return true;
        }
      return false;
    },
    joined: (second) =>
      fill(shape, (i) => {
        const w = Math.min(1, Math.max(0, (2 * x[i]!) / h - 1));
        return w * x[i]! + (1 - w) * second.data[i]!;
      }),
  };
}

/** Mean over the voxels above a quarter of the mean of all positive ones. A hot organ moves it little; `bodyMean`, by a percentile, can lie in it. */
function bodyMeanOf(x: Float32Array): number {
  const meanAbove = (threshold: number): number => {
    let [sum, count] = [0, 0];
    for (const value of x)
      if (value > threshold) {
        sum += value;
        count++;
      }
    return sum / count;
  };
  return meanAbove(meanAbove(0) / 4);
}
