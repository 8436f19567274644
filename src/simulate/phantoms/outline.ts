/** @file  Skin, fat and muscle of the whole body: trunk and legs as lofts, arms as tubes. The frame is that of `thorax`. */
import type { Point } from '../../core/array.js';
import { ellipsoid, loft, type Solid, type Station, tube } from '../solids.js';
import type { Variation } from '../variation.js';
import type { Organ } from './thorax.js';

/** How this subject is built. */
export interface Build {
  readonly female: boolean;
  readonly arms: 'up' | 'down';
  /** Fat under the skin at the belly, mm. */
  readonly fat: number;
}

/** z, half axes y and x of the muscle, share of the belly's fat that lies over it. */
const trunkStations: readonly (readonly [z: number, y: number, ry: number, rx: number, fat: number])[] = [
  [-500, -8, 78, 150, 0.7],
  [-430, -10, 100, 168, 1.1],
  [-350, -8, 100, 160, 1.2],
  [-270, -4, 94, 146, 1.1],
  [-190, -2, 93, 138, 1],
  [-100, -1, 100, 148, 0.9],
  [0, -1, 102, 154, 0.7],
  [90, -6, 98, 168, 0.6],
  [140, -14, 84, 180, 0.4],
  [172, -22, 66, 130, 0.3],
  [205, -28, 52, 66, 0.2],
];

export function outline(vary: Variation, { female, arms, fat }: Build): Organ[] {
  const [shoulders, hips] = female ? [0.93, 1.04] : [1.02, 0.97];
  const width = (z: number): number => (z > 60 ? shoulders : z < -250 ? hips : 1);
  const layer = (extra: number): Solid =>
    loft(
      trunkStations.map(([z, y, ry, rx, share]): Station => {
        const more = extra * share;
        // Bellies grow forwards.
        return [z, y + 0.35 * more, 0, ry + more, width(z) * rx + 0.9 * more];
      }),
      { exponent: 2.4 },
    );
  const organs: Organ[] = [[layer(fat), 'fat']];
  const legs = [-1, 1].map((side) => leg(side, female ? 96 : 92));
  for (const { skin } of legs) organs.push([skin(0.7 * fat), 'fat']);
  if (female) organs.push(...breasts(vary, fat));
  organs.push([layer(0), 'muscle']);
  for (const { skin, bones } of legs) organs.push([skin(0), 'muscle'], ...bones);
  for (const side of [-1, 1]) organs.push(...arm(vary, side, arms, 174 * shoulders, Math.min(14, 0.4 * fat)));
  return organs;
}

function leg(side: number, apart: number): { skin: (fat: number) => Solid; bones: Organ[] } {
  const hip: Point = [-420, -6, side * 90];
  const trochanter: Point = [-455, -14, side * 126];
  const knee: Point = [-800, 0, side * 96];
  const skin = (fat: number): Solid =>
    loft([
      [-800, -4, side * apart, 62 + fat, 62 + fat],
      [-640, -6, side * apart, 76 + fat, 74 + fat],
      [-500, -8, side * apart, 92 + fat, 82 + fat],
      [-440, -10, side * apart, 84, 74],
    ]);
  const bones: Organ[] = [
    [tube(hip, hip, 24), 'bone'],
    [tube(hip, trochanter, 15), 'bone'],
    [tube(trochanter, knee, 15), 'bone'],
    [tube(hip, hip, 20), 'marrow'],
    [tube(hip, trochanter, 11), 'marrow'],
    [tube(trochanter, knee, 7.5), 'marrow'],
  ];
  return { skin, bones };
}

function breasts(vary: Variation, fat: number): Organ[] {
  const [y, x] = [vary.size(30, 0.25), vary.size(56, 0.12)];
  return [-1, 1].flatMap((side): Organ[] => {
    const centre: Point = [vary.between(0, 30, 15), 82 + 0.6 * fat, side * 74];
    return [
      [ellipsoid(centre, [62, y + 14, x + 10]), 'fat'],
      [ellipsoid([centre[0], centre[1] + 5, centre[2]], [38, y, x - 18]), 'breast'],
    ];
  });
}

/** Upper arm, forearm and their bones; over the head, or at the side. */
function arm(vary: Variation, side: number, where: 'up' | 'down', shoulder: number, fat: number): Organ[] {
  const up = where === 'up';
  const top: Point = [140, -22, side * shoulder];
  const elbow: Point = up
    ? [330 + vary.spread(15), 10 + vary.spread(15), side * (225 + vary.spread(12))]
    : [-130 + vary.spread(10), -22 + vary.spread(12), side * (224 + vary.spread(8))];
  const wrist: Point = up
    ? [440, 55 + vary.spread(12), side * (110 + vary.spread(30))]
    : [-350, 10 + vary.spread(18), side * (216 + vary.spread(14))];
  const [upper, lower] = [vary.size(38, 0.08), vary.size(30, 0.08)];
  return [
    [tube(top, elbow, upper + fat), 'fat'],
    [tube(elbow, wrist, lower + 0.6 * fat), 'fat'],
    [tube(top, elbow, upper), 'muscle'],
    [tube(elbow, wrist, lower), 'muscle'],
    [tube(top, elbow, 11), 'bone'],
    [tube(elbow, wrist, 9), 'bone'],
    [tube(top, top, 22), 'bone'],
    [tube(top, top, 18), 'marrow'],
    [tube(top, elbow, 6), 'marrow'],
  ];
}
