/** @file  What all sinogram kernels share: the table of segments, lengths of scratch rows, and the set-up of one bin.
 *  Places are those of src/projector/cpu/tables.ts and sinogram.ts. */
import { length2, pitch, setUp } from './ray';

/** Steps whose T is held at a time by the direct method. */
export const chunk: i32 = 8;

/** Bytes of a row of the table of segments. */
export const row: usize = 128;

export let segments: i32 = 0;
/** The first so many segments go by events, the others step by step. */
export let eventSegments: i32 = 0;
export let table: usize = 0;
/** Bytes of a row of T, of the accumulators of one bin, of all padded rows, of all rows on the lattice of voxels. */
export let tBytes: usize = 0;
export let accBytes: usize = 0;
export let rowsBytes: usize = 0;
export let latticeBytes: usize = 0;
/** Bytes before z = 0 in a row of T, and in P and Q. */
export let tLead: usize = 0;
export let prefixLead: usize = 0;
/** Crossings of integer planes, sorted by τ: rows of 16 bytes, see crossingTable. */
export let crossings: usize = 0;
export let crossingCount: i32 = 0;
/** Most steps between two restarts of the prefix sums. */
export let pieceSteps: i32 = 0;
/** Sinogram of this call: values, and bins in a plane. */
export let sinogram: usize = 0;
export let bins: usize = 0;

const words = (s: usize, i: usize): usize => (<usize>load<f64>(s + (i << 3))) << 2;

export function read(s: usize): void {
  bins = <usize>load<f64>(s, 8);
  sinogram = <usize>load<f64>(s, 16);
  segments = <i32>load<f64>(s, 24);
  table = <usize>load<f64>(s, 32);
  tBytes = words(s, 5);
  tLead = words(s, 6);
  accBytes = words(s, 7);
  rowsBytes = words(s, 8);
  eventSegments = <i32>load<f64>(s, 72);
  crossings = <usize>load<f64>(s, 80);
  crossingCount = <i32>load<f64>(s, 88);
  pieceSteps = <i32>load<f64>(s, 96);
  latticeBytes = words(s, 13);
  prefixLead = words(s, 14);
}

export function setUpBin(g: usize, s: usize, bin: i32): bool {
  const at = <usize>load<f64>(s) + ((<usize>bin) << 5);
  return setUp(g, load<f64>(at), load<f64>(at, 8), load<f64>(at, 16), load<f64>(at, 24));
}

/** Length in mm that a step of the line stands for in this segment. */
export function sampleLength(t: usize): f32 {
  return <f32>(pitch * Math.sqrt(length2 + load<f64>(t, 48)));
}

export function planesOf(t: usize): i32 {
  return <i32>load<f64>(t, 8);
}
/** Position in voxels of plane 0 at the start of the line, and its change to the end. */
export function offsetOf(t: usize): f64 {
  return load<f64>(t, 16);
}
export function slopeOf(t: usize): f64 {
  return load<f64>(t, 24);
}
/** Voxels between planes if 1 or 2, else 0. */
export function kindOf(t: usize): i32 {
  return <i32>load<f64>(t, 32);
}
/** Bytes from the start of the accumulators, padded rows and rows on the lattice to those of the segment. */
export function accPlace(t: usize): usize {
  return (<usize>load<f64>(t, 40)) << 2;
}
export function rowsPlace(t: usize): usize {
  return (<usize>load<f64>(t, 64)) << 2;
}
export function latticePlace(t: usize): usize {
  return (<usize>load<f64>(t, 88)) << 2;
}
/** Bytes, rounded up, of the segment's row on the lattice of voxels: one voxel before its first plane to one after its last. */
export function latticeLength(t: usize): usize {
  return (<usize>load<f64>(t, 96)) << 2;
}
