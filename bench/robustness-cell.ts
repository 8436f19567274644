/** What is measured of one denoised image, for bench/robustness.ts. */
import * as coincide from 'coincide';

/** FWHM of the Gaussians tried, mm. */
export const gaussianWidths: readonly number[] = [0, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 14, 17, 20];

export interface Assessed {
  /** dB; range max − min of the truth. */
  readonly psnr: number;
  readonly ssim: number;
  readonly nrmse: number;
  /** Standard deviation of the error over the mean, in the largest organ, away from its border. */
  readonly noise: number;
  /** Mean contrast recovery of the lesions; null without any. */
  readonly crc: number | null;
  /** Mean bias of the lesions, %; null without any. */
  readonly lesionBias: number | null;
  /** Bias of the organs away from their borders, weighted by volume, %. */
  readonly organBias: number;
  /** Share of the body's voxels whose truth lies in the 90 % interval. */
  readonly coverage?: number | undefined;
  readonly cpuSeconds?: number | undefined;
}

export interface Measures {
  readonly methods: Readonly<Record<string, Assessed>>;
  /** The same image after Gaussians. */
  readonly ladder: readonly (Pick<Assessed, 'psnr' | 'noise' | 'crc'> & { readonly fwhm: number })[];
}

/** Settings found on validation subjects. */
export interface Tuned {
  readonly scanner: string;
  readonly dose: number;
  readonly fwhm: number;
  readonly nlm: { readonly strength: number; readonly prefilter: number; readonly postfilter: number };
}

export interface Cell extends Measures {
  readonly scanner: string;
  readonly study: string;
  /** What of it training did not see. */
  readonly kept: string;
  readonly subject: number;
  readonly dose: number;
  readonly region: string;
}

/** Labels of lesions begin here. */
export const firstLesion = 101;
/** Layers taken off every organ before its bias and noise are looked at. */
const depth = 2;
const leastVoxels = 60;

export function assess(
  s: Pick<coincide.SimulatedSubject, 'shape' | 'voxelSize' | 'truth' | 'labels' | 'names'>,
  image: coincide.Volume,
  drawn?: { readonly spread: coincide.Volume; readonly samples: number },
): Assessed {
  const { shape, voxelSize } = s;
  const truth = coincide.array(shape, s.truth);
  const labels = coincide.array(shape, s.labels);
  const lesions = Object.keys(s.names)
    .map(Number)
    .filter((label) => label >= firstLesion);
  const recovered = coincide.lesionRecovery(image, truth, labels, { lesions, voxelSize });
  const inside = coincide.interiorLabels(labels, depth);
  const organs = coincide
    .regionBias(image, truth, inside)
    .filter(({ label, voxels, trueMean }) => label < firstLesion && voxels >= leastVoxels && trueMean > 0.2);
  const sum = (value: (organ: (typeof organs)[number]) => number): number => organs.reduce((all, organ) => all + value(organ), 0);
  const largest = organs.reduce((a, b) => (b.voxels > a.voxels ? b : a), organs[0]!);
  const mean = (values: readonly number[]): number | null =>
    values.length === 0 ? null : values.reduce((all, value) => all + value, 0) / values.length;
  const { psnr, nrmse } = coincide.imageError(image, truth);
  const body = coincide.fill(shape, (i) => (s.labels[i]! > 0 && s.truth[i]! > 0 ? 1 : 0));
  return {
    ...{ psnr, ssim: coincide.ssim(image, truth).ssim, nrmse },
    noise:
      largest === undefined ? Number.NaN : errorDeviation(image.data, s.truth, inside.data, largest.label) / largest.trueMean,
    crc: mean(recovered.map(({ crc }) => crc)),
    lesionBias: mean(recovered.map(({ bias }) => bias)),
    organBias:
      (100 * sum(({ voxels, mean: m, trueMean }) => voxels * (m - trueMean))) / sum(({ voxels, trueMean }) => voxels * trueMean),
    ...(drawn ? { coverage: coincide.intervalCoverage(image, drawn.spread, truth, { samples: drawn.samples, mask: body }) } : {}),
  };
}

function errorDeviation(x: Float32Array, truth: Float32Array, labels: Float32Array, label: number): number {
  let [n, sum, squares] = [0, 0, 0];
  for (let i = 0; i < x.length; i++) {
    if (labels[i] !== label) continue;
    const error = x[i]! - truth[i]!;
    n++;
    sum += error;
    squares += error * error;
  }
  return Math.sqrt(Math.max(0, squares - (sum * sum) / n) / (n - 1));
}
