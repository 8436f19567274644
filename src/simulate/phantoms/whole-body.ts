/** @file  The whole body from crown to thighs, in the frame of `thorax`: z = 0 at the heart; crown at 450 mm, hips at −420 mm. */
import type { Point } from '../../core/array.js';
import type { Anatomy, PhantomContext } from '../anatomy.js';
import { type Host, type LesionSpec, placeLesions, randomLesions } from '../lesions.js';
import { clip, ellipsoid, tube } from '../solids.js';
import { lesionUptake, type Tissue } from '../tissues.js';
import type { Variation } from '../variation.js';
import type { Part } from '../voxelise.js';
import { headAndNeck } from './head-neck.js';
import { type Build, outline } from './outline.js';
import { pelvis } from './pelvis.js';
import { abdomen, heart, lungs, type Organ, skeleton, vessels, withHeartUptake } from './thorax.js';

/** z of the middle of the phantom, mm. */
export const wholeBodyMiddle = -130;

export function wholeBody(context: PhantomContext): Anatomy {
  const { tissue, anatomy: vary, lesions, seed, tracer } = context;
  const build: Build = {
    female: vary.chance(0.5) && tracer !== 'psma',
    arms: context.arms ?? (vary.chance(0.35) ? 'down' : 'up'),
    fat: vary.between(7, 14, 11) + (vary.chance(0.3) ? vary.between(5, 32, 0) : 0),
  };
  const organs: Organ[] = [
    ...outline(vary, build),
    ...headAndNeck(vary, seed),
    ...lungs(vary),
    ...abdomen(vary),
    [ellipsoid([-500, -10, 0], [52, 92, 165], { exponent: 2.4 }), 'muscle'], // the floor of the pelvis
    ...skeleton(vary).map(inTrunk),
    ...pelvis(vary, build.female),
    ...vessels(vary).map(inTrunk),
    ...upperAbdomen(vary),
    ...heart(vary),
    ...findings(vary),
  ];
  const parts = withHeartUptake(
    organs.map(([solid, name]): Part => ({ solid, ...tissue(name) })),
    context,
  );
  const label = (name: Tissue): number => tissue(name).label;
  const placed =
    seed === 0
      ? placeLesions(parts, canonicalLesions(lesionUptake[tracer], tissue('liver').activity))
      : randomLesions(parts, hosts(label, tissue('prostate').mu), lesions, {
          // In one patient of five the disease is spread out.
          most: lesions.chance(0.2) ? 40 : 14,
          median: lesionUptake[tracer],
          diameters: [5, 45],
          highest: 60,
          unseen: 0.4,
        });
  return {
    ...placed,
    bending: { size: [0.05, 0.05, 0.04], shift: [12, 6, 6], roll: 0.05, bend: 3.5, wavelengths: [160, 380] },
  };
}

/** In `thorax` spine and vessels go on for ever; here they end at the sacrum and the neck. */
function inTrunk([solid, tissue]: Organ): Organ {
  const [bottom, top] = [-300, 150];
  const within = solid.low[0] >= bottom - 40 && solid.high[0] <= top + 40;
  return [within ? solid : clip(solid, [bottom, -Infinity, -Infinity], [top, Infinity, Infinity]), tissue];
}

function upperAbdomen(vary: Variation): Organ[] {
  const j = (): number => vary.spread(4);
  const organs: Organ[] = [
    [tube([-135 + j(), 22, 18], [-128, 8, -10], vary.size(13, 0.12)), 'pancreas'],
    [tube([-128, 8, -10], [-112 + j(), -14, -62], vary.size(9, 0.12)), 'pancreas'],
    [tube([-120, 34, 34], [-140 + j(), 14, 48], 12), 'duodenum'],
    [tube([-140, 14, 48], [-190 + j(), 8, 42], 12), 'duodenum'],
    [tube([-190, 8, 42], [-196 + j(), 8, -24], 11.5), 'duodenum'],
    [ellipsoid([-142 + j(), 50, 58 + j()], [vary.size(24, 0.2), vary.size(13, 0.2), vary.size(13, 0.2)]), 'gallbladder'],
  ];
  for (const side of [-1, 1]) {
    const top: Point = [side > 0 ? -112 : -104, -38, side * 30];
    organs.push([tube(top, [top[0] - 16, top[1] - 8, top[2] + side * 7], 3.6), 'adrenal']);
    organs.push([tube(top, [top[0] - 18, top[1] + 6, top[2] - side * 3], 3.2), 'adrenal']);
    // Renal pelvis.
    const width = vary.chance(0.15) ? vary.between(9, 15, 5) : vary.between(3, 7, 5);
    organs.push([ellipsoid([side > 0 ? -178 : -164, -36, side * 47], [2 * width, width, width]), 'urine']);
  }
  return organs;
}

/** What is not as in health, beside lesions. */
function findings(vary: Variation): Organ[] {
  const organs: Organ[] = [];
  if (vary.chance(0.1)) {
    const side = vary.chance(0.5) ? 1 : -1;
    organs.push([ellipsoid([-60, -62, side * 72], [vary.between(40, 90, 60), 24, 52]), 'abdomen']); // pleural effusion
  }
  if (vary.chance(0.08)) organs.push([ellipsoid([-165, -36, 62], [16, 16, 14]), 'CSF']); // cyst of the kidney
  if (vary.chance(0.15)) {
    const r = vary.between(8, 26, 15);
    organs.push([ellipsoid([-95, 10, 70], [r, r, r]), 'CSF']); // cyst of the liver
  }
  if (vary.chance(0.1)) organs.push([ellipsoid([20, vary.between(-30, 40, 0), 78], [26, 20, 18]), 'mediastinum']); // consolidation
  return organs;
}

function hosts(label: (tissue: Tissue) => number, mu: number): Host[] {
  const host = (name: string, tissue: Tissue, centre: Point, radii: Point, lesionMu = mu): Host => {
    return { name, label: label(tissue), centre, radii, mu: lesionMu };
  };
  return [
    host('right lung', 'lung', [10, -4, 70], [130, 75, 55]),
    host('left lung', 'lung', [10, -4, -70], [130, 75, 52]),
    host('mediastinum', 'mediastinum', [40, -5, 0], [90, 60, 36]),
    host('liver', 'liver', [-95, 5, 60], [60, 65, 62], 0.1),
    host('retroperitoneum', 'abdomen', [-250, -20, 0], [110, 30, 50]),
    host('mesentery', 'abdomen', [-260, 30, 0], [80, 40, 100]),
    host('pelvis', 'abdomen', [-380, 0, 0], [60, 60, 80]),
    host('spine', 'marrow', [-60, -57, 0], [270, 18, 20], 0.112),
    host('pelvic bone', 'marrow', [-350, -20, 0], [80, 70, 130], 0.112),
    host('femur', 'marrow', [-520, -10, 0], [200, 30, 140], 0.112),
    host('rib', 'marrow', [40, -4, 0], [150, 90, 140], 0.112),
    host('neck', 'muscle', [230, -20, 0], [60, 45, 55]),
    host('axilla', 'muscle', [110, -20, 0], [40, 40, 180]),
    host('groin', 'fat', [-440, 50, 0], [40, 40, 100]),
    host('subcutaneous fat', 'fat', [-150, 0, 0], [350, 140, 200], 0.094),
    host('brain', 'white matter', [365, -12, 0], [45, 60, 45]),
    host('prostate', 'prostate', [-466, 8, 0], [16, 14, 20], mu),
  ];
}

function canonicalLesions(uptake: number, liver: number): LesionSpec[] {
  const mu = 0.097;
  return [
    { name: 'lesion, right lung 12 mm', centre: [24, 20, 82], diameter: 12, activity: uptake, mu },
    { name: 'lesion, mediastinum 14 mm', centre: [46, -4, 18], diameter: 14, activity: 1.3 * uptake, mu },
    { name: 'cold lesion, liver 20 mm', centre: [-75, 26, 66], diameter: 20, activity: 0.25 * liver, mu: 0.1 },
    { name: 'lesion, spine 18 mm', centre: [-216, -57, 0], diameter: 18, activity: 1.5 * uptake, mu: 0.112 },
    { name: 'lesion, pelvic lymph node 10 mm', centre: [-380, -30, 60], diameter: 10, activity: uptake, mu },
    { name: 'lesion, neck 16 mm', centre: [225, 0, 46], diameter: 16, activity: uptake, mu },
  ];
}
