/** The methods of bench/reconstruction.ts: one line each. */
import * as coincide from 'coincide';
import type { Realisation, Result } from './reconstruction-case.js';

export interface Method {
  readonly name: string;
  /** For the page. */
  readonly about: string;
  /** What `strengths` are. */
  readonly knob: string;
  /** Of the tier `small`; none: left out there. */
  readonly strengths: readonly number[];
  /** Of the others. @default the same */
  readonly more?: readonly number[];
  /** A part of that method changed: no method of its own, and not in the curves. */
  readonly ablationOf?: string;
  /** Realisations it is run on at most, where it is dear. @default all */
  readonly realisations?: number;
  readonly run: (scan: Realisation, strength: number) => Promise<Result>;
}

const gaussian = async ({ osem, subject }: Realisation, fwhm: number): Promise<Result> => ({
  image: await coincide.gaussianFilter((await osem()).values, subject.voxelSize, fwhm),
});
const nlm = async ({ osem, subject }: Realisation, strength: number): Promise<Result> => ({
  image: await coincide.nonlocalMeans((await osem()).values, subject.voxelSize, { strength, postfilter: 4 }),
});
const onGrid = ({ guide }: Realisation['subject']): coincide.Volume => coincide.fromWorld(guide, 'HFS').values;
const denoised =
  (options: (scan: Realisation) => coincide.DenoiseOptions) =>
  async (scan: Realisation): Promise<Result> => {
    const { seed, model } = scan;
    const { image, spread } = await coincide.denoiseVolume(await scan.osem(), model, { seed, ...options(scan) });
    return { image: image.values, spread: spread?.values, samples: options(scan).samples };
  };
const knowsAnatomy = ({ card }: coincide.OpenModel): boolean =>
  'architecture' in card && ((card as coincide.ModelCard).architecture.knows?.includes('anatomy') ?? false);

/** λ of the diffusion family. */
const lambdas = [0.1, 1];
const moreLambdas = [0.03, 0.1, 0.3, 1, 3];

export const methodsOf = (model: coincide.OpenModel): readonly Method[] => [
  {
    ...{ name: 'osem', about: 'OSEM (3 passes), then a Gaussian', knob: 'FWHM, mm' },
    ...{ strengths: [0, 3, 5, 7, 10], more: [0, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14], run: gaussian },
  },
  {
    ...{ name: 'nlm', about: 'OSEM, then non-local means', knob: 'strength' },
    ...{ strengths: [0.1, 0.2, 0.4], more: [0.1, 0.15, 0.2, 0.3, 0.5], run: nlm },
  },
  {
    ...{ name: 'rdp', about: 'BSREM with the relative difference prior', knob: 'β' },
    ...{ strengths: [0.03, 0.1, 0.3, 1] },
    run: ({ reconstruct }, beta) => reconstruct({ method: 'bsrem', beta }),
  },
  {
    ...{ name: 'bowsher', about: 'BSREM, the same prior among the 7 neighbours most alike in the anatomy', knob: 'β' },
    ...{ strengths: [0.3, 1], more: [0.1, 0.3, 1, 3] },
    run: ({ reconstruct, subject }, beta) => reconstruct({ method: 'bsrem', beta, anatomy: onGrid(subject) }),
  },
  {
    ...{ name: 'quadratic', about: 'MAP-EM with a quadratic prior', knob: 'β' },
    ...{ strengths: [0.1] },
    run: ({ reconstruct }, beta) => reconstruct({ method: 'map-em', beta, penalisedIterations: 10 }),
  },
  {
    ...{ name: 'post-mean', about: 'OSEM, then the network’s mean mode', knob: '–', strengths: [0] },
    run: denoised(() => ({ mode: 'mean' })),
  },
  {
    ...{ name: 'post-samples', about: 'OSEM, then the mean of samples given the image', knob: 'samples' },
    ...{ strengths: [4], more: [4, 16] },
    run: (scan, samples) => denoised(() => ({ mode: 'samples', samples }))(scan),
  },
  ...(knowsAnatomy(model)
    ? [
        {
          ...{ name: 'post-mean+anatomy', about: 'the same mean mode, told the anatomy', knob: '–', strengths: [0] },
          run: denoised(({ subject }) => ({ mode: 'mean', anatomy: subject.guide.values })),
        },
      ]
    : []),
  {
    ...{ name: 'diffpir', about: 'PET-DiffPIR, 6 levels, mean of 4', knob: 'λ', strengths: lambdas, more: moreLambdas },
    run: ({ reconstruct }, lambda) => reconstruct({ method: 'hqs', steps: 6, samples: 4, lambda }),
  },
  {
    ...{ name: 'diffpir-16', about: 'PET-DiffPIR, 6 levels, mean of 16', knob: 'λ', strengths: [0.3], more: [0.1, 0.3] },
    ablationOf: 'diffpir',
    run: ({ reconstruct }, lambda) => reconstruct({ method: 'hqs', steps: 6, samples: 16, lambda }),
  },
  {
    ...{ name: 'diffpir-start', about: 'PET-DiffPIR at λ 0.3, from other noise levels', knob: 'T′', ablationOf: 'diffpir' },
    ...{ strengths: [0.5], more: [0.15, 0.3, 0.5] },
    run: ({ reconstruct }, start) => reconstruct({ method: 'hqs', steps: 6, samples: 4, lambda: 0.3, start }),
  },
  {
    ...{ name: 'diffpir-no-psf', about: 'PET-DiffPIR without the resolution in the model', knob: 'λ', ablationOf: 'diffpir' },
    ...{ strengths: [0.3] },
    run: ({ reconstruct }, lambda) => reconstruct({ method: 'hqs', steps: 6, samples: 4, lambda, psf: 0 }),
  },
];
