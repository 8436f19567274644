// %% [markdown]
// # 4. Denoise a volume, with its uncertainty
//
// The denoiser as most people use it: an image in, a cleaner one out, and a map of where it is in doubt. And a look at how far that map can be trusted.

// %%
import {
  acquire,
  denoiseVolume,
  fromWorld,
  imageError,
  intervalCoverage,
  phantom,
  scannerByName,
  sinogramLayout,
} from 'coincide';
import { loadModel, openEngine, picture, png, reconstruct } from 'coincide/node';

//| import { display } from 'tslab';

// %% [markdown]
// ## A low-count image
// Read your own by `readStudy('folder-or-file')`; here one is simulated, so that the truth is known.

// %%
const subject = phantom('thorax', { seed: 20263 });
const layout = sinogramLayout(scannerByName('small'), { span: 3, maxRingDifference: 7 });
const engine = await openEngine({ device: 'cpu' });
const { scan } = await acquire({ ...subject, layout, engine, counts: 8e5, psf: 5, seed: 11 });
const { grid } = fromWorld(subject.activity, 'HFS');
const { image } = await reconstruct(scan, grid, engine, { unit: 'SUV' });
await engine.dispose();
//| display.png(png(picture(image.values, 'coronal', 8)));

// %% [markdown]
// ## The mean, and samples
// `mean` is one evaluation of the network. `samples` draws images that the network holds possible, given this one; their mean is the result, their standard deviation the spread.

// %%
const model = await loadModel();
const mean = await denoiseVolume(image, model);
const sampled = await denoiseVolume(image, model, { mode: 'samples', samples: 4, seed: 2 });
const truth = subject.activity.values;
console.log('unprocessed', imageError(image.values, truth).psnr.toFixed(2), 'dB');
console.log('mean', imageError(mean.image.values, truth).psnr.toFixed(2), 'dB');
console.log('mean of 4 samples', imageError(sampled.image.values, truth).psnr.toFixed(2), 'dB');
for (const warning of mean.warnings) console.log('warning:', warning);
//| display.png(png(picture(mean.image.values, 'coronal', 8)));
//| display.png(png(picture(sampled.spread!.values, 'coronal', 1)));

// %% [markdown]
// ## How far can the spread be trusted?
// Of the voxels of the body, in how many does the truth lie in the 90 % interval of the samples? Where it is fewer, the spread is too small: the network does not know all that it does
// not know.

// %%
const covered = intervalCoverage(sampled.image.values, sampled.spread!.values, truth, {
  samples: 4,
  level: 0.9,
  mask: subject.labels.values,
});
console.log('share of voxels in their 90 % interval:', covered.toFixed(2));
await model.dispose();
