/** Simulated subjects that no training saw, with their low-count image: thorax and brain, scanner `small`, 1/20 of 1.6·10⁷ trues. */
import { acquire, fromWorld, type PetImage, phantom, scannerByName, sinogramLayout } from 'coincide';
import { openEngine, reconstruct } from 'coincide/node';

export interface SimulatedPair {
  readonly kind: 'thorax' | 'brain';
  readonly seed: number;
  readonly low: PetImage;
  readonly truth: PetImage;
}

/** @param subjects of each kind; seeds 501, 502, … */
export async function simulatedPairs(subjects: number): Promise<SimulatedPair[]> {
  const layout = sinogramLayout(scannerByName('small'), { span: 3, maxRingDifference: 7 });
  const engine = await openEngine({ device: 'cpu' });
  const made: SimulatedPair[] = [];
  for (const kind of ['thorax', 'brain'] as const) {
    for (let seed = 501; seed < 501 + subjects; seed++) {
      const truth = phantom(kind, { seed });
      const { scan } = await acquire({ ...truth, layout, engine, counts: 1.6e7, dose: 1 / 20, psf: 5, seed });
      const { grid } = fromWorld(truth.activity, 'HFS');
      const { image } = await reconstruct(scan, grid, engine, { unit: 'SUV' });
      made.push({ kind, seed, low: image, truth: truth.activity });
    }
  }
  await engine.dispose();
  return made;
}
