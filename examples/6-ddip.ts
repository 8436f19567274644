// %% [markdown]
// # 6. DDIP: a tracer that the model never saw
//
// The model was trained on other tracers. A brain with amyloid is foreign to it twice: in tracer and anatomy. The deep diffusion image prior (DDIP) lets low-rank updates of the network
// learn from the very scan that is being reconstructed.

// %%
import { acquire, centredGrid, fromWorld, imageError, type PetImage, phantom, scannerByName, sinogramLayout } from 'coincide';
import { loadModel, openEngine, picture, png, reconstruct } from 'coincide/node';

//| import { display } from 'tslab';

// %%
const subject = phantom('brain', { seed: 20264, tracer: 'amyloid', grid: centredGrid([24, 52, 52], [4.5, 4.5, 4.5]) });
const layout = sinogramLayout(scannerByName('small'), { span: 3, maxRingDifference: 7 });
const engine = await openEngine({ device: 'cpu' });
const { scan } = await acquire({ ...subject, layout, engine, counts: 8e5, psf: 5, seed: 13 });
const { grid } = fromWorld(subject.activity, 'HFS');
const psnr = (image: PetImage): string => `${imageError(image.values, subject.activity.values).psnr.toFixed(2)} dB`;
//| display.png(png(picture(subject.activity.values, 'transaxial', 3, 12)));

// %% [markdown]
// ## OSEM, and the prior as it is

// %%
const model = await loadModel();
const common = { unit: 'SUV' as const, model: model, seed: 1, samples: 1 };
const osemResult = await reconstruct(scan, grid, engine, { unit: 'SUV' });
const fixed = await reconstruct(scan, grid, engine, { ...common, method: 'post' });
console.log('OSEM', psnr(osemResult.image), ' network as it is', psnr(fixed.image));
//| display.png(png(picture(osemResult.image.values, 'transaxial', 3, 12)));
//| display.png(png(picture(fixed.image.values, 'transaxial', 3, 12)));

// %% [markdown]
// ## The prior, adapted to the scan
// In each of a few rounds the network's mean of OSEM is taken to an image that the data make of it, and the adapter learns that image. Few rounds, since it would learn the noise too.
// Two rounds and a small adapter here; the default is 3.

// %%
const adapted = await reconstruct(scan, grid, engine, {
  ...common,
  method: 'ddip',
  ddip: { levels: 2, rank: 2, fits: 3 },
});
console.log('DDIP', psnr(adapted.image));
//| display.png(png(picture(adapted.image.values, 'transaxial', 3, 12)));

// %% [markdown]
// What it brings depends on the scan, the tracer and how far the model is from them; the measured results of the documentation compare the methods on subjects kept out of training.

// %%
await model.dispose();
await engine.dispose();
