/** The methods of bench/robustness.ts, each on one low-count image; what does not depend on the networks is apart, to be measured once. */
import * as coincide from 'coincide';
import type { LoadedModel } from 'coincide/node';
import { type Assessed, assess, gaussianWidths, type Measures, type Tuned } from './robustness-cell.js';

/** One image of a subject. */
export interface Case {
  readonly subject: coincide.SimulatedSubject;
  readonly low: coincide.Volume;
}
/** What methods measured, and the images they made. */
export interface Made {
  readonly methods: Readonly<Record<string, Assessed>>;
  readonly images: readonly coincide.Volume[];
}

type Result = { readonly image: coincide.Volume; readonly spread?: coincide.Volume; readonly samples?: number };
type Method = readonly [name: string, run: () => Promise<Result>];

async function made(subject: coincide.SimulatedSubject, list: readonly Method[]): Promise<Made> {
  const methods: Record<string, Assessed> = {};
  const images: coincide.Volume[] = [];
  for (const [name, run] of list) {
    const started = process.cpuUsage();
    const { image, spread, samples } = await run();
    const { user, system } = process.cpuUsage(started);
    const drawn = spread && { spread, samples: samples! };
    methods[name] = { ...assess(subject, image, drawn), cpuSeconds: (user + system) / 1e6 };
    images.push(image);
  }
  return { methods, images };
}

/** OSEM as it is and after the tuned filters, and what a Gaussian of any width makes of it. */
export async function classical({ subject, low }: Case, tuned: Tuned): Promise<Made & Pick<Measures, 'ladder'>> {
  const { voxelSize } = subject;
  const ladder: Measures['ladder'][number][] = [];
  for (const fwhm of gaussianWidths) {
    const { psnr, noise, crc } = assess(subject, await coincide.gaussianFilter(low, voxelSize, fwhm));
    ladder.push({ fwhm, psnr, noise, crc });
  }
  const filters = await made(subject, [
    ['OSEM', async () => ({ image: low })],
    ['Gaussian', async () => ({ image: await coincide.gaussianFilter(low, voxelSize, tuned.fwhm) })],
    ['NLM', async () => ({ image: await coincide.nonlocalMeans(low, voxelSize, tuned.nlm) })],
  ]);
  return { ...filters, ladder };
}

/** A network: its mean mode, that with the anatomy, and with `samples` > 0 the mean of so many. */
export function networked({ subject, low }: Case, name: string, model: LoadedModel, samples: number): Promise<Made> {
  const { shape, voxelSize, recipe } = subject;
  const image = coincide.petImage(coincide.centredGrid(shape, voxelSize), low, 'SUV');
  const mean = async (anatomy?: coincide.Volume): Promise<Result> => ({
    image: (await coincide.denoiseVolume(image, model, { anatomy })).image.values,
  });
  const list: Method[] = [[`${name}, mean`, () => mean()]];
  if (name === 'default') list.push([`${name}, mean, with μ`, () => mean(coincide.array(shape, subject.anatomy))]);
  if (samples > 0 && model.can.includes('conditional')) {
    list.push([
      `${name}, ${samples} samples`,
      async () => {
        const drawn = await coincide.denoiseVolume(image, model, { mode: 'samples', samples, seed: recipe.seed });
        return { image: drawn.image.values, spread: drawn.spread!.values, samples };
      },
    ]);
  }
  return made(subject, list);
}

const wide = { strength: [0.1, 0.2, 0.4, 0.8], prefilter: [5, 10], postfilter: [0, 4, 7] };

/** The Gaussian's width and the settings of non-local means that give the best mean PSNR over images. */
export async function tunedFilters(cases: readonly Case[]): Promise<Pick<Tuned, 'fwhm' | 'nlm'>> {
  const psnr = async (filter: (image: coincide.Volume, size: coincide.Point) => Promise<coincide.Volume>): Promise<number> => {
    let sum = 0;
    for (const { subject, low } of cases) {
      const filtered = await filter(low, subject.voxelSize);
      sum += coincide.imageError(filtered, coincide.array(subject.shape, subject.truth)).psnr;
    }
    return sum / cases.length;
  };
  const best = async <T>(candidates: readonly T[], value: (candidate: T) => Promise<number>): Promise<T> => {
    const scores: number[] = [];
    for (const candidate of candidates) scores.push(await value(candidate));
    return candidates[scores.indexOf(Math.max(...scores))]!;
  };
  const fwhm = await best(gaussianWidths, (width) => psnr((image, size) => coincide.gaussianFilter(image, size, width)));
  const pairs = wide.strength.flatMap((strength) => wide.prefilter.map((prefilter) => ({ strength, prefilter })));
  const means = (options: coincide.NonlocalMeansOptions) => psnr((image, size) => coincide.nonlocalMeans(image, size, options));
  const pair = await best(pairs, means);
  const nlm = await best(
    wide.postfilter.map((postfilter) => ({ ...pair, postfilter })),
    means,
  );
  return { fwhm, nlm };
}
