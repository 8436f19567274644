/** @file  How a patch is evaluated within a memory: slab by slab, with maps in float32 or half precision and slabs as thick as fit. Networks that
 *  cannot be streamed are evaluated whole. Slabs can also be interrupted, and take a tenth of the memory. */
import { type Shape3, size } from '../core/array.js';
import type { GuidedDiffusion } from './guided-diffusion.js';
import { guidedWeights } from './guided-diffusion-graph.js';
import { guidedStages, stageMemory } from './guided-stages.js';
import type { StreamingOptions } from './guided-streaming.js';

export interface EvaluationPlan {
  /** undefined: the patch is evaluated whole. */
  readonly streaming?: StreamingOptions | undefined;
  /** Bytes that the process is expected to take at most. */
  readonly bytes: number;
}

// Measured with ONNX Runtime 1.30, one worker, planes of 192 × 288 (slabs) and 96 × 144 (whole), Linux.
/** Bytes of the process without weights and maps; some two hundred sessions of slabs take a third of it. */
const processBytes = 0.65e9;
/** Peak of a whole evaluation, in maps of the first level in float32. */
const wholeMaps = 16;
/** Peak of a slab's evaluation beside the maps that are kept, for each of its slices and neighbours, in slices of the first level in float32. */
const slabSlices = 11;

/** The first that fits: maps in float32 with slabs of 8, 4, 2 or 1 slices, then in half precision; the last if none does. */
export function evaluationPlan(architecture: GuidedDiffusion, patch: Shape3, memory: number): EvaluationPlan {
  const weights = [...guidedWeights(architecture).values()].reduce((sum, shape) => sum + 4 * size(shape), 0);
  const slice = 4 * architecture.widths[0] * patch[1] * patch[2];
  const { attention, dimensions } = architecture;
  if (dimensions === 2 || attention.middle || attention.levels.length > 0) {
    return { bytes: processBytes + weights + wholeMaps * slice * patch[0] + attentionBytes(architecture, patch) };
  }
  const stages = guidedStages(architecture);
  const plans = [false, true].flatMap((half) =>
    [8, 4, 2, 1].map((slices): EvaluationPlan => {
      const maps = stageMemory(stages, patch, half ? 2 : 4);
      return { streaming: { slices, half }, bytes: processBytes + weights + maps + slabSlices * slice * (slices + 2) };
    }),
  );
  return plans.find(({ bytes }) => bytes <= memory) ?? plans.at(-1)!;
}

/** Of the largest attention: weights between all voxels, for each head, before and after the softmax and transposed. */
function attentionBytes({ attention, widths, headChannels }: GuidedDiffusion, [d, h, w]: Shape3): number {
  const levels = [...attention.levels, ...(attention.middle ? [widths.length - 1] : [])];
  return Math.max(
    0,
    ...levels.map((level) => (3 * 4 * widths[level] * ((d * h * w) / 4 ** level) ** 2) / (headChannels ?? widths[level])),
  );
}
