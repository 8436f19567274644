/** What one step of an imported network takes: peak memory of the process, CPU and wall time.
 *    npm run bench -- guided MODEL [memory in GB, default 8] [threads, default 1] [--patch 96,192,288] [--json]
 *  A checkpoint of full size, of random weights:
 *    python3 scripts/reference/guided-diffusion.py --random 128 FULL.pt && coincide import FULL.pt -o MODEL
 *  One step: the network at the last of its timesteps, and the ancestral step that follows from what it says. */
import { type DdpmStep, ddpm, fill, noiseField } from 'coincide';
import { loadGuidedModel } from 'coincide/node';

const [folder = '', ...rest] = process.argv.slice(3);
const [memory = 8, threads = 1] = rest.filter((arg) => /^[\d.]+$/.test(arg)).map(Number);
const [d, h, w] = (rest[rest.indexOf('--patch') + 1] ?? '').split(',').map(Number);
const patch = rest.includes('--patch') ? ([d!, h!, w!] as const) : ([96, 192, 288] as const);

const seconds = (from: NodeJS.CpuUsage): number => {
  const { user, system } = process.cpuUsage(from);
  return Math.round((user + system) / 1e5) / 10;
};
const opening = process.cpuUsage();
const model = await loadGuidedModel(folder, { memory: memory * 1e9, threads });
const { bytes, streaming } = model.plan(patch);
const openSeconds = seconds(opening);
process.stderr.write(`plan: ${JSON.stringify({ patch, memory, expected: bytes, ...streaming })}\n`);

const condition = fill(patch, (i) => 0.1 + 0.05 * Math.sin(0.01 * i));
const began = performance.now();
const cpu = process.cpuUsage();
const step = await ddpm(model.predict(condition), noiseField(patch, 1), { noise: (index) => noiseField(patch, 1, index) }).next();
const { data } = (step.value as DdpmStep).image;
const result = {
  model: model.card.name,
  sha256: model.card.sha256,
  ...{ patch, memoryGB: memory, threads, streaming, expectedGB: Math.round(bytes / 1e7) / 100 },
  peakGB: Math.round((process.resourceUsage().maxRSS * 1024) / 1e7) / 100,
  ...{
    openCpuSeconds: openSeconds,
    stepCpuSeconds: seconds(cpu),
    stepWallSeconds: Math.round((performance.now() - began) / 100) / 10,
  },
  finite: data.every(Number.isFinite),
  deviation: Math.sqrt(data.reduce((sum, value) => sum + value * value, 0) / data.length),
};
console.log(rest.includes('--json') ? JSON.stringify(result) : result);
await model.dispose();
