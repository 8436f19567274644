/** @file  The page that denoises: takes a file, has its worker denoise it, and shows before and after. */
import { centre, type Loaded, openPane, type Pane, text, type View, valueAt } from '../view/pane.js';
import type { FromWorker, SentImage, ToWorker } from './messages.js';

const element = <T extends HTMLElement>(id: string): T => document.getElementById(id) as T;
const input = (id: string): HTMLInputElement => element<HTMLInputElement>(id);
const [note, progress, drop] = [element('note'), element<HTMLProgressElement>('progress'), element('drop')];
const [run, stop] = [element<HTMLButtonElement>('run'), element<HTMLButtonElement>('stop')];
const [settings, look] = [element<HTMLFormElement>('settings'), element<HTMLFormElement>('look')];

// A worker made from a blob has this page's content security policy; one loaded by its address would have none.
const base = document.baseURI;
const start = `import { serve } from ${JSON.stringify(new URL('worker.js', base).href)}; serve(${JSON.stringify(base)});`;
const worker = new Worker(URL.createObjectURL(new Blob([start], { type: 'text/javascript' })), { type: 'module' });
const tell = (message: ToWorker, transfer: Transferable[] = []): void => worker.postMessage(message, transfer);
worker.onerror = ({ message }) => fail(`The worker could not be started: ${message}`);

let model: string | undefined;
let file: File | undefined;
let began = 0;

worker.onmessage = ({ data }: MessageEvent<FromWorker>) => {
  if (data.kind === 'ready') {
    model = data.model;
    note.textContent = `Ready: the model is ${model}.`;
    working(false);
    document.body.dataset.ready = 'true';
  } else if (data.kind === 'progress') {
    progress.value = data.fraction;
    const left = ((performance.now() - began) / 1000) * (1 / data.fraction - 1);
    note.textContent = `${Math.round(100 * data.fraction)} %, ${left < 90 ? `${Math.ceil(left)} s` : `${Math.ceil(left / 60)} min`} left`;
  } else if (data.kind === 'failed') {
    fail(data.stopped ? 'Stopped.' : data.message);
  } else void show(data);
};

function fail(message: string): void {
  note.textContent = message;
  working(false);
}

function working(busy: boolean): void {
  run.disabled = busy || !file || !model;
  stop.hidden = progress.hidden = !busy;
  input('file').disabled = busy;
}

function take(taken: File | undefined): void {
  if (!taken) return;
  if (/\.nii(\.gz)?$/i.test(taken.name)) {
    file = taken;
    note.textContent = `${file.name}, ${(file.size / 1e6).toFixed(1)} MB${model ? '' : '; the model is still loading'}`;
  } else {
    note.textContent = `${taken.name} is no NIfTI file: its name must end in .nii or .nii.gz. DICOM and Interfile are for the command line.`;
  }
  working(false);
}

settings.addEventListener('submit', async (event) => {
  event.preventDefault();
  if (!file || run.disabled) return;
  working(true);
  progress.removeAttribute('value');
  note.textContent = 'reading …';
  began = performance.now();
  const bytes = await file.arrayBuffer();
  const unit = element<HTMLSelectElement>('unit').value as 'file' | 'SUV' | 'body-mean';
  const mode = new FormData(settings).get('mode') as 'mean' | 'samples';
  tell({ kind: 'denoise', file: file.name, bytes, unit, mode }, [bytes]);
});
stop.addEventListener('click', () => tell({ kind: 'stop' }));
input('file').addEventListener('change', () => take(input('file').files?.[0]));
for (const [name, over] of [['dragenter', true], ['dragover', true], ['dragleave', false], ['drop', false]] as const) // biome-ignore format: pairs
  document.addEventListener(name, (event) => {
    event.preventDefault();
    drop.classList.toggle('over', over);
    if (name === 'drop' && !input('file').disabled) take(event.dataTransfer?.files[0]);
  });

const loaded = ({ shown, bytes }: SentImage): Loaded => ({ ...shown, bytes, data: new Float32Array(bytes, 352) });
let panes: Pane[] = [];
let at: [number, number, number] = [0, 0, 0];
let links: string[] = [];

async function show({ noisy, clean, spread, files, warnings, seconds }: FromWorker & { kind: 'done' }): Promise<void> {
  working(false);
  note.textContent = `Denoised by ${model} in ${text(seconds)} s. Values of the result are for research only.`;
  const list = element('warnings');
  list.replaceChildren(...warnings.map((warning) => Object.assign(document.createElement('li'), { textContent: warning })));
  list.hidden = warnings.length === 0;
  for (const link of links) URL.revokeObjectURL(link);
  const downloads = Object.entries(files).map(([name, bytes]) =>
    Object.assign(document.createElement('a'), {
      download: name,
      textContent: `Save ${name}`,
      href: URL.createObjectURL(new Blob([bytes])),
    }),
  );
  links = downloads.map(({ href }) => href);
  element('downloads').replaceChildren(...downloads);
  element('downloads').hidden = false;
  element('panes').replaceChildren();
  const layer = spread && loaded(spread);
  panes = [];
  for (const image of [noisy, clean].map(loaded))
    panes.push(await openPane(image, { spread: layer }, { onMove: moveTo, onView: frame }));
  input('spread').disabled = !layer;
  input('spread').checked = false;
  input('high').value = text(panes[1]!.image.high);
  look.hidden = false;
  at = centre(panes[0]!.image);
  refresh();
  document.body.dataset.shown = 'true';
}

function refresh(): void {
  const [low, high] = [Number(input('low').value), Number(input('high').value)];
  if (!(high > low)) return;
  const colours = new FormData(look).get('colours') as 'grey' | 'hot';
  for (const pane of panes) {
    pane.show({ colours, low, high, over: 0, labels: 0, spread: input('spread').checked ? 0.6 : 0 });
    pane.turnTo(Number(input('angle').value));
  }
  moveTo(at);
}

function frame(view: View): void {
  for (const pane of panes) pane.frame(view);
}

function moveTo(point: [number, number, number]): void {
  at = point;
  for (const pane of panes) {
    pane.moveTo(at);
    const value = valueAt(pane.image, at);
    pane.tell(value === undefined ? 'outside' : `${text(value)} ${pane.image.unit}`);
  }
}
look.addEventListener('input', ({ target }) => {
  if (target === input('angle')) for (const pane of panes) pane.turnTo(Number(input('angle').value));
  else refresh();
});
look.addEventListener('submit', (event) => event.preventDefault());
