import { describe, expect, it } from 'vitest';
import { total } from '../../src/core/array.js';
import { GeometryError, OptionError } from '../../src/core/errors.js';
import { centredGrid, type Grid, type PetImage } from '../../src/core/image.js';
import { contrastRecovery, regionStatistics } from '../../src/metrics/regions.js';
import { type Phantom, phantom, phantomGrid, phantomKinds } from '../../src/simulate/phantom.js';
import type { Tracer } from '../../src/simulate/tissues.js';

const field: Grid = centredGrid([15, 47, 49], [8.5, 8.1, 7.8]);
/** Label at a place of the world, mm. */
function at({ labels: { grid, values } }: Phantom, z: number, y: number, x: number): string | undefined {
  const index = [z, y, x].map((p, axis) => Math.round((p - grid.origin[axis]!) / grid.voxelSize[axis]!)) as [
    number,
    number,
    number,
  ];
  return names.get(values.get(...index));
}
let names = new Map<number, string>();
function made(...args: Parameters<typeof phantom>): Phantom {
  const p = phantom(...args);
  names = new Map(Object.entries(p.names).map(([label, name]) => [Number(label), name]));
  return p;
}
const differing = (a: Float32Array, b: Float32Array): number => a.reduce((n, v, i) => n + (v === b[i] ? 0 : 1), 0);
/** Mean position (z, y, x in mm) of the voxels of a label. */
function centroid({ labels: { grid, values } }: Phantom, name: string): number[] {
  const [, ny, nx] = grid.shape;
  const sum = [0, 0, 0];
  let n = 0;
  values.data.forEach((label, i) => {
    if (names.get(label) !== name) return;
    n++;
    [Math.floor(i / (ny * nx)), Math.floor(i / nx) % ny, i % nx].forEach((k, axis) => {
      sum[axis]! += grid.origin[axis]! + k * grid.voxelSize[axis]!;
    });
  });
  return sum.map((s) => s / n);
}

describe.each(phantomKinds)('phantom %s', (kind) => {
  const coarse = kind === 'wholebody' ? phantomGrid(kind, 18) : field;
  it('repeats for a seed, and differs between seeds', () => {
    const data = (seed?: number): Float32Array => phantom(kind, { grid: coarse, seed }).activity.values.data;
    const [five, canonical] = [data(5), data()];
    expect(differing(five, data(5))).toBe(0);
    expect(differing(canonical, data(0))).toBe(0);
    expect(differing(five, data(6))).toBeGreaterThan(100);
    expect(differing(five, canonical)).toBeGreaterThan(100);
  });

  it('is finite, non-negative, named, within the grid, with units', () => {
    for (const seed of [0, 3]) {
      const p = made(kind, { grid: coarse, seed });
      expect([p.activity.unit, p.mu.unit, p.labels.unit]).toEqual(['SUV', '1/cm', 'label']);
      for (const { values } of [p.activity, p.mu]) expect(values.data.every((v) => v >= 0 && Number.isFinite(v))).toBe(true);
      expect(Math.max(...p.mu.values.data)).toBeLessThan(0.17);
      expect([...new Set(p.labels.values.data)].filter((label) => label !== 0 && !names.has(label))).toEqual([]);
      // Air surrounds the patient: nothing is cut at the sides of a grid as wide as the field of view.
      const [nz, ny, nx] = coarse.shape;
      let cut = 0;
      for (let z = 0; z < nz; z++) for (let y = 0; y < ny; y++) cut += p.mu.values.get(z, y, 0) + p.mu.values.get(z, y, nx - 1);
      expect(cut).toBe(0);
    }
  });
});

describe('cylinder', () => {
  it('holds the activity of its volume', () => {
    const grid = centredGrid([5, 71, 69], [4, 3.1, 3.3]);
    const sum = total(phantom('cylinder', { grid }).activity.values) * 4 * 3.1 * 3.3;
    expect(sum / (Math.PI * 100 ** 2 * 20)).toBeCloseTo(1, 3);
  });
});

describe('nema-iq', () => {
  it('has spheres of their volume at four times the background, in the plane z = 0', () => {
    const grid = centredGrid([21, 75, 79], [2, 2, 2]);
    const p = made('nema-iq', { grid });
    const excess = total(p.activity.values) * 8;
    const without = phantom('nema-iq', { grid: { ...grid, origin: [200, grid.origin[1], grid.origin[2]] } });
    const spheres = [10, 13, 17, 22, 28, 37].reduce((sum, d) => sum + (Math.PI / 6) * d ** 3, 0);
    expect((excess - total(without.activity.values) * 8) / (3 * spheres)).toBeCloseTo(1, 2);
    expect(at(p, 0, 0, 0)).toBe('low density');
    expect(centroid(p, 'sphere 37 mm')[0]).toBeCloseTo(0, 6);
    expect(Math.hypot(...centroid(p, 'sphere 37 mm'))).toBeCloseTo(57.2, 0);
  });

  it('can have its two largest spheres cold, and recovers its own contrast', () => {
    const { activity, labels } = phantom('nema-iq', { coldSpheres: true });
    const mean = new Map(regionStatistics(activity.values, labels.values).map((r) => [r.label, r.mean]));
    expect(mean.get(106)).toBeLessThan(0.15);
    expect(mean.get(104)).toBeGreaterThan(3);
    for (const lesion of [101, 106]) {
      const options = { lesion, background: 30 };
      expect(contrastRecovery(activity.values, activity.values, labels.values, options)).toBe(1);
    }
  });

  it('lies on its flat back', () => {
    const p = made('nema-iq');
    expect([at(p, 0, -106, 100), at(p, 0, 106, 100)]).toEqual(['water', undefined]);
  });
});

describe('thorax', () => {
  it('has its organs on the sides where a patient has them (RAS+)', () => {
    const p = made('thorax', { grid: centredGrid([40, 63, 65], [6, 6, 6]) });
    const [heart, liver, spleen, marrow, oesophagus] = ['myocardium', 'liver', 'spleen', 'spinal cord', 'oesophagus'].map(
      (name) => centroid(p, name),
    ) as number[][];
    expect(heart![2]).toBeLessThan(-25); // left
    expect(spleen![2]).toBeLessThan(-60);
    expect(liver![2]).toBeGreaterThan(30); // right
    expect(marrow![1]).toBeLessThan(-60); // posterior
    expect(heart![1]).toBeGreaterThan(0); // anterior
    expect(liver![0]).toBeLessThan(heart![0]! - 40); // inferior
    expect(oesophagus![1]).toBeLessThan(-25);
    expect(at(p, 20, 0, 80)).toBe('lung');
    expect(at(p, 20, 0, -90)).toBe('lung');
  });

  it('has the uptake of its tracer', () => {
    const uptake = (p: Phantom): Map<string, number> =>
      new Map(regionStatistics(p.activity.values, p.labels.values).map(({ label, mean }) => [names.get(label)!, mean]));
    const grid = centredGrid([27, 60, 60], [6, 6, 6]);
    const fdg = uptake(made('thorax', { grid }));
    expect(fdg.get('liver')! / fdg.get('blood')!).toBeCloseTo(2.2 / 1.6, 0);
    expect(fdg.get('myocardium')!).toBeGreaterThan(4);
    const psma = uptake(made('thorax', { grid, tracer: 'psma' }));
    expect(psma.get('myocardium')!).toBeLessThan(2);
    expect(psma.get('liver')!).toBeGreaterThan(4);
  });

  it('shows the same subject on every grid', () => {
    const mean = (image: PetImage): number => total(image.values) / image.values.data.length;
    const fine = phantom('thorax', { seed: 9, grid: centredGrid([20, 76, 76], [6, 5, 5]) });
    const rough = phantom('thorax', { seed: 9, grid: centredGrid([10, 38, 38], [12, 10, 10]) });
    expect(mean(rough.activity) / mean(fine.activity)).toBeCloseTo(1, 1);
    expect(mean(rough.mu) / mean(fine.mu)).toBeCloseTo(1, 2);
  });

  it('varies lesions in number and uptake', () => {
    const lesions = [1, 2, 3, 4, 5, 6, 7, 8].map(
      (seed) => Object.keys(phantom('thorax', { seed, grid: field }).names).filter((label) => Number(label) > 100).length,
    );
    expect(Math.max(...lesions)).toBeLessThanOrEqual(6);
    expect(new Set(lesions).size).toBeGreaterThan(2);
  });
});

describe('brain', () => {
  it('has grey matter about three times as active as white, a third to two thirds of the brain', () => {
    const p = made('brain', { grid: centredGrid([41, 71, 53], [3, 2.5, 2.7]) });
    const regions = new Map(regionStatistics(p.activity.values, p.labels.values).map((r) => [names.get(r.label)!, r]));
    const grey = regions.get('grey matter')!;
    const white = regions.get('white matter')!;
    expect(grey.mean / white.mean).toBeGreaterThan(2); // 3.2 less partial volume
    expect(grey.voxels / (grey.voxels + white.voxels)).toBeGreaterThan(0.33);
    expect(grey.voxels / (grey.voxels + white.voxels)).toBeLessThan(0.67);
    expect(centroid(p, 'cerebellum')[1]).toBeLessThan(-30);
    expect(centroid(p, 'cerebellum')[0]).toBeLessThan(-20);
    expect(centroid(p, 'lesion, white matter 15 mm')[2]).toBeLessThan(-20); // left
  });
});

describe('wholebody', () => {
  const uptake = (tracer: Tracer): Map<string, number> => {
    const p = made('wholebody', { tracer, grid: phantomGrid('wholebody', 12) });
    return new Map(regionStatistics(p.activity.values, p.labels.values).map(({ label, mean }) => [names.get(label)!, mean]));
  };
  const falls = (of: Map<string, number>, ...tissues: string[]): void => {
    tissues.slice(1).forEach((tissue, i) => {
      expect(of.get(tissue), `${tissue} below ${tissues[i]}`).toBeLessThan(of.get(tissues[i]!)!);
    });
  };

  it('has its organs from crown to thighs, where a patient has them', () => {
    const p = made('wholebody', { grid: phantomGrid('wholebody', 9) });
    const z = (name: string): number => centroid(p, name)[0]!;
    const order = ['grey matter', 'parotid gland', 'thyroid', 'myocardium', 'spleen', 'kidney', 'urine', 'testis'];
    order.slice(1).forEach((name, i) => {
      expect(z(name), `${name} below ${order[i]}`).toBeLessThan(z(order[i]!));
    });
    expect(centroid(p, 'liver')[2]).toBeGreaterThan(20); // right
    expect(centroid(p, 'spleen')[2]).toBeLessThan(-60);
    expect(at(p, -600, 0, 0)).toBe(undefined); // between the thighs
    expect(at(p, 450, 0, 0)).toBe(undefined); // above the crown: no spine goes on
  });

  it('looks as its tracer does', () => {
    falls(uptake('fdg'), 'urine', 'grey matter', 'myocardium', 'liver', 'blood', 'muscle');
    const psma = uptake('psma');
    falls(psma, 'kidney', 'spleen', 'liver', 'blood', 'muscle');
    falls(psma, 'kidney', 'parotid gland', 'liver');
    falls(uptake('dotatate'), 'spleen', 'kidney', 'liver', 'blood', 'grey matter');
    falls(uptake('fapi'), 'urine', 'liver', 'marrow', 'grey matter');
    falls(uptake('amyloid'), 'liver', 'white matter', 'grey matter');
  });

  it('is a man without a womb in scans for prostate cancer, and either else', () => {
    const tiny = centredGrid([1, 1, 1], [9, 9, 9]); // names come from the parts
    const seeds = Array.from({ length: 12 }, (_, i) => i + 1);
    const women = (tracer: Tracer): number =>
      seeds.filter((seed) => Object.values(phantom('wholebody', { seed, tracer, grid: tiny }).names).includes('uterus')).length;
    expect(women('psma')).toBe(0);
    expect(women('fdg')).toBeGreaterThan(0);
    expect(women('fdg')).toBeLessThan(12);
  });

  it('has its arms where it is told', () => {
    const chest = { ...centredGrid([3, 30, 60], [40, 10, 10]), origin: [-140, -145, -295] as const };
    const width = (arms: 'up' | 'down'): number => {
      const { shape, data } = phantom('wholebody', { arms, grid: chest }).mu.values as never as {
        shape: number[];
        data: Float32Array;
      };
      const across = new Set<number>();
      data.forEach((value, i) => {
        if (value > 0.05) across.add(i % shape[2]!);
      });
      return across.size;
    };
    expect(width('down')).toBeGreaterThan(width('up') + 8);
  });

  it('has lesions that the μ map does not show', () => {
    let unseen = 0;
    let seen = 0;
    for (let seed = 1; seed <= 8; seed++) {
      const p = made('wholebody', { seed, grid: centredGrid([19, 16, 26], [9, 9, 9]) });
      regionStatistics(p.mu.values, p.labels.values).forEach(({ label, mean }) => {
        if (names.get(label) === undefined || !/lesion, (right|left) lung/.test(names.get(label)!)) return;
        if (mean < 0.05) unseen++;
        else seen++;
      });
    }
    expect(unseen).toBeGreaterThan(0);
    expect(seen).toBeGreaterThan(0);
  });
});

describe('refusals', () => {
  it('names what is wrong', () => {
    expect(() => phantom('teapot' as never)).toThrow(OptionError);
    expect(() => phantom('brain', { seed: 1.5 })).toThrow(OptionError);
    expect(() => phantom('brain', { tracer: 'water' as never })).toThrow(OptionError);
    expect(() => phantom('brain', { grid: { shape: [1, 1, 0], voxelSize: [1, 1, 1], origin: [0, 0, 0] } })).toThrow(
      GeometryError,
    );
  });
});
