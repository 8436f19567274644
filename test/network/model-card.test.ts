import { describe, expect, it } from 'vitest';
import { array } from '../../src/core/array.js';
import { ModelError } from '../../src/core/errors.js';
import { flatParameters, namedParameters, parseModelCard } from '../../src/network/model-card.js';
import { initialParameters } from '../../src/network/parameters.js';
import type { Architecture } from '../../src/network/unet.js';

const architecture: Architecture = {
  kind: 'unet3d',
  inputChannels: 2,
  fold: 2,
  channels: [8, 8],
  embedding: 8,
  features: 5,
  groups: 2,
};
const good = {
  ...{ name: 'a', version: '1.0.0', licence: 'MIT', architecture, parameterisation: 'v', schedule: 'cosine', sha256: 'ab' },
  ...{ intensity: { unit: 'SUV', scale: 0.5, bodyMean: 1 }, voxelSize: [4, 4, 4], patch: [8, 8, 8], overlap: 2, training: {} },
  condition: 'low-count OSEM image',
};

describe('parseModelCard', () => {
  it('takes a good card', () => {
    expect(parseModelCard(good)).toMatchObject({ name: 'a' });
  });
  it.each([
    [null, /card/],
    [{ ...good, name: 3 }, /name/],
    [{ ...good, parameterisation: 'eps' }, /parameterisation.*eps/],
    [{ ...good, intensity: { unit: 'Bq', scale: 1, bodyMean: 1 } }, /intensity\.unit/],
    [{ ...good, intensity: { unit: 'SUV', scale: 0, bodyMean: 1 } }, /intensity\.scale/],
    [{ ...good, intensity: undefined }, /intensity/],
    [{ ...good, patch: [8, 8, 6] }, /multiples of 4/],
    [{ ...good, overlap: 8 }, /overlap/],
    [{ ...good, architecture: { ...architecture, channels: [7] } }, /channels/],
  ])('refuses %# naming what is wrong', (card, says) => {
    expect(() => parseModelCard(card, 'model.json')).toThrow(ModelError);
    expect(() => parseModelCard(card, 'model.json')).toThrow(says);
  });
});

describe('parameters as tensors', () => {
  const parameters = initialParameters(architecture, 3);
  const tensors = namedParameters({ card: { architecture }, parameters });
  it('come back the same', () => {
    expect(flatParameters(architecture, tensors)).toEqual(parameters);
  });
  it('are refused when one is missing, superfluous or of another shape', () => {
    const [first] = tensors.keys();
    const without = new Map([...tensors].slice(1));
    expect(() => flatParameters(architecture, without, 'w')).toThrow(new RegExp(`w: A weight is missing.*${first}`));
    expect(() => flatParameters(architecture, new Map([...tensors, ['extra', array([1])]]))).toThrow(/extra/);
    expect(() => flatParameters(architecture, new Map([...tensors, [first!, array([1])]]))).toThrow(/another shape/);
  });
});
