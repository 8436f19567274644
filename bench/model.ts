/** What the shipped model is worth on subjects it never saw: PSNR of OSEM, OSEM + the best Gaussian, the denoiser and HQS, at three doses.
 *    npm run bench -- model [subjects per kind, default 4] [--json]
 *  The Gaussian is chosen with the truth at hand, image by image, which favours it. Subjects: seeds 501, 502, … */
import {
  acquire,
  denoiseVolume,
  fromWorld,
  gaussianPsf,
  imageError,
  type PetImage,
  type PhantomKind,
  phantom,
  scannerByName,
  sinogramLayout,
} from 'coincide';
import { loadModel, openEngine, reconstruct } from 'coincide/node';

const subjects = Number(process.argv.find((arg) => /^\d+$/.test(arg)) ?? 4);
const fullDose = 1.6e7;
const layout = sinogramLayout(scannerByName('small'), { span: 3, maxRingDifference: 7 });
const engine = await openEngine({ device: 'cpu' });
const model = await loadModel();
const methods = ['osem', 'gaussian', 'mean', 'samples', 'hqs'] as const;
type Row = { kind: PhantomKind; dose: string } & Record<(typeof methods)[number], number>;

async function row(kind: PhantomKind, dose: number): Promise<Row> {
  const sums = { osem: 0, gaussian: 0, mean: 0, samples: 0, hqs: 0 };
  for (let seed = 501; seed < 501 + subjects; seed++) {
    const truth = phantom(kind, { seed });
    const psnr = ({ values }: PetImage): number => imageError(values, truth.activity.values).psnr;
    const { scan } = await acquire({ ...truth, layout, engine, counts: fullDose, dose, psf: 5, seed });
    const { grid } = fromWorld(truth.activity, 'HFS');
    const { image } = await reconstruct(scan, grid, engine, { unit: 'SUV' });
    sums.osem += psnr(image);
    let best = psnr(image);
    for (let fwhm = 4; fwhm <= 16; fwhm++) {
      best = Math.max(best, psnr({ ...image, values: await gaussianPsf(image.grid, fwhm).forward(image.values) }));
    }
    sums.gaussian += best;
    sums.mean += psnr((await denoiseVolume(image, model)).image);
    sums.samples += psnr((await denoiseVolume(image, model, { mode: 'samples', seed })).image);
    sums.hqs += psnr((await reconstruct(scan, grid, engine, { unit: 'SUV', method: 'hqs', model, seed })).image);
    process.stderr.write(`${kind} ${seed} at 1/${1 / dose}\n`);
  }
  for (const method of methods) sums[method] = Math.round((100 * sums[method]) / subjects) / 100;
  return { kind, dose: `1/${1 / dose}`, ...sums };
}

const table: Row[] = [];
for (const kind of ['thorax', 'brain'] as const) for (const dose of [1 / 10, 1 / 20, 1 / 50]) table.push(await row(kind, dose));
const result = {
  subjects,
  fullDose,
  model: model.card.name,
  sha256: model.card.sha256,
  unit: 'dB PSNR, range max − min of the truth',
  table,
};
if (process.argv.includes('--json')) console.log(JSON.stringify(result));
else console.table(table);
await model.dispose();
await engine.dispose();
