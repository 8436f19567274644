/** @file  Chest and upper abdomen, arms up. z = 0 lies at the middle of the heart; the domes of the diaphragm are at about −30 mm (right) and −44 mm (left), the
 *  aortic arch at 70 mm. Patient's right is +x, anterior +y, superior +z; so the liver lies at +x and the heart's apex at −x. */
import type { Point } from '../../core/array.js';
import type { Anatomy, PhantomContext } from '../anatomy.js';
import { type Host, type LesionSpec, placeLesions, randomLesions } from '../lesions.js';
import { box, cylinder, ellipsoid, ring, type Solid, spheroid, tube } from '../solids.js';
import { lesionUptake, type Tissue } from '../tissues.js';
import type { Variation } from '../variation.js';
import type { Part } from '../voxelise.js';

/** What is put where. */
export type Organ = readonly [solid: Solid, tissue: Tissue];

export function thorax({ tissue, anatomy: vary, lesions, seed, tracer }: PhantomContext): Anatomy {
  const organs = [...trunk(vary), ...lungs(vary), ...abdomen(vary), ...skeleton(vary), ...vessels(vary), ...heart(vary)];
  const parts: Part[] = organs.map(([solid, name]) => ({ solid, ...tissue(name) }));
  const withHeart = withHeartUptake(parts, { tissue, anatomy: vary, tracer });
  const placed =
    seed === 0
      ? placeLesions(withHeart, canonicalLesions(tissue('liver').activity))
      : randomLesions(
          withHeart,
          hosts((name) => tissue(name).label),
          lesions,
          { median: lesionUptake[tracer] },
        );
  return {
    ...placed,
    bending: { size: [0.06, 0.05, 0.045], shift: [55, 5, 5], roll: 0.05, bend: 3.5, wavelengths: [160, 360] },
  };
}

/** Glucose uptake of the heart depends on the last meal: from a blazing ring to none at all. */
export function withHeartUptake(
  parts: readonly Part[],
  { tissue, anatomy: vary, tracer }: Pick<PhantomContext, 'tissue' | 'anatomy' | 'tracer'>,
): readonly Part[] {
  const { label, activity } = tissue('myocardium');
  const heartUptake = vary.chance(0.3) ? vary.between(1.2, 2.5, 0) : vary.between(4, 8, activity);
  return tracer === 'fdg' ? parts.map((part) => (part.label === label ? { ...part, activity: heartUptake } : part)) : parts;
}

function trunk(vary: Variation): Organ[] {
  const fat = vary.between(4, 20, 11); // thickness under the skin, mm
  const organs: Organ[] = [[cylinder([0, 0, 0], [600, 113, 168], { exponent: 2.5 }), 'fat']];
  if (vary.chance(0.4)) {
    const [y, x] = [vary.size(32, 0.2), vary.size(58, 0.1)];
    for (const side of [-1, 1]) {
      organs.push([ellipsoid([vary.between(-10, 25, 0), 84, side * 72], [66, y + 10, x + 10]), 'fat']);
      organs.push([ellipsoid([vary.between(-10, 20, 0), 88, side * 74], [40, y - 4, x - 20]), 'breast']);
    }
  }
  organs.push([cylinder([0, -1, 0], [600, 113 - fat, 168 - 1.3 * fat], { exponent: 2.5 }), 'muscle']);
  // Fat between the muscles of the back and those of the side.
  for (const side of [-1, 1]) {
    organs.push([ellipsoid([40, -70, side * 118], [70, 6, 22], { yaw: -side * 0.7 }), 'fat']);
    organs.push([ellipsoid([70, 78, side * 70], [60, 4, 40], { yaw: side * 0.25 }), 'fat']);
  }
  return organs;
}

export function lungs(vary: Variation): Organ[] {
  const organs: Organ[] = [[cylinder([0, -2, 0], [165, 84, 132], { exponent: 2.3 }), 'fat']];
  for (const side of [-1, 1]) {
    const radii: Point = [vary.size(160, 0.05), vary.size(80, 0.04), vary.size(side > 0 ? 61 : 58, 0.04)];
    organs.push([ellipsoid([15, -4, side * 70], radii, { exponent: 2.6, yaw: -side * 0.12 }), 'lung']);
    // Hilar vessels, branching.
    const hilum: Point = [14 + vary.spread(4), -12, side * 26];
    for (const [z, y, x] of [
      [46, 12, 44],
      [-44, -28, 50],
      [-8, 34, 62],
      [34, -34, 40],
      [-30, 12, 66],
    ] as const) {
      const end: Point = [z + vary.spread(8), y + vary.spread(8), side * (x + vary.spread(6))];
      const middle: Point = [(hilum[0] + end[0]) / 2, (hilum[1] + end[1]) / 2 + 3, (hilum[2] + end[2]) / 2];
      organs.push([tube(hilum, middle, vary.size(5.5, 0.1)), 'blood'], [tube(middle, end, vary.size(3.2, 0.1)), 'blood']);
    }
    organs.push([ellipsoid(hilum, [18, 12, 11]), 'mediastinum']);
  }
  organs.push([ellipsoid([20, -8, 0], [190, vary.size(66, 0.05), vary.size(28, 0.08)], { exponent: 2.4 }), 'mediastinum']);
  return organs;
}

export function abdomen(vary: Variation): Organ[] {
  const dome = vary.spread(9); // breathing
  const organs: Organ[] = [
    [cylinder([-320, -2, 0], [200 + dome, 80, 128], { exponent: 2.3 }), 'abdomen'],
    [ellipsoid([-120 + dome, 0, -66], [76, 74, 62], { exponent: 2.3 }), 'abdomen'],
    [ellipsoid([-110 + dome, 0, 66], [80, 75, 63], { exponent: 2.3 }), 'abdomen'],
    [
      ellipsoid([-99 + dome, 2, vary.size(66, 0.05)], [vary.size(68), vary.size(71, 0.04), vary.size(59, 0.04)], {
        exponent: 2.3,
      }),
      'liver',
    ],
    [ellipsoid([-80 + dome, 44, 6], [vary.size(32), vary.size(26), vary.size(66, 0.1)], { yaw: -0.12 }), 'liver'],
    [
      ellipsoid([-100 + dome, -42, -100], [vary.size(42, 0.12), vary.size(36, 0.1), vary.size(17, 0.12)], { yaw: -0.55 }),
      'spleen',
    ],
    [ellipsoid([-98 + dome, 26, -62], [vary.size(34, 0.15), vary.size(30, 0.12), vary.size(34, 0.12)], { yaw: 0.5 }), 'stomach'],
    [ellipsoid([-98 + dome, 28, -62], [27, vary.size(22, 0.2), vary.size(25, 0.2)], { yaw: 0.5 }), 'abdomen'],
    [ellipsoid([-86 + dome, 38, -60], [12, 9, 16], { yaw: 0.5 }), 'air'],
  ];
  for (const side of [-1, 1]) {
    const kidney: Point = [side > 0 ? -178 : -164, -42, side * 58];
    const yaw = side * 0.6;
    organs.push([ellipsoid(kidney, [vary.size(52), vary.size(24), vary.size(27)], { yaw }), 'kidney']);
    organs.push([ellipsoid([kidney[0], kidney[1] + 4, kidney[2] - side * 9], [26, 9, 12], { yaw }), 'abdomen']);
  }
  for (let i = 0; i < 7; i++) {
    const from: Point = [-190 - 12 * i + vary.spread(8), 35 + vary.spread(18), -75 + 25 * i];
    organs.push([tube(from, [from[0] + vary.spread(20), from[1] + 14, from[2] + 34], vary.size(13, 0.15)), 'bowel']);
  }
  return organs;
}

export function skeleton(vary: Variation): Organ[] {
  const organs: Organ[] = [];
  const slope = vary.between(0.35, 0.6, 0.48);
  const first = vary.spread(6);
  // Short pieces, so that few voxels lie in the box of one; the marrow ends before the cartilage in front.
  for (const tissue of ['bone', 'marrow'] as const) {
    for (let i = -8; i < 8; i++) {
      for (const side of [-1, 1] as const) {
        for (const [from, to] of [
          [-80, -48],
          [-48, 0],
          [0, 48],
          [48, tissue === 'bone' ? 86 : 60],
        ] as const) {
          const radius = tissue === 'bone' ? 5.5 : 3;
          organs.push([ring([24 * i + first, -4, 0], [86, 134], radius, slope, { side, from, to }), tissue]);
        }
      }
    }
  }
  organs.push([box([30, 90, 0], [85, 6, 17]), 'bone'], [box([30, 90, 0], [83, 3.5, 14.5]), 'marrow']);
  // Spine: vertebral bodies with a bony shell, discs between, arch with canal, spinous and transverse processes.
  const y = -57 + vary.spread(2);
  const body: readonly [number, number] = [vary.size(15, 0.06), vary.size(18, 0.06)];
  const height = vary.size(27, 0.05);
  organs.push([cylinder([0, y, 0], [500, body[0] - 1, body[1] - 1]), 'muscle']);
  for (let i = -12; i <= 12; i++) {
    const z = height * i + first;
    organs.push([cylinder([z, y, 0], [height / 2 - 3, ...body], { exponent: 2.4 }), 'bone']);
    organs.push([cylinder([z, y, 0], [height / 2 - 5, body[0] - 2.5, body[1] - 2.5], { exponent: 2.4 }), 'marrow']);
    organs.push([ellipsoid([z - 3, y - 24, 0], [9, 9, 15]), 'bone']);
    organs.push([ellipsoid([z, y - 23, 0], [5, 5, 32]), 'bone'], [ellipsoid([z, y - 23, 0], [3, 3, 28]), 'marrow']);
    organs.push([tube([z - 4, y - 28, 0], [z - 16, y - 41, 0], 3.8), 'bone']);
  }
  organs.push([cylinder([0, y - 21, 0], [500, 7.5, 8.5]), 'fat'], [cylinder([0, y - 21, 0], [500, 4.5, 5]), 'spinal cord']);
  return organs;
}

export function vessels(vary: Variation): Organ[] {
  const r = vary.size(12, 0.1);
  const aorta: Point = [70, -42, -20];
  return [
    [tube([300, -32, 2], [-70, -36, -6], vary.size(7, 0.12)), 'oesophagus'],
    [tube(aorta, [-60, -44, -20], r), 'blood'],
    [tube([-60, -44, -20], [-400, -32, -8], r - 2), 'blood'],
    [tube([18, 16, 2], [62, 22, 12], r + 2), 'blood'], // ascending aorta
    [tube([62, 22, 12], [76, -8, 2], r), 'blood'],
    [tube([76, -8, 2], aorta, r), 'blood'],
    [tube([20, 26, -14], [34, 4, -16], r), 'blood'], // pulmonary trunk
    [tube([30, 2, -12], [22, -8, 34], r - 3), 'blood'],
    [tube([32, 2, -16], [24, -12, -34], r - 3), 'blood'],
    [tube([6, 8, 32], [150, 8, 26], vary.size(8.5, 0.1)), 'blood'], // superior vena cava
    [tube([-10, 6, 30], [-190, -20, 24], vary.size(10, 0.1)), 'blood'], // inferior vena cava
    [tube([38, -18, 0], [300, -10, 2], 9), 'air'], // trachea and main bronchi
    [tube([38, -18, 0], [14, -18, 32], 6), 'air'],
    [tube([38, -18, 0], [12, -20, -34], 5.5), 'air'],
  ];
}

/** The left ventricle is a thick cup whose apex points to the left, forwards and down; the other chambers lie around its base. */
export function heart(vary: Variation): Organ[] {
  const at = (z: number, y: number, x: number): Point => [z + vary.spread(2), y + vary.spread(2), x + vary.spread(2)];
  const wall = vary.size(10.5, 0.12);
  const across = vary.size(31, 0.07);
  const base: Point = [12, -4, -14];
  const apex = at(-30, 40, -76);
  const inner = (t: number): Point => [0, 1, 2].map((a) => base[a]! + t * (apex[a]! - base[a]!)) as unknown as Point;
  const shorten = wall / Math.hypot(apex[0] - base[0], apex[1] - base[1], apex[2] - base[2]);
  return [
    [ellipsoid([-8, 22, -26], [47, 48, 58], { yaw: -0.45 }), 'mediastinum'],
    [ellipsoid(at(-4, 40, -6), [vary.size(37), 29, 37], { yaw: -0.6 }), 'muscle'], // right ventricle and its thin wall
    [ellipsoid(at(-4, 41, -6), [vary.size(34), 26, 34], { yaw: -0.6 }), 'blood'],
    [ellipsoid(at(-2, 12, 22), [28, 26, 20]), 'blood'], // right atrium
    [spheroid(inner(-0.08), apex, across), 'myocardium'],
    [spheroid(inner(-0.25), inner(1 - shorten), across - wall), 'blood'],
    [ellipsoid(at(14, -16, -6), [vary.size(22), 17, 30]), 'blood'], // left atrium, over the base
  ];
}

function hosts(label: (tissue: Tissue) => number): Host[] {
  const soft = 0.097;
  return [
    { name: 'right lung', label: label('lung'), centre: [10, -4, 70], radii: [80, 75, 55], mu: soft },
    { name: 'left lung', label: label('lung'), centre: [10, -4, -70], radii: [80, 75, 52], mu: soft },
    { name: 'liver', label: label('liver'), centre: [-75, 0, 60], radii: [45, 65, 55], mu: 0.1 },
    { name: 'mediastinum', label: label('mediastinum'), centre: [40, -5, 0], radii: [60, 60, 36], mu: soft },
    { name: 'muscle', label: label('muscle'), centre: [0, 0, 0], radii: [100, 112, 160], mu: soft },
    { name: 'bone marrow', label: label('marrow'), centre: [0, -57, 0], radii: [100, 18, 20], mu: 0.112 },
  ];
}

/** Seven lesions within ± 60 mm of z = 0. */
function canonicalLesions(liver: number): LesionSpec[] {
  const mu = 0.097;
  return [
    { name: 'lesion, right lung 12 mm', centre: [24, 20, 82], diameter: 12, activity: 6, mu },
    { name: 'lesion, left lung 25 mm', centre: [20, -34, -86], diameter: 25, activity: 5, mu },
    { name: 'lesion, right lung 18 mm', centre: [0, -30, 70], diameter: 18, activity: 8, mu },
    { name: 'lesion, mediastinum 14 mm', centre: [46, -4, 18], diameter: 14, activity: 8, mu },
    { name: 'lesion, muscle 16 mm', centre: [0, -74, 60], diameter: 16, activity: 4, mu },
    { name: 'lesion, liver 15 mm', centre: [-50, -22, 72], diameter: 15, activity: 7, mu: 0.1 },
    { name: 'cold lesion, liver 20 mm', centre: [-52, 26, 66], diameter: 20, activity: 0.25 * liver, mu: 0.1 },
  ];
}
