import { describe, expect, it } from 'vitest';
import { fill, type Volume } from '../../src/core/array.js';
import { OptionError, ShapeError } from '../../src/core/errors.js';
import { interiorLabels, lesionRecovery } from '../../src/metrics/lesions.js';

const shape = [13, 15, 21] as const;
const voxelSize = [3, 2, 2.5] as const;
/** Distance from a voxel, mm. */
const far = (i: number, [z, y, x]: readonly [number, number, number]): number =>
  Math.hypot(
    (Math.floor(i / (15 * 21)) - z) * voxelSize[0],
    ((Math.floor(i / 21) % 15) - y) * voxelSize[1],
    ((i % 21) - x) * voxelSize[2],
  );
// Host 7 left of x = 15, 8 beyond; lesion 101 in 7, 102 beside it, 103 nowhere.
const labels = fill(shape, (i) => (far(i, [6, 7, 6]) < 5 ? 101 : far(i, [6, 7, 11]) < 4 ? 102 : i % 21 < 15 ? 7 : 8));
const values = (a: number, a2: number, host: number, other = 50): Volume =>
  fill(shape, (i) => ({ 101: a, 102: a2, 7: host, 8: other })[labels.data[i]!]!);

describe('lesionRecovery', () => {
  const options = { lesions: [101, 102, 103], voxelSize };
  it('is 1 for the truth, 0 for a flat image, and what the formula says between, in hot and cold', () => {
    const truth = values(8, 0.5, 2);
    const [hot, cold, none] = lesionRecovery(values(5, 1, 2, 900), truth, labels, options);
    expect(none).toBe(undefined);
    expect([hot!.label, hot!.crc, hot!.bias]).toEqual([101, (5 / 2 - 1) / (8 / 2 - 1), -37.5]);
    expect([cold!.label, cold!.crc, cold!.bias]).toEqual([102, (1 / 2 - 1) / (0.5 / 2 - 1), 100]);
    expect(lesionRecovery(truth, truth, labels, options).map(({ crc }) => crc)).toEqual([1, 1]);
    expect(lesionRecovery(values(3, 3, 3, 3), truth, labels, options).map(({ crc }) => Math.abs(crc))).toEqual([0, 0]);
  });

  it('knows size, and takes the host alone as background', () => {
    const truth = values(8, 0.5, 2);
    const [hot] = lesionRecovery(truth, truth, labels, options);
    expect(hot!.diameter / 10).toBeCloseTo(1, 0);
    // Neither the other lesion, nor the other tissue, nor what lies beyond the shell counts.
    const distant = fill(shape, (i) => (labels.data[i] === 7 && far(i, [6, 7, 6]) > 5 + 12 + 3 ? 1e4 : truth.data[i]!));
    expect(lesionRecovery(distant, truth, labels, { ...options, lesions: [101] })[0]!.crc).toBe(
      lesionRecovery(values(8, 0.5, 2, 1e4), truth, labels, { ...options, lesions: [101] })[0]!.crc,
    );
  });

  it('does not take a lesion for its own background, however little there is of the host', () => {
    const mostly = fill(shape, (i) => (i % 21 < 18 ? 101 : 7));
    const truth = fill(shape, (i) => (i % 21 < 18 ? 6 : 2));
    const image = fill(shape, (i) => (i % 21 < 18 ? 4 : 2));
    expect(lesionRecovery(image, truth, mostly, { lesions: [101], voxelSize })[0]!.crc).toBe((4 / 2 - 1) / (6 / 2 - 1));
  });

  it('leaves out lesions of next to no contrast, and refuses other shapes', () => {
    expect(lesionRecovery(values(2.1, 1, 2), values(2.1, 1, 2), labels, options).map(({ label }) => label)).toEqual([102]);
    expect(() =>
      lesionRecovery(
        fill([2, 2, 2], () => 1),
        labels,
        labels,
        options,
      ),
    ).toThrow(ShapeError);
  });
});

describe('interiorLabels', () => {
  it('peels layers off every region, borders of the volume included', () => {
    const one = fill([7, 7, 7], () => 4);
    const count = (v: Volume): number => v.data.filter((label) => label !== 0).length;
    expect([0, 1, 2, 3, 4].map((depth) => count(interiorLabels(one, depth)))).toEqual([343, 125, 27, 1, 0]);
    const two = fill([7, 7, 8], (i) => (i % 8 < 4 ? 4 : 5));
    const inner = interiorLabels(two, 1);
    expect(count(inner)).toBe(5 * 5 * 4);
    expect(inner.get(3, 3, 3)).toBe(0);
    expect(inner.get(3, 3, 2)).toBe(4);
    expect(() => interiorLabels(one, 0.5)).toThrow(OptionError);
  });
});
