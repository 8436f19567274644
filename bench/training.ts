/** What training costs: CPU time of an evaluation, a training step and a LoRA step of one patch, one thread, and its ratios.
 *    npm run bench -- training [repeats, default 7] [--json]
 *    npm run bench -- training volume [threads, default all] [--json]
 *  The first: the three are run in turn, repeated, and the minima taken: other work on the machine slows single runs. */
import {
  type Architecture,
  evaluateGraph,
  fill,
  initialLora,
  initialParameters,
  loraOf,
  loraTrainGraph,
  type ModelCard,
  openModel,
  random,
  trainGraph,
} from 'coincide';
import { openEvaluator, openSession } from 'coincide/node';

const repeats = Number(process.argv.find((arg) => /^\d+$/.test(arg)) ?? 7);
const base = {
  kind: 'unet3d',
  inputChannels: 3,
  fold: 2,
  film: true,
  heads: 2,
  groups: 8,
  embedding: 128,
  features: 37,
} as const;
const knows = ['condition', 'anatomy', 'mean', 'noise'] as const;
const networks: Record<string, Architecture> = {
  '32, 64, 96; blocks 1, 2, 2': { ...base, knows, channels: [32, 64, 96], blocks: [1, 2, 2] },
  '32, 64, 96': { ...base, knows, channels: [32, 64, 96] },
  '16, 32, 64': { ...base, knows, channels: [16, 32, 64] },
};

interface Row {
  readonly network: string;
  readonly parameters: number;
  readonly patch: string;
  readonly evaluateMs: number;
  readonly trainMs: number;
  readonly loraMs: number;
  readonly trainOverEvaluate: number;
  readonly loraOverEvaluate: number;
}

async function measure(network: string, architecture: Architecture, edge: number): Promise<Row> {
  const patch = [edge, edge, edge] as const;
  const parameters = initialParameters(architecture, 1);
  const lora = loraOf(architecture);
  const programs = [
    evaluateGraph(architecture, 1, patch),
    trainGraph(architecture, 1, patch),
    loraTrainGraph(architecture, 1, patch, { lora, base: parameters }),
  ];
  const { normal } = random(1);
  const given: Readonly<Record<string, Float32Array>> = { parameters, adapter: initialLora(architecture, lora, 1) };
  const runs = await Promise.all(
    programs.map(async (program) => {
      const feeds = Object.fromEntries(
        program.inputs.map(({ name, shape }) => [
          name,
          given[name] ?? Float32Array.from({ length: shape.reduce((n, edge) => n * edge, 1) }, normal),
        ]),
      );
      return { session: await openSession(program), feeds, best: Number.POSITIVE_INFINITY };
    }),
  );
  for (let i = 0; i <= repeats; i++)
    for (const run of runs) {
      const before = process.cpuUsage();
      await run.session.run(run.feeds);
      const { user, system } = process.cpuUsage(before);
      if (i > 0) run.best = Math.min(run.best, (user + system) / 1000); // the first run warms up
    }
  await Promise.all(runs.map(({ session }) => session.dispose()));
  const [evaluate, train, adapt] = runs.map(({ best }) => best) as [number, number, number];
  const round = (value: number, digits: number): number => Number(value.toFixed(digits));
  return {
    ...{ network, parameters: parameters.length, patch: `${edge}³` },
    ...{ evaluateMs: round(evaluate, 1), trainMs: round(train, 1), loraMs: round(adapt, 1) },
    ...{ trainOverEvaluate: round(train / evaluate, 2), loraOverEvaluate: round(adapt / evaluate, 2) },
  };
}

/** Wall and CPU time of one evaluation of a whole volume, tiles of 32³ that share 8 voxels, and of 16 of them. */
async function measureVolume(threads: number | undefined): Promise<Record<string, number | string>> {
  const architecture = networks['32, 64, 96; blocks 1, 2, 2']!;
  const patch = [32, 32, 32] as const;
  const card: ModelCard = {
    ...{
      name: 'bench',
      version: '1',
      licence: 'MIT',
      architecture,
      parameterisation: 'v',
      schedule: 'cosine',
      patch,
      overlap: 8,
    },
    ...{ intensity: { unit: 'SUV', scale: 0.5, bodyMean: 1 }, voxelSize: [4, 4, 4], condition: 'low-count OSEM image' },
    ...{ training: {}, sha256: '' },
  };
  const evaluator = openEvaluator(architecture, initialParameters(architecture, 1), patch, { threads });
  const model = openModel(card, evaluator);
  const { normal } = random(2);
  const image = fill([128, 128, 160], () => 1 + 0.3 * normal());
  await model.mean(fill(patch, () => 1)); // makes the sessions
  const cpu = process.cpuUsage();
  const began = performance.now();
  await model.mean(image);
  const wall = (performance.now() - began) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  await evaluator.dispose();
  const seconds = (value: number): number => Number(value.toFixed(1));
  return {
    volume: '128 × 128 × 160',
    wall: seconds(wall),
    cpu: seconds((user + system) / 1e6),
    sixteenCpu: seconds((16 * (user + system)) / 1e6),
  };
}

if (process.argv.includes('volume')) {
  const found = await measureVolume(process.argv.some((arg) => /^\d+$/.test(arg)) ? repeats : undefined);
  console.log(JSON.stringify(found));
  process.exit(0);
}

const table: Row[] = [];
for (const [name, architecture] of Object.entries(networks)) table.push(await measure(name, architecture, 32));
table.push(await measure('32, 64, 96; blocks 1, 2, 2', networks['32, 64, 96; blocks 1, 2, 2']!, 64));
if (process.argv.includes('--json'))
  console.log(JSON.stringify({ repeats, unit: 'ms of CPU time, one thread, one patch', table }));
else console.table(table);
