/** @file  The images that need no network, each step told to the course: OSEM or MLEM from a uniform image, and from theirs the penalised. */
import { array, type Volume } from '../core/array.js';
import type { Grid } from '../core/image.js';
import type { PoissonSubset, ResidentModel } from '../core/interfaces.js';
import { last } from '../core/iterate.js';
import { eventLikelihood } from '../recon/likelihood.js';
import { osem, uniformStart } from '../recon/osem.js';
import { residentOsem } from '../recon/resident.js';
import type { Course, State } from './course.js';
import type { Samples } from './hqs-samples.js';
import { type PenalisedMethod, type PenalisedOptions, penalised } from './penalised.js';

type Doing = (fraction: number, doing: string) => void;

/** OSEM, or MLEM with one subset, from a uniform image. */
export async function expectationMaximisation(
  subsets: readonly PoissonSubset[],
  resident: ResidentModel | undefined,
  course: Course,
  found: State | undefined,
  { iterations, name, signal }: { iterations: number; name: string; signal: AbortSignal | undefined },
  onProgress: Doing,
): Promise<Volume> {
  const uniform = uniformStart(subsets);
  if (iterations === 0) return uniform;
  const start = found?.numbers.done ?? 0;
  const initial = found ? array(uniform.shape, found.arrays.image) : uniform;
  const run = { epochs: iterations, initial, start, signal };
  const kept = async (image: Volume, done: number): Promise<void> => {
    const likelihood = worthALook(done, subsets) ? await eventLikelihood(subsets[0]!, image, { signal }) : undefined;
    const says = likelihood === undefined ? undefined : { likelihood };
    await course.step('osem', done, { numbers: { done }, arrays: { image: image.data } }, image, says);
  };
  let image = initial;
  if (resident) {
    const step = await last(residentOsem(resident, run), ({ epoch, subset, fraction }) =>
      onProgress(fraction, `${name} ${epoch + 1}.${subset + 1}`),
    );
    image = await step.image();
    await kept(image, iterations * subsets.length);
    return image;
  }
  for await (const step of osem(subsets, run)) {
    image = step.image;
    await kept(image, step.epoch * subsets.length + step.subset + 1);
    onProgress(step.fraction, `${name} ${step.epoch + 1}.${step.subset + 1}`);
  }
  return image;
}

/** BSREM, SVRG or MAP-EM from the OSEM image. */
export async function withPenalty(
  method: PenalisedMethod,
  subsets: readonly PoissonSubset[],
  osemImage: Volume,
  grid: Grid,
  course: Course,
  options: PenalisedOptions,
  onProgress: Doing,
): Promise<Samples> {
  const { signal } = options;
  // Between its anchors SVRG needs more than an image.
  const period = method === 'svrg' ? 2 * subsets.length : 1;
  return penalised(
    method,
    subsets,
    osemImage,
    grid,
    options,
    async ({ image, done, epoch, subset, fraction, stepSize }) => {
      const state = done % period === 0 ? { numbers: { done }, arrays: { image: image.data } } : undefined;
      const says = worthALook(done, subsets) && {
        likelihood: await eventLikelihood(subsets[0]!, image, { signal }),
        ...(stepSize === undefined ? {} : { stepSize }),
      };
      await course.step(method, done, state, image, says || undefined);
      onProgress(fraction, `${method.toUpperCase()} ${epoch + 1}.${subset + 1}`);
    },
    course.found(method),
  );
}

/** Whether the likelihood is worked out after so many steps: once a pass, and after eight steps at the least, since it costs half a step. */
function worthALook(done: number, { length }: readonly PoissonSubset[]): boolean {
  return done % Math.max(length, 8) === 0;
}
