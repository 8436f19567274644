import { describe, expect, it } from 'vitest';
import { fill } from '../../src/core/array.js';
import type { LinearOperator } from '../../src/core/interfaces.js';
import { openCpuEngine } from '../../src/node/kernel-pool.js';
import { type ProjectorEngine, referenceEngine } from '../../src/projector/engine.js';
import { engineSpeed, selfTest } from '../../src/projector/self-test.js';

/** The cpu engine with its operators changed. */
async function changed(change: (A: LinearOperator) => LinearOperator): Promise<ProjectorEngine> {
  const engine = await openCpuEngine({ threads: 2 });
  return { ...engine, sinogramProjector: (...of) => change(engine.sinogramProjector(...of)) };
}
const scaled = (A: LinearOperator, forward: number, adjoint: number): LinearOperator => ({
  ...A,
  forward: async (x, options) => times(await A.forward(x, options), forward),
  adjoint: async (y, options) => times(await A.adjoint(y, options), adjoint),
});
const times = (x: Awaited<ReturnType<LinearOperator['forward']>>, factor: number): typeof x =>
  fill(x.shape, (i) => factor * x.data[i]!);

describe('selfTest', () => {
  it('passes what is right', async () => {
    for (const engine of [referenceEngine(), await openCpuEngine({ threads: 2 })]) {
      const { passed, adjointError, integralError } = await selfTest(engine);
      expect(passed, engine.name).toBe(true);
      expect(adjointError, engine.name).toBeLessThan(1e-6);
      // Both round their results to float32.
      expect(integralError, engine.name).toBeLessThan(1e-6);
      expect(integralError, engine.name).toBeGreaterThan(0);
      await engine.dispose();
    }
  });

  it.for([
    ['an adjoint that is not the transpose', (A: LinearOperator) => scaled(A, 1, 1.01)],
    ['a pair that is matched and wrong', (A: LinearOperator) => scaled(A, 1.0001, 1.0001)],
    ['no numbers', (A: LinearOperator) => scaled(A, Number.NaN, Number.NaN)],
    ['nothing at all', (A: LinearOperator) => scaled(A, 0, 0)],
  ] as const)('fails %s', async ([, change]) => {
    const engine = await changed(change);
    expect((await selfTest(engine)).passed).toBe(false);
    await engine.dispose();
  });

  it('fails an engine that takes all segments for the direct ones', async () => {
    const engine = await openCpuEngine({ threads: 2 });
    const flat: ProjectorEngine = {
      ...engine,
      sinogramProjector: (layout, views, grid) => {
        const segments = layout.segments.map((s) => ({ ...s, minRingDifference: -1, maxRingDifference: 1 }));
        return engine.sinogramProjector({ ...layout, segments }, views, grid);
      },
    };
    const { passed, adjointError } = await selfTest(flat);
    expect(adjointError).toBeLessThan(1e-6);
    expect(passed).toBe(false);
    await engine.dispose();
  });
});

it('engineSpeed counts what it times', async () => {
  const engine = await openCpuEngine({ threads: 2 });
  const { forwardNsPerStep, backNsPerStep, steps } = await engineSpeed(engine);
  await engine.dispose();
  // One view of the small scanner: 127 planes, 75 lines of at most 95 samples.
  expect(steps).toBeGreaterThan(127 * 75 * 60);
  expect(steps).toBeLessThan(96 * 127 * 75 * 95);
  for (const ns of [forwardNsPerStep, backNsPerStep]) {
    expect(ns).toBeGreaterThan(0.01);
    expect(ns).toBeLessThan(1e4);
  }
});
