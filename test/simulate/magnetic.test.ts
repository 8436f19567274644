import { expect, it } from 'vitest';
import { centredGrid } from '../../src/core/image.js';
import { regionStatistics } from '../../src/metrics/regions.js';
import { magneticResonance } from '../../src/simulate/magnetic.js';
import { phantom } from '../../src/simulate/phantom.js';

it('looks like MR of the same head: white above grey above fluid, no signal in air, and no unit of PET in it', async () => {
  const { labels, names, activity } = phantom('brain', { grid: centredGrid([31, 40, 34], [4, 5, 5.5]) });
  const image = await magneticResonance(labels, 7);
  const mean = new Map(regionStatistics(image, labels.values).map((r) => [names[r.label], r.mean]));
  const order = ['white matter', 'thalamus', 'CSF', 'skull'];
  order.slice(1).forEach((name, i) => {
    expect(mean.get(name)!, name).toBeLessThan(mean.get(order[i]!)!);
  });
  const air = image.data.filter((_, i) => labels.values.data[i] === 0);
  expect(air.filter((value) => value === 0).length / air.length).toBeGreaterThan(0.8);
  expect(Math.min(...image.data)).toBe(0);
  // Grey matter takes up three times what white does; here it is the darker one.
  const uptake = new Map(regionStatistics(activity.values, labels.values).map((r) => [names[r.label], r.mean]));
  expect(uptake.get('grey matter')!).toBeGreaterThan(uptake.get('white matter')!);
  expect(mean.get('grey matter')!).toBeLessThan(mean.get('white matter')!);
  expect((await magneticResonance(labels, 7)).data).toEqual(image.data);
  expect((await magneticResonance(labels, 8)).data).not.toEqual(image.data);
});
