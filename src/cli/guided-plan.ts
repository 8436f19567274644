/** @file  What is said before an imported model works: whose it is, and what the work will take. */
import type { Shape3 } from '../core/array.js';
import { guidedStages, multiplyAdds } from '../network/guided-stages.js';
import type { LoadedGuidedModel } from '../node/guided-folder.js';
import { duration } from './progress.js';
import type { Run } from './verb.js';

/** Evaluations below this many multiplications take less than the measurement of the speed is worth. */
const longWork = 2e13;

export function sayLicence(run: Run, { card }: LoadedGuidedModel): void {
  run.say(`model: ${card.name} ${card.version}; licence of the weights: ${card.licence}`);
}

/** @param work slabs of the largest patch, over all frames and samples, and the steps of each. @returns the plan, for the sidecar. */
export async function sayPlan(
  run: Run,
  model: LoadedGuidedModel,
  { patch, slabs, steps }: { readonly patch: Shape3; readonly slabs: number; readonly steps: number },
): Promise<Readonly<Record<string, unknown>>> {
  const { streaming, bytes } = model.plan(patch);
  const how =
    streaming === undefined ? 'whole' : `in slabs of ${streaming.slices}${streaming.half ? ', maps in half precision' : ''}`;
  const evaluations = slabs * steps;
  let time = '';
  let seconds: number | undefined;
  if (streaming !== undefined) {
    const work = multiplyAdds(guidedStages(model.card.architecture), patch) * evaluations;
    if (work > longWork) {
      seconds = work / (await model.speed({ signal: run.signal }));
      time = `; about ${duration(seconds)}`;
    }
  }
  const gigabytes = (bytes / 1e9).toFixed(1);
  run.say(
    `plan: ${slabs} × ${patch.join(' × ')} voxels, ${steps} steps each, evaluated ${how}; up to ${gigabytes} GB of memory${time}`,
  );
  return { patch, evaluations, ...streaming, bytes, ...(seconds === undefined ? {} : { expectedSeconds: seconds }) };
}
