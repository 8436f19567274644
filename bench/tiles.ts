/** A volume through the network in tiles and whole: how far apart, which is better, and what either costs.
 *    npm run bench -- tiles [subjects, default 2] [--model DIR] [--picture FILE.png] [--json]
 *    npm run bench -- tiles memory [--model DIR]: peak memory of 160 × 128 × 128 voxels in one piece
 *  Group normalisation sees what is evaluated together, so a network is not the same function of a tile and of a volume. Subjects as in `sampling`,
 *  whole slices. Differences are in % of the whole result's range. */
import { writeFile } from 'node:fs/promises';
import { centredGrid, denoiseVolume, fill, imageError, type PetImage, petImage } from 'coincide';
import { loadModel, picture, png } from 'coincide/node';
import { simulatedPairs } from './pairs.js';

const args = process.argv.slice(3);
const after = (name: string): string | undefined => (args.includes(name) ? args[args.indexOf(name) + 1] : undefined);
const subjects = Number(args.find((arg) => /^\d+$/.test(arg)) ?? 2);
const model = await loadModel(after('--model'));

if (args.includes('memory')) {
  const shape = [160, 128, 128] as const;
  const image = petImage(
    centredGrid(shape, [4, 4, 4]),
    fill(shape, (i) => 1 + Math.sin(i)),
    'SUV',
  );
  const before = process.cpuUsage();
  await denoiseVolume(image, model, { tiles: 'whole' });
  const { user, system } = process.cpuUsage(before);
  const peak = Math.round((process.resourceUsage().maxRSS * 1024) / 1e7) / 100;
  console.log(JSON.stringify({ shape, peakGB: peak, cpuSeconds: (user + system) / 1e6 }));
  await model.dispose();
  process.exit(0);
}

/** Transaxial slice in the middle: tiles, whole, and ten times what is between them. */
function pictureOf(tiled: PetImage, whole: PetImage, range: number): Uint8Array {
  const slice = tiled.grid.shape[0] >> 1;
  const difference = fill(tiled.grid.shape, (i) => 10 * Math.abs(tiled.values.data[i]! - whole.values.data[i]!));
  const panels = [tiled.values, whole.values, difference].map((x) => picture(x, 'transaxial', range / 2, slice));
  // Every voxel three pixels wide, so that a seam would be seen.
  const { width, height } = panels[0]!;
  const across = 9 * width;
  const pixels = Uint8Array.from({ length: across * 3 * height }, (_, i) => {
    const [row, column] = [Math.floor(i / across / 3), Math.floor((i % across) / 3)];
    return panels[Math.floor(column / width)]!.pixels[row * width + (column % width)]!;
  });
  return png({ width: across, height: 3 * height, pixels });
}

const table: Record<string, string | number>[] = [];
const round = (value: number): number => Number(value.toPrecision(3));
for (const { kind, seed, low, truth } of await simulatedPairs(subjects)) {
  for (const mode of ['mean', 'samples'] as const) {
    const run = async (tiles: 'model' | 'whole'): Promise<{ image: PetImage; psnr: number; cpuSeconds: number }> => {
      const before = process.cpuUsage();
      const { image } = await denoiseVolume(low, model, { mode, samples: 1, tiles });
      const { user, system } = process.cpuUsage(before);
      return {
        image,
        psnr: Math.round(100 * imageError(image.values, truth.values).psnr) / 100,
        cpuSeconds: round((user + system) / 1e6),
      };
    };
    const [tiled, whole] = [await run('model'), await run('whole')];
    const range = whole.image.values.data.reduce((most, value) => Math.max(most, value), 0);
    const apart = tiled.image.values.data.map((value, i) => (100 * Math.abs(value - whole.image.values.data[i]!)) / range).sort();
    const rms = Math.sqrt(apart.reduce((sum, value) => sum + value * value, 0) / apart.length);
    table.push({
      ...{ subject: `${kind} ${seed}`, mode, psnrTiles: tiled.psnr, psnrWhole: whole.psnr },
      ...{ rms: round(rms), p999: round(apart[Math.floor(0.999 * apart.length)]!), largest: round(apart.at(-1)!) },
      ...{ cpuTiles: tiled.cpuSeconds, cpuWhole: whole.cpuSeconds },
    });
    const file = after('--picture');
    if (file !== undefined && table.length === 1) await writeFile(file, pictureOf(tiled.image, whole.image, range));
  }
}
if (args.includes('--json')) console.log(JSON.stringify({ model: model.card.name, sha256: model.card.sha256, table }));
else console.table(table);
await model.dispose();
