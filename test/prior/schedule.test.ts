import { describe, expect, it } from 'vitest';
import { OptionError } from '../../src/core/errors.js';
import { cosine, discrete, linearAlphaBar, posteriorTable, sigmaLadder, spacedTimesteps } from '../../src/prior/schedule.js';

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

describe('posteriorTable', () => {
  const table = posteriorTable();
  // The published code's tables (float64): β, ᾱ, ln β̃ clipped, ln β, c₁, c₂.
  it.each([
    [0, 0.9999, -9.816725135, -9.210340372, 1, 0],
    [1, 0.9997800921, -9.816725135, -9.028686372, 0.5452914995, 0.454708499],
    [2, 0.999640283, -9.367121497, -8.875012791, 0.3887068359, 0.6112931603],
    [10, 0.9978065725, -8.260755607, -8.114400988, 0.1362778598, 0.8637220693],
    [100, 0.8951415909, -6.187696715, -6.169638561, 0.01889545559, 0.9810761026],
    [500, 0.07779665837, -4.60004974, -4.599192094, 0.003058057076, 0.9941043508],
    [999, 4.035829765e-5, -3.912023829, -3.912023005, 1.283514872e-4, 0.9899486783],
  ])('at t = %d is the published one', (t, alphaBar, logPosterior, logBeta, c1, c2) => {
    const found = [table.alphaBar[t], table.logPosterior[t], table.logBeta[t], table.cleanWeight[t], table.noisyWeight[t]];
    [alphaBar, logPosterior, logBeta, c1, c2].forEach((value, i) => {
      expect(Math.abs(found[i]! - value)).toBeLessThan(3e-9 * Math.max(1, Math.abs(value)));
    });
  });

  it.each([[1000], [250], [50], [7]])(
    'with %d timesteps, leads from the marginal at one to the marginal at the next',
    (count) => {
      const {
        alphaBar,
        logPosterior,
        cleanWeight: c1,
        noisyWeight: c2,
      } = posteriorTable(linearAlphaBar(), spacedTimesteps(count));
      for (let i = 1; i < count; i++) {
        const before = alphaBar[i - 1]!;
        expect(c1[i]! + c2[i]! * Math.sqrt(alphaBar[i]!)).toBeCloseTo(Math.sqrt(before), 12);
        expect(c2[i]! ** 2 * (1 - alphaBar[i]!) + Math.exp(logPosterior[i]!)).toBeCloseTo(1 - before, 12);
      }
    },
  );

  it('spaces timesteps as the published code does', () => {
    expect(spacedTimesteps(50).slice(0, 5)).toEqual([0, 20, 41, 61, 82]);
    expect(spacedTimesteps(50).slice(-4)).toEqual([938, 958, 979, 999]);
    expect(spacedTimesteps(25).slice(0, 5)).toEqual([0, 42, 83, 125, 166]);
    expect(spacedTimesteps(1000)).toEqual(Array.from({ length: 1000 }, (_, t) => t));
    expect(spacedTimesteps(5, 11)).toEqual([0, 2, 5, 8, 10]); // 2.5 and 7.5 go to the even neighbour
  });

  it('refuses timesteps that are none', () => {
    expect(() => posteriorTable(linearAlphaBar(), [0, 5, 5])).toThrow(OptionError);
    expect(() => posteriorTable(linearAlphaBar(), [0, 1000])).toThrow(OptionError);
    expect(() => spacedTimesteps(1)).toThrow(OptionError);
    expect(() => spacedTimesteps(1001)).toThrow(OptionError);
  });
});
