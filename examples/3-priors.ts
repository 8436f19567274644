// %% [markdown]
// # 3. A classical and a diffusion prior on one scan
//
// One low-count scan of a simulated thorax; four images. OSEM knows the data alone; a Gaussian filter knows that neighbours are alike; the relative difference
// prior knows it too, and keeps edges; a diffusion model knows what such images look like.

// %%
import { acquire, fromWorld, gaussianFilter, imageError, type PetImage, phantom, scannerByName, sinogramLayout } from 'coincide';
import { loadModel, openEngine, picture, png, reconstruct } from 'coincide/node';

//| import { display } from 'tslab';

// %%
const subject = phantom('thorax', { seed: 20262 });
const layout = sinogramLayout(scannerByName('small'), { span: 3, maxRingDifference: 7 });
const engine = await openEngine({ device: 'cpu' });
const { scan } = await acquire({ ...subject, layout, engine, counts: 8e5, psf: 5, seed: 9 });
const { grid } = fromWorld(subject.activity, 'HFS');
const psnr = (image: PetImage): string => `${imageError(image.values, subject.activity.values).psnr.toFixed(2)} dB`;
//| display.png(png(picture(subject.activity.values, 'coronal', 8)));

// %% [markdown]
// ## OSEM, and OSEM filtered

// %%
const osemResult = await reconstruct(scan, grid, engine, { unit: 'SUV' });
const filtered = { ...osemResult.image, values: await gaussianFilter(osemResult.image.values, grid.voxelSize, 8) };
console.log('OSEM', psnr(osemResult.image), ' filtered, 8 mm', psnr(filtered));
//| display.png(png(picture(osemResult.image.values, 'coronal', 8)));
//| display.png(png(picture(filtered.values, 'coronal', 8)));

// %% [markdown]
// ## The relative difference prior
// BSREM minimises the Poisson likelihood and a penalty on relative differences of neighbours. `beta` is its strength.

// %%
const penalised = await reconstruct(scan, grid, engine, { method: 'bsrem', beta: 0.3, penalisedIterations: 4, unit: 'SUV' });
console.log('BSREM + RDP', psnr(penalised.image));
//| display.png(png(picture(penalised.image.values, 'coronal', 8)));

// %% [markdown]
// ## The diffusion prior
// Network and data in turns, down a ladder of noise levels; the network is given nothing but the image of the moment. Few levels and one sample here: the default is 3 and 4.
// (Written `model: model`, because tslab does not know the short form for a variable of another cell.)

// %%
const model = await loadModel();
const diffusion = await reconstruct(scan, grid, engine, {
  method: 'diffpir',
  model: model,
  unit: 'SUV',
  steps: 2,
  samples: 1,
  seed: 1,
});
console.log('DiffPIR', psnr(diffusion.image));
console.log('deviance per bin', diffusion.deviancePerBin.toFixed(3), 'expected', diffusion.expectedDeviancePerBin.toFixed(3));
//| display.png(png(picture(diffusion.image.values, 'coronal', 8)));

// %% [markdown]
// One subject, one realisation of the noise: an illustration, not evidence. The measured results of the documentation have more.

// %%
await model.dispose();
await engine.dispose();
