/** Projections of the viewer. */
import { expect, it } from 'vitest';
import { type Boxes, pooled, projection } from '../../page/view/mip.js';
import { fill } from '../../src/core/array.js';
import { random } from '../../src/core/random.js';
import { picture } from '../../src/node/png.js';

const { uniform } = random(3);
const shape = [5, 6, 8] as const;
const values = fill(shape, () => uniform());
const boxes = (over: Partial<Boxes> = {}): Boxes => ({ data: values.data, shape, voxelSize: [3, 2, 2], ...over });
const level = (value: number): number => 255 - Math.round(255 * value);

it('from the front and from the patient’s left it is the projection of the report', () => {
  for (const [angle, view, across] of [
    [0, 'coronal', 8],
    [90, 'sagittal', 6],
  ] as const) {
    const shown = projection(boxes(), angle);
    const expected = picture(values, view, 1);
    const margin = (shown.width - across) / 2;
    expect(shown.height).toBe(5);
    expect(shown.width).toBe(10); // √(16² + 12²) mm in pixels of 2 mm
    for (let row = 0; row < 5; row++) {
      const line = Array.from(shown.values.subarray(row * shown.width + margin, row * shown.width + margin + across), level);
      expect(line).toEqual([...expected.pixels.subarray(row * across, (row + 1) * across)]);
    }
  }
});

it('a point goes round: u = x cos φ + y sin φ, and is as bright from every side', () => {
  const [nz, n] = [1, 41];
  const data = new Float32Array(n * n);
  const [x, y] = [12, -7];
  // A spot of 3 × 3, so that no line of nearest voxels passes between.
  for (const j of [-1, 0, 1]) for (const i of [-1, 0, 1]) data[(20 + y + j) * n + 20 + x + i] = i === 0 && j === 0 ? 2 : 1.9;
  for (let angle = 0; angle < 360; angle += 15) {
    const { values: line, width } = projection({ data, shape: [nz, n, n], voxelSize: [1, 1, 1] }, angle);
    const top = Math.max(...line);
    expect(top).toBeGreaterThan(1.8);
    const lit = [...line.keys()].filter((column) => line[column]! > 0);
    const u = (width - 1) / 2 - lit.reduce((sum, column) => sum + column, 0) / lit.length;
    const phi = (angle * Math.PI) / 180;
    expect(Math.abs(u - (x * Math.cos(phi) + y * Math.sin(phi)))).toBeLessThan(1);
  }
});

it('keeps the largest value when voxels are put together, and leaves small volumes alone', () => {
  const small = pooled(boxes(), 4);
  expect(small.shape).toEqual([3, 3, 4]);
  expect(small.voxelSize).toEqual([6, 4, 4]);
  expect(small.data[0]).toBe(Math.max(...[0, 1, 8, 9, 48, 49, 56, 57].map((i) => values.data[i]!)));
  expect(small.data.at(-1)).toBe(Math.max(...[5 * 48 - 1, 5 * 48 - 2, 5 * 48 - 9, 5 * 48 - 10].map((i) => values.data[i]!)));
  const same = boxes();
  expect(pooled(same, 8)).toBe(same);
});
