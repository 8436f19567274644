/** @file  Pelvis and lower abdomen of the whole body: bones, bladder, bowel, vessels, and what the sexes have there. */
import type { Point } from '../../core/array.js';
import { clip, ellipsoid, type Solid, tube } from '../solids.js';
import type { Variation } from '../variation.js';
import type { Organ } from './thorax.js';

export function pelvis(vary: Variation, female: boolean): Organ[] {
  return [...bones(), ...bowel(vary), ...vessels(), ...organs(vary, female)];
}

function bones(): Organ[] {
  const out: Organ[] = [];
  const shell = (centre: Point, radii: Point, yaw: number): Solid => ellipsoid(centre, radii, { yaw, exponent: 2.4 });
  for (const side of [-1, 1]) {
    const wing: Point = [-325, -22, side * 92];
    const yaw = side * 0.75;
    const on = (z: number, y: number, x: number): Point => [z, y, side * x];
    out.push(
      [shell(wing, [62, 13, 52], yaw), 'bone'],
      [shell(wing, [57, 8, 46], yaw), 'marrow'],
      [clip(ellipsoid(on(-420, -6, 90), [36, 36, 36]), [-460, -50, -130], [-380, 40, 130]), 'bone'],
      [ellipsoid(on(-418, -6, 84), [29, 29, 29]), 'marrow'],
      [ellipsoid(on(-420, -6, 90), [27, 27, 27]), 'muscle'], // joint
      [ellipsoid(on(-420, -6, 90), [24, 24, 24]), 'bone'],
      [ellipsoid(on(-420, -6, 90), [20, 20, 20]), 'marrow'],
    );
    for (const [from, to] of [
      [on(-412, 22, 70), on(-440, 58, 8)],
      [on(-440, 58, 8), on(-482, 10, 46)],
      [on(-482, 10, 46), on(-440, -28, 78)],
    ] as const) {
      out.push([tube(from, to, 9), 'bone'], [tube(from, to, 6), 'marrow']);
    }
  }
  out.push([ellipsoid([-338, -66, 0], [54, 17, 48]), 'bone'], [ellipsoid([-336, -66, 0], [50, 13, 44]), 'marrow']);
  return out;
}

/** Colon round the belly; loops of small bowel in it. */
function bowel(vary: Variation): Organ[] {
  const out: Organ[] = [];
  const r = vary.size(19, 0.2);
  const colon: readonly Point[] = [
    [-330, 10, 96],
    [-215, 0, 104],
    [-195, 40, 70],
    [-228, 58, 0],
    [-190, 30, -84],
    [-215, -10, -104],
    [-330, 5, -98],
    [-365, 18, -50],
    [-380, -20, -6],
  ];
  const moved = colon.map(([z, y, x]): Point => [z + vary.spread(10), y + vary.spread(6), x + vary.spread(5)]);
  for (let i = 1; i < moved.length; i++) {
    const width = i < 3 ? r : 0.8 * r;
    out.push([tube(moved[i - 1]!, moved[i]!, width), 'colon']);
    if (vary.chance(0.4)) out.push([tube(moved[i - 1]!, moved[i]!, 0.6 * width), 'air']);
  }
  out.push([tube([-385, -42, 0], [-455, -40, 0], vary.size(17, 0.15)), 'colon']);
  let at: Point = [-230, 30, -40];
  for (let i = 0; i < 16; i++) {
    const to: Point = [vary.between(-360, -225, -290), vary.between(5, 62, 30), vary.between(-72, 72, 0)];
    const near: Point = [at[0] + 0.45 * (to[0] - at[0]), at[1] + 0.45 * (to[1] - at[1]), at[2] + 0.45 * (to[2] - at[2])];
    out.push([tube(at, near, vary.size(12.5, 0.1)), i < 3 ? 'duodenum' : 'bowel']);
    at = near;
  }
  return out;
}

function vessels(): Organ[] {
  return [-1, 1].flatMap((side): Organ[] => [
    [tube([-275, -36, -6], [-350, -30, side * 42], 6.5), 'blood'],
    [tube([-350, -30, side * 42], [-425, 36, side * 72], 6), 'blood'],
    [tube([-425, 36, side * 72], [-800, 0, side * 78], 5), 'blood'],
    [tube([-280, -32, 12], [-355, -36, side * 40], 7), 'blood'],
    [tube([-355, -36, side * 40], [-430, 26, side * 66], 7), 'blood'],
    [tube([-430, 26, side * 66], [-800, -8, side * 84], 6), 'blood'],
  ]);
}

function organs(vary: Variation, female: boolean): Organ[] {
  const full = vary.between(0.75, 1.45, 1.05);
  const bladder: Point = [-420 + 10 * full, 22, vary.spread(4)];
  const out: Organ[] = [];
  if (female) out.push([ellipsoid([-388, -2, vary.spread(6)], [26, vary.size(34, 0.12), 24]), 'uterus']);
  else {
    out.push([ellipsoid([-466, 8, 0], [19, vary.size(17, 0.15), vary.size(23, 0.15)]), 'prostate']);
    for (const side of [-1, 1]) out.push([ellipsoid([-535, 60, side * 18], [20, 13, 12]), 'testis']);
  }
  out.push(
    [ellipsoid(bladder, [26 * full + 3, 26 * full + 3, 34 * full + 3]), 'muscle'],
    [ellipsoid(bladder, [26 * full, 26 * full, 34 * full]), 'urine'],
  );
  if (!female) out.push([tube([-450, 12, 0], [-500, 34, 0], 2.5), 'urine']);
  // Ureters hold urine here and there.
  for (const side of [-1, 1]) {
    const place = (t: number): Point => [-195 - 205 * t, -34 - 4 * t + 30 * t * t, side * (38 - 8 * t + 4 * Math.sin(7 * t))];
    for (let t = 0; t < 1; t += 0.125) if (vary.chance(0.3)) out.push([tube(place(t), place(t + 0.1), 2.6), 'urine']);
  }
  return out;
}
