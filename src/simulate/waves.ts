/** @file  Smooth random fields as sums of plane waves, n(p) = √(2/K) Σ sin(k·p + φ): zero mean, unit variance. */
import { type Random, random } from '../core/random.js';

/** A smooth field over space, positions in mm. */
export type Field = (z: number, y: number, x: number) => number;

export interface WaveOptions {
  /** Shortest and longest wavelength, mm; wave numbers are uniform between. */
  readonly wavelengths: readonly [shortest: number, longest: number];
  /** Number K of waves, in directions uniform on the sphere. @default 8 */
  readonly count?: number | undefined;
}

/** @param seed with `stream` decides the field. */
export function waves(seed: number, stream: number, { wavelengths: [shortest, longest], count = 8 }: WaveOptions): Field {
  const r = random(seed, stream);
  const k = new Float64Array(4 * count);
  for (let i = 0; i < 4 * count; i += 4) {
    const [z, y, x] = direction(r);
    const inverse = 1 / longest + (1 / shortest - 1 / longest) * r.uniform();
    k.set([2 * Math.PI * inverse * z, 2 * Math.PI * inverse * y, 2 * Math.PI * inverse * x, 2 * Math.PI * r.uniform()], i);
  }
  const amplitude = Math.sqrt(2 / count);
  return (z, y, x) => {
    let sum = 0;
    for (let i = 0; i < k.length; i += 4) sum += Math.sin(k[i]! * z + k[i + 1]! * y + k[i + 2]! * x + k[i + 3]!);
    return amplitude * sum;
  };
}

function direction(r: Random): [number, number, number] {
  const z = r.normal();
  const y = r.normal();
  const x = r.normal();
  const length = Math.hypot(z, y, x) || 1;
  return [z / length, y / length, x / length];
}
