/** @file  Uniform cylinder of water, radius 100 mm, longer than a scanner: activity 1. Its analytic sums make it a test object. */
import { type Anatomy, type PhantomContext, rigid } from '../anatomy.js';
import { cylinder } from '../solids.js';

export function cylinderPhantom({ tissue, anatomy }: PhantomContext): Anatomy {
  const radius = anatomy.size(100, 0.15);
  const activity = anatomy.between(0.5, 3, 1);
  return {
    parts: [{ solid: cylinder([0, 0, 0], [500, radius, radius]), ...tissue('water'), activity }],
    inserts: new Map(),
    bending: rigid,
  };
}
