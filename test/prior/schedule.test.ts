import { describe, expect, it } from 'vitest';
import { OptionError } from '../../src/core/errors.js';
import { cosine, discrete, linearAlphaBar, sigmaLadder } from '../../src/prior/schedule.js';

describe('cosine schedule', () => {
  it('has σ = sin/cos of πt/2, and t back from σ', () => {
    for (const t of [0, 0.01, 0.3, 0.5, 0.77, 0.99]) {
      const [alpha, sigmaVp] = [Math.cos((Math.PI * t) / 2), Math.sin((Math.PI * t) / 2)];
      expect(cosine.sigma(t)).toBeCloseTo(sigmaVp / alpha, 10);
      expect(1 / Math.sqrt(1 + cosine.sigma(t) ** 2)).toBeCloseTo(alpha, 12);
      expect(cosine.time(cosine.sigma(t))).toBeCloseTo(t, 12);
    }
    expect(cosine.sigma(0.3)).toBeCloseTo(0.5095, 4);
    expect(cosine.sigma(0.5)).toBeCloseTo(1, 12);
  });
});

describe('linear β', () => {
  // ᾱ and σ to the figures given by two public tables of the schedule 1e-4 … 0.02, T = 1000.
  it.each([
    [10, 0.998, 0.047],
    [50, 0.97, 0.176],
    [100, 0.895, 0.342],
    [199, 0.659, 0.719],
    [300, 0.394, 1.24],
    [500, 0.078, 3.44],
    [999, 4e-5, 157],
  ])('at t = %d has ᾱ %d and σ %d', (t, alphaBar, sigma) => {
    expect(Number(linearAlphaBar()[t]!.toPrecision(alphaBar < 0.01 ? 1 : alphaBar < 0.1 ? 2 : 3))).toBe(alphaBar);
    expect(Math.abs(discrete().sigma(t) / sigma - 1)).toBeLessThan(0.012);
  });

  it('begins with 1 − β₀ and falls by the factor 1 − β', () => {
    const table = linearAlphaBar();
    expect(table[0]).toBeCloseTo(0.9999, 12);
    expect(table[999]! / table[998]!).toBeCloseTo(0.98, 12);
  });

  it('turns timesteps into σ and back, also between them, and holds α = √ᾱ', () => {
    const schedule = discrete();
    const table = linearAlphaBar();
    for (const t of [0, 1, 17, 500, 998, 999]) {
      expect(1 / (1 + schedule.sigma(t) ** 2)).toBeCloseTo(table[t]!, 12);
      expect(schedule.time(schedule.sigma(t))).toBeCloseTo(t, 8);
    }
    for (const t of [0.5, 3.25, 998.5]) expect(schedule.time(schedule.sigma(t))).toBeCloseTo(t, 8);
    expect([schedule.sigmaMin, schedule.sigmaMax]).toEqual([schedule.sigma(0), schedule.sigma(999)]);
    expect(schedule.sigma(17.5)).toBeGreaterThan(schedule.sigma(17));
  });

  it('refuses a table that does not decrease', () => {
    expect(() => discrete([0.9, 0.95])).toThrow(OptionError);
    expect(() => discrete([0.9, 0])).toThrow(OptionError);
    expect(() => discrete([1, 0.9])).toThrow(OptionError);
    expect(() => discrete([0.9])).toThrow(OptionError);
  });
});

describe('sigmaLadder', () => {
  it('falls from t₀ in equal times to 0', () => {
    const ladder = sigmaLadder(0.3, 6);
    expect(ladder.length).toBe(7);
    expect(ladder[0]).toBeCloseTo(cosine.sigma(0.3), 12);
    expect(ladder[2]).toBeCloseTo(cosine.sigma(0.2), 12);
    expect(ladder[6]).toBe(0);
    expect(sigmaLadder(999, 100, discrete())[100]).toBe(0);
    expect(sigmaLadder(999, 100, discrete())[0]).toBeCloseTo(discrete().sigma(999), 8);
    for (const [i, sigma] of sigmaLadder(999, 100, discrete()).entries()) {
      if (i > 0) expect(sigma).toBeLessThan(sigmaLadder(999, 100, discrete())[i - 1]!);
    }
  });

  it('refuses times the schedule does not have', () => {
    expect(() => sigmaLadder(1, 6)).toThrow(/t0/);
    expect(() => sigmaLadder(0, 6)).toThrow(/t0/);
    expect(() => sigmaLadder(0.3, 0)).toThrow(/steps/);
    expect(() => sigmaLadder(0.3, 2.5)).toThrow(/steps/);
  });
});
