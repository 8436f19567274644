/** @file  One stage of a guided-diffusion network for one slab, as a graph. A slab brings the neighbouring slices that there are, and where the
 *  volume ends the convolution pads with zeros, so that slabs give what the whole volume gives. A normalisation is `factor` x + `shift`, channel
 *  by channel; mean and sum of squared deviations of the result are given out, for the normalisation that follows. */
import { emit, input, ints, newGraph, output, type Program, program, type Var } from './graph.js';
import type { GuidedDiffusion } from './guided-diffusion.js';
import { embedded, linear, moved, type WeightSource } from './guided-layers.js';
import type { Stage, StageMap } from './guided-stages.js';
import { add, concat, mul, reshape, silu, sub } from './ops.js';

/** A slab: d slices of planes [h, w] at level 0, and whether a slice before and after it is given. */
export interface Slab {
  readonly slices: number;
  readonly plane: readonly [h: number, w: number];
  readonly before: boolean;
  readonly after: boolean;
}

/**
 * Inputs: `part0` … [1, C, D, H, W] and `hidden`; `factor`, `shift` [1, C, 1, 1, 1] of the normalised maps; the weights. What is convolved comes
 * with its neighbouring slices. Outputs: `out` [1, C, d, H, W], `mean` and `deviations` [C].
 */
export function stageGraph(stage: Stage, slab: Slab): Program {
  const { slices, plane, before, after } = slab;
  const graph = newGraph();
  const weight: WeightSource = (name, shape) => input(graph, name, shape);
  const map = (name: string, { width, level }: StageMap, withNeighbours: boolean): Var => {
    const depth = slices + (withNeighbours ? Number(before) + Number(after) : 0);
    return input(graph, name, [1, width, depth, plane[0] / 2 ** level, plane[1] / 2 ** level]);
  };
  const normalised = (x: Var): Var => {
    const channels = [1, x.shape[1], 1, 1, 1];
    return silu(add(mul(x, input(graph, 'factor', channels)), input(graph, 'shift', channels)));
  };
  const conv = (name: string, x: Var, width: number, stride: 1 | 2 = 1): Var => {
    const [, c, , h, w] = x.shape;
    const pads = [Number(!before), 1, 1, Number(!after), 1, 1];
    return emit(
      'Conv',
      [x, weight(`${name}.weight`, [width, c, 3, 3, 3]), weight(`${name}.bias`, [width])],
      [1, width, slices, h / stride, w / stride],
      { kernel_shape: { ints: [3, 3, 3] }, pads: { ints: pads }, strides: { ints: [1, stride, stride] } },
    );
  };
  const parts = stage.parts.map((part, i) => map(`part${i}`, part, stage.kind === 'conv'));
  const joined = parts.length === 1 ? parts[0] : concat(parts, 1);
  const { name, move, out } = stage;

  let y: Var;
  if (stage.kind === 'move') {
    y = moved(joined, move);
  } else if (stage.kind === 'conv') {
    if (stage.norm !== undefined) y = conv(name, moved(normalised(joined), move), out.width);
    else y = move === 'halve' ? conv(name, joined, out.width, 2) : conv(name, moved(joined, move), out.width);
  } else {
    const residue = conv(name, normalised(map('hidden', stage.hidden, true)), out.width);
    const skip = moved(joined, move);
    const c = skip.shape[1];
    y = add(c === out.width ? skip : pointwise(`${stage.block}.skip_connection`, skip, out.width, weight), residue);
  }
  output(y, 'out');
  const rows = reshape(y, [out.width, slices * y.shape[3] * y.shape[4]]);
  const mean = emit('ReduceMean', [rows, ints(graph, [1])], [out.width, 1]);
  output(reshape(mean, [out.width]), 'mean');
  const squares = emit('ReduceSumSquare', [sub(rows, mean), ints(graph, [1])], [out.width, 1]);
  output(reshape(squares, [out.width]), 'deviations');
  return program(graph);
}

function pointwise(name: string, x: Var, width: number, weight: WeightSource): Var {
  const [, c, d, h, w] = x.shape;
  const kernel = { kernel_shape: { ints: [1, 1, 1] } };
  return emit(
    'Conv',
    [x, weight(`${name}.weight`, [width, c, 1, 1, 1]), weight(`${name}.bias`, [width])],
    [1, width, d, h, w],
    kernel,
  );
}

/** Inputs: `time` [1, features] and weights. Outputs: for each block, by its name, what the embedding tells it: [s, b], or the shift. */
export function modulationGraph(architecture: GuidedDiffusion, blocks: ReadonlyMap<string, number>): Program {
  const graph = newGraph();
  const weight: WeightSource = (name, shape) => input(graph, name, shape);
  const told = embedded(architecture, input(graph, 'time', [1, architecture.features]), weight);
  for (const [block, width] of blocks) {
    output(linear(`${block}.emb_layers.1`, told, architecture.film ? 2 * width : width, weight), block);
  }
  return program(graph);
}
