/** @file  One line whose transaxial set-up (ray.ts) is done: its axial position and its time of flight, in double. */
import { first, last, length2, narrow, pitch, restrict, tauBase, tauStep } from './ray';

/** Position along z in voxels, and distance from the bin of time of flight in bins, at plane i: base + i · step. */
export let vBase: f64 = 0;
export let vStep: f64 = 0;
export let xBase: f64 = 0;
export let xStep: f64 = 0;
/** Weight of a sample, mm. */
export let weight: f32 = 0;

/** Where planes of a group that the line does not have are sent: the border of the image, zero forward and ignored back. */
export let border: usize = 0;
let nz: f64 = 0;
let perZ: f64 = 0;
let originZ: f64 = 0;

/** The grid: see src/projector/cpu/tables.ts. */
export function readGrid(g: usize): void {
  nz = load<f64>(g);
  perZ = 1 / load<f64>(g, 32);
  originZ = load<f64>(g, 56);
  border = <usize>load<f64>(g, 80);
}

/** Time of flight: address of the table of weights near whole numbers, bytes from there to that near halves, log2 of the places per bin,
 *  and, as 32 bits behind the point, the distance from whole numbers where the first table ends; see src/projector/tof-weight.ts. */
export let table: i32 = 0;
export let tableBytes: i32 = 0;
export let tableBits: i32 = 0;
export let near: i32 = 0;
let perWidth: f64 = 0;
let perReach: f64 = 0;

/** A row of doubles: table, bytes of one half of it, bits, place of 0, near, width of a bin and reach (mm); 0 for none. */
export function readTof(tof: usize): void {
  if (tof === 0) return;
  tableBits = <i32>load<f64>(tof, 16);
  table = <i32>load<f64>(tof) + ((<i32>load<f64>(tof, 24)) << 2);
  tableBytes = <i32>load<f64>(tof, 8);
  near = <i32>Math.min(load<f64>(tof, 32) * 4294967296.0, 2147483647.0);
  perWidth = 1 / load<f64>(tof, 40);
  perReach = 1 / load<f64>(tof, 48);
}

/** The line from z1 to z2 that has planes low … high of the set-up. @returns false when it meets none within the image. */
export function rise(z1: f64, z2: f64, low: i32, high: i32): bool {
  restrict(low, high);
  const v = (z2 - z1) * perZ;
  vStep = v * tauStep;
  vBase = (z1 - originZ) * perZ + v * tauBase;
  narrow(vBase, vStep, nz);
  weight = <f32>(pitch * Math.sqrt(length2 + (z2 - z1) * (z2 - z1)));
  return first <= last;
}

/** Of this line, what lies within reach of the bin whose middle is `centre` mm from its own, towards its end. @returns false if nothing. */
export function within(z1: f64, z2: f64, centre: f64): bool {
  const length = Math.sqrt(length2 + (z2 - z1) * (z2 - z1));
  const step = length * tauStep;
  const base = length * (tauBase - 0.5) - centre;
  narrow(base * perReach, step * perReach, 1);
  xBase = base * perWidth;
  xStep = step * perWidth;
  return first <= last;
}
