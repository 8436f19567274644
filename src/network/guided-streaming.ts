/** @file  A guided-diffusion network over a large volume, slab by slab: every stage of the network reads its maps slab by slab and makes the next.
 *  Group normalisation needs two passes over a map, and the first is made while the map is: for channel c of group g, with m_c what the embedding
 *  adds before it,
 *    μ_g = mean over the group of (mean_c + m_c),   σ²_g = (1/L) Σ_c [ S_c + n (mean_c + m_c − μ_g)² ]
 *    γ (x + m_c − μ_g)/√(σ²_g + ε) + β  =  factor_c x + shift_c
 *  The result is that of the whole volume, to rounding. */
import type { NdArray } from '../core/array.js';
import { array } from '../core/array.js';
import { ModelError } from '../core/errors.js';
import { type CallOptions, turn } from '../core/iterate.js';
import type { Program } from './graph.js';
import { checkedGuidedPatch, type GuidedDiffusion } from './guided-diffusion.js';
import { epsilon, groups } from './guided-layers.js';
import { modulationGraph, type Slab, stageGraph } from './guided-stage-graph.js';
import { guidedStages, reads, type Stage } from './guided-stages.js';
import type { FeedOptions, Tensors } from './runner.js';
import { addSlab, type ChannelStatistics, readSlab, type SlabMap, slabMap } from './slab-map.js';

/** Runs programs; weights are known to it by name. */
export interface ProgramRunner {
  run(program: Program, feeds: Tensors, options?: FeedOptions): Promise<Tensors>;
}
export interface StreamingOptions {
  /** Slices of a slab. */
  readonly slices: number;
  /** Keep maps in half precision. */
  readonly half: boolean;
}

/**
 * @param vectors weights of one dimension, by name.
 * @returns the network as a function: x [1, C, D, H, W], time [F] ↦ [1, outputs, D, H, W].
 * @throws ModelError for a network that cannot be streamed.
 */
export function streamedNetwork(
  architecture: GuidedDiffusion,
  runner: ProgramRunner,
  vectors: Tensors,
  { slices, half }: StreamingOptions,
): (x: NdArray, time: Float32Array, options?: CallOptions) => Promise<NdArray> {
  const { input, stages, lastUse } = guidedStages(architecture);
  const blocks = new Map(
    stages.flatMap((stage) => (stage.kind === 'residue' ? [[stage.block, stage.out.width]] : [])) as [string, number][],
  );
  const modulation = modulationGraph(architecture, blocks);
  const programs = new Map<string, Program>();
  const programOf = (index: number, slab: Slab): Program => {
    const key = [index, slab.slices, ...slab.plane, slab.before, slab.after].join();
    const made = programs.get(key) ?? stageGraph(stages[index], slab);
    programs.set(key, made);
    return made;
  };

  return async (x, time, options = {}) => {
    const [n, c, d, h, w] = x.shape;
    checkedGuidedPatch(architecture, [d, h, w]);
    if (n !== 1 || c !== architecture.inputChannels)
      throw new ModelError('Input of the network', { expected: `[1, ${architecture.inputChannels}, …]`, found: [...x.shape] });
    const told = await runner.run(modulation, { time }, options);
    const starts = Array.from({ length: Math.ceil(d / slices) }, (_, i) => i * slices);
    const maps = new Map<number, SlabMap>([[input.id, cut(x, starts, slices)]]);

    for (const [index, stage] of stages.entries()) {
      const last = index === stages.length - 1;
      const sources = reads(stage).map(({ id }) => maps.get(id)!);
      const affine = normalisation(architecture, stage, maps, vectors, told);
      const made = slabMap(stage.out.width, (h * w) / 4 ** stage.out.level);
      maps.set(stage.out.id, made);
      const release = (map: SlabMap, slab: number): void => {
        if (slab >= 0) map.slabs[slab] = undefined;
      };
      for (const [i, start] of starts.entries()) {
        await turn(options.signal);
        const slab: Slab = { slices: Math.min(slices, d - start), plane: [h, w], before: i > 0, after: i < starts.length - 1 };
        // Given away to the runner with every slab, the small ones too.
        const feeds: Record<string, Float32Array> = Object.fromEntries(
          Object.entries(affine).map(([name, data]) => [name, data.slice()]),
        );
        const convolved = (map: SlabMap): Float32Array => readSlab(map, i, slab.before, slab.after);
        stage.parts.forEach(({ id }, k) => {
          const map = maps.get(id)!;
          feeds[`part${k}`] = stage.kind === 'conv' ? convolved(map) : readSlab(map, i, false, false);
        });
        if (stage.kind === 'residue') feeds.hidden = convolved(maps.get(stage.hidden.id)!);
        const { out, mean, deviations } = await runner.run(programOf(index, slab), feeds, { ...options, give: true });
        addSlab(made, out, half && !last, mean, deviations);
        // A slab is still a neighbour of the next one.
        for (const [k, { id }] of reads(stage).entries()) if (lastUse.get(id) === index) release(sources[k], i - 1);
      }
      for (const { id } of reads(stage)) if (lastUse.get(id) === index) maps.delete(id);
    }
    return joined(maps.get(stages.at(-1)!.out.id)!, x.shape);
  };
}

/** The input as a map. */
function cut(x: NdArray, starts: readonly number[], slices: number): SlabMap {
  const [, c, d, h, w] = x.shape;
  const plane = h * w;
  const map = slabMap(c, plane);
  for (const start of starts) {
    const depth = Math.min(slices, d - start);
    const slab = new Float32Array(c * depth * plane);
    for (let k = 0; k < c; k++)
      slab.set(x.data.subarray((k * d + start) * plane, (k * d + start + depth) * plane), k * depth * plane);
    addSlab(map, slab, false);
  }
  return map;
}

/** A map as an array [1, C, D, H, W]. */
function joined(map: SlabMap, [, , d, h, w]: readonly number[]): NdArray {
  const out = array([1, map.channels, d, h, w]);
  const plane = h * w;
  let start = 0;
  for (const slab of map.slabs) {
    const depth = slab!.length / (map.channels * plane);
    for (let c = 0; c < map.channels; c++) {
      out.data.set(slab!.subarray(c * depth * plane, (c + 1) * depth * plane), (c * d + start) * plane);
    }
    start += depth;
  }
  return out;
}

/** Factor and shift of each channel that a stage normalises; nothing where it does not. */
function normalisation(
  { film }: GuidedDiffusion,
  stage: Stage,
  maps: ReadonlyMap<number, SlabMap>,
  vectors: Tensors,
  told: Tensors,
): Tensors {
  const name = stage.kind === 'residue' ? `${stage.block}.out_layers.0` : stage.kind === 'conv' ? stage.norm : undefined;
  if (name === undefined) return {};
  const normed = stage.kind === 'residue' ? [stage.hidden] : stage.parts;
  const statistics = normed.map(({ id }) => maps.get(id)!.statistics);
  const modulation = stage.kind === 'residue' ? told[stage.block] : undefined;
  return affine(statistics, vectors[`${name}.weight`], vectors[`${name}.bias`], modulation, film);
}

function affine(
  statistics: readonly ChannelStatistics[],
  gamma: Float32Array,
  beta: Float32Array,
  modulation: Float32Array | undefined,
  film: boolean,
): { factor: Float32Array; shift: Float32Array } {
  const count = statistics[0].count;
  const mean = statistics.flatMap((s) => [...s.mean]);
  const deviations = statistics.flatMap((s) => [...s.deviations]);
  const width = mean.length;
  const added = (c: number): number => (film || modulation === undefined ? 0 : modulation[c]);
  const perGroup = width / groups;
  const factor = new Float32Array(width);
  const shift = new Float32Array(width);
  for (let g = 0; g < groups; g++) {
    const channels = Array.from({ length: perGroup }, (_, k) => g * perGroup + k);
    const mu = channels.reduce((sum, c) => sum + mean[c] + added(c), 0) / perGroup;
    const squares = channels.reduce((sum, c) => sum + deviations[c] + count * (mean[c] + added(c) - mu) ** 2, 0);
    const r = 1 / Math.sqrt(squares / (perGroup * count) + epsilon);
    for (const c of channels) {
      const [scale, offset] = film && modulation !== undefined ? [1 + modulation[c], modulation[width + c]] : [1, 0];
      factor[c] = gamma[c] * r * scale;
      shift[c] = (beta[c] + gamma[c] * r * (added(c) - mu)) * scale + offset;
    }
  }
  return { factor, shift };
}
