/** What a page and Node both compute, to be compared: a projection, its adjoint, and OSEM of a scan by the small scanner. */
import {
  acquire,
  defaultGrid,
  fieldOfViewMask,
  fill,
  last,
  osem,
  type ProjectorEngine,
  petImage,
  referenceEngine,
  residentOsem,
  scannerByName,
  sinogramLayout,
  systemModel,
  uniformStart,
} from '../../src/index.js';

export interface Work {
  readonly forward: Float32Array;
  readonly adjoint: Float32Array;
  readonly osem: Float32Array;
  /** osem kept on the device; empty for engines that have none. */
  readonly resident: Float32Array;
}

export async function work(engine: ProjectorEngine): Promise<Work> {
  // Three segments, one view in eight, few voxels: a program must do the card's work.
  const layout = sinogramLayout(scannerByName('small'), { span: 3, maxRingDifference: 4, viewMash: 8 });
  const grid = defaultGrid(layout, { voxel: 20, size: 17 });
  const [, ny, nx] = grid.shape;
  const activity = fill(grid.shape, (i) => {
    const [x, y] = [(i % nx) - 7, (Math.floor(i / nx) % ny) - 9];
    return x * x + y * y < 20 ? 1 + (i % 5) / 5 : 0;
  });
  const views = Array.from({ length: layout.views }, (_, view) => view);
  const A = engine.sinogramProjector(layout, views, grid);
  const forward = await A.forward(activity);
  const adjoint = await A.adjoint(fill(A.outShape, (i) => Math.sin(i)));
  // The reference engine scans, so that all reconstruct the same counts.
  const truth = { activity: petImage(grid, activity, 'SUV'), layout, engine: referenceEngine(), counts: 2e5, seed: 3 };
  const { scan } = await acquire(truth);
  const options = { psf: 25, mask: fieldOfViewMask(layout, grid) };
  const subsets = await systemModel(scan, engine, grid, { ...options, subsets: 4 });
  const em = { epochs: 2, initial: uniformStart(subsets) };
  const { image } = await last(osem(subsets, em));
  // Where the engine has memory of its own: the same, with all of it kept there.
  const model = await engine.residentModel?.(scan, grid, subsets, options);
  const kept = model && (await (await last(residentOsem(model, em))).image());
  model?.dispose();
  return { forward: forward.data, adjoint: adjoint.data, osem: image.data, resident: kept?.data ?? new Float32Array() };
}
