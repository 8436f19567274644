import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { ModelError } from '../../src/core/errors.js';
import type { GuidedDiffusion } from '../../src/network/guided-diffusion.js';
import { guidedWeights } from '../../src/network/guided-diffusion-graph.js';
import { inferGuidedDiffusion, networkPrefixes } from '../../src/network/infer-guided-diffusion.js';
import { published } from './guided-models.js';

interface Case {
  readonly architecture: GuidedDiffusion;
  readonly weights: Record<string, number[]>;
}
// Names and shapes as PyTorch lists them: scripts/reference/guided-diffusion.py
const cases = JSON.parse(readFileSync(`${import.meta.dirname}/../fixtures/guided-diffusion.json`, 'utf8')) as Case[];
const seen = ({ headChannels: _, headOrder: __, ...rest }: GuidedDiffusion): GuidedDiffusion => rest;

describe('inferGuidedDiffusion', () => {
  it.each(cases)(
    'reads $architecture.dimensions D, $architecture.resampling, $architecture.decoder off the weights',
    ({ architecture, weights }) => {
      const { architecture: found, report } = inferGuidedDiffusion(new Map(Object.entries(weights)));
      // Where both rules for the decoder give the same widths, the usual one is named.
      expect(found).toEqual(seen(architecture));
      expect(report.matched.length).toBe(Object.keys(weights).length);
      expect([report.missing, report.unexpected, report.misshapen]).toEqual([[], [], []]);
    },
  );

  it.each([
    published(32),
    published(128),
    { ...published(64), widths: [64], blocks: 3, decoder: 'standard', outputChannels: 1 },
    { ...published(32), widths: [32, 64, 64], blocks: 1, decoder: 'standard', attention: { levels: [2], middle: true } },
    { ...published(32), widths: [64, 96], blocks: 4, decoder: 'hybrid', resampling: 'pooling', film: false, dimensions: 2 },
  ] as GuidedDiffusion[])('comes back from its own weights: %j', (architecture) => {
    const { architecture: found, report } = inferGuidedDiffusion(guidedWeights(architecture));
    expect(found).toEqual(architecture);
    expect(report.missing).toEqual([]);
  });

  it('reports what is missing, left over, or of another shape', () => {
    const shapes = guidedWeights(published(32));
    const odd = new Map([...shapes, ['betas', [1000]]] as [string, readonly number[]][]);
    odd.delete('output_blocks.3.0.out_layers.0.bias');
    odd.set('out.0.bias', [31]);
    const { report } = inferGuidedDiffusion(odd);
    expect(report.missing).toEqual(['output_blocks.3.0.out_layers.0.bias']);
    expect(report.unexpected).toEqual(['betas']);
    expect(report.misshapen).toEqual([{ name: 'out.0.bias', expected: [32], found: [31] }]);
    expect(report.matched.length).toBe(shapes.size - 2);
  });

  it.each([
    [new Map([['conv1.weight', [64, 3, 7, 7]]]), /not the weights.*input_blocks\.0\.0\.weight/],
    [new Map([...guidedWeights(published(32)), ['label_emb.weight', [10, 128]]] as [string, number[]][]), /class/],
    [
      new Map([...guidedWeights(published(32)), ['input_blocks.0.0.weight', [32, 2, 3]]] as [string, number[]][]),
      /two and three dimensions/,
    ],
    [
      new Map([...guidedWeights(published(32)), ['input_blocks.15.0.in_layers.2.weight', [1]]] as [string, number[]][]),
      /divide into levels/,
    ],
    [new Map([...guidedWeights(published(32)), ['input_blocks.999999999.0.weight', [1]]] as [string, number[]][]), /Absurd/],
  ])('refuses %# by name', (shapes, says) => {
    expect(() => inferGuidedDiffusion(shapes, 'model.pt')).toThrow(ModelError);
    expect(() => inferGuidedDiffusion(shapes, 'model.pt')).toThrow(says);
  });

  it('finds networks under whatever prefix they are kept', () => {
    const names = [...guidedWeights(published(32)).keys()];
    expect(networkPrefixes(names)).toEqual(['']);
    expect(networkPrefixes(names.map((name) => `module.${name}`))).toEqual(['module.']);
    expect(networkPrefixes([...names.map((name) => `ema.${name}`), ...names.map((name) => `model.${name}`)])).toEqual([
      'ema.',
      'model.',
    ]);
    expect(networkPrefixes(['conv.weight'])).toEqual([]);
  });
});
