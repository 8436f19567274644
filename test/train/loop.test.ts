import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { array } from '../../src/core/array.js';
import { FormatError } from '../../src/core/errors.js';
import type { Trainer } from '../../src/network/runner.js';
import { openTrainer } from '../../src/node/ort-trainer.js';
import { openTrainingFolder } from '../../src/node/training-folder.js';
import type { AdamState } from '../../src/train/adam.js';
import type { Subject } from '../../src/train/batch.js';
import { parseTrainingConfig } from '../../src/train/config.js';
import { architectureOf, learningRateAt, train } from '../../src/train/loop.js';

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
};
const copy = (state: AdamState): AdamState => structuredClone(state);

async function run(
  trainer: Trainer,
  until: number,
  resume?: { step: number; state: AdamState },
): Promise<{ state: AdamState; losses: number[] }> {
  const losses: number[] = [];
  let state: AdamState | undefined;
  for await (const step of train(config, [subject], trainer, { resume })) {
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
      await folder.save({ step: 5, state: half.state, cpuSeconds: 7 });
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
    for await (const { loss } of train(long, [subject], trainer)) losses.push(loss);
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
});

describe('a training folder', () => {
  it('keeps subjects, and refuses another configuration', async () => {
    const at = mkdtempSync(join(tmpdir(), 'coincide-'));
    const folder = await openTrainingFolder(at, config);
    await folder.subject(1, async () => subject);
    const again = await (await openTrainingFolder(at, config)).subject(1, () => Promise.reject(new Error('made twice')));
    expect(again).toEqual(subject);
    expect(array(again.shape, again.truth).get(9, 11, 8)).toBe(truth.at(-1));
    await expect(openTrainingFolder(at, { ...config, seed: 6 })).rejects.toThrow(FormatError);
  });
});
