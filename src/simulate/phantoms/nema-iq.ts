/** @file  Image quality phantom after NEMA NU 2: a body 294 mm wide and 224 mm high, flat on its back, with six spheres of 10 … 37 mm inner
 *  diameter around a low-density insert, 57.2 mm from its axis, their centres in the plane z = 0. Background activity 1, hot spheres 4.
 *  Labels: water 30 (background), insert 32, spheres 101 (10 mm) … 106 (37 mm). Sphere walls are left out. */
import { type Anatomy, type PhantomContext, rigid } from '../anatomy.js';
import { box, clip, cylinder, sphere } from '../solids.js';
import { firstInsertLabel } from '../tissues.js';
import type { Part } from '../voxelise.js';

/** Inner diameters, mm. */
export const sphereDiameters: readonly number[] = [10, 13, 17, 22, 28, 37];
const circleRadius = 57.2;
const halfLength = 500; // NEMA's is 180 mm long; here it fills any scanner

export function nemaIq({ tissue, anatomy, coldSpheres }: PhantomContext): Anatomy {
  const water = tissue('water');
  const hot = anatomy.between(2, 9, 4);
  const cold = coldSpheres ?? anatomy.chance(0.4);
  const first = anatomy.between(0, 2 * Math.PI, Math.PI / 3);
  const parts: Part[] = body().map((solid) => ({ solid, ...water }));
  parts.push({ solid: cylinder([0, 0, 0], [halfLength, 25, 25]), ...tissue('plastic') });
  parts.push({ solid: cylinder([0, 0, 0], [halfLength, 22.25, 22.25]), ...tissue('low density') });
  sphereDiameters.forEach((diameter, i) => {
    const angle = first - (i * Math.PI) / 3; // clockwise seen from the feet
    const centre = [0, circleRadius * Math.sin(angle), circleRadius * Math.cos(angle)] as const;
    const activity = cold && diameter >= 28 ? 0 : hot;
    parts.push({ solid: sphere(centre, diameter / 2), ...water, label: firstInsertLabel + i, activity });
  });
  const inserts = new Map(sphereDiameters.map((diameter, i) => [firstInsertLabel + i, `sphere ${diameter} mm`]));
  return { parts, inserts, bending: rigid };
}

/** Half a circle of 147 mm in front; behind, a flat back with corners of 77 mm. */
function body(): Part['solid'][] {
  const middle = -35; // y of the centre of the front circle, so that the body is centred on 0
  const front = cylinder([0, middle, 0], [halfLength, 147, 147]);
  const side = (x: number): Part['solid'] => cylinder([0, middle, x], [halfLength, 77, 77]);
  return [
    clip(front, [-halfLength, middle, -147], [halfLength, middle + 147, 147]),
    side(-70),
    side(70),
    box([0, middle - 38.5, 0], [halfLength, 38.5, 70]),
  ];
}
