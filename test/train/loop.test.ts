import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { FormatError } from '../../src/core/errors.js';
import { parameterCount } from '../../src/network/parameters.js';
import type { Trainer } from '../../src/network/runner.js';
import { openTrainer } from '../../src/node/ort-trainer.js';
import { openTrainingFolder } from '../../src/node/training-folder.js';
import { type AdamState, adamState } from '../../src/train/adam.js';
import { parseTrainingConfig } from '../../src/train/config.js';
import { architectureOf, fallNow, learningRateAt, paceOf, train } from '../../src/train/loop.js';
import { type Subject, sourceOf } from '../../src/train/subject.js';

const config = parseTrainingConfig({
  ...{ name: 'tiny', seed: 5, patch: [8, 8, 8], batch: 2, steps: 12, warmup: 2, learningRate: 0.01 },
  network: { channels: [4, 8], embedding: 8, groups: 2 },
});
const truth = Float32Array.from({ length: 10 * 12 * 9 }, (_, i) => (i % 7 < 3 ? 2 : 0.5));
const subject: Subject = {
  shape: [10, 12, 9],
  voxelSize: [4, 4, 4],
  truth,
  lowDose: [truth.map((x, i) => x + Math.sin(i * 12.9))],
  anatomy: truth.map((x) => x + 1),
};
const source = sourceOf(subject);
const copy = (state: AdamState): AdamState => structuredClone(state);

async function run(
  trainer: Trainer,
  until: number,
  resume?: { step: number; state: AdamState },
): Promise<{ state: AdamState; losses: number[] }> {
  const losses: number[] = [];
  let state: AdamState | undefined;
  for await (const step of train(config, [source], trainer, { resume })) {
    losses.push(step.loss);
    state = copy(step.state);
    if (step.step === until) break;
  }
  return { state: state!, losses };
}

describe('train', () => {
  it('resumed is run through, bit for bit, also through a checkpoint on disk', async () => {
    const trainer = openTrainer(architectureOf(config), config.batch, config.patch, { threads: 2 });
    try {
      const whole = await run(trainer, 12);
      const half = await run(trainer, 5);
      const folder = await openTrainingFolder(mkdtempSync(join(tmpdir(), 'coincide-')), config);
      expect(await folder.checkpoint()).toBeUndefined();
      const progress = { pace: { fallFrom: 3, end: 12 }, best: -Infinity, looksSince: 2 };
      await folder.save({ step: 5, state: half.state, cpuSeconds: 7, progress });
      expect((await folder.checkpoint())?.cpuSeconds).toBe(7);
      const rest = await run(trainer, 12, await folder.checkpoint());
      expect([...half.losses, ...rest.losses]).toEqual(whole.losses);
      expect(rest.state).toEqual(whole.state);
    } finally {
      await trainer.dispose();
    }
  });

  it('lowers the loss', async () => {
    const long = { ...config, steps: 150, meanShare: 1, intensityJitter: 0 };
    const trainer = openTrainer(architectureOf(long), long.batch, long.patch, { threads: 1 });
    const losses: number[] = [];
    for await (const { loss } of train(long, [source], trainer)) losses.push(loss);
    await trainer.dispose();
    const mean = (values: number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
    expect(mean(losses.slice(-20))).toBeLessThan(0.5 * mean(losses.slice(0, 10)));
  });

  it('warms up, stays, and falls to 2 %', () => {
    const rate = (step: number): number => learningRateAt({ ...config, steps: 1000, warmup: 9 }, step);
    expect(rate(1)).toBeCloseTo(0.001, 8);
    expect(rate(10)).toBeCloseTo(0.01, 8);
    expect(rate(600)).toBeCloseTo(0.01, 8);
    expect(rate(800)).toBeCloseTo(0.0051, 4);
    expect(rate(1000)).toBeCloseTo(0.0002, 8);
  });

  it('may fall early, then as long in proportion, and never later', () => {
    expect(paceOf({ steps: 1000 })).toEqual({ fallFrom: 600, end: 1000 });
    expect(fallNow({ steps: 1000 }, 300)).toEqual({ fallFrom: 300, end: 500 });
    expect(fallNow({ steps: 1000 }, 700)).toEqual({ fallFrom: 600, end: 1000 });
    const rate = (step: number): number =>
      learningRateAt({ ...config, steps: 1000, warmup: 0 }, step, { fallFrom: 300, end: 500 });
    expect([rate(300), rate(400), rate(500)].map((x) => x.toFixed(6))).toEqual(['0.010000', '0.005100', '0.000200']);
  });

  it('ends where the pace says, asked anew before every step', async () => {
    const trainer = openTrainer(architectureOf(config), config.batch, config.patch, { threads: 1 });
    let pace = paceOf(config);
    const steps: number[] = [];
    for await (const { step } of train(config, [source], trainer, { pace: () => pace })) {
      steps.push(step);
      if (step === 3) pace = fallNow(config, 3);
    }
    await trainer.dispose();
    expect(steps).toEqual([1, 2, 3, 4, 5]);
  });

  it('stops with an error when the gradient is not finite', async () => {
    const trainer: Trainer = {
      load: () => {},
      step: async () => ({
        loss: Number.NaN,
        gradient: new Float32Array(parameterCount(architectureOf(config))).fill(Number.NaN),
      }),
      dispose: async () => {},
    };
    await expect(train(config, [source], trainer).next()).rejects.toThrow(/diverged.*NaN at step 1/);
  });
});

describe('a training folder', () => {
  const fresh = (): string => mkdtempSync(join(tmpdir(), 'coincide-'));

  it('keeps subjects, reads any slices of them, and refuses another configuration', async () => {
    const at = fresh();
    const folder = await openTrainingFolder(at, config);
    const kept = await folder.subject(1, async () => ({ ...subject, lowDose: [...subject.lowDose, truth] }));
    const again = await (await openTrainingFolder(at, config)).subject(1, () => Promise.reject(new Error('made twice')));
    const memory = sourceOf({ ...subject, lowDose: [...subject.lowDose, truth] });
    for (const source of [kept, again]) {
      expect({ ...source, read: undefined }).toEqual({ ...memory, read: undefined });
      for (const volume of ['truth', 'anatomy', 0, 1] as const)
        for (const [first, count] of [
          [0, 10],
          [3, 4],
          [9, 1],
        ] as const)
          expect(source.read(volume, first, count)).toEqual(memory.read(volume, first, count));
    }
    await expect(openTrainingFolder(at, { ...config, seed: 6 })).rejects.toThrow(FormatError);
  });

  it('may share a cohort with other runs of the same one', async () => {
    const [one, two, cohort] = [fresh(), fresh(), fresh()];
    await (await openTrainingFolder(one, config, { cohort })).subject(1, async () => subject);
    const other = await openTrainingFolder(two, { ...config, steps: 99 }, { cohort });
    expect((await other.subject(1, () => Promise.reject(new Error('made twice')))).shape).toEqual(subject.shape);
    const changed = { ...config, cohort: { ...config.cohort, draws: 7 } };
    await expect(openTrainingFolder(fresh(), changed, { cohort })).rejects.toThrow(/another cohort/);
  });

  it('drops what was logged after the checkpoint, and lines that were cut short', async () => {
    const at = fresh();
    const folder = await openTrainingFolder(at, config);
    for (const step of [1, 2, 3]) await folder.log({ step });
    const state = adamState(new Float32Array(2));
    await folder.save({ step: 2, state, cpuSeconds: 1, progress: { pace: paceOf(config), best: 30, looksSince: 0 } });
    writeFileSync(join(at, 'log.jsonl'), '{"step":4,', { flag: 'a' });
    await folder.checkpoint();
    await folder.log({ step: 3, again: true });
    expect(readFileSync(join(at, 'log.jsonl'), 'utf8')).toBe('{"step":1}\n{"step":2}\n{"step":3,"again":true}\n');
  });
});
