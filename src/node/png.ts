/** @file  8-bit PNG, grey or with a palette, and the pictures of a volume: slices and maximum-intensity projections in inverted grey, as PET
 *  is read, or in colours. */
import { crc32, deflateSync } from 'node:zlib';
import type { Volume } from '../core/array.js';

/** Pixels row by row, 0 black … 255 white. */
export interface GreyPicture {
  readonly width: number;
  readonly height: number;
  readonly pixels: Uint8Array;
}

/**
 * The bytes of a PNG file (ISO/IEC 15948).
 * @param palette 256 × RGB: the colour of each pixel value. @default grey
 */
export function png({ width, height, pixels }: GreyPicture, palette?: Uint8Array): Uint8Array {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, palette ? 3 : 0, 0, 0, 0], 8);
  const rows = Buffer.alloc(height * (width + 1));
  for (let y = 0; y < height; y++) rows.set(pixels.subarray(y * width, (y + 1) * width), y * (width + 1) + 1);
  return Buffer.concat([
    Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]),
    chunk('IHDR', header),
    ...(palette ? [chunk('PLTE', Buffer.from(palette))] : []),
    chunk('IDAT', deflateSync(rows)),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

function chunk(type: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
  const framed = Buffer.alloc(body.length + 8);
  framed.writeUInt32BE(data.length, 0);
  framed.set(body, 4);
  framed.writeUInt32BE(crc32(body) >>> 0, framed.length - 4);
  return framed;
}

export function dataUri(picture: GreyPicture, palette?: Uint8Array): string {
  return `data:image/png;base64,${Buffer.from(png(picture, palette)).toString('base64')}`;
}

/** How a volume in the world's axes is looked at: transaxial from the feet, coronal from the front, sagittal from the patient's left. */
export type View = 'transaxial' | 'coronal' | 'sagittal';

/**
 * One slice, or the maximum-intensity projection where `index` is absent, anterior or superior up and the patient's right on the left.
 * @param window value shown black. @param from value shown white.
 */
export function picture(volume: Volume, view: View, window: number, index?: number, from = 0): GreyPicture {
  const [nz, ny, nx] = volume.shape as [number, number, number];
  const [width, height, depth] = view === 'transaxial' ? [nx, ny, nz] : view === 'coronal' ? [nx, nz, ny] : [ny, nz, nx];
  const at = (column: number, row: number, slice: number): number => {
    if (view === 'transaxial') return (slice * ny + (ny - 1 - row)) * nx + (nx - 1 - column);
    if (view === 'coronal') return ((nz - 1 - row) * ny + slice) * nx + (nx - 1 - column);
    return ((nz - 1 - row) * ny + (ny - 1 - column)) * nx + slice;
  };
  const pixels = new Uint8Array(width * height);
  for (let row = 0; row < height; row++) {
    for (let column = 0; column < width; column++) {
      let value = index === undefined ? from : volume.data[at(column, row, index)]!;
      if (index === undefined)
        for (let slice = 0; slice < depth; slice++) value = Math.max(value, volume.data[at(column, row, slice)]!);
      pixels[row * width + column] = 255 - Math.max(0, Math.min(255, Math.round((255 * (value - from)) / (window - from))));
    }
  }
  return { width, height, pixels };
}

/** Pictures in one row on white, each magnified `zoom` times, `gap` pixels apart. */
export function sideBySide(pictures: readonly GreyPicture[], zoom = 1, gap = 4): GreyPicture {
  const height = zoom * Math.max(...pictures.map((one) => one.height));
  const width = pictures.reduce((sum, one) => sum + zoom * one.width + gap, -gap);
  const pixels = new Uint8Array(width * height).fill(255);
  let left = 0;
  for (const one of pictures) {
    for (let y = 0; y < zoom * one.height; y++) {
      for (let x = 0; x < zoom * one.width; x++) {
        pixels[y * width + left + x] = one.pixels[Math.floor(y / zoom) * one.width + Math.floor(x / zoom)]!;
      }
    }
    left += zoom * one.width + gap;
  }
  return { width, height, pixels };
}

/** Pictures of one width below one another, `gap` pixels apart. */
export function stacked(rows: readonly GreyPicture[], gap = 4): GreyPicture {
  const { width } = rows[0]!;
  const height = rows.reduce((sum, row) => sum + row.height + gap, -gap);
  const pixels = new Uint8Array(width * height).fill(255);
  let top = 0;
  for (const row of rows) {
    pixels.set(row.pixels, top * width);
    top += row.height + gap;
  }
  return { width, height, pixels };
}
