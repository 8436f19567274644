import { describe, expect, it } from 'vitest';
import { adamState, adamStep } from '../../src/train/adam.js';

describe('AdamW', () => {
  it('moves by the learning rate in the direction of the gradient at its first step', () => {
    const state = adamState(Float32Array.of(1, -2, 3));
    adamStep(state, Float32Array.of(0.3, -0.02, 0), 1, { learningRate: 0.1, weightDecay: 0 });
    expect(state.parameters[0]).toBeCloseTo(0.9, 5);
    expect(state.parameters[1]).toBeCloseTo(-1.9, 5);
    expect(state.parameters[2]).toBe(3);
  });

  it('follows its formulas in double, decay decoupled', () => {
    const state = adamState(Float32Array.of(1, -2));
    const p = [1, -2];
    const m = [0, 0];
    const v = [0, 0];
    for (let k = 1; k <= 3; k++) {
      const g = [k * Math.sin(k) * 0.1, Math.cos(k) * 0.1];
      adamStep(state, Float32Array.from(g), k, { learningRate: 0.1, weightDecay: 0.1, clip: 1e9 });
      for (let i = 0; i < 2; i++) {
        p[i]! *= 1 - 0.1 * 0.1;
        m[i] = 0.9 * m[i]! + 0.1 * g[i]!;
        v[i] = 0.999 * v[i]! + 0.001 * g[i]! ** 2;
        p[i]! -= (0.1 * (m[i]! / (1 - 0.9 ** k))) / (Math.sqrt(v[i]! / (1 - 0.999 ** k)) + 1e-8);
      }
    }
    expect(state.parameters[0]).toBeCloseTo(p[0]!, 5);
    expect(state.parameters[1]).toBeCloseTo(p[1]!, 5);
  });

  it('shortens a long gradient to the clip and tells its norm', () => {
    const long = adamState(new Float32Array(2));
    const short = adamState(new Float32Array(2));
    expect(adamStep(long, Float32Array.of(30, 40), 1, { learningRate: 0.1 })).toBeCloseTo(50, 5);
    adamStep(short, Float32Array.of(0.6, 0.8), 1, { learningRate: 0.1 });
    expect([...long.firstMoment].map((x) => x.toFixed(5))).toEqual([...short.firstMoment].map((x) => x.toFixed(5)));
  });

  it('finds the minimum of a quadratic, and its average lags behind', () => {
    const state = adamState(Float32Array.of(5));
    const descend = (from: number, to: number): void => {
      for (let k = from; k <= to; k++)
        adamStep(state, Float32Array.of(state.parameters[0]! - 2), k, { learningRate: 0.05, weightDecay: 0 });
    };
    descend(1, 40);
    expect(state.average[0]!).toBeGreaterThan(state.parameters[0]!);
    descend(41, 400);
    expect(state.parameters[0]).toBeCloseTo(2, 1);
  });
});
