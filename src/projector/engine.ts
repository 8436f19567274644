/** @file  What computes projections: the plain reference, the processor's cores, or a graphics card. All give the same numbers. */
import { type NdArray, type Point, size } from '../core/array.js';
import { GeometryError } from '../core/errors.js';
import type { Grid } from '../core/image.js';
import type { LinearOperator, PoissonSubset, ResidentModel } from '../core/interfaces.js';
import type { CallOptions } from '../core/iterate.js';
import type { EventList } from '../geometry/event-list.js';
import { axialLines, type Lines, transaxialLines } from '../geometry/lines.js';
import type { Scan } from '../geometry/scan.js';
import { type SinogramLayout, sinogramShape } from '../geometry/sinogram.js';
import { tofCentres, tofLengths } from '../geometry/tof.js';
import { eventEnds } from './event-ends.js';
import { type EndPoints, josephProjector, type LineTof, tracedProjector } from './joseph.js';
import { gaussianPsf } from './psf.js';

export interface ProjectorEngine {
  readonly name: 'reference' | 'cpu' | 'gpu';
  /** How it runs: threads, kernels. For people and sidecars. */
  readonly details?: string | undefined;
  /**
   * Line integrals of every bin of the views: image in U → sinogram in U·mm, outShape [tof, plane, view, tangential].
   * TOF bin 0 is the most negative timing position, as in STIR's files: it lies nearest to detector 2, the end of the line.
   * @throws GeometryError for views the layout does not have, and for TOF bins of a scanner whose time of flight is not known.
   */
  sinogramProjector(layout: SinogramLayout, views: readonly number[], grid: Grid): LinearOperator;
  /**
   * Line integrals along lines in any place, outShape [n]; with `tof`, the part of each in its time-of-flight bin.
   * @throws ShapeError, GeometryError when the lines are not n × 3 finite coordinates.
   */
  lineProjector(lines: Lines, grid: Grid, tof?: LineTof): LinearOperator;
  /**
   * Line integrals along the lines of the events in these views, outShape [events], in the order of the views and of the list; with time
   * of flight, the part in each event's bin. `eventEnds` gives the lines.
   * @throws GeometryError for views the layout does not have, and for TOF bins of a scanner whose time of flight is not known.
   */
  eventProjector(list: EventList, views: readonly number[], grid: Grid): LinearOperator;
  /**
   * Resolution in image space, see psf.ts; FWHM in mm, one number or z, y, x.
   * @throws GeometryError when a FWHM is negative or not finite.
   */
  gaussianPsf(grid: Grid, fwhm: number | Point): LinearOperator;
  /**
   * The scan where the engine computes, for `residentOsem` and `residentProx`; engines without memory of their own have none.
   * @param subsets what `systemModel(scan, engine, grid, options)` made, with the same options.
   * @throws ShapeError when the subsets are not those of the scan; DeviceError when they cannot be held.
   */
  residentModel?(
    scan: Scan,
    grid: Grid,
    subsets: readonly PoissonSubset[],
    options?: ResidentModelOptions,
  ): Promise<ResidentModel>;
  /** Ends its workers and gives its memory back. Operators made by it cannot be used afterwards. */
  dispose(): Promise<void>;
}

/** As in SystemModelOptions. */
export interface ResidentModelOptions extends CallOptions {
  readonly psf?: number | Point | undefined;
  readonly mask?: NdArray | undefined;
}

/** The definition, in plain TypeScript and double precision: exact and slow. */
export function referenceEngine(): ProjectorEngine {
  return {
    name: 'reference',
    sinogramProjector(layout, views, grid): LinearOperator {
      const outShape = projectedShape(layout, views);
      const transaxial = transaxialLines(layout, views);
      const axial = axialLines(layout);
      const bins = views.length * layout.tangential;
      const lineAt = (i: number): EndPoints => {
        const plane = 2 * Math.floor(i / bins);
        const bin = 4 * (i % bins);
        const [x1, y1, x2, y2] = [transaxial[bin]!, transaxial[bin + 1]!, transaxial[bin + 2]!, transaxial[bin + 3]!];
        return [axial[plane]!, y1, x1, axial[plane + 1]!, y2, x2];
      };
      if (layout.tofBins === 1) return tracedProjector(outShape, lineAt, grid);
      const centres = tofCentres(layout);
      const lines = size(outShape) / layout.tofBins;
      const centreAt = (i: number): number => centres[Math.floor(i / lines)]!;
      return tracedProjector(outShape, (i) => lineAt(i % lines), grid, tofLengths(layout), centreAt);
    },
    lineProjector: josephProjector,
    eventProjector(list, views, grid): LinearOperator {
      projectedShape(list.layout, views);
      const { before, endsOf, centreOf } = eventEnds(list, views);
      const tof = list.layout.tofBins > 1 ? tofLengths(list.layout) : undefined;
      return tracedProjector([before.at(-1)!], endsOf, grid, tof, centreOf);
    },
    gaussianPsf,
    dispose: async (): Promise<void> => {},
  };
}

/**
 * Shape of the projections of these views.
 * @throws GeometryError for views the layout does not have.
 */
export function projectedShape(layout: SinogramLayout, views: readonly number[]): readonly number[] {
  const bad = views.find((view) => !Number.isInteger(view) || view < 0 || view >= layout.views);
  if (bad !== undefined || views.length === 0) {
    throw new GeometryError('View', { expected: `views in 0 … ${layout.views - 1}`, found: bad ?? 'none' });
  }
  return sinogramShape(layout, views.length);
}
