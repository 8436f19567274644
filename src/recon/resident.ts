/** @file  osem.ts and poisson-prox.ts with the image, the data and the sensitivities on a device: the same updates in the same order, one
 *  image up, one image down. What one update is, see ResidentModel. */
import { array, expectShape, fill, type Volume } from '../core/array.js';
import { OptionError } from '../core/errors.js';
import type { ProxOptions, ResidentModel } from '../core/interfaces.js';
import { checkedStart, type OsemOptions } from './osem.js';
import { checkInteger, FLOOR, type PoissonProx, type PoissonProxOptions } from './poisson-prox.js';

export interface ResidentOsemStep {
  /** Pass over the data, from 0. */
  readonly epoch: number;
  /** Subset just used, from 0. */
  readonly subset: number;
  /** Share of the work that is done, in (0, 1]. */
  readonly fraction: number;
  /** Brings the image down; only until the next step is asked for. */
  image(): Promise<Volume>;
}

/**
 * `osem` on a device: x ← x / s_k · A_kᵀ( y_k / (A_k x + b_k) ).
 * @yields a step per subset; its image comes down when it is asked for: `await (await last(residentOsem(model))).image()`.
 * @throws ShapeError, OptionError as osem does; DeviceError when the device fails.
 */
export async function* residentOsem(
  model: ResidentModel,
  { epochs = 4, initial, start = 0, signal }: OsemOptions = {},
): AsyncGenerator<ResidentOsemStep> {
  const { subsets, inShape } = model;
  const steps = epochs * subsets;
  const first = checkedStart({ epochs, start, steps, initial: initial ?? fill(inShape, () => 1) }, inShape);
  let x = await model.load(first, { signal });
  for (let done = start; done < steps; done++) {
    const k = done % subsets;
    const next = await model.update(x, [k], undefined, { signal });
    x.free();
    x = next;
    yield { epoch: Math.floor(done / subsets), subset: k, fraction: (done + 1) / steps, image: () => next.read({ signal }) };
  }
}

/** `uniformStart` of a model on a device. @param sensitivities of its subsets. */
export function residentStart({ inShape, meanActivity }: ResidentModel, sensitivities: readonly Volume[]): Volume {
  const activity = meanActivity || 1;
  return fill(inShape, (i) => (sensitivities.some(({ data }) => data[i]! > 0) ? activity : 0));
}

/**
 * `poissonProx` on a device: v goes up once a call, x comes down once.
 * @throws ShapeError, OptionError as poissonProx does; DeviceError when the device fails.
 */
export function residentProx(
  model: ResidentModel,
  { updates = 2, exactIterations = 3, firstSubset = 0 }: PoissonProxOptions = {},
): PoissonProx {
  checkInteger('updates', updates, 1, Infinity);
  checkInteger('exactIterations', exactIterations, 1, Infinity);
  checkInteger('firstSubset', firstSubset, 0, model.subsets - 1);
  const all = Array.from({ length: model.subsets }, (_, k) => k);
  const floor = FLOOR * model.meanActivity;
  let next = firstSubset;

  const prox = async (v0: Volume, rho: number, { exact = false, signal }: ProxOptions = {}): Promise<Volume> => {
    if (!(rho >= 0 && rho < Infinity))
      throw new OptionError('Weight of the penalty', { key: 'rho', expected: 'a finite number ≥ 0', found: rho });
    const { data } = expectShape(v0, model.inShape, 'v');
    const v = await model.load(v0, { signal });
    let x = await model.load(
      array(
        model.inShape,
        data.map((value) => Math.max(value, floor)),
      ),
      { signal },
    );
    try {
      for (let i = 0; i < (exact ? exactIterations : updates); i++) {
        const better = await model.update(x, exact ? all : [next], { v, rho }, { signal });
        x.free();
        x = better;
        if (!exact) next = (next + 1) % model.subsets;
      }
      return await x.read({ signal });
    } finally {
      x.free();
      v.free();
    }
  };
  return Object.assign(prox, { nextSubset: () => next });
}
