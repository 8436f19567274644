/** What is measured of one method at one strength on one scan, over its realisations, for bench/reconstruction.ts. */
import * as coincide from 'coincide';
import type { Cost, Meter, Realisation, Subject } from './reconstruction-case.js';
import type { Method } from './reconstruction-methods.js';
import { assess, firstLesion } from './robustness-cell.js';

export interface Place {
  readonly group: 'validation' | 'test';
  readonly study: string;
  readonly subject: number;
  readonly dose: number;
  readonly method: string;
  readonly strength: number;
}

/** Means over realisations; `perRealisation` keeps what they are means of. */
export interface Cell extends Place, Cost {
  readonly unseen: string;
  readonly region: string;
  readonly scanner: string;
  readonly realisations: number;
  /** sha256 of the network's weights; null where it was not asked. */
  readonly weights: string | null;
  /** dB; range max − min of the truth. */
  readonly psnr: number;
  readonly ssim: number;
  /** ‖mean over realisations − truth‖ / ‖truth‖, and √(Σ variance) / ‖truth‖; null for one realisation. */
  readonly biasPart: number | null;
  readonly noisePart: number | null;
  /** In the largest organ, away from its border: mean of (SD over realisations / mean), or with one realisation the SD of the error over the
   *  mean. */
  readonly noise: number;
  /** Of the lesions; null where none has contrast. */
  readonly crc: number | null;
  readonly lesionBias: number | null;
  /** %. */
  readonly organBias: number;
  /** Share of the body whose truth lies in the 90 % interval of the samples. */
  readonly coverage: number | null;
  /** Deviance of the data over that of the truth. */
  readonly devianceRatio: number;
}

const mean = (values: readonly (number | null | undefined)[]): number | null => {
  const known = values.filter((value): value is number => typeof value === 'number' && Number.isFinite(value));
  return known.length === 0 ? null : known.reduce((sum, value) => sum + value, 0) / known.length;
};

/** Runs a method on every realisation. @param look told of the first image. */
export async function measured(
  method: Method,
  place: Place,
  about: Pick<Cell, 'unseen' | 'region' | 'scanner' | 'weights'>,
  scans: readonly Realisation[],
  meter: Meter,
  look: (image: coincide.Volume) => void,
): Promise<Cell> {
  const { subject } = scans[0]!;
  const images: Float32Array[] = [];
  const found: ReturnType<typeof assess>[] = [];
  const costs: Cost[] = [];
  const ratios: number[] = [];
  for (const scan of scans) {
    scan.shared(); // what others asked for
    const { result, cost } = await meter.measure(() => method.run(scan, place.strength));
    const { image, spread, samples } = result;
    const osem = scan.shared();
    costs.push({
      projections: cost.projections + osem.projections,
      evaluations: cost.evaluations + osem.evaluations,
      cpuSeconds: cost.cpuSeconds + osem.cpuSeconds,
    });
    if (images.length === 0) look(image);
    images.push(image.data);
    found.push(assess(subject, image, spread && samples ? { spread, samples } : undefined));
    ratios.push(await scan.devianceRatio(image));
  }
  const ensemble = images.length > 1 ? ensembleOf(images, subject) : undefined;
  return {
    ...{ ...place, ...about, realisations: images.length },
    weights: costs.some(({ evaluations }) => evaluations > 0) ? about.weights : null,
    ...{ psnr: mean(found.map(({ psnr }) => psnr))!, ssim: mean(found.map(({ ssim }) => ssim))! },
    ...{ biasPart: ensemble?.biasPart ?? null, noisePart: ensemble?.noisePart ?? null },
    noise: ensemble?.noise ?? found[0]!.noise,
    crc: mean(found.map(({ crc }) => crc)),
    lesionBias: mean(found.map(({ lesionBias }) => lesionBias)),
    organBias: mean(found.map(({ organBias }) => organBias))!,
    coverage: mean(found.map(({ coverage }) => coverage)),
    devianceRatio: mean(ratios)!,
    projections: mean(costs.map(({ projections }) => projections))!,
    evaluations: mean(costs.map(({ evaluations }) => evaluations))!,
    cpuSeconds: mean(costs.map(({ cpuSeconds }) => cpuSeconds))!,
  };
}

/** Bias and variance voxel by voxel, and the noise of the largest organ. */
function ensembleOf(images: readonly Float32Array[], { shape, truth, labels }: Subject) {
  const inside = coincide.interiorLabels(coincide.array(shape, labels), 2).data;
  const tally = new Map<number, number>();
  for (const [i, label] of inside.entries())
    if (label > 0 && label < firstLesion && truth[i]! > 0.2) tally.set(label, (tally.get(label) ?? 0) + 1);
  const organ = [...tally].sort(([, a], [, b]) => b - a)[0]?.[0];
  let [bias, variance, norm, noise, voxels] = [0, 0, 0, 0, 0];
  for (let i = 0; i < truth.length; i++) {
    const m = images.reduce((sum, image) => sum + image[i]!, 0) / images.length;
    const v = images.reduce((sum, image) => sum + (image[i]! - m) ** 2, 0) / (images.length - 1);
    bias += (m - truth[i]!) ** 2 - v / images.length; // the mean has noise of its own
    variance += v;
    norm += truth[i]! ** 2;
    if (inside[i] !== organ || !(m > 0)) continue;
    noise += Math.sqrt(v) / m;
    voxels++;
  }
  return { biasPart: Math.sqrt(Math.max(0, bias) / norm), noisePart: Math.sqrt(variance / norm), noise: noise / voxels };
}
