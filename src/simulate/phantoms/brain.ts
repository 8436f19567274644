/** @file  Head with a folded cortex. The brain is an ellipsoid; its sulci are sheets on which a smooth random field is zero, deep where the
 *  surface is near; grey matter lines the surface and both sides of every sheet, cerebrospinal fluid fills it. z = 0 lies at the level of
 *  the basal ganglia. Patient's right is +x, anterior +y, superior +z. */
import type { Point } from '../../core/array.js';
import type { Anatomy, PhantomContext } from '../anatomy.js';
import { type Host, placeLesions, randomLesions } from '../lesions.js';
import { clip, cylinder, ellipsoid, type Solid, spheroid, tube } from '../solids.js';
import type { Tissue } from '../tissues.js';
import type { Variation } from '../variation.js';
import type { Part } from '../voxelise.js';
import { type Field, waves } from '../waves.js';

type Organ = readonly [solid: Solid, tissue: Tissue];

/** mm. */
export const brainCentre: Point = [10, 0, 0];
/** mm. */
export const brainRadii: Point = [64, 83, 66];

export function brain({ tissue, anatomy: vary, lesions, seed }: PhantomContext): Anatomy {
  const organs = [...head(vary), ...cerebrum(vary, seed), ...deepNuclei(vary), ...ventricles(vary), ...hindbrain(vary)];
  const parts: Part[] = organs.map(([solid, name]) => ({ solid, ...tissue(name) }));
  const grey = tissue('grey matter').activity;
  const white = tissue('white matter');
  const mu = tissue('grey matter').mu;
  const placed =
    seed === 0
      ? placeLesions(parts, [
          { name: 'lesion, white matter 15 mm', centre: [28, 22, -30], diameter: 15, activity: 1.4 * grey, mu },
          { name: 'cold lesion, cortex 18 mm', centre: [30, -40, 44], diameter: 18, activity: 0.25 * grey, mu },
        ])
      : randomLesions(parts, hosts(white.label, tissue('grey matter').label, mu), lesions, { most: 2, median: 1.3 * grey });
  return {
    ...placed,
    bending: { size: [0.05, 0.05, 0.05], shift: [25, 8, 8], roll: 0.12, bend: 2, wavelengths: [90, 220] },
  };
}

/** Skin, skull, fluid; the brain goes in. */
export function head(vary: Variation): Organ[] {
  const scalp = vary.between(4, 8, 6);
  const skull = vary.between(5, 8, 6.5);
  const gap = vary.between(1.5, 4.5, 2.5); // fluid between brain and skull; wider in the old
  const grown = (mm: number): Point => [brainRadii[0] + mm, brainRadii[1] + mm, brainRadii[2] + mm];
  const fossa = (mm: number): Solid => ellipsoid([-36, -42, 0], [30 + mm, 35 + mm, 53 + mm]);
  return [
    [cylinder([-150, -22, 0], [110, 62, 56]), 'muscle'], // neck
    [ellipsoid([-58, 26, 0], [66, 68, 60], { exponent: 2.3 }), 'muscle'], // face
    [fossa(gap + skull + scalp), 'muscle'],
    [ellipsoid(brainCentre, grown(gap + skull + scalp)), 'muscle'],
    [ellipsoid([-66, 64, 20], [16, 14, 13]), 'air'], // maxillary sinuses, nose
    [ellipsoid([-66, 64, -20], [16, 14, 13]), 'air'],
    [ellipsoid([-60, 68, 0], [24, 18, 5]), 'air'],
    [fossa(gap + skull - 1), 'skull'],
    [ellipsoid(brainCentre, grown(gap + skull)), 'skull'],
    [fossa(gap - 1), 'CSF'],
    [ellipsoid(brainCentre, grown(gap)), 'CSF'],
  ];
}

/** White matter, and over it the grey: see the file's head. */
function cerebrum(vary: Variation, seed: number): Organ[] {
  const field = waves(seed, 20, { wavelengths: [24, 38], count: 10 });
  const thickness = vary.between(2.8, 3.9, 3.4); // of the cortex, mm
  const depth = vary.between(18, 26, 22); // of the sulci, mm
  const low: Point = [brainCentre[0] - brainRadii[0], -brainRadii[1], -brainRadii[2]];
  const high: Point = [brainCentre[0] + brainRadii[0], brainRadii[1], brainRadii[2]];
  // Both layers ask about the same point in turn; the field is dear, so that the last answer is kept.
  let last: readonly [z: number, y: number, x: number, distance: number] = [Infinity, 0, 0, 0];
  const distance = (z: number, y: number, x: number): number => {
    if (z !== last[0] || y !== last[1] || x !== last[2]) last = [z, y, x, sulcalDistance(field, depth, z, y, x)];
    return last[3];
  };
  return [
    [ellipsoid(brainCentre, brainRadii), 'white matter'],
    [{ low, high, inside: (z, y, x) => distance(z, y, x) < thickness }, 'grey matter'],
    [{ low, high, inside: (z, y, x) => distance(z, y, x) < 0.7 }, 'CSF'],
  ];
}

/** Distance (mm, roughly) to the nearest place that fluid reaches: the surface, the fissure between the hemispheres, a sulcus;
 *  infinite outside the brain. */
function sulcalDistance(field: Field, deepest: number, z: number, y: number, x: number): number {
  const rz = (z - brainCentre[0]) / brainRadii[0];
  const ry = y / brainRadii[1];
  const rx = x / brainRadii[2];
  const rho = Math.sqrt(rz * rz + ry * ry + rx * rx);
  if (rho > 1) return Infinity;
  const depth = (1 - rho) * 70;
  // The fissure ends at the corpus callosum, above the ventricles; front and back it goes all the way.
  const nearCallosum = Math.max(0, 1 - Math.sqrt(((z - 6) / 26) ** 2 + ((y - 2) / 46) ** 2));
  const fissure = Math.abs(x) + 60 * nearCallosum;
  const outer = Math.min(depth + 0.7, fissure);
  if (outer < 0.7 || depth > deepest + 8) return Math.min(outer, 8);
  // |∇n| of the field is about 2π/30 per mm; sheets fade out below the deepest sulci.
  const sheet = Math.abs(field(z, y, x)) * 4.8 + Math.max(0, depth - deepest) * 1.2;
  return Math.min(outer, sheet);
}

function deepNuclei(vary: Variation): Organ[] {
  const island = ellipsoid([2, 0, 0], [34, 52, 44]); // white matter around the nuclei, free of sulci
  const organs: Organ[] = [[island, 'white matter']];
  for (const side of [-1, 1]) {
    const j = (): number => vary.spread(1.2);
    organs.push(
      [ellipsoid([2 + j(), 2, side * (38 + j())], [20, 24, 3.2], { yaw: side * 0.12 }), 'grey matter'], // insula
      [ellipsoid([4 + j(), 6 + j(), side * (25 + j())], [14, 20, vary.size(6, 0.1)], { yaw: side * 0.25 }), 'basal ganglia'], // putamen
      [spheroid([8, 28 + j(), side * 12], [22, -8, side * 19], vary.size(6.5, 0.1)), 'basal ganglia'], // caudate
      [ellipsoid([5 + j(), -15 + j(), side * (11 + j())], [12, 16, vary.size(9, 0.1)], { yaw: -side * 0.4 }), 'thalamus'],
    );
  }
  return organs;
}

function ventricles(vary: Variation): Organ[] {
  const wide = vary.between(3.5, 9, 5); // half width of the lateral ventricles, mm
  const organs: Organ[] = [[ellipsoid([4, -12, 0], [12, 16, vary.between(1.5, 3.5, 2)]), 'CSF']]; // third ventricle
  for (const side of [-1, 1]) {
    organs.push(
      [spheroid([14, 36, side * 9], [26, -2, side * 8], wide), 'CSF'],
      [spheroid([26, 12, side * 7], [24, -36, side * 16], wide + 0.5), 'CSF'],
      [spheroid([22, -30, side * 15], [10, -58, side * 20], wide), 'CSF'],
    );
  }
  return organs;
}

function hindbrain(vary: Variation): Organ[] {
  const folia = waves(0, 21, { wavelengths: [14, 20], count: 6 });
  const organs: Organ[] = [[clip(ellipsoid([-42, -46, 0], [26, 36, 54]), [-90, -90, -60], [-18, 0, 60]), 'CSF']];
  for (const side of [-1, 1]) {
    const lobe = ellipsoid([-42 + vary.spread(1), -48, side * 23], [vary.size(20, 0.06), 29, vary.size(26, 0.05)]);
    organs.push([lobe, 'cerebellum']);
    const core = ellipsoid([-40, -42, side * 18], [8, 15, 15]);
    organs.push([{ ...core, inside: (z, y, x) => core.inside(z, y, x) && folia(z, y, x) > -0.8 }, 'white matter']);
  }
  organs.push([ellipsoid([-40, -54, 0], [19, 22, 9]), 'cerebellum']);
  organs.push(
    [tube([-6, -16, 0], [-30, -12, 0], 13), 'brainstem'],
    [tube([-30, -12, 0], [-110, -28, 0], vary.size(9, 0.06)), 'brainstem'],
  );
  organs.push([ellipsoid([-42, -26, 0], [8, 4, 7]), 'CSF']); // fourth ventricle
  return organs;
}

function hosts(white: number, grey: number, mu: number): Host[] {
  return [
    { name: 'white matter', label: white, centre: [20, 0, 0], radii: [45, 65, 50], mu },
    { name: 'cortex', label: grey, centre: [20, 0, 0], radii: [50, 78, 62], mu },
  ];
}
