/** What sampling buys for what it costs: PSNR of the mean mode and of samples against evaluations, solver, reuse and start, on subjects no training saw.
 *    npm run bench -- sampling [subjects, default 2] [--model DIR] [--most EVALUATIONS, default 250] [--starts 0.3,0.6,0.95] [--json]
 *  Subjects: thorax and brain, seeds 501, 502, …; scanner `small`, 1/20 of 1.6·10⁷ trues; 64 × 64 voxels about the middle of each slice. Cost: evaluations of the network over the volume, the mean that
 *  samples start from among them, and CPU seconds a volume. The 250-step runs cost most by far. */
import { centredGrid, type DenoiseOptions, denoiseVolume, fill, imageError, type PetImage, petImage } from 'coincide';
import { loadModel } from 'coincide/node';
import { simulatedPairs } from './pairs.js';

const args = process.argv.slice(3);
const after = (name: string): string | undefined => (args.includes(name) ? args[args.indexOf(name) + 1] : undefined);
const subjects = Number(args.find((arg, i) => /^\d+$/.test(arg) && !args[i - 1]?.startsWith('--')) ?? 2);
const most = Number(after('--most') ?? 250);
const model = await loadModel(after('--model'));

/** The middle of each slice, 64 × 64 voxels: what is around it is mostly air, and costs as much. */
function middle(image: PetImage): PetImage {
  const [nz, ny, nx] = image.grid.shape;
  const [y0, x0] = [(ny - 64) >> 1, (nx - 64) >> 1];
  const values = fill([nz, 64, 64], (i) => {
    const [z, y, x] = [Math.floor(i / 4096), Math.floor(i / 64) % 64, i % 64];
    return image.values.get(z, y0 + y, x0 + x);
  });
  return petImage(centredGrid([nz, 64, 64], image.grid.voxelSize), values, 'SUV');
}

type Row = { mode: string; sampler: string; steps: number; samples: number; start: number; reuse: number } & {
  evaluations: number;
  psnr: number;
  cpuSeconds: number;
};
const data = (await simulatedPairs(subjects)).map(({ low, truth }) => ({ low: middle(low), truth: middle(truth).values }));

async function row(options: DenoiseOptions): Promise<Row> {
  const { mode = 'samples', sampler = 'ddim', steps = 0, samples = 1, start = 0, reuse = 1 } = options;
  const before = process.cpuUsage();
  let psnr = 0;
  for (const { low, truth } of data) {
    const { image } = await denoiseVolume(low, model, { ...options, mode, samples });
    psnr += imageError(image.values, truth).psnr / data.length;
  }
  const { user, system } = process.cpuUsage(before);
  const mean = Number(model.can.includes('mean'));
  const found: Row = {
    ...{ mode, sampler: mode === 'mean' ? '' : sampler, steps, samples, start, reuse },
    ...{ evaluations: mode === 'mean' ? 1 : mean + samples * steps, psnr: Math.round(100 * psnr) / 100 },
    cpuSeconds: Math.round((100 * (user + system)) / 1e6 / data.length) / 100,
  };
  process.stderr.write(`${JSON.stringify(found)}\n`);
  return found;
}

const table: Row[] = [];
if (model.can.includes('mean')) table.push(await row({ mode: 'mean' }));
const starts = (after('--starts') ?? '0.3,0.6,0.95').split(',').map(Number);
const samplers = ['ddim', 'dpm2'] as const;
for (const start of starts) {
  for (const sampler of samplers)
    for (const steps of [2, 4, 8, 16, 32, 64]) if (steps <= most) table.push(await row({ sampler, steps, start }));
  for (const reuse of [2, 3])
    for (const steps of [4, 8, 16, 32]) if (steps <= most) table.push(await row({ steps, start, reuse }));
}
// Averaging samples is the other way to spend evaluations.
for (const steps of [2, 4, 8]) for (const samples of [4, 8]) table.push(await row({ steps, samples, start: 0.3 }));
// Last, for they take longest.
for (const start of starts)
  for (const sampler of samplers) if (most >= 250) table.push(await row({ sampler, steps: 250, start }));

const result = {
  ...{ subjects, model: model.card.name, sha256: model.card.sha256, unit: 'dB PSNR, range max − min of the truth' },
  lowCount: data.reduce((sum, { low, truth }) => sum + imageError(low.values, truth).psnr / data.length, 0),
  table,
};
if (args.includes('--json')) console.log(JSON.stringify(result));
else console.table(table);
await model.dispose();
