import { describe, expect, it } from 'vitest';
import { evaluationPlan } from '../../src/network/guided-plan.js';
import { published } from './guided-models.js';

describe('evaluationPlan', () => {
  const network = published(128);

  it('fits the published patch into 8 GB, and uses more where there is more', () => {
    const small = evaluationPlan(network, [96, 192, 288], 8e9);
    expect(small.streaming).toEqual({ slices: 1, half: true });
    expect(small.bytes).toBeLessThan(8e9);
    const large = evaluationPlan(network, [96, 192, 288], 32e9);
    expect(large.streaming).toEqual({ slices: 8, half: false });
    expect(large.bytes).toBeGreaterThan(10e9);
  });

  it('names what it would take where nothing fits', () => {
    expect(evaluationPlan(network, [96, 192, 288], 4e9).bytes).toBeGreaterThan(4e9);
  });

  it('evaluates networks with attention whole, and counts the weights between all voxels', () => {
    const attentive = { ...network, attention: { levels: [2], middle: true }, headChannels: 64 };
    const plan = evaluationPlan(attentive, [16, 64, 64], 8e9);
    expect(plan.streaming).toBeUndefined();
    const voxels = 16 * 16 * 16;
    expect(plan.bytes).toBeGreaterThan(4 * 4 * voxels ** 2);
    const wider = evaluationPlan(attentive, [32, 64, 64], 8e9);
    expect(wider.bytes).toBeGreaterThan(2 * plan.bytes);
  });
});
