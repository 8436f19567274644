/** @file  Does an engine compute rightly on this machine, and how fast? Two checks that need no second engine:
 *    ⟨A x, y⟩ = ⟨x, Aᵀ y⟩                                                   random x and y, a view of all segments
 *    ∫ 1 dl = n Δ |d| / |d_p|                                               lines through the middle of a box of ones
 *  with n planes of voxels Δ apart along the principal axis p of a line of direction d that leaves the box through its sides across p. */
import { fill } from '../core/array.js';
import type { Grid } from '../core/image.js';
import { type CallOptions, turn } from '../core/iterate.js';
import { defaultGrid } from '../geometry/grid.js';
import { axialLines, transaxialLines } from '../geometry/lines.js';
import { scannerByName } from '../geometry/scanners.js';
import { firstTangential, type SinogramLayout, sinogramLayout } from '../geometry/sinogram.js';
import { adjointError } from './adjoint-error.js';
import type { ProjectorEngine } from './engine.js';
import { plan } from './plan.js';

/** What the engines are held to, relative. */
const gates = { adjoint: 1e-5, integral: 3e-5 } as const;

export interface SelfTest {
  /** Are both errors below what the engines are held to? */
  readonly passed: boolean;
  /** |⟨A x, y⟩ − ⟨x, Aᵀ y⟩| / (‖A x‖ ‖y‖). */
  readonly adjointError: number;
  /** Largest relative error of the known integrals. */
  readonly integralError: number;
}

export interface EngineSpeed {
  /** Wall time per sample of a line, ns. */
  readonly forwardNsPerStep: number;
  readonly backNsPerStep: number;
  /** Samples of each direction that were timed: fewer than some 10⁸ keep no graphics card busy. */
  readonly steps: number;
}

function geometry(): { readonly layout: SinogramLayout; readonly grid: Grid } {
  const layout = sinogramLayout(scannerByName('small'), { span: 3, maxRingDifference: 7 });
  return { layout, grid: defaultGrid(layout) };
}

/** Runs both checks on a small scanner with oblique segments: some seconds on the slowest engine. */
export async function selfTest(engine: ProjectorEngine, { signal }: CallOptions = {}): Promise<SelfTest> {
  const { layout, grid } = geometry();
  const adjoint = await adjointError(engine.sinogramProjector(layout, [5], grid), { trials: 2, signal });
  const integral = await integralError(engine, layout, grid, { signal });
  const passed = adjoint <= gates.adjoint && integral <= gates.integral;
  return { passed, adjointError: adjoint, integralError: integral };
}

/** Views whose lines leave the field of view through the sides across their principal axis: x, y, and either slope. */
const views = [8, 37, 58, 87];

async function integralError(engine: ProjectorEngine, layout: SinogramLayout, grid: Grid, options: CallOptions): Promise<number> {
  const A = engine.sinogramProjector(layout, views, grid);
  const { data } = await A.forward(
    fill(A.inShape, () => 1),
    options,
  );
  const [, ny, nx] = grid.shape;
  const [, dy, dx] = grid.voxelSize;
  const ends = transaxialLines(layout, views);
  const heights = axialLines(layout);
  const middle = -firstTangential(layout);
  let worst = 0;
  let plane = 0;
  for (const { axialPositions } of layout.segments) {
    const row = plane + Math.floor(axialPositions / 2);
    plane += axialPositions;
    const z = heights[2 * row + 1]! - heights[2 * row]!;
    for (let v = 0; v < views.length; v++) {
      const at = 4 * (v * layout.tangential + middle);
      const [x, y] = [ends[at + 2]! - ends[at]!, ends[at + 3]! - ends[at + 1]!];
      const along = Math.abs(x) >= Math.abs(y) ? (nx * dx) / Math.abs(x) : (ny * dy) / Math.abs(y);
      const expected = along * Math.hypot(x, y, z);
      const error = Math.abs(data[(row * views.length + v) * layout.tangential + middle]! / expected - 1);
      if (!(error <= worst)) worst = error;
    }
  }
  return worst;
}

/** Times forward and back projections, the best of three each, of as many views as take about half a second in all. */
export async function engineSpeed(engine: ProjectorEngine, { signal }: CallOptions = {}): Promise<EngineSpeed> {
  const { layout, grid } = geometry();
  const time = async (count: number): Promise<[forward: number, back: number]> => {
    const some = Array.from({ length: count }, (_, i) => Math.floor((i * layout.views) / count));
    const A = engine.sinogramProjector(layout, some, grid);
    const x = fill(A.inShape, () => 1);
    const y = fill(A.outShape, () => 1);
    const started = performance.now();
    await A.forward(x, { signal });
    const between = performance.now();
    await A.adjoint(y, { signal });
    return [between - started, performance.now() - between];
  };
  await time(1);
  const [forward, back] = await time(1);
  const count = Math.max(1, Math.min(layout.views, Math.floor(170 / (forward + back))));
  let best: [forward: number, back: number] = [Infinity, Infinity];
  for (let repeat = 0; repeat < 3; repeat++) {
    await turn(signal);
    const times = await time(count);
    best = [Math.min(best[0], times[0]), Math.min(best[1], times[1])];
  }
  const steps = Math.round((plan(layout, grid).samples * count) / layout.views);
  return { forwardNsPerStep: (1e6 * best[0]) / steps, backNsPerStep: (1e6 * best[1]) / steps, steps };
}
