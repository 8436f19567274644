/** What the tiers of bench/reconstruction.ts look at. */
import type { Study } from './reconstruction-case.js';

export type Tier = 'small' | 'held-out' | 'full';
export const tiers: readonly Tier[] = ['small', 'held-out', 'full'];

export interface Plan {
  readonly doses: readonly number[];
  readonly realisations: number;
  /** `validation` and `test` are how many subjects. */
  readonly studies: readonly (Study & { readonly validation: number; readonly test: number })[];
}

const trunk = ['chest', 'abdomen', 'pelvis', 'thorax'] as const;
const scanners = ['clinical', 'digital', 'legacy'] as const;
const kinds: readonly Omit<Study, 'scanners' | 'number'>[] = [
  { name: 'FDG, trunk', regions: trunk, tracer: 'fdg', unseen: 'nothing', anatomy: 'mu' },
  { name: 'DOTATATE, trunk', regions: ['abdomen', 'chest'], tracer: 'dotatate', unseen: 'tracer', anatomy: 'mu' },
  { name: 'FDG, brain', regions: ['brain'], tracer: 'fdg', unseen: 'anatomy', anatomy: 'mr' },
  { name: 'amyloid, brain', regions: ['brain'], tracer: 'amyloid', unseen: 'tracer and anatomy', anatomy: 'mr' },
];
const each = (names: readonly string[], validation: readonly number[], test: readonly number[]): Plan['studies'] =>
  kinds.map((kind, i) => ({ ...kind, number: i, scanners: names, validation: validation[i]!, test: test[i]! }));

const none = [0, 0, 0, 0];
export const plans: Readonly<Record<Tier, Plan>> = {
  small: { doses: [1 / 5, 1 / 20], realisations: 2, studies: each(['clinical'], none, [1, 0, 0, 1]) },
  full: { doses: [1 / 2, 1 / 5, 1 / 20], realisations: 10, studies: each(scanners, none, [4, 2, 2, 2]) },
  'held-out': { doses: [1 / 20], realisations: 1, studies: each(scanners, [1, 1, 1, 1], [8, 4, 2, 2]) },
};
