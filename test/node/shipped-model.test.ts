/** The shipped model on subjects it never saw: it must help, as a denoiser and inside HQS. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { denoiseVolume } from '../../src/denoise/denoise-volume.js';
import { fromWorld } from '../../src/geometry/frame.js';
import { scannerByName } from '../../src/geometry/scanners.js';
import { sinogramLayout } from '../../src/geometry/sinogram.js';
import { imageError } from '../../src/metrics/psnr.js';
import type { ModelCard } from '../../src/network/model-card.js';
import { parameterCount } from '../../src/network/parameters.js';
import { openEngine } from '../../src/node/devices.js';
import { type LoadedModel, loadModel } from '../../src/node/model-folder.js';
import { reconstruct } from '../../src/node/reconstruct.js';
import type { ProjectorEngine } from '../../src/projector/engine.js';
import { acquire } from '../../src/simulate/acquisition.js';
import { phantom } from '../../src/simulate/phantom.js';

let engine: ProjectorEngine;
let model: LoadedModel<ModelCard>;
beforeAll(async () => {
  engine = await openEngine({ device: 'cpu' });
  model = await loadModel();
});
afterAll(async () => {
  await model.dispose();
  await engine.dispose();
});

describe('the shipped model', () => {
  it('is small, says how it was made, and has its weights’ sum', () => {
    const { card } = model;
    expect(parameterCount(card.architecture)).toBeLessThanOrEqual(2_500_000);
    expect(card.training).toMatchObject({
      command: expect.stringContaining('coincide train'),
      config: { seed: expect.any(Number) },
    });
    expect(card.sha256).toMatch(/^[0-9a-f]{64}$/);
  });

  // Training seeds are 10⁶ and up; brains were never trained on.
  it.each([
    ['thorax', 77, 8e5],
    ['thorax', 78, 3e5],
    ['brain', 5, 8e5],
  ] as const)('beats the unprocessed image of an unseen %s (seed %d, %d trues)', async (kind, seed, counts) => {
    const truth = phantom(kind, { seed });
    const layout = sinogramLayout(scannerByName('small'), { span: 3, maxRingDifference: 7 });
    const { scan } = await acquire({ ...truth, layout, engine, counts, psf: 5, seed });
    const { grid } = fromWorld(truth.activity, 'HFS');
    const osem = await reconstruct(scan, grid, engine, { unit: 'SUV' });
    const denoised = await denoiseVolume(osem.image, model);
    const hqs = await reconstruct(scan, grid, engine, { unit: 'SUV', method: 'hqs', model, samples: 1, steps: 6, seed });
    const psnr = ({ values }: typeof osem.image): number => imageError(values, truth.activity.values).psnr;
    console.log(
      `${kind} ${seed}: OSEM ${psnr(osem.image).toFixed(2)}, denoised ${psnr(denoised.image).toFixed(2)}, HQS ${psnr(hqs.image).toFixed(2)} dB`,
    );
    expect(psnr(denoised.image)).toBeGreaterThan(psnr(osem.image) + (kind === 'thorax' ? 1 : 0));
    expect(psnr(hqs.image)).toBeGreaterThan(psnr(osem.image) + (kind === 'thorax' ? 1 : 0));
    expect(hqs.image.values.data.every((value) => value >= 0)).toBe(true);
    expect(Math.abs(hqs.explained / hqs.prompts - 1)).toBeLessThan(0.08);
  });
});
