/** @file  Colour maps, for the slices (a list of stops) and for the projections (a table of 256). */

/** Stops at I (0 … 255) with red, green, blue and opacity. */
export interface ColourStops {
  readonly R: number[];
  readonly G: number[];
  readonly B: number[];
  readonly A: number[];
  readonly I: number[];
}

export type ColourMap = 'grey' | 'hot' | 'glow' | 'difference' | 'spread';

export const colourMaps: Readonly<Record<ColourMap, ColourStops>> = {
  /** White to black, as PET is read. */
  grey: { R: [255, 0], G: [255, 0], B: [255, 0], A: [255, 255], I: [0, 255] },
  /** Black, red, yellow, white. */
  hot: { R: [0, 255, 255, 255], G: [0, 0, 255, 255], B: [0, 0, 0, 255], A: [255, 255, 255, 255], I: [0, 96, 191, 255] },
  /** The same on top of another image, where it is above a tenth of the window. */
  glow: { R: [90, 255, 255, 255], G: [0, 0, 255, 255], B: [0, 0, 0, 255], A: [0, 255, 255, 255], I: [0, 96, 191, 255] },
  /** Blue below, white at 0, red above. */
  difference: { R: [0, 255, 255], G: [0, 255, 0], B: [255, 255, 0], A: [255, 255, 255], I: [0, 128, 255] },
  /** Violet, green, yellow, found in no other map here; from a quarter of its window. */
  spread: { R: [68, 49, 53, 253], G: [1, 104, 183, 231], B: [84, 142, 121, 37], A: [0, 255, 255, 255], I: [0, 85, 170, 255] },
};

/** 256 × RGB, straight lines between the stops. */
export function table(map: ColourMap): Uint8ClampedArray {
  const stops = colourMaps[map];
  const out = new Uint8ClampedArray(256 * 3);
  for (let i = 0; i < 256; i++) {
    const right = Math.max(
      1,
      stops.I.findIndex((at) => at >= i),
    );
    const share = (i - stops.I[right - 1]!) / (stops.I[right]! - stops.I[right - 1]!);
    const between = (c: number[]): number => c[right - 1]! + share * (c[right]! - c[right - 1]!);
    out.set([between(stops.R), between(stops.G), between(stops.B)], 3 * i);
  }
  return out;
}

/** Colours far apart for labels 1, 2, …: the hue goes on by the golden angle. −1 and 0 are clear: NiiVue mixes neighbours of the table, and takes
 *  the least opacity for a whole one, so that what is no label must have a neighbour without any. */
export function labelColours(names: Readonly<Record<string, string>>): ColourStops {
  const labels = Object.keys(names).map(Number);
  const numbers = [-1, 0, ...labels.filter((n) => n > 0).sort((a, b) => a - b)];
  const rgb = numbers.map((n) => hue((Math.max(0, n) * 137.508) % 360));
  return {
    ...{ R: rgb.map(([r]) => r), G: rgb.map(([, g]) => g), B: rgb.map(([, , b]) => b) },
    ...{ A: numbers.map((n) => (n > 0 ? 255 : 0)), I: numbers },
  };
}

function hue(degrees: number): [number, number, number] {
  const channel = (shift: number): number => {
    const k = (shift + degrees / 30) % 12;
    return Math.round(255 * (0.5 - 0.42 * Math.max(-1, Math.min(k - 3, 9 - k, 1))));
  };
  return [channel(0), channel(8), channel(4)];
}
