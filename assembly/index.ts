/** @file  Joseph's projector with SIMD, in one shared memory. Every pointer is a byte offset into it; no allocation happens here. */
export { adjointEvents, forwardEvents } from './events';
export { pack, unpack, zero } from './image';
export { adjointLines, forwardLines } from './lines';
export { blurColumns, blurPlanes } from './psf';
export { adjointSinogram, forwardSinogram } from './sinogram';
export { adjointTof, forwardTof } from './sinogram-tof';
