import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { array, type Shape3, size } from '../../src/core/array.js';
import { DeviceError, ModelError, ShapeError } from '../../src/core/errors.js';
import { initialParameters, parameterCount } from '../../src/network/parameters.js';
import type { Architecture } from '../../src/network/unet.js';
import { evaluateGraph } from '../../src/network/unet-graphs.js';
import { openEvaluator } from '../../src/node/ort-evaluator.js';
import { openPool } from '../../src/node/ort-pool.js';
import { openTrainer } from '../../src/node/ort-trainer.js';
import { normals, relativeError, sameBits } from './laws.js';

const small: Architecture = {
  kind: 'unet3d',
  inputChannels: 2,
  fold: 2,
  channels: [8, 16],
  embedding: 6,
  features: 5,
  groups: 4,
};
const patch: Shape3 = [8, 4, 12];
const batch = 4;
const noise = normals([parameterCount(small)], 8);
const parameters = initialParameters(small, 7).map((value, i) => value + 0.1 * noise[i]);
const samples = {
  x: normals([batch, 2, ...patch], 1),
  features: normals([batch, 5], 2),
  skip: normals([batch], 3),
  target: normals([batch, 1, ...patch], 4),
  weight: Float32Array.of(1, 0.5, 2, 0),
};
const opened: { dispose(): Promise<void> }[] = [];
const keep = <T extends { dispose(): Promise<void> }>(owner: T): T => {
  opened.push(owner);
  return owner;
};
afterAll(() => Promise.all(opened.map((owner) => owner.dispose())));

describe('pool', () => {
  it('says in whole what went wrong in a worker', async () => {
    const pool = keep(openPool({ threads: 1 }));
    const broken = { ...evaluateGraph(small, 1, [4, 4, 4], parameters), model: new Uint8Array(8) };
    const why = /worker\. .*ONNX Runtime refused the network: found "[\s\S]*"\.$/;
    await expect(pool.run(broken, {})).rejects.toThrow(why);
  });
});

describe('trainer', () => {
  it('gives the same bits on one worker and on two, and the gradient of one big batch to rounding', async () => {
    const results = [];
    for (const options of [{ threads: 1 }, { threads: 2 }, { threads: 1, microBatch: 4 }]) {
      const trainer = keep(openTrainer(small, batch, patch, options));
      trainer.load(parameters);
      results.push(await trainer.step(samples));
    }
    const [one, two, whole] = results;
    expect(two.loss).toBe(one.loss);
    expect(sameBits(two.gradient, one.gradient)).toBe(true);
    expect(relativeError(one.gradient, whole.gradient)).toBeLessThan(1e-5);
    expect(one.loss / whole.loss).toBeCloseTo(1, 6);
  });

  it('takes the next step at the parameters loaded last, copied when loaded', async () => {
    const trainer = keep(openTrainer(small, batch, patch, { threads: 2 }));
    await expect(trainer.step(samples)).rejects.toThrow(ModelError);
    const mutable = parameters.slice();
    trainer.load(mutable);
    mutable.fill(0);
    const first = await trainer.step(samples);
    trainer.load(mutable);
    const second = await trainer.step(samples);
    trainer.load(parameters);
    expect(second.loss).not.toBe(first.loss);
    expect(sameBits((await trainer.step(samples)).gradient, first.gradient)).toBe(true);
  });

  it('leaves the batch as it was, and says what does not fit', async () => {
    const before = structuredClone(samples);
    const trainer = keep(openTrainer(small, batch, patch, { threads: 1 }));
    expect(() => trainer.load(new Float32Array(2))).toThrow(ModelError);
    trainer.load(parameters);
    await trainer.step(samples);
    expect(samples).toEqual(before);
    await expect(trainer.step({ ...samples, weight: new Float32Array(5) })).rejects.toThrow(/weight/);
    await expect(trainer.step({ ...samples, x: new Float32Array(16) })).rejects.toThrow(/Feed \(x\)/);
    expect(() => openTrainer(small, batch, patch, { microBatch: 3 })).toThrow(/divisor of the batch, 4/);
    expect(() => openTrainer(small, batch, [8, 4, 7])).toThrow(ModelError);
  });
});

describe('evaluator', () => {
  const evaluator = keep(openEvaluator(small, parameters, patch, { threads: 2 }));
  const call = (shape: Shape3, seed: number, n = 1) =>
    evaluator.evaluate(
      array([n, 2, ...shape], normals([n, 2, ...shape], seed)),
      normals([n, 5], 2),
      new Float32Array(n).fill(0.5),
    );

  it('overlapping calls of several shapes come back to their callers', async () => {
    const shapes: Shape3[] = [patch, [4, 4, 4], patch, patch, [4, 4, 4]];
    const together = await Promise.all(shapes.map((shape, i) => call(shape, i)));
    for (const [i, shape] of shapes.entries()) {
      expect(together[i].shape).toEqual([1, 1, ...shape]);
      expect(together[i].data).toEqual((await call(shape, i)).data);
    }
    expect(together[0].data).not.toEqual(together[2].data);
  });

  it('a batch is its samples', async () => {
    const both = await call(patch, 3, 2);
    const n = size(patch);
    const x = normals([2, 2, ...patch], 3).slice(2 * n);
    const second = await evaluator.evaluate(array([1, 2, ...patch], x), normals([2, 5], 2).slice(5), Float32Array.of(0.5));
    expect(relativeError(both.data.slice(n), second.data)).toBeLessThan(1e-6);
  });

  it('an aborted call rejects with its reason, waiting or running; the others go on', async () => {
    const controller = new AbortController();
    const reason = new Error('enough');
    const calls = [0, 1, 2, 3].map((i) =>
      evaluator.evaluate(array([1, 2, ...patch], normals([1, 2, ...patch], i)), normals([1, 5], 2), Float32Array.of(0.5), {
        signal: i % 2 === 0 ? controller.signal : undefined,
      }),
    );
    controller.abort(reason);
    const settled = await Promise.allSettled(calls);
    expect(settled.map(({ status }) => status)).toEqual(['rejected', 'fulfilled', 'rejected', 'fulfilled']);
    expect((settled[0] as PromiseRejectedResult).reason).toBe(reason);
    const late = evaluator.evaluate(array([1, 2, ...patch]), new Float32Array(5), new Float32Array(1), {
      signal: controller.signal,
    });
    await expect(late).rejects.toBe(reason);
  });

  it('says what does not fit', async () => {
    await expect(evaluator.evaluate(array(patch), new Float32Array(5), new Float32Array(1))).rejects.toThrow(ShapeError);
    await expect(evaluator.evaluate(array([1, 3, ...patch]), new Float32Array(5), new Float32Array(1))).rejects.toThrow(
      ShapeError,
    );
    await expect(evaluator.evaluate(array([1, 2, ...patch]), new Float32Array(4), new Float32Array(1))).rejects.toThrow(
      /features/,
    );
    await expect(call([4, 4, 5], 1)).rejects.toThrow(ModelError);
    expect(() => openEvaluator(small, new Float32Array(1), patch)).toThrow(ModelError);
  });
});

describe('pool', () => {
  it('a graph that ONNX Runtime refuses is a DeviceError, and the pool lives on', async () => {
    const pool = keep(openPool({ threads: 1 }));
    await expect(pool.run({ model: new Uint8Array(9), inputs: [], outputs: [] }, {})).rejects.toThrow(DeviceError);
    const program = evaluateGraph(small, 1, [4, 4, 4], parameters);
    const { v } = await pool.run(program, { x: new Float32Array(128), features: new Float32Array(5), skip: new Float32Array(1) });
    expect(v).toHaveLength(64);
  });

  it('feeds may be views of a shared buffer, and are copied when given', async () => {
    const pool = keep(openPool({ threads: 1 }));
    const program = evaluateGraph(small, 1, [4, 4, 4], parameters);
    const x = normals([1, 2, 4, 4, 4], 6);
    const feeds = { features: new Float32Array(5), skip: new Float32Array(1) };
    const view = new Float32Array(new SharedArrayBuffer(4 * 1000), 80, 128);
    view.set(x);
    const run = pool.run(program, { ...feeds, x: view });
    view.fill(0);
    expect((await run).v).toEqual((await pool.run(program, { ...feeds, x })).v);
  });

  it('disposal rejects what is not finished and what comes later', async () => {
    const pool = openPool({ threads: 1 });
    const program = evaluateGraph(small, 1, [4, 4, 4], parameters);
    const feeds = { x: new Float32Array(128), features: new Float32Array(5), skip: new Float32Array(1) };
    const runs = Promise.allSettled([pool.run(program, feeds), pool.run(program, feeds)]);
    await pool.dispose();
    for (const result of await runs) expect((result as PromiseRejectedResult).reason).toBeInstanceOf(DeviceError);
    await expect(pool.run(program, feeds)).rejects.toThrow(/disposed/);
  });

  it('a worker that is lost is a DeviceError, for the run it had and for later ones', async () => {
    const pool = keep(openPool({ threads: 2 }));
    const program = evaluateGraph(small, 1, [4, 4, 4], parameters);
    const feeds = { x: new Float32Array(128), features: new Float32Array(5), skip: new Float32Array(1) };
    const post = vi.spyOn(Worker.prototype, 'postMessage').mockImplementationOnce(function (this: Worker) {
      void this.terminate();
    });
    await expect(pool.run(program, feeds)).rejects.toThrow(DeviceError);
    post.mockRestore();
    await expect(pool.run(program, feeds)).rejects.toThrow(/worker of ONNX Runtime ended/);
  });

  /** Runs a script of the built library in a process of its own. */
  const script = (body: string): { status: number | null; stdout: string; stderr: string } => {
    const dist = (file: string): string => JSON.stringify(new URL(`../../dist/${file}`, import.meta.url).href);
    const imports = `
      import { openPool } from ${dist('node/ort-pool.js')};
      import { openSession } from ${dist('node/ort-session.js')};
      import { evaluateGraph, externalGradientGraph, trainGraph } from ${dist('network/unet-graphs.js')};
      import { initialParameters } from ${dist('network/parameters.js')};
      const small = ${JSON.stringify(small)};
      const zeros = ({ inputs }) => Object.fromEntries(inputs.map(({ name, shape }) => [name, new Float32Array(shape.reduce((a, b) => a * b, 1))]));`;
    const options = { encoding: 'utf8', timeout: 30_000, cwd: fileURLToPath(new URL('../..', import.meta.url)) } as const;
    return spawnSync(process.execPath, ['--input-type=module', '-e', imports + body], options);
  };

  it('an idle pool does not keep the process alive; a run does', () => {
    const { status, stdout, stderr } = script(`
      const pool = openPool({ threads: 2 });
      const program = evaluateGraph(small, 1, [4, 4, 4]);
      pool.run(program, zeros(program)).then(({ v }) => console.log(v.length));`);
    expect({ status, stdout, stderr }).toEqual({ status: 0, stdout: '64\n', stderr: '' });
  });

  it('ONNX Runtime has nothing to warn of: declared shapes are true, nothing is unused', () => {
    const { stdout, stderr } = script(`
      const deep = { ...small, channels: [8, 16] };
      const programs = [1, 2].flatMap((n) => [trainGraph(deep, n, [8, 8, 24]), externalGradientGraph(deep, n, [8, 8, 24]),
        evaluateGraph(deep, n, [8, 8, 24]), evaluateGraph(deep, n, [8, 8, 24], initialParameters(deep, 1))]);
      for (const program of programs) await (await openSession(program)).run(zeros(program));
      console.log('done');`);
    expect({ stdout, stderr }).toEqual({ stdout: 'done\n', stderr: '' });
  });
});
