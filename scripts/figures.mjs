/** The pictures of theory.md that are computed: npm run figures, in a clone that is built. The .svg are drawn by hand. */
import { writeFileSync } from 'node:fs';
import {
  acquire,
  fill,
  fromWorld,
  noiseField,
  osem,
  phantom,
  scannerByName,
  sinogramLayout,
  systemModel,
  toWorld,
} from 'coincide';
import { loadModel, openEngine, picture, png } from 'coincide/node';
import { sideBySide, stacked } from '../dist/node/png.js';

const write = (name, rows) =>
  writeFileSync(new URL(`../docs/figures/${name}`, import.meta.url), png(stacked(rows.map((row) => sideBySide(row, 2)))));
const subject = phantom('thorax', { seed: 20261 });
const truth = subject.activity.values;

const engine = await openEngine({ device: 'cpu' });
const layout = sinogramLayout(scannerByName('small'), { span: 3, maxRingDifference: 7 });
const { scan } = await acquire({ ...subject, layout, engine, counts: 8e5, psf: 5, seed: 7 });
const { grid } = fromWorld(subject.activity, 'HFS');
const subsets = await systemModel(scan, engine, grid, { subsets: 8 });
const images = [];
let update = 0;
for await (const { image } of osem(subsets, { epochs: 6 })) {
  if ([2, 4, 8, 16, 48].includes(++update)) images.push(toWorld(image, grid, scan.position, 'SUV').values);
}
await engine.dispose();
write('osem.png', [
  images.map((image) => picture(image, 'transaxial', 8, 15)),
  images.map((image) => picture(image, 'coronal', 8)),
]);

const model = await loadModel();
const denoiser = model.denoiser();
const noise = noiseField(truth.shape, 11, 0);
const noisy = [];
const clean = [];
for (const sigma of [0.1, 0.4, 1, 2, 4]) {
  const x = fill(truth.shape, (i) => truth.data[i] + sigma * noise.data[i]); // SUV
  noisy.push(picture(x, 'transaxial', 8, 15));
  clean.push(picture(await denoiser.denoise(x, sigma), 'transaxial', 8, 15));
}
await model.dispose();
write('sigma.png', [noisy, clean]);
