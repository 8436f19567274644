import { describe, expect, it } from 'vitest';
import { type Subject, trainingBatch } from '../../src/train/batch.js';
import { parseTrainingConfig } from '../../src/train/config.js';

const shape = [9, 20, 12] as const;
const truth = Float32Array.from({ length: 9 * 20 * 12 }, (_, i) => 1 + Math.sin(i));
const subject: Subject = { shape, voxelSize: [4, 4, 4], truth, lowDose: [truth.map((x) => 2 * x)] };
const config = parseTrainingConfig({ name: 'test', patch: [8, 8, 8], batch: 64, intensityJitter: 0, scale: 0.5, seed: 3 });
const voxels = 512;
const features = 5;

describe('trainingBatch', () => {
  const batch = trainingBatch([subject], config, features, 7);
  const sample = (n: number) => ({
    x: batch.x.subarray(n * 2 * voxels, n * 2 * voxels + voxels),
    c: batch.x.subarray(n * 2 * voxels + voxels, (n + 1) * 2 * voxels),
    v: batch.target.subarray(n * voxels, (n + 1) * voxels),
    present: batch.features[n * features + features - 1]!,
    skip: batch.skip[n]!,
  });

  it('is a function of seed and step alone', () => {
    expect(trainingBatch([subject], config, features, 7)).toEqual(batch);
    expect(trainingBatch([subject], config, features, 8).x).not.toEqual(batch.x);
    expect(trainingBatch([subject], { ...config, seed: 4 }, features, 7).x).not.toEqual(batch.x);
  });

  it('has x₀ = α x_t − σ v in every sample, whatever its mode', () => {
    let means = 0;
    let unconditional = 0;
    for (let n = 0; n < 64; n++) {
      const { x, c, v, present, skip } = sample(n);
      if (present === 0) {
        expect(Math.max(...c.map(Math.abs))).toBe(0);
        expect(skip).toBe(0);
        unconditional++;
        continue;
      }
      const sigma = skip;
      const alpha = Math.sqrt(Math.max(0, 1 - sigma * sigma));
      if (x.every((value) => value === 0)) means++;
      // The condition is twice the truth here, so the truth is known.
      for (let i = 0; i < voxels; i += 37) expect(alpha * x[i]! - sigma * v[i]!).toBeCloseTo(c[i]! / 2, 3);
    }
    expect(means).toBeGreaterThan(10);
    expect(unconditional).toBeGreaterThan(2);
  });

  it('cuts truth and condition at the same place, flipped the same way, and jitters both alike', () => {
    const jittered = trainingBatch([subject], { ...config, intensityJitter: 0.5, meanShare: 1 }, features, 1);
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
    const { target } = trainingBatch([flat], { ...config, meanShare: 1 }, features, 1);
    expect(target.every((v) => v === -2)).toBe(true);
  });

  it('draws x_t as α x₀ + σ ε with standard normal ε', () => {
    const zero: Subject = { ...subject, truth: new Float32Array(truth.length), lowDose: [truth] };
    const { x, skip } = trainingBatch([zero], { ...config, meanShare: 0, dropout: 0 }, features, 2);
    for (const n of [0, 20, 40, 63]) {
      const values = x.subarray(n * 1024, n * 1024 + 512);
      const deviation = Math.sqrt(values.reduce((sum, value) => sum + value * value, 0) / 512);
      expect(Math.abs(deviation / skip[n]! - 1)).toBeLessThan(0.15);
    }
  });
});

describe('parseTrainingConfig', () => {
  it('fills in defaults', () => {
    expect(parseTrainingConfig({ name: 'a' })).toMatchObject({ batch: 4, cohort: { scanner: 'small', counts: [2e5, 4e6] } });
  });
  it('lists every field that is wrong, unknown ones too', () => {
    expect(() => parseTrainingConfig({ name: 'a', stepz: 3, batch: -1 }, 'train.json')).toThrow(
      /train\.json[\s\S]*stepz[\s\S]*batch|train\.json[\s\S]*batch[\s\S]*stepz/,
    );
    expect(() => parseTrainingConfig({ name: 'a', patch: [32, 30, 32] })).toThrow(/multiples of 8/);
    expect(() => parseTrainingConfig({ name: 'a', cohort: { counts: [5, 2] } })).toThrow(/counts/);
  });
});
