import { expect, it } from 'vitest';
import { cardUse, coresAllowed, type Situation, slowness } from '../../src/cli/doctor-advice.js';

const idle: Situation = {
  load: 0.3,
  cores: 8,
  usable: 8,
  freeGiB: 20,
  node: '22.1.0',
  why: 'No Vulkan driver is installed. Install it.',
};
const about = (lines: readonly string[]): string => lines.join('\n');

it('finds nothing on an idle machine, and says how to plan', () => {
  expect(slowness(idle)).toEqual(['Nothing here slows it.', expect.stringContaining('--plan')]);
});

it.each([
  ['a load of as many again takes twice the time', { load: 8.6 }, /load 8\.6 on 8.* 2 times/],
  ['cores that are withheld', { usable: 2 }, /Only 2 of the 8 cores.*container/],
  ['little memory', { freeGiB: 0.5 }, /Only 0\.5 GiB.*--subsets/],
  ['a Node without relaxed SIMD', { node: '20.19.0' }, /Node 22/],
])('%s', (_, change, says) => {
  const lines = slowness({ ...idle, ...change });
  expect(about(lines)).toMatch(says);
  expect(lines).toHaveLength(2);
});

it('says of a card that it is used, or why not, for projectors and for networks', () => {
  expect(cardUse(idle)).toEqual(['Projectors: no card answers. No Vulkan driver is installed. Install it.']);
  expect(cardUse({ ...idle, card: 'SwiftShader', why: 'SwiftShader is slower than the cpu engine.' })).toEqual([
    'Projectors: SwiftShader is slower than the cpu engine.',
  ]);
  const used = { ...idle, card: 'RTX', why: undefined };
  expect(about(cardUse({ ...used, networks: { provider: 'webgpu' } }))).toMatch(/takes RTX[\s\S]*training uses webgpu/);
  expect(about(cardUse({ ...used, networks: { why: 'cuda: not there.' } }))).toMatch(/processor: cuda: not there/);
});

it('knows the limit of a container', () => {
  expect(coresAllowed(8, '150000 100000')).toBe(1);
  expect(coresAllowed(8, '400000 100000')).toBe(4);
  expect(coresAllowed(2, '400000 100000')).toBe(2);
  expect(coresAllowed(8, 'max 100000')).toBe(8);
});
