/** @file  coincide denoise --preset yu2025: the published pipeline with an imported model. */
import { OptionError } from '../core/errors.js';
import type { PetImage, Unit } from '../core/image.js';
import { denoiseYu2025, type Yu2025Result, yu2025Grid } from '../denoise/yu2025.js';
import { loadGuidedModel } from '../node/guided-folder.js';
import { checkOutput, ownUnit, readStudy, studyReport, suvFrames, writeStudy } from '../node/study.js';
import { version as ownVersion } from '../node/version.js';
import { sayLicence, sayPlan } from './guided-plan.js';
import { duration } from './progress.js';
import type { Result, Run } from './verb.js';

export interface Yu2025Request {
  readonly input: string;
  readonly output: string;
  readonly model: string | undefined;
  readonly unit: Unit | undefined;
  /** undefined where the published ones are meant. */
  readonly steps: number | undefined;
  readonly seed: number | undefined;
  /** Bytes that the process may take. */
  readonly memory: number | undefined;
}

export async function denoisePublished(
  run: Run,
  { input, output, model: folder, unit, steps, seed, memory }: Yu2025Request,
): Promise<Result> {
  const started = performance.now();
  if (folder === undefined) {
    throw new OptionError('The preset needs the published weights, which are not shipped: their licence is CC-BY-NC-SA-4.0', {
      key: '--model',
      expected: 'a model folder',
      hint: 'Get the checkpoint from its authors and run coincide import CHECKPOINT.pt -o MODEL.',
    });
  }
  const study = await readStudy(input, { unit });
  await checkOutput(output, study);
  const model = await loadGuidedModel(folder, { ...run.options, memory, signal: run.signal });
  const { name, version, licence, sha256 } = model.card;
  sayLicence(run, model);
  try {
    const frames = suvFrames(study);
    const { slabs, patch } = yu2025Grid(frames[0]!.grid, model.card);
    const plan = await sayPlan(run, model, { patch, slabs: frames.length * slabs.length, steps: steps ?? model.alphaBar.length });
    const stage = run.stage('denoise');
    const clean: PetImage[] = [];
    let how: Omit<Yu2025Result, 'image'> | undefined;
    for (const [k, frame] of frames.entries()) {
      const onProgress = (fraction: number): void => stage((k + fraction) / frames.length);
      const { image, ...rest } = await denoiseYu2025(frame, model, { steps, seed, signal: run.signal, onProgress });
      clean.push(image);
      how = { ...rest, warnings: [...new Set([...(how?.warnings ?? study.warnings), ...rest.warnings])] };
    }
    stage.done();
    for (const warning of how!.warnings) run.say(`warning: ${warning}`);
    const report = {
      ...{ input, output, preset: 'yu2025', sampler: 'ddpm', ...how, plan, ...studyReport(study) },
      ...{ model: { name, version, licence, sha256 }, device: 'cpu', engine: 'onnxruntime', time: new Date().toISOString() },
      seconds: (performance.now() - started) / 1000,
    };
    const derivation = `Denoised by coincide ${ownVersion()}, preset yu2025, model ${name} ${version} (${licence}). Research use only.`;
    await writeStudy(output, ownUnit(clean, study), study, report, derivation);
    return {
      json: report,
      text: `${output}: preset yu2025 with ${name} ${version} (${licence}) in ${duration(report.seconds)}`,
    };
  } finally {
    await model.dispose();
  }
}
