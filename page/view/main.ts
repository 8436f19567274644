/** @file  The viewer's page: loads what the program serves, links the panes, and obeys buttons and keys. */
import type { ViewSession } from '../../src/node/view-session.js';
import { centre, difference, type Loaded, load, openPane, type Pane, text, type View, valueAt, worldOf } from './pane.js';

const element = <T extends HTMLElement>(id: string): T => document.getElementById(id) as T;
const input = (id: string): HTMLInputElement => element<HTMLInputElement>(id);
const form = element<HTMLFormElement>('controls');
const note = element('note');
const chosen = (name: string): string => new FormData(form).get(name) as string;
const choose = (name: string, value: string): void => {
  form.querySelector<HTMLInputElement>(`input[name="${name}"][value="${value}"]`)!.click();
};

async function start(): Promise<void> {
  note.textContent = 'loading …';
  const session = (await (await fetch('session.json')).json()) as ViewSession;
  document.title = `${session.images.map(({ name }) => name).join(', ')}: coincide view`;
  const images = await Promise.all(session.images.map(load));
  const spread = session.spread && (await load(session.spread));
  const labels = session.labels && { ...(await load(session.labels)), names: session.labels.names };
  const [first, second] = images as [Loaded, Loaded | undefined];
  const alike = second?.onFirstGrid === true && second.unit === first.unit;
  element('unit').textContent = first.unit;
  input('low').value = '0';
  input('high').value = text(first.high);
  input('spread').disabled = !spread;
  input('labels').disabled = !labels;
  form.querySelector<HTMLInputElement>('[value="overlay"]')!.disabled = !second;
  form.querySelector<HTMLInputElement>('[value="difference"]')!.disabled = !alike;

  const layers = { spread, labels };
  let at: [number, number, number] = [0, 0, 0];
  const whole: View = [0, 0, 0, 1];
  let view = whole;
  const beside: Pane[] = [];
  const links = { onMove: moveTo, onView: frame };
  for (const image of images) beside.push(await openPane(image, layers, links));
  // Those of overlay and difference are made when they are first asked for.
  let over: Promise<Pane> | undefined;
  let minus: Promise<Pane> | undefined;
  const made: Pane[] = [...beside];
  const make = async (...how: Parameters<typeof openPane>): Promise<Pane> => {
    const pane = await openPane(...how);
    made.push(pane);
    return pane;
  };
  async function panesOf(mode: string): Promise<readonly Pane[]> {
    if (mode === 'overlay') {
      const image = { ...first, name: `${second!.name} on ${first.name}` };
      return [await (over ??= make(image, { ...layers, over: second }, links))];
    }
    if (mode === 'beside') return beside;
    return [...beside.slice(0, 2), await (minus ??= make(difference(first, second!), layers, links, false))];
  }

  let shown: readonly Pane[] = [];
  async function refresh(): Promise<void> {
    const mode = chosen('mode');
    const panes = await panesOf(mode);
    if (mode !== chosen('mode')) return; // another was chosen meanwhile
    shown = panes;
    for (const pane of made) pane.element.inert = !shown.includes(pane);
    const [low, high] = [Number(input('low').value), Number(input('high').value)];
    if (!(high > low)) {
      note.textContent = 'The window must end above its beginning.';
      return;
    }
    const opacity = Number(input('opacity').value);
    const on = (id: string): number => (input(id).checked ? opacity : 0);
    const layered = { over: opacity, spread: on('spread'), labels: on('labels') };
    for (const pane of shown) {
      const own =
        pane === shown[2] && mode === 'difference'
          ? ({ colours: 'difference', low: -high / 4, high: high / 4 } as const)
          : { colours: chosen('colours') as 'grey' | 'hot', low, high };
      pane.show({ ...own, ...layered });
      pane.turnTo(Number(input('angle').value));
      pane.frame(view);
    }
    const why =
      second && !alike
        ? `No difference: ${second.unit === first.unit ? 'the voxels of the two are not the same places' : `${first.unit} and ${second.unit} are not one unit`}.`
        : '';
    note.textContent = [why, ...session.warnings].filter(Boolean).join(' ');
    moveTo(at);
  }

  function moveTo(point: [number, number, number]): void {
    at = point;
    for (const pane of shown) pane.moveTo(at);
    element('place').textContent = `x ${at[0].toFixed(1)}, y ${at[1].toFixed(1)}, z ${at[2].toFixed(1)} mm (RAS+)`;
    const words = (image: Loaded): string => {
      const value = valueAt(image, at);
      return value === undefined ? 'outside' : `${text(value)} ${image.unit}`;
    };
    for (const pane of made) pane.tell(words(pane.image));
    const label = labels && valueAt(labels, at);
    const rows = [...[...images, ...(spread ? [spread] : [])].map((image) => [image.name, words(image)]), ...(labels ? [[labels.name, labels.names[String(label)] ?? 'none']] : [])]; // biome-ignore format: one line
    fill(element('values').querySelector('tbody')!, rows);
  }

  function frame(next: View): void {
    view = next;
    for (const pane of shown) pane.frame(view);
    input('zoom').value = String(view[3]);
  }
  /** About the cross-hairs, which stay where they are. */
  function zoomTo(zoom: number): void {
    const held = Math.min(Number(input('zoom').max), Math.max(1, zoom));
    const shift = at.map((mm, axis) => view[axis]! + (view[3] - held) * mm);
    frame(held === 1 ? whole : [shift[0]!, shift[1]!, shift[2]!, held]);
  }

  /** Along x, y, z of the world, in voxels of the first image. */
  function step(axis: 0 | 1 | 2, voxels: number): void {
    const [dz, dy, dx] = first.voxelSize;
    const next = [...at] as [number, number, number];
    next[axis] += voxels * [dx, dy, dz][axis]!;
    if (valueAt(first, next) !== undefined) moveTo(next);
  }

  const hottest = (): void => {
    let top = 0;
    for (let i = 1; i < first.data.length; i++) if (first.data[i]! > first.data[top]!) top = i;
    const [, ny, nx] = first.shape;
    moveTo(worldOf(first, [top % nx, Math.floor(top / nx) % ny, Math.floor(top / (nx * ny))]));
  };
  const toggle = (id: string): void => (input(id).disabled ? undefined : input(id).click());
  const scale = (factor: number): void => {
    input('high').value = text(Number(input('low').value) + (Number(input('high').value) - Number(input('low').value)) * factor);
    void refresh();
  };
  const turn = (degrees: number): void => {
    input('angle').value = String((Number(input('angle').value) + degrees + 360) % 360);
    for (const pane of shown) pane.turnTo(Number(input('angle').value));
  };
  const enabled = (mode: string): void => {
    if (!form.querySelector<HTMLInputElement>(`[value="${mode}"]`)!.disabled) choose('mode', mode);
  };
  const keys: Readonly<Record<string, (by: number) => void>> = {
    ArrowLeft: (by) => step(0, by),
    ArrowRight: (by) => step(0, -by),
    ArrowUp: (by) => step(1, by),
    ArrowDown: (by) => step(1, -by),
    PageUp: (by) => step(2, by),
    PageDown: (by) => step(2, -by),
    '1': () => enabled('beside'),
    '2': () => enabled('overlay'),
    '3': () => enabled('difference'),
    g: () => choose('colours', 'grey'),
    h: () => choose('colours', 'hot'),
    '[': () => scale(1 / 1.25),
    ']': () => scale(1.25),
    u: () => toggle('spread'),
    l: () => toggle('labels'),
    m: () => toggle('turning'),
    ',': () => turn(-10),
    '.': () => turn(10),
    c: hottest,
    '+': () => zoomTo(view[3] * 1.25),
    '=': () => zoomTo(view[3] * 1.25),
    '-': () => zoomTo(view[3] / 1.25),
    '0': () => frame(whole),
    '?': () => element<HTMLDialogElement>('keys').showModal(),
  };
  // Before NiiVue, which has keys of its own; fields and the list of keys keep theirs.
  document.addEventListener(
    'keydown',
    (event) => {
      const field = event.target instanceof HTMLInputElement || element<HTMLDialogElement>('keys').open;
      const act = keys[event.key];
      if (!act || event.ctrlKey || event.metaKey || event.altKey || (field && (event.key.length > 1 || (event.target as HTMLInputElement).type === 'number'))) return; // biome-ignore format: one line
      event.preventDefault();
      event.stopPropagation();
      act(event.shiftKey ? 10 : 1);
    },
    true,
  );
  form.addEventListener('input', ({ target }) => {
    if (target === input('angle')) turn(0);
    else if (target === input('zoom')) zoomTo(Number(input('zoom').value));
    else if (target !== input('turning')) void refresh();
  });
  form.addEventListener('submit', (event) => event.preventDefault());
  element('keys-button').addEventListener('click', () => keys['?']!(1));
  setInterval(() => input('turning').checked && !document.hidden && turn(10), 140);

  provenance(session);
  await refresh();
  moveTo(centre(first));
  document.body.dataset.ready = 'true';
}

function fill(body: Element, rows: readonly (readonly string[])[]): void {
  body.replaceChildren(
    ...rows.map((cells) => {
      const row = document.createElement('tr');
      cells.forEach((cell, i) => {
        const one = document.createElement(i === 0 ? 'th' : 'td');
        one.textContent = cell;
        row.append(one);
      });
      return row;
    }),
  );
}

function provenance({ images, provenance: rows, coincide }: ViewSession): void {
  const details = document.createElement('details');
  details.innerHTML =
    '<summary>Where the images come from</summary><table><thead><tr></tr></thead><tbody></tbody></table><p class="soft"></p>';
  const head = details.querySelector('thead tr')!;
  fill(details.querySelector('tbody')!, rows);
  head.append(...['', ...images.map(({ name }) => name)].map((name) => Object.assign(document.createElement('th'), { textContent: name, scope: 'col' }))); // biome-ignore format: one line
  details.querySelector('p')!.textContent =
    rows.length === 0 ? 'No sidecar lies beside these files.' : `Shown by coincide ${coincide}.`;
  element('provenance').append(details);
}

start().catch((error: unknown) => {
  note.textContent = `This did not work: ${error instanceof Error ? error.message : String(error)}`;
  throw error;
});
