import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fill, type NdArray } from '../../src/core/array.js';
import { GeometryError, ShapeError } from '../../src/core/errors.js';
import { centredGrid, type Grid } from '../../src/core/image.js';
import { random } from '../../src/core/random.js';
import type { Lines } from '../../src/geometry/lines.js';
import { scannerByName } from '../../src/geometry/scanners.js';
import { sinogramLayout } from '../../src/geometry/sinogram.js';
import { tofCentres, tofLengths } from '../../src/geometry/tof.js';
import { openCpuEngine } from '../../src/node/kernel-pool.js';
import { type ProjectorEngine, referenceEngine } from '../../src/projector/engine.js';
import type { LineTof } from '../../src/projector/joseph.js';
import { erf, tofReach, tofTable, tofWeight } from '../../src/projector/tof-weight.js';
import { expectMatchedTranspose, maxDifference, noise } from '../laws.js';
import { engines, oddGrids } from './engines.js';

/** Long lines through the middle of a grid, most of them oblique. */
function lines(grid: Grid, n: number): Lines {
  const { normal, uniform } = random(11);
  const start = new Float32Array(3 * n);
  const end = new Float32Array(3 * n);
  for (let i = 0; i < n; i++) {
    const angle = 2 * Math.PI * uniform();
    const out = [60 * normal(), 150 * Math.sin(angle), 150 * Math.cos(angle)];
    for (let axis = 0; axis < 3; axis++) {
      const middle = grid.origin[axis]! + ((grid.shape[axis]! - 1) / 2) * grid.voxelSize[axis]! + 10 * normal();
      start[3 * i + axis] = middle - out[axis]!;
      end[3 * i + axis] = middle + out[axis]!;
    }
  }
  return { start, end };
}
const someBins = (n: number, width: number, sigma: number): LineTof => ({
  ...{ width, sigma },
  centre: Float32Array.from({ length: n }, (_, i) => ((i % 7) - 3) * width),
});

describe('erf', () => {
  it('has its published values', () => {
    // Abramowitz & Stegun, table 7.1.
    for (const [x, value] of [
      [0, 0],
      [0.5, 0.5204998778],
      [1, 0.8427007929],
      [2, 0.995322265],
      [-1.5, -0.9661051465],
    ] as const) {
      expect(erf(x)).toBeCloseTo(value, 10);
    }
    expect([erf(7), erf(-9)]).toEqual([1, -1]);
  });
});

describe('tofWeight', () => {
  it('is the share of a Gaussian that falls into the bin', () => {
    const [width, sigma] = [30, 25];
    for (const distance of [0, 12, -40, 71]) {
      let share = 0;
      for (let i = 0; i < 1000; i++) {
        const x = (distance - width / 2 + ((i + 0.5) * width) / 1000) / sigma;
        share += (Math.exp(-0.5 * x * x) * width) / 1000 / sigma / Math.sqrt(2 * Math.PI);
      }
      // Cut at 3 σ, what is missing is shared out among the bins.
      expect(tofWeight({ width, sigma }, distance)).toBeCloseTo(share, 3);
      expect(tofWeight({ width, sigma, sigmas: 8 }, distance)).toBeCloseTo(share, 6);
    }
  });

  it('adds up to 1 over the bins, and ends at its reach', () => {
    for (const tof of [
      { width: 20, sigma: 40 },
      { width: 30, sigma: 27 },
      { width: 100, sigma: 20, sigmas: 4 },
    ]) {
      for (let at = 0; at < tof.width; at += tof.width / 9) {
        let sum = 0;
        for (let bin = -60; bin <= 60; bin++) sum += tofWeight(tof, at - bin * tof.width);
        expect(sum).toBeCloseTo(1, 12);
      }
      expect(tofWeight(tof, tofReach(tof))).toBe(0);
      const { values, bits, zero, near } = tofTable(tof);
      for (let x = -tofReach(tof) / tof.width + 1e-6; x < tofReach(tof) / tof.width; x += 0.00737) {
        const start = Math.abs(x - Math.round(x)) > near ? values.length / 2 : 0;
        const place = start + zero + x * 2 ** bits;
        const below = Math.floor(place);
        const between = values[below]! + (place - below) * (values[below + 1]! - values[below]!);
        expect(Math.abs(between - tofWeight(tof, x * tof.width))).toBeLessThan(1e-5 * Math.max(...values));
      }
    }
  });
});

describe('tofCentres', () => {
  it('counts upwards towards detector 1, the start of the line', () => {
    const layout = sinogramLayout(scannerByName('mCT'), { tofMash: 1 });
    const centres = tofCentres(layout);
    expect(tofLengths(layout).width).toBeCloseTo(46.7676, 3);
    expect(tofLengths(layout).sigma).toBeCloseTo(35.329, 3);
    expect([centres[0]! > 0, centres[6], centres[7]! < 0]).toEqual([true, 0, true]);
    expect(centres[0]).toBeCloseTo(6 * 46.7676, 2);
    expect(() => tofLengths(sinogramLayout(scannerByName('mMR'), { span: 11 }))).toThrow(GeometryError);
  });
});

describe.each(engines)('lines with time of flight, %s engine', (_, open) => {
  let engine: ProjectorEngine;
  beforeAll(async () => {
    engine = await open();
  });
  afterAll(() => engine.dispose());

  it('has an adjoint that is the transpose, entry by entry', async () => {
    const grid = centredGrid([5, 4, 6], [9, 17, 22]);
    await expectMatchedTranspose(engine.lineProjector(lines(grid, 50), grid, someBins(50, 21, 14)));
  });

  it('adds up to the line without, over all bins', async () => {
    const grid = oddGrids[1]![1];
    const n = 80;
    const one = lines(grid, n);
    const [width, sigma, bins] = [40, 30, 21];
    const image = noise(grid.shape);
    const sum = new Float64Array(n);
    for (let bin = 0; bin < bins; bin++) {
      const centre = new Float32Array(n).fill((bin - (bins - 1) / 2) * width);
      const { data } = await engine.lineProjector(one, grid, { width, sigma, centre }).forward(image);
      data.forEach((value, i) => {
        sum[i]! += value;
      });
    }
    const whole = await engine.lineProjector(one, grid).forward(image);
    expect(
      maxDifference(
        fill([n], (i) => sum[i]!),
        whole,
      ),
    ).toBeLessThan(3e-6);
  });

  it('puts a point where it is, on lines of any slope', async () => {
    const grid: Grid = centredGrid([41, 41, 41], [4, 4, 4]);
    const image = fill(grid.shape, (i) => (i === (20 * 41 + 20) * 41 + 20 ? 1 : 0));
    const [width, sigma, bins] = [20, 24, 41];
    for (const direction of [
      [0, 1, 0],
      [0.6, 0, 1],
      [-0.4, 0.7, -0.7],
      [0.9, -1, 0.4],
    ]) {
      // The middle of the line lies 50 mm before the point.
      const length = Math.hypot(...direction);
      const along = (t: number): Float32Array => Float32Array.from(direction, (d) => (d / length) * t);
      const ends = { start: along(-350), end: along(250) };
      let mass = 0;
      let moment = 0;
      for (let bin = 0; bin < bins; bin++) {
        const centre = (bin - (bins - 1) / 2) * width;
        const [value] = (await engine.lineProjector(ends, grid, { width, sigma, centre: Float32Array.of(centre) }).forward(image))
          .data;
        mass += value!;
        moment += value! * centre;
      }
      expect(moment / mass).toBeCloseTo(50, 2);
    }
  });

  it('refuses bins that do not fit', () => {
    const grid = centredGrid([3, 3, 3], [1, 1, 1]);
    const two = lines(grid, 2);
    expect(() => engine.lineProjector(two, grid, someBins(3, 20, 20))).toThrow(ShapeError);
    expect(() => engine.lineProjector(two, grid, someBins(2, 20, 0))).toThrow(GeometryError);
    expect(() => engine.lineProjector(two, grid, { ...someBins(2, 20, 5), centre: Float32Array.of(0, Number.NaN) })).toThrow(
      GeometryError,
    );
  });
});

it('the cpu engine computes what the reference does, for any number of threads', async () => {
  const [one, two, three] = await Promise.all([1, 2, 3].map((threads) => openCpuEngine({ threads })));
  const reference = referenceEngine();
  for (const [, grid] of oddGrids) {
    const rays = lines(grid, 2000);
    const tof = someBins(2000, 25, 18);
    const results: NdArray[] = [];
    for (const engine of [reference, one!, two!, three!]) {
      const operator = engine.lineProjector(rays, grid, tof);
      results.push(await operator.forward(noise(operator.inShape, 2)), await operator.adjoint(noise(operator.outShape, 3)));
    }
    const [forward, adjoint, fast, back, ...others] = results;
    expect(maxDifference(fast!, forward!)).toBeLessThan(2e-5);
    expect(maxDifference(back!, adjoint!)).toBeLessThan(2e-5);
    others.forEach((array, i) => {
      expect(Buffer.from(array.data.buffer).equals(Buffer.from((i % 2 === 0 ? fast : back)!.data.buffer))).toBe(true);
    });
  }
  await Promise.all([one, two, three].map((engine) => engine!.dispose()));
});
