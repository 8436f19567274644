/** @file  Iterative work: async generators that yield steps, and one real turn of the event loop per step. */
import type { Volume } from './array.js';

/** Options of every slow call. */
export interface CallOptions {
  /** Stops the work at its next turn; the promise rejects with `signal.reason`. */
  readonly signal?: AbortSignal | undefined;
}

/** What an iterative method yields after each step. */
export interface Step {
  /** Current image; a new array each step. */
  readonly image: Volume;
  /** Share of the work that is done, in (0, 1]. */
  readonly fraction: number;
}

/**
 * Runs an iteration to its end and returns the last step: `const { image } = await last(osem(subsets))`.
 * @param onStep called with every step, e.g. to draw a progress bar.
 * @throws RangeError when the iteration yields nothing.
 */
export async function last<S>(steps: AsyncIterable<S>, onStep: (step: S) => void = () => {}): Promise<S> {
  let final: S | undefined;
  for await (const step of steps) onStep((final = step));
  if (final === undefined) throw new RangeError('The iteration made no step: is its number of iterations 0?');
  return final;
}

/**
 * Gives timers, signals and input a real turn: promises alone would starve them.
 * @throws signal.reason when the signal is aborted.
 */
export async function turn(signal?: AbortSignal): Promise<void> {
  signal?.throwIfAborted();
  await (typeof setImmediate === 'function' ? new Promise<void>((go) => setImmediate(go)) : browserTurn());
  signal?.throwIfAborted();
}

function browserTurn(): Promise<void> {
  return new Promise((go) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      go();
    };
    port2.postMessage(null);
  });
}
