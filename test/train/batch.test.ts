import { describe, expect, it } from 'vitest';
import { array } from '../../src/core/array.js';
import { normalisedAnatomy } from '../../src/denoise/anatomy.js';
import { noiseLevel } from '../../src/denoise/noise-level.js';
import { trainingBatch } from '../../src/train/batch.js';
import { parseTrainingConfig } from '../../src/train/config.js';
import { architectureOf } from '../../src/train/loop.js';
import { type Subject, sourceOf } from '../../src/train/subject.js';

const shape = [9, 20, 12] as const;
const truth = Float32Array.from({ length: 9 * 20 * 12 }, (_, i) => 1 + Math.sin(i));
const subject: Subject = { shape, voxelSize: [4, 4, 4], truth, lowDose: [truth.map((x) => 2 * x)] };
const given = { name: 'test', patch: [8, 8, 8], batch: 64, intensityJitter: 0, scale: 0.5, seed: 3, meanFirst: 0 };
const config = parseTrainingConfig({ ...given, network: { channels: [8], groups: 4, anatomy: false } });
const network = architectureOf(config);
const voxels = 512;
const flags = network.features - 4; // condition, mean, noise given, ln noise
const draw = (of: Subject, changes: object, step: number) =>
  trainingBatch([sourceOf(of)], { ...config, ...changes }, network, step);

describe('trainingBatch', () => {
  const batch = draw(subject, {}, 7);
  const sample = (n: number) => ({
    x: batch.x.subarray(n * 2 * voxels, n * 2 * voxels + voxels),
    c: batch.x.subarray(n * 2 * voxels + voxels, (n + 1) * 2 * voxels),
    v: batch.target.subarray(n * voxels, (n + 1) * voxels),
    flags: [...batch.features.subarray(n * network.features + flags, (n + 1) * network.features)],
    skip: batch.skip[n]!,
  });

  it('is a function of seed and step alone', () => {
    expect(draw(subject, {}, 7)).toEqual(batch);
    expect(draw(subject, {}, 8).x).not.toEqual(batch.x);
    expect(draw(subject, { seed: 4 }, 7).x).not.toEqual(batch.x);
  });

  it('has x₀ = α x_t − σ v in every sample, whatever its mode', () => {
    let means = 0;
    let unconditional = 0;
    let told = 0;
    const level = noiseLevel(array(shape, subject.lowDose[0]!), subject.voxelSize)!;
    for (let n = 0; n < 64; n++) {
      const { x, c, v, flags, skip } = sample(n);
      if (flags[0] === 0) {
        expect(Math.max(...c.map(Math.abs))).toBe(0);
        expect(skip).toBe(0);
        expect(flags).toEqual([0, 0, 0, 0]);
        unconditional++;
        continue;
      }
      const sigma = skip;
      const alpha = Math.sqrt(Math.max(0, 1 - sigma * sigma));
      expect(flags[1]).toBe(Number(x.every((value) => value === 0)));
      means += flags[1]!;
      if (flags[2] === 1) expect(flags[3]).toBeCloseTo(Math.log(level / 0.2), 5);
      told += flags[2]!;
      // The condition is twice the truth here, so the truth is known.
      for (let i = 0; i < voxels; i += 37) expect(alpha * x[i]! - sigma * v[i]!).toBeCloseTo(c[i]! / 2, 3);
    }
    expect(means).toBeGreaterThan(10);
    expect(unconditional).toBeGreaterThan(2);
    expect(told).toBeGreaterThan(30);
    expect(told).toBeLessThan(64 - unconditional);
  });

  it('cuts truth and condition at the same place, flipped the same way, and jitters both alike', () => {
    const jittered = draw(subject, { intensityJitter: 0.5, meanShare: 1 }, 1);
    const gains = new Set<string>();
    for (let n = 0; n < 64; n++) {
      const c = jittered.x.subarray(n * 1024 + 512, (n + 1) * 1024);
      const v = jittered.target.subarray(n * 512, (n + 1) * 512);
      for (let i = 0; i < 512; i += 41) expect(c[i]).toBeCloseTo(-2 * v[i]!, 5);
      gains.add((Math.max(...c) / 2).toFixed(2));
    }
    expect(gains.size).toBeGreaterThan(20);
  });

  it('goes on beyond a volume that is smaller than the patch', () => {
    const flat: Subject = {
      ...subject,
      shape: [3, 8, 8],
      truth: new Float32Array(192).fill(4),
      lowDose: [new Float32Array(192).fill(4)],
    };
    const { target } = draw(flat, { meanShare: 1 }, 1);
    expect(target.every((v) => v === -2)).toBe(true);
  });

  it('draws x_t as α x₀ + σ ε with standard normal ε', () => {
    const zero: Subject = { ...subject, truth: new Float32Array(truth.length).fill(1e-6), lowDose: [truth] };
    const { x, skip } = draw(zero, { meanShare: 0, dropout: 0 }, 2);
    for (const n of [0, 20, 40, 63]) {
      const values = x.subarray(n * 1024, n * 1024 + 512);
      const deviation = Math.sqrt(values.reduce((sum, value) => sum + value * value, 0) / 512);
      expect(Math.abs(deviation / skip[n]! - 1)).toBeLessThan(0.15);
    }
  });
});

describe('anatomy', () => {
  const config = parseTrainingConfig({ ...given, network: { channels: [8], groups: 4 } });
  const network = architectureOf(config);
  const batchOf = (changes: object) =>
    trainingBatch([sourceOf({ ...subject, anatomy: truth.map((x) => 3 * x) })], { ...config, ...changes }, network, 5);

  it('comes third, cut as the truth is, up to its own gain, and its presence is told', () => {
    const { x, features, target } = batchOf({ meanShare: 1 });
    const whole = normalisedAnatomy(
      array(
        shape,
        truth.map((x) => 3 * x),
      ),
    );
    let present = 0;
    const gains = new Set<string>();
    for (let n = 0; n < 64; n++) {
      const a = x.subarray((3 * n + 2) * voxels, (3 * n + 3) * voxels);
      const flag = features[n * network.features + network.features - 4];
      if (flag === 0) expect(Math.max(...a)).toBe(0);
      else {
        // v = −0.5 truth in the mean mode
        const gain = a[0]! / (-2 * target[n * voxels]! * (whole[0]! / truth[0]!));
        for (let i = 0; i < voxels; i += 41)
          expect(a[i]).toBeCloseTo(gain * -2 * target[n * voxels + i]! * (whole[0]! / truth[0]!), 4);
        gains.add(gain.toFixed(3));
        expect(Math.abs(Math.log(gain))).toBeLessThan(0.2001);
      }
      present += flag!;
    }
    expect(present).toBeGreaterThan(15);
    expect(present).toBeLessThan(49);
    expect(gains.size).toBeGreaterThan(10);
  });

  it('is left out with a condition or without', () => {
    const { features } = batchOf({ meanShare: 0, dropout: 0.5 });
    const pairs = new Set<string>();
    for (let n = 0; n < 64; n++)
      pairs.add(features.subarray((n + 1) * network.features - 5, (n + 1) * network.features - 3).join());
    expect([...pairs].sort()).toEqual(['0,0', '0,1', '1,0', '1,1']);
  });
});

it('the first steps train the mean mode alone', () => {
  const changes = { steps: 100, meanFirst: 0.3, meanShare: 0 };
  const means = (step: number): number => {
    const { features } = draw(subject, changes, step);
    return Array.from({ length: 64 }, (_, n) => features[(n + 1) * network.features - 3]!).reduce((sum, flag) => sum + flag, 0);
  };
  expect([means(1), means(30), means(31)]).toEqual([64, 64, 0]);
});

it('weighs the mean mode as asked, and diffusion by min(SNR, γ)/(SNR + 1)', () => {
  const { weight, skip, features } = draw(subject, { dropout: 0, meanWeight: 3, relative: false }, 4);
  const expected = skip.map((sigma, n) => {
    if (features[(n + 1) * network.features - 3] === 1) return 3;
    const snr = (1 - sigma * sigma) / (sigma * sigma);
    return snr > 5 ? 5 / (snr + 1) : 1 - sigma * sigma;
  });
  for (const [n, w] of weight.entries()) expect(w).toBeCloseTo(expected[n]!, 5);
  expect(new Set(draw(subject, { minSnr: 0, meanWeight: 1, relative: false }, 4).weight)).toEqual(new Set([1]));
});

it('weighs by what the low-count patch holds, given or not, and by nothing else', () => {
  const brightness = (factor: number): Float32Array =>
    draw({ ...subject, lowDose: [truth.map((x) => factor * x)] }, { minSnr: 0, meanWeight: 1, dropout: 0.5 }, 4).weight;
  const { x } = draw(subject, { dropout: 0 }, 4);
  const [dim, bright] = [brightness(2), brightness(20)];
  for (let n = 0; n < 64; n++) {
    const c = x.subarray((2 * n + 1) * voxels, (2 * n + 2) * voxels);
    const square = c.reduce((sum, value) => sum + value * value, 0) / voxels;
    expect(dim[n]).toBeCloseTo(0.03 / (0.03 + square), 5);
    expect(bright[n]).toBeCloseTo(0.03 / (0.03 + 100 * square), 5);
  }
});

it('networks of the mean mode alone are trained in it alone, at weight 1', () => {
  for (const kind of ['regression3d', 'gan3d'] as const) {
    const { weight, features } = draw(subject, { kind, meanShare: 0, steps: 10, relative: false }, 9);
    expect(new Set(weight)).toEqual(new Set([1]));
    for (let n = 0; n < 64; n++) expect(features[(n + 1) * network.features - 3]).toBe(1);
  }
});

it('in 2D, patches are single slices', () => {
  const config = parseTrainingConfig({ name: 'a', kind: 'ddpm2d', network: { channels: [8], groups: 4, anatomy: false } });
  expect([config.patch, config.batch]).toEqual([[1, 64, 64], 32]);
  const architecture = architectureOf(config);
  expect(architecture.planar).toBe(true);
  const { x } = trainingBatch([sourceOf(subject)], config, architecture, 1);
  expect(x).toHaveLength(32 * 2 * 64 * 64);
  expect(() => parseTrainingConfig({ name: 'a', kind: 'ddpm2d', patch: [2, 64, 64] })).toThrow(/1, and two multiples of 8/);
  expect(() => parseTrainingConfig({ name: 'a', kind: 'gan3d', patch: [8, 8, 8], gan: { channels: [4, 4, 4, 4] } })).toThrow(
    /16/,
  );
});

it('patches hold some of the body, if there is any near', () => {
  const far: Subject = {
    ...subject,
    shape: [9, 20, 96],
    truth: new Float32Array(9 * 20 * 96),
    lowDose: [new Float32Array(9 * 20 * 96).fill(1)],
  };
  for (let i = 0; i < far.truth.length; i++) if (i % 96 > 80) far.truth[i] = 1;
  const { target } = draw(far, { meanShare: 1 }, 1);
  let filled = 0;
  for (let n = 0; n < 64; n++) if (target.subarray(n * voxels, (n + 1) * voxels).filter((v) => v < 0).length >= 51) filled++;
  // 22 of 89 places do; four draws find one in 1 − (67/89)⁴ = 68 % of the samples.
  expect(filled).toBeGreaterThan(33);
  expect(filled).toBeLessThan(60);
});

describe('parseTrainingConfig', () => {
  it('fills in defaults', () => {
    expect(parseTrainingConfig({ name: 'a' })).toMatchObject({ batch: 4, cohort: { draws: 4, doses: [0.01, 0.5] } });
  });
  it('lists every field that is wrong, unknown ones too', () => {
    expect(() => parseTrainingConfig({ name: 'a', stepz: 3, batch: -1 }, 'train.json')).toThrow(
      /train\.json[\s\S]*stepz[\s\S]*batch|train\.json[\s\S]*batch[\s\S]*stepz/,
    );
    expect(() => parseTrainingConfig({ name: 'a', patch: [32, 30, 32] })).toThrow(/multiples of 8/);
    expect(() => parseTrainingConfig({ name: 'a', cohort: { doses: [0.5, 0.2] } })).toThrow(/doses/);
    expect(() => parseTrainingConfig({ name: 'a', network: { blocks: [1] } })).toThrow(/network\.blocks.*3 numbers/);
    expect(() => parseTrainingConfig({ name: 'a', network: { channels: [12, 20] } })).toThrow(
      /multiples of groups = 8, found 12/,
    );
  });
});
