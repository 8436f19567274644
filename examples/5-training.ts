// %% [markdown]
// # 5. Train a model, and fine-tune it
//
// A network is trained from nothing on simulated subjects, and then adapted by low-rank updates (LoRA) of its weights. Tiny, to run in a minute: a useful one takes hours and
// `coincide train`, which also keeps checkpoints and goes on after an interruption.

// %%
import {
  architectureOf,
  fill,
  initialLora,
  initialParameters,
  loraOf,
  mergeLora,
  parameterCount,
  parseTrainingConfig,
  simulateSubject,
  sourceOf,
  train,
} from 'coincide';
import { openEngine, openTrainer, picture, png } from 'coincide/node';

//| import { display } from 'tslab';

// %% [markdown]
// ## What is trained
// Every field has a default; unknown ones are errors.

// %%
const config = parseTrainingConfig({
  name: 'tiny',
  seed: 3,
  cohort: { subjects: 2, validation: 1, draws: 1, voxel: [8, 8], voxels: 20000 },
  network: { channels: [8, 16], embedding: 16, groups: 4 },
  patch: [16, 16, 16],
  batch: 2,
  steps: 60,
  learningRate: 2e-3,
  meanFirst: 1,
});

// %% [markdown]
// ## Subjects
// Phantom → scan → OSEM: a truth and low-count images of it.

// %%
const engine = await openEngine({ device: 'cpu' });
async function subjectsOf(numbers: number[]) {
  const made = [];
  for (const number of numbers) made.push(await simulateSubject(config.cohort, config.seed, number, engine));
  return made;
}
const subjects = await subjectsOf([1, 2]);
await engine.dispose();
const { shape, truth, lowDose } = subjects[0]!;
console.log('truth and', lowDose.length, 'low-count image, voxels', shape);
const asVolume = (data: Float32Array) => fill(shape, (i) => data[i]!);
//| display.png(png(picture(asVolume(truth), 'coronal', 8)));
//| display.png(png(picture(asVolume(lowDose[0]!), 'coronal', 8)));

// %% [markdown]
// ## Training
// A generator again: each step yields its loss; `state.average` is the moving average of the weights that is kept in the end.

// %%
const architecture = architectureOf(config);
console.log(parameterCount(architecture), 'parameters');

async function trainAll() {
  const trainer = openTrainer(architecture, config.batch, config.patch, { threads: 1 });
  let average = initialParameters(architecture, config.seed);
  let loss = 0;
  for await (const step of train(config, subjects.map(sourceOf), trainer, { architecture: architecture })) {
    loss += (step.loss - loss) / Math.min(step.step, 10);
    if (step.step % 20 === 0) console.log('step', step.step, 'loss', loss.toFixed(3));
    average = step.state.average.slice();
  }
  await trainer.dispose();
  return average;
}
const weights = await trainAll();

// %% [markdown]
// ## Fine-tuning
// Low-rank updates of the convolutions: few numbers, trained on frozen weights, merged into them at the end.

// %%
const lora = loraOf(architecture, { rank: 2 });

async function fineTune() {
  const start = initialLora(architecture, lora, config.seed);
  const trainer = openTrainer(architecture, config.batch, config.patch, { threads: 1, adapted: { lora: lora, base: weights } });
  let adapter = start;
  for await (const step of train({ ...config, steps: 20 }, subjects.map(sourceOf), trainer, {
    architecture: architecture,
    start: start,
  })) {
    adapter = step.state.average.slice();
    if (step.step % 10 === 0) console.log('step', step.step, 'loss', step.loss.toFixed(3));
  }
  await trainer.dispose();
  return adapter;
}
const adapter = await fineTune();
const merged = mergeLora(architecture, lora, weights, adapter);
console.log(
  adapter.length,
  'numbers were trained;',
  merged.filter((w, i) => w !== weights[i]).length,
  'of',
  weights.length,
  'weights moved',
);
