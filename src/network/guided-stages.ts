/** @file  A guided-diffusion network as stages, each of which needs a slice and its neighbours only, so that a large volume goes through slab by
 *  slab. What a normalisation needs of the whole volume, mean and variance, is gathered while the map before it is made. */
import { ModelError } from '../core/errors.js';
import { type GuidedDiffusion, guidedDiffusion, type Layers, type Move } from './guided-diffusion.js';

/** Channels over the volume, at a level of the pyramid. */
export interface StageMap {
  readonly id: number;
  readonly width: number;
  /** Halvings of the plane. */
  readonly level: number;
}
interface Common {
  /** Of its convolution. */
  readonly name: string;
  /** Maps that are joined along the channels. */
  readonly parts: readonly StageMap[];
  readonly move: Move;
  readonly out: StageMap;
}
/** out = Conv( move( SiLU(GroupNorm(parts)) ) ); without a norm out = Conv(move(parts)), where 'halve' is in the stride. */
export interface ConvStage extends Common {
  readonly kind: 'conv';
  readonly norm?: string | undefined;
}
/** out = S move(parts) + Conv( SiLU(N(hidden, e)) ): the second half of the residual block of this name. */
export interface ResidueStage extends Common {
  readonly kind: 'residue';
  readonly block: string;
  readonly hidden: StageMap;
}
/** out = move(parts). */
export interface MoveStage extends Common {
  readonly kind: 'move';
}
export type Stage = ConvStage | ResidueStage | MoveStage;

export interface Stages {
  readonly input: StageMap;
  readonly stages: readonly Stage[];
  /** Index of the last stage that reads a map, by its id. */
  readonly lastUse: ReadonlyMap<number, number>;
}

/** @throws ModelError for a network that has attention or is two-dimensional: its slices cannot be told apart, or need not be. */
export function guidedStages(architecture: GuidedDiffusion): Stages {
  if (architecture.dimensions === 2) throw new ModelError('A network in two dimensions takes one slice at a time as it is');
  const stages: Stage[] = [];
  let maps = 0;
  const map = (width: number, level: number): StageMap => ({ id: maps++, width, level });
  const after = (x: StageMap, width: number, move: Move): StageMap =>
    map(width, x.level + (move === 'halve' ? 1 : move === 'double' ? -1 : 0));
  const put = (stage: Stage): StageMap => {
    stages.push(stage);
    return stage.out;
  };
  const layers: Layers<StageMap> = {
    width: ({ width }) => width,
    conv: (name, x, width, move) => put({ kind: 'conv', name, parts: [x], move, out: after(x, width, move) }),
    residual(name, parts, width, move) {
      const norm = `${name}.in_layers.0`;
      const hidden = put({ kind: 'conv', name: `${name}.in_layers.2`, parts, move, norm, out: after(parts[0], width, move) });
      return put({
        kind: 'residue',
        name: `${name}.out_layers.3`,
        block: name,
        parts,
        move,
        hidden,
        out: after(parts[0], width, move),
      });
    },
    attention() {
      throw new ModelError('A network with attention needs the whole volume at once', {
        hint: 'Allow more memory, or take fewer slices.',
      });
    },
    move: (x, move) => put({ kind: 'move', name: 'move', parts: [x], move, out: after(x, x.width, move) }),
    head: (x, width) => put({ kind: 'conv', name: 'out.2', norm: 'out.0', parts: [x], move: 'stay', out: map(width, x.level) }),
  };
  const input = map(architecture.inputChannels, 0);
  guidedDiffusion(architecture, input, layers);
  const all = withStemTwice(stages, map);
  const lastUse = new Map<number, number>();
  all.forEach((stage, i) => {
    for (const { id } of reads(stage)) lastUse.set(id, i);
  });
  return { input, stages: all, lastUse };
}

/** Maps that a stage reads. */
export function reads(stage: Stage): readonly StageMap[] {
  return stage.kind === 'residue' ? [stage.hidden, ...stage.parts] : stage.parts;
}

/** The stem's map is the first skip to be made and the last to be used; making it again is cheaper than keeping it. */
function withStemTwice(stages: readonly Stage[], map: (width: number, level: number) => StageMap): Stage[] {
  const stem = stages[0];
  const again = map(stem.out.width, stem.out.level);
  const last = stages.findLastIndex(({ kind }) => kind === 'residue') - 1; // the first half of the last block
  const renamed = stages
    .slice(last)
    .map((stage) => ({ ...stage, parts: stage.parts.map((part) => (part.id === stem.out.id ? again : part)) }));
  return [...stages.slice(0, last), { ...stem, out: again }, ...renamed];
}

/**
 * Bytes of the maps that are kept at once, at most, of a patch [D, H, W]. A map that is read for the last time is given up slab by slab while
 * the next is made.
 */
export function stageMemory({ input, stages, lastUse }: Stages, [d, h, w]: readonly number[], bytesPerValue: 2 | 4): number {
  const bytes = ({ width, level }: StageMap): number => (width * d * h * w * bytesPerValue) / 4 ** level;
  const sum = (maps: Iterable<StageMap>): number => [...maps].reduce((total, map) => total + bytes(map), 0);
  const alive = new Map<number, StageMap>([[input.id, input]]);
  let most = 0;
  stages.forEach((stage, i) => {
    const done = reads(stage).filter(({ id }) => lastUse.get(id) === i);
    const before = sum(alive.values());
    most = Math.max(most, before - sum(done) + Math.max(sum(done), bytes(stage.out)));
    for (const { id } of done) alive.delete(id);
    alive.set(stage.out.id, stage.out);
  });
  return most;
}

/** Multiplications with an addition of one evaluation of a patch [D, H, W]: of its convolutions, which are nearly all there are. */
export function multiplyAdds({ stages }: Stages, [d, h, w]: readonly number[]): number {
  // The stem that is made again is not counted twice: it is the network that is counted, not the way it is evaluated.
  const counted = new Map(stages.map((stage) => [stage.name === 'move' ? stage.out.id : stage.name, stage]));
  return [...counted.values()].reduce((sum, stage) => {
    const { parts, out } = stage;
    const voxels = (d * h * w) / 4 ** out.level;
    const given = parts.reduce((width, part) => width + part.width, 0);
    if (stage.kind === 'move') return sum;
    if (stage.kind === 'conv') return sum + 27 * given * out.width * voxels;
    return sum + (27 * stage.hidden.width + (given === out.width ? 0 : given)) * out.width * voxels;
  }, 0);
}
