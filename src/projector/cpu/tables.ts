/** @file  The tables that the kernels read: rows of doubles. Their places are those in assembly/*.ts. */
import type { Grid } from '../../core/image.js';
import { axialLines, evenPlanes } from '../../geometry/lines.js';
import { effectiveRadius } from '../../geometry/scanner.js';
import type { SinogramLayout } from '../../geometry/sinogram.js';

const roundUp = (n: number, unit: number): number => Math.ceil(n / unit) * unit;

/** Length of a column of the kernels' image: one voxel of border at least. */
export function columnLength({ shape: [nz] }: Grid): number {
  return roundUp(nz + 1, 16);
}

/** Bytes of the kernels' image. */
export function columnsBytes(grid: Grid): number {
  return 4 * columnLength(grid) * (grid.shape[1] + 2) * (grid.shape[2] + 2);
}

/** Whether the kernels can address an image of this grid. */
export function fitsKernels(grid: Grid): boolean {
  return columnsBytes(grid) < 2 ** 31;
}

/** Grid, and address of the image of columns. */
export function gridTable(grid: Grid, columns: number): Float64Array {
  return Float64Array.of(...grid.shape, columnLength(grid), ...grid.voxelSize, ...grid.origin, columns);
}

/** Some of the segments as the kernels see them, and the lengths (floats) of the scratch rows that hold them. */
export interface SegmentTable {
  readonly rows: Float64Array;
  readonly count: number;
  /** Planes of these segments. */
  readonly planes: number;
  /** A row of T, and where z = 0 is in it. */
  readonly tLength: number;
  readonly tLead: number;
  /** All planes of one bin, each segment rounded up to 16; with time of flight to 12. */
  readonly accLength: number;
  /** All planes of one bin with zeros before and after each segment. */
  readonly rowsLength: number;
  /** The first so many segments go by events. */
  readonly eventCount: number;
  /** Crossings of integer planes by these, sorted by τ: rows of assembly/crossings.ts. */
  readonly crossings: Uint8Array;
  readonly crossingCount: number;
  /** All planes of one bin on the lattice of voxels, and where z = 0 is in P and Q. */
  readonly latticeLength: number;
  readonly prefixLead: number;
  /** Most steps between restarts of the prefix sums. */
  readonly pieceSteps: number;
}

/** Floats before the first row on the lattice and between two: whole blocks of sixteen voxels overlap a row. */
const latticeLead = 16;
const latticeGap = 16;
/** Bytes of a row of the table of crossings. */
const crossingBytes = 32;
/** Floats that P may take in the kernels; columns that need more go step by step. */
const prefixLength = 6160;
/** Planes of voxels that a segment passes in a step, above which it goes step by step. */
const crossover = 0.6;
/** Steps between restarts times planes passed in a step: keeps the rounding of the sums below 2e-5 of the largest value. */
const restart = 20;
/** Floats of the lattice rows that are worked on together: they stay in the cache nearest to the core. With time of flight, of the planes of
 *  sixteen lines in all TOF bins, which stay in the next. */
const blockLength = 6144;
const tofBlockLength = 147456;

interface AxialSegment {
  readonly first: number;
  readonly n: number;
  readonly offset: number;
  readonly slope: number;
  readonly kind: number;
  readonly spacing: number;
  readonly length2: number;
  readonly event: boolean;
  /** Planes of voxels passed in a step of a usual line. */
  readonly rise: number;
  readonly low: number;
  readonly high: number;
}

/** Tables of blocks of segments, flattest first, in blocks whose rows fit the cache. With time of flight none goes by events. */
export function segmentTables(layout: SinogramLayout, grid: Grid): SegmentTable[] {
  const tof = layout.tofBins > 1;
  const tables: SegmentTable[] = [];
  let block: AxialSegment[] = [];
  let length = 0;
  for (const segment of axialSegments(layout, grid)) {
    const rowLength = tof ? 16 * layout.tofBins * (segment.n + 12) : (segment.kind || 1) * segment.n + 16;
    if (length + rowLength > (tof ? tofBlockLength : blockLength) && block.length > 0) {
      tables.push(segmentTable(block, grid, tof));
      block = [];
      length = 0;
    }
    block.push(segment);
    length += rowLength;
  }
  return [...tables, segmentTable(block, grid, tof)];
}

/** Segments in voxels: those that go by events first, then by kind, then by slope. */
function axialSegments(layout: SinogramLayout, grid: Grid): AxialSegment[] {
  const axial = axialLines(layout);
  const [nz] = grid.shape;
  const [dz, dy, dx] = grid.voxelSize;
  // A usual step of a usual line: chords are shorter than the diameter, lines not along an axis.
  const step = Math.max(dx, dy) / (1.6 * effectiveRadius(layout.scanner));
  const segments = evenPlanes(layout).map(({ first, planes: n }): AxialSegment => {
    const [z1, z2] = [axial[2 * first]!, axial[2 * first + 1]!];
    const spacing = n > 1 ? (axial[2 * first + 2]! - z1) / dz : 1;
    const whole = Math.round(spacing);
    const kind = (whole === 1 || whole === 2) && Math.abs(spacing - whole) * n < 1e-6 ? whole : 0;
    const offset = (z1 - grid.origin[0]) / dz;
    const slope = (z2 - z1) / dz;
    const rise = Math.abs(slope) * step;
    // Shifts at which a whole segment misses the image are set to the nearest such shift, so that padding stays short.
    const clamp = (k: number): number => Math.min(Math.max(k, -kind * n - 2), nz);
    const low = kind === 0 ? -1 : clamp(Math.floor(Math.min(offset, offset + slope)) - 1);
    const high = kind === 0 ? nz : clamp(Math.floor(Math.max(offset, offset + slope)) + 1);
    const short = Math.max(16 - low, 0) + Math.max(columnLength(grid), high + kind * n) + 64 <= prefixLength;
    const event = layout.tofBins === 1 && kind !== 0 && short && rise <= crossover;
    return { first, n, offset, slope, kind, spacing, length2: (z2 - z1) ** 2, event, rise, low, high };
  });
  const rank = ({ event, kind }: AxialSegment): number => (event ? 0 : kind || 3);
  return segments.sort((a, b) => rank(a) - rank(b) || Math.abs(a.slope) - Math.abs(b.slope));
}

/**
 * Rows: first plane, planes n, position A of plane 0 in voxels at the start of the lines, its change S to their end, kind (p = 1, 2, or
 * 0: any), place among accumulators, squared axial length (mm²), p, place among padded rows, lowest and highest shift k, place among and
 * length of rows on the lattice, 1 / S, 0, 0.
 */
function segmentTable(segments: readonly AxialSegment[], grid: Grid, tof: boolean): SegmentTable {
  const length = columnLength(grid);
  let tLead = 16;
  let tEnd = length + 16;
  let accLength = 0;
  let rowsLength = 0;
  let latticeLength = latticeLead;
  let prefixLead = 16;
  const rows = segments.flatMap((segment) => {
    const { first, n, offset, slope, kind, spacing, length2, event, low, high } = segment;
    const padded = roundUp(n, tof ? 12 : 16);
    const acc = accLength;
    accLength += padded;
    let place = rowsLength;
    const lattice = latticeLength;
    const latticeFloats = event ? latticeRow(segment) : 0;
    if (event) {
      prefixLead = Math.max(prefixLead, roundUp(8 - low, 16));
      latticeLength += latticeFloats + latticeGap;
    } else if (kind === 0) {
      rowsLength += roundUp(n + 1, 16);
    } else {
      tLead = Math.max(tLead, roundUp(8 - low, 16));
      tEnd = Math.max(tEnd, high + kind * padded + 32);
      place += Math.max(0, Math.ceil(high / kind)) + 8;
      rowsLength = roundUp(place + Math.max(n, Math.ceil((length - low) / kind)) + 8, 16);
    }
    return [first, n, offset, slope, kind, acc, length2, spacing, place, low, high, lattice, latticeFloats, 1 / slope, 0, 0];
  });
  const events = segments.filter(({ event }) => event);
  const crossings = crossingTable(events);
  return {
    rows: Float64Array.from(rows),
    count: segments.length,
    planes: segments.reduce((sum, { n }) => sum + n, 0),
    tLength: roundUp(tLead + tEnd, 16),
    tLead,
    accLength,
    rowsLength,
    eventCount: events.length,
    crossings,
    crossingCount: crossings.length / crossingBytes,
    latticeLength: roundUp(latticeLength + 32, 16),
    prefixLead,
    pieceSteps: Math.round(Math.min(192, Math.max(16, restart / Math.max(...events.map(({ rise }) => rise), 0)))),
  };
}

/** Crossings of all integer planes that can matter, sorted by τ = (k − A) / S. The kernels compute τ again and compare, to the last bit. */
function crossingTable(segments: readonly AxialSegment[]): Uint8Array {
  let place = latticeLead;
  const found = segments.flatMap((segment) => {
    const { offset, slope, low, high } = segment;
    const row = place;
    place += latticeRow(segment) + latticeGap;
    if (slope === 0) return [];
    const from = Math.max(low, Math.ceil(Math.min(offset, offset + slope)));
    const to = Math.min(high, Math.floor(Math.max(offset, offset + slope)));
    const inverse = 1 / slope;
    return Array.from({ length: Math.max(0, to - from + 1) }, (_, i) => {
      const k = from + i;
      const firstBlock = 16 * Math.floor((k - 1) / 16);
      const blocks = roundUp(k - 1 + latticeRow(segment), 16) - firstBlock;
      return { tau: (k - offset) * inverse, voxel0: row - (k - 1), firstBlock, blocks };
    });
  });
  found.sort((a, b) => a.tau - b.tau);
  const bytes = new Uint8Array(crossingBytes * found.length);
  const view = new DataView(bytes.buffer);
  found.forEach(({ tau, voxel0, firstBlock, blocks }, i) => {
    view.setFloat64(crossingBytes * i, tau, true);
    view.setInt32(crossingBytes * i + 8, 4 * voxel0, true);
    view.setInt32(crossingBytes * i + 12, 4 * firstBlock, true);
    view.setInt32(crossingBytes * i + 16, 4 * blocks, true);
  });
  return bytes;
}

/** Length of a segment's row on the lattice of voxels: from one voxel before its first plane to one after its last. */
function latticeRow({ kind, n }: AxialSegment): number {
  return roundUp(kind * (n - 1) + 3, 4);
}
