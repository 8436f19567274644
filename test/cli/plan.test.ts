import { describe, expect, it } from 'vitest';
import { coincide, scratch } from './run.js';

describe('coincide info --plan', () => {
  it('plans a scan that has no file yet, and says how many subsets it needs', async () => {
    const scan = ['info', '--plan', '--scanner', 'Quadra', '--max-ring-difference', '85', '--size', '440', '--voxel', '1.65'];
    const { code, stdout } = await coincide([...scan, '--subsets', '5', '--threads', '2', '--json'], scratch());
    expect(code).toBe(0);
    const result = JSON.parse(stdout);
    expect(result).toMatchObject({ shape: [440, 440, 645], subsets: 5, fits: false, bins: 47923 * 399 * 520, engine: 'cpu' });
    expect(result.fewestSubsets).toBeGreaterThan(5);
    expect(result.secondsPerIteration).toBeGreaterThan(60);
    const words = await coincide([...scan, '--subsets', '5'], scratch());
    expect(words.stdout).toContain(`use ${result.fewestSubsets} subsets or more`);
  });

  it('refuses to plan or describe nothing', async () => {
    for (const [args, message] of [
      [['info', '--plan'], /--scanner NAME/],
      [['info'], /file or a folder/],
      [['info', '--plan', '--scanner', 'Nil'], /Unknown scanner/],
    ] as const) {
      const { code, stderr } = await coincide(args, scratch());
      expect([code, stderr]).toEqual([2, expect.stringMatching(message)]);
    }
  });
});
