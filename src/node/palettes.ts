/** @file  Colour maps as PNG palettes, 256 × RGB, for pictures in which 255 is the lowest value and 0 the highest. */

const palette = (colour: (share: number) => readonly number[]): Uint8Array =>
  Uint8Array.from({ length: 256 * 3 }, (_, i) => {
    const value = colour(1 - Math.floor(i / 3) / 255)[i % 3]!;
    return Math.round(255 * Math.min(1, Math.max(0, value)));
  });

/** Black, red, yellow, white: three ramps after one another. */
export const hot: Uint8Array = palette((t) => [(8 / 3) * t, (8 / 3) * t - 1, 4 * t - 3]);
/** Blue below, white in the middle, red above. */
export const diverging: Uint8Array = palette((t) => [
  Math.min(1, 2 * t) ** 0.8,
  (1 - Math.abs(2 * t - 1)) ** 0.8,
  Math.min(1, 2 - 2 * t) ** 0.8,
]);
