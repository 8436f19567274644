import { afterAll, describe, expect, it } from 'vitest';
import { fill, type NdArray } from '../../src/core/array.js';
import { ModelError } from '../../src/core/errors.js';
import type { Program } from '../../src/network/graph.js';
import { type GuidedDiffusion, timestepFeatures } from '../../src/network/guided-diffusion.js';
import { guidedGraph, guidedWeights } from '../../src/network/guided-diffusion-graph.js';
import { guidedStages, multiplyAdds, stageMemory } from '../../src/network/guided-stages.js';
import { type ProgramRunner, type StreamingOptions, streamedNetwork } from '../../src/network/guided-streaming.js';
import type { GraphRunner, Tensors } from '../../src/network/runner.js';
import { openSession } from '../../src/node/ort-session.js';
import { published } from './guided-models.js';
import { normals } from './laws.js';

const sessions = new Map<Program, Promise<GraphRunner>>();
afterAll(async () => {
  for (const session of sessions.values()) await (await session).dispose();
});
const run = async (program: Program, feeds: Tensors): Promise<Tensors> => {
  const session = sessions.get(program) ?? openSession(program);
  sessions.set(program, session);
  return (await session).run(feeds);
};

/** Weights in general position: no two channels, and no two groups, alike. */
function randomWeights(architecture: GuidedDiffusion): Record<string, Float32Array> {
  let seed = 0;
  return Object.fromEntries(
    [...guidedWeights(architecture)].map(([name, shape]) => {
      const fan = Math.sqrt(shape.slice(1).reduce((a, b) => a * b, 1));
      const values = normals(shape, ++seed);
      return [
        name,
        values.map((value) => (shape.length > 1 ? value / fan : name.endsWith('.weight') ? 1 + 0.3 * value : 0.3 * value)),
      ];
    }),
  );
}

async function both(
  architecture: GuidedDiffusion,
  shape: readonly number[],
  options: StreamingOptions,
): Promise<[whole: NdArray, streamed: NdArray]> {
  const weights = randomWeights(architecture);
  const vectors = Object.fromEntries(
    Object.entries(weights).filter(([name]) => guidedWeights(architecture).get(name)!.length === 1),
  );
  const runner: ProgramRunner = { run: (program, feeds) => run(program, { ...weights, ...feeds }) };
  const x = fill([1, architecture.inputChannels, ...shape], (i) => Math.sin(0.37 * i) + (i % 7) / 5);
  const time = timestepFeatures(321, architecture.features);
  const { out } = await run(guidedGraph(architecture, 1, shape as [number, number, number]), { x: x.data, time, ...weights });
  const streamed = await streamedNetwork(architecture, runner, vectors, options)(x, time);
  return [fill(streamed.shape, (i) => out[i]), streamed];
}
const rms = (x: NdArray): number => Math.sqrt(x.data.reduce((sum, value) => sum + value ** 2, 0) / x.data.length);
const apart = (a: NdArray, b: NdArray): number => rms(fill(a.shape, (i) => a.data[i] - b.data[i])) / rms(b);

const small: GuidedDiffusion = { ...published(32), widths: [32, 64], blocks: 1 };

describe('a network in slabs', () => {
  it.each([
    ['one slice at a time', small, [5, 4, 6], 1],
    ['slabs that do not divide the volume', small, [7, 4, 6], 3],
    ['one slab', small, [3, 6, 4], 8],
    ['three levels', { ...published(32), widths: [32, 32, 64], blocks: 2 }, [4, 8, 4], 2],
    [
      'convolutions that halve and double, no FiLM',
      { ...small, film: false, resampling: 'convolution', decoder: 'standard' },
      [5, 4, 4],
      2,
    ],
    ['pooling', { ...small, resampling: 'pooling' }, [4, 4, 4], 3],
  ] as [string, GuidedDiffusion, number[], number][])(
    'is the network over the whole volume: %s',
    async (_, architecture, shape, slices) => {
      const [whole, streamed] = await both(architecture, shape, { slices, half: false });
      expect(apart(streamed, whole)).toBeLessThan(1e-5);
    },
  );

  it('with maps in half precision is close to it', async () => {
    const [whole, streamed] = await both(small, [5, 4, 6], { slices: 2, half: true });
    expect(apart(streamed, whole)).toBeGreaterThan(1e-6);
    expect(apart(streamed, whole)).toBeLessThan(5e-3);
  });

  it('refuses what needs the whole volume', () => {
    expect(() => guidedStages({ ...small, attention: { levels: [1], middle: true }, headChannels: 16 })).toThrow(ModelError);
    expect(() => guidedStages({ ...small, dimensions: 2 })).toThrow(ModelError);
  });

  it.each([
    [[96, 192, 288], 59.04],
    [[96, 192, 304], 62.32],
    [[96, 96, 96], 9.84],
  ])('counts what the published network costs on %j: %d T', (patch, tera) => {
    expect(multiplyAdds(guidedStages(published(128)), patch) / 1e12).toBeCloseTo(tera, 2);
  });

  it('keeps four maps of the finest level at most, of the published network', () => {
    const plan = guidedStages(published(128));
    const finest = 128 * 96 * 192 * 288 * 2;
    const most = stageMemory(plan, [96, 192, 288], 2);
    expect(most).toBeGreaterThan(4 * finest);
    expect(most).toBeLessThan(4.1 * finest);
    expect(stageMemory(plan, [96, 192, 288], 4)).toBe(2 * most);
  });
});
