// %% [markdown]
// # 2. From sinogram and from list mode to OSEM
//
// The same scan, once as counts of bins and once as single events: the same image. Which of the two is faster depends on how full the bins are.

// %%
import {
  acquire,
  centredGrid,
  type EventList,
  fromWorld,
  imageError,
  listModeModel,
  osem,
  type PoissonSubset,
  phantom,
  type Sinogram,
  scannerByName,
  sinogramLayout,
  sinogramShape,
  systemModel,
  toWorld,
  uniformStart,
} from 'coincide';
import { openEngine, picture, png } from 'coincide/node';

//| import { display } from 'tslab';

// %% [markdown]
// ## A short scan
// A thorax at 1/100 of the full dose.

// %%
const subject = phantom('thorax', { seed: 5, grid: centredGrid([16, 48, 48], [8, 8, 8]) });
const layout = sinogramLayout(scannerByName('small'), { span: 1, maxRingDifference: 3 });
const engine = await openEngine({ device: 'cpu' });
const { scan } = await acquire({ ...subject, layout, engine, counts: 1.6e5, psf: 5, seed: 7 });
const { grid } = fromWorld(subject.activity, 'HFS');
console.log('sinogram', sinogramShape(layout));
//| display.png(png(picture(subject.activity.values, 'coronal', 8)));

// %% [markdown]
// ## The scan as events
// A list groups events by their place across the scanner and sorts them along it; 2 bytes each. `listMode` makes one of the records of a scanner and
// `readListMode` of a file of the Siemens mMR; here the events come from the counts.

// %%
function eventsOf(prompts: Sinogram): EventList {
  const [, planes, views, tangential] = sinogramShape(prompts.layout);
  const offsets = new Uint32Array(views! * tangential! + 1);
  const rows: number[] = [];
  for (let place = 0; place < views! * tangential!; place++) {
    for (let plane = 0; plane < planes!; plane++) {
      for (let n = prompts.values.data[plane * views! * tangential! + place]!; n > 0; n--) rows.push(plane);
    }
    offsets[place + 1] = rows.length;
  }
  return { layout: prompts.layout, offsets, rows: Uint16Array.from(rows) };
}
const list = eventsOf(scan.prompts);
console.log(list.rows.length, 'events in', scan.prompts.values.data.length, 'bins');

// %% [markdown]
// ## OSEM on both
// With every event as a bin of its own that holds one count, the factors m divide out and only the sensitivity needs all bins: the same algorithm does both.

// %%
const fromBins = await systemModel(scan, engine, grid, { subsets: 4 });
const fromEvents = await listModeModel(list, scan, engine, grid, { subsets: 4 });

async function twoPasses(subsets: PoissonSubset[]) {
  const started = performance.now();
  let values = uniformStart(subsets);
  for await (const step of osem(subsets, { epochs: 2, initial: values })) values = step.image;
  return { image: toWorld(values, grid, scan.position, 'SUV'), milliseconds: performance.now() - started };
}
const a = await twoPasses(fromBins);
const b = await twoPasses(fromEvents);
const { nrmse } = imageError(b.image.values, a.image.values);
console.log(
  'sinogram',
  a.milliseconds.toFixed(0),
  'ms, list mode',
  b.milliseconds.toFixed(0),
  'ms; NRMSE between them',
  nrmse.toExponential(1),
);
//| display.png(png(picture(a.image.values, 'coronal', 8)));
//| display.png(png(picture(b.image.values, 'coronal', 8)));

// %%
await engine.dispose();
