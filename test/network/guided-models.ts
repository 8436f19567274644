/** @file  Networks of the guided-diffusion family for tests, with weights by formula. */
import { size } from '../../src/core/array.js';
import type { GuidedDiffusion } from '../../src/network/guided-diffusion.js';
import { guidedWeights } from '../../src/network/guided-diffusion-graph.js';

/** The architecture of the published denoiser; it has 128 channels. */
export function published(channels: number): GuidedDiffusion {
  return {
    ...{ kind: 'guided-diffusion', dimensions: 3, inputChannels: 2, outputChannels: 2, features: channels },
    ...{ widths: [1, 1, 2, 3, 4].map((m) => m * channels), blocks: 2, film: true, resampling: 'residual', decoder: 'hybrid' },
    attention: { levels: [], middle: false },
  };
}

/** Weight j of the state dict, element i: s = sin(0.7 i + 1.3 j), brought to a fitting size. */
export function sineWeights(architecture: GuidedDiffusion): Record<string, Float32Array> {
  const names = stateDictOrder([...guidedWeights(architecture).keys()]);
  const shapes = guidedWeights(architecture);
  return Object.fromEntries(
    names.map((name, j) => {
      const shape = shapes.get(name)!;
      const fan = Math.sqrt(size(shape.slice(1)));
      const value = (i: number): number => {
        const s = Math.sin(0.7 * i + 1.3 * j);
        return shape.length > 1 ? s / fan : name.endsWith('.weight') ? 1 + 0.1 * s : 0.1 * s;
      };
      return [name, Float32Array.from({ length: size(shape) }, (_, i) => value(i))];
    }),
  );
}

/** As PyTorch lists them: modules in the order of their registration, which here is that of the names. */
export function stateDictOrder(names: readonly string[]): string[] {
  const roots = ['time_embed', 'input_blocks', 'middle_block', 'output_blocks', 'out'];
  const layers = [
    'in_layers',
    'emb_layers',
    'out_layers',
    'skip_connection',
    'norm',
    'qkv',
    'proj_out',
    'op',
    'conv',
    'weight',
    'bias',
  ];
  const rank = (part: string): number => [...roots, ...layers].indexOf(part);
  const key = (name: string): number[] => name.split('.').map((part) => (/^\d+$/.test(part) ? Number(part) : rank(part)));
  return [...names].sort((a, b) => {
    const [p, q] = [key(a), key(b)];
    const at = p.findIndex((value, i) => value !== q[i]);
    return p[at]! - q[at]!;
  });
}
