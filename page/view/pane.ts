/** @file  One image on the page: three linked slices by NiiVue (WebGL 2), and a projection that turns, of which NiiVue has none. */
import { DRAG_MODE, MULTIPLANAR_TYPE, Niivue, NVImage, SHOW_RENDER, SLICE_TYPE } from '@niivue/niivue';
import type { ShownImage } from '../../src/geometry/shown.js';
import { type ColourMap, colourMaps, labelColours, table } from './colours.js';
import { type Boxes, type Projection, pooled, projection } from './mip.js';

/** Header of the files that the server sends, bytes. */
const header = 352;

export interface Loaded extends ShownImage {
  readonly bytes: ArrayBuffer;
  readonly data: Float32Array;
}

export async function load(image: ShownImage): Promise<Loaded> {
  const response = await fetch(image.file);
  if (!response.ok) throw new Error(`${image.name} could not be loaded: ${response.status}. Is the program still running?`);
  const bytes = await response.arrayBuffer();
  return { ...image, bytes, data: new Float32Array(bytes, header) };
}

/** b − a on a's grid. */
export function difference(a: Loaded, b: Loaded): Loaded {
  const bytes = a.bytes.slice(0);
  const data = new Float32Array(bytes, header);
  for (let i = 0; i < data.length; i++) data[i] = b.data[i]! - a.data[i]!;
  return { ...a, name: `${b.name} − ${a.name}`, bytes, data };
}

/** Value of the voxel nearest to a world point; undefined outside. */
export function valueAt({ data, shape: [nz, ny, nx], toVoxel: m }: Loaded, [x, y, z]: readonly number[]): number | undefined {
  const [i, j, k] = [0, 4, 8].map((row) => Math.round(m[row]! * x! + m[row + 1]! * y! + m[row + 2]! * z! + m[row + 3]!));
  const inside = i! >= 0 && i! < nx && j! >= 0 && j! < ny && k! >= 0 && k! < nz;
  return inside ? data[(k! * ny + j!) * nx + i!] : undefined;
}

/** World point where the values above 0 balance; the middle where there is none. */
export function centre(image: Loaded): [number, number, number] {
  const { data, shape } = image;
  const [nz, ny, nx] = shape;
  let [i, j, k, all] = [0, 0, 0, 0];
  for (let z = 0, at = 0; z < nz; z++)
    for (let y = 0; y < ny; y++)
      for (let x = 0; x < nx; x++, at++) {
        const value = Math.max(0, data[at]!);
        [i, j, k, all] = [i + value * x, j + value * y, k + value * z, all + value];
      }
  return worldOf(image, all > 0 ? [i / all, j / all, k / all] : [(nx - 1) / 2, (ny - 1) / 2, (nz - 1) / 2]);
}

/** World point of a voxel (i, j, k): the inverse of toVoxel. */
export function worldOf({ toVoxel: m }: Loaded, voxel: readonly [number, number, number]): [number, number, number] {
  const rows = [0, 4, 8].map((row) => [m[row]!, m[row + 1]!, m[row + 2]!, voxel[row / 4]! - m[row + 3]!]);
  const det = (...columns: [number, number, number]): number => {
    const [a, b, c] = columns;
    const [p, q, r] = rows as [number[], number[], number[]];
    return (
      p[a]! * (q[b]! * r[c]! - q[c]! * r[b]!) - p[b]! * (q[a]! * r[c]! - q[c]! * r[a]!) + p[c]! * (q[a]! * r[b]! - q[b]! * r[a]!)
    );
  };
  const whole = det(0, 1, 2); // Cramer's rule
  return [det(3, 1, 2) / whole, det(0, 3, 2) / whole, det(0, 1, 3) / whole];
}

/** What lies on an image. */
export interface Layers {
  readonly over?: Loaded | undefined;
  readonly spread?: Loaded | undefined;
  readonly labels?: (Loaded & { readonly names: Readonly<Record<string, string>> }) | undefined;
}

export interface Look {
  readonly colours: ColourMap;
  readonly low: number;
  readonly high: number;
  /** Opacity of what lies on top; 0 hides it. */
  readonly over: number;
  readonly spread: number;
  readonly labels: number;
}

/** What part of the slices is seen: a world point x appears where zoom · x + shift would without; x, y, z in mm. */
export type View = readonly [shiftX: number, shiftY: number, shiftZ: number, zoom: number];

/** What the reader did in a pane, for the others to follow. */
export interface Links {
  /** The cross-hairs were put there. */
  readonly onMove: (point: [number, number, number]) => void;
  /** The slices were moved or zoomed. */
  readonly onView: (view: View) => void;
}

export interface Pane {
  readonly element: HTMLElement;
  readonly image: Loaded;
  show(look: Look): void;
  /** Cross-hairs to a world point, mm. */
  moveTo(point: readonly [number, number, number]): void;
  turnTo(angle: number): void;
  /** Moves and zooms the slices. */
  frame(view: View): void;
  /** Text beside the name: the value at the cross-hairs. */
  tell(text: string): void;
}

/** @param mip whether there is a projection. */
export async function openPane(image: Loaded, layers: Layers, { onMove, onView }: Links, mip = true): Promise<Pane> {
  const element = document.createElement('figure');
  element.innerHTML =
    '<figcaption><strong></strong><output></output></figcaption><div class="views"><div class="slices"><canvas tabindex="0" role="img"></canvas></div><div class="mip"><canvas role="img"></canvas></div></div><div class="bar"><span></span><canvas aria-hidden="true"></canvas><span></span></div><div class="bar" hidden><span>uncertainty</span><span></span><canvas aria-hidden="true"></canvas><span></span></div>';
  const find = <T extends Element>(selector: string): T => element.querySelector<T>(selector)!;
  find('strong').textContent = image.name;
  const canvas = find<HTMLCanvasElement>('.slices canvas');
  canvas.setAttribute('aria-label', `Slices of ${image.name}`);
  const mipCanvas = find<HTMLCanvasElement>('.mip canvas');
  mipCanvas.setAttribute('aria-label', `Maximum-intensity projection of ${image.name}`);
  if (!mip) {
    find('.mip').remove();
    find('.views').classList.add('alone');
  }
  document.querySelector('main')!.append(element);

  const nv = new Niivue({
    ...{ isRadiologicalConvention: true, sagittalNoseLeft: true, dragAndDropEnabled: false, logLevel: 'error' },
    ...{ clipPlaneHotKey: '', cycleClipPlaneHotKey: '', viewModeHotKey: '', scrollRequiresFocus: true, loadingText: 'loading' },
    ...{ multiplanarShowRender: SHOW_RENDER.NEVER, multiplanarLayout: MULTIPLANAR_TYPE.AUTO, sliceType: SLICE_TYPE.MULTIPLANAR },
    ...{
      dragMode: DRAG_MODE.pan,
      crosshairWidthUnit: 'mm',
      crosshairGap: 6,
      crosshairColor: [0.9, 0.1, 0.4, 1],
    },
    ...{ fontColor: [0.45, 0.45, 0.45, 1], multiplanarPadPixels: 4, backColor: [1, 1, 1, 1] },
  });
  await nv.attachToCanvas(canvas);
  for (const [name, stops] of Object.entries(colourMaps)) nv.addColormap(name, { ...stops, min: 0, max: 0 });
  const add = async (volume: Loaded, colormap: string, opacity: number): Promise<NVImage> => {
    const one = await NVImage.loadFromUrl({
      ...{ url: volume.file, name: volume.file, buffer: volume.bytes.slice(0), colormap, opacity, trustCalMinMax: false },
    });
    nv.addVolume(one);
    return one;
  };
  const base = await add(image, 'grey', 1);
  const over = layers.over && (await add(layers.over, 'glow', 0));
  const spread = layers.spread && (await add(layers.spread, 'spread', 0));
  const labels = layers.labels && (await add(withoutLabel(layers.labels), 'grey', 0));
  if (labels) labels.setColormapLabel({ ...labelColours(layers.labels!.names), min: 0, max: 0 });
  // From 0 to the top, and nothing below cal_min.
  for (const layer of [over, spread]) if (layer) layer.colormapType = 2;

  let moving = false;
  nv.onLocationChange = (location) => {
    const { mm } = location as { mm: ArrayLike<number> };
    if (!moving) onMove([mm[0]!, mm[1]!, mm[2]!]);
  };

  // NiiVue says nothing of zooming, but calls this at the end of every drawing, for linked instances of which there are none here.
  let framed = '0,0,0,1';
  nv.sync = () => {
    const width = crosshairPixels * (nv.uiData.dpr ?? 1) * pixelSize(nv);
    if (width > 0 && width !== nv.opts.crosshairWidth) return nv.setCrosshairWidth(width); // draws once more
    const view = Array.from(nv.scene.pan2Dxyzmm) as unknown as View;
    if (String(view) === framed) return;
    framed = String(view);
    onView(view);
  };

  const small: Boxes | undefined = mip ? pooled(image, 192) : undefined;
  const projections = new Map<number, Projection>();
  let [look, angle]: [Look | undefined, number] = [undefined, 0];
  const paintMip = (): void => {
    if (!small || !look || !mipCanvas.isConnected) return;
    let shown = projections.get(angle);
    if (!shown) projections.set(angle, (shown = projection(small, angle)));
    paint(mipCanvas, shown, look);
  };
  return {
    element,
    image,
    show(next) {
      look = next;
      Object.assign(base, { colormap: look.colours, cal_min: look.low, cal_max: look.high });
      // What lies on top has the window of what it lies on, but is clear below a tenth of it; the spread has its own.
      if (over) Object.assign(over, { opacity: look.over, cal_min: look.high / 10, cal_max: look.high });
      if (spread) Object.assign(spread, { opacity: look.spread, cal_min: layers.spread!.high / 4, cal_max: layers.spread!.high });
      if (labels) labels.opacity = look.labels;
      const dark = look.colours === 'hot';
      nv.opts.backColor = dark ? [0, 0, 0, 1] : [1, 1, 1, 1];
      find('.views').classList.toggle('dark', dark);
      nv.updateGLVolume();
      paintMip();
      const [own, top] = element.querySelectorAll<HTMLElement>('.bar') as unknown as [HTMLElement, HTMLElement];
      scaleBar(own, look, image.unit);
      top.hidden = look.spread === 0;
      if (spread) scaleBar(top, { colours: 'spread', low: spread.cal_min!, high: layers.spread!.high }, image.unit);
    },
    moveTo([x, y, z]) {
      moving = true;
      nv.scene.crosshairPos = nv.mm2frac([x, y, z]);
      nv.drawScene();
      moving = false;
    },
    frame(view) {
      if (String(view) === framed) return;
      framed = String(view);
      nv.setPan2Dxyzmm([...view]);
    },
    turnTo(degrees) {
      angle = degrees;
      paintMip();
    },
    tell(value) {
      find('output').textContent = value;
    },
  };
}

/** NiiVue's cross-hairs are as wide as so many mm of the image: where these are less than a pixel, none of it is seen. */
const crosshairPixels = 2;

/** mm that a device pixel shows; 0 where nothing is shown. */
function pixelSize({ screenSlices }: Niivue): number {
  const sizes = screenSlices.map(({ fovMM, leftTopWidthHeight }) => Math.abs(fovMM[0]! / leftTopWidthHeight[2]!));
  return Math.max(0, ...sizes.filter(Number.isFinite));
}

/** −1 where there is no label, for the colours of labels. */
function withoutLabel(labels: Loaded): Loaded {
  const bytes = labels.bytes.slice(0);
  const data = new Float32Array(bytes, header);
  for (let i = 0; i < data.length; i++) if (data[i] === 0) data[i] = -1;
  return { ...labels, bytes, data };
}

export const text = (value: number): string => String(Number(value.toPrecision(4)));

/** The colours from the lowest to the highest value. */
function scaleBar(bar: HTMLElement, { colours, low, high }: Pick<Look, 'colours' | 'low' | 'high'>, unit: string): void {
  const [to, from] = [...bar.querySelectorAll('span')].reverse();
  from!.textContent = text(low);
  to!.textContent = `${text(high)} ${unit}`;
  const ramp = { width: 256, height: 1, values: Float32Array.from({ length: 256 }, (_, i) => i), pixel: [1, 1] as const };
  paint(bar.querySelector('canvas')!, ramp, { colours, low: 0, high: 255 });
}

/** Pixels become square; the style sheet fits the whole into its place. */
function paint(
  canvas: HTMLCanvasElement,
  { width, height, values, pixel }: Projection,
  look: Pick<Look, 'colours' | 'low' | 'high'>,
): void {
  const colours = table(look.colours);
  const flat = new OffscreenCanvas(width, height);
  const context = flat.getContext('2d')!;
  const picture = context.createImageData(width, height);
  const scale = 255 / (look.high - look.low);
  for (let i = 0; i < values.length; i++) {
    const level = Math.min(255, Math.max(0, Math.round((values[i]! - look.low) * scale)));
    picture.data.set([colours[3 * level]!, colours[3 * level + 1]!, colours[3 * level + 2]!, 255], 4 * i);
  }
  context.putImageData(picture, 0, 0);
  const zoom = Math.max(1, Math.round(512 / width));
  const tall = Math.max(1, Math.round((zoom * height * pixel[1]) / pixel[0]));
  if (canvas.width !== zoom * width || canvas.height !== tall) Object.assign(canvas, { width: zoom * width, height: tall });
  canvas.getContext('2d')!.drawImage(flat, 0, 0, canvas.width, canvas.height);
}
