/** Golden values: torch.manual_seed(…); torch.randn(…) of PyTorch 1.13 on the CPU. */
import { describe, expect, it } from 'vitest';
import type { Volume } from '../../src/core/array.js';
import { OptionError } from '../../src/core/errors.js';
import { torchNoise } from '../../src/prior/torch-noise.js';

const near = ({ data }: Volume, values: readonly number[], at: readonly number[] = values.map((_, i) => i)): void => {
  values.forEach((value, k) => {
    expect(Math.abs(data[at[k]!]! - value)).toBeLessThan(1e-6);
  });
};

describe('torchNoise', () => {
  it('goes on from draw to draw, also where 16 does not divide the length', () => {
    const randn = torchNoise(10);
    near(randn([16]), [-0.817334, -0.555569, -0.82669, -1.296954, -0.197379, -0.964334, -0.513299, 2.627785, -0.746496]);
    near(
      randn([4, 5]),
      [
        0.829773, 1.120947, 0.999913, 1.116694, -2.180599, -1.109375, -2.041038, 0.033365, 1.629413, -2.11842, 0.782758, 0.93037,
        -1.115116, 0.149008, -1.092301, -1.455128, 1.335818, 0.307527, 0.627777, -0.100535,
      ],
    );
    const at = [0, 7, 8, 623, 624, 991, 992, 999];
    near(randn([1000]), [0.36902, -0.31377, 0.430091, 0.149601, -0.362784, -0.962512, 0.687107, 0.169732], at);
  });

  it('knows other seeds, and lengths beyond its state', () => {
    near(torchNoise(2 ** 40 + 3)([16]), [-0.076644, 0.359882, -0.782017]);
    near(torchNoise(0)([5000]), [-1.12584, 0.042046, -0.181966, 0.410142], [0, 4991, 4992, 4999]);
  });

  it('is standard normal, and refuses what PyTorch draws otherwise', () => {
    const { data } = torchNoise(5)([40, 50, 60]);
    const mean = data.reduce((sum, value) => sum + value, 0) / data.length;
    expect(Math.abs(mean)).toBeLessThan(0.01);
    expect(Math.abs(data.reduce((sum, value) => sum + value ** 2, 0) / data.length - 1)).toBeLessThan(0.02);
    expect(() => torchNoise(1)([3, 5])).toThrow(OptionError);
  });
});
