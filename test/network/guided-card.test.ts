import { describe, expect, it } from 'vitest';
import { ModelError } from '../../src/core/errors.js';
import { isGuidedCard, parseGuidedCard } from '../../src/network/guided-card.js';
import { published } from './guided-models.js';

const good = {
  ...{ name: 'a', version: '1', licence: 'CC-BY-NC-SA-4.0', architecture: published(32), parameterisation: 'eps' },
  ...{
    schedule: { kind: 'linear', steps: 1000, first: 1e-4, last: 0.02 },
    intensity: { unit: 'SUV', scale: 1 / 16, ceiling: 16 },
  },
  ...{ voxelSize: [1.65, 1.65, 1.65], tile: { slices: 96, overlap: 10 }, condition: 'low-dose image', weights: 'fp32' },
  ...{ source: {}, sha256: 'ab' },
};
const network = (change: object): object => ({ ...good, architecture: { ...published(32), ...change } });

describe('parseGuidedCard', () => {
  it('takes a good card, and knows it from others', () => {
    expect(parseGuidedCard(JSON.parse(JSON.stringify(good)))).toEqual(good);
    expect(isGuidedCard(good)).toBe(true);
    for (const other of [null, 3, {}, { architecture: null }, { architecture: { kind: 'unet3d' } }])
      expect(isGuidedCard(other)).toBe(false);
  });

  it.each([
    [null, /architecture\.kind/],
    [{ ...good, licence: undefined }, /licence/],
    [{ ...good, parameterisation: 'v' }, /parameterisation.*"v"/],
    [{ ...good, schedule: 'linear' }, /schedule/],
    [{ ...good, schedule: { ...good.schedule, last: 1.5 } }, /schedule/],
    [{ ...good, intensity: { unit: 'Bq/mL' } }, /intensity\.unit/],
    [{ ...good, intensity: { ...good.intensity, ceiling: 0 } }, /intensity\.ceiling/],
    [{ ...good, voxelSize: [1, 1] }, /voxelSize/],
    [{ ...good, tile: { slices: 10, overlap: 10 } }, /tile\.overlap/],
    [{ ...good, tile: undefined }, /tile\.slices/],
    [network({ dimensions: 1 }), /dimensions/],
    [network({ widths: [] }), /widths/],
    [network({ widths: [32, 48] }), /multiple of 32/],
    [network({ blocks: 1e9 }), /blocks/],
    [network({ decoder: 'other' }), /decoder/],
    [network({ attention: { levels: [1], middle: true } }), /headChannels/],
    [network({ attention: { levels: [1], middle: true }, headChannels: 24 }), /attention head/],
    [network({ attention: undefined }), /attention/],
  ])('refuses %# naming what is wrong', (card, says) => {
    expect(() => parseGuidedCard(card, 'model.json')).toThrow(ModelError);
    expect(() => parseGuidedCard(card, 'model.json')).toThrow(says);
  });
});
