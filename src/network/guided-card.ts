/** @file  The card of an imported guided-diffusion model: everything that must be known to use its weights as they were meant. */
import { ModelError } from '../core/errors.js';
import type { GuidedDiffusion } from './guided-diffusion.js';
import { guidedWeights } from './guided-diffusion-graph.js';
import type { CommonCard } from './model-card.js';

export interface GuidedCard extends CommonCard {
  readonly architecture: GuidedDiffusion;
  /** The network predicts the noise, and with two outputs the variance between its bounds. */
  readonly parameterisation: 'eps';
  /** β from `first` to `last` in equal steps. */
  readonly schedule: { readonly kind: 'linear'; readonly steps: number; readonly first: number; readonly last: number };
  readonly intensity: CommonCard['intensity'] & { readonly ceiling: number };
  /** Slices evaluated at once, and how many of them neighbours share. The plane is evaluated whole. */
  readonly tile: { readonly slices: number; readonly overlap: number };
  /** What the second input is. */
  readonly condition: 'low-dose image';
  /** How the weights are kept; they are evaluated in float32. */
  readonly weights: 'fp32' | 'fp16';
  /** Where the weights came from: file, its SHA-256, prefix of the names, what was left over. */
  readonly source: Readonly<Record<string, unknown>>;
}

/** Is this parsed JSON the card of a guided-diffusion model, whether right or wrong? */
export function isGuidedCard(data: unknown): boolean {
  const { architecture } = (data ?? {}) as { architecture?: { kind?: unknown } };
  return architecture?.kind === 'guided-diffusion';
}

/**
 * A card from parsed JSON.
 * @throws ModelError naming what is missing or wrong.
 */
export function parseGuidedCard(data: unknown, file?: string): GuidedCard {
  const card = data as GuidedCard;
  const demand = (fine: boolean, key: string, expected: string, found: unknown): void => {
    if (!fine) throw new ModelError('Model card', { file, key, expected, found });
  };
  const positive = (n: unknown): boolean => typeof n === 'number' && n > 0 && n < Infinity;
  const whole = (n: unknown): boolean => Number.isSafeInteger(n) && (n as number) > 0;
  demand(isGuidedCard(data), 'architecture.kind', '"guided-diffusion"', undefined);
  for (const key of ['name', 'version', 'licence', 'sha256'] as const)
    demand(typeof card[key] === 'string', key, 'a text', card[key]);
  demand(card.parameterisation === 'eps', 'parameterisation', '"eps"', card.parameterisation);
  const { kind, steps, first, last } = card.schedule ?? {};
  const rising = positive(first) && first! < last! && last! < 1;
  demand(
    kind === 'linear' && whole(steps) && rising,
    'schedule',
    '{kind: "linear", steps, first < last < 1}',
    JSON.stringify(card.schedule),
  );
  demand(card.intensity?.unit === 'SUV', 'intensity.unit', '"SUV"', card.intensity?.unit);
  for (const key of ['scale', 'ceiling'] as const)
    demand(positive(card.intensity[key]), `intensity.${key}`, 'a positive number', card.intensity[key]);
  demand(
    Array.isArray(card.voxelSize) && card.voxelSize.length === 3 && card.voxelSize.every(positive),
    'voxelSize',
    'three lengths in mm',
    card.voxelSize,
  );
  const { slices, overlap } = card.tile ?? {};
  demand(whole(slices), 'tile.slices', 'a positive integer', slices);
  demand(Number.isInteger(overlap) && overlap! >= 0 && overlap! < slices!, 'tile.overlap', 'less than the slices', overlap);
  checkedGuidedArchitecture(card.architecture, file);
  return card;
}

/** @throws ModelError when no network can be made from it. */
export function checkedGuidedArchitecture(architecture: GuidedDiffusion, file?: string): GuidedDiffusion {
  const { dimensions, inputChannels, outputChannels, features, widths, blocks, film, resampling, decoder, attention } =
    architecture;
  const demand = (fine: boolean, key: string, expected: string, found: unknown): void => {
    if (!fine) throw new ModelError('Network architecture', { file, key: `architecture.${key}`, expected, found });
  };
  const whole = (n: unknown): boolean => Number.isSafeInteger(n) && (n as number) > 0 && (n as number) < 2 ** 20;
  demand(dimensions === 2 || dimensions === 3, 'dimensions', '2 or 3', dimensions);
  demand(whole(inputChannels), 'inputChannels', 'a positive integer', inputChannels);
  demand(whole(outputChannels), 'outputChannels', 'a positive integer', outputChannels);
  demand(whole(features) && features % 2 === 0, 'features', 'an even positive integer', features);
  demand(
    Array.isArray(widths) && widths.length > 0 && widths.length < 12 && widths.every(whole),
    'widths',
    'one width a level',
    widths,
  );
  demand(whole(blocks) && blocks < 100, 'blocks', 'a positive integer', blocks);
  demand(typeof film === 'boolean', 'film', 'true or false', film);
  demand(
    ['residual', 'convolution', 'pooling'].includes(resampling),
    'resampling',
    'residual, convolution or pooling',
    resampling,
  );
  demand(decoder === 'standard' || decoder === 'hybrid', 'decoder', 'standard or hybrid', decoder);
  demand(
    Array.isArray(attention?.levels) && typeof attention.middle === 'boolean',
    'attention',
    '{levels, middle}',
    JSON.stringify(attention),
  );
  const attends = attention.levels.length > 0 || attention.middle;
  const { headChannels } = architecture;
  demand(
    headChannels === undefined ? !attends : whole(headChannels),
    'headChannels',
    'channels of an attention head',
    headChannels,
  );
  guidedWeights(architecture); // widths that the groups do not divide, heads that do not divide the widths
  return architecture;
}
