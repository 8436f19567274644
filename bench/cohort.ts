/** What training data cost: CPU seconds per pair (truth, low-dose image) of the default cohort.
 *    npm run bench -- cohort [subjects, default 16] [--json] */
import { parseTrainingConfig, simulateSubject } from 'coincide';
import { openEngine } from 'coincide/node';

const subjects = Number(process.argv.find((arg) => /^\d+$/.test(arg)) ?? 16);
const { cohort } = parseTrainingConfig({ name: 'cost' });
const engine = await openEngine({ device: 'cpu' });
const rows: {
  region: string;
  tracer: string;
  scanner: string;
  shape: string;
  voxel: string;
  trues: number;
  cpuPerPair: number;
}[] = [];
for (let number = 1; number <= subjects; number++) {
  const before = process.cpuUsage();
  const { recipe, shape, voxelSize, trues, lowDose } = await simulateSubject(cohort, 1, number, engine);
  const { user, system } = process.cpuUsage(before);
  rows.push({
    ...{ region: recipe.region, tracer: recipe.tracer, scanner: recipe.scanner, shape: shape.join(' × ') },
    ...{ voxel: voxelSize.map((d) => d.toFixed(1)).join(' × '), trues: Math.round(trues / 1e5) / 10 },
    cpuPerPair: Math.round((user + system) / 1e4 / lowDose.length) / 100,
  });
}
await engine.dispose();
const mean = rows.reduce((sum, { cpuPerPair }) => sum + cpuPerPair, 0) / rows.length;
const result = { subjects, draws: cohort.draws, cpuSecondsPerPair: Math.round(100 * mean) / 100, rows };
if (process.argv.includes('--json')) console.log(JSON.stringify(result));
else {
  console.table(rows);
  console.log(`${result.cpuSecondsPerPair} CPU s per pair`);
}
