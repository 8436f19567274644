import { afterAll, describe, expect, it } from 'vitest';
import { array, fill, type NdArray, type Volume } from '../../src/core/array.js';
import { OptionError, ShapeError } from '../../src/core/errors.js';
import { last } from '../../src/core/iterate.js';
import { noiseField } from '../../src/core/random.js';
import { timestepFeatures } from '../../src/network/guided-diffusion.js';
import { guidedGraph } from '../../src/network/guided-diffusion-graph.js';
import { openSession } from '../../src/node/ort-session.js';
import { ddim } from '../../src/prior/ddim.js';
import { type DdpmStep, ddpm, type PredictNoise } from '../../src/prior/ddpm.js';
import { precondition } from '../../src/prior/precondition.js';
import { discrete, linearAlphaBar, posteriorTable, spacedTimesteps } from '../../src/prior/schedule.js';
import { published, sineWeights } from '../network/guided-models.js';

const first = async (steps: AsyncGenerator<DdpmStep>): Promise<DdpmStep> => (await steps.next()).value as DdpmStep;

/** x̂₀ known exactly: the network sees the noise there is. */
const exact =
  (x0: Volume, v?: number): PredictNoise =>
  async (xt, t) => {
    const alphaBar = linearAlphaBar()[t]!;
    return {
      eps: fill(xt.shape, (i) => (xt.data[i]! - Math.sqrt(alphaBar) * x0.data[i]!) / Math.sqrt(1 - alphaBar)),
      ...(v === undefined ? {} : { variance: fill(xt.shape, () => v) }),
    };
  };

describe('ddpm', () => {
  const shape = [3, 4, 5];
  const x0 = fill(shape, (i) => Math.sin(i) / 2);
  const noise = (index: number): NdArray => noiseField([3, 4, 5], 7, index);

  it('ends at the clean image that the network knows, whatever the noise and the variance', async () => {
    for (const v of [undefined, -1, 0.3, 1]) {
      const steps = ddpm(exact(x0, v), noiseField([3, 4, 5], 1), {
        noise,
        table: posteriorTable(linearAlphaBar(), spacedTimesteps(20)),
      });
      const { image, fraction } = await last(steps);
      for (let i = 0; i < 60; i++) expect(image.data[i]).toBeCloseTo(x0.data[i]!, 4);
      expect(fraction).toBe(1);
    }
  });

  it('draws from the prior when the network knows it: N(0.3, 0.2²) from pure noise', async () => {
    const [mean, variance] = [0.3, 0.04];
    const n = 16 * 16 * 16;
    const network: PredictNoise = async (xt, t) => {
      const a = linearAlphaBar()[t]!;
      const gain = (Math.sqrt(a) * variance) / (a * variance + 1 - a);
      return {
        eps: fill(xt.shape, (i) => {
          const x = xt.data[i]!;
          const clean = mean + gain * (x - Math.sqrt(a) * mean);
          return (x - Math.sqrt(a) * clean) / Math.sqrt(1 - a);
        }),
      };
    };
    const table = posteriorTable(linearAlphaBar(), spacedTimesteps(250));
    const cube = [16, 16, 16] as const;
    const steps = ddpm(network, noiseField(cube, 3), { noise: (i) => noiseField(cube, 4, i), table, clip: [-9, 9] });
    const { data } = (await last(steps)).image;
    const m = data.reduce((sum, value) => sum + value, 0) / n;
    const s = Math.sqrt(data.reduce((sum, value) => sum + (value - m) ** 2, 0) / n);
    expect(Math.abs(m - mean)).toBeLessThan(0.012);
    expect(Math.abs(s / 0.2 - 1)).toBeLessThan(0.06);
  });

  it('goes on from a step as if it had not stopped, bit for bit', async () => {
    const table = posteriorTable(linearAlphaBar(), spacedTimesteps(6));
    const options = { noise, table };
    const whole = await last(ddpm(exact(x0, 0), noiseField([3, 4, 5], 1), options));
    const half = await first(ddpm(exact(x0, 0), noiseField([3, 4, 5], 1), options));
    const rest = await last(ddpm(exact(x0, 0), half.image, { ...options, from: half.index - 1 }));
    expect(rest.image.data).toEqual(whole.image.data);
  });

  it('refuses what does not fit, and stops with the reason given', async () => {
    const start = noiseField([3, 4, 5], 1);
    await expect(last(ddpm(exact(x0), start, { noise, from: 1000 }))).rejects.toThrow(OptionError);
    await expect(last(ddpm(exact(x0), start, { noise: () => array([2]) }))).rejects.toThrow(ShapeError);
    const reason = new Error('enough');
    await expect(last(ddpm(exact(x0), start, { noise, signal: AbortSignal.abort(reason) }))).rejects.toBe(reason);
  });
});

/** The published network at 32 channels, weights and input by formula: see test/network/guided-diffusion.test.ts. */
describe('the published sampler', () => {
  const architecture = published(32);
  const weights = sineWeights(architecture);
  const session = openSession(guidedGraph(architecture, 1, [3, 16, 32]));
  afterAll(async () => (await session).dispose());
  const shape = [3, 16, 32];
  const n = 3 * 16 * 32;
  const x = fill(shape, (i) => Math.sin(0.37 * i));
  const low = fill(shape, (i) => 0.5 + 0.5 * Math.cos(0.11 * i));
  const z = fill(shape, (i) => Math.cos(0.53 * i));
  const network: PredictNoise = async (xt, t) => {
    const both = new Float32Array(2 * n);
    both.set(xt.data);
    both.set(low.data, n);
    const { out } = await (await session).run({ x: both, time: timestepFeatures(t, 32), ...weights });
    return { eps: array(shape, out.slice(0, n)), variance: array(shape, out.slice(n)) };
  };
  const near = (found: Volume, values: readonly number[]): void => {
    values.forEach((value, i) => {
      expect(Math.abs(found.data[i]! - value)).toBeLessThan(2e-4);
    });
  };

  // p_sample of the published code with clip_denoised, x_t = x, noise z.
  it.each([
    { t: 999, clean: [-1, -1, -1], sample: [0.141293, 0.479872, 0.736519] },
    { t: 500, clean: [-1, -0.96283, 0.02103], sample: [0.097221, 0.443066, 0.719406] },
    { t: 1, clean: [-0.006206, 0.351951, 0.663954], sample: [0.005676, 0.364588, 0.673515] },
    { t: 0, clean: [-0.00421, 0.35506, 0.667281], sample: [-0.00421, 0.35506, 0.667281] },
  ])('takes the golden step at t = $t', async ({ t, clean, sample }) => {
    const step = await first(ddpm(network, x, { noise: () => z, from: t }));
    near(step.clean, clean);
    near(step.image, sample);
    if (t === 999) expect(Math.abs(step.image.data.reduce((sum, value) => sum + value, 0) / n - 0.003287)).toBeLessThan(2e-4);
  });

  it('takes the golden step of DDIM, through the denoiser in σ', async () => {
    const schedule = discrete();
    const [from, to] = [schedule.sigma(500), schedule.sigma(499)];
    const denoiser = precondition(async (xt, t) => (await network(xt, t, {})).eps, {
      parameterisation: 'eps',
      schedule,
      clip: [-1, 1],
    });
    const scaled = fill(shape, (i) => x.data[i]! * Math.sqrt(1 + from * from));
    const { image } = await last(ddim(denoiser, scaled, [from, to]));
    near(
      fill(shape, (i) => image.data[i]! / Math.sqrt(1 + to * to)),
      [-0.001533, 0.359984, 0.674031],
    );
  });
});
