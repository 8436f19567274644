/** @file  coincide demo: phantom → low-count scan → OSEM, OSEM + denoiser, HQS → one page. */
import type { Command } from 'commander';
import type { PetImage } from '../core/image.js';
import { denoiseVolume } from '../denoise/denoise-volume.js';
import { fromWorld } from '../geometry/frame.js';
import { scannerByName } from '../geometry/scanners.js';
import { worldPoint } from '../geometry/shown.js';
import { sinogramLayout } from '../geometry/sinogram.js';
import { writeNifti } from '../io/nifti.js';
import { imageError } from '../metrics/psnr.js';
import { contrastRecovery, regionStatistics } from '../metrics/regions.js';
import { ssim } from '../metrics/ssim.js';
import { openEngine } from '../node/devices.js';
import { type FileSet, json, mayReplace, writeFolder } from '../node/files.js';
import { loadModel } from '../node/model-folder.js';
import { type GreyPicture, picture, png, sideBySide, stacked } from '../node/png.js';
import { reconstruct } from '../node/reconstruct.js';
import { type ReportContent, type ReportImage, type ReportResult, reportPage } from '../node/report-page.js';
import { factsTable } from '../node/report-tables.js';
import { version } from '../node/version.js';
import { gaussianPsf } from '../projector/psf.js';
import { acquire } from '../simulate/acquisition.js';
import { type Phantom, phantom } from '../simulate/phantom.js';
import { duration } from './progress.js';
import { type Result, type Run, verb } from './verb.js';

const fullDose = 1.6e7;
const dose = 1 / 20;
/** A subject that no training run of the shipped model has seen: its seeds begin with the training seed, in millions. */
const subject = 20260;
const output = [
  'report.html',
  'report.json',
  'overview.png',
  ...['truth', 'osem', 'gaussian', 'denoised', 'hqs', 'spread'].map((name) => `${name}.nii.gz`),
];

export function demo(program: Command): void {
  const command = program
    .command('demo')
    .description('simulate a low-count scan, reconstruct it in four ways, and write one page that shows them')
    .option('-o, --output <dir>', 'folder to write', 'demo');
  verb(command, async (run: Run, options: { output: string }): Promise<Result> => {
    const started = performance.now();
    await mayReplace(options.output, output);
    const truth = phantom('thorax', { seed: subject });
    const engine = await openEngine(run.options);
    const model = await loadModel(undefined, run.options);
    const stage = run.stage('demo');
    const { signal } = run;
    try {
      const layout = sinogramLayout(scannerByName('small'), { span: 3, maxRingDifference: 7 });
      stage(0.02, 'simulating the scan');
      const { scan, expected } = await acquire({
        ...truth,
        layout,
        engine,
        counts: fullDose,
        dose,
        psf: 5,
        seed: run.options.seed,
        signal,
      });
      const { grid } = fromWorld(truth.activity, 'HFS');
      const osem = await reconstruct(scan, grid, engine, {
        unit: 'SUV',
        signal,
        onProgress: (f, text) => stage(0.05 + 0.15 * f, text),
      });
      const filtered = await bestGaussian(osem.image, truth.activity);
      const denoised = await denoiseVolume(osem.image, model, { signal });
      const sampled = await denoiseVolume(osem.image, model, {
        mode: 'samples',
        seed: run.options.seed,
        signal,
        onProgress: (f) => stage(0.25 + 0.15 * f, 'sampling'),
      });
      const hqs = await reconstruct(scan, grid, engine, {
        ...{ method: 'hqs', unit: 'SUV', model, seed: run.options.seed, signal },
        onProgress: (f, text) => stage(0.4 + 0.58 * f, text),
      });
      stage.done();
      const { name, version: modelVersion, sha256 } = model.card;
      const network = { model: { name, version: modelVersion, sha256 } };
      const [{ image: osemImage, ...osemSidecar }, { image: hqsImage, spread: _, ...hqsSidecar }] = [osem, hqs];
      const { image: denoisedImage, warnings } = denoised;
      const results: ReportResult[] = [
        { name: 'OSEM', note: '2 iterations × 8 subsets', image: osemImage, sidecar: osemSidecar },
        { name: 'OSEM + Gaussian', note: `${filtered.fwhm} mm FWHM, the best against the truth`, image: filtered.image },
        {
          name: 'OSEM + denoiser',
          note: 'mean mode, one evaluation',
          image: denoisedImage,
          sidecar: { ...network, mode: 'mean', warnings },
        },
        { name: 'HQS', note: 'unconditional prior, mean of 4 samples', image: hqsImage, sidecar: { ...network, ...hqsSidecar } },
      ];
      const reference = { name: 'Truth', note: 'the phantom', image: truth.activity };
      const measured = results.map((row) => ({ name: row.name, ...measure(row.image, truth) }));
      const seconds = (performance.now() - started) / 1000;
      const provenance = {
        ...{
          coincide: version(),
          command: 'npm run demo',
          engine: engine.name,
          networks: 'onnxruntime-node, cpu',
          seconds: Math.round(seconds),
        },
        ...{
          ...network,
          subject,
          seed: run.options.seed,
          dose,
          expected,
        },
        ...{ osem: osem.parameters, hqs: hqs.parameters },
        deviancePerBin: { osem: osem.deviancePerBin, hqs: hqs.deviancePerBin, expectedForHqs: hqs.expectedDeviancePerBin },
      };
      const about = {
        coincide: version(),
        command: 'npm run demo',
        subject,
        seed: run.options.seed,
        dose,
        seconds: Math.round(seconds),
        expected,
      };
      const page = reportPage({
        ...pageOf(truth, measured, expected.prompts, [reference, ...results]),
        results,
        reference,
        spreads: [{ name: 'Spread', note: 'of 4 samples of the denoiser', image: sampled.spread! }],
        about,
      });
      const volumes = {
        truth: truth.activity,
        osem: osem.image,
        gaussian: filtered.image,
        denoised: denoised.image,
        hqs: hqs.image,
        spread: sampled.spread!,
      };
      const files: Record<string, Uint8Array> = {
        'report.html': Buffer.from(page),
        'report.json': json({ measured, ...provenance }),
        'overview.png': overview([reference, ...results], hottest(truth)),
      };
      for (const [name, image] of Object.entries(volumes)) files[`${name}.nii.gz`] = writeNifti(image, { gzip: true });
      await writeFolder(options.output, files satisfies FileSet);
      const table = measured.map(({ name, psnr }) => `${name.padEnd(16)} ${psnr.toFixed(2)} dB`).join('\n');
      return {
        json: { output: options.output, measured, ...provenance },
        text: `${table}\n${options.output}/report.html in ${duration(seconds)}`,
      };
    } finally {
      await model.dispose();
      await engine.dispose();
    }
  });
}

/** The Gaussian filter that brings an image closest to the truth: better than anyone could choose it without. */
async function bestGaussian(image: PetImage, truth: PetImage): Promise<{ image: PetImage; fwhm: number }> {
  let best = { image, fwhm: 0, psnr: imageError(image.values, truth.values).psnr };
  for (let fwhm = 4; fwhm <= 16; fwhm++) {
    const values = await gaussianPsf(image.grid, fwhm).forward(image.values);
    const { psnr } = imageError(values, truth.values);
    if (psnr > best.psnr) best = { image: { ...image, values }, fwhm, psnr };
  }
  return best;
}

interface Measured {
  readonly psnr: number;
  readonly ssim: number;
  readonly nrmse: number;
  /** Mean over the hot lesions, against the organ around them. */
  readonly lesionCrc: number;
  /** Coefficient of variation in the liver, or the largest organ: noise and texture. */
  readonly liverCov: number;
}

function measure(image: PetImage, { activity, labels, names }: Phantom): Measured {
  const { psnr, nrmse } = imageError(image.values, activity.values);
  const regions = regionStatistics(image.values, labels.values);
  const label = (name: RegExp): number | undefined => regions.find((r) => name.test(names[r.label] ?? ''))?.label;
  const background = label(/muscle|soft|body/i) ?? regions[0]!.label;
  const lesions = regions.filter((r) => /hot|lesion/i.test(names[r.label] ?? '') && r.voxels >= 4).map((r) => r.label);
  const recoveries = lesions.map((lesion) =>
    contrastRecovery(image.values, activity.values, labels.values, { lesion, background }),
  );
  const liver = label(/liver/i) ?? background;
  return {
    ...{ psnr, nrmse, ssim: ssim(image.values, activity.values).ssim },
    lesionCrc: recoveries.reduce((sum, crc) => sum + crc, 0) / recoveries.length,
    liverCov: regions.find((r) => r.label === liver)!.cov,
  };
}

function pageOf(
  truth: Phantom,
  measured: readonly (Measured & { name: string })[],
  prompts: number,
  images: readonly ReportImage[],
): Pick<ReportContent, 'title' | 'introduction' | 'at' | 'window' | 'tables'> {
  return {
    title: 'coincide: one low-count scan, four reconstructions',
    introduction: [
      `A simulated thorax, ${Math.round(prompts).toLocaleString('en')} expected prompts (1/20 of the full dose), on the demonstration scanner “small”: attenuation, randoms and scatter (20 % each), 5 mm resolution, Poisson counts. The shipped model was trained on other simulated subjects; the reconstructions know μ, randoms and scatter, not the truth.`,
    ],
    at: worldPoint(truth.activity, hottest(truth)),
    window: 8,
    tables: [
      {
        caption: 'Agreement with the phantom',
        head: ['', 'PSNR, dB', 'SSIM', 'NRMSE', 'lesion CRC', 'liver CoV'],
        rows: measured.map((m) => [
          m.name,
          m.psnr.toFixed(2),
          m.ssim.toFixed(4),
          m.nrmse.toFixed(4),
          m.lesionCrc.toFixed(3),
          `${(100 * m.liverCov).toFixed(1)} %`,
        ]),
        note: 'PSNR range: max − min of the truth. CRC: mean over the hot lesions, 1 is full recovery. CoV: noise and texture in the liver. One subject, one noise realisation: an illustration, not evidence.',
      },
      factsTable(images),
    ],
  };
}

/** Transaxial and coronal slices of all images, side by side: the picture of the README. */
function overview(rows: readonly ReportImage[], [z, y]: readonly [number, number, number]): Uint8Array {
  const row = (view: 'transaxial' | 'coronal', index: number): GreyPicture =>
    sideBySide(
      rows.map(({ image }) => picture(image.values, view, 8, index)),
      2,
    );
  return png(stacked([row('transaxial', z), row('coronal', y)]));
}

/** Voxel [z, y, x] of the largest activity among the lesions, or anywhere. */
function hottest({ activity, labels, names }: Phantom): [number, number, number] {
  const isLesion = (i: number): boolean => /hot|lesion/i.test(names[labels.values.data[i]!] ?? '');
  let at = 0;
  let lesion = false;
  activity.values.data.forEach((value, i) => {
    const here = isLesion(i);
    if ((here && !lesion) || (here === lesion && value > activity.values.data[at]!)) {
      at = i;
      lesion = here;
    }
  });
  const [, ny, nx] = activity.grid.shape;
  return [Math.floor(at / (ny * nx)), Math.floor(at / nx) % ny, at % nx];
}
