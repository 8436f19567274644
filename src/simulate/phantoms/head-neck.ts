/** @file  Head and neck of the whole body, with a plain brain: a smooth cortex over white matter. (The folded one is `brain`.) */
import type { Point } from '../../core/array.js';
import { ellipsoid, moved, type Solid, tube } from '../solids.js';
import type { Variation } from '../variation.js';
import { waves } from '../waves.js';
import { brainCentre, brainRadii, head } from './brain.js';
import type { Organ } from './thorax.js';

/** Where the origin of `brain` lies in the whole body, mm. */
const inBody: Point = [355, -12, 0];

export function headAndNeck(vary: Variation, seed: number): Organ[] {
  return [...head(vary), ...plainBrain(vary, seed), ...glands(vary)].map(([solid, tissue]) => [moved(solid, inBody), tissue]);
}

function plainBrain(vary: Variation, seed: number): Organ[] {
  const cortex = ellipsoid(brainCentre, brainRadii);
  const wavy = waves(seed, 21, { wavelengths: [35, 90], count: 6 });
  const thickness = vary.between(9, 14, 11); // gyri and the fluid between them taken together, mm
  const white: Solid = {
    ...cortex,
    inside: (z, y, x) => {
      const t = thickness + 3 * wavy(z, y, x);
      const [rz, ry, rx] = [brainRadii[0] - t, brainRadii[1] - t, brainRadii[2] - t];
      return ((z - brainCentre[0]) / rz) ** 2 + (y / ry) ** 2 + (x / rx) ** 2 <= 1;
    },
  };
  const organs: Organ[] = [
    [cortex, 'grey matter'],
    [white, 'white matter'],
  ];
  const ventricle = vary.between(3, 9, 5);
  for (const side of [-1, 1]) {
    organs.push(
      [ellipsoid([4, 6, side * 25], [14, 22, 8], { yaw: side * 0.25 }), 'basal ganglia'],
      [ellipsoid([5, -15, side * 11], [12, 16, 9]), 'thalamus'],
      [ellipsoid([22, 0, side * 10], [9, 34, ventricle]), 'CSF'],
      [ellipsoid([-40, -48, side * 24], [22, 28, 25]), 'cerebellum'],
    );
  }
  organs.push([ellipsoid([12, 0, 0], [58, 82, 1.5]), 'CSF'], [tube([-10, -14, 0], [-100, -28, 0], 9.5), 'brainstem']);
  return organs;
}

function glands(vary: Variation): Organ[] {
  const j = (): number => vary.spread(1.5);
  const organs: Organ[] = [
    [tube([-66, 40, 0], [-82, 60, 0], vary.size(15, 0.1)), 'tongue'],
    [ellipsoid([-58, 62, 0], [16, 14, 9]), 'nasal mucosa'],
    [ellipsoid([-34, 12, 0], [4.5, 6, 7]), 'pituitary'],
    [tube([-60, 12, 0], [-150, 0, 0], 9), 'air'], // pharynx and larynx
    [tube([-150, 0, 0], [-260, -4, 0], 8.5), 'air'],
    // Cervical spine, on top of the neck's muscle.
    [tube([-80, -28, 0], [-250, -40, 0], 15), 'bone'],
    [tube([-84, -28, 0], [-250, -40, 0], 11), 'marrow'],
    [tube([-70, -46, 0], [-250, -58, 0], 7), 'spinal cord'],
  ];
  const jaw: readonly Point[] = [
    [-80, 8, 52],
    [-112, 56, 32],
    [-116, 78, 0],
  ];
  for (const side of [-1, 1]) {
    const on = ([z, y, x]: Point): Point => [z, y, side * x];
    organs.push(
      [ellipsoid([-18, 66, side * 32], [12, 12, 12]), 'CSF'], // eye
      [ellipsoid([-10 + j(), 68, side * 42], [6, 5, 7]), 'lacrimal gland'],
      [tube(on(jaw[0]!), on(jaw[1]!), 7), 'bone'],
      [tube(on(jaw[1]!), on(jaw[2]!), 7), 'bone'],
      [tube(on(jaw[0]!), on(jaw[1]!), 3.5), 'marrow'],
      [ellipsoid([-70 + j(), -6, side * (57 + j())], [vary.size(24, 0.1), 16, vary.size(11, 0.1)]), 'parotid gland'],
      [ellipsoid([-110 + j(), 32, side * (30 + j())], [vary.size(11, 0.1), 15, vary.size(9, 0.1)]), 'submandibular gland'],
      [ellipsoid([-100, 56, side * 9], [5, 12, 5]), 'sublingual gland'],
      [ellipsoid([-78, 18, side * 15], [12, 7, 6]), 'tonsil'],
      [ellipsoid([-165, 12, side * 17], [vary.size(20, 0.12), 9, vary.size(9, 0.15)]), 'thyroid'],
      [tube([-70, 6, side * 34], [-260, 2, side * 30], 4.5), 'blood'], // carotid artery, jugular vein
      [tube([-70, -4, side * 40], [-260, 2, side * 40], 5.5), 'blood'],
    );
  }
  return organs;
}
