/** @file  What the page and its worker say to one another. */
import type { ShownImage } from '../../src/geometry/shown.js';

export type ToWorker =
  | {
      readonly kind: 'denoise';
      readonly file: string;
      readonly bytes: ArrayBuffer;
      /** What the values are in: as the file says, SUV, or scaled by the mean over the body. */
      readonly unit: 'file' | 'SUV' | 'body-mean';
      readonly mode: 'mean' | 'samples';
    }
  | { readonly kind: 'stop' };

/** An image for the panes: what it is, and its bytes. */
export interface SentImage {
  readonly shown: ShownImage;
  readonly bytes: ArrayBuffer;
}

export type FromWorker =
  | { readonly kind: 'ready'; readonly model: string }
  | { readonly kind: 'progress'; readonly fraction: number }
  | {
      readonly kind: 'done';
      readonly noisy: SentImage;
      readonly clean: SentImage;
      readonly spread?: SentImage | undefined;
      /** Files to keep: name → content, on the grid and in the orientation of what was dropped. */
      readonly files: Readonly<Record<string, Uint8Array<ArrayBuffer>>>;
      readonly warnings: readonly string[];
      readonly seconds: number;
    }
  | { readonly kind: 'failed'; readonly message: string; readonly stopped: boolean };
