/** The methods of bench/reconstruction.ts: one line each. */
import * as coincide from 'coincide';
import type { ReconstructOptions } from 'coincide/node';
import type { Realisation, Result, Study } from './reconstruction-case.js';
import type { Tier } from './reconstruction-plan.js';

export interface Method {
  readonly name: string;
  /** For the page. */
  readonly about: string;
  /** What `strengths` are; none where there is nothing to sweep. */
  readonly knob?: string;
  /** The first is taken where nothing was tuned. @default [0] */
  readonly strengths?: readonly number[];
  /** Fewer, of the tier `small`. @default the same */
  readonly few?: readonly number[];
  /** A part of that method changed: no method of its own, and not in the curves. */
  readonly ablationOf?: string;
  /** @default all */
  readonly tiers?: readonly Tier[];
  /** Studies it is for, held-out tier. @default all */
  readonly of?: (study: Pick<Study, 'unseen'>) => boolean;
  readonly run: (scan: Realisation, strength: number) => Promise<Result>;
}

const from = ({ subject }: Realisation, image: coincide.Volume): coincide.PetImage =>
  coincide.petImage(coincide.centredGrid(subject.shape, subject.voxelSize), image, 'SUV');
/** The network on an image. */
async function denoised(scan: Realisation, image: coincide.PetImage, options: coincide.DenoiseOptions): Promise<Result> {
  const { image: clean, spread } = await coincide.denoiseVolume(image, scan.model, { seed: scan.seed, ...options });
  return { image: clean.values, spread: spread?.values, samples: options.samples };
}
const onGrid = ({ guide }: Realisation['subject']): coincide.Volume => coincide.fromWorld(guide, 'HFS').values;
/** A method of the library, with the strength as one of its options. */
const recon =
  (options: (strength: number, scan: Realisation) => ReconstructOptions): Method['run'] =>
  (scan, strength) =>
    scan.reconstruct(options(strength, scan));

/** PET-DiffPIR as it is measured here. */
const diffpir = { method: 'diffpir' } as const;
const evenly = {
  ...({ method: 'pnp-hqs', prior: 'mean', startFrom: 'osem' } as const),
  ...{ startFwhm: 0, steps: 1, start: 0.1, exactIterations: 10 },
} as const;
const ddip = { method: 'ddip' } as const;
const full: readonly Tier[] = ['full'];
const notHeldOut: readonly Tier[] = ['small', 'full'];
const notSmall: readonly Tier[] = ['held-out', 'full'];

const classical: readonly Method[] = [
  {
    ...{ name: 'osem', about: 'OSEM (3 passes), then a Gaussian', knob: 'FWHM, mm' },
    ...{ strengths: [0, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14], few: [0, 3, 5, 7, 10] },
    run: async ({ osem, subject }, fwhm) => ({
      image: await coincide.gaussianFilter((await osem()).values, subject.voxelSize, fwhm),
    }),
  },
  {
    ...{ name: 'nlm', about: 'OSEM, then non-local means', knob: 'strength' },
    ...{ strengths: [0.1, 0.15, 0.2, 0.3, 0.5], few: [0.1, 0.2, 0.4] },
    run: async ({ osem, subject }, strength) => ({
      image: await coincide.nonlocalMeans((await osem()).values, subject.voxelSize, { strength, postfilter: 4 }),
    }),
  },
  {
    ...{ name: 'rdp', about: 'BSREM (6 passes) with the relative difference prior', knob: 'β' },
    ...{ strengths: [0.01, 0.02, 0.04, 0.08, 0.16], few: [0.01, 0.04, 0.12] },
    run: recon((beta) => ({ method: 'bsrem', beta, penalisedIterations: 6 })),
  },
  {
    ...{ name: 'bowsher', about: 'the same among the 7 neighbours most alike in the anatomy', knob: 'β' },
    ...{ strengths: [0.03, 0.1, 0.3], few: [0.03, 0.1], tiers: notHeldOut },
    run: recon((beta, { subject }) => ({ method: 'bsrem', beta, penalisedIterations: 6, anatomy: onGrid(subject) })),
  },
  {
    ...{ name: 'quadratic', about: 'MAP-EM with a quadratic prior', knob: 'β', strengths: [0.03], tiers: notHeldOut },
    run: recon((beta) => ({ method: 'map-em', beta, penalisedIterations: 10 })),
  },
];

const afterwards: readonly Method[] = [
  {
    ...{ name: 'post-mean', about: 'OSEM, then the network’s mean mode' },
    run: async (scan) => denoised(scan, await scan.osem(), { mode: 'mean' }),
  },
  {
    ...{ name: 'post-samples', about: 'OSEM, then the mean of 4 samples given the image', tiers: notHeldOut },
    run: async (scan) => denoised(scan, await scan.osem(), { mode: 'samples', samples: 4 }),
  },
  {
    ...{ name: 'post-no-psf', about: 'post-mean, of OSEM without resolution', ablationOf: 'post-mean', tiers: full },
    async run(scan) {
      const { image } = await scan.reconstruct({ method: 'osem', psf: 0 });
      return denoised(scan, from(scan, image), { mode: 'mean' });
    },
  },
  {
    ...{
      name: 'rdp-mean',
      about: 'a mild BSREM, then the mean mode',
      knob: 'β',
      strengths: [0.003, 0.01],
      few: [0.003],
      tiers: notHeldOut,
    },
    async run(scan, beta) {
      const { image } = await scan.reconstruct({ method: 'bsrem', beta, penalisedIterations: 6 });
      return denoised(scan, from(scan, image), { mode: 'mean' });
    },
  },
];

const joint: readonly Method[] = [
  {
    ...{
      name: 'post',
      about: 'post-mean, then 3 passes of EM anchored at it by a relative deviation 1/√λ, what they change smooth',
      knob: 'λ',
    },
    ...{ strengths: [5, 2.5, 10], few: [2, 5, 20] },
    run: recon((lambda) => ({ method: 'post', lambda })),
  },
  {
    ...{ name: 'post-rough', about: 'with no penalty on the change', knob: 'λ', ablationOf: 'post' },
    ...{ strengths: [11, 40], tiers: notHeldOut },
    run: recon((lambda) => ({ method: 'post', lambda, smooth: 0 })),
  },
  {
    ...{ name: 'post-even', about: 'with the same anchor everywhere, 10 EM updates', knob: 'λ', ablationOf: 'post' },
    ...{ strengths: [1, 10], tiers: notHeldOut },
    run: recon((lambda) => ({ ...evenly, lambda })),
  },
  {
    ...{ name: 'mean-hqs', about: 'HQS with the mean mode as denoiser, 3 levels', knob: 'λ' },
    ...{ strengths: [30, 10, 100], few: [10, 100], tiers: notHeldOut },
    run: recon((lambda) => ({
      ...{ method: 'pnp-hqs', prior: 'mean', startFrom: 'osem', startFwhm: 0, steps: 3, start: 0.2, lambda },
    })),
  },
  {
    ...{
      name: 'diffpir',
      about: 'PET-DiffPIR from the mean mode’s image, 3 levels, mean of 4, then EM anchored at it as in post',
    },
    run: recon(() => diffpir),
  },
  {
    ...{ name: 'diffpir-lambda', about: 'with another weight', knob: 'λ', ablationOf: 'diffpir' },
    ...{ strengths: [0.1, 10], few: [0.1, 10], tiers: notHeldOut },
    run: recon((lambda) => ({ ...diffpir, lambda })),
  },
  {
    ...{ name: 'diffpir-no-final', about: 'without the EM at the end', ablationOf: 'diffpir', tiers: notHeldOut },
    run: recon(() => ({ ...diffpir, final: 0 })),
  },
  {
    ...{ name: 'diffpir-16', about: 'the mean of 16', ablationOf: 'diffpir', tiers: full },
    run: recon(() => ({ ...diffpir, samples: 16 })),
  },
  {
    ...{ name: 'diffpir-from-rdp', about: 'from RDP', ablationOf: 'diffpir', tiers: notHeldOut },
    run: recon(() => ({ ...diffpir, startFrom: 'rdp' })),
  },
  {
    ...{ name: 'diffpir-given-osem', about: 'given OSEM too: the data count twice', ablationOf: 'diffpir', tiers: notHeldOut },
    run: recon(() => ({ ...diffpir, condition: 'osem' })),
  },
  {
    ...{ name: 'diffpir-start', about: 'from other levels', knob: 'T′', ablationOf: 'diffpir', tiers: notHeldOut },
    ...{ strengths: [0.08, 0.3, 0.5], few: [0.08, 0.3] },
    run: recon((start) => ({ ...diffpir, start })),
  },
  {
    ...{ name: 'diffpir-from-osem', about: 'from filtered OSEM', ablationOf: 'diffpir', tiers: notHeldOut },
    run: recon(() => ({ ...diffpir, startFrom: 'osem' })),
  },
  {
    ...{ name: 'diffpir-no-psf', about: 'without resolution in the model', ablationOf: 'diffpir', tiers: full },
    run: recon(() => ({ ...diffpir, psf: 0 })),
  },
  {
    ...{ name: 'pnp-hqs', about: 'PnP-HQS: no noise put back, 8 levels', tiers: notHeldOut },
    run: recon(() => ({ method: 'pnp-hqs' })),
  },
  { name: 'dds', about: 'PET-DDS from noise, 50 levels, one sample', tiers: full, run: recon(() => ({ method: 'dds' })) },
  {
    ...{
      name: 'ddip',
      about: 'PET-DDIP: the mean mode adapts in 3 rounds (not among the evaluations), then post',
      tiers: notSmall,
    },
    of: ({ unseen }) => unseen.includes('tracer'),
    run: recon(() => ddip),
  },
  {
    ...{ name: 'ddip-rank', about: 'of other ranks', knob: 'rank', strengths: [1, 2, 8, 16], ablationOf: 'ddip', tiers: full },
    run: recon((rank) => ({ ...ddip, ddip: { rank } })),
  },
  {
    ...{ name: 'ddip-rounds', about: 'fewer and more', knob: 'rounds', strengths: [1, 6], ablationOf: 'ddip', tiers: full },
    run: recon((levels) => ({ ...ddip, ddip: { levels } })),
  },
  {
    ...{ name: 'ddip-diffusion', about: 'the diffusion mode adapts, 10 levels from T′, then diffpir', ablationOf: 'ddip' },
    ...{ knob: 'T′', strengths: [0.3, 0.15, 0.5], tiers: full },
    run: recon((start) => ({ ...ddip, start, samples: 4, ddip: { prior: 'diffusion' } })),
  },
  {
    ...{ name: 'ddip-lambda', about: 'with another weight', knob: 'λ', strengths: [2, 20], ablationOf: 'ddip', tiers: full },
    run: recon((lambda) => ({ ...ddip, lambda })),
  },
  {
    ...{ name: 'ddip-no-biases', about: 'the low-rank part alone', ablationOf: 'ddip', tiers: full },
    run: recon(() => ({ ...ddip, ddip: { biases: false } })),
  },
  {
    ...{ name: 'ddip-guard', about: 'judged by counts held out', ablationOf: 'ddip', tiers: full },
    run: recon(() => ({ ...ddip, ddip: { heldOut: 0.1 } })),
  },
];

/** Of models that know an anatomy. */
const guided: readonly Method[] = [
  {
    ...{ name: 'post-mean+anatomy', about: 'post-mean, told the anatomy' },
    run: async (scan) => denoised(scan, await scan.osem(), { mode: 'mean', anatomy: scan.subject.guide.values }),
  },
  {
    ...{ name: 'diffpir+anatomy', about: 'diffpir, told the anatomy' },
    run: recon((_, { subject }) => ({ ...diffpir, anatomy: onGrid(subject) })),
  },
];

/** The methods of a tier. */
export function methodsOf({ card }: Pick<coincide.OpenModel, 'card'>, tier: Tier): readonly Method[] {
  const knows = 'architecture' in card ? (card as coincide.ModelCard).architecture.knows : undefined;
  const all = [...classical, ...afterwards, ...joint, ...(knows?.includes('anatomy') ? guided : [])];
  return all.filter(({ tiers }) => !tiers || tiers.includes(tier));
}

export const strengthsOf = ({ strengths = [0], few = strengths }: Method, tier: Tier): readonly number[] =>
  tier === 'small' ? few : strengths;
