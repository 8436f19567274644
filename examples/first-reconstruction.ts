// %% [markdown]
// # From a scan to an image, in six steps
//
// A phantom is scanned on the small demonstration scanner at a low dose, reconstructed by OSEM, denoised by the shipped 3D diffusion
// model, and reconstructed again with that model as a prior (HQS). Everything here is simulation.
//
// As a script: `npm run example`. As a notebook (tslab): the `.ipynb` beside it is made from this file.

// %%
import {
  acquire,
  denoiseVolume,
  fromWorld,
  imageError,
  osem,
  phantom,
  scannerByName,
  sinogramLayout,
  systemModel,
  toWorld,
  uniformStart,
} from 'coincide';
import { loadModel, openEngine, picture, png, reconstruct } from 'coincide/node';

//| import { display } from 'tslab';

// %% [markdown]
// ## 1. A subject
// Activity in SUV, attenuation in 1/cm and labels, in the patient's world (RAS+). Each seed is another subject.

// %%
const subject = phantom('thorax', { seed: 20261 });
console.log('voxels [z, y, x]:', subject.activity.grid.shape, 'of', subject.activity.grid.voxelSize, 'mm');
//| display.png(png(picture(subject.activity.values, 'coronal', 8)));

// %% [markdown]
// ## 2. A scanner and its sinograms
// Segments, axial positions, views and tangential positions follow from the scanner and the compression (span).

// %%
const layout = sinogramLayout(scannerByName('small'), { span: 3, maxRingDifference: 7 });
const acquisition = { ...subject, layout, counts: 8e5, psf: 5, seed: 7 };
console.log(layout.segments.length, 'segments,', layout.views, 'views,', layout.tangential, 'tangential positions');

// %% [markdown]
// ## 3. A low-count scan
// y ~ Poisson( m ⊙ (A x + a) ): attenuation and calibration in m, randoms and scatter in a.

// %%
const engine = await openEngine({ device: 'cpu' });
const { scan, expected } = await acquire({ ...acquisition, engine });
console.log('expected trues, randoms, scatter:', expected.trues, expected.randoms, expected.scatter);

// %% [markdown]
// ## 4. OSEM
// An iterative method is a generator of steps; the loop is yours.

// %%
const { grid } = fromWorld(subject.activity, 'HFS');
const subsets = await systemModel(scan, engine, grid, { subsets: 8 });

async function reconstructByOsem() {
  let values = uniformStart(subsets);
  for await (const step of osem(subsets, { epochs: 2, initial: values })) {
    values = step.image;
    if (step.subset === 7) console.log('pass', step.epoch + 1, 'done');
  }
  return toWorld(values, grid, scan.position, 'SUV');
}
const lowCount = await reconstructByOsem();
console.log('OSEM:', imageError(lowCount.values, subject.activity.values).psnr.toFixed(2), 'dB');
//| display.png(png(picture(lowCount.values, 'coronal', 8)));

// %% [markdown]
// ## 5. The denoiser
// The mean mode takes one evaluation of the network; `mode: 'samples'` adds a spread map.

// %%
const model = await loadModel();
const denoised = await denoiseVolume(lowCount, model);
console.log('OSEM + denoiser:', imageError(denoised.image.values, subject.activity.values).psnr.toFixed(2), 'dB');
//| display.png(png(picture(denoised.image.values, 'coronal', 8)));

// %% [markdown]
// ## 6. The same network as a prior
// HQS alternates network and data down a ladder of noise levels; the data are never left out of sight.
// (Written `model: model`, because tslab does not know the short form for a variable of another cell.)

// %%
const result = await reconstruct(scan, grid, engine, { method: 'hqs', model: model, unit: 'SUV', samples: 2, seed: 7 });
console.log('HQS:', imageError(result.image.values, subject.activity.values).psnr.toFixed(2), 'dB');
console.log('deviance per bin', result.deviancePerBin.toFixed(3), 'expected', result.expectedDeviancePerBin.toFixed(3));
//| display.png(png(picture(result.image.values, 'coronal', 8)));

// %%
await model.dispose();
await engine.dispose();
