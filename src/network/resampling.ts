/** @file  Changes of the grid, each the adjoint of another up to a factor:
 *    fold     [N, C, D, H, W] → [N, fC, D/a, H/b, W/c]: the voxels of each a×b×c block become channels, f = abc;  unfold is its inverse
 *    upsample nearest neighbour: every voxel becomes a block;  averagePool: every block becomes its mean
 *  Blocks of 1×2×2 change the planes alone and leave the axial axis. */
import { ShapeError } from '../core/errors.js';
import { emit, ints, record, type Var } from './graph.js';
import { reduceSum, reshape, scale, transpose } from './ops.js';

/** Voxels of a block along z, y, x. */
export type Block = readonly [z: number, y: number, x: number];
const cube: Block = [2, 2, 2];

/** Space to depth: channel f c + (z b + y) c' + x for the voxel (z, y, x) of each block [a, b, c'] ; for 2×2×2: 8c + 4z + 2y + x. */
export function fold(x: Var, block: Block = cube): Var {
  const [n, c] = x.shape;
  const [d, h, w] = coarse(x, block);
  const blocks = reshape(x, [n, c, d, block[0], h, block[1], w, block[2]]);
  return reshape(transpose(blocks, [0, 1, 3, 5, 7, 2, 4, 6]), [n, volume(block) * c, d, h, w]);
}

/** Inverse of `fold`. */
export function unfold(x: Var, block: Block = cube): Var {
  const [n, c, d, h, w] = x.shape;
  const blocks = reshape(x, [n, c / volume(block), ...block, d, h, w]);
  const [a, b, e] = block;
  return reshape(transpose(blocks, [0, 1, 5, 2, 6, 3, 7, 4]), [n, c / volume(block), a * d, b * h, e * w]);
}

/** Nearest neighbour: every voxel becomes a block. The gradient sums the block. */
export function upsample(x: Var, block: Block = cube): Var {
  const y = repeated(x, block);
  return record(y, [x], [(g) => blockSum(g, block)]);
}

/** Mean of each block, stride the block. The gradient repeats 1/f of g over the block. */
export function averagePool(x: Var, block: Block = cube): Var {
  const [n, c] = x.shape;
  const window = { kernel_shape: { ints: block }, strides: { ints: block } };
  const y = emit('AveragePool', [x], [n, c, ...coarse(x, block)], window);
  return record(y, [x], [(g) => scale(repeated(g, block), 1 / volume(block))]);
}

function repeated(x: Var, [a, b, e]: Block): Var {
  const [n, c, d, h, w] = x.shape;
  const spread = [n * c, d, a, h, b, w, e];
  const blocks = emit('Expand', [reshape(x, [n * c, d, 1, h, 1, w, 1]), ints(x.graph, spread)], spread);
  return reshape(blocks, [n, c, a * d, b * h, e * w]);
}

function blockSum(g: Var, block: Block): Var {
  const [n, c] = g.shape;
  const [d, h, w] = coarse(g, block);
  const blocks = reshape(g, [n * c, d, block[0], h, block[1], w, block[2]]);
  return reshape(reduceSum(blocks, [2, 4, 6]), [n, c, d, h, w]);
}

function coarse({ shape }: Var, block: Block): [d: number, h: number, w: number] {
  const [d, h, w] = block.map((edge, axis) => shape[axis + 2] / edge);
  if (![d, h, w].every(Number.isInteger)) {
    throw new ShapeError('Blocks of a grid', {
      expected: `edges that are multiples of [${block.join(', ')}]`,
      found: shape.slice(2),
    });
  }
  return [d, h, w];
}

function volume([a, b, e]: Block): number {
  return a * b * e;
}
