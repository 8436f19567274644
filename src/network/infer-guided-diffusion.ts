/** @file  Which network of the guided-diffusion family a checkpoint belongs to, from the names and shapes of its weights alone.
 *  The architecture that is read off is then asked which weights it needs; what agrees, misses or is left over is the report. */
import { ModelError } from '../core/errors.js';
import type { GuidedDiffusion } from './guided-diffusion.js';
import { guidedWeights } from './guided-diffusion-graph.js';

type Shape = readonly number[];
/** Shapes of weights by their names. */
export type Shapes = ReadonlyMap<string, readonly number[]>;

/** What of a checkpoint fits an architecture. */
export interface KeyReport {
  readonly matched: readonly string[];
  /** Needed, and not there. */
  readonly missing: readonly string[];
  /** There, and not needed. */
  readonly unexpected: readonly string[];
  /** There, in another shape. */
  readonly misshapen: readonly {
    readonly name: string;
    readonly expected: readonly number[];
    readonly found: readonly number[];
  }[];
}
export interface Inferred {
  /** Its head channels are not to be seen in the weights. */
  readonly architecture: GuidedDiffusion;
  readonly report: KeyReport;
}

/** A name that every network of the family has. */
const landmark = 'input_blocks.0.0.weight';

/**
 * What stands before the names of networks of this family: '' or 'module.', 'state_dict.ema.' …; empty where there is none.
 * @returns all prefixes under which there is a whole network.
 */
export function networkPrefixes(names: Iterable<string>): string[] {
  return [...names]
    .filter((name) => name === landmark || name.endsWith(`.${landmark}`))
    .map((name) => name.slice(0, -landmark.length));
}

/**
 * @param shapes without prefix.
 * @throws ModelError when it is no network of the family, or one that is not evaluated here (class-conditional, one-dimensional).
 */
export function inferGuidedDiffusion(shapes: Shapes, file?: string): Inferred {
  const shape = (name: string): Shape => {
    const found = shapes.get(name);
    if (found === undefined) {
      throw new ModelError('These are not the weights of a guided-diffusion network', {
        file,
        key: name,
        expected: 'a weight of this name',
      });
    }
    return found;
  };
  const refused = (what: string, key: string, found?: unknown): never => {
    throw new ModelError(what, { file, key, found });
  };
  const stem = shape(landmark);
  const dimensions = stem.length - 2;
  if (dimensions !== 2 && dimensions !== 3) return refused('Networks in two and three dimensions are read', landmark, [...stem]);
  if (shapes.has('label_emb.weight')) refused('Networks that are told a class are not read', 'label_emb.weight');

  // Blocks 0 … n − 1 are the stem and, at each level, `blocks` residual blocks and a halving: levels × (blocks + 1) in all.
  const isResidual = (name: string): boolean => shapes.has(`${name}.in_layers.2.weight`);
  const n = 1 + Math.max(...[...shapes.keys()].map((name) => Number(/^input_blocks\.(\d+)\./.exec(name)?.[1] ?? 0)));
  if (n > 1000) refused('Absurd number of blocks', 'input_blocks', n);
  const indices = Array.from({ length: n }, (_, i) => i).slice(1);
  const odd = indices.find((i) => !isResidual(`input_blocks.${i}.0`));
  const doubling = indices
    .map((i) => i - 1)
    .find((k) => isResidual(`output_blocks.${k}.1`) || isResidual(`output_blocks.${k}.2`));
  const period = odd ?? (doubling === undefined ? n : doubling + 1);
  const resampling = odd === undefined ? 'residual' : shapes.has(`input_blocks.${odd}.0.op.weight`) ? 'convolution' : 'pooling';
  const levels = n / period;
  if (period < 2 || !Number.isInteger(levels))
    refused('The blocks do not divide into levels', 'input_blocks', `${n} blocks, ${period} a level`);
  const first = Array.from({ length: levels }, (_, level) => `input_blocks.${1 + level * period}`);
  const widths = first.map((name) => shape(`${name}.0.in_layers.2.weight`)[0]!);
  const common: Omit<GuidedDiffusion, 'decoder'> = {
    ...{ kind: 'guided-diffusion' as const, dimensions, inputChannels: stem[1]!, outputChannels: shape('out.2.weight')[0]! },
    ...{ features: shape('time_embed.0.weight')[1]!, widths, blocks: period - 1, resampling },
    film: shape('input_blocks.1.0.emb_layers.1.weight')[0] === 2 * widths[0]!,
    attention: {
      levels: first.flatMap((name, level) => (shapes.has(`${name}.1.qkv.weight`) ? [level] : [])),
      middle: shapes.has('middle_block.1.qkv.weight'),
    },
  };
  const candidates = (['standard', 'hybrid'] as const).map((decoder): Inferred => {
    const architecture: GuidedDiffusion = { ...common, decoder };
    return { architecture, report: compared(guidedWeights(architecture), shapes) };
  });
  const faults = ({ report }: Inferred): number => report.missing.length + report.unexpected.length + report.misshapen.length;
  return candidates.reduce((best, next) => (faults(next) < faults(best) ? next : best));
}

function compared(needed: Shapes, given: Shapes): KeyReport {
  const same = (name: string): boolean => given.get(name)?.join() === needed.get(name)?.join();
  const names = [...needed.keys()];
  return {
    matched: names.filter((name) => given.has(name) && same(name)),
    missing: names.filter((name) => !given.has(name)),
    unexpected: [...given.keys()].filter((name) => !needed.has(name)),
    misshapen: names.flatMap((name) =>
      given.has(name) && !same(name) ? [{ name, expected: needed.get(name)!, found: given.get(name)! }] : [],
    ),
  };
}

/** Is it the denoiser of Yu et al. 2025, doi:10.1007/s00259-025-07122-4, as it was published? */
export function isYu2025({ dimensions, inputChannels, widths, blocks, decoder }: GuidedDiffusion): boolean {
  return (
    dimensions === 3 && inputChannels === 2 && blocks === 2 && decoder === 'hybrid' && widths.join() === '128,128,256,384,512'
  );
}
