/** @file  PET-DDIP: the network itself is fitted to the scan on the way down. At each level σ, with D_θ the adapted denoiser:
 *    repeat E times                                                 (a) fine-tuning, by half-quadratic splitting
 *      x̂₀   = [ D_θ(x, σ) ]₊                                         Tweedie's estimate
 *      x_EM = argmin_z L(z) + ρ/2 ‖z − x̂₀‖²                          M rounds of EM from x̂₀, anchored there
 *      θ    ← θ − AdamW( ∇_θ mean( D_θ(x, σ) − x_EM )² )             the data reach the network through x_EM alone
 *    x̂₀ = [ D_θ(x, σ) ]₊,  ε̂ = (x − D_θ(x, σ))/σ                    (b) sampling, with the adapted network
 *    x  ← x̂₀ + σ' ( √(1−η²) ε̂ + η n ),  n ~ N(0, I)
 *  Hashimoto & Gong 2026, arXiv:2507.15078, doi:10.1109/TMI.2026.3659792; after Chung & Ye 2024 (DDIP), arXiv:2407.10641. x_EM trains the
 *  network and is not what is re-noised. θ goes on from level to level.
 *  A network can learn a scan's noise too. Counts that no fit sees (`heldOut`) say when: once they are explained worse at two levels on end
 *  than before, θ goes back to where they were explained best, and stays. */
import { contiguous, expectShape, fill, type Volume } from '../core/array.js';
import { OptionError } from '../core/errors.js';
import type { Denoiser, Prox } from '../core/interfaces.js';
import { type CallOptions, type Step, turn } from '../core/iterate.js';
import { checkLadder, checkLevel, renoised, shares } from './hqs.js';

/** A denoiser that learns. How (which parameters, optimiser, patches) is its own affair. */
export interface AdaptableDenoiser extends Denoiser {
  /**
   * Brings D_θ(x, σ) nearer to the target, in the mean square.
   * @param round number of the call within the run: what is drawn at random is drawn from it.
   * @returns mean square before, in the unit of the image squared.
   */
  fit(x: Volume, sigma: number, target: Volume, round: number, options?: CallOptions): Promise<number>;
  /** A new optimiser for the same θ. */
  restart(): void;
  /** All that is learned and what the optimiser remembers, to be put back; never changed afterwards. */
  state(): Readonly<Record<string, Float32Array>>;
  restore(state: Readonly<Record<string, Float32Array>>): void;
}

export interface DdipOptions extends CallOptions {
  /** E: rounds of estimate, EM and fit at each level. @default 1 */
  readonly rounds?: number | undefined;
  /** ρ of a level, in 1/(unit of the image)². @default 0.3/σ² */
  readonly weight?: ((sigma: number, level: number) => number) | undefined;
  /** η in [0, 1]: share of fresh noise; √ζ of HQS. @default 0.85 */
  readonly eta?: number | undefined;
  /** Standard normal field for a level (0 is σ₁). Needed when η > 0. */
  readonly noise?: ((level: number) => Volume) | undefined;
  /** Whether each level has an optimiser of its own. @default false */
  readonly restart?: boolean | undefined;
  /** Negative log-likelihood of counts that the EM step does not see. @default no guard */
  readonly heldOut?: ((image: Volume, options: CallOptions) => Promise<number>) | undefined;
  /** Levels on end that may be worse than the best. @default 2 */
  readonly patience?: number | undefined;
  /** What a run goes on from: a step's `next`, as `start`, and its `progress`. */
  readonly progress?: DdipProgress | undefined;
}

/** Where a run stands, besides its image and θ. */
export interface DdipProgress {
  /** Next level. */
  readonly level: number;
  /** Lowest likelihood of held-out counts so far, and the levels since. */
  readonly best: number;
  readonly worse: number;
  /** Whether the network still learns. */
  readonly learning: boolean;
  /** θ where `best` was found. */
  readonly bestState?: Readonly<Record<string, Float32Array>> | undefined;
}

export interface DdipStep extends Step {
  /** The adapted network's x̂₀ ≥ 0. */
  readonly image: Volume;
  /** x at the next level. */
  readonly next: Volume;
  readonly sigma: number;
  readonly rho: number;
  readonly level: number;
  /** Mean square between network and x_EM before the last fit; NaN once θ stays. */
  readonly loss: number;
  /** Of held-out counts; NaN without any. */
  readonly heldOut: number;
  readonly progress: DdipProgress;
}

/**
 * Adapts and reconstructs, one step per level but the last.
 * @param emStep the prox of L, e.g. `poissonProx(subsets, { updates: 5 })`.
 * @param sigmas strictly decreasing, in the units of the image; usually ends in 0. @param start x at the first level.
 * @yields the adapted network's image per level, ≥ 0.
 * @throws OptionError when an option, or the ladder, is out of range. @throws ShapeError when noise or estimate do not fit `start`.
 */
export async function* ddip(
  denoiser: AdaptableDenoiser,
  emStep: Prox,
  sigmas: ArrayLike<number>,
  start: Volume,
  options: DdipOptions = {},
): AsyncGenerator<DdipStep> {
  const { rounds = 1, eta = 0.85, noise, restart = false, patience = 2, heldOut, signal } = options;
  const { weight = (sigma: number) => 0.3 / sigma ** 2 } = options;
  const levels = sigmas.length - 1;
  let progress: DdipProgress = options.progress ?? { level: 0, best: Infinity, worse: 0, learning: true };
  checkLadder(sigmas, denoiser);
  checkLevel(progress.level, levels);
  checkDdip(rounds, eta, noise);
  let x = contiguous(start);
  for (let level = progress.level; level < levels; level++) {
    await turn(signal);
    const [sigma, next] = [sigmas[level]!, sigmas[level + 1]!];
    const rho = weight(sigma, level);
    let loss = Number.NaN;
    if (progress.learning && restart) denoiser.restart();
    for (let round = 0; progress.learning && round < rounds; round++) {
      const clean = positive(await denoiser.denoise(x, sigma, { signal }));
      const em = expectShape(await emStep(clean, rho, { signal }), x.shape, 'result of the EM step');
      loss = await denoiser.fit(x, sigma, em, level * rounds + round, { signal });
    }
    const clean = expectShape(await denoiser.denoise(x, sigma, { signal }), x.shape, 'denoised volume');
    const image = positive(clean);
    const held = heldOut === undefined ? Number.NaN : await heldOut(image, { signal });
    progress = judged({ ...progress, level: level + 1 }, held, patience, denoiser);
    const n = eta > 0 && next > 0 ? expectShape(noise!(level), x.shape, `noise of level ${level}`) : undefined;
    const [keep, add] = shares(eta * eta, next);
    x = renoised(x, image, clean, keep / sigma, add, n);
    yield { image, next: x, sigma, rho, level, loss, heldOut: held, progress, fraction: (level + 1) / levels };
  }
}

/** The guard: θ that explains the held-out counts best is kept; after `patience` levels without a better one it is put back for good. */
function judged(now: DdipProgress, held: number, patience: number, denoiser: AdaptableDenoiser): DdipProgress {
  if (Number.isNaN(held) || !now.learning) return now;
  if (held < now.best) return { ...now, best: held, worse: 0, bestState: denoiser.state() };
  const worse = now.worse + 1;
  if (worse < patience) return { ...now, worse };
  denoiser.restore(now.bestState!);
  return { ...now, worse, learning: false };
}

function positive(x: Volume): Volume {
  return fill(x.shape, (i) => Math.max(0, x.data[i]!));
}

function checkDdip(rounds: number, eta: number, noise: DdipOptions['noise']): void {
  if (!(Number.isInteger(rounds) && rounds > 0))
    throw new OptionError('Rounds of a level', { key: 'rounds', expected: 'a positive integer', found: rounds });
  if (!(eta >= 0 && eta <= 1)) throw new OptionError('Share of fresh noise', { key: 'eta', expected: '0 to 1', found: eta });
  if (eta > 0 && noise === undefined)
    throw new OptionError('Fresh noise', { key: 'noise', expected: 'a function when eta > 0', found: noise });
}
